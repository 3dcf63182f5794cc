"""Stamps that name their offset from UTC (``2026-11-20T23:59:29,538+0100``): written in UTC without it, and read as usual then."""

from __future__ import annotations

import re
from dataclasses import dataclass

import polars as pl

STAMP = r"\A(\[?)([0-9]{4}-[0-9]{2}-[0-9]{2})[ T]([0-9]{2}:[0-9]{2}:[0-9]{2})[,.]([0-9]{3})[0-9]*(Z|[+-][0-9]{2}(?::?[0-9]{2})?)(.*)\z"
_BEGINS = re.compile(STAMP.replace(r"\z", r"\Z"))
MINUTE = 60_000


def has_offset(line: str) -> bool:
    """Does a line begin with such a stamp?"""
    return _BEGINS.match(line) is not None


@dataclass
class Offsets:
    """The step that reads such lines."""

    name: str = "utc_offset"
    utc: bool = True

    def peel(self, lines: pl.DataFrame) -> pl.DataFrame:
        """The lines with their stamps in UTC; lines without one as they are."""
        groups = (
            lines["text"].str.extract_groups(STAMP).struct.rename_fields(["open", "day", "clock", "ms", "offset", "rest"]).struct.unnest()
        )
        told = groups.select(
            pl.concat_str(
                pl.col("open"),
                (_local() - _offset()).dt.strftime("%Y-%m-%d %H:%M:%S,%3f"),
                pl.col("rest"),
            ).alias("told")
        )
        return lines.with_columns(pl.coalesce(told["told"], "text").alias("text"))

    def rest(self) -> pl.DataFrame:
        """Nothing is held back."""
        return pl.DataFrame(schema={"text": pl.String, "number": pl.Int64, "weight": pl.Int64, "origin": pl.String, "outer": pl.Int64})


def _local() -> pl.Expr:
    text = pl.concat_str("day", pl.lit(" "), "clock", pl.lit("."), "ms")
    return text.str.to_datetime("%Y-%m-%d %H:%M:%S%.3f", time_unit="ms", strict=False)


def _offset() -> pl.Expr:
    """The offset as a duration."""
    digits = pl.col("offset").str.replace_all(r"[^0-9]", "").str.pad_end(4, "0")
    minutes = digits.str.slice(0, 2).cast(pl.Int64, strict=False) * 60 + digits.str.slice(2, 2).cast(pl.Int64, strict=False)
    sign = pl.when(pl.col("offset").str.starts_with("-")).then(-1).otherwise(1)
    return (sign * minutes * MINUTE).cast(pl.Duration("ms"))
