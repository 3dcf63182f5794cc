"""Lines that begin no record: continuations, lines that belong to no record, and damaged ones; read once per distinct text.

Strategy: most of them are stack traces, of which few are distinct. So lines that stand one below the other are looked up as one text.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from zabtrace.grammar.layouts import raw
from zabtrace.logs.distinct import Codes, Distinct
from zabtrace.logs.text import RETURN, Block, Places

CONTINUATION, RAW, DAMAGED, SPLICED = range(4)
_LEVELS = "(?:TRACE|DEBUG|INFO|WARN|ERROR|FATAL)"
_STOCK_HEAD = rf"(?:\[myid:[^\]]*\] )?- {_LEVELS} +\["
_CUT_HEAD = r"@[0-9]+\](?:\[[^\]]*\])? - "
_CUT_VOTE = r"\A[^\t]*(?:\(n\.(?:leader|zxid|round|state|sid|peerE[pP]och)\)|n\.(?:leader|round|peerEpoch):[-0x])"
_CUT_STAMP = r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[ T](?:[0-9:]{0,8}|[0-9:]{8}[,.][0-9]{0,2}))?\z"
_CUT_END = r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9:]{8}[,.][0-9]{3}(?:\z| \z| -| \[myid)"
_UNREADABLE = "[\\x00\ufffd]"
EMBEDDED = rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}} [0-9:]{{8}}[,.][0-9]{{3}} {_STOCK_HEAD}[^@]*@(?:[0-9]+|[?])\] -"
"""A whole head within a line: two processes wrote into one file, or something unknown stands in front of it."""


def _class(texts: pl.Series) -> pl.Series:
    """What each line is, the later of these tests first."""
    damaged = (
        texts.str.contains(_UNREADABLE)
        | texts.str.contains(_CUT_HEAD)
        | texts.str.contains(_CUT_VOTE)
        | texts.str.contains(f"{_CUT_STAMP}|{_CUT_END}")
    )
    table = pl.DataFrame({"raw": texts.str.contains(raw()), "damaged": damaged, "spliced": texts.str.contains(EMBEDDED)})
    chosen = pl.when("spliced").then(SPLICED).when("damaged").then(DAMAGED).when("raw").then(RAW).otherwise(CONTINUATION)
    return table.select(chosen.cast(pl.UInt8)).to_series()


@dataclass
class Others:
    """The distinct lines of one batch that begin no record."""

    texts: Distinct = field(default_factory=Distinct)
    known: list[pl.Series] = field(default_factory=lambda: [pl.Series([], dtype=pl.String)])
    _classes: npt.NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))
    _runs: Distinct = field(default_factory=Distinct)
    _lines: Codes = field(default_factory=lambda: np.zeros(0, np.uint32))
    """The numbers of the lines of every distinct run, one run behind the other."""
    _begins: Places = field(default_factory=lambda: np.zeros(0, np.int64))
    """Where each run's lines begin there."""

    @property
    def bytes(self) -> int:
        """Bytes of the texts that are held."""
        return self.texts.bytes + self._runs.bytes

    def of_rows(self, block: Block, rows: Places) -> tuple[Codes, npt.NDArray[np.uint8]]:
        """The number of each of these lines of a block (ascending), and what it is."""
        first = np.flatnonzero(~_follows(block, rows))
        if 2 * len(first) > len(rows):
            return self.add(block.text(block.starts[rows], block.ends[rows]))
        sizes = np.diff(np.append(first, len(rows)))
        runs, new = self._runs.places(block.text(block.starts[rows[first]], block.ends[rows[first + sizes - 1]]))
        if len(new):
            inner = rows[spread(first[new], sizes[new])]
            lines, _ = self.add(block.text(block.starts[inner], block.ends[inner]))
            self._begins = np.append(self._begins, len(self._lines) + np.cumsum(sizes[new]) - sizes[new])
            self._lines = np.append(self._lines, lines)
        codes = self._lines[spread(self._begins[runs], sizes)]
        return codes, self._classes[codes]

    def add(self, lines: pl.Series) -> tuple[Codes, npt.NDArray[np.uint8]]:
        """The same for a column of texts."""
        codes, new = self.texts.add(lines)
        if new.len():
            self.known.append(new)
            self._classes = np.concatenate([self._classes, _class(new).to_numpy()])
        return codes, self._classes[codes]

    def all(self) -> pl.Series:
        """The lines by their numbers."""
        return pl.concat(self.known)


def _follows(block: Block, rows: Places) -> npt.NDArray[np.bool_]:
    """Does each line stand right below the one before, with nothing but the end of a line between them?"""
    gaps = block.starts[rows[1:]] - block.ends[rows[:-1]]
    ends = (gaps == 1) | ((gaps == 2) & (block.data[block.ends[rows[:-1]]] == RETURN))
    return np.append(np.zeros(min(1, len(rows)), np.bool_), ends & (np.diff(rows) == 1))


def spread(begins: Places, sizes: Places) -> Places:
    """The numbers from each begin on, so many as its size.

    >>> spread(np.array([7, 0]), np.array([2, 3])).tolist()
    [7, 8, 0, 1, 2]
    """
    numbers: Places = np.arange(sizes.sum()) + np.repeat(begins - (np.cumsum(sizes) - sizes), sizes)
    return numbers
