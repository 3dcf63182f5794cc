"""Bodies of transaction records as columns of TXNS and TXN_OPS, one op code after the other.

Strategy: a jute field has its column in COLUMNS; which record a body is stands in ``opcodes``. Whether a digest follows is told by
the bytes left behind the body (0 or 12), an older shape by where the body ends, a missing one by its length (SerializeUtils).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from zabtrace.grammar import jute
from zabtrace.records import acls, opcodes
from zabtrace.records.columns import Bytes, Column, Cursor, Flags, Ints, Items, Slices, gather, lists_of_texts, masked, numbers, only, texts
from zabtrace.records.frames import DIGEST_VERSION, TXN_DIGEST
from zabtrace.records.opcodes import Op

COLUMNS = {
    "version": "version", "parentCVersion": "parent_cversion", "ephemeral": "ephemeral", "ttl": "ttl", "timeOut": "timeout", "err": "error",
    "digest.version": "digest_version", "digest.treeDigest": "digest",
}  # fmt: skip
"""Fields that are one number: jute name, column. Paths, data and ACL lists have rules of their own in ``_columns``."""
NEVER_EPHEMERAL = ("createContainer", "createTTL")
FLAGS = ("ephemeral",)


@dataclass(frozen=True)
class Decoded:
    """Bodies of some records: columns in row order, the multis' members, which parsed, where the part that all servers share ends."""

    columns: list[pl.Series]
    members: pl.DataFrame
    parsed: Flags
    stop: Ints


@dataclass(frozen=True)
class _Bodies:
    columns: dict[str, Column]
    stop: Ints
    ok: Flags


def decode(buffer: Bytes, types: npt.NDArray[Any], at: Ints, end: Ints) -> Decoded:
    """Decode the bodies of these types between ``at`` and ``end``; unknown types have no columns and do not parse."""
    parsed, behind, stop = np.zeros(types.size, dtype=np.bool_), end.copy(), end.copy()
    sheet, members, failed = _Sheet(types.size), _no_members(), types == opcodes.ERROR
    for op, rows in _by_op(types):
        found = _read(op, buffer, at[rows], end[rows], digests=True)
        parsed[rows] = found.ok
        behind[rows] = np.where(found.ok, found.stop, end[rows])
        stop[rows] = np.where(found.ok, at[rows], end[rows]) if op.body_optional else behind[rows]
        sheet.fill(op, found, rows)
        if op.code == opcodes.MULTI:
            members = _members(buffer, found, rows)
            failed[members["row"].to_numpy()[members["type"].to_numpy() == opcodes.ERROR]] = True
    sheet.fill_digests(buffer, behind, end)
    columns = [*sheet.columns(buffer), pl.Series("failed", failed & parsed)]
    return Decoded(columns, members, parsed, stop)


def _by_op(types: npt.NDArray[Any]) -> Iterator[tuple[Op, Ints]]:
    for code, op in opcodes.BY_CODE.items():
        rows = np.flatnonzero(types == code)
        if rows.size:
            yield op, rows


# ---------------------------------------------------------------- reading
def _read(op: Op, buffer: Bytes, at: Ints, end: Ints, *, digests: bool) -> _Bodies:
    """Read bodies of one op, with what an older release wrote and with the digest behind them."""
    found = _read_record(op.record, buffer, at, end, digests)
    if op.body_optional:
        absent = _absent(buffer, at, end)
        columns = {name: _without(column, absent) for name, column in found.columns.items()}
        found = _Bodies(columns, np.where(absent, at, found.stop), found.ok | absent)
    if op.older is not None and not found.ok.all():
        older = _read_record(op.older, buffer, at, end, digests=False)
        found = _merge(found, older, {name: np.full(at.size, value) for name, value in op.older_values.items()})
    return found


def _read_record(name: str, buffer: Bytes, at: Ints, end: Ints, digests: bool) -> _Bodies:
    cursor = Cursor.over(buffer, at, end)
    columns = cursor.decode(jute.records()[name])
    rest = end - cursor.at
    return _Bodies(columns, cursor.at, cursor.ok & ((rest == 0) | (digests & (rest == TXN_DIGEST))))


def _absent(buffer: Bytes, at: Ints, end: Ints) -> Flags:
    """Bodies that are missing: nothing is left, or only a digest, whose version 2 can be no path count: of 12 bytes, one is a path."""
    digest = end - at == TXN_DIGEST
    first = gather(buffer, np.where(digest, at, 0), ">i4")
    return np.asarray((end == at) | (digest & (first == DIGEST_VERSION)))


def _without(column: Column, rows: Flags) -> Column:
    """The column with null lists in these rows: what was read there is no body."""
    if not isinstance(column, Items):
        return column
    kept = ~rows[column.row]
    row, index, at = column.row[kept], column.index[kept], column.at[kept]
    return Items(column.start, column.stop, np.where(rows, -1, column.count), row, index, at)


def _merge(found: _Bodies, older: _Bodies, values: dict[str, Column]) -> _Bodies:
    """Take the older reading where the newer one fails."""
    use = older.ok & ~found.ok
    columns = {name: _choose(use, (older.columns | values)[name], column) for name, column in found.columns.items()}
    return _Bodies(columns, np.where(use, older.stop, found.stop), found.ok | use)


def _choose(use: Flags, yes: Column, no: Column) -> Column:
    if isinstance(yes, Slices) and isinstance(no, Slices):
        return Slices(np.where(use, yes.start, no.start), np.where(use, yes.length, no.length))
    if isinstance(yes, Items) and isinstance(no, Items):
        start, stop, count = (np.where(use, a, b) for a, b in ((yes.start, no.start), (yes.stop, no.stop), (yes.count, no.count)))
        return Items(start, stop, count, yes.row, yes.index, yes.at)
    return np.where(use, numbers(yes), numbers(no))


# ---------------------------------------------------------------- tables
class _Sheet:
    """Columns of TXNS or TXN_OPS that are filled op by op: numbers with a mask, all else as places in the buffer."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.numbers: dict[str, tuple[Ints, Flags]] = {}
        self.slices: dict[str, Slices] = {}
        self.lists: tuple[Items, Ints, Ints] | None = None
        """Lists of paths, the rows among them that parsed, and those rows' places on the sheet."""

    def fill(self, op: Op, found: _Bodies, rows: Ints) -> None:
        """Put in the bodies that parsed; ``rows`` says where they belong."""
        kept: Ints | slice = slice(None) if found.ok.all() else np.flatnonzero(found.ok)
        rows = rows[kept]
        for name, column in found.columns.items():
            if name in COLUMNS:
                self._number(COLUMNS[name], rows, numbers(column)[kept])
            elif name in ("path", "data"):
                strings = only(column, Slices)
                self._slice(name, rows, strings.start[kept], strings.length[kept])
            elif name == "acl":
                lists = only(column, Items)
                self._slice(name, rows, lists.start[kept], np.where(lists.count >= 0, lists.stop - lists.start, -1)[kept])
            elif name == "paths2Delete":
                self.lists = only(column, Items), np.flatnonzero(found.ok), rows
        if op.name in NEVER_EPHEMERAL:
            self._number("ephemeral", rows, np.zeros(rows.size, dtype=np.int64))

    def fill_digests(self, buffer: Bytes, at: Ints, end: Ints) -> None:
        """Put in the digests that stand between ``at`` and ``end``, where something does: behind a body nothing else is allowed."""
        rows = np.flatnonzero(at < end)
        digests = Cursor.over(buffer, at[rows], end[rows]).decode(jute.records()["TxnDigest"], "digest.")
        for name, column in digests.items():
            self._number(COLUMNS[name], rows, numbers(column))

    def _number(self, name: str, rows: Ints, values: npt.NDArray[Any]) -> None:
        if rows.size:
            column, filled = self.numbers.setdefault(name, (np.zeros(self.size, dtype=np.int64), np.zeros(self.size, dtype=np.bool_)))
            column[rows], filled[rows] = values, True

    def _slice(self, name: str, rows: Ints, start: Ints, length: Ints) -> None:
        column = self.slices.setdefault(name, Slices(np.zeros(self.size, dtype=np.int64), np.full(self.size, -1, dtype=np.int64)))
        column.start[rows], column.length[rows] = start, length

    def columns(self, buffer: Bytes) -> list[pl.Series]:
        """The columns that were filled, in row order."""
        known = dict(self.numbers)
        if "data" in self.slices:
            data = self.slices["data"]
            known |= {"data_offset": (data.start, data.length >= 0), "data_len": (data.length, data.length >= 0)}
        found = masked({name: (values != 0 if name in FLAGS else values, filled) for name, (values, filled) in known.items()})
        if "path" in self.slices:
            found.append(texts(buffer, self.slices["path"]).alias("path"))
        if "acl" in self.slices:
            found.append(acls.texts(buffer, self.slices["acl"]).alias("acl"))
        if self.lists is not None:
            found.append(_lists(buffer, *self.lists, self.size).alias("paths"))
        return found


def _lists(buffer: Bytes, column: Items, kept: Ints, rows: Ints, size: int) -> pl.Series:
    """The lists of strings of the rows ``kept`` of a column as a series of ``size``, where they stand in ``rows``; others are null."""
    counts = np.full(size, -1, dtype=np.int64)
    counts[rows] = column.count[kept]
    at = column.at[np.isin(column.row, kept)]
    return lists_of_texts(buffer, counts, only(Cursor.over(buffer, at, np.full(at.size, buffer.size)).take("ustring"), Slices))


_NAMES = pl.Series("op", [op.name for op in opcodes.OPS])
_LEAST = min(opcodes.BY_CODE)
_PLACE = np.full(max(opcodes.BY_CODE) - _LEAST + 2, -1)
"""Where the name of a code stands in _NAMES, -1: of no code; one more at the end for those that are too large."""
_PLACE[[op.code - _LEAST for op in opcodes.OPS]] = np.arange(len(opcodes.OPS))
_MEMBER = {"row": pl.Int64, "index": pl.Int64, "type": pl.Int32, "parsed": pl.Boolean, "op": pl.String}


def _no_members() -> pl.DataFrame:
    return pl.DataFrame(schema=_MEMBER)


def _members(buffer: Bytes, found: _Bodies, rows: Ints) -> pl.DataFrame:
    """The members of multis: one row each, with the columns of their own bodies; ``parsed`` says whether a body is one."""
    items = only(found.columns["txns"], Items)
    of_whole = found.ok[items.row]
    row, index, at = items.row[of_whole], items.index[of_whole], items.at[of_whole]
    cursor = Cursor.over(buffer, at, np.full(at.size, buffer.size))
    member = cursor.decode(jute.records()["Txn"])
    types, data = numbers(member["type"]), only(member["data"], Slices)
    parsed, sheet = np.zeros(types.size, dtype=np.bool_), _Sheet(types.size)
    for op, mine in _by_op(types):
        inner = _read(op, buffer, data.start[mine], data.start[mine] + np.maximum(data.length[mine], 0), digests=False)
        parsed[mine] = inner.ok
        sheet.fill(op, inner, mine)
    head = pl.DataFrame({"row": rows[row], "index": index, "type": types, "parsed": parsed, "op": names(types)}, schema=_MEMBER)
    return head.hstack(sheet.columns(buffer))


def names(types: npt.NDArray[Any]) -> pl.Series:
    """ZooKeeper's names of op codes, as column ``op``."""
    place = np.clip(types.astype(np.int64) - _LEAST, -1, _PLACE.size - 1)
    named = _PLACE[place]
    if named.min(initial=0) >= 0:
        return _NAMES.gather(named)
    distinct, which = np.unique(types, return_inverse=True)
    return pl.Series("op", [opcodes.name(int(code)) for code in distinct], dtype=pl.String).gather(which)
