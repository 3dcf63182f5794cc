"""Terms: who led when, and who learned from whom.

Strategy: a term is one LEADING interval with the learners' intervals that belong to it. A learner's interval is joined to its term by
the handshake both sides printed; else by the leader's address, or the vote it decided by; a leader whose log is missing gets a term
without an interval, made of what its learners say. What nothing shows stays null.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from zabtrace import zxid
from zabtrace.evidence.trace import Trace
from zabtrace.replay.ballots import Ballot, Ballots, first_vote
from zabtrace.replay.handshakes import Received, Sent, by_learner, paired, received, sent
from zabtrace.replay.roles import Interval, Stage

Handshake = tuple[Received | None, Sent | None]
_SERVING = ("uptodate", "peer_state_changed", "newleader", "learner_diff", "learner_trunc", "learner_snap")
_EPOCH_LINES = ("newleader_ack_sent", "current_epoch_set", "txnlog_created", "proposal_gap")
_HOST = re.compile(r"^([^/\s]*)/?\[?([^\]/\s]*?)\]?:(\d+)")


@dataclass(eq=False)
class Term:
    """One server's leadership. ``interval`` is null where its log is missing; ``epoch`` where it never got or showed one."""

    leader: int
    interval: Interval | None
    epoch: int | None = None
    ballot: Ballot | None = None
    """The vote that elected it."""
    learners: list[Interval] = field(default_factory=list)
    handshakes: list[Handshake] = field(default_factory=list)
    led: bool = True
    """False where its log shows that it never entered LEADING."""


@dataclass
class Terms:
    """All terms, and the term of each interval."""

    stage: Stage
    ballots: Ballots
    all: list[Term] = field(default_factory=list)
    of: dict[int, Term] = field(default_factory=dict)
    unpaired: list[Handshake] = field(default_factory=list)
    """Synchronizations of learners whose leader nothing names."""


def terms(stage: Stage, found: Ballots) -> Terms:
    """Find all terms and fill leader, epoch and served of the intervals."""
    _mark_service(stage)
    names = _Addresses(stage)
    result = Terms(stage, found)
    for interval in stage.intervals:
        if interval.role == "LEADING":
            interval.leader = interval.server
            result.all.append(Term(interval.server, interval, interval.epoch, _winning(found, interval)))
            result.of[interval.index] = result.all[-1]
        elif interval.learns:
            interval.leader = names.leader(interval) or named_by_votes(found, interval)
    _pair(stage, result)
    for interval in stage.of("FOLLOWING", "OBSERVING"):
        if interval.index not in result.of:
            _join(result, interval)
    _fill(stage, result)
    return result


def _mark_service(stage: Stage) -> None:
    """``served``: the quorum line of a leader, the learner's UPTODATE or broadcast; 3.4 prints only that the sync began."""
    for row in stage.rows("quorum_supported"):
        interval = stage.intervals[row["interval"]]
        if not interval.learns and interval.served_at is None:
            interval.served, interval.served_at = row["time"], row["at"]
            interval.epoch = zxid.epoch(row["zxid"]) if row["zxid"] is not None else None
    marks: dict[int, dict[str, dict[str, Any]]] = defaultdict(dict)
    wordy: set[tuple[int, int]] = set()
    for row in stage.rows(*_SERVING):
        if row["kind"] == "peer_state_changed" and row["phase"] != "broadcast":
            continue
        interval = stage.intervals[row["interval"]]
        if row["kind"] in _SERVING[:3]:
            wordy.add((interval.server, interval.process))
        marks[row["interval"]].setdefault(row["kind"], row)
    for number, lines in marks.items():
        interval = stage.intervals[number]
        kinds = ("uptodate", "peer_state_changed") if (interval.server, interval.process) in wordy else _SERVING[3:]
        said = [lines[kind] for kind in kinds if kind in lines]
        if said and interval.learns:
            interval.served, interval.served_at = said[0]["time"], said[0]["at"]
            interval.uptodate_at = said[0]["at"] if said[0]["kind"] in _SERVING[:2] else None


def named_by_votes(found: Ballots, interval: Interval) -> int | None:
    """Whom a learner follows by its votes: a leader it heard from while LOOKING, else the candidate of its own last vote."""
    ballot = deciding(found, interval)
    return ballot.leader if ballot is not None else None


def deciding(found: Ballots, interval: Interval) -> Ballot | None:
    """The vote by which a LOOKING server became what ``interval`` says (FastLeaderElection.lookForLeader)."""
    looking = interval.before
    if looking is None or looking.role != "LOOKING":
        return None
    own = [ballot for ballot in found.own(looking) if ballot.leader != interval.server]
    led = [n.ballot for n in found.others(looking, "LEADING") if n.sender == n.ballot.leader]
    if own and (not led or own[-1].leader == led[-1].leader):
        return own[-1]
    followed = [n.ballot for n in found.others(looking, "FOLLOWING")]
    told = led[-1:] or (followed[:1] if len({ballot.leader for ballot in followed}) == 1 else [])
    return told[0]._replace(peer_epoch=None) if told else None


def _winning(found: Ballots, interval: Interval) -> Ballot | None:
    looking = interval.before
    if looking is None or looking.role != "LOOKING":
        return None
    return next((ballot for ballot in reversed(found.own(looking)) if ballot.leader == interval.server), None)


class _Addresses:
    """Whose address is this? From the configurations, and from what leaders print of their learners."""

    def __init__(self, stage: Stage) -> None:
        self._sids: dict[tuple[str, int], set[int]] = defaultdict(set)
        for sid, host, port in _members(stage.trace):
            self._sids[host, port].add(sid)
        for row in stage.rows("follower_info"):
            if row["sid"] is not None and (match := re.match(r"^(.+?):(\d+):\d+:", row["spec"] or "")):
                self._sids[match[1].split("/")[-1], int(match[2])].add(row["sid"])
        self._named: dict[int, int] = {}
        for row in stage.rows("leader_connected", "leader_disconnected", "observer_observing"):
            named: int | None = row["sid"] if row["sid"] is not None else self._sid(row["address"])
            if named is not None:
                self._named.setdefault(row["interval"], named)

    def _sid(self, address: str | None) -> int | None:
        match = _HOST.match(address or "")
        if match is None:
            return None
        port = int(match[3])
        sids = set().union(*(self._sids.get((host, port), ()) for host in (match[1], match[2]) if host))
        return sids.pop() if len(sids) == 1 else None

    def leader(self, interval: Interval) -> int | None:
        """The leader whose address this learner printed."""
        return self._named.get(interval.index)


def _members(trace: Trace) -> Iterable[tuple[int, str, int]]:
    return trace.members.select("sid", "host", "quorum_port").drop_nulls().unique().iter_rows()


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
                _enter(result, side.interval, term)
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


def _enter(result: Terms, interval: Interval, term: Term) -> None:
    result.of[interval.index] = term
    term.learners.append(interval)
    interval.leader = term.leader


def _join(result: Terms, interval: Interval) -> None:
    """Join a learner's interval without a handshake to a term of the leader it names, or to one made for it."""
    if interval.leader is None:
        return
    ballot = deciding(result.ballots, interval)
    met = _met(result.ballots, interval)
    candidates = [
        term for term in _possible(result, interval)
        if term.leader == interval.leader and (met or all(other.server != interval.server for other in term.learners))
    ]  # fmt: skip
    alike = [term for term in candidates if ballot is not None and ballot.agrees(term.ballot)]
    if len(alike or candidates) == 1 and (alike or ballot is None or candidates[0].ballot is None):
        _enter(result, interval, (alike or candidates)[0])
        return
    has_log = any(other.server == interval.leader for other in result.stage.intervals)
    term = Term(interval.leader, None, ballot=ballot, led=interval.served_at is not None or not has_log)
    result.all.append(term)
    _enter(result, interval, term)


def _met(found: Ballots, interval: Interval) -> bool:
    """Did it learn of its leader from servers that followed it already? Else it elected it, and was in no earlier part of that term."""
    looking = interval.before
    if looking is None or looking.role != "LOOKING":
        return False
    return any(n.ballot.leader == interval.leader for n in found.others(looking, "FOLLOWING", "LEADING"))


def _possible(result: Terms, interval: Interval) -> list[Term]:
    """The terms that can be this interval's: not before the term its server was in earlier, not behind a later one."""
    mine = [other for other in result.stage.intervals if other.server == interval.server and other.index in result.of]
    low = max((e for o in mine if o.at < interval.at and (e := result.of[o.index].epoch) is not None), default=0)
    high = min((e for o in mine if o.at > interval.at and (e := result.of[o.index].epoch) is not None), default=1 << 40)
    served = interval.served_at is not None
    return [
        term
        for term in result.all
        if (term.epoch is None or low <= term.epoch <= high)
        and (not served or term.interval is None or term.interval.served_at is not None)
    ]


def _fill(stage: Stage, result: Terms) -> None:
    """Epochs of terms from their learners' lines where the leader's log tells none, and of the intervals from their terms."""
    said: dict[int, set[int]] = defaultdict(set)
    for row in stage.rows(*_EPOCH_LINES):
        number = row["epoch"] if row["kind"] == "current_epoch_set" else row["zxid"] and zxid.epoch(row["zxid"])
        interval = stage.intervals[row["interval"]]
        # what is logged behind UPTODATE is of the leader's own epoch; before it may be of older ones
        own = row["kind"] in _EPOCH_LINES[:2] or (interval.uptodate_at is not None and row["at"] > interval.uptodate_at)
        if number and own:
            said[interval.index].add(number)
    for term in result.all:
        if term.epoch is None:
            spoken = set().union(*(said[i.index] for i in term.learners)) | _announced(result.ballots, term) | _based(term)
            numbers = spoken or {e for i in term.learners if (e := _written_epoch(result, i)) is not None}
            term.epoch = numbers.pop() if len(numbers) == 1 else None
        for interval in term.learners:
            interval.epoch = term.epoch if interval.served_at is not None else None
        if term.interval is not None:
            term.interval.epoch = term.epoch if term.interval.epoch is None and term.interval.role != "LEADING" else term.interval.epoch


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
