"""How often each distinct rest of a batch was met, in records and in lines: all that is kept where records are only counted."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from zabtrace.logs.distinct import Codes
from zabtrace.logs.text import Places

Ints = npt.NDArray[np.int64]


@dataclass
class Counts:
    """Per number of a rest: its records, their further lines, and the place of its last record among all (0: it has none)."""

    records: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    continued: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    last: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    _met: int = 0

    def add(self, codes: Codes, sizes: Places, known: int) -> None:
        """Count records by the numbers of their rests, of which ``known`` are known, and their physical lines."""
        self.grow(known)
        self.records += np.bincount(codes, minlength=known)
        longer = sizes > 1
        self.continued += np.bincount(codes[longer], sizes[longer] - 1, known).astype(np.int64)
        self.last[codes] = np.arange(self._met + 1, self._met + 1 + len(codes))
        self._met += len(codes)

    def grow(self, known: int) -> None:
        """Have a place for every rest."""
        missing = np.zeros(known - len(self.records), np.int64)
        self.records, self.continued, self.last = (np.append(one, missing) for one in (self.records, self.continued, self.last))
