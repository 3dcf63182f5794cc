"""Accounts for every physical line of a log: understood, unknown, foreign or damaged; and what was damaged, as DAMAGE rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import polars as pl

from zabtrace import schema
from zabtrace.logs.text import Oddity

NO_LAYOUT = Oddity(1, "no line has a layout of a ZooKeeper log", "none", "name its layout with --log-pattern, if it is a log")


def summary(records: pl.DataFrame, count: int, foreign: int, damaged: int) -> dict[str, Any]:
    """Physical lines by what became of them, and by level without foreign records; a record counts with its continuation.

    ``records`` has level, kind, foreign and continued; ``count`` is all physical lines, ``foreign`` and ``damaged`` those of no record.
    """
    size, known, other = pl.col("continued") + 1, pl.col("kind").is_not_null(), pl.col("foreign")
    parts = {"understood": known & ~other, "unknown": ~known & ~other, "foreign": other}
    counts = records.select(size.filter(test).sum().alias(name) for name, test in parts.items()).row(0, named=True)
    understood = size.filter(known).sum().alias("understood")
    levels = records.filter(~other).group_by("level").agg(size.sum().alias("lines"), understood).sort("level")
    by_level = {row["level"]: {"lines": row["lines"], "understood": row["understood"]} for row in levels.iter_rows(named=True)}
    return {"lines": count, **counts, "foreign": counts["foreign"] + foreign, "damaged": damaged, "by_level": by_level}


def damage(source: str, oddities: Iterable[Oddity], damaged: Sequence[int]) -> pl.DataFrame:
    """DAMAGE rows of a log: the oddities of its lines, and one row per run of lines that could not be read."""
    odd = sorted([*oddities, *(_unreadable(first, last) for first, last in runs(damaged))], key=lambda oddity: oddity.line)
    return schema.frame(schema.DAMAGE, [{"source": source, **asdict(oddity)} for oddity in odd])


def _unreadable(first: int, last: int) -> Oddity:
    where = f"lines {first} to {last} hold" if last > first else "the line holds"
    reason = f"{where} bytes that are no text, or the rear part of a record whose beginning is gone"
    return Oddity(first, reason, "data", "no event was taken from there; look for another copy of the log")


def runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Ascending numbers as runs of consecutive ones.

    >>> runs([1, 2, 3, 7])
    [(1, 3), (7, 7)]
    """
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found
