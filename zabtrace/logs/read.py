"""Reads one text log: every record a row of LINES, its event's fields beside it, and all of its lines accounted for.

Strategy: blocks of lines are peeled (``wrappers``), cut into records (``records``) and gathered to batches; a batch is matched at once
(``events``). With ``keep=False`` only what is counted outlives a batch: memory does not grow with the file.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np
import polars as pl

from zabtrace import schema
from zabtrace.errors import UsageError
from zabtrace.grammar.kinds import ROUTINE
from zabtrace.grammar.layouts import Layout, layouts
from zabtrace.grammar.messages import messages
from zabtrace.held import Held, Packed, Packing, Plain, merged, turned
from zabtrace.logs import account, identity
from zabtrace.logs.events import copied, read_batch
from zabtrace.logs.layout import SAMPLE, find_layout
from zabtrace.logs.records import Batch
from zabtrace.logs.rests import Rests
from zabtrace.logs.text import Block, Oddity, blocks_of_lines
from zabtrace.logs.times import UNDATED, Clock
from zabtrace.logs.unended import UNENDED, without_torn_number
from zabtrace.logs.wrappers import Peeler, find_wrappers
from zabtrace.source import Source

BLOCK = 4 << 20
"""Bytes read at a time: what is made of them stays in the processor's cache."""
ROOM = 16 << 20
"""Bytes that are taken and given back before a log is read: from then on the C library keeps as many at hand, where every block would
be given back to the system and taken again page by page (glibc's threshold of trimming follows what was freed)."""
SHARE = 2
"""Where lines are packed, blocks and batches are smaller by so much: they are then most of what is in memory."""
ENOUGH = 10
"""Stamps earlier than the one above from which on a log may be printed newest first."""
NEWEST_FIRST = "printed newest first: its lines are numbered from the end"
Thing = TypeVar("Thing")
Span: TypeAlias = tuple[datetime, datetime, datetime]


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
    clock: Clock = field(default_factory=lambda: Clock(None))
    """What is known of its stamps."""
    several: bool = False
    """Do wrappers name several printers?"""
    span: Span | None = None
    """When its records were printed: the first one's time, the lowest and the highest; None where not all stamps have a date."""
    remarks: tuple[str, ...] = ()
    """What is odd about it, for the list of sources."""
    packed: Packed | None = None
    """Its lines and fields, where they were to be packed: then none are in ``lines`` and ``fields``."""

    @property
    def held(self) -> Held:
        """Its lines and fields, packed or not; what is read of a log is asked for here."""
        return self.packed if self.packed is not None else Plain(self.lines, self.fields)

    @property
    def zone(self) -> str | None:
        """The zone its stamps were read in, where it tells that itself or was told; null: UTC assumed."""
        return self.clock.told


@dataclass
class _Reading:
    """What is gathered while the batches go by."""

    clock: Clock
    account: account.Account = field(default_factory=account.Account)
    frames: list[pl.DataFrame] = field(default_factory=list)
    fields: dict[str, list[pl.DataFrame]] = field(default_factory=lambda: defaultdict(list))
    sids: Counter[int] = field(default_factory=Counter)
    version: str | None = None
    damaged: list[tuple[int, int]] = field(default_factory=list)
    oddities: list[Oddity] = field(default_factory=list)
    origins: set[str] = field(default_factory=set)
    spans: list[tuple[int, int, int]] = field(default_factory=list)
    wanted: Collection[str] | None = None
    """Kinds whose records are kept; None: all records."""
    packing: Packing | None = None
    """What is kept of them, where it is packed."""
    undated: bool = False
    later: int = 0
    earlier: int = 0
    """How many stamps are later, and earlier, than the one above."""

    @property
    def newest_first(self) -> bool:
        """Does it stand upside down, as exports of log viewers do? Clocks that restart step back a few times only."""
        return self.earlier >= ENOUGH and self.earlier > 4 * self.later

    def add(self, batch: Batch) -> None:
        """Match what the batch holds."""
        told = read_batch(batch, self.wanted)
        self.account.lines += batch.lines
        self.account.add(told, batch.foreign, batch.spoiled)
        self.sids += identity.sids(told)
        self.version = identity.version(told) or self.version
        self.damaged += batch.damaged
        self.oddities += batch.oddities
        self.origins |= batch.origins
        self.spans += batch.spans
        self.undated |= batch.undated
        self.later, self.earlier = self.later + batch.steps[0], self.earlier + batch.steps[1]
        self.clock.learn(told, batch.gaps)
        if batch.keep:
            told = told if self.wanted is None else told.of_kinds(self.wanted)
            if self.packing is not None:
                self.frames.append(self.packing.add(told.lines(), told.fields()))
                return
            self.frames.append(told.lines())
            for kind, frame in told.fields().items():  # where few are held, their texts must not keep those of all of the batch
                self.fields[kind].append(frame if self.wanted is None else copied(frame))


def read_log(
    source: Source, zone: str | None = None, layout: str | None = None, *, pattern: str | None = None, keep: bool = True,
    routine: bool = True, pack: bool = False,
) -> LogRead:  # fmt: skip
    """Read a text log; ``zone`` is the IANA zone of its stamps (default: what the log says of itself, else UTC).

    ``layout`` forces a layout of layouts.lark, ``pattern`` is a conversion pattern of log4j or logback. Without ``keep`` there are
    no lines and no fields, without ``routine`` none of routine traffic (``kinds.ROUTINE``) and of unknown kinds; with ``pack`` they are
    packed (``LogRead.held``). Raises UsageError for an unknown layout or zone, or a wrong pattern. Broken content raises nothing: it is
    counted, and a row of ``damage``.
    """
    wanted = None if routine or not keep else messages().kinds - ROUTINE
    reading = _Reading(Clock(zone), wanted=wanted, packing=Packing() if pack and keep else None)
    if layout is not None and layout not in layouts():
        raise UsageError(f"{layout!r} is no layout. Known are: {', '.join(layouts())}.")
    batches = Batches(source, layouts()[layout] if layout else None, pattern, keep, SHARE if pack else 1)
    for batch in ahead(iter(batches)):
        reading.add(batch)
        del batch  # the next one is made before this name is given to it
    return _assembled(source.name, reading, batches.peeler, batches.ended or bool(batches.peeler.steps))


class LogPart(NamedTuple):
    """Some records of a log, as in LogRead, and how many others between them were of kinds that are not listed."""

    lines: pl.DataFrame
    fields: dict[str, pl.DataFrame]
    left_out: int


def log_parts(source: Source, log: LogRead, pattern: str | None = None, wanted: Collection[str | None] | None = None) -> Iterator[LogPart]:
    """``lines`` and ``fields`` of a log that was read without them, batch by batch, with what that reading found out.

    Where ``wanted`` names kinds (None among them: records of no known kind), no others are read further than to their kind.
    """
    clock = replace(log.clock)

    def part(batch: Batch) -> LogPart:
        whole = read_batch(batch, None if wanted is None else {kind for kind in wanted if kind is not None})
        told = whole if wanted is None else whole.listing(wanted)
        lines = schema.conform(schema.LINES, clock.placed(told.lines()), source=source.name)
        return LogPart(lines, told.fields(), len(whole.rows.line) - lines.height)

    return map(part, ahead(iter(Batches(source, None, pattern))))  # unlike a loop, it holds no batch while the next one is made


@dataclass
class Batches:
    """The records of a log, as many at a time as are read together."""

    source: Source
    wanted: Layout | None = None
    pattern: str | None = None
    keep: bool = True
    share: int = 1
    """Blocks and batches are of one part in so many of their size."""
    peeler: Peeler = field(default_factory=lambda: Peeler([]))
    ended: bool = True
    """Has the last line that was read a line feed?"""

    def __iter__(self) -> Iterator[Batch]:
        np.empty(ROOM, np.uint8)
        batch = Batch(Rests.of(self.wanted, threads=self.keep), self.keep, self.share)
        for block in self._blocks(batch):
            if batch.full:
                full, batch = [batch], batch.cut()
                yield full.pop()  # and hold it no longer
            batch.add(block)
        yield batch

    def _blocks(self, first: Batch) -> Iterator[Block]:
        """The lines without what is wrapped around them; what that is and the layout are told by the first ones."""
        blocks = self.source.blocks(BLOCK // self.share)
        for number, block in enumerate(blocks_of_lines(ahead(blocks) if self.source.compression else blocks)):
            if not number:
                sample = block.lines["text"].head(SAMPLE).to_list()
                self.peeler = Peeler(find_wrappers(sample, self.pattern))
                first.rests.wanted = first.rests.wanted or find_layout(self.peeler.bare(sample))
            self.ended = block.ended
            yield from self.peeler.peel(block)
        yield from self.peeler.rest()


def ahead(things: Iterator[Thing]) -> Iterator[Thing]:
    """The same, the next one made by another thread while one is at work: unfolding, cutting and matching take as long as each other."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, things, None)
        while (thing := coming.result()) is not None:
            coming = pool.submit(next, things, None)
            held, thing = [thing], None
            yield held.pop()  # and hold it no longer


def _assembled(name: str, reading: _Reading, peeler: Peeler, ended: bool) -> LogRead:
    counted, clock = reading.account, reading.clock
    unlaid = [account.NO_LAYOUT] if counted.lines and not counted.layouts else []
    if peeler.utc:
        clock.utc = True
    lines = clock.placed(pl.concat(reading.frames)) if reading.frames else pl.DataFrame(schema={"line": pl.Int64, **_NO_RECORD})
    fields = {kind: merged(frames) for kind, frames in reading.fields.items()}
    if not ended:
        if reading.packing is not None:
            reading.packing.amend(lines, lambda row, told: without_torn_number(row, told, counted.lines))
        else:
            fields = without_torn_number(lines, fields, counted.lines)
    if reading.newest_first:
        lines, fields = turned(lines, counted.lines), {kind: turned(frame, counted.lines) for kind, frame in fields.items()}
        if reading.packing is not None:
            reading.packing.turn(counted.lines)
        clock.remarks.append(NEWEST_FIRST)
    speakers = lines.select("origin", "sid")
    packed = reading.packing.log(name, lines) if reading.packing is not None and reading.frames else None
    lines = lines if packed is None else lines.clear()
    if reading.undated and not reading.frames and not peeler.steps:  # lines that were only counted; a wrapper's stamps may have a date
        clock.remarks.append(UNDATED)
    return LogRead(
        lines=schema.conform(schema.LINES, lines, source=name),
        fields=fields,
        layout=_layout(counted.layouts, peeler),
        summary=counted.summary(),
        damage=account.damage(name, reading.oddities + unlaid, reading.damaged),
        sids=reading.sids,
        version=reading.version,
        speakers=speakers,
        clock=clock,
        several=len(reading.origins) > 1,
        span=None if reading.undated else _span(reading.spans[::-1] if reading.newest_first else reading.spans, clock),
        remarks=(*clock.remarks, *peeler.remarks, *_changes(counted.layouts), *([] if ended else [UNENDED])),
        packed=None if packed is None else Packed((packed,)),
    )


_NO_RECORD = {"origin": pl.String, "sid": pl.Int64}


def _span(spans: list[tuple[int, int, int]], clock: Clock) -> Span | None:
    if not spans:
        return None
    stamps = pl.DataFrame(
        {"time": [spans[0][0], min(span[1] for span in spans), max(span[2] for span in spans)], "dated": True, "outer": 0}
    )
    times = clock.placed(stamps)["time"].to_list()
    return None if None in times else (times[0], times[1], times[2])


def _layout(found: Counter[str], peeler: Peeler) -> str | None:
    if not found:
        return None
    wrapped = [step.name for step in peeler.steps]
    main = found.most_common(1)[0][0]
    return " > ".join([*wrapped, *([main] if main not in wrapped else [])])


def _changes(found: Counter[str]) -> Iterator[str]:
    if len(found) > 1:
        yield "layouts in it: " + ", ".join(f"{name} ({count} lines)" for name, count in found.most_common())
