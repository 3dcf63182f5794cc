"""Where a line stands in its server's logs, as one number: ``order`` of the file and line in it.

Strategy: whatever happens on one server is ordered by ``at``; nothing compares the ``at`` of two servers. ``Lines`` finds the lines
of a kind by an index made once, for replay asks for many kinds and most lines are of none of them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl

from zabtrace import schema
from zabtrace.evidence.trace import Trace

_FILE = 1 << 32
_PLACE = ("server", "source", "order", "line", "time", "kind")
"""What every event is told with."""


def placed(lines: pl.DataFrame) -> pl.DataFrame:
    """The same rows with ``at`` (Int64), in order per server."""
    order = pl.col("order").fill_null(0)
    return lines.with_columns((order * _FILE + pl.col("line").fill_null(0)).alias("at")).sort("server", "at")


def within(rows: pl.DataFrame, spans: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """Each row with ``columns`` of the last span of its server that begins at or before it (null before the first)."""
    known = spans.drop_nulls(["server", "at"]).sort("server", "at")
    servers, at = known["server"].to_numpy(), known["at"].to_numpy()
    whose, where = rows["server"].fill_null(_NOBODY).to_numpy(), rows["at"].to_numpy()
    found = np.full(rows.height, known.height)
    for server in np.unique(servers):
        first, last = np.searchsorted(servers, server), np.searchsorted(servers, server, "right")
        own = np.flatnonzero(whose == server)
        place = np.searchsorted(at[first:last], where[own], "right") - 1
        found[own[place >= 0]] = first + place[place >= 0]
    told = known.select(columns)
    joined = rows.hstack(pl.concat([told, told.clear(1)])[found])
    ordered = (whose[1:] > whose[:-1]) | ((whose[1:] == whose[:-1]) & (where[1:] >= where[:-1]))
    return joined if ordered.all() else joined.sort("server", "at")


_NOBODY = -(1 << 63)
"""Instead of a server, where none is known."""


@dataclass(frozen=True)
class Lines:
    """The lines of known servers in a Trace, by kind."""

    trace: Trace

    @cached_property
    def _by_kind(self) -> dict[str, pl.Series]:
        known = self.trace.lines.select("server", "kind").with_row_index("row")
        grouped = known.filter(pl.col("kind").is_not_null() & pl.col("server").is_not_null()).group_by("kind").agg("row")
        return dict(zip(grouped["kind"], grouped["row"], strict=True))

    def events(self, *kinds: str, only: Collection[str] | None = None) -> pl.DataFrame:
        """``Trace.events`` of these kinds with ``at``, in order per server; ``only``: no other fields and columns than these."""
        found = [self._by_kind[kind] for kind in kinds if kind in self._by_kind]
        held = self.trace.lines if only is None else self.trace.lines.select(c.name for c in schema.LINES if c.name in (*_PLACE, *only))
        lines = held[pl.concat(found)] if found else held.clear()
        return placed(replace(self.trace, lines=lines).events(*kinds, only=only))
