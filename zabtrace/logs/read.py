"""Reads one text log: every record a row of LINES, its event's fields beside it, and all of its lines accounted for."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from zabtrace import schema
from zabtrace.errors import UsageError
from zabtrace.grammar.layouts import Layout, layouts
from zabtrace.grammar.messages import Events, merged, messages
from zabtrace.logs import identity
from zabtrace.logs.layout import SAMPLE, find_layout
from zabtrace.logs.records import Records, finished, split
from zabtrace.logs.text import Block, Oddity, blocks_of_lines
from zabtrace.source import Source

BATCH = 500_000
"""Records that are matched together: enough to make the work per shape cheap, few enough to bound memory."""
AUDIT = "audit"


@dataclass(frozen=True)
class LogRead:
    """One log as tables."""

    lines: pl.DataFrame
    """schema.LINES, every record; ``server`` and ``order`` are null, ``kind`` is null where the grammar does not know it."""
    fields: dict[str, pl.DataFrame]
    """Per kind: ``line`` and the fields of that kind, typed as in schema.FIELDS."""
    layout: str | None
    """Name of its layout, null where no line matches any."""
    summary: dict[str, Any]
    """lines = understood + unknown + foreign + damaged (physical lines), and by_level: {level: {lines, understood}} without foreign records."""
    damage: pl.DataFrame
    """schema.DAMAGE."""
    sids: Counter[int]
    """The sids its own words show, with how often."""
    version: str | None
    """The last ZooKeeper version it prints."""


@dataclass
class _Reading:
    """What is gathered while the blocks go by."""

    layout: Layout | None
    count: int = 0
    owner: int | None = None
    records: list[pl.DataFrame] = field(default_factory=list)
    continued: list[pl.DataFrame] = field(default_factory=list)
    foreign: int = 0
    damaged: list[pl.Series] = field(default_factory=list)
    oddities: list[Oddity] = field(default_factory=list)

    def add(self, block: Block) -> None:
        """Take the block's records and remember what its lines are."""
        if self.layout is None:
            self.layout = find_layout(block.lines["text"].head(SAMPLE).to_list())
        part = split(block.lines, self.layout, self.owner)
        self.count += block.lines.height
        self.owner = part.records["line"][-1] if part.records.height else self.owner
        self._keep(part)
        self.oddities += block.oddities

    def _keep(self, part: Records) -> None:
        self.records.append(part.records)
        self.continued.append(part.continued)
        self.foreign += part.foreign.len()
        self.damaged.append(part.damaged)


def read_log(source: Source, zone: str | None = None, layout: str | None = None) -> LogRead:
    """Read a text log. ``zone`` is the IANA zone of its stamps (default UTC), ``layout`` forces a layout. Raises UsageError for an unknown layout."""
    if layout is not None and layout not in layouts():
        raise UsageError(f"{layout!r} is no layout. Known are: {', '.join(layouts())}.")
    reading = _Reading(layouts()[layout] if layout else None)
    for block in blocks_of_lines(source.blocks()):
        reading.add(block)
    return _assembled(source.name, reading, zone or "UTC")


def _assembled(name: str, reading: _Reading, zone: str) -> LogRead:
    records, events = _events(reading, zone)
    lines = records.with_columns(events.kinds.alias("kind"), pl.lit(name).alias("source"))
    return LogRead(
        lines=schema.conform(schema.LINES, lines),
        fields=events.fields,
        layout=reading.layout.name if reading.layout else None,
        summary=_summary(reading, lines),
        damage=_damage(name, reading),
        sids=identity.sids(records, events.fields),
        version=identity.version(events.fields),
    )


def _events(reading: _Reading, zone: str) -> tuple[pl.DataFrame, Events]:
    """All records with their continuation, and their events, matched batch by batch."""
    records = _joined(finished(pl.concat(reading.records), zone), reading.continued) if reading.records else _joined(_nothing(), [])
    kinds, fields = [], defaultdict(list)
    for start in range(0, records.height, BATCH):
        events = _batch(records.slice(start, BATCH))
        kinds.append(events.kinds)
        for kind, frame in events.fields.items():
            fields[kind].append(frame)
    return records, Events(pl.concat(kinds) if kinds else pl.Series("kind", [], dtype=pl.String), {kind: merged(frames) for kind, frames in fields.items()})


def _nothing() -> pl.DataFrame:
    from zabtrace.logs.records import RECORD

    return finished(pl.DataFrame(schema=RECORD), "UTC")


def _joined(records: pl.DataFrame, continued: list[pl.DataFrame]) -> pl.DataFrame:
    whole = pl.concat(continued) if continued else pl.DataFrame(schema={"owner": pl.Int64, "trace": pl.String, "continued": pl.Int64})
    whole = whole.group_by("owner", maintain_order=True).agg(pl.col("trace").first(), pl.col("continued").sum())
    return records.join(whole, left_on="line", right_on="owner", how="left", maintain_order="left").with_columns(pl.col("continued").fill_null(0))


def _batch(records: pl.DataFrame) -> Events:
    """Events of some records. What another program logged is none; a stack trace may say what its record does not."""
    found = messages().match(records.select("line", "level", "logger", "message"))
    kinds = pl.select(pl.when(records["foreign"]).then(None).otherwise(found.kinds)).to_series()
    return Events(kinds, found.fields)


def _summary(reading: _Reading, lines: pl.DataFrame) -> dict[str, Any]:
    size = pl.col("continued") + 1
    known, foreign = pl.col("kind").is_not_null(), pl.col("foreign")
    counts = lines.select(
        size.filter(known & ~foreign).sum().alias("understood"),
        size.filter(~known & ~foreign).sum().alias("unknown"),
        size.filter(foreign).sum().alias("foreign"),
    ).row(0, named=True)  # fmt: skip
    levels = lines.filter(~foreign).group_by("level").agg(size.sum().alias("lines"), size.filter(known).sum().alias("understood")).sort("level")
    return {
        "lines": reading.count,
        "understood": counts["understood"],
        "unknown": counts["unknown"],
        "foreign": counts["foreign"] + reading.foreign,
        "damaged": sum(part.len() for part in reading.damaged),
        "by_level": {level: {"lines": total, "understood": understood} for level, total, understood in levels.iter_rows()},
    }


def _damage(name: str, reading: _Reading) -> pl.DataFrame:
    rows = [{"source": name, "line": odd.line, "reason": odd.reason, "harm": odd.harm, "next_step": odd.next_step} for odd in reading.oddities]
    damaged = [line for part in reading.damaged for line in part]
    for first, last in _runs(damaged):
        where = f"lines {first} to {last} hold" if last > first else "the line holds"
        reason = f"{where} bytes that are no text, or the rear part of a record whose beginning is gone"
        rows.append({"source": name, "line": first, "reason": reason, "harm": "data", "next_step": "no event was taken from there; look for another copy of the log"})
    if reading.count and reading.layout is None:
        rows.append({"source": name, "line": 1, "reason": "no line has a layout of a ZooKeeper log", "harm": "none", "next_step": "name its layout with --log-pattern, if it is a log"})
    return schema.frame(schema.DAMAGE, rows)


def _runs(numbers: list[int]) -> list[tuple[int, int]]:
    """Ascending numbers as runs of consecutive ones."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs
