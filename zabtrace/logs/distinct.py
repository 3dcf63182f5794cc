"""Strings of a log with a number each: what is read once per string instead of once per line.

Strategy: polars' categories hash a column in one pass; they are private to one batch of a log and go with it. Columns that repeat little
are left as they are, every row with a number of its own: to look each of them up costs more than to read a few twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

Codes = npt.NDArray[np.uint32]
SAMPLE = 1000
"""Rows that are looked at, spread over a column."""
VARIED = 0.6
"""Share of distinct ones among them from which on no number is given twice."""


@dataclass
class Distinct:
    """A growing table of strings, numbered from 0 in the order in which they are met; most of them are distinct."""

    count: int = 0
    bytes: int = 0
    _categories: pl.Categories = field(default_factory=pl.Categories.random)
    _held: pl.Series | None = None
    """A series of these categories: polars forgets their strings with the last one."""
    _numbers: Codes = field(default_factory=lambda: np.zeros(0, np.uint32))
    """Of the categories."""

    def add(self, texts: pl.Series) -> tuple[Codes, pl.Series]:
        """The number of each string, and those that are new, in the order of their numbers (copies, where they are few)."""
        codes, places, copied = self._add(texts)
        return codes, copied.gather(places).cast(pl.String) if len(places) else texts.clear()

    def places(self, texts: pl.Series) -> tuple[Codes, npt.NDArray[np.int64]]:
        """The number of each string, and where those that are new stand first, in the order of their numbers."""
        codes, places, _ = self._add(texts)
        return codes, places

    def _add(self, texts: pl.Series) -> tuple[Codes, npt.NDArray[np.int64], pl.Series]:
        """Numbers, places, and the strings once more, in this table's memory instead of the block's."""
        if varied(texts):
            codes, places, held = self._next(texts.len()), np.arange(texts.len()), texts
        else:
            codes, places, held = self._distinct(texts)
        if len(places):
            self.bytes += int(texts.gather(places).str.len_bytes().sum())
        return codes, places, held

    def _distinct(self, texts: pl.Series) -> tuple[Codes, npt.NDArray[np.int64], pl.Series]:
        coded = texts.cast(pl.Categorical(self._categories))
        self._held = coded[:0] if self._held is None else self._held
        known = len(self._numbers)
        codes = coded.to_physical().to_numpy().astype(np.uint32, copy=False)
        fresh = np.flatnonzero(codes >= known)
        if len(fresh):
            first = np.zeros(int(codes[fresh].max()) + 1 - known, np.int64)
            first[codes[fresh[::-1]] - known] = fresh[::-1]
            self._numbers = np.concatenate([self._numbers, self._next(len(first))])
            fresh = first
        return self._numbers[codes], fresh, coded

    def _next(self, count: int) -> Codes:
        self.count += count
        return np.arange(self.count - count, self.count, dtype=np.uint32)


def varied(texts: pl.Series, share: float | None = None) -> bool:
    """Do the strings of a column repeat little: is more than that share of some of them distinct?"""
    sample = texts.gather_every(max(1, texts.len() // SAMPLE))
    return sample.len() >= SAMPLE and sample.n_unique() > (VARIED if share is None else share) * sample.len()
