"""Synchronizations against the table: does the mode that a learner got follow from the positions that its leader printed?

Strategy: the table (``protocol.sync``) is asked with all that is possible where the lines leave something open: whether the log files
reach back, and in 3.4 whether both stand at one zxid. Within one epoch the committed log has no holes, so its ends tell what it holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from zabtrace import zxid
from zabtrace.incidents.findings import Finding
from zabtrace.incidents.scene import Scene
from zabtrace.protocol.sync import Position, decide
from zabtrace.replay.handshakes import Received, Sent
from zabtrace.replay.syncs import mode_of
from zabtrace.replay.terms import Term


def sync_modes(scene: Scene) -> Iterator[Finding]:
    """A synchronization of another mode than the table's."""
    for term in scene.terms.all:
        for learner, leader in term.handshakes:
            if leader is None or (mode := mode_of(learner, leader)) is None:
                continue
            allowed = modes(leader, term, scene.versions.get((leader.interval.server, leader.interval.process)))
            if allowed and mode not in allowed:
                yield _finding(scene, learner, leader, mode, allowed)


def _finding(scene: Scene, learner: Received | None, leader: Sent, mode: str, allowed: frozenset[str]) -> Finding:
    wanted = " or ".join(sorted(allowed))
    numbers = (leader.peer_zxid, leader.min_committed, leader.max_committed)
    stood, least, most = ("an unknown zxid" if number is None else zxid.text(number) for number in numbers)
    why = (
        f"Server {leader.learner}, at {stood}, got a {mode} from {scene.name(leader.interval.server)}, whose committed log was "
        f"{least}..{most}: the table of LearnerHandler gives {wanted}."
    )
    sides = [{"source": side.source, "line": side.line} for side in (leader, learner) if side is not None]
    return Finding("a synchronization that the table does not give", why, tuple(sides))


def modes(leader: Sent, term: Term, version: str | None) -> frozenset[str]:
    """The modes that the table gives for what the leader printed; empty where it printed too little."""
    if leader.peer_zxid is None or leader.min_committed is None or leader.max_committed is None:
        return frozenset()
    log = _committed(leader, term)
    if log is None:
        return frozenset()
    old = leader.last_processed is None  # 3.4 prints no lastProcessedZxid, and when both are equal only from 3.4.7 on
    ends = [leader.peer_zxid, -1] if old else [leader.last_processed]
    release = version if version is not None else "3.4.14" if old else None
    found = {
        decide(Position(leader.peer_zxid, end, log, disk_log=disk), release).mode
        for end in ends if end is not None for disk in (False, not old)
    }  # fmt: skip
    return frozenset(found | ({"SNAP"} if leader.forced else set()))


def _committed(leader: Sent, term: Term) -> Sequence[int] | None:
    """The zxids of the committed log, at least its ends and those beside the learner's; None where the lines do not tell them.

    It holds a leader's own epoch from counter 1 on, and below that its history up to the vote that elected it.
    """
    least, most, peer = leader.min_committed, leader.max_committed, leader.peer_zxid
    if least is None or most is None or peer is None or least > most:
        return None
    if most == 0:
        return ()
    if zxid.epoch(least) == zxid.epoch(most):
        return range(least, most + 1)
    if peer < least or peer > most:
        return (least, most)
    if zxid.epoch(peer) == zxid.epoch(most):
        return sorted({least, peer, most}) if zxid.counter(peer) else (least, most)
    own_end = term.ballot.zxid if term.ballot is not None else None
    if own_end is None or term.epoch != zxid.epoch(most) or zxid.epoch(peer) != zxid.epoch(own_end) or not least <= own_end:
        return None
    beside = (peer,) if peer <= own_end else (own_end, zxid.make(zxid.epoch(most), 1))
    return sorted({least, *beside, most})
