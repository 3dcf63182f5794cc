"""Column decoders: all records of one kind at once, straight from the jute notation.

Strategy: a ``Cursor`` holds one position per record in one buffer; each field moves all of them on together with one gather. A
record whose bytes end too early, or whose lengths are negative, leaves the row's ``ok`` False and its values 0; it never raises.
``reference`` is the specification.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from zabtrace.grammar import jute
from zabtrace.records import reference

Ints: TypeAlias = npt.NDArray[np.int64]
Flags: TypeAlias = npt.NDArray[np.bool_]
Bytes: TypeAlias = npt.NDArray[np.uint8]

DTYPES = {"boolean": "u1", "byte": "i1", "int": ">i4", "long": ">i8", "float": ">f4", "double": ">f8"}
FEW = 16
"""Below so many rows the items of a long vector are walked one by one."""
_INLINE = 12  # bytes of a string view that stand in the view itself
_BUFFER_BITS = 30  # views address buffers that begin every 2**30 bytes and overlap, for their offsets are 32 bits


@dataclass(frozen=True)
class Slices:
    """Strings or buffers: start and length of each in the buffer, length -1 for null."""

    start: Ints
    length: Ints


@dataclass(frozen=True)
class Items:
    """Vectors: where each list begins (at its count) and ends, its count (-1 null), and the row, index and start of every item."""

    start: Ints
    stop: Ints
    count: Ints
    row: Ints
    index: Ints
    at: Ints


Column: TypeAlias = npt.NDArray[Any] | Slices | Items
Kind = TypeVar("Kind", Slices, Items)


def numbers(column: Column) -> npt.NDArray[Any]:
    """A column of a fixed-size type as an array."""
    if isinstance(column, Slices | Items):
        raise TypeError(f"{type(column).__name__} is no column of numbers")
    return column


def only(column: Column, kind: type[Kind]) -> Kind:
    """A column that must be of that kind."""
    if not isinstance(column, kind):
        raise TypeError(f"{type(column).__name__} is not {kind.__name__}")
    return column


@dataclass
class Cursor:
    """One position per record, in a buffer all share; ``at`` moves on with every field, ``ok`` falls where a field does not fit."""

    buffer: Bytes
    at: Ints
    end: Ints
    ok: Flags

    @classmethod
    def over(cls, buffer: Bytes, at: Ints, end: Ints) -> Cursor:
        """A cursor whose rows are all sound so far."""
        return cls(buffer, at.copy(), end, np.ones(at.size, dtype=np.bool_))

    def decode(self, record: jute.Record, prefix: str = "") -> dict[str, Column]:
        """The fields of ``record`` by name, nested ones as ``outer.inner``."""
        found: dict[str, Column] = {}
        for field in record.fields:
            if isinstance(field.type, jute.Record):
                found |= self.decode(field.type, f"{prefix}{field.name}.")
            else:
                found[prefix + field.name] = self.take(field.type)
        return found

    def take(self, kind: str | jute.Vector) -> Column:
        """The next field of that type in every row."""
        if isinstance(kind, jute.Vector):
            return self._items(kind.item)
        return self._fixed(kind) if kind in DTYPES else self._slices()

    def _fixed(self, kind: str) -> npt.NDArray[Any]:
        dtype = np.dtype(DTYPES[kind])
        fits = self.ok & (self.end - self.at >= dtype.itemsize)
        values = gather(self.buffer, np.where(fits, self.at, 0), dtype) if fits.any() else np.zeros(fits.size, dtype.newbyteorder("="))
        values[~fits] = 0
        self.ok = fits
        self.at = self.at + dtype.itemsize * fits
        return values.astype(np.bool_) if kind == "boolean" else values

    def _slices(self) -> Slices:
        length = self._fixed("int").astype(np.int64)
        self.ok = self.ok & (length >= -1) & (length <= self.end - self.at)
        start = self.at
        length = np.where(self.ok, length, -1)
        self.at = start + np.maximum(length, 0)
        return Slices(start, length)

    def _items(self, item: jute.Type) -> Items:
        start = self.at
        count = self._fixed("int").astype(np.int64)
        self.ok = self.ok & (count >= -1) & (count * max(reference.smallest(item), 1) <= self.end - self.at)
        found: list[tuple[Ints, Ints, Ints]] = []
        rows, index = np.flatnonzero(self.ok & (count > 0)), 0
        while rows.size > FEW:
            found.append((rows, np.full(rows.size, index), self.at[rows]))
            self._skip(item, rows)
            index += 1
            rows = rows[self.ok[rows] & (count[rows] > index)]
        found += [self._walk(item, int(row), index, int(count[row])) for row in rows]
        row, number, at = (np.concatenate(part) for part in zip(*(found or [_nothing()]), strict=True))
        order = np.lexsort((number, row))
        return Items(start, self.at.copy(), np.where(self.ok, count, -1), row[order], number[order], at[order])

    def _skip(self, item: jute.Type, rows: Ints) -> None:
        inner = Cursor.over(self.buffer, self.at[rows], self.end[rows])
        inner.decode(jute.Record("item", (jute.Field("item", item),)))
        self.at[rows] = inner.at
        self.ok[rows] = inner.ok

    def _walk(self, item: jute.Type, row: int, first: int, count: int) -> tuple[Ints, Ints, Ints]:
        starts = []
        data, at, end = self.buffer.data, int(self.at[row]), int(self.end[row])
        try:
            for _ in range(first, count):
                begun = at
                _, at = reference.read(item, data, at, end)
                starts.append(begun)
        except reference.MalformedError:
            self.ok[row] = False
        self.at[row] = at
        return np.full(len(starts), row), np.arange(first, first + len(starts)), np.array(starts, dtype=np.int64)


def gather(buffer: Bytes, at: Ints, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """The numbers of that (big-endian) type at these positions, in native byte order; all positions must fit."""
    kind = np.dtype(dtype)
    count = max(buffer.size - kind.itemsize + 1, 0)
    overlapping: npt.NDArray[Any] = np.ndarray(shape=(count,), dtype=kind, buffer=buffer, strides=(1,))
    return overlapping[at].astype(kind.newbyteorder("="))


def binary(buffer: Bytes, slices: Slices) -> pl.Series:
    """The bytes of each slice as a Binary series, null for length -1; a copy, so that no file stays mapped for it."""
    import pyarrow as pa

    return pl.Series(pl.from_arrow(_views(buffer, slices).cast(pa.large_binary())))


def texts(buffer: Bytes, slices: Slices) -> pl.Series:
    """The strings of each slice, null for length -1; bytes that are not UTF-8 are decoded as ``reference.text`` does."""
    import pyarrow as pa

    views = _views(buffer, slices)
    try:
        return pl.Series(pl.from_arrow(views.cast(pa.large_string())))
    except pa.ArrowInvalid:
        return pl.Series([None if value is None else reference.text(value) for value in views.to_pylist()], dtype=pl.String)


def _views(buffer: Bytes, slices: Slices) -> Any:
    """The slices as an Arrow binary_view array over ``buffer``, without copying it."""
    import pyarrow as pa

    length = np.maximum(slices.length, 0)
    words = np.zeros((length.size, 16), dtype=np.uint8)
    words[:, :4] = length.astype("<i4").view(np.uint8).reshape(-1, 4)
    _fill_inline(words, buffer, slices.start, length)
    far = length > _INLINE
    place = np.stack([slices.start[far] >> _BUFFER_BITS, slices.start[far] & ((1 << _BUFFER_BITS) - 1)], axis=1).astype("<i4")
    words[far, 8:16] = place.view(np.uint8)
    parts = [pa.py_buffer(buffer[begin : begin + (1 << 32)]) for begin in range(0, buffer.size, 1 << _BUFFER_BITS)]
    valid = pa.py_buffer(np.packbits(slices.length >= 0, bitorder="little"))
    return pa.Array.from_buffers(pa.binary_view(), length.size, [valid, pa.py_buffer(words), *parts])


def _fill_inline(words: Bytes, buffer: Bytes, start: Ints, length: Ints) -> None:
    """The first bytes of each string into its view: up to 12 of a short one, 4 of a long one."""
    held = np.where(length > _INLINE, 4, length)
    for place in range(_INLINE):
        rows = np.flatnonzero(held > place)
        words[rows, 4 + place] = buffer[start[rows] + place]


def _nothing() -> tuple[Ints, Ints, Ints]:
    return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64)
