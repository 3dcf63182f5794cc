"""The shapes of dumps.lark, matched against whole columns."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import polars as pl

from zabtrace.grammar import matching

FILE = "dumps.lark"


@cache
def line_of(rule: str) -> str:
    """Matches a text that is one of the rule's alternatives, as a whole."""
    return rf"\A(?:{'|'.join(map(matching.ungrouped, matching.shapes(FILE, rule)))})\z"


@cache
def beginning_of(rule: str) -> str:
    """Matches a text that begins as one of the rule's alternatives that are without a body."""
    bare = [shape for shape in matching.shapes(FILE, rule) if "rest" not in shape.columns]
    return rf"\A(?:{'|'.join(map(matching.ungrouped, bare))})(?: |\z)"


def matched(rule: str, texts: pl.Series) -> Iterator[tuple[str, pl.DataFrame]]:
    """See ``matching.matched``."""
    return matching.matched(FILE, rule, texts)
