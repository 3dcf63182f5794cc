"""Which layout a log has: the one that matches most of its first lines, behind what is wrapped around them."""

from __future__ import annotations

from collections.abc import Sequence

from zabtrace.grammar.layouts import Layout, layouts
from zabtrace.logs.loggers import is_zookeeper
from zabtrace.logs.rests import CANONICAL

SAMPLE = 2000
"""Lines that are looked at."""


def find_layout(lines: Sequence[str]) -> Layout | None:
    """The layout most of these lines begin with; the earlier one in layouts.lark where two match as many."""
    counts = _counts(lines)
    best = max(counts, key=lambda name: counts[name])
    return layouts()[best] if counts[best] else None


def matches(lines: Sequence[str]) -> int:
    """How many of these lines begin with the layout that most of them have."""
    return max(*_counts(lines).values(), sum(CANONICAL in line for line in lines))


def _counts(lines: Sequence[str]) -> dict[str, int]:
    """By layout, up to the first one that all of the lines begin with."""
    counts: dict[str, int] = {}
    for name, layout in layouts().items():
        counts[name] = sum(layout.compiled.match(line) is not None for line in lines[:SAMPLE])
        if counts[name] == len(lines[:SAMPLE]):
            break
    return counts


def is_ours(line: str, layout: Layout | None) -> bool:
    """Is it a record that ZooKeeper printed, in that layout or in canonical form?"""
    if CANONICAL in line:
        parts = line.split(CANONICAL)
        return len(parts) > 3 and is_zookeeper(parts[3])
    found = layout.compiled.match(line) if layout is not None else None
    return found is not None and is_zookeeper(found["logger"])
