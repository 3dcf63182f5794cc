"""Silence: when a server printed nothing. Idle servers print nothing for minutes, so a silence alone is no pause."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import polars as pl

from zabtrace.held import Held
from zabtrace.replay.positions import placed

BACK = 3000
"""A silence is looked for within so many ms before a line."""


class Gap(NamedTuple):
    """A time in which a server printed nothing, and the line that ended it."""

    since: datetime
    until: datetime
    source: str
    line: int

    @property
    def ms(self) -> int:
        """How long it was."""
        return round((self.until - self.since).total_seconds() * 1000)


class Silences:
    """The stamps of each server's lines, sorted when first asked for."""

    def __init__(self, held: Held) -> None:
        self._held = held
        self._stamps: dict[int, pl.DataFrame] = {}

    def _of(self, server: int) -> pl.DataFrame:
        if server not in self._stamps:
            own = self._held.columns("server", "source", "order", "line", "time", server=server)
            self._stamps[server] = placed(own.drop_nulls("time"))
        return self._stamps[server]

    def before(self, server: int, at: int) -> Gap | None:
        """The longest silence of a server that ended with this line, or within BACK ms before it."""
        stamps = self._of(server)
        end = stamps["at"].search_sorted(at, side="right")
        if end < 2:
            return None
        near = stamps[max(0, end - _FEW) : end]
        after = near.with_columns(pl.col("time").shift(1).alias("since")).filter(
            pl.col("time") >= near["time"][-1] - pl.duration(milliseconds=BACK)
        )
        longest = after.filter(pl.col("since").is_not_null()).sort(pl.col("time") - pl.col("since"), descending=True).head(1)
        return Gap(*longest.select("since", "time", "source", "line").row(0)) if longest.height else None


_FEW = 2000
"""Lines that are looked at before the one that is asked about."""
