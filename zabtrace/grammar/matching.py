"""The alternatives of a grammar file, matched against whole columns of texts."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import polars as pl

from zabtrace.grammar import notation
from zabtrace.grammar.decode import decoded
from zabtrace.grammar.notation import Hole, Shape


@cache
def shapes(name: str, rule: str) -> tuple[Shape, ...]:
    """The alternatives of a rule of the grammar file ``name``, in the order of the file."""
    return notation.read(name).rules[rule]


def ungrouped(shape: Shape) -> str:
    """Its pattern without groups."""
    return notation.pattern_of(tuple(part if isinstance(part, str) else Hole(part.terminal, part.pattern) for part in shape.parts))


def matched(name: str, rule: str, texts: pl.Series) -> Iterator[tuple[str, pl.DataFrame]]:
    """Per alternative that takes any of the texts: its alias, and a frame of their ``row`` and its columns, decoded.

    Each text is taken by the first alternative that matches it as a whole.
    """
    left = texts.rename("text").to_frame().with_row_index("row").drop_nulls()
    for shape in shapes(name, rule):
        if left.is_empty():
            return
        pattern = rf"\A(?:{shape.pattern})\z"
        hit = left["text"].str.contains(pattern)
        taken, left = left.filter(hit), left.filter(~hit)
        if taken.is_empty():
            continue
        groups = taken["text"].str.extract_groups(pattern).struct.unnest() if shape.columns else pl.DataFrame()
        columns = [groups.select(decoded(column, terminal)).to_series() for column, terminal in shape.columns.items()]
        yield shape.kind, pl.DataFrame([taken["row"], *columns])
