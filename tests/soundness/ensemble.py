"""The model ensemble: servers driven step by step through the protocol, and the truth about every transaction.

Strategy: one seeded random generator picks the next step; each step is one atomic action of one server, so that a crash can come
between any two. What became committed, established or lost is written down when it happens.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import pairwise

from tests.soundness.server import Disk, Server, Snap, Txn
from zabtrace.protocol import broadcast, discovery, durable
from zabtrace.protocol.quorum import Config
from zabtrace.protocol.sync import Position, decide
from zabtrace.protocol.vote import Vote
from zabtrace.zxid import counter, make

VERSIONS = ("3.4.14", "3.5.9", "3.6.1", "3.8.0", "3.8.6", "3.9.4")


@dataclass(frozen=True)
class Established:
    """An epoch that was established: its number, its leader, and its initial history."""

    epoch: int
    leader: int
    history: frozenset[Txn]


@dataclass
class Line:
    """One line that a server printed."""

    kind: str
    message: str
    fields: dict[str, object]
    at: int = 0
    """Milliseconds since the case began."""
    thread: str | None = None


@dataclass
class Truth:
    """What really happened."""

    committed: set[Txn] = field(default_factory=set)
    acked: dict[Txn, int] = field(default_factory=dict)
    epochs: list[Established] = field(default_factory=list)
    born: dict[Txn, int] = field(default_factory=dict)
    """Transaction -> number of established epochs when it was proposed."""
    decided: set[Txn] = field(default_factory=set)
    """On a quorum of disks with one currentEpoch when they were copied: committed in the sense of C1, whether COMMIT was sent or not."""
    tainted: set[Txn] = field(default_factory=set)
    """Effects of known bugs (4837, 2832, one record too many) keep these alive somewhere outside of any established history."""

    def kept(self, txn: Txn) -> bool | None:
        """In every later established epoch; None: there is none, or the last one took it back from an older server."""
        later = [txn in e.history for e in self.epochs[self.born[txn] :]]
        return all(later) if later else None

    def returned(self, txn: Txn) -> bool:
        """Was it out of one established epoch and is in the last one again?"""
        later = [txn in e.history for e in self.epochs[self.born[txn] :]]
        return bool(later) and not all(later) and later[-1]

    @property
    def numbered_twice(self) -> bool:
        """Did a lost acceptedEpoch give a number out twice, or a smaller one after a larger?"""
        numbers = [e.epoch for e in self.epochs]
        return any(later <= earlier for earlier, later in pairwise(numbers))


class Crash(Exception):  # noqa: N818 (no error: a process that dies)
    """The server that acts dies here."""

    def __init__(self, sid: int) -> None:
        super().__init__(sid)
        self.sid = sid


class Ensemble:
    """Servers, network and truth of one case."""

    def __init__(self, rng: random.Random, config: Config, version: str, crashes: float) -> None:
        self.rng, self.crashes = rng, crashes
        self.order = durable.order_of(version)
        self.servers = {s: Server(s, version, observer=s in config.observers) for s in sorted(config.voters | config.observers)}
        self.configs = [config]
        """Every configuration that was ever proposed, the first one static; disks name them by their number."""
        self.reconfigs: dict[Txn, int] = {}
        self.reconfigures = False
        self.late_flushes = False
        """Do sync threads that nobody waits for write after the next synchronization (ZOOKEEPER-4712)?"""
        self.truth = Truth()
        self.lines: dict[int, list[Line]] = {s: [] for s in self.servers}
        self.acks: dict[Txn, set[int]] = {}
        self.leading: int | None = None
        """The established leader, while its process lives and leads."""
        self.next = 0
        self.payload = 0
        self.earlier: list[dict[int, Disk]] = []
        self.young: dict[int, Disk] = {}
        """Disks copied while the ensemble ran, since the last election."""
        self.losses = 0
        self.clock = 0
        self.swapped = False
        self.renamed: dict[int, int] = {}
        """New id -> the id before."""
        self.first: int | None = None
        """The server that ran alone before it was given others."""

    # ------------------------------------------------------------ configurations
    @property
    def config(self) -> Config:
        """The configuration in force: of the leader, else the newest one that any disk has in force."""
        known = [self.servers[self.leading].disk] if self.leading else [s.disk for s in self.servers.values()]
        return self.configs[max(disk.config for disk in known)]

    def rules(self, sid: int) -> list[Config]:
        """What a server counts quorums by: the configuration in force, and one that is in flight."""
        disk = self.servers[sid].disk
        return [self.configs[n] for n in sorted({disk.config, disk.seen})]

    def quorum(self, leader: int, sids: Iterable[int]) -> bool:
        """Are they a quorum for that leader, of both configurations where one is in flight?"""
        held = list(sids)
        return all(config.is_quorum(held) for config in self.rules(leader))

    def _role(self, server: Server) -> None:
        server.observer = server.sid not in self.configs[server.disk.seen].voters

    def reconfig(self, config: Config) -> None:
        """The leader proposes another configuration."""
        txn = self.write()
        self.configs.append(replace(config, zxid=txn.zxid))
        self.reconfigs[txn] = len(self.configs) - 1
        self.servers[self.leading or 0].disk.seen = len(self.configs) - 1

    def _seen(self, server: Server, txn: Txn) -> None:
        if txn in self.reconfigs:
            server.disk.seen = max(server.disk.seen, self.reconfigs[txn])

    def _in_force(self, server: Server, txn: Txn) -> None:
        """A learner applies a reconfiguration; one that changes its role goes back to LOOKING."""
        if txn in self.reconfigs:
            server.disk.config = server.disk.seen = max(server.disk.config, self.reconfigs[txn])
            if server.observer == (server.sid in self.configs[server.disk.config].voters):
                self.leave(server.sid)

    # ------------------------------------------------------------ small helpers
    def say(self, by: int, kind: str, message: str, /, **fields: object) -> None:
        """Print a line."""
        self.clock += 1
        thread = f"LearnerHandler-{fields['sid']}" if kind == "sync_decision" else "QuorumPeer"
        self.lines[by].append(Line(kind, message, fields, self.clock, thread))

    def risk(self, sid: int) -> None:
        """A crash may come here."""
        if self.rng.random() < self.crashes:
            raise Crash(sid)

    def crash(self, sid: int) -> None:
        """Kill a server; its learners notice later."""
        server = self.servers[sid]
        if not server.up:
            return
        for txn in server.queue[: self.rng.randint(0, len(server.queue))]:
            server.log(txn)
        server.stop(torn=self.rng.random() < 0.2)
        if self.leading == sid:
            self.leading = None

    def start(self, sid: int) -> None:
        """Start a server's process."""
        server = self.servers[sid]
        server.start()
        self._role(server)
        self.say(sid, "config_reading", "Reading configuration from: /etc/zookeeper/zoo.cfg")
        self.say(sid, "server_start", f"Starting quorum peer, myid={sid}", my_sid=sid)
        self._looking(sid)

    def _looking(self, sid: int) -> None:
        server = self.servers[sid]
        server.round += 1
        self.say(sid, "state_looking", "LOOKING")
        if not server.observer:
            self.say(sid, "fle_new_election", f"New election. My id = {sid}, proposed zxid=0x{server.last:x}", my_sid=sid, zxid=server.last)
            self._notify(sid, sid, sid, server.last, server.round, server.disk.current or 0)

    def leave(self, sid: int) -> None:
        """A server goes back to LOOKING; it may still read what lies in its socket first."""
        server = self.servers[sid]
        if not server.up or server.state == "LOOKING":
            return
        for _ in range(self.rng.randint(0, len(server.inbox))):
            self.deliver(sid)
        if self.leading == sid:
            self.leading = None
        server.look(drained=not self.late_flushes)
        self._role(server)
        self._looking(sid)

    # ------------------------------------------------------------ elections
    def elect(self, chosen: list[int]) -> None:
        """The chosen LOOKING servers elect a leader, which tries to establish an epoch."""
        self.young.clear()
        voters = [self.servers[s] for s in chosen]
        best = max(self.eligible(voters), key=lambda s: Vote(s.disk.current or 0, s.last, s.sid))
        round_ = max(s.round for s in voters)
        for server in voters:
            server.round = round_
            for other in voters:
                self._notify(server.sid, other.sid, other.sid, other.last, round_, other.disk.current or 0)
            for other in voters:
                if other.sid != best.sid:
                    self._notify(server.sid, other.sid, best.sid, best.last, round_, best.disk.current or 0)
        try:
            self._lead(best, [s for s in voters if s.sid != best.sid])
        except Crash as crash:
            self.crash(crash.sid)
            self._give_up(voters)

    def eligible(self, voters: Iterable[Server]) -> list[Server]:
        """Servers of weight 0 are never voted for."""
        return [s for s in voters if self.configs[s.disk.seen].weight(s.sid)]

    def _give_up(self, voters: list[Server]) -> None:
        if self.leading is not None:
            return
        for server in voters:
            if server.up:
                server.look()
                self._looking(server.sid)

    def _notify(self, seen_by: int, sid: int, leader: int, zxid: int, round_: int, epoch: int) -> None:
        self.say(
            seen_by,
            "fle_notification_received",
            f"Notification: my state:LOOKING; n.sid:{sid}, n.state:LOOKING, n.leader:{leader}, n.round:0x{round_:x}, "
            f"n.peerEpoch:0x{epoch:x}, n.zxid:0x{zxid:x}",
            sid=sid, leader=leader, zxid=zxid, round=round_, peer_epoch=epoch, state="LOOKING", my_state="LOOKING", format_version=2,
            config_version=0,
        )  # fmt: skip

    def _lead(self, leader: Server, followers: list[Server]) -> None:
        self.say(leader.sid, "state_leading", "LEADING")
        for server in followers:
            self.say(server.sid, "state_following", "FOLLOWING")
        if not leader.old:
            self._snapshot(leader)
        self.risk(leader.sid)
        heard = [s for s in followers if self.rng.random() < 0.95]
        if not self.rules(leader.sid)[0].is_quorum([leader.sid, *(s.sid for s in heard)]):
            return self._give_up([leader, *followers])
        epoch = discovery.proposed([leader.disk.accepted or 0, *(s.disk.accepted or 0 for s in heard)])
        summary = discovery.Summary(leader.disk.current or 0, leader.last)
        leader.disk.accepted = epoch
        self.risk(leader.sid)
        counted = []
        for server in heard:
            ack = discovery.answer(epoch, server.disk.accepted or 0, discovery.Summary(server.disk.current or 0, server.last))
            server.disk.accepted = epoch
            try:
                self.risk(server.sid)
            except Crash:
                self.crash(server.sid)
                continue
            if ack is not None and discovery.counts(ack, summary):
                counted.append(server)
        if not self.rules(leader.sid)[0].is_quorum([leader.sid, *(s.sid for s in counted)]):
            return self._give_up([leader, *followers])
        leader.disk.current, leader.epoch = epoch, epoch
        self.risk(leader.sid)
        leader.state = "LEADING"
        acked: list[Server] = []
        for server in counted:
            if self.rng.random() < 0.9:
                try:
                    self._synchronize(leader, server, epoch, acked)
                except Crash as crash:
                    self.crash(crash.sid)
                    if crash.sid == leader.sid:
                        return self._give_up([leader, *followers])
        if not self.quorum(leader.sid, [leader.sid, *(s.sid for s in acked)]):
            return self._give_up([leader, *followers])
        self._establish(leader, epoch, [s for s in acked if s.up])
        for server in followers:
            if server.up and server.state != "FOLLOWING":
                server.look()
                self._looking(server.sid)
        return None

    def _establish(self, leader: Server, epoch: int, acked: list[Server]) -> None:
        self.truth.epochs.append(Established(epoch, leader.sid, frozenset(leader.history)))
        self.truth.committed |= set(leader.history) - self.truth.tainted
        leader.state, leader.last, self.leading, self.next = "LEADING", make(epoch, 0), leader.sid, 1
        leader.pending, self.acks = [], {}
        leader.disk.config = leader.disk.seen
        sids = ", ".join(str(s.sid) for s in [leader, *acked])
        self.say(
            leader.sid, "quorum_supported",
            f"Have quorum of supporters, sids: [[{sids}]]; starting up and setting last processed zxid: 0x{make(epoch, 0):x}",
            zxid=make(epoch, 0), sids=f"[[{sids}]]",
        )  # fmt: skip
        for server in acked:
            try:
                self._uptodate(server)
            except Crash:
                self.crash(server.sid)

    def _uptodate(self, server: Server) -> None:
        self.risk(server.sid)
        if not server.old:
            self.say(server.sid, "uptodate", "Learner received UPTODATE message")
        self.risk(server.sid)
        for txn in server.unlogged:
            server.log(txn)
            self.risk(server.sid)
        for txn in [*server.awaiting, *server.unlogged]:
            server.apply(txn)
        server.awaiting, server.unlogged = [], []
        for txn in server.late:
            server.log(txn)
        server.late = []
        leader = self.servers[server.leader] if server.leader else None
        if leader:
            server.disk.config = server.disk.seen = leader.disk.config
        if leader and not server.observer and self.leading == leader.sid:
            for txn in leader.pending:
                server.inbox.append(("proposal", txn))

    # ------------------------------------------------------------ synchronization
    def _snapshot(self, server: Server, *, roll: bool = True) -> None:
        zxid = server.snapshot(roll=roll)
        self.say(server.sid, "snapshot_start", f"Snapshotting: 0x{zxid:x} to /data/version-2/snapshot.{zxid:x}", zxid=zxid)

    def _synchronize(self, leader: Server, server: Server, epoch: int, acked: list[Server]) -> None:
        """From the decision to the acknowledgement of NEWLEADER, in the version's order of durable writes."""
        peer, zxids = server.last, [t.zxid for t in leader.committed_log]
        sync = decide(Position(peer, leader.last, zxids), server.version)
        top = zxids[-1] if zxids else (0 if leader.old else leader.last)
        low = zxids[0] if zxids else (0 if leader.old else leader.last)
        known = {} if leader.old else {"last_processed": leader.last}
        self.say(
            leader.sid, "sync_decision",
            f"Synchronizing with Learner sid: {server.sid} maxCommittedLog=0x{top:x} minCommittedLog=0x{low:x} "
            f"lastProcessedZxid=0x{leader.last:x} peerLastZxid=0x{peer:x}",
            sid=server.sid, peer_zxid=peer, min_committed=low, max_committed=top, **known,
        )  # fmt: skip
        server.leader, server.epoch, server.state = leader.sid, epoch, "FOLLOWING"
        server.disk.seen = leader.disk.seen
        server.pending, server.awaiting, server.unlogged = [], [], []
        kept = sync.truncated_to
        start = kept if kept is not None else peer
        entries = [t for t in leader.committed_log if t.zxid > start] if sync.mode != "SNAP" else []
        if sync.mode == "SNAP":
            self.say(server.sid, "learner_snap", f"Getting a snapshot from leader 0x{leader.last:x}", zxid=leader.last)
            server.history, server.last, server.committed_log = leader.history, leader.last, []
        elif kept is not None:
            self.say(server.sid, "learner_trunc", f"Truncating log to get in sync with the leader 0x{kept:x}", zxid=kept)
            if not server.disk.cut(kept):
                raise Crash(server.sid)
            server.history, _, server.committed_log = server.disk.load()
            server.last = kept
            self.truth.tainted |= set(server.history) - set(leader.history)
        else:
            to = entries[-1].zxid if entries else peer
            self.say(server.sid, "learner_diff", f"Getting a diff from the leader 0x{to:x}", zxid=to)
        self.risk(server.sid)
        logged = sync.mode == "DIFF"
        self._durable(server, epoch, entries, logged)
        acked.append(server)
        self.risk(leader.sid)

    def _durable(self, server: Server, epoch: int, entries: list[Txn], logged: bool) -> None:
        assert self.order is not None
        if not logged:
            for txn in entries:
                server.apply(txn)
        for step in self.order.steps:
            if step == durable.SNAPSHOT and not logged:
                self._snapshot(server)
            elif step == durable.CURRENT_EPOCH:
                server.disk.current = epoch
            elif step in (durable.LOG, durable.LOG_COMMITTED):
                for txn in entries if logged else []:
                    server.log(txn)
                    self.risk(server.sid)
                if step == durable.LOG_COMMITTED and logged:
                    for txn in entries:
                        server.apply(txn)
                else:
                    server.awaiting += entries if logged else []
                entries = []
            elif step == durable.QUEUE and logged:
                server.queue += entries
                server.awaiting += entries
                entries = []
            elif step == durable.ACK:
                break
            self.risk(server.sid)
        server.unlogged = entries if logged else []

    def join(self, sid: int) -> None:
        """A LOOKING server or an observer finds the established leader."""
        leader = self.servers[self.leading] if self.leading else None
        server = self.servers[sid]
        if leader is None or leader.paused:
            return
        answered = discovery.answer(leader.epoch, server.disk.accepted or 0, discovery.Summary(server.disk.current or 0, server.last))
        if answered is None or discovery.ahead(answered, discovery.Summary(leader.disk.current or 0, leader.last)):
            return
        role = "OBSERVING" if server.observer else "FOLLOWING"
        if not server.observer:
            won = leader.epoch
            self.say(
                sid, "fle_notification_received", f"Notification: n.sid:{leader.sid}, n.state:LEADING, n.leader:{leader.sid}",
                sid=leader.sid, leader=leader.sid, zxid=0, round=leader.round, peer_epoch=won, state="LEADING", my_state="LOOKING",
                format_version=2, config_version=0,
            )  # fmt: skip
        self.say(sid, f"state_{role.lower()}", role)
        server.disk.accepted = leader.epoch
        try:
            self.risk(sid)
            self._synchronize(leader, server, leader.epoch, [])
            self._uptodate(server)
        except Crash as crash:
            self.crash(crash.sid)
            return
        if server.observer == (sid in self.configs[server.disk.config].voters):
            self.leave(sid)

    # ------------------------------------------------------------ broadcast
    def followers(self) -> list[Server]:
        """Learners that hold a link to the leader."""
        epoch = self.servers[self.leading].epoch if self.leading is not None else None
        return [s for s in self.servers.values() if s.up and s.leader == self.leading and s.epoch == epoch and s.state == "FOLLOWING"]

    def write(self) -> Txn:
        """A client's write: the leader proposes."""
        leader = self.servers[self.leading or 0]
        self.payload += 1
        txn = Txn(make(leader.epoch, self.next), self.payload)
        self.next += 1
        self.truth.born[txn] = len(self.truth.epochs)
        self.acks[txn] = set()
        leader.pending.append(txn)
        leader.queue.append(txn)
        for server in self.followers():
            if not server.observer:
                server.inbox.append(("proposal", txn))
        return txn

    def flush(self, sid: int) -> None:
        """The sync thread writes what it was handed."""
        server = self.servers[sid]
        for txn in server.queue:
            server.log(txn)
            if sid == self.leading and txn in self.acks:
                self.acks[txn].add(sid)
        server.queue = []
        self.commit()

    def deliver(self, sid: int) -> None:
        """A learner handles the next packet."""
        server = self.servers[sid]
        if not server.inbox:
            return
        kind, txn = server.inbox.popleft()
        alive = self.leading is not None and self.leading == server.leader and self.servers[self.leading].epoch == server.epoch
        if kind != "commit" and server.queue:
            self.flush(sid)
        if kind == "proposal":
            server.log(txn)
            self._seen(server, txn)
            server.pending.append(txn)
            if alive and txn in self.acks:
                self.acks[txn].add(sid)
        elif kind == "inform":
            server.log(txn)
            server.apply(txn)
            self._in_force(server, txn)
        elif txn in server.pending:
            server.pending.remove(txn)
            server.apply(txn)
            self._in_force(server, txn)
        if alive and self.rng.random() < 0.9:
            self.commit()

    def commit(self) -> None:
        """The leader commits what has a quorum, tells its learners and answers clients."""
        if self.leading is None:
            return
        leader = self.servers[self.leading]
        if leader.paused:
            return
        ready = set(broadcast.committed({t.zxid: who for t, who in self.acks.items()}, self.rules(leader.sid)))
        for txn in sorted(t for t in self.acks if t.zxid in ready):
            del self.acks[txn]
            self.truth.committed.add(txn)
            leader.pending.remove(txn)
            leader.apply(txn)
            for server in self.followers():
                server.inbox.append(("inform" if server.observer else "commit", txn))
            if self.rng.random() < 0.85:
                self.truth.acked[txn] = leader.sid
            if txn in self.reconfigs:
                self._commit_config(leader, txn)
                return

    def _commit_config(self, leader: Server, txn: Txn) -> None:
        """From here on it is in force; a leader without a vote in it steps down."""
        leader.disk.config = leader.disk.seen = self.reconfigs[txn]
        if leader.sid not in self.config.voters:
            for server in self.followers():
                self.leave(server.sid)
            self.leave(leader.sid)

    # ------------------------------------------------------------ disks
    def lose(self, sid: int) -> None:
        """The disk of a stopped server is lost: empty, or put back from an earlier copy."""
        server = self.servers[sid]
        # a copy of the same epoch cannot be told from a follower that lagged: back-ups are older
        older = [m[sid] for m in self.earlier if sid in m and (m[sid].current or 0) < (server.disk.current or 0)]
        stored = server.disk.config, server.disk.seen
        server.disk = self.rng.choice(older).copied() if older and self.rng.random() < 0.4 else Disk()
        server.disk.config, server.disk.seen = stored  # zoo.cfg lies elsewhere
        self.losses += 1
        self.young.clear()

    def replace(self, out: int, new: int) -> None:
        """A voter is taken out of the static configuration of everybody, and a new server is put in its place; all of them stop for it."""
        for sid in self.servers:
            self.crash(sid)
        self.servers[new] = Server(new, self.servers.pop(out).version)
        self.lines[new] = []
        config = self.configs[0]
        self.configs[0] = replace(config, voters=config.voters - {out} | {new})
        self.losses += 1
        self.young.clear()

    def rename(self, old: int, new: int) -> None:
        """A stopped voter gets another id, with its disk: myid and everybody's zoo.cfg are edited."""
        for sid in self.servers:
            self.crash(sid)
        server = self.servers.pop(old)
        server.sid = new
        self.servers[new] = server
        self.lines[new] = []
        self.renamed[new] = old
        config = self.configs[0]
        self.configs[0] = replace(config, voters=config.voters - {old} | {new})
        self.young.clear()

    def swap(self, one: int, other: int) -> None:
        """Two stopped voters get each other's id, with their disks."""
        for sid in self.servers:
            self.crash(sid)
        self.swapped = True
        first, second = self.servers[one], self.servers[other]
        first.disk, second.disk = second.disk, first.disk
        self.young.clear()

    def alone(self, sid: int, writes: int, rng: random.Random) -> None:
        """A standalone server writes in epoch 0 and answers; then it is stopped, to be a member of an ensemble."""
        server = self.servers[sid]
        self.first = sid
        server.disk.snaps.append(Snap(0, ()))
        self.say(sid, "config_reading", "Reading configuration from: /etc/zookeeper/zoo.cfg")
        self.say(sid, "standalone_start", "Either no config or no quorum defined in config, running in standalone mode")
        for counter_ in range(1, writes + 1):
            self.payload += 1
            txn = Txn(counter_, self.payload)
            self.truth.born[txn] = 0
            self.truth.committed.add(txn)
            self.truth.acked[txn] = sid
            server.log(txn)
        if rng.random() < 0.5:
            held = tuple(sorted(self.truth.committed))
            server.disk.snaps.append(Snap(held[-1].zxid, held))

    def copy_all(self) -> None:
        """Somebody copies every disk."""
        self.earlier.append({s: server.disk.copied() for s, server in self.servers.items()})
        holders: dict[tuple[Txn, int | None], set[int]] = {}
        for sid, server in self.servers.items():
            for txn in server.disk.load()[0]:
                holders.setdefault((txn, server.disk.current), set()).add(sid)
        newest = self.configs[min(s.disk.config for s in self.servers.values()) :]
        self.truth.decided |= {txn for (txn, _), sids in holders.items() if all(c.is_quorum(sids) for c in newest)}

    def finish(self) -> None:
        """Mark what a start would bring back though an established epoch discarded it."""
        for server in self.servers.values():
            history = server.history if server.up else server.disk.load()[0]
            self._taint(history, 0)
            self._taint(server.disk.load()[0], server.disk.current or 0)

    def _taint(self, history: tuple[Txn, ...], current: int) -> None:
        epochs = {t.zxid >> 32 for t in history} | {current}
        for number, e in enumerate(self.truth.epochs):
            if e.epoch in epochs:
                self.truth.tainted |= {t for t in history if self.truth.born[t] <= number and t not in e.history}


__all__ = ["VERSIONS", "Ensemble", "Snap", "counter"]
