"""Long histories: what was folded is unfolded where its writes have to be told one by one.

Strategy: a fold lies between two writes that stay. Where both have one fate, so have all between them, for no rule names anything
inside (``evidence.folding``). What did not plainly survive is unfolded and judged again, as far as there is room; the rest, and what
survived, can be had part by part.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import polars as pl

from zabtrace.fates.judge import judge
from zabtrace.fates.judgement import Judgement
from zabtrace.replay.history import History

ROOM = 500_000
"""Records that are unfolded at a time, over all servers."""
ALIKE = ("fate", "committed", "rule", "acknowledged", "on_disk_of", "absent_from", "at_next_start", "why", "settled_by")
"""What both ends of a fold must share."""
Range = tuple[int, int]


def settled(history: History, judgement: Judgement) -> tuple[History, Judgement]:
    """The history and its judgement with every write told that did not survive, the first ones where they are too many."""
    opened: list[Range] = []
    while wanted := _uneven(judgement) or _room(history, folds(judgement, every=False), opened):
        opened += wanted
        history = unfolded(history, wanted)
        judgement = judge(history, judgement.judged_from)
    return history, judgement


def whole(history: History, judgement: Judgement, ranges: list[Range]) -> tuple[History, Judgement]:
    """The history and its judgement with these ranges unfolded, whatever room they need."""
    if not ranges:
        return history, judgement
    history = unfolded(history, ranges)
    return history, judge(history, judgement.judged_from)


def unfolded(history: History, ranges: list[Range]) -> History:
    """The history with these ranges of zxids unfolded too."""
    long = history.trace.long
    return history if long is None else replace(history, trace=long.unfolded(history.trace, ranges))


def folds(judgement: Judgement, *, every: bool) -> list[Range]:
    """Ranges of zxids that were left out, ascending: all of them, or those whose writes did not survive."""
    fates = judgement.folds.join(judgement.writes.select("zxid", "fate"), on="zxid").sort("zxid")
    chosen = fates if every else fates.filter(pl.col("fate") != "survived")
    return [(zxid - skipped, zxid - 1) for zxid, skipped in chosen.select("zxid", "skipped").iter_rows()]


def parts(history: History, judgement: Judgement, *, every: bool) -> Iterator[pl.DataFrame]:
    """schema.WRITES of every write, or of those that did not survive, in the order of their zxids, some at a time."""
    ranges = folds(judgement, every=every)
    done = -1 << 63
    while ranges:
        chosen = _room(history, ranges, [])
        ranges = ranges[len(chosen) :]
        # up to the end of the last range, and nothing of what is still folded
        told = judge(unfolded(history, chosen), judgement.judged_from).writes.filter(pl.col("zxid").is_between(done + 1, chosen[-1][1]))
        yield told if every else told.filter(pl.col("fate") != "survived")
        done = chosen[-1][1]
    rest = judgement.writes.filter(pl.col("zxid") > done)
    yield rest if every else rest.filter(pl.col("fate") != "survived")


def _uneven(judgement: Judgement) -> list[Range]:
    """Folds between two writes that are not judged alike: some number inside matters after all."""
    writes = judgement.writes.select("zxid", *ALIKE)
    ends = judgement.folds.select("zxid", "skipped", first=pl.col("zxid") - pl.col("skipped") - 1)
    both = ends.join(writes, on="zxid").join(writes, left_on="first", right_on="zxid", suffix="_first")
    same = pl.all_horizontal(pl.col(name).eq_missing(pl.col(f"{name}_first")) for name in ALIKE)
    return [(zxid - skipped, zxid - 1) for zxid, skipped in both.filter(~same).select("zxid", "skipped").sort("zxid").iter_rows()]


def _room(history: History, ranges: list[Range], opened: list[Range]) -> list[Range]:
    """The first of the ranges, as far as there is room beside those already opened; at least one where none is."""
    copies = max(history.disks.height, 1)
    room = ROOM // copies - sum(last - first + 1 for first, last in opened)
    chosen: list[Range] = []
    for first, last in dict.fromkeys(ranges):
        room -= last - first + 1
        if room < 0 and (chosen or opened):
            break
        chosen.append((first, last))
    return chosen
