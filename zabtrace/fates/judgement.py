"""The Judgement: the fate of every write, the verdict, and the sentences that go with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import polars as pl

from zabtrace import schema

FATES = ("survived", "recovered", "truncated", "shadowed", "pending", "lost", "diverged", "undecided")
IN_FLIGHT = "in_flight"
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
    tail_above: int | None = None
    """Above this zxid an undecided write was in flight while the disks were copied (``flight``)."""
    judged_from: int | None = None
    message: str = ""
    """The banner's sentence."""
    reasons: tuple[str, ...] = ()
    """Why the verdict is not better, what is missing, what would settle it."""
    servers: tuple[dict[str, Any], ...] = ()
    """Per server in EVIDENCE: server, last_zxid, current_epoch, accepted_epoch (numbers or None)."""

    @property
    def in_flight(self) -> int:
        """Writes that were in flight; they are not among the undecided ones of ``counts``."""
        return counted(self.writes, self.folds, self.tail_above).get(IN_FLIGHT, 0)

    @property
    def counts(self) -> dict[str, int]:
        """Writes per fate, all fates named."""
        found = counted(self.writes, self.folds, self.tail_above)
        return {fate: found.get(fate, 0) for fate in FATES}

    @property
    def from_text(self) -> dict[str, int]:
        """Writes per fate that only text tells of: the zxids of ``ranges``, each once, less those of which a record was read.

        A range without an upper bound counts as one write: so many there are at least.
        """
        found: dict[str, int] = {}
        for fate, low, high in _merged(self.ranges.select("fate", "from", pl.coalesce("to", "from")).drop_nulls()):
            read = self.writes.filter(pl.col("zxid").is_between(low, high)).unique("zxid", keep="first")
            folded = self.folds.join(read.select("zxid"), on="zxid", how="semi").get_column("skipped").sum()
            found[fate] = found.get(fate, 0) + max(high - low + 1 - read.height - int(folded), 0)
        return {fate: number for fate, number in found.items() if number}

    @property
    def counts_by_op(self) -> dict[str, dict[str, int]]:
        """Writes per operation and fate, those in flight apart; fates that do not occur are left out."""
        writes = self.writes.with_columns(fate=told_apart(self.tail_above))
        listed = writes.group_by("op", "fate").agg(count=pl.len().cast(pl.Int64))
        behind = self.folds.join(writes.select("zxid", "fate").unique("zxid", keep="first"), on="zxid").explode("ops").unnest("ops")
        every = pl.concat([listed, behind.select("op", "fate", "count")]).group_by("op", "fate").agg(pl.col("count").sum())
        found: dict[str, dict[str, int]] = {}
        for op, fate, n in every.sort("op", "fate", nulls_last=True).iter_rows():
            found.setdefault(op or "unknown", {})[fate] = n
        return found


def _merged(spans: pl.DataFrame) -> list[tuple[str, int, int]]:
    """Spans (fate, low, high) of one fate that overlap, as one: two servers may have been cut over the same zxids."""
    merged: list[tuple[str, int, int]] = []
    for fate, low, high in spans.sort(spans.columns).iter_rows():
        if merged and merged[-1][0] == fate and low <= merged[-1][2]:
            merged[-1] = (fate, merged[-1][1], max(high, merged[-1][2]))
        else:
            merged.append((fate, low, high))
    return merged


def told_apart(tail_above: int | None) -> pl.Expr:
    """The fate, or IN_FLIGHT for an undecided write of the young tail that nobody was answered for."""
    young = pl.lit(False) if tail_above is None else (pl.col("zxid") > tail_above) & (pl.col("acknowledged") != "yes")
    return pl.when(young & (pl.col("fate") == "undecided")).then(pl.lit(IN_FLIGHT)).otherwise(pl.col("fate"))


def counted(writes: pl.DataFrame, folds: pl.DataFrame, tail_above: int | None = None) -> dict[str, int]:
    """Writes per fate: those listed, and those that were left out before them (Trace.folded); those in flight apart."""
    rows = writes.select("zxid", fate=told_apart(tail_above))
    listed = rows.group_by("fate").agg(count=pl.len().cast(pl.Int64))
    behind = rows.unique("zxid", keep="first").join(folds.select("zxid", count="skipped"), on="zxid").select("fate", "count")
    return dict(pl.concat([listed, behind]).group_by("fate").agg(pl.col("count").sum()).iter_rows())
