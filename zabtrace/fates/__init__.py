"""The fate of every write: labels, the proofs behind them, and the verdict (zab-semantics sections 6 to 8)."""

from zabtrace.fates.judge import judge
from zabtrace.fates.judgement import FATES, VERDICTS, Judgement

__all__ = ["FATES", "VERDICTS", "Judgement", "judge"]
