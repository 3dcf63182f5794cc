"""Heads of records, what stands in front of the message: level, thread, logger and myid, read once per distinct head.

Strategy: heads differ in numbers above all (ports, addresses, counters in thread names), and a layout takes every digit for any other.
So the pattern reads heads whose digits are all 0, of which few are distinct, and says where the fields are; they are cut out there.
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
from zabtrace.logs.identity import of_threads
from zabtrace.logs.loggers import is_foreign

NONE = np.iinfo(np.uint32).max
"""The number of no head."""
FIELDS = ("level", "thread", "logger", "myid")
WRITTEN = {"layout": pl.String, **dict.fromkeys(FIELDS, pl.String)}
ZERO, _DIGITS = ord("0"), 10


@dataclass
class Heads:
    """The distinct heads of one batch, numbered from 0."""

    count: int = 0
    bytes: int = 0
    _frames: list[pl.DataFrame] = field(default_factory=lambda: [pl.DataFrame(schema=WRITTEN)])
    _texts: dict[str, _Texts] = field(default_factory=dict)
    _rows: Distinct = field(default_factory=Distinct)

    def of_texts(self, texts: pl.Series, layout: Layout) -> Codes:
        """The number of each head, NONE where it is none of that layout (which has a pattern of heads)."""
        known = self._texts.setdefault(layout.name, _Texts())
        codes, new = known.distinct.add(texts)
        if new.len():
            frame = _parted(new, layout)
            read = frame["level"].is_not_null().to_numpy()
            numbers = np.full(new.len(), NONE, np.uint32)
            numbers[read] = self._add(frame.filter(read))
            known.numbers = np.concatenate([known.numbers, numbers])
            self.bytes += int(new.str.len_bytes().sum())
        return known.numbers[codes]

    def of_rows(self, rows: pl.DataFrame) -> Codes:
        """The number of each head that is given by its fields (columns of WRITTEN)."""
        keys = rows.select(pl.concat_str(pl.all().fill_null("\0"), separator="\x1f")).to_series()
        codes, places = self._rows.places(keys)
        known = self._texts.setdefault("", _Texts())
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
        my_sid = pl.col("myid").str.extract(r"([0-9]+)\]?\z").cast(pl.Int64, strict=False).alias("my_sid")
        return table.select(
            "layout", "level", "thread", last.alias("logger"), foreign.fill_null(False).alias("foreign"), my_sid,
            of_threads(table["thread"]).alias("thread_sid"),
        )  # fmt: skip


@dataclass
class _Texts:
    """Distinct texts of heads, and the number of each."""

    distinct: Distinct = field(default_factory=Distinct)
    numbers: Codes = field(default_factory=lambda: np.empty(0, np.uint32))


def _parted(heads: pl.Series, layout: Layout) -> pl.DataFrame:
    """Heads by their fields, null where the layout does not read them."""
    alike, back = _alike(heads)
    pattern = re.compile((layout.head or "").replace(r"\z", r"\Z"))
    places = np.array([_places(pattern, text) for text in alike], np.int64).reshape(len(alike), len(FIELDS), 2)[back]
    frame = pl.DataFrame(
        {"raw": heads.cast(pl.Binary), **{f"{name}_{at}": places[:, of, at] for of, name in enumerate(FIELDS) for at in (0, 1)}}
    )
    cut = [
        pl.when(pl.col(f"{name}_0") >= 0).then(pl.col("raw").bin.slice(f"{name}_0", f"{name}_1")).cast(pl.String).alias(name)
        for name in FIELDS
    ]
    return frame.select(pl.lit(layout.name).alias("layout"), *cut)


def _alike(heads: pl.Series) -> tuple[list[str], npt.NDArray[np.uint32]]:
    """The distinct heads whose digits are all 0, and the place of each head's among them."""
    column: Any = heads.rechunk().to_arrow()
    _, offsets, held = column.cast(pa.large_string()).buffers()
    data = np.frombuffer(held or b"", np.uint8)
    zeros = pa.py_buffer(np.where(data - np.uint8(ZERO) < _DIGITS, np.uint8(ZERO), data))
    codes, distinct = Distinct().add(pl.Series(pl.from_arrow(pa.LargeStringArray.from_buffers(heads.len(), offsets, zeros))))
    return distinct.to_list(), codes


def _places(pattern: re.Pattern[str], text: str) -> list[tuple[int, int]]:
    """Where each field begins in the bytes of a head, and how long it is; -1 where it is not there."""
    found = pattern.match(text)
    spans = [found.span(name) if found is not None and name in pattern.groupindex else (-1, -1) for name in FIELDS]
    return [(len(text[:begin].encode()), len(text[begin:end].encode())) if begin >= 0 else (-1, 0) for begin, end in spans]
