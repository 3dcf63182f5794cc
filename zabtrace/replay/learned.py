"""What the history adds to the disks: who led, and who was sent a snapshot. ``disks.chains`` reads a copy's steps by it."""

from __future__ import annotations

import polars as pl

from zabtrace.replay.history import History


def learned(history: History) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Who led which epoch, and whose first synchronization in an epoch was a SNAP: two frames of server, epoch."""
    led = history.epochs.filter(pl.col("leader").is_not_null()).select(server="leader", epoch="epoch")
    first = history.syncs.filter(pl.col("epoch").is_not_null()).group_by("learner", "epoch", maintain_order=True).first()
    return led, first.filter(pl.col("mode") == "SNAP").select(server="learner", epoch="epoch")
