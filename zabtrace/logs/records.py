"""Physical lines to records: a line with a stamp that a layout reads begins one, the lines behind it belong to it.

Strategy: what is gathered per line are numbers only (place, time, number of its distinct text), so that a batch of millions of
records stays small; texts are read once per distinct one. A batch ends when its distinct texts become too many to hold. Where
records are only counted, those of a block are forgotten with the next one, but for the last, which may go on.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from zabtrace.logs.counts import Counts
from zabtrace.logs.distinct import Codes
from zabtrace.logs.others import CONTINUATION, DAMAGED, EMBEDDED, RAW, SPLICED, Others
from zabtrace.logs.rests import Rests
from zabtrace.logs.stamps import NO_TIME, Stamped, stamped
from zabtrace.logs.text import SAID, Block, Oddity, Places

TEXTS = 8 << 20
"""Bytes of distinct texts that one batch holds."""
ROWS = 200_000
"""Records of one batch."""
NO_TRACE = np.iinfo(np.uint32).max


@dataclass(frozen=True)
class Part:
    """The records of one block, row by row: numbers of their line, rest and trace, physical lines, and what a wrapper says."""

    line: Places
    time: Places
    code: Codes
    size: Places
    trace: Codes
    dated: npt.NDArray[np.bool_]
    origin: pl.Series | None = None
    outer: Places | None = None


@dataclass
class Batch:
    """Records that are read together."""

    rests: Rests
    keep: bool = True
    share: int = 1
    """It holds one part in so many of the TEXTS that a batch may hold."""
    others: Others = field(default_factory=Others)
    parts: list[Part] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)
    """Of the records that are no longer in ``parts``."""
    gaps: list[float] = field(default_factory=list)
    """By how much the stamps of a wrapper differ from the records', one figure per block, in ms."""
    spans: list[tuple[int, int, int]] = field(default_factory=list)
    """Of each block the first, the lowest and the highest stamp, as printed; empty where one has no date."""
    steps: tuple[int, int] = (0, 0)
    """How many stamps are later than the one above, and how many earlier."""
    undated: bool = False
    origins: set[str] = field(default_factory=set)
    """Whom a wrapper names as printers."""
    lines: int = 0
    """Physical lines."""
    rows: int = 0
    foreign: int = 0
    damaged: list[tuple[int, int]] = field(default_factory=list)
    """Runs of damaged lines: first and last."""
    spoiled: int = 0
    """How many lines they are."""
    oddities: list[Oddity] = field(default_factory=list)
    _last_rest: str = ""

    @property
    def full(self) -> bool:
        """Does it hold as much as one batch should?"""
        return self.rows > ROWS or (self.rests.bytes + self.others.bytes) * self.share > TEXTS

    def add(self, block: Block) -> None:
        """Take the records of a block; its first lines may continue the last record of the one before."""
        found = self._stamped(block)
        codes, valid = self.rests.add(replace(block, starts=found.rests, ends=block.ends[found.rows]))
        valid &= block.weights[found.rows] > 0  # what a wrapper holds in one line is one record
        begins = np.zeros(block.height, np.bool_)
        begins[found.rows[valid]] = True
        rows = np.flatnonzero(~begins)
        lines, classes = self.others.of_rows(block, rows)
        spliced = np.concatenate([rows[classes == SPLICED], found.rows[valid][self.rests.spliced(codes[valid])]])
        if len(spliced) and (moved := self._resynchronised(block, np.sort(spliced))) is not None:
            self.add(moved)
            return
        self._take(block, found, codes, valid)
        self.lines += int(block.weights.sum())
        self.oddities += block.oddities
        self.origins.update(block.origins.drop_nulls().unique() if block.origins is not None else ())
        self._continue(block, rows, lines, np.where(classes == SPLICED, DAMAGED, classes), found.rows[valid])
        if not self.keep:
            self.count(but=1)  # which may go on

    def _stamped(self, block: Block) -> Stamped:
        wanted = self.rests.wanted
        if wanted is None or wanted.stamped:
            return stamped(block)
        rows = np.arange(block.height)
        return Stamped(rows, np.full(block.height, NO_TIME), block.starts, np.ones(block.height, np.bool_))

    def _resynchronised(self, block: Block, rows: Places) -> Block | None:
        """Move the beginning of these lines to the whole head that stands within them; None where none does."""
        begin = np.minimum(block.starts[rows] + 1, block.ends[rows])
        at = block.text(begin, block.ends[rows]).str.find(EMBEDDED)
        inside = at.is_not_null().to_numpy()
        if not inside.any():
            return None
        starts = block.starts.copy()
        starts[rows[inside]] = begin[inside] + at.drop_nulls().to_numpy().astype(np.int64)
        reason = "the line begins with something else, cut off by the record that was read: did two processes write into one file?"
        room = max(0, SAID - len(self.oddities))
        self.oddities.extend(
            Oddity(int(line), reason, "none", "look for another copy of the log") for line in block.numbers[rows[inside]][:room]
        )
        return replace(block, starts=starts)

    def _take(self, block: Block, found: Stamped, codes: Codes, valid: npt.NDArray[np.bool_]) -> None:
        rows = found.rows[valid]
        if not len(rows):
            return
        origin = block.origins.gather(rows) if block.origins is not None else None
        outer = block.outer[rows] if block.outer is not None else None
        trace = np.full(len(rows), NO_TRACE, np.uint32)
        part = Part(block.numbers[rows], found.times[valid], codes[valid], block.weights[rows], trace, found.dated[valid], origin, outer)
        self._note_times(part)
        self.parts.append(part)
        self.rows += len(rows) if self.keep else 0
        at = np.flatnonzero(valid)[-1:]
        self._last_rest = block.text(found.rests[at], block.ends[found.rows[at]])[0]

    def _note_times(self, part: Part) -> None:
        """Note when the records were printed, and how far a wrapper's stamps are from theirs."""
        self.undated |= not part.dated.all()
        if len(times := part.time[part.time != NO_TIME]):
            self.spans.append((int(times[0]), int(times.min()), int(times.max())))
            change = np.diff(times)
            self.steps = self.steps[0] + int((change > 0).sum()), self.steps[1] + int((change < 0).sum())
        if part.outer is not None:
            both = (part.outer > 0) & (part.time != NO_TIME) & part.dated
            if both.any():
                self.gaps.append(float(np.median(part.outer[both] - part.time[both])))

    def count(self, but: int = 0) -> None:
        """Count the records at hand and forget them, but for the last so many parts."""
        done, self.parts = self.parts[: len(self.parts) - but], self.parts[len(self.parts) - but :]
        for part in done:
            self.counts.add(part.code, part.size, self.rests.texts.count)

    def _continue(self, block: Block, rows: Places, codes: Codes, classes: npt.NDArray[np.uint8], records: Places) -> None:
        """Give the lines that begin no record to the records above them, and count the others."""
        weights = block.weights[rows]
        continued = classes == CONTINUATION
        for printer in _printers(block):
            mine = continued if printer is None else continued & printer[rows]
            if mine.any():
                self._own(rows[mine], codes[mine], weights[mine], records, printer)
        self.foreign += int(weights[classes == RAW].sum())
        damaged = classes == DAMAGED
        self.spoiled += int(weights[damaged].sum())
        self.damaged += runs(block.numbers[rows[damaged]])

    def _own(self, rows: Places, codes: Codes, weights: Places, records: Places, printer: npt.NDArray[np.bool_] | None) -> None:
        """Lines of one printer to its records, of this block or of the one before."""
        places = np.arange(len(records)) if printer is None else np.flatnonzero(printer[records])
        owner = np.searchsorted(records[places], rows) - 1
        inner = owner >= 0
        if inner.any():
            _attach(self.parts[-1], places[owner[inner]], codes[inner], weights[inner])
        outer = ~inner
        above = self.parts[: len(self.parts) - bool(len(records))]
        if outer.any() and above:
            last = np.full(int(outer.sum()), len(above[-1].line) - 1)
            _attach(above[-1], last, codes[outer], weights[outer])
        elif outer.any():
            self.foreign += int(weights[outer].sum())

    def cut(self) -> Batch:
        """A new batch, begun with the last record, which may go on; it leaves this one."""
        new = Batch(Rests.of(self.rests.wanted, threads=self.keep), self.keep, self.share)
        if not self.parts:
            return new
        part = self.parts[-1]
        code, _ = new.rests.add_texts(pl.Series([self._last_rest]))
        held = rows_of(part, slice(-1, None))
        trace = held.trace
        if trace[0] != NO_TRACE:
            trace = new.others.add(pl.Series([self.others.all()[int(trace[0])]]))[0].copy()
        new.parts.append(replace(held, code=code, trace=trace))
        new.rows, new._last_rest = 1, self._last_rest
        self.parts[-1] = rows_of(part, slice(None, -1))
        return new


def _printers(block: Block) -> list[npt.NDArray[np.bool_] | None]:
    """Whose lines go on only with their own: per printer that a wrapper names, which lines are its; one for all without names."""
    names = block.origins.unique(maintain_order=True) if block.origins is not None else None
    if block.origins is None or names is None or names.len() < 2:
        return [None]
    return [block.origins.eq_missing(pl.Series([name], dtype=pl.String)).to_numpy() for name in names]


def rows_of(part: Part, chosen: slice | npt.NDArray[np.bool_]) -> Part:
    """Some rows of a part."""
    kept: dict[str, Any] = {
        name: None if (column := getattr(part, name)) is None else _chosen(column, chosen) for name in Part.__dataclass_fields__
    }
    return Part(**kept)


def _chosen(column: Any, chosen: slice | npt.NDArray[np.bool_]) -> Any:
    return column.filter(pl.Series(chosen)) if isinstance(column, pl.Series) and not isinstance(chosen, slice) else column[chosen]


def _attach(part: Part, owners: Places, codes: Codes, weights: Places) -> None:
    """Add lines to the records that own them; the first one is the record's trace. ``owners`` ascend."""
    first = np.flatnonzero(np.diff(owners, prepend=-1))
    distinct = owners[first]
    part.size[distinct] += np.add.reduceat(weights, first)
    free = part.trace[distinct] == NO_TRACE
    part.trace[distinct[free]] = codes[first[free]]


def runs(numbers: Places) -> list[tuple[int, int]]:
    """Ascending numbers as runs of consecutive ones.

    >>> runs(np.array([1, 2, 3, 7]))
    [(1, 3), (7, 7)]
    """
    if not len(numbers):
        return []
    gaps = np.flatnonzero(np.diff(numbers) > 1)
    first, last = numbers[np.append(0, gaps + 1)], numbers[np.append(gaps, len(numbers) - 1)]
    return list(zip(first.tolist(), last.tolist(), strict=True))
