"""The seeded generator: from a seed to a finished ensemble, its history full of crashes, lags, elections and lost disks."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.soundness.ensemble import VERSIONS, Ensemble

SIZES = (3, 3, 3, 3, 5, 5, 7)


def play(seed: int) -> Ensemble:
    """One case. Everything in it follows from the seed."""
    rng = random.Random(seed)
    version = rng.choice(VERSIONS)
    ensemble = Ensemble(rng, rng.choice(SIZES), rng.choice((0, 0, 0, 1)), version, rng.choice((0.0, 0.02, 0.06)))
    for sid in ensemble.servers:
        ensemble.start(sid)
    for _ in range(rng.randint(1, 5)):
        _elect(ensemble)
        for _ in range(rng.randint(0, 3)):
            _work(ensemble)
            rng.choice(UPSETS)(ensemble)
    if rng.random() < 0.7:
        _elect(ensemble)
        _work(ensemble)
    if rng.random() < 0.6:
        for sid in ensemble.servers:
            ensemble.crash(sid)
    ensemble.finish()
    return ensemble


def _elect(e: Ensemble) -> None:
    """Start some servers, let the others notice that their leader is gone, and elect."""
    for sid, server in e.servers.items():
        if not server.up and e.rng.random() < 0.7:
            e.start(sid)
        if server.up and server.paused and e.rng.random() < 0.6:
            server.paused = False
        if server.up and not server.paused and server.state != "LOOKING" and server.leader != e.leading and sid != e.leading:
            e.leave(sid)
    for _ in range(3):
        if e.leading is not None:
            break
        voters = [
            s for s, server in e.servers.items() if server.up and not server.paused and server.state == "LOOKING" and not server.observer
        ]
        if not e.config.is_quorum(voters):
            break
        e.rng.shuffle(voters)
        e.young.clear()
        need = len(e.config.voters) // 2 + 1
        e.elect(voters[: e.rng.randint(need, len(voters))])
    _join(e)


def _join(e: Ensemble) -> None:
    for sid, server in e.servers.items():
        if e.leading is not None and server.up and not server.paused and server.state == "LOOKING" and e.rng.random() < 0.7:
            e.join(sid)


def _work(e: Ensemble) -> None:
    """Writes, with packets handled in any order that the links allow; some followers lag."""
    lag = {sid for sid in e.servers if e.rng.random() < 0.25}
    for _ in range(e.rng.randint(0, 14)):
        if e.leading is None:
            return
        if e.rng.random() < 0.5 and not e.servers[e.leading].paused:
            e.write()
        sid = e.rng.choice(sorted(e.servers))
        server = e.servers[sid]
        if server.up and not server.paused and (sid not in lag or e.rng.random() < 0.15):
            e.flush(sid)
            for _ in range(e.rng.randint(0, 6)):
                e.deliver(sid)
        elif server.up and sid == e.leading:
            e.flush(sid)
        if e.rng.random() < 0.1:
            e.young[sid] = server.disk.copied()
    if e.rng.random() < 0.4:
        for sid, server in e.servers.items():
            if server.up and not server.paused:
                e.flush(sid)
                for _ in range(len(server.inbox)):
                    e.deliver(sid)


def _crash_leader(e: Ensemble) -> None:
    if e.leading is not None:
        e.crash(e.leading)


def _crash_one(e: Ensemble) -> None:
    e.crash(e.rng.choice(sorted(e.servers)))


def _crash_all(e: Ensemble) -> None:
    for sid in e.servers:
        e.crash(sid)


def _pause(e: Ensemble) -> None:
    for server in e.servers.values():
        if server.up and e.rng.random() < 0.4:
            server.paused = True


def _starve(e: Ensemble) -> None:
    """Followers pause, the leader goes on alone, then it is killed: the classic dead tail."""
    leader = e.leading
    if leader is None:
        return
    for sid, server in e.servers.items():
        server.paused = server.up and sid != leader
    for _ in range(e.rng.randint(1, 6)):
        e.write()
        e.flush(leader)
    if e.rng.random() < 0.3:
        friend = e.rng.choice(sorted(e.servers))
        for _ in range(6):
            e.deliver(friend)
    for sid in e.servers if e.rng.random() < 0.5 else [leader]:
        e.crash(sid)
    for server in e.servers.values():
        server.paused = False


def _step_down(e: Ensemble) -> None:
    leader = e.leading
    if leader is not None and not e.servers[leader].paused:
        for server in e.followers():
            e.leave(server.sid)
        e.leave(leader)


def _snapshot(e: Ensemble) -> None:
    for sid, server in e.servers.items():
        if server.up and not server.paused and server.state != "LOOKING" and e.rng.random() < 0.5:
            e.say(sid, "snapshot_start", f"Snapshotting: 0x{server.snapshot():x} to x", zxid=server.last)
            if e.rng.random() < 0.5:
                server.purge(e.rng.choice((1, 3)))


def _lose(e: Ensemble) -> None:
    """At most one disk is lost in a case: two lost disks can hide any truth."""
    if e.losses:
        return
    sid = e.rng.choice(sorted(e.servers))
    e.crash(sid)
    e.lose(sid)
    e.start(sid)


def _betray(e: Ensemble) -> None:
    """Acknowledged writes of a quorum are lost: the others meet a holder whose disk was wiped."""
    leader = e.leading
    if e.losses or leader is None or e.servers[leader].paused:
        return
    synced = [s.sid for s in e.followers() if not s.observer and not s.paused]
    need = len(e.config.voters) // 2
    if len(synced) < need:
        return
    holders = e.rng.sample(synced, need)
    for _ in range(e.rng.randint(1, 5)):
        e.write()
        for sid in (leader, *holders):
            e.flush(sid)
            for _ in range(6):
                e.deliver(sid)
    for sid in (leader, *holders, *(s for s in e.servers if e.rng.random() < 0.3)):
        e.crash(sid)
    if e.rng.random() < 0.3:
        e.copy_all()
    wiped = e.rng.choice(holders)
    e.lose(wiped)
    for sid in sorted(e.config.voters - {leader, *holders} | {wiped}):
        if not e.servers[sid].up:
            e.start(sid)
        else:
            e.servers[sid].paused = False
            e.leave(sid)
    e.elect([s for s in sorted(e.config.voters) if e.servers[s].up and e.servers[s].state == "LOOKING"])
    if e.rng.random() < 0.5:
        _work(e)


def _storm(e: Ensemble) -> None:
    """Elections in which servers die at any step, one after the other."""
    calm, e.crashes = e.crashes, 0.2
    for _ in range(e.rng.randint(1, 3)):
        for sid in sorted(e.servers):
            if e.rng.random() < 0.6:
                e.crash(sid)
        _elect(e)
    e.crashes = calm


def _copy(e: Ensemble) -> None:
    if len(e.earlier) < 2:
        e.copy_all()


def _rejoin(e: Ensemble) -> None:
    for sid, server in e.servers.items():
        if not server.up and e.rng.random() < 0.5:
            e.start(sid)
    _join(e)


def _nothing(e: Ensemble) -> None:
    """Work goes on."""


UPSETS: tuple[Callable[[Ensemble], None], ...] = (
    _crash_leader, _crash_leader, _crash_one, _crash_all, _pause, _starve, _starve, _step_down, _snapshot, _snapshot, _lose, _betray, _betray,  # noqa: E501
    _storm, _copy, _copy, _rejoin, _rejoin, _nothing,
)  # fmt: skip
