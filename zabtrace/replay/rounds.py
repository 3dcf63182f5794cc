"""Rounds: which LOOKING intervals were one election, who won it, and why.

Strategy: LOOKING intervals that ended in the same term are one election, except those of servers that came when the leader was
already established: each is a join. Those that ended in no term are linked where both sides saw each other's votes. A term that began
without LOOKING is a handover (reconfig named its leader). Links are made of votes and terms, never of clocks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heapify, heappop, heappush
from itertools import pairwise
from typing import Any

import polars as pl

from zabtrace import schema
from zabtrace.protocol.quorum import Config
from zabtrace.protocol.vote import Vote, decided_by
from zabtrace.replay import reasons
from zabtrace.replay.ballots import Ballot, first_vote
from zabtrace.replay.roles import Interval, Stage
from zabtrace.replay.terms import Term, Terms, deciding

TOOK = ("follower_elected", "leader_elected")


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


@dataclass(frozen=True)
class Rounds:
    """Elections and votes."""

    elections: pl.DataFrame
    votes: pl.DataFrame


def rounds(stage: Stage, result: Terms, configs: Sequence[Config]) -> Rounds:
    """ELECTIONS and VOTES."""
    found = _numbered(_elections(stage, result))
    proposed = {row["interval"]: row for row in stage.rows("fle_new_election")}
    took = _took(stage)
    voters = configs[0] if configs else Config()
    rows = [_row(election, result, _config(configs, election) or voters, took) for election in found]
    return Rounds(schema.frame(schema.ELECTIONS, rows), _votes(found, result, proposed))


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
        since = member.before.at if member.before is not None else member.at
        arrived = [n.at for n in result.ballots.arrived(member.server, looking.server, since, member.end_at) if n.ballot in mine]
        if arrived and member.served_at is not None:
            return arrived[0] > member.served_at
    return _met_leader(result, looking, term) if mine else _synced_late(looking, term)


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
    heap = [(_start(e), i, e) for i, e in enumerate(before) if not before[e]]
    heapify(heap)
    found: list[Election] = []
    while heap:
        _, _, first = heappop(heap)
        found.append(first)
        for other in behind[first]:
            before[other] -= 1
            if not before[other]:
                heappush(heap, (_start(other), len(found) + len(before), other))
    found += sorted((e for e, n in before.items() if n), key=_start)  # stamps cannot order what the logs tie in a circle
    for number, election in enumerate(found, 1):
        election.number = number
    return found


def _start(election: Election) -> float:
    stamps = [i.start.timestamp() for i in (election.looking or election.ended) if i.start is not None]
    return min(stamps, default=0.0)


def _took(stage: Stage) -> dict[int, int]:
    """LEADER ELECTION TOOK, per interval behind the election."""
    return {row["interval"]: row["ms"] for row in stage.rows(*TOOK) if row["ms"] is not None}


def _config(configs: Sequence[Config], election: Election) -> Config | None:
    """The configuration in force at the vote that decided, the newest below its zxid."""
    ballot = election.term.ballot if election.term is not None else None
    below = [c for c in configs if c.zxid is None or (ballot is not None and c.zxid <= ballot.zxid)]
    return below[-1] if below else None


def _row(election: Election, result: Terms, config: Config, took: dict[int, int]) -> dict[str, Any]:
    term = election.term if election.term is not None and election.term.led else None
    firsts = _first_votes(election, result)
    quorum = _quorum(election, result, config) if term is not None else []
    ballot = _ballot(election, result)
    winner = firsts.get(term.leader) if term is not None else None
    others = [firsts[sid] for sid in quorum if term is not None and sid != term.leader and sid in firsts]
    decided = _decided(election, term, winner, others, quorum)
    start, end, place = _bounds(election)
    facts = reasons.Facts(election.kind, ballot.round if ballot else None, term.leader if term else None, term.epoch if term else None,
                          decided, winner, max(others, default=None), tuple(quorum), tuple(election.servers), config,
                          ballot.leader if ballot else None, _ends(election),
                          term is not None and term.interval is not None and term.interval.role == "LEADING" and term.epoch is None)  # fmt: skip
    return {
        "election": election.number, "round": facts.round, "start": start, "end": end, "leader": facts.leader, "epoch": facts.epoch,
        "kind": election.kind, "decided_by": decided, "quorum": quorum, "servers": election.servers, "why": reasons.election(facts),
        "logged_ms": [{"server": i.server, "ms": took[i.index]} for i in sorted(election.ended, key=lambda i: i.server) if i.index in took
                      and election.looking],
        "source": place.source, "line": place.line,
    }  # fmt: skip


def _ballot(election: Election, result: Terms) -> Ballot | None:
    """The vote in which it ended."""
    if election.kind == "join":
        return next((b for i in election.ended if (b := deciding(result.ballots, i)) is not None), None)
    if election.term is not None and election.term.ballot is not None:
        return election.term.ballot
    last = [own[-1] for looking in election.looking if (own := result.ballots.own(looking))]
    return max(last, default=None, key=lambda b: b.round)


def _without_votes(election: Election, stage: Stage) -> dict[int, Vote]:
    """First votes of an algorithm that prints none: where leader and learners stood before any was synchronized (by zxid, then sid)."""
    term = election.term
    if term is None or term.interval is None or any(i.index in stage.voting for i in election.looking):
        return {}
    sides = [side for _, side in term.handshakes if side is not None and not side.established]
    stood = {side.learner: side.peer_zxid for side in sides} | {term.leader: side.leader_end for side in sides}
    return {sid: Vote(reasons.NO_EPOCH, end, sid) for sid, end in stood.items() if end is not None}


def _first_votes(election: Election, result: Terms) -> dict[int, Vote]:
    """Each server's first vote for itself: its own, else as the others received it in this election."""
    votes: dict[int, Vote] = {}
    for looking in election.looking:
        vote = first_vote(result.ballots, looking)
        if vote is not None and (looking.server not in votes or looking.after is not None):
            votes[looking.server] = vote
    for looking in election.looking:
        for n in result.ballots.others(looking, "LOOKING"):
            if n.ballot.leader == n.sender and n.ballot.peer_epoch is not None and n.sender not in votes:
                votes[n.sender] = Vote(n.ballot.peer_epoch, n.ballot.zxid, n.sender)
    return votes or _without_votes(election, result.stage)


def _quorum(election: Election, result: Terms, config: Config) -> list[int]:
    """Who agreed: as the winner counted the votes; without its log, those who are seen to have cast that vote."""
    term = election.term
    if term is None or election.kind == "handover":
        return []
    if election.kind == "join":
        notices = [n for i in election.looking for n in result.ballots.others(i, "FOLLOWING", "LEADING")]
        return sorted({n.sender for n in notices if n.ballot.leader == term.leader})
    counted = [i for i in election.looking if i.server == term.leader and i.after is term.interval] or election.looking
    agreed = {term.leader, *(s for i in counted for s in _agreeing(result, i, term))}
    if term.ballot is None:  # no votes printed: those who became its learners
        agreed |= {i.server for i in election.ended}
    return sorted(agreed & config.voters if config.voters else agreed)


def _agreeing(result: Terms, looking: Interval, term: Term) -> set[int]:
    """Senders whose last vote seen in this interval was the one that won."""
    last = {n.sender: n.ballot for n in result.ballots.heard.get(looking.index, ()) if n.state == "LOOKING"}
    return {sid for sid, ballot in last.items() if term.ballot is not None and ballot.choice == term.ballot.choice}


def _decided(election: Election, term: Term | None, winner: Vote | None, others: list[Vote], quorum: list[int]) -> str | None:
    if term is None or election.kind == "handover":
        return None
    if election.kind == "join":
        return "existing leader"
    if quorum == [term.leader] and winner is not None:
        return "alone"
    return decided_by(winner, max(others)) if winner is not None and others and winner > max(others) else None


def _bounds(election: Election) -> tuple[datetime | None, datetime | None, Interval]:
    """First LOOKING and last decision, and the decisive interval.

    A clock by which a server was not LOOKING together with the winner is off, and is not used.
    """
    ended = sorted(election.ended, key=lambda i: (i.role != "LEADING", i.server))
    anchor = next((i for i in ended if i.role == "LEADING"), ended[0] if ended else election.looking[0])
    if not election.looking:
        return anchor.start, anchor.start, anchor
    base = anchor.before if anchor.before in election.looking else election.looking[0]
    together = [i for i in election.looking if _overlap(i, base)]
    starts = [i.start for i in together if i.start is not None]
    ends = [i.end for i in together if i.end is not None]
    return min(starts, default=None), max(ends, default=None), anchor


def _overlap(one: Interval, base: Interval | None) -> bool:
    if base is None or one is base or None in (one.start, one.end, base.start, base.end):
        return one is base
    return one.start <= base.end and base.start <= one.end  # type: ignore[operator]


def _ends(election: Election) -> tuple[str, ...]:
    """How those who found no leader stopped looking."""
    words = {None: "cut off", "LOOKING": "looked anew"}
    return tuple(sorted({words.get(i.after.role if i.after is not None else None, "went on") for i in election.looking}))


def _votes(found: list[Election], result: Terms, proposed: dict[int, dict[str, Any]]) -> pl.DataFrame:
    """VOTES: every notification with the election it was cast in, and the first votes that only "New election" shows."""
    frame = result.ballots.frame
    home = {i.index: e.number for e in found for i in e.looking}
    number = [home.get(i) for i in frame["interval"]]
    for election in found:
        for row in _seen_elsewhere(election, result):
            number[row] = number[row] or election.number
    votes = frame.select(
        pl.Series("election", number, dtype=pl.Int64), "time", pl.col("sid").alias("server"), "state", "round",
        pl.col("leader").alias("voted_for"), "zxid", "peer_epoch", pl.col("server").alias("seen_by"), "source", "line", "at",
    )  # fmt: skip
    silent = [
        {**row, "election": home.get(i), "state": "LOOKING", "voted_for": row["server"], "seen_by": row["server"]}
        for i, row in proposed.items()
        if first_vote(result.ballots, result.stage.intervals[i]) is None
    ]
    spoken = schema.conform(schema.VOTES, votes)
    return pl.concat([spoken, schema.frame(schema.VOTES, silent)]).sort("election", "seen_by", "source", "line", nulls_last=True)


def _seen_elsewhere(election: Election, result: Terms) -> list[int]:
    """Votes of its LOOKING servers that reached servers which were not LOOKING any more, in the term it ended in."""
    if election.term is None:
        return []
    rows: list[int] = []
    members = [i for i in (election.term.interval, *election.term.learners) if i is not None]
    for looking in election.looking:
        cast = set(result.ballots.own(looking))
        for member in members:
            if member.server != looking.server:
                notices = result.ballots.arrived(member.server, looking.server, member.at, member.end_at)
                rows += [n.row for n in notices if n.ballot in cast]
    return rows
