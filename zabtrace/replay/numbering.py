"""Numbering: the epoch of each term, and the epoch in which each interval served.

Strategy: a leader's quorum line names its epoch. Where its log is missing, its learners' lines do: what they acknowledged, what they
logged once they were up to date, the epoch in later votes or in their currentEpoch file. Two different answers are none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from zabtrace import zxid
from zabtrace.replay.ballots import Ballots, first_vote
from zabtrace.replay.roles import Interval, Stage
from zabtrace.replay.terms import Term, Terms

_EPOCH_LINES = ("newleader_ack_sent", "current_epoch_set", "txnlog_created", "proposal_gap")


def number(stage: Stage, result: Terms) -> None:
    """Epochs of terms from their learners' lines where the leader's log tells none, and of the intervals from their terms."""
    said: dict[int, set[int]] = defaultdict(set)
    for row in stage.each(_EPOCH_LINES, "epoch", "zxid"):
        epoch = row["epoch"] if row["kind"] == "current_epoch_set" else row["zxid"] and zxid.epoch(row["zxid"])
        interval = stage.intervals[row["interval"]]
        # what is logged behind UPTODATE is of the leader's own epoch; before it may be of older ones
        own = row["kind"] in _EPOCH_LINES[:2] or (interval.uptodate_at is not None and row["at"] > interval.uptodate_at)
        if epoch and own:
            said[interval.index].add(epoch)
    for term in result.all:
        if term.epoch is None:
            spoken = set().union(*(said[i.index] for i in term.learners)) | _announced(result.ballots, term) | _based(term)
            numbers = spoken or {e for i in term.learners if (e := _written_epoch(result, i)) is not None}
            term.epoch = numbers.pop() if len(numbers) == 1 else None
        for interval in term.learners:
            interval.epoch = term.epoch if interval.served_at is not None else None
        if term.interval is not None:
            term.interval.epoch = term.epoch if term.interval.epoch is None and term.interval.role != "LEADING" else term.interval.epoch


def not_rising(result: Terms) -> Iterator[tuple[Interval, Interval]]:
    """Two intervals in which one server served, one after the other, where the epoch of the second is not larger.

    A quorum that synchronized had accepted the epoch (Learner.registerWithLeader writes acceptedEpoch first), so its number comes again
    only after acceptedEpoch was lost on a quorum: disks wiped or put back. A learner may have come again to one leader whose log is
    missing: of the same leader both terms must be in its own log.
    """
    last: dict[int, Interval] = {}
    for interval in result.stage.intervals:
        term = result.of.get(interval.index)
        if term is None or interval.served_at is None:
            continue
        earlier = last.get(interval.server)
        before = None if earlier is None else result.of[earlier.index]
        if (
            earlier is not None
            and before is not None
            and term.epoch is not None
            and at_least(before) >= term.epoch
            and _apart(before, term)
        ):
            yield earlier, interval
        last[interval.server] = interval


def led_twice(result: Terms | None) -> dict[int, dict[int, Interval]]:
    """Epochs in which servers served under two leaders: each leader with the first interval that shows it.

    A quorum had lost its acceptedEpoch, as for ``not_rising``.
    """
    leaders: dict[int, dict[int, Interval]] = defaultdict(dict)
    for term in result.all if result is not None else ():
        served = next((i for i in (term.interval, *term.learners) if i is not None and i.served_at is not None), None)
        if term.epoch is not None and served is not None and term.leader >= 0:  # a server without a sid may be one that others name
            leaders[term.epoch].setdefault(term.leader, served)
    return {epoch: found for epoch, found in sorted(leaders.items()) if len(found) > 1}


def at_least(term: Term) -> int:
    """The smallest epoch that a term in which somebody served can have had: above that of its vote (Leader.getEpochToPropose)."""
    voted = None if term.ballot is None else term.ballot.peer_epoch
    return term.epoch if term.epoch is not None else 1 if voted is None else voted + 1


def _apart(one: Term, other: Term) -> bool:
    """Are they two leaderships for sure?"""
    told = all(t.interval is not None and t.interval.role == "LEADING" and t.interval.served_at is not None for t in (one, other))
    return one is not other and (one.leader != other.leader or told)


def _announced(found: Ballots, term: Term) -> set[int]:
    """The epoch in votes of the term's servers after their sync, where it is newer than the one they elected it by."""
    if term.ballot is None or term.ballot.peer_epoch is None:
        return set()
    notices = [n for interval in term.learners for n in found.heard.get(interval.index, ())]
    return {
        n.ballot.peer_epoch
        for n in notices
        if n.state in ("FOLLOWING", "LEADING")
        and n.ballot.choice == term.ballot.choice
        and n.ballot.peer_epoch is not None
        and n.ballot.peer_epoch > term.ballot.peer_epoch
    }


def _written_epoch(result: Terms, interval: Interval) -> int | None:
    """The currentEpoch that a learner had after its sync: in its next vote, else in its file where nothing came behind.

    Taken only where it is larger than in its vote before, for a sync that broke off writes none (Learner.syncWithLeader).
    """
    before = _voted(result.ballots, interval.before)
    if interval.served_at is None or before is None:
        return None
    for later in result.stage.intervals[interval.index + 1 :]:
        if later.server != interval.server:
            break
        if later.role == "LOOKING":
            voted = _voted(result.ballots, later)
            return voted if voted is not None and voted > before else None
        if later.role not in ("DOWN", "STARTING"):
            return None
    stored = result.stage.stored_epochs.get(interval.server)
    return stored if stored is not None and stored > before else None


def _voted(found: Ballots, looking: Interval | None) -> int | None:
    vote = first_vote(found, looking) if looking is not None and looking.role == "LOOKING" else None
    return vote.peer_epoch if vote is not None else None


def _based(term: Term) -> set[int]:
    """A leader without transactions sends a snapshot named after its epoch alone."""
    bases = [side.zxid for side, _ in term.handshakes if side is not None and side.mode == "SNAP" and side.zxid]
    return {zxid.epoch(base) for base in bases if zxid.counter(base) == 0}
