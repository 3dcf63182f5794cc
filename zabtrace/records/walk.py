"""Where the records of a transaction log are: the chain of frames, what breaks it, and where it goes on.

Strategy: follow length fields while they lead to an end-of-record byte (``lanes``) and check every Adler-32 (``checksums``), segment
by segment; where the chain breaks look for the next position that is a whole record with a right checksum. What a server does there
(FileTxnLog.FileTxnIterator.next) is said in ``damage.KINDS``.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from zabtrace.records import checksums, damage, lanes
from zabtrace.records.columns import Bytes, Flags, Ints, every, gather
from zabtrace.records.frames import END_OF_RECORD, FILE_HEADER, LARGEST_SANE, RECORD_AROUND, RECORD_FRAME, TXN_HEADER
from zabtrace.zxid import text

_FRAME = struct.Struct(">qi")
_LENGTH = struct.Struct(">i")
_ZXID = struct.Struct(">q")
ZXID_AT = RECORD_FRAME + 12
"""Where a record's zxid lies: behind its frame, session and cxid."""
SEGMENT = 32 << 20
"""Bytes of a chain that are followed and checked at a time."""
FIRST_SEGMENT = 12 << 20
"""So many at first: what was found is decoded while the chain is followed on."""
SEARCH_BLOCK, LARGEST_BLOCK = 1 << 12, 1 << 20
MOST_BREAKS = 10_000


@dataclass(frozen=True)
class Records:
    """Some records: offset of each frame, length of its payload, the checksum stored for it, whether that is right."""

    offset: Ints
    length: Ints
    stored: Ints
    good: Flags

    def take(self, rows: Flags | slice) -> Records:
        """Some of them."""
        return Records(self.offset[rows], self.length[rows], self.stored[rows], self.good[rows])


@dataclass
class Walk:
    """All records of a log, some at a time, so that a log of any size needs little memory; the rest is known when they are all read."""

    data: memoryview
    damage: list[dict[str, Any]] = field(default_factory=list)
    """A row for every break of the chain, not for wrong checksums in an unbroken one."""
    ending: str = "empty"
    """padded, unpadded, torn or damaged."""
    last_good: int | None = None
    """zxid of the last good record handed out."""
    begin: int = FILE_HEADER
    """Where the first record begins."""

    def behind(self, at: int, last_good: int | None) -> Walk:
        """The walk of what lies behind ``at``, where a record ended, with the damage that was found before it."""
        return Walk(self.data, [row for row in self.damage if row["offset"] < at], self.ending, last_good, at)

    def __iter__(self) -> Iterator[Records]:
        data, search = self.data, _Search(self.data)
        at, last = self.begin, _last_byte(data)
        while True:
            stop = at
            for records, behind in _run(data, at, last):
                yield self._noted(records)
                stop = behind
            if stop > last:
                self.ending = "unpadded" if stop >= len(data) else "padded"
                break
            resumed = search.record_after(stop, self.last_good)
            if resumed is None:
                row, whole, self.ending = _ending(data, stop, last, self.last_good)
            else:
                row, whole = _broken(data, stop, resumed, self.last_good)
            self.damage.append(row)
            if whole is not None:
                stored = gather(np.frombuffer(data, dtype=np.uint8), np.array([stop]), ">i8")
                yield self._noted(Records(np.array([stop]), np.array([whole]), stored, np.array([True])))
            if resumed is None:
                break
            at = resumed
        if search.given_up():
            self.damage.append(damage.row("given_up", stop, self.last_good, breaks=len(self.damage)))

    def _noted(self, records: Records) -> Records:
        sound = np.flatnonzero(records.good & (records.length >= TXN_HEADER))
        if sound.size:
            self.last_good = int(_ZXID.unpack_from(self.data, int(records.offset[sound[-1]]) + ZXID_AT)[0])
        return records


def checksum(data: memoryview, offset: int, length: int) -> int:
    """Adler-32 of the payload of the record at ``offset``."""
    return zlib.adler32(data[offset + RECORD_FRAME : offset + RECORD_FRAME + length])


def checksum_row(data: memoryview, offset: int, length: int, before: int | None, skipped: str = "") -> dict[str, Any]:
    """The damage of a record whose checksum is wrong, ``before`` being the last good zxid."""
    stored, computed = (text(value) for value in (_FRAME.unpack_from(data, offset)[0], checksum(data, offset, length)))
    record = text(_ZXID.unpack_from(data, offset + ZXID_AT)[0]) if length >= TXN_HEADER else "without a header"
    return damage.row("checksum", offset, before, record=record, length=length, computed=computed, stored=stored, skipped=skipped)


def _run(data: memoryview, at: int, last: int) -> Iterator[tuple[Records, int]]:
    """The unbroken chain from ``at``, segment by segment, each with the position behind it.

    A chain whose last records are all bad and which then breaks has probably left the records: it is cut before them. So bad records
    at the end of a segment wait for what follows them.
    """
    buffer = np.frombuffer(data, dtype=np.uint8)
    chain, end, size = links(buffer), len(data) - RECORD_AROUND, min(FIRST_SEGMENT, SEGMENT)
    while at < end:
        limit = min(at + size, end)
        offset, stop = lanes.follow(chain, at, limit)
        length = np.diff(np.append(offset, stop)) - RECORD_AROUND
        stored = gather(buffer, offset, ">i8")
        found = Records(offset, length, stored, checksums.right(buffer, offset, length, stored))
        over = stop < limit or limit == end
        trusted = int(np.flatnonzero(found.good)[-1]) + 1 if found.good.any() else 0
        if trusted < offset.size and (stop <= last or not over):
            if trusted == 0 and not over:
                size *= 2
                continue
            stop = int(offset[trusted])
            found = found.take(slice(trusted))
        yield found, stop
        if over:
            return
        at, size = stop, SEGMENT


def links(buffer: Bytes) -> lanes.Links:
    """A frame leads to the next one if its length is above 0 and an end-of-record byte stands behind its payload.

    Positions are at least RECORD_AROUND + 1 bytes before the end of the file.
    """
    data, size, length_at = buffer.data, buffer.size, _LENGTH.unpack_from
    lengths = every(buffer, ">i4")

    def one(at: int) -> int:
        end = at + RECORD_FRAME + int(length_at(data, at + 8)[0])
        return end + 1 if at + RECORD_FRAME < end < size and data[end] == END_OF_RECORD else -1

    def many(at: Ints) -> Ints:
        length = lengths[at + 8]
        end = at + RECORD_FRAME + length
        if length.min(initial=1) <= 0 or int(end.max(initial=0)) >= size:
            end[(length <= 0) | (end >= size)] = 0
        end[buffer[end] != END_OF_RECORD] = -2
        end += 1
        return np.asarray(end)

    def looks_right(at: Ints) -> Flags:
        right = at < size - RECORD_AROUND - TXN_HEADER
        right[right] = gather(buffer, at[right], ">i4") == 0
        for _ in range(2):
            at = np.where(right, at, 0)
            at = many(np.where(at < size - RECORD_AROUND, at, 0))
            right &= at >= 0
        return right

    return lanes.Links(buffer, one, many, (-1, END_OF_RECORD), looks_right)


def _last_byte(data: memoryview) -> int:
    """Position of the last byte that is not zero, -1 where there is none: behind it is padding."""
    end = len(data)
    while end > 0:
        begin = max(0, end - LARGEST_BLOCK)
        block = np.frombuffer(data[begin:end], dtype=np.uint8)
        if block.view(np.bool_).any():
            return begin + int(np.flatnonzero(block)[-1])
        end = begin
    return -1


def _blocks(data: memoryview, at: int) -> Iterator[tuple[int, Bytes]]:
    """The file from ``at`` on in growing blocks: a near answer is found soon, a far one without many steps."""
    size = SEARCH_BLOCK
    while at < len(data):
        yield at, np.frombuffer(data[at : at + size], dtype=np.uint8)
        at += size
        size = min(size * 2, LARGEST_BLOCK)


class _Search:
    """Looks for the next whole record behind a break; how often, and how many bytes it may checksum, is limited for the whole file."""

    def __init__(self, data: memoryview) -> None:
        self.data = data
        self.buffer = np.frombuffer(data, dtype=np.uint8)
        self.budget = 4 * len(data) + LARGEST_SANE
        self.searches = 0

    def given_up(self) -> bool:
        """The limits are used up: what lies behind was not looked at."""
        return self.budget <= 0 or self.searches > MOST_BREAKS

    def record_after(self, at: int, zxid: int | None) -> int | None:
        """The nearest record behind ``at`` that is whole, checks, and whose zxid is not below the last good one."""
        self.searches += 1
        if self.given_up():
            return None
        if at + RECORD_FRAME <= len(self.data):
            following = at + RECORD_AROUND + _LENGTH.unpack_from(self.data, at + 8)[0]
            if following > at and self._is_record(following, zxid):
                return int(following)
        for begin, block in _blocks(self.data, at):
            for candidate in self._candidates(np.arange(begin + 1, begin + 1 + block.size)):
                if self._is_record(int(candidate), zxid):
                    return int(candidate)
                if self.given_up():
                    return None
        return None

    def _candidates(self, at: Ints) -> Ints:
        """Those positions whose frame looks sane and leads to an end-of-record byte."""
        at = at[at + RECORD_AROUND + TXN_HEADER <= len(self.data)]
        at = at[gather(self.buffer, at, ">i4") == 0]
        end = at + RECORD_FRAME + gather(self.buffer, at + 8, ">i4").astype(np.int64)
        sane = (end >= at + RECORD_FRAME + TXN_HEADER) & (end < len(self.data))
        at, end = at[sane], end[sane]
        found: Ints = at[self.buffer[end] == END_OF_RECORD]
        return found

    def _is_record(self, at: int, zxid: int | None) -> bool:
        if at + RECORD_AROUND + TXN_HEADER > len(self.data):
            return False
        stored, length = _FRAME.unpack_from(self.data, at)
        if length < TXN_HEADER or at + RECORD_FRAME + length >= len(self.data) or self.data[at + RECORD_FRAME + length] != END_OF_RECORD:
            return False
        if zxid is not None and _ZXID.unpack_from(self.data, at + ZXID_AT)[0] < zxid:
            return False
        self.budget -= length
        return bool(checksum(self.data, at, length) == stored)


def _broken(data: memoryview, at: int, resumed: int, zxid: int | None) -> tuple[dict[str, Any], int | None]:
    """The damage between ``at`` and the record at ``resumed``, and the length of the record at ``at`` if its payload is intact."""
    stored, length = _FRAME.unpack_from(data, at)
    skipped = f"Reading goes on at {resumed}, {resumed - at} bytes further."
    between = resumed - at - RECORD_AROUND
    whole = between if between >= TXN_HEADER and checksum(data, at, between) == stored else None
    if whole == length:
        skipped = f"The record's checksum is right. Reading goes on at {resumed}."
    return _row(data, at, resumed, zxid, skipped), whole


def _ending(data: memoryview, at: int, last: int, zxid: int | None) -> tuple[dict[str, Any], int | None, str]:
    """What stands behind the last record, where no record follows: a torn one (an ordinary crash), or damage."""
    present = len(data) - at
    if present < RECORD_FRAME:
        return damage.row("torn", at, zxid, needed=RECORD_FRAME, present=present), None, "torn"
    stored, length = _FRAME.unpack_from(data, at)
    end = at + RECORD_FRAME + length
    held = last - at - RECORD_FRAME
    if data[last] == END_OF_RECORD and held >= TXN_HEADER and checksum(data, at, held) == stored and held != length:
        skipped = f"With {held} bytes its checksum is right."
        return damage.row("length", at, zxid, length=length, present=present - RECORD_FRAME, skipped=skipped), held, "damaged"
    if (length == 0 and last < at + 8) or (TXN_HEADER <= length <= LARGEST_SANE and last < end):
        return damage.row("torn", at, zxid, needed=max(length, 0) + RECORD_AROUND, present=last + 1 - at), None, "torn"
    intact = length >= TXN_HEADER and end < len(data) and checksum(data, at, length) == stored
    return _row(data, at, len(data), zxid, "No record was found behind it."), length if intact else None, "damaged"


def _row(data: memoryview, at: int, limit: int, zxid: int | None, skipped: str) -> dict[str, Any]:
    """What is wrong with the frame at ``at``, if it is one that ends before ``limit``."""
    stored, length = _FRAME.unpack_from(data, at)
    end = at + RECORD_FRAME + length
    if length > 0 and end < limit:
        if data[end] == END_OF_RECORD:
            return checksum_row(data, at, length, zxid, skipped)
        return damage.row("end_byte", at, zxid, found=hex(data[end]), skipped=skipped)
    if length or stored:
        return damage.row("length", at, zxid, length=length, present=len(data) - at - RECORD_FRAME, skipped=skipped)
    return damage.row("hole", at, zxid, skipped=skipped)
