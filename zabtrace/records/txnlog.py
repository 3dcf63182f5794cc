"""Transaction logs as tables: every record a row, every member of a multi a row, everything odd a DAMAGE row.

Strategy: ``walk`` finds the frames and what breaks their chain; header and bodies are decoded as columns, chunk by chunk, the next
chunks while one is used. A record whose checksum is wrong is a row as well as damage where its body can be read, and only damage
where it cannot.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from zabtrace import schema, zxid
from zabtrace.grammar import jute
from zabtrace.records import bodies, checksums, damage, hashing, opcodes, walk
from zabtrace.records.ahead import ahead
from zabtrace.records.columns import Bytes, Cursor, Ints, gather, masked, numbers
from zabtrace.records.frames import (
    FILE_HEADER,
    FILE_VERSION,
    LOG_MAGIC,
    RECORD_AROUND,
    RECORD_FRAME,
    TXN_HEADER,
    is_version_1_log,
    name_zxid,
)
from zabtrace.source import Source

CHUNK = 1 << 16
"""Records decoded at a time."""


@dataclass(frozen=True)
class TxnLogRead:
    """One transaction log as frames of TXNS, TXN_OPS, TXN_FILES (one row) and DAMAGE; server and copy are null."""

    txns: pl.DataFrame
    ops: pl.DataFrame
    file: pl.DataFrame
    damage: pl.DataFrame


def read_txn_log(source: Source) -> TxnLogRead:
    """Read a transaction log as a whole. Damage becomes rows; nothing is raised for what the file holds."""
    log = TxnLog(source)
    parts = list(log)
    txns = pl.concat([part.txns for part in parts]) if parts else schema.frame(schema.TXNS)
    ops = pl.concat([part.ops for part in parts]) if parts else schema.frame(schema.TXN_OPS)
    return TxnLogRead(txns, ops, log.file(), log.damage())


@dataclass(frozen=True)
class Part:
    """Some records of a log as frames of TXNS and TXN_OPS."""

    txns: pl.DataFrame
    ops: pl.DataFrame


@dataclass(frozen=True)
class _Read:
    """Some records as the walk found them, what is odd about the bodies of good ones, and all that can be shown as a Part."""

    records: walk.Records
    malformed: list[dict[str, Any]]
    unknown: pl.DataFrame
    part: Part


class TxnLog:
    """A transaction log that is read part by part; ``file`` and ``damage`` are known when all parts were read.

    Without ``hashed`` the column ``payload_hash``, which takes a while, is null.
    """

    def __init__(self, source: Source, *, hashed: bool = True) -> None:
        self.source = source
        self.hashed = hashed
        self.data = source.buffer()
        self.walk = walk.Walk(self.data)
        self.rows = _header_damage(self.data)
        self.unlisted = 0
        self.foreign = bool(self.data[:4] != LOG_MAGIC)
        self.seen = _Seen()
        self.unknown: dict[int, tuple[int, int, int]] = {}
        """Op codes that no release writes: how many records, offset and zxid of the first."""

    def __iter__(self) -> Iterator[Part]:
        buffer = np.frombuffer(self.data, dtype=np.uint8)
        found = _batches(self.walk if len(self.data) > FILE_HEADER else ())
        for read in ahead(partial(_read, self.source.name, buffer, hashed=self.hashed), found):
            self._heed(buffer, read)
            yield read.part
            let_go(self.data, int(read.records.offset[0]), int(read.records.offset[-1]))

    def file(self) -> pl.DataFrame:
        """The row of TXN_FILES."""
        seen, size, ending = self.seen, len(self.data), self.walk.ending
        row = {
            "source": self.source.name, "name_zxid": name_zxid(self.source.name, "log"), "first_zxid": seen.first, "last_zxid": seen.last,
            "records": seen.good, "end": seen.end if seen.good else min(size, FILE_HEADER), "bytes": size,
            "ending": ending if seen.shown or ending not in ("padded", "unpadded") else "empty",
        }  # fmt: skip
        return schema.frame(schema.TXN_FILES, [row])

    def damage(self) -> pl.DataFrame:
        """DAMAGE of the whole file."""
        breaks = self.walk.damage if self.seen.found or not self.foreign else []  # a foreign file is damaged once, at its magic
        unknown = [damage.row("unknown_type", at, zxid, count=count, code=code) for code, (count, at, zxid) in self.unknown.items()]
        rows = [*self.rows, *breaks, *unknown, *_misnamed(self.source.name, self.seen.first)]
        return damage.frame(self.source.name, rows, self.unlisted)

    def _heed(self, buffer: Bytes, read: _Read) -> None:
        """Keep what some records, in the order of the file, say about it."""
        self.seen.found += read.records.offset.size
        self._note(_bad_payloads(buffer, read.records, self.seen.last))
        self._note(read.malformed)
        self._count_unknown(read.unknown)
        self.seen.add(read.part.txns)

    def _note(self, rows: list[dict[str, Any]]) -> None:
        """Keep what is odd, as far as anyone reads; the rest is counted."""
        room = max(damage.LARGEST_LIST - len(self.rows), 0)
        self.rows += rows[:room]
        self.unlisted += len(rows[room:])

    def _count_unknown(self, txns: pl.DataFrame) -> None:
        for code, count, offset, at in txns.group_by("type", maintain_order=True).agg(pl.len(), pl.first("offset", "zxid")).iter_rows():
            before, *first = self.unknown.get(code, (0, offset, at))
            self.unknown[code] = (before + count, first[0], first[1])


def records_at(source: Source, offset: Ints, length: Ints) -> Part:
    """The records that ``TxnLog`` has found at these offsets of a log, with payloads of these lengths, as frames of TXNS and TXN_OPS."""
    buffer = np.frombuffer(source.buffer(), dtype=np.uint8)
    stored = gather(buffer, offset, ">i8")
    txns, ops, _ = _decode(buffer, walk.Records(offset, length, stored, checksums.one_by_one(buffer, offset, length, stored)), hashed=True)
    return Part(schema.conform(schema.TXNS, txns, source=source.name), schema.conform(schema.TXN_OPS, ops, source=source.name))


def let_go(data: memoryview, begin: int, end: int) -> None:
    """Tell the system that these bytes of a mapped file are read: else the whole file counts as memory of this process."""
    mapped, page = data.obj, mmap.PAGESIZE
    if isinstance(mapped, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED") and end // page > begin // page:
        mapped.madvise(mmap.MADV_DONTNEED, begin // page * page, (end // page - begin // page) * page)


@dataclass
class _Seen:
    """What is known of the records read so far: how many the walk found and TXNS has, and the good ones among these."""

    found: int = 0
    shown: int = 0
    good: int = 0
    first: int | None = None
    last: int | None = None
    end: int = 0

    def add(self, txns: pl.DataFrame) -> None:
        """Count some rows."""
        good = txns if txns["checksum_ok"].all() else txns.filter("checksum_ok")
        self.shown += txns.height
        if good.height:
            self.good += good.height
            self.first = good["zxid"][0] if self.first is None else self.first
            self.last = good["zxid"][-1]
            self.end = good["offset"][-1] + good["payload_len"][-1] + RECORD_AROUND


def _batches(found: Iterable[walk.Records]) -> Iterator[walk.Records]:
    """The records in batches of CHUNK: a damaged log comes in many small pieces, a sound one in large ones."""
    held: list[walk.Records] = []
    for records in found:
        held.append(records)
        while sum(part.offset.size for part in held) >= CHUNK:
            whole = _joined(held)
            yield whole.take(slice(CHUNK))
            held = [whole.take(slice(CHUNK, None))]
    if any(part.offset.size for part in held):
        yield _joined(held)


def _joined(parts: list[walk.Records]) -> walk.Records:
    if len(parts) == 1:
        return parts[0]
    return walk.Records(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("offset", "length", "stored", "good")))


# ---------------------------------------------------------------- the file
def _header_damage(data: memoryview) -> list[dict[str, Any]]:
    if not len(data):
        return [damage.row("empty_file", 0)]
    if len(data) < FILE_HEADER:
        return [damage.row("short_header", 0, present=len(data))]
    if data[:4] != LOG_MAGIC:
        return [damage.row("log_version_1", 0)] if is_version_1_log(data) else [damage.row("log_magic", 0, found=bytes(data[:4]).hex())]
    version, dbid = struct.unpack_from(">iq", data, 4)
    return [] if (version, dbid) == (FILE_VERSION, 0) else [damage.row("odd_header", 4, version=version, dbid=dbid)]


def _misnamed(name: str, first: int | None) -> list[dict[str, Any]]:
    named = name_zxid(name, "log")
    if named is None or first is None or named == first:
        return []
    return [damage.row("name", FILE_HEADER, name=zxid.text(named), first=zxid.text(first))]


# ---------------------------------------------------------------- records
def _read(name: str, buffer: Bytes, records: walk.Records, *, hashed: bool) -> _Read:
    """Decode some records of the file of that name."""
    kept = records.length >= TXN_HEADER
    headed = records if kept.all() else records.take(kept)
    txns, ops, parsed = _decode(buffer, headed, hashed=hashed)
    good = pl.Series(headed.good)
    known = txns["type"].is_in(list(opcodes.BY_CODE))
    malformed = _malformed(txns.filter(known & ~parsed & good), ops.filter(good.gather(ops["row"]) & ~ops["parsed"]))
    unknown = txns.filter(~known & good)
    keep = good | parsed
    if not keep.all():
        txns, ops = txns.filter(keep), ops.filter(keep.gather(ops["row"]))
    part = Part(schema.conform(schema.TXNS, txns, source=name), schema.conform(schema.TXN_OPS, ops, source=name))
    return _Read(records, malformed, unknown, part)


def _decode(buffer: Bytes, records: walk.Records, *, hashed: bool) -> tuple[pl.DataFrame, pl.DataFrame, pl.Series]:
    """TXNS, TXN_OPS (with ``row``, the record's place in TXNS, and ``parsed``), and whether a record's body is what its op code says."""
    begins = records.offset + RECORD_FRAME
    cursor = Cursor.over(buffer, begins, begins + records.length)
    header = {name: numbers(column) for name, column in cursor.decode(jute.records()["TxnHeader"]).items()}
    found = bodies.decode(buffer, header["type"], cursor.at, cursor.end)
    txns = pl.DataFrame(
        {
            "offset": records.offset, "zxid": header["zxid"], "time": _times(header["time"]), "session": header["clientId"],
            "cxid": header["cxid"], "type": header["type"], "op": bodies.names(header["type"]),
            "checksum": records.stored, "checksum_ok": records.good, "payload_len": records.length,
            **({"payload_hash": hashing.hashes(buffer, begins, found.stop - begins)} if hashed else {}),
        }
    ).hstack(found.columns)  # fmt: skip
    place = found.members["row"]
    ops = found.members.hstack([txns["offset"].gather(place), txns["zxid"].gather(place)])
    return txns, ops, pl.Series(found.parsed)


def _times(milliseconds: Ints) -> pl.Series:
    """Times as Datetime, null outside of CALENDAR."""
    low, high = schema.CALENDAR
    if milliseconds.min(initial=0) >= low and milliseconds.max(initial=0) <= high:
        return pl.Series(milliseconds).cast(schema.TIME)
    return masked({"time": (milliseconds, np.clip(milliseconds, low, high) == milliseconds)})[0].cast(schema.TIME)


def _bad_payloads(buffer: Bytes, records: walk.Records, before: int | None) -> list[dict[str, Any]]:
    """Records whose checksum is wrong, and whole ones too short for a header; ``before`` is the last good zxid before all of them."""
    offset, length, good = records.offset, records.length, records.good
    bad = np.flatnonzero(~good | (length < TXN_HEADER))
    if not bad.size:
        return []
    headed = np.flatnonzero(length >= TXN_HEADER)
    zxids = np.zeros(offset.size, dtype=np.int64)
    zxids[headed] = gather(buffer, offset[headed] + walk.ZXID_AT, ">i8")
    last_good = np.maximum.accumulate(np.where(good & (length >= TXN_HEADER), np.arange(offset.size), -1))
    rows = []
    for place in bad:
        at, size = int(offset[place]), int(length[place])
        last = int(zxids[last_good[place]]) if last_good[place] >= 0 else before
        short = good[place]
        rows.append(damage.row("header", at, last, length=size) if short else walk.checksum_row(buffer.data, at, size, last))
    return rows


def _malformed(txns: pl.DataFrame, ops: pl.DataFrame) -> list[dict[str, Any]]:
    """Records and members of multis whose checksum is right, but whose body is not what their op code says."""
    records = [
        damage.row("body", row["offset"], row["zxid"], record=zxid.text(row["zxid"]), length=row["payload_len"], op=row["op"])
        for row in txns.select("offset", "zxid", "payload_len", "op").iter_rows(named=True)
    ]
    members = [
        damage.row("member", row["offset"], row["zxid"], record=zxid.text(row["zxid"]), index=row["index"], op=row["op"])
        for row in ops.select("offset", "zxid", "index", "op").iter_rows(named=True)
    ]
    return records + members
