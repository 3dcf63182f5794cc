"""What servers say of their own history while they hold a role: lines with the role's epoch, and whether it was established yet."""

from __future__ import annotations

import polars as pl

from zabtrace.replay.history import History
from zabtrace.replay.positions import placed, within

OPENINGS = {"LEADING": "quorum_supported", "FOLLOWING": "uptodate", "OBSERVING": "uptodate"}
"""The line from which on a server in that role serves: until then what it has processed may include an uncommitted tail."""
SAID = ("snapshot_start", "sync_decision")


def said(history: History, kinds: tuple[str, ...] = SAID) -> pl.DataFrame:
    """Lines of these kinds with ``role``, ``epoch`` of the role they fall into and ``open``: printed after that role's opening line."""
    lines = placed(history.trace.events(*kinds, *OPENINGS.values()).drop("role", "epoch", strict=False))
    order = history.trace.lines.select("source", "order").unique(subset=["source"])
    began = placed(history.roles.join(order, on="source", how="left")).select("server", "at", "role", "epoch", began="at")
    spoken = within(lines, began, "role", "epoch", "began")
    opening = pl.col("kind") == pl.col("role").replace_strict(OPENINGS, default=None, return_dtype=pl.String)
    opened = spoken.filter(opening).group_by("server", "began").agg(opened=pl.col("at").min())
    joined = spoken.join(opened, on=["server", "began"], how="left").sort("server", "at")
    return joined.with_columns(open=(pl.col("at") > pl.col("opened")).fill_null(False)).filter(pl.col("kind").is_in(kinds))
