"""The Judgement: the fate of every write, the verdict, and the sentences that go with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import polars as pl

from zabtrace import schema

FATES = ("survived", "recovered", "truncated", "shadowed", "pending", "lost", "diverged", "undecided")
VERDICTS = ("nothing_lost", "lost", "diverged", "undecided")


@dataclass(frozen=True)
class Judgement:
    """What became of every write."""

    verdict: str = "undecided"
    """One of VERDICTS."""
    writes: pl.DataFrame = field(default_factory=lambda: schema.frame(schema.WRITES))
    """schema.WRITES: every write judged, sorted by zxid."""
    ranges: pl.DataFrame = field(default_factory=lambda: schema.frame(schema.RANGES))
    """schema.RANGES: what only text tells."""
    clients: pl.DataFrame = field(default_factory=lambda: schema.frame(schema.CLIENTS))
    """schema.CLIENTS: every write of the client histories."""
    in_flight: int = 0
    judged_from: int | None = None
    message: str = ""
    """The banner's sentence."""
    reasons: tuple[str, ...] = ()
    """Why the verdict is not better, what is missing, what would settle it."""
    servers: tuple[dict[str, Any], ...] = ()
    """Per server in EVIDENCE: server, last_zxid, current_epoch, accepted_epoch (numbers or None)."""

    @property
    def counts(self) -> dict[str, int]:
        """Writes per fate, all fates named."""
        found = dict(self.writes.group_by("fate").len().iter_rows())
        return {fate: found.get(fate, 0) for fate in FATES}

    @property
    def counts_by_op(self) -> dict[str, dict[str, int]]:
        """Writes per operation and fate; fates that do not occur are left out."""
        counted: dict[str, dict[str, int]] = {}
        for op, fate, n in self.writes.group_by("op", "fate").len().sort("op", "fate", nulls_last=True).iter_rows():
            counted.setdefault(op or "unknown", {})[fate] = n
        return counted
