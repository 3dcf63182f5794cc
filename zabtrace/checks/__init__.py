"""Checks: are the data files sound and restorable, do Zab's invariants hold, which known bug fits, what would the next start do."""

from __future__ import annotations

import polars as pl

from zabtrace.checks.bugs import matches
from zabtrace.checks.findings import Question, Report
from zabtrace.checks.invariants import examine
from zabtrace.checks.scene import Scene
from zabtrace.checks.starts import servers
from zabtrace.replay.history import History

__all__ = ["Question", "Report", "check"]


def check(history: History, writes: pl.DataFrame, reasons: tuple[str, ...] = (), asked: Question | None = None) -> Report:
    """Check everything. ``writes`` is schema.WRITES, what became of each write; ``reasons``: why a loss cannot be excluded."""
    scene = Scene(history, writes, reasons)
    return Report(servers(scene, asked or Question()), examine(scene), matches(scene))
