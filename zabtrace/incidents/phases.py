"""Phases: where the time of an outage went, from the loss of one leader to the first write under the next.

Strategy: all stamps are of one clock, the new leader's; a phase ends where its next line begins. Only how long the old leader had been
silent is not in its log: where its followers waited in vain, that is syncLimit by definition (Learner.connectToLeader sets it as the
socket's time-out); where the old leader's process ended, its last line bounds it, as far as the two clocks are known.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from zabtrace import zxid
from zabtrace.incidents.clocks import Clocks
from zabtrace.incidents.notices import LEADER, Notice, notices
from zabtrace.incidents.scene import Scene
from zabtrace.replay.contests import Election
from zabtrace.replay.roles import Interval

NAMES = ("detection", "closing", "election", "discovery", "synchronization", "first_commit")
"""In order: the old leader is silent; its follower closes down; LOOKING; LEADING until its first learner is compared; until its
quorum stands; until its first transaction."""


@dataclass(frozen=True)
class Phases:
    """ms per phase, null where no line tells; ``rounds``: how often the new leader was LOOKING in it."""

    clock: int
    ms: dict[str, int | None]
    rounds: int
    why: str

    @property
    def total(self) -> int:
        """ms of the phases that are known."""
        return sum(value for value in self.ms.values() if value is not None)


def phases(scene: Scene, clocks: pl.DataFrame) -> dict[int, Phases]:
    """Per election (its number in ELECTIONS) that ended in an established epoch, the phases up to that epoch's first transaction."""
    lost = {notice.interval.index: notice for notice in notices(scene) if notice.side == LEADER}
    told = {(row["interval"], row["kind"]): row["time"] for row in reversed(scene.stage.rows(_MARKS))}
    first = _first_writes(scene)
    compare = Clocks(clocks)
    found: dict[int, Phases] = {}
    for election in scene.elections:
        leading = _leading(election)
        if leading is not None:
            found[election.number] = _phases(scene, leading, lost, told, first, compare)
    return found


HANDED_OVER = "no leader was elected: a reconfiguration named it"
_MARKS = ("sync_decision", "follower_info")


def _leading(election: Election) -> Interval | None:
    """The new leader's interval, where it got its quorum."""
    term = election.term
    interval = term.interval if term is not None and election.kind in ("vote", "handover") else None
    return interval if interval is not None and interval.served is not None and interval.role == "LEADING" else None


def _first_writes(scene: Scene) -> dict[int, datetime]:
    """Header time of the first record of each epoch: its leader's own clock, in UTC."""
    own = scene.history.trace.txns.filter(pl.col("zxid").is_not_null() & (zxid.counter_of("zxid") == 1))
    return {zxid.epoch(number): time for number, time in own.sort("copy", descending=True).select("zxid", "time").drop_nulls().iter_rows()}


def _phases(
    scene: Scene,
    leading: Interval,
    lost: dict[int, Notice],
    told: dict[tuple[int, str], datetime],
    first: dict[int, datetime],
    clocks: Clocks,
) -> Phases:
    looking = _looking(leading)
    notice = lost.get(looking[0].before.index) if looking and looking[0].before is not None else None
    noticed = notice.time if notice is not None else None
    begun = looking[0].start if looking else None
    compared = next((time for kind in _MARKS if (time := told.get((leading.index, kind))) is not None), None)
    write = first.get(leading.epoch) if leading.epoch is not None else None
    detection, why = _detection(scene, notice, clocks) if looking else (None, HANDED_OVER)
    values = (
        detection, _between(noticed, begun), _between(begun, leading.start), _between(leading.start, compared),
        _between(compared, leading.served), _between(leading.served, write),
    )  # fmt: skip
    return Phases(leading.server, dict(zip(NAMES, values, strict=True)), len(looking), why)


def _looking(leading: Interval) -> list[Interval]:
    """The LOOKING intervals of the new leader since it last served, oldest first."""
    found: list[Interval] = []
    step = leading.before
    while step is not None and step.served is None:
        if step.role == "LOOKING":
            found.insert(0, step)
        step = step.before
    return found


def _between(begin: datetime | None, end: datetime | None) -> int | None:
    """ms from one line to another; null where one is missing, or where the clocks are not the same after all."""
    if begin is None or end is None or end < begin:
        return None
    return round((end - begin).total_seconds() * 1000)


def _detection(scene: Scene, notice: Notice | None, clocks: Clocks) -> tuple[int | None, str]:
    """How long the old leader had been silent when it was given up, and what tells it."""
    if notice is None or notice.time is None:
        return None, "no leader was lost before: a start"
    limit = scene.limit(notice.server, "syncLimit")
    if notice.silent:
        return limit, "the old leader fell silent: detection is syncLimit" + ("" if limit is not None else ", which no configuration gives")
    other = notice.other
    if other is None or not other.last or other.end is None:
        return None, "the old leader closed the connection: noticed at once"
    least, most = clocks.later(notice.time, notice.server, other.end, other.server)
    if most - least > _VAGUE:
        return None, "the old leader's process ended; its clock cannot be compared closely enough"
    return max(0, round((least + most) / 2)), "the old leader's process ended: detection is at most the time since its last line"


_VAGUE = 500
"""Clocks whose offset is not known to so many ms are not compared."""
