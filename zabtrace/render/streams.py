"""Long listings that come in parts: each part is a view of the same columns, written before the next one is read.

Strategy: the first part may be empty; it gives the heading and the types.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import IO, TYPE_CHECKING

from zabtrace.render import views
from zabtrace.render.views import View

if TYPE_CHECKING:
    import polars as pl


ZSTD_LEVEL = 1
"""Of a million records the default level makes no smaller file, in a third more time."""


GROUP = 1 << 16
"""Rows of a row group of Parquet, which is held in memory: as many as the readers hand out at a time."""


def ndjson(parts: Iterator[View]) -> Iterator[str]:
    """One row per line."""
    return chain.from_iterable(map(views.as_ndjson, parts))


def csv(parts: Iterator[View]) -> Iterator[str]:
    """Rows below one heading."""
    return chain.from_iterable(islice(views.as_csv(view), number > 0, None) for number, view in enumerate(parts))


def parquet(parts: Iterator[View], file: IO[bytes]) -> None:
    """Write the frames as one Parquet file."""
    from polars.io.plugins import register_io_source

    first = next(parts).frame
    frames = chain([first], (view.frame for view in parts))

    def rows(columns: list[str] | None, predicate: pl.Expr | None, limit: int | None, size: int | None) -> Iterator[pl.DataFrame]:
        return frames

    listed = register_io_source(rows, schema=first.schema)
    # No statistics: they cost more than a reader of so small groups would gain.
    listed.sink_parquet(file, compression="zstd", compression_level=ZSTD_LEVEL, statistics=False, row_group_size=GROUP)


TEXTS: dict[str, Callable[[Iterator[View]], Iterator[str]]] = {"ndjson": ndjson, "csv": csv}
