"""The Case: what the labels, the sentences and the verdict are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import polars as pl

from zabtrace.fates.committed import Proof, answers, proofs
from zabtrace.fates.cuts import Cut, cuts, established
from zabtrace.fates.matching import Matches, matches
from zabtrace.fates.never import End, Readings, ends
from zabtrace.fates.outlook import Outlook, outlook
from zabtrace.replay.disks import chains
from zabtrace.replay.history import History
from zabtrace.replay.learned import learned
from zabtrace.zxid import counter, epoch_of


@dataclass(frozen=True)
class Case:
    """Everything that the labels, the sentences and the verdict are made from."""

    history: History
    chains: pl.DataFrame
    newest: pl.DataFrame
    """server, copy of every newest copy; both copies of a server whose order is not proved."""
    epochs: tuple[int, ...]
    cuts: Mapping[int, Cut]
    proofs: tuple[Proof, ...]
    ends: tuple[End, ...]
    read: Readings
    outlook: Outlook
    matches: Matches
    complete: bool
    """No committed write can be unseen: it is on a disk that was read, and no record is missing between those that were."""

    @property
    def answered(self) -> pl.DataFrame:
        """Answered writes whose zxid the client does not tell, but the one record that fits: only where no other can be unseen."""
        return self.matches.answered() if self.complete else self.matches.answered().clear()


def build_case(history: History, since: int | None = None) -> Case:
    """Work out cuts, proofs and epoch ends."""
    chain = chains(history.trace, *learned(history))
    read = Readings(history, chain)
    epochs = established(history)
    cut = cuts(history, chain, epochs)
    newest = history.disks.filter((pl.col("copy") == 0) | pl.col("server").is_in(list(history.trace.unordered))).select("server", "copy")
    foreseen = outlook(history, newest)
    case = Case(
        history,
        chain,
        newest,
        tuple(epochs),
        cut,
        tuple(proofs(history, chain)),
        tuple(ends(read, epochs, since)),
        read,
        foreseen,
        matches(history.trace),
        foreseen.complete and _contiguous(chain, history.trace.folded) and (bool(epochs) or history.alone),
    )
    return replace(case, proofs=(*answers(case.answered), *case.proofs))


def _contiguous(chains: pl.DataFrame, folded: pl.DataFrame) -> bool:
    """Do the records of all logs together, from the first one known, have every counter of every epoch? ``folded``: Trace.folded."""
    counters = (
        chains.select("zxid")
        .unique()
        .join(folded.select("zxid", "skipped"), on="zxid", how="left")
        .group_by(epoch_of("zxid").alias("epoch"))
        .agg(top=pl.col("zxid").max(), low=pl.col("zxid").min(), n=pl.len() + pl.col("skipped").sum())
        .sort("epoch")
    )
    rows = list(counters.iter_rows(named=True))
    return bool(rows) and all(r["top"] - r["low"] + 1 == r["n"] for r in rows) and all(counter(r["low"]) == 1 for r in rows[1:])
