"""Contests: which LOOKING intervals were one election.

Strategy: LOOKING intervals that ended in the same term are one election, except those of servers that came when the leader was
already established: each is a join. Those that ended in no term are linked where both sides saw each other's votes. A term that began
without LOOKING is a handover (reconfig named its leader). Links are made of votes and terms, never of clocks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import pairwise

from zabtrace.replay.ballots import Ballot
from zabtrace.replay.roles import Interval, Stage
from zabtrace.replay.terms import Term, Terms


@dataclass(eq=False)
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
    joins: list[Election] = []
    loose: list[Interval] = []
    for looking in stage.of("LOOKING"):
        after = looking.after
        term = result.of.get(after.index) if after is not None else None
        if after is None or term is None:
            loose.append(looking)
        elif after.learns and came_late(result, looking, term):
            joins.append(Election("join", [looking], term, ended=[after]))
        else:
            votes[term].append(looking)
    contested = [
        Election("vote", members, term, ended=[i.after for i in members if i.after is not None]) for term, members in votes.items()
    ]
    handed = [Election("handover", [], term, ended=[term.interval]) for term in result.all if _handed_over(term) and term.interval]
    return [*contested, *joins, *handed, *_unfinished(result, loose, contested)]


def _handed_over(term: Term) -> bool:
    """Did its leader become LEADING without LOOKING? Reconfig names a leader (Leader.getDesignatedLeader)."""
    return term.interval is not None and term.interval.role == "LEADING" and term.interval.before is not None and (
        term.interval.before.role in ("FOLLOWING", "OBSERVING")
    )  # fmt: skip


def came_late(result: Terms, looking: Interval, term: Term) -> bool:
    """Was the leader established before this server's first vote arrived there? As the leader's lines, else another member's, tell it."""
    members = [term.interval, *term.learners]
    if _handed_over(term) or any(i is not None and i.server == looking.server and i.at < looking.at for i in members):
        return True
    mine = set(result.ballots.own(looking))
    for member in members:
        if member is None or member.server == looking.server:
            continue
        since = max(member.before.at if member.before is not None else member.at, _came_before(looking, term, member))
        arrived = [n.at for n in result.ballots.arrived(member.server, looking.server, since, member.end_at) if n.ballot in mine]
        if arrived and member.served_at is not None:
            return arrived[0] > member.served_at
    answered = _answered_late(result, looking, term)
    if answered is not None:
        return answered
    return _met_leader(result, looking, term) if mine else _synced_late(looking, term)


def _came_before(looking: Interval, term: Term, member: Interval) -> int:
    """Where in the leader's log an earlier process of that server was synchronized in this term: its votes were cast before that."""
    sides = [(mine, side) for mine, side in term.handshakes if side is not None and side.learner == looking.server]
    own = next((side for mine, side in sides if mine is not None and mine.interval is looking.after), None)
    earlier = [side.at for _, side in sides if own is not None and side.at < own.at]
    return max(earlier, default=0) if member is term.interval else 0


def _answered_late(result: Terms, looking: Interval, term: Term) -> bool | None:
    """Without the others' logs: had its leader, else a follower, taken the new epoch over when it answered? Null where no answer tells.

    Leader and followers name it once the epoch is established (updateElectionVote, 3.4.6+, whose votes have a format version).
    """
    answers = [n for n in result.ballots.others(looking, "FOLLOWING", "LEADING") if n.ballot.leader == term.leader]
    first = next((n for n in answers if n.sender == term.leader), answers[0] if answers else None)
    if first is None or term.epoch is None or first.ballot.peer_epoch is None:
        return None
    if first.ballot.peer_epoch >= term.epoch:
        return True
    return False if result.ballots.frame["format_version"][first.row] else None


def _met_leader(result: Terms, looking: Interval, term: Term) -> bool:
    """Without the others' logs: it heard from LEADING and never voted for that leader itself."""
    led = any(n.ballot.leader == term.leader for n in result.ballots.others(looking, "LEADING"))
    return led and all(ballot.leader != term.leader for ballot in result.ballots.own(looking))


def _synced_late(looking: Interval, term: Term) -> bool:
    """Elections that print no votes (3.4's algorithms 0 to 2): it was synchronized after the leader had its quorum."""
    return any(side is not None and side.established for _, side in term.handshakes if side and side.learner == looking.server)


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
    return [Election("vote", group, ended=[i.after for i in group if i.after is not None])
            for group in {id(group): group for group in groups.values()}.values()]  # fmt: skip


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
