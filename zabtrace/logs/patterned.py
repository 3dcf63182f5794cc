"""Lines that follow a conversion pattern (``--log-pattern``), written in canonical form, from which they are read like any layout."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl

from zabtrace.grammar.stampforms import LEAP, StampForm
from zabtrace.logs.rests import CANONICAL
from zabtrace.logs.text import LINES
from zabtrace.schema import CALENDAR

if TYPE_CHECKING:  # it brings Lark, which few logs need
    from zabtrace.grammar.conversion import Conversion

LEVELS = {"T": "TRACE", "D": "DEBUG", "I": "INFO", "W": "WARN", "E": "ERROR", "F": "FATAL", "WARNING": "WARN", "SEVERE": "ERROR"}
WRITTEN = "%Y-%m-%d %H:%M:%S,%3f"
NO_YEAR = f"its stamps have no year: the first is taken for one of {LEAP}, a stand-in; only distances within this log are real"
HALF_A_YEAR = timedelta(days=183)
NO_STAMP = "1970-01-01 99:99:99,999"
"""Stands for the stamp of a record without one: a stamp that is no time."""


def check_pattern(text: str) -> None:
    """Raise UsageError, which points at the character, where ``text`` is no conversion pattern."""
    from zabtrace.grammar.conversion import conversion

    conversion(text)


@dataclass
class Patterned:
    """The step that reads such lines. Raises UsageError for a wrong pattern."""

    text: str
    name: str = "log-pattern"
    utc: bool = False
    _last: datetime | None = None
    _years: int = 0

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is odd about its stamps."""
        return (NO_YEAR,) if self._stamp is not None and self._stamp.dated and not self._stamp.yeared else ()

    def __post_init__(self) -> None:
        self.utc = self._stamp is not None and (self._stamp.offset or self._stamp.zone in ("UTC", "GMT", "Z"))

    @property
    def _made(self) -> Conversion:
        from zabtrace.grammar.conversion import conversion

        return conversion(self.text)

    @property
    def _stamp(self) -> StampForm | None:
        return self._made.stamp

    def fits(self, line: str) -> bool:
        """Does a line follow the pattern?"""
        return re.match(self._made.pattern.replace(r"\z", r"\Z"), line.rstrip("\r")) is not None

    def peel(self, lines: pl.DataFrame) -> pl.DataFrame:
        """The lines that follow the pattern in canonical form, the others as they are."""
        groups = lines["text"].str.extract_groups(self._made.pattern).struct.unnest()
        names = set(groups.columns)
        logger = pl.coalesce([pl.col(name) for name in ("logger", "caller") if name in names] or [pl.lit("")])
        level = (pl.col("level").str.to_uppercase().replace(LEVELS) if "level" in names else pl.lit("INFO")).fill_null("INFO")
        fields = [level, self._field(names, "thread"), logger.fill_null(""), self._field(names, "myid"), pl.col("message")]
        stamp = self._written(groups) if "time" in names else pl.lit(NO_STAMP)
        told = pl.concat_str([stamp, *fields], separator=CANONICAL, ignore_nulls=False)
        return lines.hstack(groups.select(told.alias("_told"))).with_columns(pl.coalesce("_told", "text").alias("text")).drop("_told")

    def _field(self, names: set[str], name: str) -> pl.Expr:
        return pl.col(name).fill_null("") if name in names else pl.lit("")

    def _written(self, groups: pl.DataFrame) -> pl.Expr:
        """The stamps in the usual form."""
        form = self._stamp
        assert form is not None  # noqa: S101 (a group "time" comes with its form)
        text = pl.col("time")
        if form.format == "":
            return text
        if form.format in ("UNIX", "UNIX_MILLIS"):
            number = text.cast(pl.Int64, strict=False) * (1000 if form.format == "UNIX" else 1)
            return pl.when(number.is_between(*CALENDAR)).then(number).cast(pl.Datetime("ms")).dt.strftime(WRITTEN).fill_null(NO_STAMP)
        if not form.dated:
            return pl.when(text.is_not_null()).then(_clock(text, form)).fill_null(NO_STAMP)
        if not form.yeared:
            return self._in_years(groups, form).dt.strftime(WRITTEN).fill_null(NO_STAMP)
        parsed = text.str.to_datetime(form.format, time_unit="ms", strict=False)
        if form.offset:
            parsed = parsed.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        return parsed.dt.strftime(WRITTEN).fill_null(NO_STAMP)

    def _in_years(self, groups: pl.DataFrame, form: StampForm) -> pl.Expr:
        """Stamps without a year: the next one where they step back by more than half a year."""
        texts = groups["time"] + f" {LEAP}"
        bare = texts.str.to_datetime(f"{form.format} %Y", time_unit="ms", strict=False)
        known = pl.concat([pl.Series("time", [self._last], dtype=bare.dtype), bare]).forward_fill()
        years = self._years + (known.diff()[1:] < -HALF_A_YEAR).fill_null(False).cast(pl.Int64).cum_sum()
        if len(bare):
            self._last, self._years = known[-1], int(years[-1])
        return pl.lit(bare).dt.offset_by(pl.format("{}y", pl.lit(years)))

    def rest(self) -> pl.DataFrame:
        """Nothing is held back."""
        return pl.DataFrame(schema=LINES)


def _clock(text: pl.Expr, form: StampForm) -> pl.Expr:
    return text.str.to_time(form.format, strict=False).dt.strftime("%H:%M:%S,%3f")
