"""Lines of text logs as they stand in the files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from zabtrace.evidence.arguments import discover
from zabtrace.logs.text import blocks_of_lines
from zabtrace.wording import plain


def originals(arguments: Sequence[str], wanted: pl.DataFrame) -> Iterator[str]:
    """The physical lines of these records (source, line, continued), per file in file order; control characters made visible."""
    for file in discover(arguments, (), ()):
        rows = wanted.filter(pl.col("source") == file.source.name)
        if rows.is_empty():
            continue
        first = rows["line"].to_numpy()
        last = first + rows["continued"].fill_null(0).to_numpy()
        for block in blocks_of_lines(file.source.blocks()):
            edge = np.zeros(block.height + 1, np.int64)
            begin, end = block.numbers[0], block.numbers[-1]
            inside = (last >= begin) & (first <= end)
            np.add.at(edge, np.maximum(first[inside], begin) - begin, 1)
            np.add.at(edge, np.minimum(last[inside], end) - begin + 1, -1)
            chosen = np.flatnonzero(np.cumsum(edge)[:-1] > 0)
            yield from (plain(text).replace("\\t", "\t") + "\n" for text in block.text(block.starts[chosen], block.ends[chosen]))
