"""The shapes of dumps.lark, matched against whole columns."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import polars as pl

from zabtrace.grammar import notation
from zabtrace.grammar.decode import decoded
from zabtrace.grammar.notation import Shape

FILE = "dumps.lark"
KIND = "kind"


@cache
def shapes(rule: str) -> tuple[Shape, ...]:
    """The alternatives of a rule, in the order of the file."""
    return notation.read(FILE).rules[rule]


@cache
def line_of(rule: str) -> str:
    """Matches a text that is one of the rule's alternatives, as a whole."""
    return rf"\A(?:{'|'.join(_ungrouped(shape) for shape in shapes(rule))})\z"


@cache
def beginning_of(rule: str) -> str:
    """Matches a text that begins as one of the rule's alternatives that are without a body."""
    return rf"\A(?:{'|'.join(_ungrouped(shape) for shape in shapes(rule) if 'rest' not in shape.columns)})(?: |\z)"


def _ungrouped(shape: Shape) -> str:
    return notation.pattern_of(tuple(part if isinstance(part, str) else notation.Hole(part.terminal, part.pattern) for part in shape.parts))


def matched(rule: str, texts: pl.Series) -> Iterator[tuple[str, pl.DataFrame]]:
    """Per alternative that takes any of the texts: its name, and a frame of their ``row`` and its columns, decoded.

    Each text is taken by the first alternative that matches it.
    """
    left = texts.rename("text").to_frame().with_row_index("row").drop_nulls()
    for shape in shapes(rule):
        if left.is_empty():
            return
        pattern = rf"\A(?:{shape.pattern})\z"
        hit = left["text"].str.contains(pattern)
        taken, left = left.filter(hit), left.filter(~hit)
        if taken.is_empty():
            continue
        groups = taken["text"].str.extract_groups(pattern).struct.unnest() if shape.columns else pl.DataFrame()
        columns = [groups.select(decoded(name, terminal)).to_series() for name, terminal in shape.columns.items()]
        yield shape.kind, pl.DataFrame([taken["row"], *columns])
