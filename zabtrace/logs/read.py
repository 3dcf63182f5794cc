"""Reads one text log: every record a row of LINES, its event's fields beside it, and all of its lines accounted for.

Strategy: blocks of lines are peeled (``wrappers``), cut into records (``records``) and gathered to batches; a batch is matched at once
(``events``). With ``keep=False`` only what is counted outlives a batch: memory does not grow with the file.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from zabtrace import schema
from zabtrace.errors import UsageError
from zabtrace.grammar.layouts import Layout, layouts
from zabtrace.grammar.messages import merged
from zabtrace.logs import account, identity
from zabtrace.logs.events import read_batch
from zabtrace.logs.layout import SAMPLE, find_layout
from zabtrace.logs.records import Batch
from zabtrace.logs.rests import Rests
from zabtrace.logs.text import Block, Oddity, blocks_of_lines
from zabtrace.logs.times import Clock
from zabtrace.logs.wrappers import Peeler, find_wrappers
from zabtrace.source import Source


@dataclass(frozen=True)
class LogRead:
    """One log as tables."""

    lines: pl.DataFrame
    """schema.LINES, every record; ``server`` and ``order`` are null, ``kind`` is null where the grammar does not know it."""
    fields: dict[str, pl.DataFrame]
    """Per kind: ``line`` and the fields of that kind, typed as in schema.FIELDS. Kinds of trace heads may stand here alone."""
    layout: str | None
    """Name of its layout, behind what is wrapped around it (``docker_json > stock``); null where no line matches any."""
    summary: dict[str, Any]
    """Physical lines: lines = understood + unknown + foreign + damaged; by_level: {level: {lines, understood}}, foreign left out."""
    damage: pl.DataFrame
    """schema.DAMAGE."""
    sids: Counter[int]
    """The sids its own words show, with how often."""
    version: str | None
    """The last ZooKeeper version it prints."""
    speakers: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema={"origin": pl.String, "sid": pl.Int64}))
    """Per record whom a wrapper names as its printer, and the sid that the record itself shows; both may be null."""
    zone: str | None = None
    """The zone its stamps were read in, where it tells that itself or was told; null: UTC assumed."""
    remarks: tuple[str, ...] = ()
    """What is odd about it, for the list of sources."""


@dataclass
class _Reading:
    """What is gathered while the blocks go by."""

    batch: Batch
    clock: Clock
    account: account.Account = field(default_factory=account.Account)
    frames: list[pl.DataFrame] = field(default_factory=list)
    fields: dict[str, list[pl.DataFrame]] = field(default_factory=lambda: defaultdict(list))
    sids: Counter[int] = field(default_factory=Counter)
    version: str | None = None
    damaged: list[tuple[int, int]] = field(default_factory=list)
    oddities: list[Oddity] = field(default_factory=list)

    def add(self, block: Block) -> None:
        """Take the block's records."""
        if self.batch.full:
            following = self.batch.cut()
            self.finish()
            self.batch = following
        self.account.lines += int(block.weights.sum())
        self.batch.add(block)
        self.oddities += block.oddities

    def finish(self) -> None:
        """Match what the batch holds."""
        told = read_batch(self.batch)
        self.account.add(told, self.batch.foreign, self.batch.spoiled)
        self.sids += identity.sids(told)
        self.version = identity.version(told) or self.version
        self.damaged += self.batch.damaged
        self.oddities += self.batch.oddities
        self.clock.learn(told, self.batch.gaps)
        if self.batch.keep:
            self.frames.append(told.lines())
            for kind, frame in told.fields().items():
                self.fields[kind].append(frame)


def read_log(
    source: Source, zone: str | None = None, layout: str | None = None, *, pattern: str | None = None, keep: bool = True
) -> LogRead:
    """Read a text log; ``zone`` is the IANA zone of its stamps (default: what the log says of itself, else UTC).

    ``layout`` forces a layout of layouts.lark, ``pattern`` is a conversion pattern of log4j or logback. Without ``keep`` there are
    no lines and no fields. Raises UsageError for an unknown layout or zone, or a wrong pattern. Broken content raises nothing: it is
    counted, and a row of ``damage``.
    """
    clock = Clock(zone)
    if layout is not None and layout not in layouts():
        raise UsageError(f"{layout!r} is no layout. Known are: {', '.join(layouts())}.")
    peeler: Peeler | None = None
    reading = _Reading(Batch(Rests(layouts()[layout] if layout else None), keep), clock)
    for block in blocks_of_lines(source.blocks()):
        if peeler is None:
            sample = block.lines["text"].head(SAMPLE).to_list()
            peeler = Peeler(find_wrappers(sample, pattern))
            reading.batch.rests.wanted = reading.batch.rests.wanted or _wanted(peeler, sample)
        for part in peeler.peel(block):
            reading.add(part)
    for part in peeler.rest() if peeler is not None else ():
        reading.add(part)
    reading.finish()
    return _assembled(source.name, reading, peeler)


def _wanted(peeler: Peeler, sample: list[str]) -> Layout | None:
    return find_layout(peeler.bare(sample))


def _assembled(name: str, reading: _Reading, peeler: Peeler | None) -> LogRead:
    counted, clock = reading.account, reading.clock
    unlaid = [account.NO_LAYOUT] if counted.lines and not counted.layouts else []
    if peeler is not None and peeler.utc:
        clock.utc = True
    lines = clock.placed(pl.concat(reading.frames)) if reading.frames else pl.DataFrame(schema={"line": pl.Int64, **_NO_RECORD})
    return LogRead(
        lines=schema.conform(schema.LINES, lines, source=name),
        fields={kind: merged(frames) for kind, frames in reading.fields.items()},
        layout=_layout(counted.layouts, peeler),
        summary=counted.summary(),
        damage=account.damage(name, reading.oddities + unlaid, reading.damaged),
        sids=reading.sids,
        version=reading.version,
        speakers=lines.select("origin", "sid"),
        zone=clock.told,
        remarks=(*clock.remarks, *_changes(counted.layouts)),
    )


_NO_RECORD = {"origin": pl.String, "sid": pl.Int64}


def _layout(found: Counter[str], peeler: Peeler | None) -> str | None:
    if not found:
        return None
    wrapped = [step.name for step in peeler.steps] if peeler is not None else []
    main = found.most_common(1)[0][0]
    return " > ".join([*wrapped, *([main] if main not in wrapped else [])])


def _changes(found: Counter[str]) -> Iterator[str]:
    if len(found) > 1:
        yield "layouts in it: " + ", ".join(f"{name} ({count} lines)" for name, count in found.most_common())
