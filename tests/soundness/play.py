"""The seeded generator: from a seed to a finished ensemble, its history full of crashes, lags, elections and lost disks."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.soundness.ensemble import VERSIONS, Ensemble
from zabtrace.protocol.quorum import Config
from zabtrace.protocol.vote import Vote

SIZES = (3, 3, 3, 3, 5, 5, 7)
STATIC = ("3.4.14",)
"""Releases without reconfig."""
LATE = ("3.4.14", "3.5.9", "3.6.1", "3.8.0", "3.8.6")
"""Releases with ZOOKEEPER-4712."""


def play(seed: int) -> Ensemble:
    """One case. Everything in it follows from the seed."""
    rng = random.Random(seed)
    version = rng.choice(VERSIONS)
    ensemble = Ensemble(rng, _config(rng), version, rng.choice((0.0, 0.02, 0.06)))
    ensemble.late_flushes = version in LATE and rng.random() < 0.2
    ensemble.reconfigures = version not in STATIC and not ensemble.configs[0].groups and rng.random() < 0.4
    for server in ensemble.servers.values():
        server.kept_in_memory = rng.choice((500, 500, 3))
    odd = random.Random(f"odd {seed}")
    if odd.random() < 0.1:
        ensemble.alone(odd.choice(sorted(ensemble.config.voters)), odd.randint(1, 6), odd)
    for sid in ensemble.servers:
        if odd.random() < 0.97:
            ensemble.start(sid)
    for _ in range(rng.randint(1, 5)):
        _elect(ensemble)
        if odd.random() < 0.06:
            odd.choice(IDENTITIES)(ensemble, odd)
        for _ in range(rng.randint(0, 3)):
            _work(ensemble)
            rng.choice(UPSETS)(ensemble)
            if rng.random() < 0.3:
                _reconfigure(ensemble)
    if rng.random() < 0.7:
        _elect(ensemble)
        _work(ensemble)
    if rng.random() < 0.6:
        for sid in ensemble.servers:
            ensemble.crash(sid)
    ensemble.finish()
    return ensemble


def _config(rng: random.Random) -> Config:
    """Three, five or seven voters, some with groups and weights, some with an observer."""
    number, observers = rng.choice(SIZES), rng.choice((0, 0, 0, 1))
    voters = range(1, number + 1)
    grouped = number > 3 and rng.random() < 0.3
    return Config(
        voters=frozenset(voters),
        observers=frozenset(range(number + 1, number + observers + 1)),
        weights={s: rng.choice((1, 1, 2)) if s > 1 else rng.choice((0, 1)) for s in voters} if grouped else {},
        groups={s: s % 3 for s in voters} if grouped else {},
    )


def _reconfigure(e: Ensemble) -> None:
    """A member is added, removed, or given or denied its vote; the ensemble may die before it is committed."""
    leader = e.leading
    if not e.reconfigures or leader is None or e.servers[leader].paused or e.servers[leader].disk.seen != e.servers[leader].disk.config:
        return
    now = e.config
    sid = e.rng.choice(sorted(e.servers))
    voters = now.voters ^ {sid}
    if len(voters) < 2:
        return
    watching = (now.observers - voters) | ({sid} - voters if e.rng.random() < 0.5 else frozenset())
    e.reconfig(Config(voters=voters, observers=watching))
    if e.rng.random() < 0.8:
        _calm(e)


def _calm(e: Ensemble) -> None:
    """Everybody who can handles what was sent."""
    for _ in range(3):
        for sid, server in e.servers.items():
            if server.up and not server.paused:
                e.flush(sid)
                for _ in range(len(server.inbox)):
                    e.deliver(sid)


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
        e.rng.shuffle(voters)
        needed = next((n for n in range(1, len(voters) + 1) if _enough(e, voters[:n])), None)
        if needed is None:
            break
        e.young.clear()
        chosen = voters[: e.rng.randint(needed, len(voters))]
        e.elect(chosen if _enough(e, chosen) else voters[:needed])
    _join(e)


def _enough(e: Ensemble, voters: list[int]) -> bool:
    """Would they elect somebody who counts them as a quorum?"""
    standing = e.eligible(e.servers[s] for s in voters)
    return bool(standing) and e.quorum(max(standing, key=lambda s: Vote(s.disk.current or 0, s.last, s.sid)).sid, voters)


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
        if e.leading == leader:
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


def _replace(e: Ensemble) -> None:
    """Everybody stops, and another server with an empty disk stands in for a voter in the static configuration: as if a disk were lost."""
    if e.losses or e.reconfigures or e.configs[0].groups:
        return
    out = e.rng.choice(sorted(e.config.voters))
    e.replace(out, max(e.lines) + 1)


def _rename(e: Ensemble, rng: random.Random) -> None:
    """Everybody stops, and a voter gets another id: its myid is changed, and so are the static configurations of all."""
    if not e.reconfigures and not e.configs[0].groups:
        e.rename(rng.choice(sorted(e.config.voters)), max(e.lines) + 1)


def _swap(e: Ensemble, rng: random.Random) -> None:
    """Everybody stops, and two servers get each other's id and address."""
    if not e.reconfigures and len(e.config.voters) > 1:
        e.swap(*rng.sample(sorted(e.config.voters), 2))


IDENTITIES: tuple[Callable[[Ensemble, random.Random], None], ...] = (_rename, _swap)


def _betray(e: Ensemble) -> None:
    """Acknowledged writes of a quorum are lost: the others meet a holder whose disk was wiped."""
    leader = e.leading
    if e.losses or leader is None or e.servers[leader].paused:
        return
    synced = [s.sid for s in e.followers() if not s.observer and not s.paused]
    e.rng.shuffle(synced)
    need = next((n for n in range(len(synced) + 1) if e.quorum(leader, [leader, *synced[:n]])), None)
    if not need:
        return
    holders = synced[:need]
    for _ in range(e.rng.randint(1, 5)):
        if e.leading != leader:  # a reconfig took its vote away
            return
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
    standing = [s for s in sorted(e.config.voters) if e.servers[s].up and e.servers[s].state == "LOOKING" and not e.servers[s].observer]
    if _enough(e, standing):
        e.elect(standing)
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
    _crash_leader, _crash_leader, _crash_one, _crash_all, _pause, _starve, _starve, _step_down, _snapshot, _snapshot, _lose, _replace, _betray, _betray,  # noqa: E501
    _storm, _copy, _copy, _rejoin, _rejoin, _nothing,
)  # fmt: skip
