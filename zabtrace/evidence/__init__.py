"""What each file is, whose it is, and everything it says as one Trace."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from zabtrace.evidence.trace import Trace

__all__ = ["gather", "lines", "output_inside_evidence", "records", "znodes", "znodes_by_snapshot"]

# The readers are imported when evidence is read, so that 'zabtrace --help' need not wait for them.


def gather(
    arguments: Sequence[str],
    before: Sequence[str] = (),
    clients: Sequence[str] = (),
    timezone: Sequence[str] = (),
    log_pattern: str | None = None,
    lines: bool = True,
    fold: Sequence[int] | None = None,
    routine: bool = True,
    pack: bool = False,
) -> Trace:
    """Read all evidence into a Trace; see ``gathering.gather``."""
    from zabtrace.evidence import gathering

    return gathering.gather(arguments, before, clients, timezone, log_pattern, lines, fold, routine, pack)


def znodes(arguments: Sequence[str], before: Sequence[str] = (), timezone: Sequence[str] = ()) -> pl.DataFrame:
    """The znodes of every snapshot in the evidence, as stored; see ``gathering.znodes``."""
    from zabtrace.evidence import gathering

    return gathering.znodes(arguments, before, timezone)


def records(
    arguments: Sequence[str], before: Sequence[str] = (), timezone: Sequence[str] = (), log_pattern: str | None = None
) -> tuple[Trace, Iterator[Trace]]:
    """The servers, and the transaction records of any number of logs, part by part; see ``streams.records``."""
    from zabtrace.evidence import gathering, streams

    head, entries = gathering.stream(arguments, before, timezone, log_pattern)
    return head, streams.records(entries, head)


def lines(
    arguments: Sequence[str], before: Sequence[str] = (), timezone: Sequence[str] = (), log_pattern: str | None = None,
    wanted: Collection[str | None] | None = None,
) -> tuple[Trace, Iterator[Trace]]:  # fmt: skip
    """The servers, and the lines of their logs, part by part; see ``batches.lines``."""
    from zabtrace.evidence import batches

    return batches.lines(arguments, before, timezone, log_pattern, wanted)


def znodes_by_snapshot(
    arguments: Sequence[str], before: Sequence[str] = (), timezone: Sequence[str] = (), log_pattern: str | None = None
) -> tuple[Trace, Iterator[pl.DataFrame]]:
    """The servers, and the znodes of any number of snapshots, one snapshot after the other; see ``streams.znodes``."""
    from zabtrace.evidence import gathering, streams

    head, entries = gathering.stream(arguments, before, timezone, log_pattern)
    return head, streams.znodes(entries)


def output_inside_evidence(output: Path, arguments: Iterable[str]) -> bool:
    """Would writing ``output`` change the evidence: is it a file or lies it in a folder that an argument names?"""
    from zabtrace.evidence import arguments as given

    return given.holds(arguments, output)
