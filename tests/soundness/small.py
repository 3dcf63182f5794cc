"""A small ensemble as a state machine of plain tuples: three servers, every order of steps, every place for a server to die.

Strategy: a state is what lies on the disks, who serves in which epoch, and the truth so far. ``moves`` yields every next state; the
protocol's own functions decide syncs and truncations. A server that dies is one that makes no move any more. Nothing here is random.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, combinations, product
from typing import NamedTuple

from zabtrace.protocol.quorum import Config
from zabtrace.protocol.sync import Position, decide
from zabtrace.protocol.truncation import replayed, truncate
from zabtrace.zxid import make

SERVERS = (1, 2, 3)
CONFIG = Config(voters=frozenset(SERVERS))
Zxids = tuple[int, ...]


class Host(NamedTuple):
    """A disk, and what its process does. ``snaps``: (name, history); ``todo``: received in a sync, to be logged next."""

    files: tuple[Zxids, ...] = ()
    snaps: tuple[tuple[int, Zxids], ...] = ((0, ()),)
    current: int = 0
    accepted: int = 0
    role: str = ""
    epoch: int = 0
    todo: Zxids = ()
    fresh: bool = True
    first: int = 0
    """Number of the first proposal of the epoch that is sent to it."""
    memory: Zxids = ()
    """Of a leader: what its start replayed, the beginning of its committed log."""

    @property
    def history(self) -> Zxids:
        """What a start loads."""
        name, below = self.snaps[-1]
        held = set(below)
        return below + tuple(z for z in dict.fromkeys(replayed(self.files, name)) if z not in held)

    @property
    def last(self) -> int:
        """lastProcessedZxid after a start."""
        above = replayed(self.files, self.snaps[-1][0])
        return max(self.snaps[-1][0], above[-1] if above else 0)

    def logged(self, zxid: int) -> Host:
        """With one more record."""
        files = (*self.files, (zxid,)) if self.fresh or not self.files else (*self.files[:-1], (*self.files[-1], zxid))
        return self._replace(files=files, fresh=False)

    def saved(self, name: int, history: Zxids) -> Host:
        """With one more snapshot."""
        return self._replace(snaps=tuple(sorted([*(s for s in self.snaps if s[0] != name), (name, history)])), fresh=True)

    def restarted(self) -> Host:
        """A new process."""
        return self._replace(role="", epoch=0, todo=(), fresh=True, first=0, memory=())


class State(NamedTuple):
    """The ensemble, and the truth: established epochs (epoch, initial history), commits, and how many epochs were when a zxid was born."""

    hosts: tuple[Host, ...] = (Host(), Host(), Host())
    established: tuple[tuple[int, frozenset[int]], ...] = ()
    committed: frozenset[int] = frozenset()
    born: tuple[tuple[int, int], ...] = ()
    elections: int = 0
    wipes: int = 0

    def put(self, sid: int, host: Host) -> State:
        """With another host."""
        return self._replace(hosts=(*self.hosts[: sid - 1], host, *self.hosts[sid:]))

    def host(self, sid: int) -> Host:
        """One server."""
        return self.hosts[sid - 1]


class Bounds(NamedTuple):
    """How far to go: attempts to elect, writes, wiped disks, and whether currentEpoch is written before the DIFF (before 3.8.5, 3.9.2)."""

    elections: int = 2
    writes: int = 2
    wipes: int = 0
    early: bool = False


def reachable(bounds: Bounds) -> set[State]:
    """Every state within the bounds."""
    seen, edge = {State()}, [State()]
    while edge:
        edge = [state for state in set(chain.from_iterable(moves(state, bounds) for state in edge)) if state not in seen]
        seen.update(edge)
    return seen


def moves(state: State, bounds: Bounds) -> Iterator[State]:
    """Every next state."""
    if state.elections < bounds.elections:
        for size in (2, 3):
            for chosen in combinations(SERVERS, size):
                yield from _elections(state._replace(elections=state.elections + 1), chosen, bounds)
    for sid in SERVERS:
        host = state.host(sid)
        if host.role:
            yield from _logs(state, sid)
        leader = max((s for s in SERVERS if state.host(s).role == "L"), key=lambda s: state.host(s).epoch, default=sid)
        if leader != sid and max(host.epoch + 1, host.accepted) <= state.host(leader).epoch:
            yield from _joins(state, leader, sid, bounds)
        if host.role == "L" and len(state.born) < bounds.writes:
            zxid = make(host.epoch, 1 + sum(z >> 32 == host.epoch for z, _ in state.born))
            yield state._replace(born=(*state.born, (zxid, len(state.established))))
        if state.wipes < bounds.wipes and host.files:
            yield state._replace(wipes=state.wipes + 1).put(sid, Host())


# ---------------------------------------------------------------- elections
def _elections(state: State, chosen: tuple[int, ...], bounds: Bounds) -> Iterator[State]:
    for sid in chosen:
        state = state.put(sid, state.host(sid).restarted())
    leader = max(chosen, key=lambda s: (state.host(s).current, state.host(s).last, s))
    followers = [s for s in chosen if s != leader]
    head = state.host(leader)
    memory = tuple(z for z in head.history if z > head.snaps[-1][0])
    state = state.put(leader, head.saved(head.last, head.history)._replace(memory=memory))
    epoch = 1 + max(state.host(s).accepted for s in chosen)
    state = state.put(leader, state.host(leader)._replace(accepted=epoch))
    for reached in product(range(4), repeat=len(followers)):
        yield from _attempt(state, leader, dict(zip(followers, reached, strict=True)), epoch, bounds)


def _attempt(state: State, leader: int, reached: dict[int, int], epoch: int, bounds: Bounds) -> Iterator[State]:
    """How far each follower gets: 0 nothing, 1 acceptedEpoch, 2 half of its sync on disk, 3 NEWLEADER acknowledged."""
    for sid, step in reached.items():
        if step:
            state = state.put(sid, state.host(sid)._replace(accepted=epoch))
    discovered = CONFIG.is_quorum([leader, *(s for s, step in reached.items() if step)])
    if not discovered or max(reached.values()) <= 1:
        yield state  # the leader dies before it writes currentEpoch
    if not discovered:
        return
    head = state.host(leader)._replace(current=epoch)
    state = state.put(leader, head)
    for sid, step in reached.items():
        if step >= 2:
            state = state.put(sid, _synced(state.host(sid), head.history, head.memory, head.last, epoch, bounds, whole=step == 3))
    acked = [s for s, step in reached.items() if step == 3 and state.host(s).current == epoch]  # one that cannot be cut gives up
    if not CONFIG.is_quorum([leader, *acked]):
        yield state
        return
    established = (*state.established, (epoch, frozenset(head.history)))
    state = state._replace(established=established, committed=state.committed | set(head.history))
    state = state.put(leader, state.host(leader)._replace(role="L", epoch=epoch))
    for sid in acked:
        state = state.put(sid, state.host(sid)._replace(role="F", epoch=epoch))
    yield state


def _joins(state: State, leader: int, sid: int, bounds: Bounds) -> Iterator[State]:
    """A server finds the established leader; it may die on the way. The leader sends what it has committed, then what is outstanding."""
    head, host = state.host(leader), state.host(sid).restarted()._replace(accepted=state.host(leader).epoch)
    own = [z for z, _ in state.born if z >> 32 == head.epoch]
    done = [z for z in own if z in state.committed]
    history = tuple(z for z in head.history if z >> 32 != head.epoch) + tuple(done)
    last = done[-1] if done else make(head.epoch, 0)
    for whole in (False, True):
        joined = _synced(host, history, (*head.memory, *done), last, head.epoch, bounds, whole=whole)
        served = whole and joined.current == head.epoch
        yield state.put(sid, joined._replace(role="F", epoch=head.epoch, first=len(done)) if served else joined)


def _synced(host: Host, history: Zxids, committed_log: Zxids, top: int, epoch: int, bounds: Bounds, *, whole: bool) -> Host:
    """A learner's disk after half of its sync, or up to its acknowledgement of NEWLEADER."""
    sync = decide(Position(host.last, top, committed_log), "3.8.0" if bounds.early else "3.9.4")
    if sync.mode == "SNAP":
        host = host.saved(top, history)
    elif sync.truncated_to is not None:
        files = truncate(host.files, sync.truncated_to)
        if files is None:
            return host
        host = host._replace(files=tuple(tuple(f) for f in files if f))
        host = host.saved(top, history) if whole else host
    else:
        return _diff(host, tuple(z for z in history if z > host.last), epoch, bounds, whole=whole)
    return host._replace(current=epoch) if whole else host


def _diff(host: Host, entries: Zxids, epoch: int, bounds: Bounds, *, whole: bool) -> Host:
    if bounds.early:
        return host._replace(current=epoch, todo=entries if whole else ())
    for zxid in entries:
        host = host.logged(zxid)
    return host._replace(current=epoch) if whole else host


# ---------------------------------------------------------------- broadcast
def _logs(state: State, sid: int) -> Iterator[State]:
    """The next record that a server in service was handed."""
    host = state.host(sid)
    if host.todo:
        yield state.put(sid, host.logged(host.todo[0])._replace(todo=host.todo[1:]))
        return
    own = [z for z, _ in state.born if z >> 32 == host.epoch]
    held = set(host.history) | {z for f in host.files for z in f}
    following = next((z for z in own[host.first :] if z not in held), None)
    if following is None:
        return
    state = state.put(sid, host.logged(following))
    leader = next((s for s in SERVERS if state.host(s).role == "L" and state.host(s).epoch == host.epoch), None)
    holders = [s for s in SERVERS if state.host(s).epoch == host.epoch and following in state.host(s).history]
    if leader is not None and CONFIG.is_quorum(holders):
        state = state._replace(committed=state.committed | {following})
    yield state
