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
    """schema.WRITES: every write judged, sorted by zxid; of a long history those that stay (``folds``)."""
    folds: pl.DataFrame = field(default_factory=lambda: schema.frame(schema.FOLDS).select("zxid", "skipped", "ops"))
    """Trace.folded: how many writes directly below a write in ``writes`` share its fate and are not listed."""
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
        found = counted(self.writes, self.folds)
        return {fate: found.get(fate, 0) for fate in FATES}

    @property
    def counts_by_op(self) -> dict[str, dict[str, int]]:
        """Writes per operation and fate; fates that do not occur are left out."""
        listed = self.writes.group_by("op", "fate").agg(count=pl.len().cast(pl.Int64))
        behind = self.folds.join(self.writes.select("zxid", "fate"), on="zxid").explode("ops").unnest("ops")
        every = pl.concat([listed, behind.select("op", "fate", "count")]).group_by("op", "fate").agg(pl.col("count").sum())
        found: dict[str, dict[str, int]] = {}
        for op, fate, n in every.sort("op", "fate", nulls_last=True).iter_rows():
            found.setdefault(op or "unknown", {})[fate] = n
        return found


def counted(writes: pl.DataFrame, folds: pl.DataFrame) -> dict[str, int]:
    """Writes per fate: those listed, and those that were left out before them (Trace.folded)."""
    whole = writes.select("zxid", "fate").join(folds.select("zxid", "skipped"), on="zxid", how="left")
    return dict(whole.group_by("fate").agg(pl.len() + pl.col("skipped").sum()).iter_rows())
