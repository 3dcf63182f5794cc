"""Column decoders: all records of one kind at once, straight from the jute notation.

Strategy: a ``Cursor`` holds one position per record in one buffer; each field moves all of them on together with one gather. A
record whose bytes end too early, or whose lengths are negative, leaves the row's ``ok`` False and its values 0; it never raises.
``reference`` is the specification.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from zabtrace.grammar import jute
from zabtrace.records import reference
from zabtrace.schema import taken_over

Ints: TypeAlias = npt.NDArray[np.int64]
Flags: TypeAlias = npt.NDArray[np.bool_]
Bytes: TypeAlias = npt.NDArray[np.uint8]

DTYPES = {"boolean": "u1", "byte": "i1", "int": ">i4", "long": ">i8", "float": ">f4", "double": ">f8"}
FEW = 16
"""Below so many rows the items of a long vector are walked one by one."""
REPEATED, LONGEST_LIKELY = 3, 128
"""So many lists are looked for in all rows before the others are read, none longer than so many bytes: most ACL lists are the same."""
_INLINE = 12  # bytes of a string view that stand in the view itself
_KEEP = np.array(
    [[(1 << 8 * min(max(held - word, 0), 4)) - 1 for word in (0, 4, 8)] for held in range(_INLINE + 1)], dtype="<u4"
)  # what to keep of the three words of a view that holds so many bytes
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
        for names, kinds in _groups(record):
            columns = self._fixed(kinds) if kinds[0] in DTYPES else [self.take(kinds[0])]
            found |= {prefix + name: column for name, column in zip(names, columns, strict=True)}
        return found

    def take(self, kind: jute.Type) -> Column:
        """The next field of that type in every row."""
        if isinstance(kind, jute.Vector):
            return self._items(kind.item)
        return self._fixed((kind,))[0] if kind in DTYPES else self._slices()

    def _fixed(self, kinds: Sequence[jute.Type]) -> list[npt.NDArray[Any]]:
        """Fields of fixed size that lie side by side."""
        dtype = _packed(tuple(str(kind) for kind in kinds))
        fits = self.ok & (self.end - self.at >= dtype.itemsize)
        if fits.any():
            whole = bool(fits.all())
            side_by_side = every(self.buffer, f"V{dtype.itemsize}")[self.at if whole else np.where(fits, self.at, 0)].view(dtype)
            found = [side_by_side[name].astype(side_by_side[name].dtype.newbyteorder("=")) for name in dtype.names or ()]
            for values in found if not whole else ():
                values[~fits] = 0
        else:
            found = [np.zeros(fits.size, dtype[place].newbyteorder("=")) for place in range(len(kinds))]
        self.ok = fits
        self.at = self.at + dtype.itemsize * fits
        return [values.astype(np.bool_) if kind == "boolean" else values for kind, values in zip(kinds, found, strict=True)]

    def _slices(self) -> Slices:
        length = self._fixed(("int",))[0].astype(np.int64)
        self.ok = self.ok & (length >= -1) & (length <= self.end - self.at)
        start = self.at
        length = np.where(self.ok, length, -1)
        self.at = start + np.maximum(length, 0)
        return Slices(start, length)

    def _items(self, item: jute.Type) -> Items:
        start = self.at
        count = self._fixed(("int",))[0].astype(np.int64)
        self.ok = self.ok & (count >= -1) & (count * max(reference.smallest(item), 1) <= self.end - self.at)
        found: list[tuple[Ints, Ints, Ints]] = []
        rows, index = np.flatnonzero(self.ok & (count > 0)), 0
        for _ in range(REPEATED):
            if rows.size > FEW:
                piece, rows = self._alike(item, start, count, rows)
                found.append(piece)
        while rows.size > FEW:
            found.append((rows, np.full(rows.size, index), self.at[rows]))
            self._skip(item, rows)
            index += 1
            rows = rows[self.ok[rows] & (count[rows] > index)]
        found += [self._walk(item, int(row), index, int(count[row])) for row in rows]
        row, number, at = (np.concatenate(part) for part in zip(*(found or [_nothing()]), strict=True))
        if len(found) > 1:
            order = np.argsort(row, kind="stable")  # of each row the items are in their order
            row, number, at = row[order], number[order], at[order]
        return Items(start, self.at.copy(), np.where(self.ok, count, -1), row, number, at)

    def _alike(self, item: jute.Type, start: Ints, count: Ints, rows: Ints) -> tuple[tuple[Ints, Ints, Ints], Ints]:
        """The items of the first of these rows and of all whose lists have the same bytes, and the other rows."""
        first, many = int(rows[0]), int(count[rows[0]])
        piece = self._walk(item, first, 0, many)
        size = int(self.at[first] - start[first])
        if not self.ok[first] or size > LONGEST_LIKELY:
            return piece, rows[1:]
        near = np.flatnonzero(self.end[rows] - start[rows] >= size)
        same = near[_as_first(self.buffer, start[rows[near]], size)]
        found, others = rows[same], np.ones(rows.size, dtype=np.bool_)
        others[same] = False
        self.at[found] = start[found] + size
        at = start[found][:, None] + (piece[2] - start[first])
        return (np.repeat(found, many), np.tile(piece[1], found.size), at.reshape(-1)), rows[others]

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


@cache
def _packed(kinds: tuple[str, ...]) -> np.dtype[Any]:
    """Fields of these types side by side, as one type: one gather for all of them."""
    return np.dtype([(f"field{place}", DTYPES[kind]) for place, kind in enumerate(kinds)])


@cache
def _groups(record: jute.Record) -> list[tuple[list[str], list[jute.Type]]]:
    """The names and types of the fields, nested ones flattened, those of fixed size that lie side by side together."""
    groups: list[tuple[list[str], list[jute.Type]]] = []
    for name, kind in _flat(record):
        if groups and kind in DTYPES and groups[-1][1][0] in DTYPES:
            groups[-1][0].append(name)
            groups[-1][1].append(kind)
        else:
            groups.append(([name], [kind]))
    return groups


def _flat(record: jute.Record) -> Iterator[tuple[str, jute.Type]]:
    for field in record.fields:
        if isinstance(field.type, jute.Record):
            yield from ((f"{field.name}.{name}", kind) for name, kind in _flat(field.type))
        else:
            yield field.name, field.type


def every(buffer: Bytes, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """A view of the numbers of that type at every position of the buffer, overlapping and not aligned."""
    kind = np.dtype(dtype)
    return np.ndarray(shape=(max(buffer.size - kind.itemsize + 1, 0),), dtype=kind, buffer=buffer, strides=(1,))


def gather(buffer: Bytes, at: Ints, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """The numbers of that (big-endian) type at these positions, in native byte order; all positions must fit."""
    kind = np.dtype(dtype)
    return every(buffer, kind)[at].astype(kind.newbyteorder("="))


def _as_first(buffer: Bytes, at: Ints, size: int) -> Flags:
    """Whether the same ``size`` bytes stand at these positions as at the first; never, where they end too near to the buffer's end."""
    words = (size + 7) // 8
    same = at <= buffer.size - 8 * words
    if same[0] and size:
        found = every(buffer, f"V{8 * words}")[at[same]].view("<u8").reshape(-1, words)
        found[:, -1] &= np.uint64((1 << 8 * ((size - 1) % 8 + 1)) - 1)
        same[same] = (found == found[0]).all(axis=1)
    else:
        same[1:] = size == 0
        same[0] = True
    return same


def each_distinct(buffer: Bytes, slices: Slices, what: Callable[[bytes], str | None]) -> pl.Series:
    """``what`` is made of the bytes in each slice, null for length -1; few of them differ."""
    made: list[str | None] = [None]
    rows, which = np.flatnonzero(slices.length >= 0), np.zeros(slices.length.size, dtype=np.int64)
    for _ in range(REPEATED):
        if rows.size > FEW and slices.length[rows[0]] <= LONGEST_LIKELY:
            begin, size = int(slices.start[rows[0]]), int(slices.length[rows[0]])
            same = slices.length[rows] == size
            same[same] = _as_first(buffer, slices.start[rows[same]], size)
            which[rows[same]] = len(made)
            made.append(what(buffer[begin : begin + size].tobytes()))
            rows = rows[~same]
    raw = taken_over(_views(buffer, Slices(slices.start[rows], slices.length[rows])))
    distinct = raw.unique()
    which[rows] = raw.replace_strict(distinct, range(len(made), len(made) + distinct.len()), return_dtype=pl.Int64).to_numpy()
    return pl.Series([*made, *map(what, distinct)], dtype=pl.String).gather(which)


def texts(buffer: Bytes, slices: Slices) -> pl.Series:
    """The strings of each slice, null for length -1; bytes that are not UTF-8 are decoded as ``reference.text`` does."""
    raw = taken_over(_views(buffer, slices))
    try:
        return raw.cast(pl.String) + ""  # which gives them memory of their own: the file may be closed, or change
    except pl.exceptions.PolarsError:
        return pl.Series([None if value is None else reference.text(value) for value in raw], dtype=pl.String)


def lists_of_texts(buffer: Bytes, counts: Ints, slices: Slices) -> pl.Series:
    """Lists of so many strings each, null for -1; the slices are the strings of all of them, one list after the other."""
    import pyarrow as pa

    strings = texts(buffer, slices).to_arrow()
    ends = np.concatenate([[0], np.cumsum(np.maximum(counts, 0))])
    valid = np.packbits(counts >= 0, bitorder="little")
    buffers = [pa.py_buffer(valid), pa.py_buffer(ends)]
    return taken_over(pa.Array.from_buffers(pa.large_list(strings.type), counts.size, buffers, children=[strings]))


def _views(buffer: Bytes, slices: Slices) -> Any:
    """The slices as an Arrow binary_view array over ``buffer``, without copying it."""
    import pyarrow as pa

    length = np.maximum(slices.length, 0)
    words = np.zeros((length.size, 4), dtype="<u4")
    words[:, 0] = length
    far = length > _INLINE
    _fill_far(words, buffer, slices.start, slice(None) if far.all() else np.flatnonzero(far))
    _fill_inline(words, buffer, slices.start, length, np.flatnonzero(~far & (length > 0)))
    parts = [pa.py_buffer(buffer[begin : begin + (1 << 32)]) for begin in range(0, buffer.size, 1 << _BUFFER_BITS)]
    valid = pa.py_buffer(np.packbits(slices.length >= 0, bitorder="little"))
    return pa.Array.from_buffers(pa.binary_view(), length.size, [valid, pa.py_buffer(words), *parts])


def _fill_far(words: npt.NDArray[np.uint32], buffer: Bytes, start: Ints, rows: Ints | slice) -> None:
    """Views of long strings: their first 4 bytes, and where they stand."""
    at = start[rows]
    words[rows, 1] = every(buffer, "<u4")[at]
    words[rows, 2] = at >> _BUFFER_BITS
    words[rows, 3] = at & ((1 << _BUFFER_BITS) - 1)


def _fill_inline(words: npt.NDArray[np.uint32], buffer: Bytes, start: Ints, length: Ints, rows: Ints) -> None:
    """Views of short strings: all their bytes."""
    inside = (start[rows] >= 4) & (start[rows] <= buffer.size - _INLINE)  # 16 bytes are gathered fastest: 4 before and 12 behind the start
    if inside.any():
        most = rows[inside]
        first = every(buffer, "V16")[start[most] - 4].view("<u4").reshape(-1, 4)
        words[most, 1:] = first[:, 1:] & _KEEP[length[most]]
    for row in rows[~inside]:
        words[row, 1:].view(np.uint8)[: length[row]] = buffer[start[row] : start[row] + length[row]]


def masked(columns: Mapping[str, tuple[npt.NDArray[Any], Flags]]) -> list[pl.Series]:
    """Integers or flags as series of these names, null where they are not valid."""
    import pyarrow as pa

    made = {name: pa.Array.from_buffers(*_buffers(values, valid)) for name, (values, valid) in columns.items()}
    return [taken_over(array).alias(name) for name, array in made.items()]


def _buffers(values: npt.NDArray[Any], valid: Flags) -> tuple[Any, int, list[Any]]:
    """Type, length and buffers of an Arrow array."""
    import pyarrow as pa

    bits = pa.py_buffer(np.packbits(valid, bitorder="little"))
    if values.dtype == np.bool_:
        return pa.bool_(), values.size, [bits, pa.py_buffer(np.packbits(values, bitorder="little"))]
    return pa.int64(), values.size, [bits, pa.py_buffer(values.astype(np.int64, copy=False))]


def _nothing() -> tuple[Ints, Ints, Ints]:
    return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64)
