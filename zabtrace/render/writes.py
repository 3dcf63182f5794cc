"""Judged writes by the million: written part by part, from columns, as ``documents.verify`` writes them row by row.

Strategy: nearly every write survived, is no multi, and has one record as its evidence: those are written by polars; the others row by row.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from zabtrace import documents, schema, wording
from zabtrace.render.columns import SLICE, Rows
from zabtrace.render.views import View

_RECORD = pl.Struct({"source": schema.TEXT, "offset": schema.INT, "says": schema.TEXT})


@dataclass(frozen=True)
class Writes(Rows):
    """Rows of WRITES without their payload's hash."""

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (documents.write(row) for row in wording.rows(self.df, self.names))

    def ndjson(self) -> Iterator[str]:
        """One JSON object per line, some lines at a time."""
        for part in self.df.iter_slices(SLICE):
            yield from _lines(part, self.names)


@dataclass(frozen=True)
class Parts(Rows):
    """Rows of WRITES that come in parts, to be written once."""

    frames: Iterable[pl.DataFrame] = field(default=())

    def ndjson(self) -> Iterator[str]:
        """One JSON object per line, some lines at a time."""
        for frame in self.frames:
            yield from Writes(frame.drop("payload_hash"), self.names).ndjson()


def part(frame: pl.DataFrame, names: wording.Names, hidden: int = 0) -> View:
    """Some writes as a part of a listing."""
    return View({"format": documents.FORMAT, "writes": Writes(frame.drop("payload_hash"), names), "hidden": hidden}, "writes", [], frame)


def _lines(df: pl.DataFrame, names: wording.Names) -> Iterator[str]:
    """The lines of some rows: those written by polars, and the others between them."""
    plain = df.select(_is_plain()).to_series() if not names.labels else pl.repeat(False, df.height, eager=True)
    written = iter(_columns(df.filter(plain)))
    others = wording.rows(df.filter(~plain), names)
    lines = [next(written) if simple else json.dumps(documents.write(next(others))) for simple in plain]
    if lines:
        yield "\n".join(lines) + "\n"


def _is_plain() -> pl.Expr:
    item = pl.col("evidence").list.first().struct
    one = (pl.col("evidence").list.len() == 1) & item.field("line").is_null()
    return (
        one & pl.all_horizontal(item.field(name).is_not_null() for name in ("source", "offset", "says")) & (pl.col("op") != "multi")
    ).fill_null(value=False)


def _columns(df: pl.DataFrame) -> list[str]:
    item = pl.col("evidence").list.first().struct
    record = pl.struct(item.field("source"), item.field("offset"), item.field("says"))
    shown = wording.written(df.drop("ops").with_columns(evidence=pl.concat_list(record).cast(pl.List(_RECORD))))
    return shown.write_ndjson().splitlines() if df.height else []
