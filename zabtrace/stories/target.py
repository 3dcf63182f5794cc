"""Which writes are meant: a path, a zxid or a session, as an operator names it.

Strategy: a number is looked up among zxids and among sessions, both are 64 bits. Members of a multi and the ephemeral znodes that
a closing session takes along are writes of their paths too.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from zabtrace import zxid
from zabtrace.errors import UsageError
from zabtrace.fates.judgement import Judgement
from zabtrace.replay.history import History

SEQUENCE = r"\d{10}$"
"""What a server appends to the name of a sequential znode (PrepRequestProcessor: "%010d")."""
NEAR = 3
MOST_COMPARED = 5000
"""So many neighbours are compared letter by letter: that is slow."""


@dataclass(frozen=True)
class Target:
    """What was asked for, and the judged writes (schema.WRITES), ranges and client operations (schema.CLIENT_OPS) that it means."""

    asked: str
    kind: str
    """path, zxid or session"""
    number: int | None
    writes: pl.DataFrame
    ranges: pl.DataFrame
    ops: pl.DataFrame

    @property
    def zxids(self) -> pl.Series:
        """The distinct zxids, ascending."""
        return self.writes.get_column("zxid").unique().sort()

    @property
    def found(self) -> bool:
        """Does anything that was read name it?"""
        return bool(self.writes.height or self.ops.height or self.ranges.height)

    @property
    def named(self) -> str:
        """What it is, for sentences."""
        return self.asked if self.kind == "path" else f"{'Session' if self.kind == 'session' else 'Zxid'} {zxid.text(self.number or 0)}"


def find(history: History, judgement: Judgement, asked: str, at: datetime | None = None) -> Target:
    """What ``asked`` means. Raises UsageError where it is no path and no number, or where ``at`` does not go with it."""
    asked = asked.strip()
    target = _of_path(history, judgement, asked) if asked.startswith("/") else _of_number(history, judgement, asked)
    if at is None:
        return target
    if target.kind == "zxid":
        raise UsageError("--at chooses among the writes of a path or session; a zxid names one write already.")
    return _around(target, at)


def _of_path(history: History, judgement: Judgement, path: str) -> Target:
    trace = history.trace
    members = trace.ops.filter(pl.col("path") == path).select("zxid")
    taken = trace.txns.filter(pl.col("paths").list.contains(path)).select("zxid")
    also = pl.concat([members, taken]).unique().get_column("zxid").to_list()
    writes = judgement.writes.filter((pl.col("path") == path) | pl.col("zxid").is_in(also))
    ops = trace.client_ops.filter((pl.col("path") == path) | pl.col("zxid").is_in(writes.get_column("zxid").to_list()))
    return Target(path, "path", None, writes, judgement.ranges.clear(), ops)


def _of_number(history: History, judgement: Judgement, asked: str) -> Target:
    try:
        number = zxid.parse(asked)
    except UsageError as error:
        means = "Write /path, 0x100000016, 1/0x16 or 0x100000d8c2b0000."
        raise UsageError(f"--write: {asked!r} is no path, zxid or session. {means}") from error
    target = of_zxid(history, judgement, number)
    return target if target.found else _of_session(history, judgement, number) or target


def of_zxid(history: History, judgement: Judgement, number: int) -> Target:
    """What is known of one zxid."""
    writes = judgement.writes.filter(pl.col("zxid") == number)
    reach = (pl.col("from") <= number) & (pl.col("to").fill_null(number) >= number) & (zxid.epoch_of("from") == zxid.epoch(number))
    return Target(zxid.text(number), "zxid", number, writes, judgement.ranges.filter(reach), _asked_for(history, judgement, number))


def _of_session(history: History, judgement: Judgement, number: int) -> Target | None:
    writes = judgement.writes.filter(pl.col("session") == number)
    ops = history.trace.client_ops.filter(pl.col("session") == number)
    return Target(zxid.text(number), "session", number, writes, judgement.ranges.clear(), ops) if writes.height or ops.height else None


def _asked_for(history: History, judgement: Judgement, number: int) -> pl.DataFrame:
    """The client operations that became this write or were answered with its zxid, and the reads that saw it."""
    matched = judgement.clients.filter(pl.col("zxid") == number).select("source", "line")
    ops = history.trace.client_ops.with_row_index()
    answered = ops.filter((pl.col("zxid") == number) | (pl.col("mzxid") == number) | (pl.col("czxid") == number))
    return pl.concat([answered, ops.join(matched, on=["source", "line"], how="semi")]).unique("index").sort("index").drop("index")


def _around(target: Target, at: datetime) -> Target:
    """The last write not later than ``at`` and the first one after it, by the clock of the leaders that made them."""
    timed = target.writes.filter(pl.col("time").is_not_null()).sort("zxid")
    near = pl.concat([timed.filter(pl.col("time") <= at).tail(1), timed.filter(pl.col("time") > at).head(1)])
    zxids = near.get_column("zxid").to_list()
    begun, ended = pl.col("start").fill_null(at) <= at, pl.col("end").fill_null(at) >= at
    ops = target.ops.filter(pl.col("zxid").is_in(zxids) | (begun & ended))
    return Target(target.asked, target.kind, target.number, near, target.ranges, ops)


def unknown(history: History, judgement: Judgement, target: Target) -> str:
    """Why nothing can be told: what was looked through, what is named alike, and what that proves."""
    trace = history.trace
    records = trace.txns.height + int(trace.folds.get_column("skipped").sum())
    writes = trace.stands_for(judgement.writes)
    through = f"{records} records, {writes} judged writes and {trace.client_ops.height} client operations"
    message = f"{target.named}: nothing that was read names it ({through})."
    near = _near(judgement, target.asked) if target.kind == "path" else []
    alike = f" Alike: {', '.join(near)}." if near else ""
    return f"{message}{alike} That alone does not prove that it never existed: purged logs and servers that were not read may have held it."


def _near(judgement: Judgement, path: str) -> list[str]:
    """Paths that an operator may have meant: numbered ones first, then longer ones, then those spelled alike."""
    paths = judgement.writes.get_column("path").drop_nulls().unique()
    longer = paths.filter(paths.str.starts_with(path)).sort()
    numbered = longer.filter(longer.str.slice(len(path)).str.contains(f"^{SEQUENCE}"))
    beside = paths.filter(paths.str.starts_with(path.rpartition("/")[0] + "/")).sort().head(MOST_COMPARED)
    alike = difflib.get_close_matches(path, beside.to_list(), n=NEAR)
    return list(dict.fromkeys([*numbered.head(NEAR), *longer.head(NEAR), *alike]))[:NEAR]
