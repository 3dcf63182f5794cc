"""Syncs: how each learner was brought up to date, one row per synchronization, both sides read together.

Strategy: the learner's own line decides the mode: the leader's "Sending DIFF" and "Sending TRUNC" are not final (a later fall-back to
a snapshot prints no retraction). The leader's lines give the numbers. What was discarded is counted on the disks where they show it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

import polars as pl

from zabtrace import schema, zxid
from zabtrace.evidence.trace import Trace
from zabtrace.replay.ballots import first_vote
from zabtrace.replay.handshakes import Received, Sent
from zabtrace.replay.reasons import synchronization
from zabtrace.replay.terms import Handshake, Term, Terms


class Discarded(NamedTuple):
    """What a synchronization took from a learner's history."""

    first: int | None
    last: int
    records: int | None


def syncs(trace: Trace, result: Terms) -> pl.DataFrame:
    """SYNCS, by epoch, then as the learner saw them."""
    known = [(term, pair) for term in result.all for pair in term.handshakes]
    rows = [_row(trace, result, term, pair) for term, pair in [*known, *((None, pair) for pair in result.unpaired)]]
    rows.sort(key=lambda row: (row["epoch"] is None, row["epoch"] or 0, row["order"]))
    return schema.frame(schema.SYNCS, rows)


def _row(trace: Trace, result: Terms, term: Term | None, pair: Handshake) -> dict[str, Any]:
    learner, leader = pair
    side = learner or leader
    assert side is not None  # noqa: S101 (a handshake has a side)
    sid = learner.interval.server if learner is not None else leader.learner if leader is not None else None
    term = term or (result.of.get(learner.interval.index) if learner is not None else None)
    mode, kept = mode_of(learner, leader), _kept(learner, leader)
    stood = leader.peer_zxid if leader is not None and leader.peer_zxid is not None else _own(result, learner)
    target = _target(learner, leader, mode)
    epoch = term.epoch if term is not None else None
    gone = _discarded(trace, sid, term, mode, stood, kept, leader is not None and leader.refused)
    return {
        "time": side.time, "learner": sid, "leader": term.leader if term is not None else None, "epoch": epoch,
        "mode": mode, "learner_zxid": stood, "to_zxid": target, "truncated_to": kept,
        "discarded_from": gone and gone.first, "discarded_to": gone and gone.last, "discarded_count": gone and gone.records,
        "why": synchronization(mode, leader, stood, kept, target), "source": side.source, "line": side.line,
        "before_writes": _before_writes(learner, leader, epoch), "order": _order(learner, leader),
    }  # fmt: skip


def _order(learner: Received | None, leader: Sent | None) -> tuple[float, int, int]:
    """Sort rows of one epoch by stamp; the places keep one learner's rows in its own order."""
    side = learner or leader
    time: datetime | None = side.time if side is not None else None
    return (time.timestamp() if time is not None else 0.0, side.interval.server if side else 0, side.at if side else 0)


def mode_of(learner: Received | None, leader: Sent | None) -> str | None:
    """What was sent: the learner's word; with entries behind the cut a TRUNC is followed by a DIFF."""
    said = learner.mode if learner is not None else leader.mode if leader is not None else None
    if said is None and leader is not None:
        said = "TRUNC" if _ahead(leader) else None  # 3.5+ print nothing at INFO for this one
    if said in ("TRUNC", "TRUNC+DIFF") and leader is not None:
        kept = _kept(learner, leader)
        kept = leader.peer_zxid if kept is None else kept  # 3.4's leader prints no zxid: it cuts below the learner's last, inside its log
        more = leader.log_end is not None and kept is not None and leader.log_end > kept
        return "TRUNC+DIFF" if more else "TRUNC"
    return said


def _ahead(leader: Sent) -> bool:
    """Rule 3 of LearnerHandler.syncFollower: beyond the committed log, and not just a new epoch's counter 0."""
    peer, most = leader.peer_zxid, leader.log_end
    return peer is not None and most is not None and peer > most and zxid.counter(peer) != 0 and leader.last_processed not in (None, peer)


def _kept(learner: Received | None, leader: Sent | None) -> int | None:
    """The last zxid that a TRUNC left."""
    if learner is not None:
        return learner.zxid if learner.mode == "TRUNC" else None
    if leader is None or (leader.mode not in ("TRUNC", "TRUNC+DIFF") and not (leader.mode is None and _ahead(leader))):
        return None
    return leader.trunc if leader.trunc is not None else leader.log_end if _ahead(leader) else None


def _target(learner: Received | None, leader: Sent | None, mode: str | None) -> int | None:
    """The last zxid that the learner holds by it, as announced."""
    if mode == "TRUNC+DIFF" and leader is not None:
        return leader.log_end
    if mode == "TRUNC" and leader is None:
        return None  # a DIFF may follow it
    if learner is not None and learner.zxid is not None:
        return learner.zxid
    if leader is None or mode is None:
        return None
    if leader.equal:
        return leader.peer_zxid
    diff = leader.diff if leader.diff is not None else leader.log_end
    return {"DIFF": diff, "SNAP": leader.snapshot}.get(mode, _kept(None, leader))


def _own(result: Terms, learner: Received | None) -> int | None:
    """Where a learner stood by its own vote, in the LOOKING interval before."""
    looking = learner.interval.before if learner is not None else None
    vote = first_vote(result.ballots, looking) if looking is not None and looking.role == "LOOKING" else None
    return vote.zxid if vote is not None else None


def _discarded(
    trace: Trace, learner: int | None, term: Term | None, mode: str | None, stood: int | None, kept: int | None, refused: bool
) -> Discarded | None:
    """What lay behind the cut, or behind what the leader's history shares with a snapshot's receiver.

    A cut within the leader's own epoch discards nothing: the proposals come again (Leader.startForwarding).
    """
    epoch = term.epoch if term is not None else None
    if learner is None or stood is None or term is None or (epoch is not None and zxid.epoch(stood) >= epoch):
        return None
    if mode == "SNAP":
        kept = _shared(trace, term, stood)
        if kept is None:
            return Discarded(None, stood, None) if refused else None
    if kept is None or stood <= kept or mode not in ("TRUNC", "TRUNC+DIFF", "SNAP"):
        return None
    records = _records(trace, learner, kept, stood)
    complete = bool(records.height) and records.item(-1, "zxid") == stood
    following = kept + 1 if zxid.epoch(kept) == zxid.epoch(stood) else None
    return Discarded(records.item(0, "zxid") if complete else following, stood, trace.stands_for(records) if complete else None)


def _shared(trace: Trace, term: Term, stood: int) -> int | None:
    """The last zxid of the learner's epoch (or below) in the leader's history: of its winning vote, else on its disk.

    Null where the vote is of another epoch and the disk does not reach back so far.
    """
    if term.ballot is not None and zxid.epoch(term.ballot.zxid) == zxid.epoch(stood):
        return term.ballot.zxid
    own = trace.txns.filter(pl.col("server") == term.leader)
    below = own.filter(zxid.epoch_of("zxid") <= zxid.epoch(stood))["zxid"]
    if below.is_empty() or term.epoch is None or own.filter(zxid.epoch_of("zxid") >= term.epoch).is_empty():
        return None
    most = below.max()
    return most if isinstance(most, int) else None


def _records(trace: Trace, server: int, above: int, to: int) -> pl.DataFrame:
    """Distinct zxids in (above, to] that any copy of this server's disk holds, ascending."""
    held = trace.txns.filter((pl.col("server") == server) & (pl.col("zxid") > above) & (pl.col("zxid") <= to))
    return held.select("zxid").unique().sort("zxid")


def _before_writes(learner: Received | None, leader: Sent | None, epoch: int | None) -> bool | None:
    """Had the leader no transaction of its epoch yet?"""
    if leader is not None and leader.interval.role == "LEADING" and not leader.established:
        return True
    numbers = _numbers(learner, leader)
    if epoch is None or not numbers:
        return None
    return not any(zxid.epoch(number) == epoch and zxid.counter(number) for number in numbers)


def _numbers(learner: Received | None, leader: Sent | None) -> list[int]:
    """The leader's own position as either side prints it."""
    if leader is not None:
        return [n for n in (leader.last_processed, leader.max_committed, leader.snapshot) if n is not None]
    return [learner.zxid] if learner is not None and learner.zxid is not None and learner.mode != "TRUNC" else []


def learners(terms: Iterable[Term]) -> Iterable[tuple[int, str]]:
    """Who synchronized in these terms, and as what: (server, role of its interval or what the leader calls it)."""
    for term in terms:
        yield from ((i.server, i.role) for i in term.learners if i.served is not None)
        yield from ((leader.learner, "") for learner, leader in term.handshakes if learner is None and leader is not None)
