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

from zabtrace import schema
from zabtrace.grammar import jute
from zabtrace.records import acls, opcodes
from zabtrace.records.columns import Bytes, Column, Cursor, Flags, Ints, Items, Slices, gather, numbers, only, texts
from zabtrace.records.frames import DIGEST_VERSION, TXN_DIGEST
from zabtrace.records.opcodes import Op

COLUMNS = {
    "version": "version", "parentCVersion": "parent_cversion", "ephemeral": "ephemeral", "ttl": "ttl", "timeOut": "timeout", "err": "error",
    "digest.version": "digest_version", "digest.treeDigest": "digest",
}  # fmt: skip
"""Fields that are one number: jute name, column. Paths, data and ACL lists have rules of their own in ``_columns``."""
NEVER_EPHEMERAL = ("createContainer", "createTTL")
_ROWS = {"row": pl.Int64}
_BODY = _ROWS | {
    name: kind for name, kind in schema.types(schema.TXNS).items()
    if name in ("path", "paths", "data_offset", "data_len", "acl", "failed", *COLUMNS.values())
}  # fmt: skip
_MEMBER = _ROWS | {"index": pl.Int64, "type": pl.Int64, "op": pl.String, "parsed": pl.Boolean} | _BODY


@dataclass(frozen=True)
class Decoded:
    """Bodies of some records: columns in row order, the multis' members, which parsed, where the part that all servers share ends."""

    columns: pl.DataFrame
    members: pl.DataFrame
    parsed: Flags
    stop: Ints


@dataclass(frozen=True)
class _Bodies:
    columns: dict[str, Column]
    stop: Ints
    ok: Flags
    digest: Flags
    """Something follows the body, which then is a digest."""


def decode(buffer: Bytes, types: npt.NDArray[Any], at: Ints, end: Ints) -> Decoded:
    """Decode the bodies of these types between ``at`` and ``end``; unknown types have no columns and do not parse."""
    parsed, stop = np.zeros(types.size, dtype=np.bool_), end.copy()
    frames, members = [pl.DataFrame(schema=_BODY)], [pl.DataFrame(schema=_MEMBER)]
    for op, rows in _by_op(types):
        found = _read(op, buffer, at[rows], end[rows], digests=True)
        parsed[rows] = found.ok
        stop[rows] = np.where(found.ok, at[rows] if op.body_optional else found.stop, end[rows])
        frame = _frame(op, buffer, found, rows)
        if op.code == opcodes.MULTI:
            members.append(_members(buffer, found, rows))
            failed = members[-1].filter(pl.col("type") == opcodes.ERROR)["row"].unique()
            frame = frame.with_columns(pl.col("row").is_in(failed.implode()).alias("failed"))
        frames.append(frame)
    return Decoded(_in_order(frames, types.size), pl.concat(members, how="diagonal_relaxed"), parsed, stop)


def _by_op(types: npt.NDArray[Any]) -> Iterator[tuple[Op, Ints]]:
    for code in np.unique(types):
        if int(code) in opcodes.BY_CODE:
            yield opcodes.BY_CODE[int(code)], np.flatnonzero(types == code)


def _in_order(frames: list[pl.DataFrame], size: int) -> pl.DataFrame:
    everything = pl.DataFrame({"row": np.arange(size)})
    joined = everything.join(pl.concat(frames, how="diagonal_relaxed"), on="row", how="left", maintain_order="left").drop("row")
    return joined.with_columns(pl.col("failed").fill_null(False))


# ---------------------------------------------------------------- reading
def _read(op: Op, buffer: Bytes, at: Ints, end: Ints, *, digests: bool) -> _Bodies:
    """Read bodies of one op, with what an older release wrote and with the digest behind them."""
    found = _read_record(op.record, buffer, at, end, digests)
    if op.body_optional:
        absent = _absent(buffer, at, end)
        columns = {name: _without(column, absent) for name, column in found.columns.items()}
        found = _Bodies(columns, np.where(absent, at, found.stop), found.ok | absent, found.digest)
    if op.older is not None and not found.ok.all():
        older = _read_record(op.older, buffer, at, end, digests=False)
        found = _merge(found, older, {name: np.full(at.size, value) for name, value in op.older_values.items()})
    digest = Cursor.over(buffer, found.stop, end)
    tail = digest.decode(jute.records()["TxnDigest"], "digest.")
    return _Bodies(found.columns | tail, found.stop, found.ok, found.ok & (end > found.stop))


def _read_record(name: str, buffer: Bytes, at: Ints, end: Ints, digests: bool) -> _Bodies:
    cursor = Cursor.over(buffer, at, end)
    columns = cursor.decode(jute.records()[name])
    rest = end - cursor.at
    return _Bodies(columns, cursor.at, cursor.ok & ((rest == 0) | (digests & (rest == TXN_DIGEST))), rest > 0)


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
    return _Bodies(columns, np.where(use, older.stop, found.stop), found.ok | use, found.digest & ~use)


def _choose(use: Flags, yes: Column, no: Column) -> Column:
    if isinstance(yes, Slices) and isinstance(no, Slices):
        return Slices(np.where(use, yes.start, no.start), np.where(use, yes.length, no.length))
    if isinstance(yes, Items) and isinstance(no, Items):
        start, stop, count = (np.where(use, a, b) for a, b in ((yes.start, no.start), (yes.stop, no.stop), (yes.count, no.count)))
        return Items(start, stop, count, yes.row, yes.index, yes.at)
    return np.where(use, numbers(yes), numbers(no))


# ---------------------------------------------------------------- tables
def _frame(op: Op, buffer: Bytes, found: _Bodies, rows: Ints) -> pl.DataFrame:
    """The columns of the bodies that parsed; ``row`` says whose they are."""
    kept = np.flatnonzero(found.ok)
    series = [pl.Series("row", rows[kept])]
    for field, column in found.columns.items():
        series += _columns(field, column, buffer, kept)
    frame = pl.DataFrame(series)
    with_digest = pl.Series(found.digest[kept])
    return frame.with_columns(
        pl.lit(op.code == opcodes.ERROR).alias("failed"),
        *([pl.lit(value=False).alias("ephemeral")] if op.name in NEVER_EPHEMERAL else []),
        *(pl.when(with_digest).then(pl.col(name)).alias(name) for name in ("digest_version", "digest")),
    )


def _columns(field: str, column: Column, buffer: Bytes, kept: Ints) -> list[pl.Series]:
    """The columns of the tables that one jute field fills."""
    if field in COLUMNS:
        return [pl.Series(COLUMNS[field], numbers(column)[kept])]
    if field == "path" and isinstance(column, Slices):
        return [texts(buffer, Slices(column.start[kept], column.length[kept])).alias("path")]
    if field == "data" and isinstance(column, Slices):
        start, length = pl.Series("data_offset", column.start[kept]), pl.Series("data_len", column.length[kept])
        return [start.set(length < 0, None), length.set(length < 0, None)]
    if field == "acl" and isinstance(column, Items):
        return [acls.texts(buffer, column, kept).alias("acl")]
    if field == "paths2Delete" and isinstance(column, Items):
        return [_lists(buffer, column, kept).alias("paths")]
    return []


def _lists(buffer: Bytes, column: Items, kept: Ints) -> pl.Series:
    """The lists of strings of these rows, null for null lists."""
    strings = only(Cursor.over(buffer, column.at, np.full(column.at.size, buffer.size)).take("ustring"), Slices)
    items = pl.DataFrame({"row": column.row, "paths": texts(buffer, strings)}).group_by("row").agg("paths")
    lists = pl.DataFrame({"row": kept, "empty": column.count[kept] == 0}).join(items, on="row", how="left", maintain_order="left")
    return lists.select(pl.when("empty").then(pl.lit([], dtype=pl.List(pl.String))).otherwise("paths").alias("paths")).to_series()


def _members(buffer: Bytes, found: _Bodies, rows: Ints) -> pl.DataFrame:
    """The members of multis: one row each, with the columns of their own bodies; ``parsed`` says whether a body is one."""
    items = only(found.columns["txns"], Items)
    of_whole = found.ok[items.row]
    row, index, at = items.row[of_whole], items.index[of_whole], items.at[of_whole]
    cursor = Cursor.over(buffer, at, np.full(at.size, buffer.size))
    member = cursor.decode(jute.records()["Txn"])
    types, data = numbers(member["type"]), only(member["data"], Slices)
    parsed, frames = np.zeros(types.size, dtype=np.bool_), [pl.DataFrame(schema=_BODY)]
    for op, mine in _by_op(types):
        inner = _read(op, buffer, data.start[mine], data.start[mine] + np.maximum(data.length[mine], 0), digests=False)
        parsed[mine] = inner.ok
        frames.append(_frame(op, buffer, inner, mine))
    head = pl.DataFrame({"row": rows[row], "index": index, "type": types, "parsed": parsed}).with_columns(names(types))
    return head.hstack(_in_order(frames, types.size))


def names(types: npt.NDArray[Any]) -> pl.Series:
    """ZooKeeper's names of op codes, as column ``op``."""
    distinct, place = np.unique(types, return_inverse=True)
    return pl.Series("op", [opcodes.name(int(code)) for code in distinct], dtype=pl.String).gather(place)
