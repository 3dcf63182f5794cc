"""Distinct strings of a log with a number each: what is read once per string instead of once per line.

Strategy: polars' categories hash a column in one pass; they are private to one batch of a log and go with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

Codes = npt.NDArray[np.uint32]


@dataclass
class Distinct:
    """A growing table of distinct strings, numbered from 0 in the order in which they are met."""

    count: int = 0
    bytes: int = 0
    _categories: pl.Categories = field(default_factory=pl.Categories.random)
    _held: pl.Series | None = None
    """A series of these categories: polars forgets their strings with the last one."""

    def add(self, texts: pl.Series) -> tuple[Codes, pl.Series]:
        """The number of each string, and those that are new, in the order of their numbers (copies, which hold no block)."""
        codes, places, coded = self._add(texts)
        return codes, coded.gather(places).cast(pl.String)

    def places(self, texts: pl.Series) -> tuple[Codes, npt.NDArray[np.int64]]:
        """The number of each string, and where those that are new stand first, in the order of their numbers."""
        codes, places, _ = self._add(texts)
        return codes, places

    def _add(self, texts: pl.Series) -> tuple[Codes, npt.NDArray[np.int64], pl.Series]:
        coded = texts.cast(pl.Categorical(self._categories))
        self._held = coded[:0] if self._held is None else self._held
        codes = coded.to_physical().to_numpy().astype(np.uint32, copy=False)
        fresh = np.flatnonzero(codes >= self.count)
        if not len(fresh):
            return codes, fresh, coded
        first = np.zeros(int(codes[fresh].max()) + 1 - self.count, np.int64)
        first[codes[fresh[::-1]] - self.count] = fresh[::-1]
        self.count += len(first)
        self.bytes += int(texts.gather(first).str.len_bytes().sum())
        return codes, first, coded
