"""Reads one text log: every record a row of LINES, its event's fields beside it, and all of its lines accounted for."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from zabtrace import schema
from zabtrace.errors import UsageError
from zabtrace.grammar.layouts import Layout, layouts
from zabtrace.logs import account, identity
from zabtrace.logs.events import events
from zabtrace.logs.layout import SAMPLE, find_layout
from zabtrace.logs.records import CONTINUED, RECORD, finished, split
from zabtrace.logs.text import Block, Oddity, blocks_of_lines
from zabtrace.source import Source


@dataclass(frozen=True)
class LogRead:
    """One log as tables."""

    lines: pl.DataFrame
    """schema.LINES, every record; ``server`` and ``order`` are null, ``kind`` is null where the grammar does not know it."""
    fields: dict[str, pl.DataFrame]
    """Per kind: ``line`` and the fields of that kind, typed as in schema.FIELDS. Kinds of trace heads may stand here alone."""
    layout: str | None
    """Name of its layout, null where no line matches any."""
    summary: dict[str, Any]
    """Physical lines: lines = understood + unknown + foreign + damaged; by_level: {level: {lines, understood}}, foreign left out."""
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
    records: list[pl.DataFrame] = field(default_factory=lambda: [pl.DataFrame(schema=RECORD)])
    continued: list[pl.DataFrame] = field(default_factory=lambda: [pl.DataFrame(schema=CONTINUED)])
    foreign: int = 0
    damaged: list[int] = field(default_factory=list)
    oddities: list[Oddity] = field(default_factory=list)

    def add(self, block: Block) -> None:
        """Take the block's records and remember what its other lines are."""
        if self.layout is None:
            self.layout = find_layout(block.lines["text"].head(SAMPLE).to_list())
        part = split(block.lines, self.layout, self.owner)
        self.count += block.lines.height
        self.owner = part.records["line"][-1] if part.records.height else self.owner
        self.records.append(part.records)
        self.continued.append(part.continued)
        self.foreign += part.foreign
        self.damaged += part.damaged
        self.oddities += block.oddities


def read_log(source: Source, zone: str | None = None, layout: str | None = None) -> LogRead:
    """Read a text log; ``zone`` is the IANA zone of its stamps (default UTC), ``layout`` forces a layout of layouts.lark.

    Raises UsageError for an unknown layout or zone. Broken content raises nothing: it is counted, and a row of ``damage``.
    """
    _check_zone(zone or "UTC")
    if layout is not None and layout not in layouts():
        raise UsageError(f"{layout!r} is no layout. Known are: {', '.join(layouts())}.")
    reading = _Reading(layouts()[layout] if layout else None)
    for block in blocks_of_lines(source.blocks()):
        reading.add(block)
    return _assembled(source.name, reading, zone or "UTC")


def _check_zone(zone: str) -> None:
    try:
        pl.Series([0], dtype=pl.Datetime("ms")).dt.replace_time_zone(zone)
    except pl.exceptions.ComputeError as error:
        raise UsageError(f"{zone!r} is no time zone. Write an IANA name, for example UTC or Europe/Berlin.") from error


def _assembled(name: str, reading: _Reading, zone: str) -> LogRead:
    records, fields = events(finished(pl.concat(reading.records), pl.concat(reading.continued), zone))
    unlaid = [account.NO_LAYOUT] if reading.count and reading.layout is None else []
    return LogRead(
        lines=schema.conform(schema.LINES, records, source=name),
        fields=fields,
        layout=reading.layout.name if reading.layout else None,
        summary=account.summary(records, reading.count, reading.foreign, len(reading.damaged)),
        damage=account.damage(name, reading.oddities + unlaid, reading.damaged),
        sids=identity.sids(records, fields),
        version=identity.version(fields),
    )
