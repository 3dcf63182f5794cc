"""What a question needs of a long history: the records of a path, a session or a zxid, and those around a moment.

Strategy: sessions and zxids stand in the outlines; a path is looked for in the bytes of the logs, as jute writes it, with its length before
it, wherever in a record it stands (members of multis and the ephemeral znodes of a closed session too). What else has the same bytes
stays as well, which only costs a few records.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import numpy as np
import polars as pl

from zabtrace import zxid
from zabtrace.errors import UsageError
from zabtrace.evidence.long import AROUND, Log, Long
from zabtrace.evidence.trace import Trace
from zabtrace.records.columns import Ints


def telling(trace: Trace, asked: str) -> Trace:
    """``trace`` with every record of what ``--write`` names: a path, a zxid or a session."""
    if trace.long is None:
        return trace
    found = list(_of_path(trace.long, asked) if asked.startswith("/") else _of_number(trace.long, asked))
    near = np.unique(np.concatenate([zxids + step for zxids in found for step in AROUND])) if found else np.empty(0, np.int64)
    return replace(trace.long, named=np.union1d(trace.long.named, near)).unfolded(trace, ())


def _of_path(long: Long, path: str) -> Iterator[Ints]:
    text = path.encode("utf-8", "surrogatepass")
    pattern = re.compile(re.escape(struct.pack(">i", len(text)) + text), re.DOTALL)
    for log in long.logs:
        at = np.array([match.start() for match in pattern.finditer(log.source.buffer())], dtype=np.int64)
        if at.size:
            yield from _holding(log, at)


def _holding(log: Log, at: Ints) -> Iterator[Ints]:
    """zxids of the records of a log in which these offsets lie."""
    for stretch in (stretch for stretch in log.outline.stretches if stretch.columns.size):
        row = np.searchsorted(stretch.offset, at, "right") - 1
        inside = (row >= 0) & (at < stretch.offset[-1] + int(stretch.columns.length[-1]) + len(struct.pack(">qi", 0, 0)))
        yield stretch.columns.zxid[np.unique(row[inside])]


def _of_number(long: Long, asked: str) -> Iterator[Ints]:
    try:
        number = zxid.parse(asked)
    except UsageError:
        return  # said where the story is told
    yield np.array([number], dtype=np.int64)
    for columns in (stretch.columns for log in long.logs for stretch in log.outline.stretches):
        yield columns.zxid[columns.session == number]


def around(trace: Trace, moment: datetime) -> Trace:
    """``trace`` with the records among which the first one not before ``moment`` is, by the leaders' clocks.

    Opened is what was left out between two records of which the one is older and the other is not, or whose times are not in order.
    """
    if trace.long is None:
        return trace
    timed = trace.txns.select("zxid", "time").unique(subset=["zxid"], keep="first")
    ends = trace.folded.select(last="zxid", first=pl.col("zxid") - pl.col("skipped") - 1)
    ends = ends.join(timed, left_on="first", right_on="zxid").join(timed, left_on="last", right_on="zxid", suffix="_last")
    astride = (pl.col("time") < moment) & (pl.col("time_last") >= moment)
    chosen = ends.filter(astride | (pl.col("time_last") < pl.col("time"))).select("first", "last").sort("first")
    return trace.long.unfolded(trace, list(chosen.iter_rows())) if chosen.height else trace
