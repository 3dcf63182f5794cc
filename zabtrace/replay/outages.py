"""Outages: the time between one established leader and the next, on the clock of one server that saw both.

Strategy: no two clocks are subtracted. The next leader's own log is asked first: from where it shows that the leader of the epoch before
was lost to where its own quorum stood; else any other server that served in both. A server that waited in vain had heard nothing for
as long as its socket waits, syncLimit: its loss begins that much before its line about it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from zabtrace.protocol.quorum import Config
from zabtrace.replay.history import Outage
from zabtrace.replay.reasons import listed
from zabtrace.replay.roles import Interval, Stage
from zabtrace.replay.settings import Settings, limit, settings
from zabtrace.replay.terms import Term, Terms

LOST_LEADER = ("follower_exception", "observer_exception")
LOST_LEARNER = "learner_exception"
STEPPED_DOWN = ("lost_quorum", "leader_sync_timeout", "zxid_rollover", "not_designated_leader")
WAITED_IN_VAIN = "Read timed out"


@dataclass(frozen=True)
class Loss:
    """From when on a server was without the leader it had, and what shows it."""

    time: datetime
    why: str
    source: str | None
    line: int | None


@dataclass(frozen=True)
class _Case:
    """Lines about losses by interval, and the limits."""

    stage: Stage
    said: Mapping[int, list[dict[str, Any]]]
    limits: Settings

    @classmethod
    def of(cls, stage: Stage) -> _Case:
        said = stage.by_interval((*LOST_LEADER, LOST_LEARNER, *STEPPED_DOWN), "trace", "message", "sids")
        return cls(stage, said, settings(stage.lines.trace))

    def lines(self, interval: Interval) -> list[dict[str, Any]]:
        """Those of an interval that have a stamp."""
        return [row for row in self.said.get(interval.index, ()) if row["time"] is not None]

    def name(self, server: int | None) -> str:
        return "its leader" if server is None else listed([server], self.stage.labels)


def outages(stage: Stage, result: Terms, configs: Sequence[Config]) -> tuple[Outage, ...]:
    """One outage per change of the established epoch that some server saw both sides of, and the one that lasts to the end of the logs."""
    case = _Case.of(stage)
    led = [term for term in result.all if term.interval is not None and term.interval.served_at is not None]
    numbers = sorted({term.epoch for term in led if term.epoch is not None})
    served: dict[int, list[Interval]] = defaultdict(list)
    for interval in stage.intervals:
        if interval.epoch is not None and interval.served_at is not None:
            served[interval.epoch].append(interval)
    found = [_between(case, served[one], served[other]) for one, other in pairwise(numbers)]
    last = max(led, key=lambda term: term.epoch or 0, default=None)
    behind = _open(case, last, configs) if last is not None else None
    return tuple(outage for outage in (*found, behind) if outage is not None)


def _open(case: _Case, last: Term, configs: Sequence[Config]) -> Outage | None:
    """The outage behind the last leader: it stepped down, or its followers lost it, and those still in its term are no quorum.

    Voters whose logs were not read count as still there. ``end`` is null; ``ms`` is the time to the end of that server's log.
    """
    leader, config = last.interval, configs[-1] if configs else Config()
    left = [i for i in last.learners if i.after is not None and i.after.role == "LOOKING" and i.served_at is not None]
    if leader is None or (leader.after is None and not left):
        return None
    here = {i.server for i in (leader, *last.learners) if i.after is None}
    if config.is_quorum(here | (config.voters - {i.server for i in case.stage.intervals})) or not config.voters:
        return None
    gone = leader if leader.after is not None else min(left, key=lambda i: (i.end is None, i.end))
    ends = [i.end for i in case.stage.intervals if i.server == gone.server and i.end is not None]
    loss = _loss(case, gone)
    return None if loss is None else Outage(loss.time, None, _ms(loss.time, max(ends)), gone.server, loss.why, loss.source, loss.line)


def _between(case: _Case, before: Sequence[Interval], behind: Sequence[Interval]) -> Outage | None:
    """From an epoch to the next, by the second's leader if it saw the first end, else by whoever was without a leader the shortest."""
    ends = {interval.server: interval for interval in before}
    begins: dict[int, Interval] = {}
    for interval in behind:
        begins.setdefault(interval.server, interval)
    spans = [
        (begin.role == "LEADING", Outage(loss.time, begin.served, _ms(loss.time, begin.served), sid, loss.why, loss.source, loss.line))
        for sid, begin in sorted(begins.items(), key=lambda item: item[1].role != "LEADING")
        if sid in ends and ends[sid].at < begin.at and begin.served is not None and (loss := _seen_by(case, ends[sid], before)) is not None
    ]
    leader = next((span for leads, span in spans if leads and not _went_alone(case, ends[span.clock])), None)
    return leader or min((span for _, span in spans), key=lambda span: span.ms, default=None)


def _went_alone(case: _Case, ended: Interval) -> bool:
    """Its process ended while it followed: what the others did from then on, its own log cannot tell."""
    return ended.learns and ended.last and not any(row["kind"] in LOST_LEADER for row in case.lines(ended))


def _seen_by(case: _Case, ended: Interval, before: Sequence[Interval]) -> Loss | None:
    """From when on this server could write nothing: a follower that its leader still had when it stepped down noticed later than that.

    How much earlier the leader had lost its quorum is read from the leader's clock, and taken off this server's.
    """
    loss = _loss(case, ended)
    leader = next((i for i in before if i.role == "LEADING"), None)
    down = next((row for row in case.lines(leader) if row["kind"] in STEPPED_DOWN), None) if leader is not None else None
    own = _loss(case, leader) if leader is not None and ended.learns else None
    if loss is None or own is None or down is None or str(ended.server) not in re.findall(r"\d+", down["sids"] or ""):
        return loss
    return Loss(loss.time - (down["time"] - own.time), own.why, own.source, own.line)


def _loss(case: _Case, ended: Interval) -> Loss | None:
    """From when on this server was without a leader, as its own lines show."""
    rows = case.lines(ended)
    if ended.learns:
        row = next((row for row in rows if row["kind"] in LOST_LEADER), None)
        return _lost_leader(case, ended, row) if row is not None else _ended(case, ended)
    down = next((row for row in rows if row["kind"] in STEPPED_DOWN), None)
    return _stepped_down(case, ended, rows, down) if down is not None else _ended(case, ended)


def _lost_leader(case: _Case, ended: Interval, row: dict[str, Any]) -> Loss:
    leader = case.name(ended.leader)
    if WAITED_IN_VAIN in (row["trace"] or ""):
        since = _silent_since(case, ended, row["time"])
        why = f"{case.name(ended.server)} had its last word from {leader} then: its read timed out {_later(since, row['time'])} later"
        return Loss(since, why, row["source"], row["line"])
    why = f"{case.name(ended.server)} lost the connection to {leader}" + (f": {row['trace'].strip()}" if row["trace"] else "")
    return Loss(row["time"], why, row["source"], row["line"])


def _stepped_down(case: _Case, ended: Interval, rows: list[dict[str, Any]], down: dict[str, Any]) -> Loss:
    """A leader that lost followers: when it lost, or last heard, the one without whom it stepped down."""
    if down["kind"] not in ("lost_quorum", "leader_sync_timeout"):
        return Loss(down["time"], f"{case.name(ended.server)} stepped down", down["source"], down["line"])
    lost = [row for row in rows if row["kind"] == LOST_LEARNER and row["at"] < down["at"]]
    near = [row for row in lost if down["time"] - row["time"] <= timedelta(milliseconds=_patience(case, ended))]
    row = near[-1] if near else down
    silent = WAITED_IN_VAIN in (row["trace"] or "") or row is down
    since = _silent_since(case, ended, row["time"]) if silent else row["time"]
    heard = "had its last word from a quorum of followers then" if silent else "lost the follower without whom it had no quorum"
    why = f"{case.name(ended.server)} {heard}, and stepped down {_later(since, down['time'])} later"
    return Loss(since, why, row["source"], row["line"])


def _patience(case: _Case, ended: Interval) -> int:
    """A loss so many ms before a leader steps down may be why: it looks every half tick (Leader.lead)."""
    return limit(case.limits, ended.server, "syncLimit") or 0


def _silent_since(case: _Case, ended: Interval, until: datetime) -> datetime:
    waited = limit(case.limits, ended.server, "syncLimit") or 0
    since = until - timedelta(milliseconds=waited)
    return max(since, ended.served) if ended.served is not None else since


def _later(since: datetime, until: datetime) -> str:
    return f"{_ms(since, until)} ms"


def _ended(case: _Case, ended: Interval) -> Loss | None:
    if ended.end is None:
        return None
    told = "the last line of its process" if ended.last else "it left its leader without saying why"
    return Loss(ended.end, f"{case.name(ended.server)} was in that epoch until then: {told}", ended.end_source, ended.end_line)


def _ms(begin: datetime, end: datetime | None) -> int:
    return 0 if end is None else round((end - begin).total_seconds() * 1000)
