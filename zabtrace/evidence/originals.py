"""Lines of text logs as they stand in the files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import polars as pl

from zabtrace.evidence.arguments import discover
from zabtrace.logs.read import NEWEST_FIRST
from zabtrace.logs.text import blocks_of_lines
from zabtrace.wording import plain

Runs = pl.DataFrame


def turned(sources: pl.DataFrame) -> dict[str, int]:
    """Logs that were printed newest first, of which lines are numbered from the end, and how many lines they have."""
    return dict(sources.filter(pl.col("note").str.contains(NEWEST_FIRST, literal=True)).select("source", "lines").iter_rows())


def standing(records: pl.DataFrame, lines_of: Mapping[str, int]) -> pl.DataFrame:
    """Records (source, line, continued) with the lines at which they stand in their files; ``lines_of``: those of ``turned`` logs."""
    if not lines_of:
        return records
    from_end = pl.col("source").replace_strict(lines_of, default=None, return_dtype=pl.Int64) + 1 - pl.col("line")
    return records.with_columns(line=pl.coalesce(from_end, "line"))


def runs(wanted: Iterable[pl.DataFrame]) -> Runs:
    """The physical lines of these records (source, line, continued): source, first, last; those that touch are one run.

    Strategy: what is held is as small as what was asked for has gaps, so that all of a large log is one row.
    """
    found = [pl.DataFrame(schema={"source": pl.String, "first": pl.Int64, "last": pl.Int64})]
    for part in wanted:
        first = pl.col("line")
        found = [
            _joined(
                pl.concat([*found, part.select("source", first.alias("first"), (first + pl.col("continued").fill_null(0)).alias("last"))])
            )
        ]
    return found[0].sort("source", "first", maintain_order=True)


def _joined(ranges: Runs) -> Runs:
    gap = (
        (pl.col("first") > pl.col("last").shift(1) + 1)
        | (pl.col("first") < pl.col("first").shift(1))
        | (pl.col("source") != pl.col("source").shift(1))
    )
    groups = ranges.with_columns(gap.fill_null(True).cum_sum().alias("run")).group_by("run", maintain_order=True)
    return groups.agg(pl.col("source", "first").first(), pl.col("last").max()).drop("run")


def originals(arguments: Sequence[str], wanted: Runs) -> Iterator[str]:
    """The physical lines of these runs, per file in file order; control characters made visible."""
    for file in discover(arguments, (), ()):
        rows = wanted.filter(pl.col("source") == file.source.name)
        if rows.is_empty():
            continue
        first, last = rows["first"].to_numpy(), rows["last"].to_numpy()
        reached = np.maximum.accumulate(last)
        for block in blocks_of_lines(file.source.blocks()):
            begin, end = block.numbers[0], block.numbers[-1]
            inside = slice(np.searchsorted(reached, begin), np.searchsorted(first, end, "right"))
            edge = np.zeros(block.height + 1, np.int64)
            np.add.at(edge, np.clip(first[inside], begin, end + 1) - begin, 1)
            np.add.at(edge, np.clip(last[inside] + 1, begin, end + 1) - begin, -1)
            chosen = np.flatnonzero(np.cumsum(edge)[:-1] > 0)
            yield from (plain(text).replace("\\t", "\t") + "\n" for text in block.text(block.starts[chosen], block.ends[chosen]))
