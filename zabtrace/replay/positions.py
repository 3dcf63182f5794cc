"""Where a line stands in its server's logs, as one number: ``order`` of the file and line in it.

Strategy: whatever happens on one server is ordered by ``at``; nothing compares the ``at`` of two servers. ``Lines`` finds the lines
of a kind by an index made once, for replay asks for many kinds and most lines are of none of them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property

import polars as pl

from zabtrace.evidence.trace import Trace

_FILE = 1 << 32


def placed(lines: pl.DataFrame) -> pl.DataFrame:
    """The same rows with ``at`` (Int64), in order per server."""
    order = pl.col("order").fill_null(0)
    return lines.with_columns((order * _FILE + pl.col("line").fill_null(0)).alias("at")).sort("server", "at")


def within(rows: pl.DataFrame, spans: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """Each row with ``columns`` of the last span of its server that begins at or before it (null before the first)."""
    right = spans.select("server", "at", *columns).sort("at")
    return rows.sort("at").join_asof(right, on="at", by="server", check_sortedness=False).sort("server", "at")


@dataclass(frozen=True)
class Lines:
    """The lines of known servers in a Trace, by kind."""

    trace: Trace

    @cached_property
    def _by_kind(self) -> dict[str, pl.Series]:
        known = self.trace.lines.with_row_index("row").filter(pl.col("kind").is_not_null() & pl.col("server").is_not_null())
        grouped = known.group_by("kind").agg("row")
        return dict(zip(grouped["kind"], grouped["row"], strict=True))

    def events(self, *kinds: str, only: Collection[str] | None = None) -> pl.DataFrame:
        """``Trace.events`` of these kinds with ``at``, in order per server; ``only``: no other fields than these."""
        found = [self._by_kind[kind] for kind in kinds if kind in self._by_kind]
        lines = self.trace.lines[pl.concat(found)] if found else self.trace.lines.clear()
        return placed(replace(self.trace, lines=lines).events(*kinds, only=only))
