"""What is shown: ``--server``, ``--from`` and ``--to`` choose rows, never what is judged.

Strategy: a bound is a time or a zxid (an epoch is the zxids it spans); ``PAIRS`` names the columns in which a table's rows
begin and end. A row that a bound cannot place (a null there) is shown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from zabtrace import wording, zxid
from zabtrace.errors import UsageError

TIMES = (("time", "time"), ("start", "end"), ("established", "ended"))
ZXIDS = (("zxid", "zxid"), ("first_zxid", "last_zxid"), ("from", "to"), ("learner_zxid", "to_zxid"))
LAST = 0x7FFFFFFF_FFFFFFFF


@dataclass(frozen=True)
class Point:
    """A point in a history: a time, or the zxids ``low`` to ``high`` (one zxid, or all of an epoch)."""

    time: datetime | None = None
    low: int = 0
    high: int = 0


def point(text: str) -> Point:
    """What an operator wrote: a time (ISO 8601, UTC without a zone), a zxid, or an epoch (``e5``). Raises UsageError."""
    text = text.strip()
    if match := re.fullmatch(r"[eE](\d{1,10})", text):
        return Point(low=zxid.make(int(match[1]), 0), high=zxid.make(int(match[1]), zxid.COUNTER_MASK))
    if re.match(r"\d{4}-\d", text):
        return Point(time=_time(text))
    try:
        number = zxid.parse(text)
    except UsageError as error:
        raise UsageError(f"{text!r} is no time, zxid or epoch. Write 2026-11-21T00:09:54Z, 0x100000016, 1/0x16 or e5.") from error
    return Point(low=number, high=number)


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is no time. Write it as 2026-11-21T00:09:54Z or 2026-11-21T01:09:54+01:00.") from error
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)


def first_zxid_from(at: Point, txns: pl.DataFrame) -> int:
    """The zxid from which ``--since`` judges: of a time, the lowest zxid whose record is not older. Raises UsageError."""
    if at.time is None:
        return at.low
    found = txns.filter(pl.col("time") >= at.time)["zxid"].min()
    if not isinstance(found, int):
        when = wording.moment(at.time)
        raise UsageError(f"No transaction was recorded at or after {when}. Give --since an earlier time, a zxid or an epoch.")
    return found


@dataclass(frozen=True)
class Window:
    """Which rows are shown. Empty: all."""

    servers: frozenset[int] = frozenset()
    low: Point | None = None
    high: Point | None = None

    def narrow(self, df: pl.DataFrame) -> pl.DataFrame:
        """The rows of ``df`` that lie in the window. Raises UsageError where the table has nothing to compare a bound with."""
        kept = [self._of_servers(df)] if self.servers else []
        kept += [_from(df, self.low)] if self.low else []
        kept += [_to(df, self.high)] if self.high else []
        return df.filter(pl.all_horizontal(kept)) if kept else df

    def _of_servers(self, df: pl.DataFrame) -> pl.Expr:
        wanted = list(self.servers)
        named = [name for name in df.columns if name in wording.SERVERS]
        if not named:
            raise UsageError("These rows belong to no server: leave out --server.")
        lists = {name for name in named if isinstance(df.schema[name], pl.List)}
        return pl.any_horizontal(_among(name, wanted, name in lists).fill_null(False) for name in named)


def _among(name: str, wanted: list[int], many: bool) -> pl.Expr:
    return pl.col(name).list.eval(pl.element().is_in(wanted)).list.any() if many else pl.col(name).is_in(wanted)


def _pair(df: pl.DataFrame, pairs: tuple[tuple[str, str], ...]) -> tuple[str, str] | None:
    return next(((a, b) for a, b in pairs if a in df.columns and b in df.columns), None)


def _from(df: pl.DataFrame, bound: Point) -> pl.Expr:
    if bound.time is not None:
        return (pl.col(_timed(df)[1]) >= bound.time).fill_null(True)
    if pair := _pair(df, ZXIDS):
        return pl.any_horizontal(pl.col(name) >= bound.low for name in pair).fill_null(True)
    return (pl.col(_epoch(df)) >= zxid.epoch(bound.low)).fill_null(True)


def _to(df: pl.DataFrame, bound: Point) -> pl.Expr:
    if bound.time is not None:
        return (pl.col(_timed(df)[0]) <= bound.time).fill_null(True)
    if pair := _pair(df, ZXIDS):
        return pl.any_horizontal(pl.col(name) <= bound.high for name in pair).fill_null(True)
    return (pl.col(_epoch(df)) <= zxid.epoch(bound.high)).fill_null(True)


def _timed(df: pl.DataFrame) -> tuple[str, str]:
    pair = _pair(df, TIMES)
    if pair is None:
        raise UsageError("These rows have no time: give --from and --to a zxid or an epoch.")
    return pair


def _epoch(df: pl.DataFrame) -> str:
    if "epoch" not in df.columns:
        raise UsageError("These rows have neither zxid nor epoch: give --from and --to a time.")
    return "epoch"


def sids(written: tuple[str, ...], servers: pl.DataFrame, option: str = "--server") -> frozenset[int]:
    """The numbers of the servers that ``option`` names, by sid or label. Raises UsageError where the evidence has none such."""
    known = {str(name): server for server, label in servers.select("server", "label").iter_rows() for name in (server, label)}
    for name in written:
        if name not in known:
            have = ", ".join(sorted(servers["label"].drop_nulls())) or "none"
            raise UsageError(f"{option}: the evidence has no server {name!r}. It has: {have}.")
    return frozenset(known[name] for name in written)
