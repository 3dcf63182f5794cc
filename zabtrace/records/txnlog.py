"""Transaction logs as tables: every record a row, every member of a multi a row, everything odd a DAMAGE row.

Strategy: ``walk`` finds the frames and what breaks their chain; header and bodies are decoded as columns, chunk by chunk. A record
whose checksum is wrong is a row as well as damage where its body can be read, and only damage where it cannot.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from zabtrace import schema, zxid
from zabtrace.grammar import jute
from zabtrace.records import bodies, damage, hashing, opcodes, walk
from zabtrace.records.columns import Bytes, Cursor, Flags, Ints, gather, numbers
from zabtrace.records.frames import FILE_HEADER, LOG_MAGIC, RECORD_AROUND, RECORD_FRAME, TXN_HEADER, name_zxid
from zabtrace.source import Source

CHUNK = 1 << 16
"""Records decoded at a time."""
_TIMES = (-62_135_596_800_000, 253_402_300_799_999)  # years 1 to 9999, what a datetime can hold


@dataclass(frozen=True)
class TxnLogRead:
    """One transaction log as frames of TXNS, TXN_OPS, TXN_FILES (one row) and DAMAGE; server and copy are null."""

    txns: pl.DataFrame
    ops: pl.DataFrame
    file: pl.DataFrame
    damage: pl.DataFrame


def read_txn_log(source: Source) -> TxnLogRead:
    """Read a transaction log. Damage becomes rows; nothing is raised for what the file holds."""
    data = source.buffer()
    rows = _header_damage(data)
    records = walk.walk(data) if len(data) > FILE_HEADER else _no_records()
    rows += records.damage if records.offset.size or not rows else []  # a foreign file is damaged once, at its magic
    buffer = np.frombuffer(data, dtype=np.uint8)
    parts = [_chunk(buffer, records, begin, rows) for begin in range(0, records.offset.size, CHUNK)]
    txns = pl.concat([part[0] for part in parts]) if parts else schema.frame(schema.TXNS)
    ops = pl.concat([part[1] for part in parts]) if parts else schema.frame(schema.TXN_OPS)
    rows += _unknown_types(txns)
    file = _file(source.name, len(data), txns, records.ending)
    rows += _misnamed(file)
    name = {"source": source.name}
    return TxnLogRead(
        schema.conform(schema.TXNS, txns, **name), schema.conform(schema.TXN_OPS, ops, **name),
        schema.conform(schema.TXN_FILES, file, **name), damage.frame(source.name, rows),
    )  # fmt: skip


# ---------------------------------------------------------------- the file
def _header_damage(data: memoryview) -> list[dict[str, Any]]:
    if not len(data):
        return [damage.row("empty_file", 0)]
    if len(data) < FILE_HEADER:
        return [damage.row("short_header", 0, present=len(data))]
    return [] if data[:4] == LOG_MAGIC else [damage.row("log_magic", 0, found=bytes(data[:4]).hex())]


def _no_records() -> walk.Records:
    none = np.zeros(0, dtype=np.int64)
    return walk.Records(none, none, np.zeros(0, dtype=np.bool_), [], "empty")


def _file(name: str, size: int, txns: pl.DataFrame, ending: str) -> pl.DataFrame:
    """The row of TXN_FILES."""
    good = txns.filter("checksum_ok")
    first, last = (good["zxid"][0], good["zxid"][-1]) if good.height else (None, None)
    end = good["offset"][-1] + good["payload_len"][-1] + RECORD_AROUND if good.height else min(size, FILE_HEADER)
    row = {
        "name_zxid": name_zxid(name, "log"), "first_zxid": first, "last_zxid": last, "records": good.height, "end": end, "bytes": size,
        "ending": ending if txns.height or ending not in ("padded", "unpadded") else "empty",
    }  # fmt: skip
    return schema.frame(schema.TXN_FILES, [row])


def _misnamed(file: pl.DataFrame) -> list[dict[str, Any]]:
    named, first = file["name_zxid"][0], file["first_zxid"][0]
    if named is None or first is None or named == first:
        return []
    return [damage.row("name", FILE_HEADER, name=zxid.text(named), first=zxid.text(first))]


def _unknown_types(txns: pl.DataFrame) -> list[dict[str, Any]]:
    unknown = txns.filter(~pl.col("type").is_in(list(opcodes.BY_CODE)) & pl.col("checksum_ok"))
    counted = unknown.group_by("type", maintain_order=True).agg(pl.len(), pl.first("offset", "zxid"))
    return [damage.row("unknown_type", offset, at, count=count, code=code) for code, count, offset, at in counted.iter_rows()]


# ---------------------------------------------------------------- records
def _chunk(buffer: Bytes, records: walk.Records, begin: int, rows: list[dict[str, Any]]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """TXNS and TXN_OPS of the records from ``begin`` on; appends what is odd about them to ``rows``."""
    chunk = slice(begin, begin + CHUNK)
    offset, length, good = records.offset[chunk], records.length[chunk], records.good[chunk]
    rows += _bad_payloads(buffer, offset, length, good)
    kept = length >= TXN_HEADER
    offset, length, good = offset[kept], length[kept], good[kept]
    begins = offset + RECORD_FRAME
    cursor = Cursor.over(buffer, begins, begins + length)
    header = {name: numbers(column) for name, column in cursor.decode(jute.records()["TxnHeader"]).items()}
    found = bodies.decode(buffer, header["type"], cursor.at, cursor.end)
    txns = pl.DataFrame(
        {
            "offset": offset, "zxid": header["zxid"], "time": _times(header["time"]), "session": header["clientId"], "cxid": header["cxid"],
            "type": header["type"], "op": bodies.names(header["type"]), "checksum": gather(buffer, offset, ">i8"), "checksum_ok": good,
            "payload_len": length, "payload_hash": hashing.hashes(buffer, begins, found.stop - begins),
        }
    ).hstack(found.columns)  # fmt: skip
    known = np.isin(header["type"], list(opcodes.BY_CODE))
    place = found.members["row"]
    ops = found.members.with_columns(txns["offset"].gather(place), txns["zxid"].gather(place))
    rows += _malformed(txns.filter(known & ~found.parsed & good), ops.filter(pl.Series(good).gather(place) & ~pl.col("parsed")))
    keep = pl.Series(good | found.parsed)
    return schema.conform(schema.TXNS, txns.filter(keep)), schema.conform(schema.TXN_OPS, ops.filter(keep.gather(place)))


def _times(milliseconds: Ints) -> pl.Series:
    """Times as Datetime; what no calendar holds is null."""
    possible = np.clip(milliseconds, *_TIMES) == milliseconds
    return pl.Series(np.where(possible, milliseconds, 0)).set(pl.Series(~possible), None).cast(schema.TIME)


def _bad_payloads(buffer: Bytes, offset: Ints, length: Ints, good: Flags) -> list[dict[str, Any]]:
    """Records whose checksum is wrong, and whole ones too short for a header."""
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
        before = int(zxids[last_good[place]]) if last_good[place] >= 0 else None
        short = good[place]
        rows.append(damage.row("header", at, before, length=size) if short else walk.checksum_row(buffer.data, at, size, before))
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
