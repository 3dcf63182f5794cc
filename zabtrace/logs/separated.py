"""Lines of CSV, as Kibana, Splunk, CloudWatch and Grafana export logs: a row holds a record, or a line of one, in one of its columns.

Strategy: the first line names the columns; the text is the first of those that such exports call it. A row may go on over several
lines, within quotes. What follows no row of that form is handed on as it is.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from zabtrace.logs.structured import TEXT, Row
from zabtrace.logs.text import LINES, LONGEST

TEXTS = (*TEXT, "@message", "Message", "Line", "_source", "Content", "content", "Event", "event", "value")
ORIGINS = (
    "kubernetes.pod_name",
    "kubernetes.pod.name",
    "pod",
    "host.name",
    "host",
    "Host",
    "hostname",
    "@logStream",
    "logStreamName",
    "Service",
)
SPREAD = 2000
"""Lines that one row may be spread over."""


def heading(line: str) -> list[str] | None:
    """The columns that a line names, where one of them holds the text of logs."""
    names = _cells(line.removeprefix("\ufeff"))
    return names if names is not None and len(names) > 1 and any(name in TEXTS for name in names) else None


def _cells(text: str) -> list[str] | None:
    """The cells of one whole row; None where its quotes do not end."""
    if text.count('"') % 2:
        return None
    try:
        rows = list(csv.reader([text], strict=True))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else None


@dataclass
class Separated:
    """The step that reads such lines."""

    name: str = "csv"
    utc: bool = False
    _columns: list[str] = field(default_factory=list)
    _open: list[Row] = field(default_factory=list)
    _quoted: bool = False
    """Have the lines of the open row an odd number of quotes: does a cell go on?"""
    _held: int = 0
    """Characters of the open row; from LONGEST on it is handed out as it stands."""

    def peel(self, lines: pl.DataFrame) -> pl.DataFrame:
        """What the rows hold; the heading is left out of it, as the first line of the first record."""
        found: list[Row] = []
        for row in lines.iter_rows():
            if not self._columns and (named := heading(row[0])) is not None:
                self._columns = named
                found.append(("", *row[1:]))
            else:
                found += self._row(row)
        return pl.DataFrame(found, schema=LINES, orient="row")

    def _row(self, row: Row) -> list[Row]:
        self._open.append(row)
        self._quoted ^= row[0].count('"') % 2 == 1
        self._held += len(row[0])
        if self._quoted and len(self._open) <= SPREAD and self._held < LONGEST:
            return []
        given = self._given_up()
        cells = _cells("\n".join(piece[0] for piece in given))
        if cells is None or len(cells) != len(self._columns):
            return given
        _, number, _, origin, outer = given[0]
        weight = sum(piece[2] for piece in given)
        return [(self._cell(cells, TEXTS) or "", number, weight, self._cell(cells, ORIGINS) or origin, outer)]

    def _cell(self, cells: Sequence[str], names: Sequence[str]) -> str | None:
        at = next((self._columns.index(name) for name in names if name in self._columns), None)
        return None if at is None else cells[at].rstrip("\r\n")

    def rest(self) -> pl.DataFrame:
        """A row whose end never came, as it stands."""
        return pl.DataFrame(self._given_up(), schema=LINES, orient="row")

    def _given_up(self) -> list[Row]:
        given, self._open, self._quoted, self._held = self._open, [], False, 0
        return given
