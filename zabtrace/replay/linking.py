"""Linking: which learner's interval belongs to which leader's.

Strategy: a learner's interval is joined to its term by the handshake both sides printed; else by the leader's address, or the vote it
decided by; a leader whose log is missing gets a term without an interval. What nothing shows stays null.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from zabtrace import zxid
from zabtrace.replay.ballots import Ballots
from zabtrace.replay.handshakes import Received, Sent, by_learner, paired, received, sent
from zabtrace.replay.naming import Addresses, deciding, met_followers, named_by_votes, winning
from zabtrace.replay.numbering import number
from zabtrace.replay.roles import Interval, Stage
from zabtrace.replay.terms import Term, Terms

_SERVING = ("uptodate", "peer_state_changed", "newleader", "learner_diff", "learner_trunc", "learner_snap")
_NO_EPOCH = 1 << 40


def linked(stage: Stage, found: Ballots) -> Terms:
    """Find all terms and fill leader, epoch and served of the intervals."""
    _mark_service(stage)
    names = Addresses(stage)
    result = Terms(stage, found)
    for interval in stage.intervals:
        if interval.role == "LEADING":
            interval.leader = interval.server
            result.all.append(Term(interval.server, interval, interval.epoch, winning(found, interval)))
            result.of[interval.index] = result.all[-1]
        elif interval.learns:
            interval.leader = names.leader(interval) or named_by_votes(found, interval)
    _pair(stage, result)
    joiner = _Joiner(result)
    for interval in stage.of("FOLLOWING", "OBSERVING"):
        if interval.index not in result.of:
            joiner.join(interval)
    number(stage, result)
    return result


def _mark_service(stage: Stage) -> None:
    """``served``: the quorum line of a leader, the learner's UPTODATE or broadcast; 3.4 prints only that the sync began."""
    for row in stage.each(["quorum_supported"], "zxid"):
        interval = stage.intervals[row["interval"]]
        if not interval.learns and interval.served_at is None:
            interval.served, interval.served_at = row["time"], row["at"]
            interval.epoch = zxid.epoch(row["zxid"]) if row["zxid"] is not None else None
    marks: dict[int, dict[str, tuple[datetime | None, int]]] = defaultdict(dict)
    wordy: set[tuple[int, int]] = set()
    for row in stage.each(_SERVING, "phase"):
        if row["kind"] == "peer_state_changed" and row["phase"] != "broadcast":
            continue
        interval = stage.intervals[row["interval"]]
        if row["kind"] in _SERVING[:3]:
            wordy.add((interval.server, interval.process))
        marks[row["interval"]].setdefault(row["kind"], (row["time"], row["at"]))
    for index, lines in marks.items():
        interval = stage.intervals[index]
        kinds = ("uptodate", "peer_state_changed") if (interval.server, interval.process) in wordy else _SERVING[3:]
        kind = next((kind for kind in kinds if kind in lines), None)
        if kind is not None and interval.learns:
            interval.served, interval.served_at = lines[kind]
            interval.uptodate_at = interval.served_at if kind in _SERVING[:2] else None


def _pair(stage: Stage, result: Terms) -> None:
    """Join both sides of every synchronization, and with them the learner's interval to its term."""
    leaders = by_learner(sorted(sent(stage), key=_epoch_order(stage)))
    learners: dict[int, list[Received]] = defaultdict(list)
    for mine in received(stage):
        learners[mine.interval.server].append(mine)
    for sid in sorted(leaders.keys() | learners.keys()):
        for side, other in paired(learners.get(sid, []), leaders.get(sid, [])):
            term = _term_of(result, other)
            if side is not None and term is not None and side.interval.index not in result.of:
                result.enter(side.interval, term)
            (result.unpaired if term is None else term.handshakes).append((side, other))


def _term_of(result: Terms, side: Sent | None) -> Term | None:
    """The term of a leader's side; lines of a leader whose LEADING line is missing make one."""
    if side is None:
        return None
    if side.interval.index not in result.of:
        term = Term(side.interval.server, side.interval, side.interval.epoch)
        result.all.append(term)
        result.of[side.interval.index] = term
    return result.of[side.interval.index]


def _epoch_order(stage: Stage) -> Any:
    """Order leaders' lines by epoch; a term without one comes right behind the epoch that its server knew before."""
    known: dict[int, float] = {}
    last: dict[int, float] = {}
    for interval in stage.intervals:
        if interval.epoch is not None:
            last[interval.server] = interval.epoch
        known[interval.index] = interval.epoch if interval.epoch is not None else last.get(interval.server, 0) + 0.5
    return lambda side: (known[side.interval.index], side.interval.server, side.at)


class _Joiner:
    """Joins learners' intervals without a handshake to terms of the leader they name, or to terms made for them."""

    def __init__(self, result: Terms) -> None:
        self._result = result
        self._logged = {interval.server for interval in result.stage.intervals}
        self._terms: dict[tuple[int, object], list[Term]] = defaultdict(list)
        for term in result.all:
            self._add(term)
        self._low, self._high = _bounds(result)

    def _add(self, term: Term) -> None:
        self._terms[term.leader, None].append(term)
        self._terms[term.leader, term.ballot.choice if term.ballot is not None else ()].append(term)

    def join(self, interval: Interval) -> None:
        """Enter the one term that fits; where none does, a new one. Nobody led whose address refused the connection to the end."""
        if interval.leader is None or unmet(self._result.stage, interval):
            return
        ballot = deciding(self._result.ballots, interval)
        key = None if ballot is None else ballot.choice
        found = [t for t in self._terms[interval.leader, key] if ballot is None or ballot.agrees(t.ballot)]
        fitting = self._fitting(interval, found) or self._fitting(interval, self._terms[interval.leader, ()])
        if len(fitting) == 1:
            self._result.enter(interval, fitting[0])
        elif not fitting:
            led = interval.served_at is not None or interval.leader not in self._logged
            term = Term(interval.leader, None, ballot=ballot, led=led)
            self._result.all.append(term)
            self._add(term)
            self._result.enter(interval, term)

    def _fitting(self, interval: Interval, terms: Iterable[Term]) -> list[Term]:
        """Not before the term that its server was in earlier, not behind a later one, and served where the learner was."""
        met, served = met_followers(self._result.ballots, interval), interval.served_at is not None
        low, high = self._low[interval.index], self._high[interval.index]
        return [
            term for term in terms
            if (term.epoch is None or low <= term.epoch <= high)
            and (not served or term.interval is None or term.interval.served_at is not None)
            and (met or not any(other.server == interval.server and other.at < interval.at for other in term.learners))
        ]  # fmt: skip


def unmet(stage: Stage, interval: Interval) -> bool:
    """Did it settle on a server, by an algorithm that prints no votes, at whose address nothing listened to the end?"""
    voted = interval.before is not None and interval.before.index in stage.voting
    return interval.served_at is None and interval.index in stage.refused and not voted


def _bounds(result: Terms) -> tuple[dict[int, int], dict[int, int]]:
    """Per interval the largest epoch its server is known to have been in before it, and the smallest behind it."""
    low: dict[int, int] = {}
    high: dict[int, int] = {}
    for bounds, intervals, start, pick in (
        (low, result.stage.intervals, 0, max),
        (high, result.stage.intervals[::-1], _NO_EPOCH, min),
    ):
        lanes: dict[int, int] = {}
        for interval in intervals:
            bounds[interval.index] = lanes.setdefault(interval.server, start)
            term = result.of.get(interval.index)
            if term is not None and term.epoch is not None:
                lanes[interval.server] = pick(lanes[interval.server], term.epoch)
    return low, high
