"""Votes: every vote with the election it was cast in, as VOTES.

Strategy: of flapping ensembles there are more votes than anything else, and who tells of elections tells of few at a time: rows are
made of the votes that are asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
import polars as pl

from zabtrace import schema
from zabtrace.replay.ballots import Ballots, Groups, Ints

ORDER = ("election", "seen_by", "source", "line")


class Votes(Protocol):
    """Votes, as rows or as what they are made of."""

    @property
    def frame(self) -> pl.DataFrame:
        """VOTES, all of them."""

    def of(self, elections: Iterable[int]) -> pl.DataFrame:
        """Those that were cast in some elections."""


@dataclass(frozen=True)
class Given:
    """Votes that are rows already."""

    frame: pl.DataFrame = field(default_factory=lambda: schema.frame(schema.VOTES))

    def of(self, elections: Iterable[int]) -> pl.DataFrame:
        """See Votes."""
        return self.frame.filter(pl.col("election").is_in(list(elections)))


@dataclass(frozen=True)
class Cast:
    """Notifications, with the number of the election that each was cast in (0: none), and votes that no notification shows."""

    ballots: Ballots
    elections: Ints
    silent: pl.DataFrame

    @cached_property
    def _by_election(self) -> Groups:
        return Groups.of(np.arange(len(self.elections)), self.elections)

    @cached_property
    def frame(self) -> pl.DataFrame:
        """See Votes."""
        return self._told(np.arange(len(self.elections)), self.silent)

    def of(self, elections: Iterable[int]) -> pl.DataFrame:
        """See Votes."""
        numbers = [number for number in elections if number]
        rows = [np.asarray(self._by_election.rows(number)) for number in numbers]
        return self._told(np.concatenate([np.zeros(0, np.uint32), *rows]), self.silent.filter(pl.col("election").is_in(numbers)))

    def _told(self, rows: Ints, silent: pl.DataFrame) -> pl.DataFrame:
        number = pl.Series("election", self.elections[rows], dtype=pl.Int64)
        votes = self.ballots.frame(rows).select(
            number.set(number == 0, None), "time", pl.col("sid").alias("server"), "state", "round",
            pl.col("leader").alias("voted_for"), "zxid", "peer_epoch", pl.col("server").alias("seen_by"), "source", "line",
        )  # fmt: skip
        return pl.concat([schema.conform(schema.VOTES, votes), silent]).sort(ORDER, nulls_last=True)
