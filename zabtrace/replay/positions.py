"""Where a line stands in its server's logs, as one number: ``order`` of the file and line in it.

Strategy: whatever happens on one server is ordered by ``at``; nothing compares the ``at`` of two servers.
"""

from __future__ import annotations

import polars as pl

_FILE = 1 << 32
LAST = (1 << 62) - 1
"""Behind every line."""


def placed(lines: pl.DataFrame) -> pl.DataFrame:
    """The same rows with ``at`` (Int64), in order per server."""
    order = pl.col("order").fill_null(0)
    return lines.with_columns((order * _FILE + pl.col("line").fill_null(0)).alias("at")).sort("server", "at")


def within(rows: pl.DataFrame, spans: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """Each row with ``columns`` of the last span of its server that begins at or before it (null before the first)."""
    right = spans.select("server", "at", *columns).sort("at")
    return rows.sort("at").join_asof(right, on="at", by="server", check_sortedness=False).sort("server", "at")
