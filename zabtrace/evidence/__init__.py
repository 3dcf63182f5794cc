"""What each file is, whose it is, and everything it says as one Trace."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from zabtrace.evidence.trace import Trace

__all__ = ["gather", "output_inside_evidence", "znodes"]

# The readers are imported when evidence is read, so that 'zabtrace --help' need not wait for them.


def gather(
    arguments: Sequence[str], before: Sequence[str] = (), clients: Sequence[str] = (), timezone: Sequence[str] = ()
) -> Trace:
    """Read all evidence into a Trace; see ``gathering.gather``."""
    from zabtrace.evidence import gathering

    return gathering.gather(arguments, before, clients, timezone)


def znodes(arguments: Sequence[str], before: Sequence[str] = ()) -> pl.DataFrame:
    """The znodes of every snapshot in the evidence, as stored; see ``gathering.znodes``."""
    from zabtrace.evidence import gathering

    return gathering.znodes(arguments, before)


def output_inside_evidence(output: Path, arguments: Iterable[str]) -> bool:
    """Would writing ``output`` change the evidence: is it a file or lies it in a folder that an argument names?"""
    from zabtrace.evidence import arguments as given

    return given.holds(arguments, output)
