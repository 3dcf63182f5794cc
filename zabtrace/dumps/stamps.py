"""Times as Java prints them for a locale (DateFormat SHORT, LONG) or always (Date.toString): to the second, in the tool's zone.

Strategy: the distinct stamps of a part are few; each is read by the first form of dumps.lark that fits. What the stamp says of its
zone decides where it is an offset from UTC; a zone's short name counts as in ``OFFSETS``, unless a zone was asked for. Of a name
that several zones bear nothing is concluded: then there is no time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import polars as pl

from zabtrace import schema
from zabtrace.dumps.shapes import matched

ZERO = ("UTC", "GMT", "Z")
OFFSETS = {
    "WET": 0, "WEST": 60, "CET": 60, "MEZ": 60, "SEČ": 60, "CEST": 120, "MESZ": 120, "SELČ": 120, "EET": 120, "EEST": 180, "MSK": 180,
    "EST": -300, "EDT": -240, "CDT": -300, "MST": -420, "MDT": -360, "PST": -480, "PDT": -420, "AKST": -540, "AKDT": -480, "HST": -600,
    "JST": 540, "KST": 540, "HKT": 480, "SGT": 480, "AEST": 600, "AEDT": 660, "AWST": 480, "NZST": 720, "NZDT": 780, "BRT": -180,
}  # fmt: skip
"""Minutes east of UTC by the short names that Java prints. CST, IST and BST are the names of several zones."""
OFFSET = re.compile(r"(?:GMT|UTC)?([+-])(\d{1,2}):?(\d{2})?")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
AFTERNOON = ("p", "下")
_NUMBERS = ("year", "month", "day", "hour", "minute", "second")


@dataclass
class Clock:
    """Reads stamps; ``zone`` is what ``--timezone`` says for this file."""

    zone: str | None
    assumed: dict[str, str] = field(default_factory=dict)
    """How each short name of a zone that was met is read."""
    unread: int = 0
    """Records whose stamp gives no time."""

    def times(self, stamps: pl.Series) -> pl.Series:
        """schema.TIME of each stamp, to the second; null where it cannot be read."""
        distinct = stamps.rename("stamp").drop_nulls().unique(maintain_order=True)
        read = pl.concat([self._read(distinct, found) for _, found in matched("stamp", distinct)] or [_nothing()])
        joined = stamps.rename("stamp").to_frame().join(read, on="stamp", how="left", maintain_order="left")
        self.unread += joined["time"].null_count()
        return joined["time"]

    def _read(self, distinct: pl.Series, found: pl.DataFrame) -> pl.DataFrame:
        """Times of the stamps that one form took."""
        parts = found.with_columns(_numbers(found))
        written = parts.select(pl.format("{}-{}-{} {}:{}:{}", *(pl.col(name) for name in _NUMBERS))).to_series()
        local = written.str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="ms", strict=False)
        frame = pl.DataFrame({"stamp": distinct.gather(found["row"]), "local": local, "zone": found["zone"]})
        zoned = [self._in_utc(str(name), part) for (name,), part in frame.partition_by("zone", as_dict=True).items()]
        return pl.concat(zoned)

    def _in_utc(self, name: str, part: pl.DataFrame) -> pl.DataFrame:
        minutes = _offset(name)
        if minutes is None and self.zone is not None:
            self.assumed[name] = self.zone
            time = part["local"].dt.replace_time_zone(self.zone, ambiguous="earliest", non_existent="null").dt.convert_time_zone("UTC")
            return part.select("stamp", time.cast(schema.TIME).alias("time"))
        if minutes is None and name in OFFSETS:
            minutes = OFFSETS[name]
            self.assumed[name] = f"UTC{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
        if minutes is None:
            return part.select("stamp", pl.lit(None, dtype=schema.TIME).alias("time"))
        time = part["local"].dt.offset_by(f"{-minutes}m").dt.replace_time_zone("UTC")
        return part.select("stamp", time.cast(schema.TIME).alias("time"))

    @property
    def remarks(self) -> list[str]:
        """What is assumed of the zone, and what could not be read."""
        found = [f"its {name} is read as {zone}" for name, zone in self.assumed.items()]
        if self.unread:
            found.append(f"{self.unread} stamps give no time: their form or zone is not known (--timezone names the zone)")
        return found


def _offset(name: str) -> int | None:
    """Minutes east of UTC, where the printed zone is an offset."""
    if name in ZERO:
        return 0
    if not (said := OFFSET.fullmatch(name)):
        return None
    return (60 * int(said[2]) + int(said[3] or 0)) * (-1 if said[1] == "-" else 1)


def _numbers(found: pl.DataFrame) -> list[pl.Expr]:
    """Year, month, day and time of day as numbers, a year of two digits in this century, twelve hours as 24."""
    year, hour = pl.col("year").cast(pl.Int32), pl.col("hour").cast(pl.Int32)
    if "half" in found.columns:
        later = pl.col("half").str.to_lowercase().str.head(1).is_in(AFTERNOON)
        hour = hour % 12 + pl.when(later).then(12).otherwise(0)
    named = {name: pl.lit(number) for number, name in enumerate(MONTHS, 1)}
    month = (
        pl.coalesce([pl.when(pl.col("month_name") == name).then(number) for name, number in named.items()])
        if "month_name" in found.columns
        else pl.col("month").cast(pl.Int32)
    )
    return [
        pl.when(pl.col("year").str.len_chars() == 2).then(year + 2000).otherwise(year).alias("year"),
        month.cast(pl.Int32).alias("month"),
        hour.alias("hour"),
        *(pl.col(name).cast(pl.Int32) for name in ("day", "minute", "second")),
    ]


def _nothing() -> pl.DataFrame:
    return pl.DataFrame(schema={"stamp": pl.String, "time": schema.TIME})
