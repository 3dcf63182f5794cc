"""Stamps to times in UTC: which zone they are in, and which day, where they do not say.

Strategy: the zone that was given, else what the log itself shows (the stamps of a wrapper, which have a zone; the property
user.timezone), else UTC. A stamp without a date takes the wrapper's time; without one, days are counted from 1970-01-01.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from zabtrace import schema
from zabtrace.errors import UsageError
from zabtrace.logs.events import Told
from zabtrace.logs.identity import property_of
from zabtrace.logs.stamps import DAY

QUARTER = 15 * 60_000
NEAR = 120_000
"""How far a wrapper's stamp may be from the record's, in ms, beyond a zone's offset."""
UNDATED = "its stamps have no date: days are counted from 1970-01-01"


@dataclass
class Clock:
    """What is known of a log's stamps. Raises UsageError where ``zone`` is none."""

    zone: str | None
    utc: bool = False
    """Are the stamps UTC for sure, because what wraps them says so?"""
    printed: str | None = None
    """The zone the server says it is in."""
    gaps: list[float] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.zone is not None and not _is_zone(self.zone):
            raise UsageError(f"{self.zone!r} is no time zone. Write an IANA name, for example UTC or Europe/Berlin.")

    @property
    def _offset(self) -> int | None:
        """What to add to a stamp to have UTC, as the wrapper's stamps show it."""
        if not self.gaps:
            return None
        middle = float(np.median(self.gaps))
        offset = round(middle / QUARTER) * QUARTER
        return offset if abs(middle - offset) < NEAR else None

    @property
    def told(self) -> str | None:
        """The zone the stamps are read in, or None where UTC is assumed."""
        if self.utc:
            return "UTC"
        if self.zone is not None or self._offset is None:
            return self.zone or self.printed
        minutes = -self._offset // 60_000
        return f"UTC{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}" if minutes else "UTC"

    def learn(self, told: Told, gaps: Sequence[float]) -> None:
        """Take from a batch what it shows of its zone; ``gaps`` are what a wrapper's stamps are ahead of its records', in ms."""
        name = property_of(told, "user.timezone")
        if name and _is_zone(name):
            self.printed = name
        self.gaps += gaps

    def placed(self, lines: pl.DataFrame) -> pl.DataFrame:
        """``lines`` with ``time`` in UTC (columns time as printed in ms, dated, outer)."""
        printed = lines["time"]
        undated = lines.filter(~pl.col("dated") & pl.col("time").is_not_null()).height > 0
        if undated:
            printed = self._dated(lines)
        time: Any = self._in_utc(printed.cast(pl.Datetime("ms")))
        if undated and (lines["outer"] > 0).any():
            wrapped = pl.when(~pl.col("dated") & (pl.col("outer") > 0)).then(pl.col("outer").cast(schema.TIME))
            return lines.with_columns(time).with_columns(wrapped.otherwise("time").alias("time"))
        return lines.with_columns(time)

    def _in_utc(self, local: pl.Series) -> pl.Series:
        if self.zone is None and not self.utc and self._offset is not None:
            return (local.cast(pl.Int64) + self._offset).cast(schema.TIME).alias("time")
        zone = "UTC" if self.utc else self.zone or self.printed or "UTC"
        # An hour that occurs twice is taken for the earlier one; one that a clock change leaves out cannot have been printed.
        zoned = local.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
        return zoned.dt.convert_time_zone("UTC").cast(schema.TIME).alias("time")

    def _dated(self, lines: pl.DataFrame) -> pl.Series:
        """A day for stamps without one: the next where the clock steps back by more than half a day."""
        if not (lines["outer"] > 0).any() and UNDATED not in self.remarks:
            self.remarks.append(UNDATED)
        bare = lines.select(pl.when(~pl.col("dated")).then("time")).to_series()
        steps = (bare.forward_fill().diff().fill_null(0) < -DAY // 2).cast(pl.Int64).cum_sum()
        return lines.select(pl.when("dated").then("time").otherwise(pl.col("time") + steps * DAY)).to_series()


def _is_zone(name: str) -> bool:
    try:
        pl.Series([0], dtype=pl.Datetime("ms")).dt.replace_time_zone(name)
    except pl.exceptions.ComputeError:
        return False
    return True
