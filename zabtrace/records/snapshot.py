"""Snapshots as tables: one row of SNAPSHOTS, every znode a row of ZNODES, everything odd a DAMAGE row.

Strategy: the parts are read in the order of FileSnap.serialize, each bounded by the bytes left; every seal is checked against the
running Adler-32. Positions of the znodes are found in ``lanes``, their columns decoded in ``znodes``. ``valid`` is what a server
would accept.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from zabtrace import schema
from zabtrace.grammar import jute
from zabtrace.records import damage, lanes, reference, snappy
from zabtrace.records.columns import DTYPES, Bytes, Flags, Ints, every
from zabtrace.records.frames import (
    END_OF_NODES,
    FILE_HEADER,
    SEAL,
    SECTIONS_BY_REST,
    SNAPPY_MAGIC,
    SNAPSHOT_MAGIC,
    is_version_1_snapshot,
    name_zxid,
)
from zabtrace.records.reference import MalformedError
from zabtrace.records.txnlog import let_go
from zabtrace.records.znodes import decoded, summed
from zabtrace.source import BUFFER_LIMIT, Source

_INT = struct.Struct(">i")
SESSION = np.dtype([(field.name, DTYPES[str(field.type)]) for field in jute.records()["SnapshotSession"].fields])
_NODE_FIXED = 68
"""Bytes of a node behind its data: long acl and StatPersisted."""
LONGEST_LIKELY, HOPS = 1 << 12, 3
"""A guess is worth following where a path is no longer than that, and where so many nodes follow each other."""


@dataclass(frozen=True)
class SnapshotRead:
    """One snapshot as frames of SNAPSHOTS (one row), ZNODES (empty unless asked for), DAMAGE, SNAPSHOT_SESSIONS and ACLS.

    server and copy are null. What was read before a damaged place is in them.
    """

    snapshot: pl.DataFrame
    znodes: pl.DataFrame
    damage: pl.DataFrame
    sessions: pl.DataFrame
    acls: pl.DataFrame


@dataclass
class _Reading:
    """What is known of a snapshot while it is read, part by part; reading ends at the first part that does not fit."""

    data: memoryview
    row: dict[str, Any]
    at: int = 0
    sessions: npt.NDArray[Any] = field(default_factory=lambda: np.zeros(0, dtype=SESSION))
    acls: list[tuple[int, str | None]] = field(default_factory=list)
    nodes: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    summed: tuple[int, int] = (0, 1)
    """Position up to which, and value of, the running Adler-32."""

    def adler(self, at: int) -> int:
        begin, value = self.summed
        self.summed = (at, zlib.adler32(self.data[begin:at], value))
        return self.summed[1]


class _BrokenError(Exception):
    """A part of the snapshot does not fit; carries its row of DAMAGE."""

    def __init__(self, row: dict[str, Any]) -> None:
        super().__init__(row["reason"])
        self.row = row


def read_snapshot(source: Source, znodes: bool = False, *, digest: bool = True) -> SnapshotRead:
    """Read a snapshot, with its znodes if asked for; without ``digest`` its tree's digest is not computed, which takes longest.

    Damage becomes rows; nothing is raised for what the file holds.
    """
    reading, rows = _read(source)
    parts = list(decoded(source.name, reading.data, reading.nodes, tabled=znodes, digested=digest))
    reading.row |= {"valid": not rows and not source.faults, "reason": _why(source, rows), **summed(parts)}
    table = schema.frame(schema.SNAPSHOTS, [reading.row | {"source": source.name}])
    nodes = pl.concat([schema.frame(schema.ZNODES), *(part.table for part in parts)])
    return SnapshotRead(table, nodes, damage.frame(source.name, rows), *_side_tables(source.name, reading))


def read_znodes(source: Source) -> Iterator[pl.DataFrame]:
    """The ZNODES that ``read_snapshot`` gives, part by part."""
    reading, _ = _read(source)
    return (part.table for part in decoded(source.name, reading.data, reading.nodes, tabled=True, digested=False))


def _read(source: Source) -> tuple[_Reading, list[dict[str, Any]]]:
    """All but the columns of the znodes, and what is damaged."""
    data, compression, rows = _uncompressed(source)
    reading = _Reading(data, {"zxid": name_zxid(source.name, "snapshot"), "compression": compression, "bytes": source.size})
    if not rows:
        try:
            _read_parts(reading)
        except _BrokenError as broken:
            rows = [_unfinished(source.name, broken.row)]
    let_go(data, 0, len(data))
    return reading, rows


def stored_bytes(source: Source) -> memoryview:
    """The uncompressed bytes of a log or snapshot, in which the offsets of the tables count."""
    return _uncompressed(source)[0]


def _uncompressed(source: Source) -> tuple[memoryview, str | None, list[dict[str, Any]]]:
    data = source.buffer()
    if bytes(data[:8]) != SNAPPY_MAGIC:
        return data, source.compression, []
    try:
        return memoryview(snappy.decompress(data, BUFFER_LIMIT)), "snappy", []
    except snappy.SnappyError as error:
        return memoryview(error.decoded), "snappy", [damage.row("compressed", error.offset, why=str(error))]


def _unfinished(name: str, row: dict[str, Any]) -> dict[str, Any]:
    """A snapshot that nobody finished is what a crash leaves (AtomicFileOutputStream): no damage of data."""
    return damage.row("unfinished", row["offset"], why=row["reason"]) if name.endswith(".tmp") else row


def _why(source: Source, rows: list[dict[str, Any]]) -> str | None:
    reasons = [row["reason"] for row in rows] + [fault.reason for fault in source.faults]
    return reasons[0] if reasons else None


# ---------------------------------------------------------------- the parts, in order
def _read_parts(reading: _Reading) -> None:
    _read_header(reading)
    _read_sessions(reading)
    _read_acls(reading)
    _read_nodes(reading)
    _check_seal(reading, "nodes")
    _read_sections(reading)


def _read_header(reading: _Reading) -> None:
    data = reading.data
    if not len(data):
        raise _BrokenError(damage.row("empty_snapshot", 0))
    if data[:4] != SNAPSHOT_MAGIC:
        if is_version_1_snapshot(data):
            raise _BrokenError(damage.row("snapshot_version_1", 0))
        raise _BrokenError(damage.row("snapshot_magic", 0, found=bytes(data[:4]).hex()))
    reading.at = FILE_HEADER


def _read_sessions(reading: _Reading) -> None:
    count = _count(reading, "session table", SESSION.itemsize)
    reading.sessions = np.frombuffer(reading.data, SESSION, count, reading.at + 4)
    reading.at += 4 + reading.sessions.nbytes
    reading.row["sessions"] = count


def _read_acls(reading: _Reading) -> None:
    kind = jute.records()["SnapshotAcl"]
    count = _count(reading, "ACL table", reference.smallest(kind))
    reading.at += 4
    for _ in range(count):
        try:
            value, reading.at = reference.read(kind, reading.data, reading.at)
        except MalformedError as error:
            raise _body(reading, "ACL table", str(error)) from error
        reading.acls.append((value["id"], reference.acl_text(value["acl"])))


def _read_nodes(reading: _Reading) -> None:
    """Positions of all nodes up to the end mark."""
    data, size = reading.data, len(reading.data)
    reading.nodes, at = lanes.follow(node_links(np.frombuffer(data, dtype=np.uint8)), reading.at, size)
    if data[at : at + 5] != END_OF_NODES:
        raise _body(reading, "znode", _why_no_node(data, at), at)
    reading.at = at + len(END_OF_NODES)


def node_links(buffer: Bytes) -> lanes.Links:
    """Znodes lie one behind the other, up to the end mark; that of a later section lies within them only where they are damaged."""
    data, size, length_at = buffer.data, buffer.size, _INT.unpack_from
    lengths, fewest = every(buffer, ">i4"), 8 + _NODE_FIXED

    def one(at: int) -> int:
        if at + fewest > size or data[at : at + 5] == END_OF_NODES:
            return -1
        path = int(length_at(data, at)[0])
        if path < 0 or at + fewest + path > size:
            return -1
        held = int(length_at(data, at + 4 + path)[0])
        after = at + fewest + path + max(held, 0)
        return after if held >= -1 and after <= size else -1

    def many(at: Ints) -> Ints:
        at = np.where(at + fewest <= size, at, -1)
        path = np.where(at >= 0, lengths[np.maximum(at, 0)], -1).astype(np.int64)
        fits = (path >= 0) & (at + fewest + path <= size)
        fits[(path == 1) & (buffer[np.maximum(at, 0) + 4] == END_OF_NODES[-1])] = False
        held = lengths[np.where(fits, at + 4 + path, 0)].astype(np.int64)
        after = at + fewest + path + np.maximum(held, 0)
        return np.where(fits & (held >= -1) & (after <= size), after, -1)

    def looks_right(at: Ints) -> Flags:
        right = (at >= 0) & (at + fewest <= size)
        right[right] = lengths[at[right]] < LONGEST_LIKELY
        for _ in range(HOPS):
            right &= at + fewest <= size
            right &= buffer[np.where(right, at, 0) + 4] == END_OF_NODES[-1]
            at = many(np.where(right, at, 0))
            right &= at >= 0
        return right

    return lanes.Links(buffer, one, many, (4, END_OF_NODES[-1]), looks_right)


def _why_no_node(data: memoryview, at: int) -> str:
    """Why no znode begins there."""
    present = len(data) - at
    try:
        (path,) = _INT.unpack_from(data, at)
        (held,) = _INT.unpack_from(data, at + 4 + max(path, 0))
    except struct.error:
        return f"8 bytes of lengths or the end mark needed, present {present}"
    return f"path of {path} and data of {held} bytes, present {present}"


def _read_sections(reading: _Reading) -> None:
    """What later releases write behind the nodes: the bytes left tell which sections there are."""
    rest = len(reading.data) - reading.at
    if rest not in SECTIONS_BY_REST:
        raise _BrokenError(damage.row("snapshot_rest", reading.at, rest=rest))
    for section in SECTIONS_BY_REST[rest]:
        value, reading.at = reference.read(jute.records()[section.record], reading.data, reading.at)
        reading.row |= {column: value[name] for name, column in section.columns.items()}
        _check_seal(reading, section.record)


def _check_seal(reading: _Reading, part: str) -> None:
    at, data = reading.at, reading.data
    if len(data) - at < SEAL:
        raise _body(reading, f"seal of the {part}", f"{SEAL} bytes needed, present {len(data) - at}")
    stored = struct.unpack_from(">Q", data, at)[0]
    computed = reading.adler(at)
    if stored != computed or data[at + 8 : at + SEAL] != END_OF_NODES:
        raise _BrokenError(damage.row("snapshot_seal", at, part=part, computed=f"{computed:#x}", stored=f"{stored:#x}"))
    reading.at += SEAL


def _count(reading: _Reading, part: str, smallest: int) -> int:
    present = len(reading.data) - reading.at - 4
    if present < 0:
        raise _body(reading, part, f"4 bytes needed, present {present + 4}")
    count = int(_INT.unpack_from(reading.data, reading.at)[0])
    if not 0 <= count * smallest <= present:
        raise _body(reading, part, f"{count} entries need {count * smallest} bytes, present {present}")
    return count


def _body(reading: _Reading, part: str, why: str, at: int | None = None) -> _BrokenError:
    return _BrokenError(damage.row("snapshot_body", reading.at if at is None else at, part=part, why=why))


def _side_tables(name: str, reading: _Reading) -> tuple[pl.DataFrame, pl.DataFrame]:
    """SNAPSHOT_SESSIONS and ACLS."""
    sessions = pl.DataFrame({"session": reading.sessions["id"].astype(np.int64), "timeout": reading.sessions["timeOut"].astype(np.int64)})
    acls = pl.DataFrame(reading.acls, schema={"acl_id": pl.Int64, "acl": pl.String}, orient="row")
    return schema.conform(schema.SNAPSHOT_SESSIONS, sessions, source=name), schema.conform(schema.ACLS, acls, source=name)
