"""Outages: the time between one established leader and the next, on the clock of one server that saw both.

Strategy: no two clocks are subtracted. The next leader's own log is asked first: from when it stopped following or leading the epoch
before to when its quorum stood; else any other server that served in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from zabtrace.protocol.quorum import Config
from zabtrace.replay.history import Outage
from zabtrace.replay.roles import Interval, Stage
from zabtrace.replay.terms import Term, Terms


def outages(stage: Stage, result: Terms, configs: Sequence[Config]) -> tuple[Outage, ...]:
    """One outage per change of the established epoch that some server saw both sides of, and the one that lasts to the end of the logs."""
    led = [term for term in result.all if term.interval is not None and term.interval.served_at is not None]
    numbers = sorted({term.epoch for term in led if term.epoch is not None})
    found = [_between(stage, one, other) for one, other in pairwise(numbers)]
    last = max(led, key=lambda term: term.epoch or 0, default=None)
    behind = _open(stage, last, configs) if last is not None else None
    return tuple(outage for outage in (*found, behind) if outage is not None)


def _open(stage: Stage, last: Term, configs: Sequence[Config]) -> Outage | None:
    """The outage behind the last leader: it stepped down, or its followers lost it, and those still in its term are no quorum.

    Voters whose logs were not read count as still there. ``end`` is null; ``ms`` is the time to the end of that server's log.
    """
    leader, config = last.interval, configs[-1] if configs else Config()
    left = [i for i in last.learners if i.after is not None and i.after.role == "LOOKING" and i.served_at is not None]
    if leader is None or (leader.after is None and not left):
        return None
    here = {i.server for i in (leader, *last.learners) if i.after is None}
    if config.is_quorum(here | (config.voters - {i.server for i in stage.intervals})) or not config.voters:
        return None
    gone = leader if leader.after is not None else min(left, key=lambda i: (i.end is None, i.end))
    ends = [i.end for i in stage.intervals if i.server == gone.server and i.end is not None]
    if gone.end is None:
        return None
    return Outage(gone.end, None, round((max(ends) - gone.end).total_seconds() * 1000), gone.server)


def _between(stage: Stage, one: int, other: int) -> Outage | None:
    ends = {i.server: i for i in stage.intervals if i.epoch == one and i.served_at is not None}
    begins: dict[int, Interval] = {}
    for interval in stage.intervals:
        if interval.epoch == other and interval.served_at is not None:
            begins.setdefault(interval.server, interval)
    spans = [
        Outage(ends[sid].end, begin.served, _ms(ends[sid], begin), sid)
        for sid, begin in sorted(begins.items(), key=lambda item: item[1].role != "LEADING")
        if sid in ends and ends[sid].at < begin.at and ends[sid].end is not None and begin.served is not None
    ]
    leader = [span for span in spans if begins[span.clock].role == "LEADING"]
    return next(iter(leader), min(spans, key=lambda span: span.ms, default=None))


def _ms(ended: Interval, begun: Interval) -> int:
    if ended.end is None or begun.served is None:
        return 0
    return round((begun.served - ended.end).total_seconds() * 1000)
