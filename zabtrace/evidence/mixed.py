"""Logs that several servers wrote: each server's records become a log of their own.

Strategy: a wrapper that names the printer (container, pod) tells records apart first, and all records of one printer are of the sid
that they show; without one, a record is of the sid that its thread or its myid field names, never of its neighbours'. Records that
show none stay together as nobody's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from zabtrace.evidence.entry import Entry, one_sid

if TYPE_CHECKING:  # data alone need none of it
    from zabtrace.logs import LogRead

COUNTED = ("understood", "unknown", "foreign")


def parted(entries: Iterable[Entry]) -> list[Entry]:
    """The entries, each log of several servers as one entry per server."""
    return [part for entry in entries for part in (_parts(entry) if entry.log is not None and entry.part is None else [entry])]


def _parts(entry: Entry) -> list[Entry]:
    assert entry.log is not None  # noqa: S101 (asked for by the caller)
    who = owners(entry.log)
    found = list(dict.fromkeys(who.drop_nulls()))
    if len(found) < 2:
        return [entry]
    return [_part(entry, entry.log, name) for name in (*found, *([NOBODY] if who.null_count() else []))]


NOBODY = "nobody"
"""The part of the records that show no server."""


def owners(log: LogRead) -> pl.Series:
    """Per record the server that printed it as text: a sid, or the printer's name where no sid is known; null where nothing tells."""
    speakers = log.speakers
    origins = speakers["origin"].drop_nulls().unique()
    if origins.len() < 2:
        return (
            pl.Series("who", [None], dtype=pl.String).new_from_index(0, speakers.height)
            if one_sid(log.sids) is not None
            else (speakers["sid"].cast(pl.String).alias("who"))
        )
    counted = speakers.drop_nulls().group_by("origin", "sid").len()
    told: dict[str, str] = {}
    for origin in origins:
        sid = one_sid(Counter(dict(counted.filter(pl.col("origin") == origin).select("sid", "len").iter_rows())))
        told[origin] = str(sid) if sid is not None else origin
    return speakers["origin"].replace_strict(told, default=None, return_dtype=pl.String).alias("who")


def _part(entry: Entry, log: LogRead, name: str) -> Entry:
    notes = [*entry.notes, *(["these records do not show whose they are"] if name == NOBODY else [])]
    said = int(name) if name.isdecimal() else None
    return replace(entry, part=name, notes=notes, log=part_of(log, name), said=said)


def part_of(log: LogRead, name: str) -> LogRead:
    """The records of one server; the part that comes first in the log also has the lines of no record."""
    who = owners(log)
    chosen = who.is_null() if name == NOBODY else (who == name).fill_null(False)
    first = name == next(iter(who.drop_nulls()), NOBODY)
    whole, fields = log.held.lines, log.held.fields
    lines = whole.filter(chosen)
    numbers = lines.select("line").unique()
    fields = {kind: frame.join(numbers, on="line", how="semi") for kind, frame in fields.items()}
    summary = _summary(lines)
    if first:
        account = _summary(whole)
        for key in (*COUNTED, "damaged", "lines"):
            summary[key] += log.summary[key] - account[key]
    return replace(
        log, lines=lines, fields={kind: frame for kind, frame in fields.items() if frame.height}, summary=summary,
        damage=log.damage if first else log.damage.clear(), speakers=log.speakers.filter(chosen),
        sids=Counter({int(name): lines.height}) if name.isdecimal() else Counter(), packed=None,
    )  # fmt: skip


def _summary(lines: pl.DataFrame) -> dict[str, Any]:
    """The account of these records alone."""
    from zabtrace.logs import is_foreign_line

    size = pl.col("continued") + 1
    table = lines.select("level", size.alias("size"), known=pl.col("kind").is_not_null(), foreign=is_foreign_line())
    parts = {
        "understood": table.filter(pl.col("known"))["size"].sum(),
        "unknown": table.filter(~pl.col("known") & ~pl.col("foreign"))["size"].sum(),
        "foreign": table.filter(~pl.col("known") & pl.col("foreign"))["size"].sum(),
    }
    levels = (
        table.filter(pl.col("known") | ~pl.col("foreign"))
        .group_by("level")
        .agg(pl.col("size").sum().alias("lines"), pl.col("size").filter("known").sum().alias("understood"))
    )
    rows = levels.sort("level").iter_rows(named=True)
    by_level = {row["level"]: {"lines": row["lines"], "understood": row["understood"]} for row in rows}
    return {"lines": sum(parts.values()), **parts, "damaged": 0, "by_level": by_level}
