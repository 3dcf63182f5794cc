"""Heads of records, what stands in front of the message: level, thread, logger and myid, read once per distinct head.

Strategy: heads differ in numbers above all (ports, addresses, counters in thread names), and a layout takes every digit for any other.
So the pattern reads heads whose digits are all 0, of which few are distinct, and says where the fields are; they are cut out there.
Where records are only counted, threads that do not name a server need not be told apart: heads that differ there alone are one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from zabtrace.grammar.layouts import Layout
from zabtrace.logs.distinct import Codes, Distinct
from zabtrace.logs.identity import of_threads, speaking
from zabtrace.logs.loggers import is_foreign
from zabtrace.logs.text import Block, Places

NONE = np.iinfo(np.uint32).max
"""The number of no head."""
FIELDS = ("level", "thread", "logger", "myid")
WRITTEN = {"layout": pl.String, **dict.fromkeys(FIELDS, pl.String)}
THREAD = FIELDS.index("thread")
_SID = r"\A(?:\[myid:)?([0-9]+)\]?\z"
"""Of a myid field: a number alone, since clients in the same JVM put the server they talk to there (``[myid:localhost:2281]``)."""
ZERO = ord("0")
_ZEROS = bytes(ZERO if ord("0") <= byte <= ord("9") else byte for byte in range(256))


@dataclass
class Heads:
    """The distinct heads of one batch, numbered from 0."""

    threads: bool = True
    """Are the names of all threads wanted?"""
    count: int = 0
    bytes: int = 0
    _frames: list[pl.DataFrame] = field(default_factory=lambda: [pl.DataFrame(schema=WRITTEN)])
    _forms: dict[str, _Forms] = field(default_factory=dict)
    _whole: dict[str, _Texts] = field(default_factory=dict)
    _rows: Distinct = field(default_factory=Distinct)

    def of_texts(self, heads: Block, layout: Layout) -> Codes:
        """The number of each head (a line of ``heads``), NONE where it is none of that layout (which has a pattern of heads)."""
        forms = self._forms.setdefault(layout.name, _Forms(re.compile((layout.head or "").replace(r"\z", r"\Z"))))
        codes = forms.add(_zeroed(heads))
        numbers = np.full(heads.height, NONE, np.uint32)
        read = forms.places[codes, 0, 0] >= 0
        alike = read & forms.alike[codes] if not self.threads else np.zeros(heads.height, np.bool_)
        for rows, numbered in ((np.flatnonzero(alike), self._of_forms), (np.flatnonzero(read & ~alike), self._of_wholes)):
            if len(rows):
                numbers[rows] = numbered(heads, rows, codes[rows], forms, layout)
        return numbers

    def _of_forms(self, heads: Block, rows: Places, codes: Codes, forms: _Forms, layout: Layout) -> Codes:
        """Numbers of heads by their form and what stands in front of their thread."""
        starts = heads.starts[rows]
        before, new = forms.before.add(heads.text(starts, starts + forms.places[codes, THREAD, 0]))
        keys: Any = pa.array(codes.astype(np.int64) << 32 | before).dictionary_encode()
        distinct = keys.dictionary.to_pylist()
        fresh = [at for at, key in enumerate(distinct) if key not in forms.numbers]
        if fresh:
            first = np.zeros(len(distinct), np.int64)
            indices = keys.indices.to_numpy()
            first[indices[::-1]] = np.arange(len(indices))[::-1]
            at = first[fresh]
            frame = _cut(heads, rows[at], forms.places[codes[at]], layout)
            for key, number in zip((distinct[at] for at in fresh), self._add(frame), strict=True):
                forms.numbers[key] = int(number)
        self.bytes += int(new.str.len_bytes().sum())
        numbers: Codes = np.array([forms.numbers[key] for key in distinct], np.uint32)[keys.indices.to_numpy()]
        return numbers

    def _of_wholes(self, heads: Block, rows: Places, codes: Codes, forms: _Forms, layout: Layout) -> Codes:
        """Numbers of heads by all that they say."""
        known = self._whole.setdefault(layout.name, _Texts())
        texts, places = known.distinct.places(heads.text(heads.starts[rows], heads.ends[rows]))
        if len(places):
            known.numbers = np.concatenate([known.numbers, self._add(_cut(heads, rows[places], forms.places[codes[places]], layout))])
            self.bytes += int((heads.ends - heads.starts)[rows[places]].sum())
        return known.numbers[texts]

    def of_rows(self, rows: pl.DataFrame) -> Codes:
        """The number of each head that is given by its fields (columns of WRITTEN)."""
        keys = rows.select(pl.concat_str(pl.all().fill_null("\0"), separator="\x1f")).to_series()
        codes, places = self._rows.places(keys)
        known = self._whole.setdefault("", _Texts())
        known.numbers = np.concatenate([known.numbers, self._add(rows[places].select(*WRITTEN))])
        return known.numbers[codes]

    def _add(self, frame: pl.DataFrame) -> Codes:
        self._frames.append(frame)
        self.count += frame.height
        return np.arange(self.count - frame.height, self.count, dtype=np.uint32)

    def table(self) -> pl.DataFrame:
        """By their numbers: layout, level, thread, logger (its last part), my_sid, thread_sid, and whether it is another program's."""
        table = pl.concat(self._frames)
        names = table["logger"].unique().drop_nulls().to_list()
        known = pl.DataFrame({
            "name": pl.Series(names, dtype=pl.String), "last": pl.Series([name.rpartition(".")[2] for name in names], dtype=pl.String),
            "foreign": pl.Series(map(is_foreign, names), dtype=pl.Boolean),
        })  # fmt: skip
        last, foreign = (pl.col("logger").replace_strict(known["name"], known[to], default=None) for to in ("last", "foreign"))
        my_sid = pl.col("myid").str.extract(_SID).cast(pl.Int64, strict=False).alias("my_sid")
        return table.select(
            "layout", "level", "thread", last.alias("logger"), foreign.fill_null(False).alias("foreign"), my_sid,
            of_threads(table["thread"]).alias("thread_sid"),
        )  # fmt: skip


@dataclass
class _Texts:
    """Distinct texts of heads, and the number of each."""

    distinct: Distinct = field(default_factory=Distinct)
    numbers: Codes = field(default_factory=lambda: np.empty(0, np.uint32))


@dataclass
class _Forms:
    """Distinct heads whose digits are all 0, and where each one's fields are."""

    pattern: re.Pattern[str]
    distinct: Distinct = field(default_factory=Distinct)
    before: Distinct = field(default_factory=Distinct)
    """What stands in front of the thread."""
    numbers: dict[int, int] = field(default_factory=dict)
    """The number of a head by its form and what stands in front of its thread."""
    places: Places = field(default_factory=lambda: np.zeros((0, len(FIELDS), 2), np.int64))
    alike: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    """Does a head of that form differ from another one only in front of its thread, and in a thread that names no server?"""

    def add(self, heads: pl.Series) -> Codes:
        """The form of each head."""
        codes, new = self.distinct.add(heads)
        if new.len():
            texts = new.to_list()
            places = np.array([_places(self.pattern, text) for text in texts], np.int64).reshape(len(texts), len(FIELDS), 2)
            raw = [text.encode() for text in texts]
            begin, end = places[:, THREAD, 0], places[:, THREAD].sum(axis=1)
            threads = [text[first:last].decode() for text, first, last in zip(raw, begin, end, strict=True)]
            same = np.array([ZERO not in text[last:] for text, last in zip(raw, end, strict=True)], np.bool_)
            silent = ~speaking(pl.Series(threads, dtype=pl.String)).to_numpy()
            self.alike = np.append(self.alike, (begin >= 0) & same & silent)
            self.places = np.concatenate([self.places, places])
        return codes


def _zeroed(heads: Block) -> pl.Series:
    """The heads with 0 for every digit."""
    texts: Any = heads.text(heads.starts, heads.ends).to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offsets, held = texts.buffers()
    zeros = pa.py_buffer((held.to_pybytes() if held is not None else b"").translate(_ZEROS))
    return pl.Series(pl.from_arrow(pa.LargeStringArray.from_buffers(heads.height, offsets, zeros)), dtype=pl.String)


def _cut(heads: Block, rows: Places, places: Places, layout: Layout) -> pl.DataFrame:
    """The fields of some heads; ``places`` says where they are in each."""
    columns: dict[str, Any] = {"layout": pl.lit(layout.name)}
    for of, name in enumerate(FIELDS):
        begin = heads.starts[rows] + places[:, of, 0]
        there = places[:, of, 0] >= 0
        texts = heads.text(np.where(there, begin, 0), np.where(there, begin + places[:, of, 1], 0))
        columns[name] = pl.when(pl.lit(pl.Series(there))).then(pl.lit(texts))
    frame: pl.DataFrame = pl.select(**columns)
    return frame


def _places(pattern: re.Pattern[str], text: str) -> list[tuple[int, int]]:
    """Where each field begins in the bytes of a head, and how long it is; -1 where it is not there."""
    found = pattern.match(text)
    spans = [found.span(name) if found is not None and name in pattern.groupindex else (-1, -1) for name in FIELDS]
    return [(len(text[:begin].encode()), len(text[begin:end].encode())) if begin >= 0 else (-1, 0) for begin, end in spans]
