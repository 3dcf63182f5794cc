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
        coded = texts.cast(pl.Categorical(self._categories))
        self._held = coded[:0] if self._held is None else self._held
        codes = coded.to_physical().to_numpy().astype(np.uint32, copy=False)
        fresh = np.flatnonzero(codes >= self.count)
        if not len(fresh):
            return codes, pl.Series([], dtype=pl.String)
        numbers, first = np.unique(codes[fresh], return_index=True)
        new = coded.gather(fresh[first]).cast(pl.String)
        self.count += len(numbers)
        self.bytes += int(new.str.len_bytes().sum())
        return codes, new
