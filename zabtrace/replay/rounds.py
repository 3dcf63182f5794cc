"""Rounds: who won each election and why, and every vote with the election it was cast in.

Strategy: the quorum is read as the winner counted it: the last votes it saw while LOOKING. The winner's first vote, for itself, is
compared with the best other first vote of that quorum; the first field in which it is larger decided (protocol.vote).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from zabtrace import schema
from zabtrace.protocol.quorum import Config
from zabtrace.protocol.vote import Vote, decided_by
from zabtrace.replay import reasons
from zabtrace.replay.ballots import Ballot, first_vote
from zabtrace.replay.contests import Election, contests
from zabtrace.replay.linking import unmet
from zabtrace.replay.naming import deciding
from zabtrace.replay.roles import Interval, Stage
from zabtrace.replay.terms import Term, Terms
from zabtrace.replay.votes import Cast

TOOK = ("follower_elected", "leader_elected")
CAME = ("join", "unknown")
"""Kinds of elections of a server that came to a leader, as far as its own log shows."""


@dataclass(frozen=True)
class Rounds:
    """Elections and votes."""

    elections: pl.DataFrame
    votes: Cast


def rounds(stage: Stage, result: Terms, configs: Sequence[Config]) -> Rounds:
    """ELECTIONS, and the votes of each."""
    found = contests(stage, result)
    proposed = {row["interval"]: row for row in stage.each(["fle_new_election"], "zxid")}
    took = _took(stage)
    voters = configs[0] if configs else Config()
    rows = [_row(election, result, _config(configs, election) or voters, took) for election in found]
    return Rounds(schema.frame(schema.ELECTIONS, rows), _votes(found, result, proposed))


def _took(stage: Stage) -> dict[int, int]:
    """LEADER ELECTION TOOK, per interval behind the election."""
    return {row["interval"]: row["ms"] for row in stage.each(TOOK, "ms") if row["ms"] is not None}


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
    decided = _decided(election, term, firsts, quorum, config)
    start, end, place = _bounds(election)
    facts = reasons.Facts(election.kind, ballot.round if ballot else None, term.leader if term else None, term.epoch if term else None,
                          decided, winner, max(others, default=None), tuple(quorum), tuple(election.servers), config,
                          _unled(election, result.stage), _ends(election, result.stage), term is not None and _failed(term),
                          result.stage.labels)  # fmt: skip
    return {
        "election": election.number, "round": facts.round, "start": start, "end": end, "leader": facts.leader, "epoch": facts.epoch,
        "kind": election.kind, "decided_by": decided, "quorum": quorum, "servers": election.servers, "why": reasons.election(facts),
        "logged_ms": [{"server": i.server, "ms": took[i.index]} for i in sorted(election.ended, key=lambda i: i.server) if i.index in took
                      and election.looking],
        "source": place.source, "line": place.line,
    }  # fmt: skip


def _ballot(election: Election, result: Terms) -> Ballot | None:
    """The vote in which it ended."""
    if election.kind in CAME:
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
    stood = {side.learner: side.peer_zxid for side in sides}
    stood[term.leader] = next((side.leader_end for side in sides), None)
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
    if election.kind in CAME:
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


def _decided(election: Election, term: Term | None, firsts: dict[int, Vote], quorum: list[int], config: Config) -> str | None:
    """The field that decided; 'alone': its own vote was a quorum. That no other vote was seen shows nothing.

    Which votes the winner counted only its own log shows: without it any quorum of those that agreed may have been the one. Null where
    one of these, or a first vote that is not in the logs, would have been beaten by another field.
    """
    if term is None or election.kind in ("handover", "unknown"):
        return None
    if election.kind == "join":
        return "existing leader"
    winner = firsts.get(term.leader)
    if winner is not None and len(quorum) == 1 and config.is_quorum(quorum):
        return "alone"
    others = sorted(firsts[sid] for sid in quorum if sid != term.leader and sid in firsts)
    unseen = any(sid not in firsts for sid in quorum)
    if winner is None or not others or winner <= others[-1] or (unseen and term.interval is None):
        return None
    least = others[-1] if term.interval is not None else _least(term.leader, others, config)
    fields = {decided_by(winner, other) for other in (others[-1], least)} | ({"sid"} if unseen else set())
    return fields.pop() if len(fields) == 1 else None


def _least(leader: int, others: list[Vote], config: Config) -> Vote:
    """The smallest vote that may have been the best of a quorum with this leader: of the worst votes that make one up."""
    enough = (vote for n, vote in enumerate(others, 1) if config.is_quorum({leader, *(other.sid for other in others[:n])}))
    return next(enough, others[-1]) if config.voters else others[0]


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


def _unled(election: Election, stage: Stage) -> int | None:
    """On whom they settled, where that server's log shows no leadership, or nothing listened at its address."""
    if election.term is not None:
        return election.term.leader if not election.term.led else None
    return next((i.leader for i in election.ended if unmet(stage, i)), None)


def _failed(term: Term) -> bool:
    """Its leader's log is there and shows no quorum behind it."""
    return term.interval is not None and term.interval.role == "LEADING" and term.epoch is None


def _ends(election: Election, stage: Stage) -> tuple[str, ...]:
    """How those who found no leader stopped looking."""
    words = {None: "cut off", "LOOKING": "looked anew"}
    refused = ["refused"] if any(unmet(stage, i) for i in election.ended) else []
    return tuple(sorted({words.get(i.after.role if i.after is not None else None, "went on") for i in election.looking}.union(refused)))


def _votes(found: list[Election], result: Terms, proposed: dict[int, dict[str, Any]]) -> Cast:
    """Every notification with the election it was cast in, and the first votes that only "New election" shows."""
    home = {i.index: e.number for e in found for i in e.looking}
    numbers = np.zeros(len(result.stage.intervals), np.uint32)
    numbers[list(home)] = list(home.values())
    number = numbers[result.ballots.rows["interval"].to_numpy()]
    for election in found:
        for row in _seen_elsewhere(election, result):
            number[row] = number[row] or election.number
    silent = [
        {**row, "election": home.get(i), "state": "LOOKING", "voted_for": row["server"], "seen_by": row["server"]}
        for i, row in proposed.items()
        if first_vote(result.ballots, result.stage.intervals[i]) is None
    ]
    return Cast(result.ballots, number, schema.frame(schema.VOTES, silent))


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
