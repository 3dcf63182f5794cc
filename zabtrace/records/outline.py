"""Outlines: of each record of a transaction log only what tells it apart, and where it lies; logs that repeat each other share theirs.

Strategy: the servers of an ensemble log the same bytes, cut into files at other places. Where a log goes on with bytes that stand in
one that was read before, byte for byte, its records are known without being decoded: their outline is a view of the other's, moved
by so many bytes. What is not found there is walked and decoded as ever (``txnlog``). Only records that are nowhere odd are shared.
"""

from __future__ import annotations

import mmap
import threading
from bisect import bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import polars as pl

from zabtrace.records.columns import Flags, Ints
from zabtrace.records.frames import FILE_HEADER, RECORD_AROUND, TXN_HEADER
from zabtrace.records.txnlog import Part, TxnLog, let_go
from zabtrace.records.walk import ZXID_AT
from zabtrace.source import Source

COMPARED = 1 << 20
"""Bytes compared at a time."""
LEAST = 64
"""Fewer records in a row are not worth looking up."""
TRIES = 8
"""Logs that hold the zxid asked for, with other records behind it, that are compared at most."""


@dataclass(frozen=True)
class Columns:
    """Records one behind the other in a file, as arrays of one length."""

    zxid: Ints
    offset: Ints
    length: npt.NDArray[np.int32]
    """Bytes of the payload."""
    payload_hash: npt.NDArray[np.uint64]
    session: Ints
    type: npt.NDArray[np.int32]
    sound: Flags
    """The checksum holds."""

    def __getitem__(self, rows: slice) -> Columns:
        return Columns(*(getattr(self, column.name)[rows] for column in fields(self)))

    @property
    def size(self) -> int:
        """How many records."""
        return int(self.zxid.size)


@dataclass(frozen=True)
class Stretch:
    """Records of one log: the columns, perhaps of another log that holds the same bytes ``shift`` bytes further back."""

    columns: Columns
    shift: int = 0

    @property
    def offset(self) -> Ints:
        """Where each record begins in this log."""
        return self.columns.offset + self.shift if self.shift else self.columns.offset


@dataclass(frozen=True)
class Outline:
    """A transaction log: its records in file order, and TXN_FILES (one row) and DAMAGE as ``TxnLogRead`` has them."""

    stretches: tuple[Stretch, ...]
    file: pl.DataFrame
    damage: pl.DataFrame


@dataclass(order=True)
class _Known:
    """Records of consecutive zxids, directly one behind the other, in a log that stays mapped."""

    first: int
    last: int
    order: int
    data: memoryview = field(compare=False)
    columns: Columns = field(compare=False)


@dataclass
class Library:
    """What has been decoded so far, to be found by zxid. Threads may share it."""

    known: list[_Known] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, data: memoryview, columns: Columns, odd: bool) -> None:
        """Keep records for other logs, if nothing about them is odd and their file is mapped: else it would stay in memory."""
        if odd or not isinstance(data.obj, mmap.mmap) or not columns.sound.all():
            return
        follows = (np.diff(columns.zxid) == 1) & (np.diff(columns.offset) == columns.length[:-1].astype(np.int64) + RECORD_AROUND)
        edges = [0, *(np.flatnonzero(~follows) + 1).tolist(), columns.size]
        with self.lock:
            for begin, end in pairwise(edges):
                if end - begin >= LEAST:
                    part = columns[begin:end]
                    insort(self.known, _Known(int(part.zxid[0]), int(part.zxid[-1]), len(self.known), data, part))

    def same(self, data: memoryview, at: int) -> Stretch | None:
        """The records from ``at`` on that another log holds byte for byte, the longest such stretch; None where there are too few."""
        if at + RECORD_AROUND + TXN_HEADER > len(data):
            return None
        zxid = int.from_bytes(data[at + ZXID_AT : at + ZXID_AT + 8], "big", signed=True)
        best: Stretch | None = None
        for known in self._holding(zxid):
            columns = known.columns[zxid - known.first :]
            shared = _shared(data, at, known.data, columns)
            if shared >= LEAST and (best is None or shared > best.columns.size):
                best = Stretch(columns[:shared], at - int(columns.offset[0]))
        return best

    def _holding(self, zxid: int) -> list[_Known]:
        with self.lock:
            place = bisect_right(self.known, zxid, key=lambda known: known.first)
            near = self.known[max(0, place - TRIES) : place]
        return [known for known in near if known.last >= zxid]


def _shared(data: memoryview, at: int, other: memoryview, columns: Columns) -> int:
    """How many of ``columns``, which lie in ``other``, stand whole and byte for byte in ``data`` from ``at`` on."""
    begin = int(columns.offset[0])
    ends = columns.offset + columns.length + RECORD_AROUND
    size = min(int(ends[-1]) - begin, len(data) - at)
    done = 0
    while done < size:
        step = min(COMPARED, size - done)
        mine, theirs = bytes(data[at + done : at + done + step]), bytes(other[begin + done : begin + done + step])
        if mine != theirs:
            done += int(np.argmax(np.frombuffer(mine, np.uint8) != np.frombuffer(theirs, np.uint8)))
            break
        done += step
    let_go(data, at, at + done)
    let_go(other, begin, begin + done)
    return int(np.searchsorted(ends, begin + done, "right"))


class _Guided(TxnLog):
    """A log that is walked only where the library does not know its bytes."""

    def stretches(self, library: Library) -> Iterator[Stretch]:
        """Its records in file order."""
        at, found = FILE_HEADER, None
        while True:
            found = found or (None if self.foreign else library.same(self.data, at))
            if found is not None:
                yield self._counted(found)
                at, found = self.seen.end, None
                self.walk = self.walk.behind(at, self.seen.last)
                continue
            for part in self._decoded(library):
                yield Stretch(part)
                at = int(part.offset[-1] + part.length[-1]) + RECORD_AROUND
                if (found := library.same(self.data, at)) is not None:
                    break
            if found is None:
                return

    def _counted(self, found: Stretch) -> Stretch:
        """Note records that were not walked."""
        seen, columns = self.seen, found.columns
        seen.found, seen.shown, seen.good = (count + columns.size for count in (seen.found, seen.shown, seen.good))
        seen.first = int(columns.zxid[0]) if seen.first is None else seen.first
        seen.last = int(columns.zxid[-1])
        seen.end = int(found.offset[-1] + columns.length[-1]) + RECORD_AROUND
        return found

    def _decoded(self, library: Library) -> Iterator[Columns]:
        """Parts of the walk; those without anything odd in them are lent to other logs."""
        noted = self._noted()
        for part in self:
            columns = _columns(part)
            odd, noted = noted != self._noted(), self._noted()
            library.add(self.data, columns, odd)
            if columns.size:
                yield columns

    def _noted(self) -> tuple[int, int, int]:
        return len(self.rows), self.unlisted, sum(count for count, _, _ in self.unknown.values())


def _columns(part: Part) -> Columns:
    txns = part.txns
    arrays = [txns[name].to_numpy() for name in ("zxid", "offset", "payload_len", "payload_hash", "session", "type", "checksum_ok")]
    zxid, offset, length, payload_hash, session, kind, sound = arrays
    return Columns(zxid, offset, length.astype(np.int32), payload_hash, session, kind.astype(np.int32), sound)


def outline(source: Source, library: Library) -> Outline:
    """Read a transaction log. Damage becomes rows; nothing is raised for what the file holds."""
    log = _Guided(source)
    stretches = tuple(log.stretches(library))
    return Outline(stretches, log.file(), log.damage())
