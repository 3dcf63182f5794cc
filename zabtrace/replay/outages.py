"""Outages: the time between one established leader and the next, on the clock of one server that saw both.

Strategy: no two clocks are subtracted. The next leader's own log is asked first: from when it stopped following or leading the epoch
before to when its quorum stood; else any other server that served in both.
"""

from __future__ import annotations

from itertools import pairwise

from zabtrace.replay.history import Outage
from zabtrace.replay.roles import Interval, Stage
from zabtrace.replay.terms import Terms


def outages(stage: Stage, result: Terms) -> tuple[Outage, ...]:
    """One outage per change of the established epoch that some server saw both sides of."""
    led = [term for term in result.all if term.interval is not None and term.interval.served_at is not None]
    numbers = sorted({term.epoch for term in led if term.epoch is not None})
    found = [_between(stage, one, other) for one, other in pairwise(numbers)]
    return tuple(outage for outage in found if outage is not None)


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
