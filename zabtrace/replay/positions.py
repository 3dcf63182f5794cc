"""Where a line stands in its server's logs, as one number: ``order`` of the file and line in it.

Strategy: whatever happens on one server is ordered by ``at``; nothing compares the ``at`` of two servers.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import polars as pl

from zabtrace.evidence.trace import Trace

_FILE = 1 << 32


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
    """The lines of known servers in a Trace."""

    trace: Trace

    def events(self, *kinds: str, only: Collection[str] | None = None, server: int | None = None) -> pl.DataFrame:
        """``Trace.events`` of these kinds with ``at``, in order per server; ``only``: these fields and columns; ``server``: its own."""
        found = self.trace.events(*kinds, only=only, server=server)
        return placed(found if not found["server"].null_count() else found.drop_nulls("server"))
