"""Lines that begin no record: continuations, lines that belong to no record, and damaged ones; read once per distinct text."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from zabtrace.grammar.layouts import raw
from zabtrace.logs.distinct import Codes, Distinct

CONTINUATION, RAW, DAMAGED, SPLICED = range(4)
_LEVELS = "(?:TRACE|DEBUG|INFO|WARN|ERROR|FATAL)"
_STOCK_HEAD = rf"(?:\[myid:[^\]]*\] )?- {_LEVELS} +\["
_CUT_HEAD = r"@[0-9]+\](?:\[[^\]]*\])? - "
_CUT_VOTE = r"\A[^\t]*(?:\(n\.(?:leader|zxid|round|state|sid|peerE[pP]och)\)|n\.(?:leader|round|peerEpoch):[-0x])"
_CUT_END = r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9:]{8}[,.][0-9]{3}(?:\z| \z| -| \[myid)"
_UNREADABLE = "[\\x00\ufffd]"
EMBEDDED = rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}} [0-9:]{{8}}[,.][0-9]{{3}} {_STOCK_HEAD}[^@]*@(?:[0-9]+|[?])\] -"
"""A whole head within a line: two processes wrote into one file, or something unknown stands in front of it."""


def _class(texts: pl.Series) -> pl.Series:
    """What each line is, the later of these tests first."""
    damaged = texts.str.contains(_UNREADABLE) | texts.str.contains(_CUT_HEAD) | texts.str.contains(_CUT_VOTE) | texts.str.contains(_CUT_END)
    table = pl.DataFrame({"raw": texts.str.contains(raw()), "damaged": damaged, "spliced": texts.str.contains(EMBEDDED)})
    chosen = pl.when("spliced").then(SPLICED).when("damaged").then(DAMAGED).when("raw").then(RAW).otherwise(CONTINUATION)
    return table.select(chosen.cast(pl.UInt8)).to_series()


@dataclass
class Others:
    """The distinct lines of one batch that begin no record."""

    texts: Distinct = field(default_factory=Distinct)
    known: list[pl.Series] = field(default_factory=lambda: [pl.Series([], dtype=pl.String)])
    _classes: npt.NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))

    def add(self, lines: pl.Series) -> tuple[Codes, npt.NDArray[np.uint8]]:
        """The number of each line, and what it is."""
        codes, new = self.texts.add(lines)
        if new.len():
            self.known.append(new)
            self._classes = np.concatenate([self._classes, _class(new).to_numpy()])
        return codes, self._classes[codes]

    def all(self) -> pl.Series:
        """The lines by their numbers."""
        return pl.concat(self.known)
