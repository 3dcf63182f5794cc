"""Accounts for every physical line of a log: understood, unknown, foreign or damaged; and what was damaged, as DAMAGE rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import polars as pl

from zabtrace import schema
from zabtrace.logs.events import Told
from zabtrace.logs.text import Oddity

NO_LAYOUT = Oddity(1, "no line has a layout of a ZooKeeper log", "none", "name its layout with --log-pattern, if it is a log")
PARTS = ("understood", "unknown", "foreign", "damaged")
SAID = 1000
"""Runs of damaged lines that are told one by one."""


@dataclass
class Account:
    """What became of the lines so far; records count with their continuation lines."""

    lines: int = 0
    parts: Counter[str] = field(default_factory=Counter)
    levels: dict[str, Counter[str]] = field(default_factory=dict)
    layouts: Counter[str] = field(default_factory=Counter)

    def add(self, told: Told, foreign: int, damaged: int) -> None:
        """Count a batch; ``foreign`` and ``damaged`` are the lines of no record."""
        known = told.rests["kind"].is_not_null().to_numpy()
        heads = told.heads.select("level", "layout", "foreign")
        sized = pl.concat([
            heads.with_columns(pl.lit(value=one).alias("known"), size=told.per_head(np.where(known == one, told.lines_of, 0)))
            for one in (False, True)
        ])  # fmt: skip
        for other, known, size in sized.group_by("foreign", "known").agg(pl.col("size").sum()).iter_rows():
            self.parts["foreign" if other else "understood" if known else "unknown"] += size
        self.parts["foreign"] += foreign
        self.parts["damaged"] += damaged
        ours = sized.filter(~pl.col("foreign") & (pl.col("size") > 0)).group_by("level", "known").agg(pl.col("size").sum())
        for level, known, size in ours.iter_rows():
            counted = self.levels.setdefault(level or "none", Counter())
            counted["lines"] += size
            counted["understood"] += size if known else 0
        self.layouts.update(
            dict(sized.filter(pl.col("size") > 0).drop_nulls("layout").group_by("layout").agg(pl.col("size").sum()).iter_rows())
        )

    def summary(self) -> dict[str, Any]:
        """Physical lines by what became of them, and by level, foreign records left out."""
        levels = {level: {key: counted[key] for key in ("lines", "understood")} for level, counted in sorted(self.levels.items())}
        return {"lines": self.lines, **{part: self.parts[part] for part in PARTS}, "by_level": levels}


def damage(source: str, oddities: Iterable[Oddity], damaged: Sequence[tuple[int, int]]) -> pl.DataFrame:
    """DAMAGE rows of a log: the oddities of its lines, and one row per run of lines (first, last) that could not be read."""
    joined = united(damaged)
    unread = [_unreadable(first, last) for first, last in joined[:SAID]]
    if len(joined) > SAID:
        unread.append(
            Oddity(joined[SAID][0], f"{len(joined) - SAID} more such places from here on", "data", "look for another copy of the log")
        )
    odd = sorted([*oddities, *unread], key=lambda oddity: oddity.line)
    return schema.frame(schema.DAMAGE, [{"source": source, **asdict(oddity)} for oddity in odd])


def _unreadable(first: int, last: int) -> Oddity:
    where = f"lines {first} to {last} hold" if last > first else "the line holds"
    reason = f"{where} bytes that are no text, or a part of a record whose other part is gone"
    return Oddity(first, reason, "data", "no event was taken from there; look for another copy of the log")


def united(runs: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ascending runs, those that touch made one.

    >>> united([(1, 2), (3, 3), (7, 7)])
    [(1, 3), (7, 7)]
    """
    found: list[tuple[int, int]] = []
    for first, last in runs:
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return found
