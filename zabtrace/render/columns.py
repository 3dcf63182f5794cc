"""Long listings: millions of rows written from columns, a slice at a time.

Strategy: what ``wording.rows`` does row by row is done here by polars on whole columns; a test holds both to the same answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from zabtrace import wording

SLICE = 20_000
OBJECT = "fields"
"""A column of JSON objects as text: JSON has them as objects, the other formats as text."""
WIDEST = 200
"""So wide columns are padded; a longer text, such as a path of a megabyte, pushes only its own row aside."""


@dataclass(frozen=True)
class Rows:
    """Rows of a frame that are written as they are needed, and can be gone through more than once."""

    df: pl.DataFrame
    names: wording.Names

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for row in wording.rows(self.df, self.names):
            yield {**row, OBJECT: json.loads(row[OBJECT] or "null")} if OBJECT in row else row

    def ndjson(self) -> Iterator[str]:
        """One JSON object per line, some lines at a time."""
        if self.names.labels:  # sids are numbers, labels are text: no column holds both
            yield from (json.dumps(row) + "\n" for row in self)
            return
        for part in self.df.iter_slices(SLICE):
            yield _with_objects(part) if OBJECT in part.columns else wording.written(part).write_ndjson()

    def csv(self) -> Iterator[str]:
        """Comma-separated lines below a heading; lists are JSON."""
        yield self.df.clear().cast(pl.String).write_csv(line_terminator="\r\n")
        for part in self.df.iter_slices(SLICE):
            yield self._named(part).with_columns(_as_json(part)).write_csv(include_header=False, line_terminator="\r\n")

    def _named(self, part: pl.DataFrame) -> pl.DataFrame:
        """Written columns, servers by their names."""
        labels = {str(number): label for number, label in self.names.labels.items()}
        sids = [name for name in part.columns if name in wording.SERVERS and labels]
        return wording.written(part).with_columns(pl.col(name).cast(pl.String).replace(labels) for name in sids)

    def lines(self, columns: Sequence[str]) -> Iterator[str]:
        """These columns as text, padded per slice below their headings."""
        for part in self.df.select(columns).iter_slices(SLICE):
            texts = self._named(part).with_columns(
                pl.selectors.boolean().replace_strict({True: "yes", False: "no"}, return_dtype=pl.String)
            )
            shown = _plain(texts.select(pl.all().cast(pl.String).fill_null("")))
            longest = shown.select(pl.all().str.len_chars().max()).row(0)
            widths = {name: max(len(name), min(size or 0, WIDEST)) for name, size in zip(columns, longest, strict=True)}
            yield "  ".join(name.ljust(widths[name]) for name in columns).rstrip() + "\n"
            padded = pl.concat_str([pl.col(name).str.pad_end(widths[name]) for name in columns], separator="  ").str.strip_chars_end(" ")
            yield "\n".join(shown.select(padded).to_series()) + "\n"


def _with_objects(part: pl.DataFrame) -> str:
    """Rows whose objects stand last, as they are."""
    rows = pl.Series(
        "row", wording.written(part.drop(OBJECT)).write_ndjson().removesuffix("\n").split("\n") if part.height else [], dtype=pl.String
    )
    whole = pl.concat_str(rows.str.strip_suffix("}"), pl.lit(f',"{OBJECT}":'), part[OBJECT].fill_null("null"), pl.lit("}\n"))
    return "".join(pl.select(whole).to_series())


def _as_json(part: pl.DataFrame) -> list[pl.Series]:
    """The list columns as JSON texts."""
    nested = [series for series in part.get_columns() if series.dtype.is_nested()]
    return [
        pl.Series(one.name, [None if value is None else json.dumps(value) for value in one.to_list()], dtype=pl.String) for one in nested
    ]


def _plain(texts: pl.DataFrame) -> pl.DataFrame:
    """Texts with control characters made visible; only the few that hold one leave the columns."""
    return texts.with_columns(
        pl.when(pl.col(name).str.contains(wording.CONTROL.pattern))
        .then(pl.col(name).map_elements(wording.plain, pl.String))
        .otherwise(name)
        for name in texts.columns
        if texts[name].str.contains(wording.CONTROL.pattern).any()
    )
