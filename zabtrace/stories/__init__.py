"""Whole stories: of one write, of all writes to a path, or of all writes of a session, across servers and saved copies.

Strategy: ``target`` finds which writes are meant, ``held`` says who held them, ``steps`` puts everything that concerns them in
one order, ``argument`` says what the verdict rests on and what would change it. All read the History and the Judgement only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from zabtrace.fates.judgement import Judgement
from zabtrace.replay.history import History
from zabtrace.stories.held import held
from zabtrace.stories.steps import steps
from zabtrace.stories.target import Target, find, of_zxid, unknown

__all__ = ["Story", "story"]


@dataclass(frozen=True)
class Story:
    """What the evidence tells about the writes that were asked for."""

    target: Target
    message: str
    """What was found, in one sentence; where nothing was, what was looked through."""
    held: pl.DataFrame
    """schema.HELD"""
    steps: pl.DataFrame
    """schema.STEPS, in the order of the history."""


def story(history: History, judgement: Judgement, asked: str | int, at: datetime | None = None) -> Story:
    """The story of a path, a zxid or a session as written, or of a zxid as a number; ``at`` keeps the writes around a moment.

    Raises UsageError for what is none of them.
    """
    target = of_zxid(history, judgement, asked) if isinstance(asked, int) else find(history, judgement, asked, at)
    message = _message(target) if target.found else unknown(history, judgement, target)
    return Story(target, message, held(history, target.zxids), steps(history, judgement, target))


def _message(target: Target) -> str:
    counted = target.writes.group_by("fate").len().sort("len", "fate", descending=[True, False])
    fates = ", ".join(f"{n} {fate}" for fate, n in counted.iter_rows())
    written = f"{target.writes.height} {'write' if target.writes.height == 1 else 'writes'} ({fates})" if fates else "no write was judged"
    ops = f", {target.ops.height} client {'operation' if target.ops.height == 1 else 'operations'}" if target.ops.height else ""
    return f"{target.named}: {written}{ops}."
