"""Contests: which LOOKING intervals were one election.

Strategy: LOOKING intervals that ended in the same term are one election, except those of servers that came when the leader was
already established: each is a join. Those that ended in no term are linked where both sides saw each other's votes. A term that began
without LOOKING is a handover (reconfig named its leader). Links are made of votes and terms, never of clocks. Where the logs do not show
whether a server came before or after the leader was established, its kind is unknown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import pairwise

from zabtrace.replay.ballots import Ballot, Notice
from zabtrace.replay.handshakes import Received, Sent
from zabtrace.replay.roles import Interval, Stage
from zabtrace.replay.terms import Term, Terms


@dataclass(eq=False, slots=True)
class Election:
    """One election, before it is written as a row."""

    kind: str
    looking: list[Interval]
    term: Term | None = None
    number: int = 0
    ended: list[Interval] = field(default_factory=list)
    """The intervals that it led to."""

    @property
    def servers(self) -> list[int]:
        """Who was LOOKING in it."""
        return sorted({interval.server for interval in self.looking})

    def join(self, looking: Interval) -> None:
        """Add a server that was LOOKING in it and did not see its end."""
        self.looking.append(looking)


def contests(stage: Stage, result: Terms) -> list[Election]:
    """All elections, numbered in order."""
    return _numbered(_elections(stage, result))


def _elections(stage: Stage, result: Terms) -> list[Election]:
    """Group the LOOKING intervals."""
    votes: dict[Term, list[Interval]] = defaultdict(list)
    alone: list[Election] = []
    loose: list[Interval] = []
    for looking in stage.of("LOOKING"):
        after = looking.after
        term = result.of.get(after.index) if after is not None else None
        if after is None or term is None:
            loose.append(looking)
        elif after.learns and (late := came_late(result, looking, term)) is not False:
            alone.append(Election("join" if late else "unknown", [looking], term, ended=[after]))
        else:
            votes[term].append(looking)
    contested = [
        Election("vote", members, term, ended=[i.after for i in members if i.after is not None]) for term, members in votes.items()
    ]
    handed = [Election("handover", [], term, ended=[term.interval]) for term in result.all if _handed_over(term) and term.interval]
    return [*contested, *alone, *handed, *_unfinished(result, loose, contested)]


def _handed_over(term: Term) -> bool:
    """Did its leader become LEADING without LOOKING? Reconfig names a leader (Leader.getDesignatedLeader)."""
    return term.interval is not None and term.interval.role == "LEADING" and term.interval.before is not None and (
        term.interval.before.role in ("FOLLOWING", "OBSERVING")
    )  # fmt: skip


def came_late(result: Terms, looking: Interval, term: Term) -> bool | None:
    """Was the leader established before this server's first vote arrived there? Null where no line tells.

    The leader's lines are asked first, then another member's, then the answers it heard, then how long it took.
    """
    members = [term.interval, *term.learners]
    if _handed_over(term) or any(i is not None and i.server == looking.server and i.at < looking.at for i in members):
        return True
    side = next(((mine, sent) for mine, sent in term.handshakes if mine is not None and mine.interval is looking.after), None)
    arrived = _arrived_late(result, looking, term)
    if arrived is not None:
        return arrived
    if side is not None and side[1] is not None and not side[1].established:
        return False
    answered = _answered_late(result, looking, term)
    if answered is not None or _answered(result, looking, term) is not None:
        return answered
    if result.ballots.own(looking):
        return _met_leader(result, looking, term)
    took = _took_longer(looking, term, *side) if side is not None else None
    if looking.index in result.stage.voting:
        return _met_leader(result, looking, term) if took is None else took
    # where nothing listened yet when it had decided, its leader began to lead later (LearnerCnxAcceptor)
    return False if looking.after is not None and looking.after.index in result.stage.refused else took


def _arrived_late(result: Terms, looking: Interval, term: Term) -> bool | None:
    """As the members' lines show when its votes came: the leader's own decide; a follower's service begins behind the leader's quorum."""
    mine = set(result.ballots.own(looking))
    for member in (term.interval, *term.learners):
        if member is None or member.server == looking.server:
            continue
        since = max(member.before.at if member.before is not None else member.at, _came_before(looking, term, member))
        arrived = [n.at for n in result.ballots.arrived(member.server, looking.server, since, member.end_at) if n.ballot in mine]
        if arrived and member.served_at is not None:
            if arrived[0] > member.served_at:
                return True
            if member is term.interval or arrived[0] < member.at:
                return False
    return None


def _came_before(looking: Interval, term: Term, member: Interval) -> int:
    """Where in the leader's log an earlier process of that server was synchronized in this term: its votes were cast before that."""
    sides = [(mine, side) for mine, side in term.handshakes if side is not None and side.learner == looking.server]
    own = next((side for mine, side in sides if mine is not None and mine.interval is looking.after), None)
    earlier = [side.at for _, side in sides if own is not None and side.at < own.at]
    return max(earlier, default=0) if member is term.interval else 0


def _answered(result: Terms, looking: Interval, term: Term) -> Notice | None:
    """What its leader, else a follower, answered first: their votes name the new epoch in time (3.4.6+, whose votes have a version)."""
    answers = [n for n in result.ballots.others(looking, "FOLLOWING", "LEADING") if n.ballot.leader == term.leader]
    first = next((n for n in answers if n.sender == term.leader), answers[0] if answers else None)
    if first is None or term.epoch is None or first.ballot.peer_epoch is None:
        return None
    return first if first.ballot.peer_epoch >= term.epoch or result.ballots.format_versions[first.row] else None


def _answered_late(result: Terms, looking: Interval, term: Term) -> bool | None:
    """Without the others' logs: who answers in the new epoch follows a leader that is established.

    An answer in the old one proves nothing: the leader has its quorum, starts to serve, and names the epoch only then (updateElectionVote
    behind zk.startup in Leader.startZkServer), its followers later still.
    """
    first = _answered(result, looking, term)
    late = first is not None and term.epoch is not None and first.ballot.peer_epoch is not None and first.ballot.peer_epoch >= term.epoch
    return True if late else None


def _met_leader(result: Terms, looking: Interval, term: Term) -> bool:
    """Without the others' logs: it heard from LEADING and never voted for that leader itself."""
    led = any(n.ballot.leader == term.leader for n in result.ballots.others(looking, "LEADING"))
    return led and all(ballot.leader != term.leader for ballot in result.ballots.own(looking))


def _took_longer(looking: Interval, term: Term, mine: Received | None, side: Sent | None) -> bool | None:
    """Elections that print no votes (3.4's algorithms 0 to 2): did it begin to look before or behind the leader's quorum line?

    It received nothing before the leader sent it, and the leader compared it only when it had decided: so how long it had been at it, by
    its own clock, taken off the leader's stamp, says when it began at the earliest and at the latest. No clocks are compared. Null where
    the quorum stood between the two.
    """
    established = term.interval.served if term.interval is not None else None
    if side is None or side.time is None or established is None or looking.start is None:
        return None
    if mine is not None and mine.time is not None and side.time - (mine.time - looking.start) > established:
        return True
    return False if looking.end is not None and side.time - (looking.end - looking.start) <= established else None


def _unfinished(result: Terms, loose: list[Interval], contested: list[Election]) -> list[Election]:
    """LOOKING intervals that ended in no term: part of an election whose members saw their votes, else linked among themselves."""
    casters = _casters(result)
    home = {i.index: election for election in contested for i in election.looking}
    groups: dict[int, list[Interval]] = {}
    for looking in loose:
        linked = _linked(result, looking, casters)
        election = next((e for i in linked if (e := home.get(i.index)) is not None and looking.server not in e.servers), None)
        if election is not None:
            election.join(looking)
            continue
        merged = [looking]
        for group in {id(groups[i.index]): groups[i.index] for i in linked if i.index in groups}.values():
            merged += group
        groups.update({i.index: merged for i in merged})
    return [Election(_kind(result, group), group, ended=[i.after for i in group if i.after is not None])
            for group in {id(group): group for group in groups.values()}.values()]  # fmt: skip


def _kind(result: Terms, group: list[Interval]) -> str:
    """Of an election that no leader's term stands behind: unknown where its only server was served by a leader that nothing names."""
    after = group[0].after
    served = after is not None and after.learns and after.served_at is not None and after.index not in result.stage.refused
    return "unknown" if len(group) == 1 and served and group[0].index not in result.stage.voting else "vote"


def _casters(result: Terms) -> dict[tuple[int, Ballot], list[Interval]]:
    """In which LOOKING intervals did a server cast a vote?"""
    found: dict[tuple[int, Ballot], list[Interval]] = defaultdict(list)
    for looking in result.stage.of("LOOKING"):
        for ballot in dict.fromkeys(result.ballots.own(looking)):
            found[looking.server, ballot].append(looking)
    return found


def _linked(result: Terms, looking: Interval, casters: dict[tuple[int, Ballot], list[Interval]]) -> list[Interval]:
    """Intervals of others of which it saw a vote, and which saw one of its own."""
    seen = {(n.sender, n.ballot) for n in result.ballots.others(looking, "LOOKING")}
    mine = set(result.ballots.own(looking))
    near = {i.index: i for key in seen for i in casters.get(key, ())}
    return [
        i for _, i in sorted(near.items())
        if any(n.sender == looking.server and n.ballot in mine for n in result.ballots.others(i, "LOOKING"))
    ]  # fmt: skip


def _numbered(elections: Iterable[Election]) -> list[Election]:
    """Number them so that each server's own elections are in order; among those, by the first stamp."""
    lanes: dict[int, list[tuple[int, Election]]] = defaultdict(list)
    for election in elections:
        own = [*election.looking, *election.ended]
        for server in {i.server for i in own}:
            lanes[server].append((min(i.at for i in own if i.server == server), election))
    behind: dict[Election, list[Election]] = defaultdict(list)
    before: dict[Election, int] = {election: 0 for lane in lanes.values() for _, election in lane}
    for lane in lanes.values():
        for (_, one), (_, other) in pairwise(sorted(lane, key=lambda entry: entry[0])):
            behind[one].append(other)
            before[other] += 1
    turn = {election: number for number, election in enumerate(before)}  # without stamps they are alike otherwise
    heap = [(_start(e), turn[e], e) for e in before if not before[e]]
    heapify(heap)
    found: list[Election] = []
    while heap:
        _, _, first = heappop(heap)
        found.append(first)
        for other in behind[first]:
            before[other] -= 1
            if not before[other]:
                heappush(heap, (_start(other), turn[other], other))
    found += sorted((e for e, n in before.items() if n), key=_start)  # stamps cannot order what the logs tie in a circle
    for number, election in enumerate(found, 1):
        election.number = number
    return found


def _start(election: Election) -> float:
    stamps = [i.start.timestamp() for i in (election.looking or election.ended) if i.start is not None]
    return min(stamps, default=0.0)
