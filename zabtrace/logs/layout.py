"""Which layout a log has: the one that matches most of its first lines."""

from __future__ import annotations

from collections.abc import Sequence

from zabtrace.grammar.layouts import Layout, layouts
from zabtrace.logs.loggers import is_zookeeper

SAMPLE = 2000
"""Lines that are looked at."""


def looks_like_log(head: bytes) -> str | None:
    """The layout whose records the head of a file shows, if any of them is ZooKeeper's; null for everything else."""
    lines = head.decode("utf-8", "replace").removeprefix("\ufeff").split("\n")
    found = find_layout(lines)
    return found.name if found is not None and any(_is_ours(line, found) for line in lines[:SAMPLE]) else None


def find_layout(lines: Sequence[str]) -> Layout | None:
    """The layout most of these physical lines begin with; the earlier one in layouts.lark where two match as many."""
    bare = [line.lstrip("\x00").removesuffix("\r") for line in lines[:SAMPLE]]
    counts = {name: sum(layout.compiled.match(line) is not None for line in bare) for name, layout in layouts().items()}
    best = max(counts, key=lambda name: counts[name])
    return layouts()[best] if counts[best] else None


def _is_ours(line: str, layout: Layout) -> bool:
    found = layout.compiled.match(line.lstrip("\x00").removesuffix("\r"))
    return found is not None and is_zookeeper(found["logger"])
