"""The ensemble at work: writes, commits, and what goes wrong: crashes, pauses, severed links, leaders without a quorum."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from zabtrace.protocol import broadcast
from zabtrace.protocol.election import LOOKING
from zabtrace.simulate import journal, tree
from zabtrace.simulate.core import Setup
from zabtrace.simulate.disk import Disk, Txn
from zabtrace.simulate.recovering import Link, Term
from zabtrace.simulate.server import Server
from zabtrace.simulate.syncing import Syncing
from zabtrace.zxid import make, text

BEGIN_MS = 1_700_000_000_000
"""When every simulation begins: nothing in it depends on the clock of the machine."""
PATIENCE_MS = 60_000
"""How long ``rest`` waits for resent votes."""
DIGESTS = "3.6.0-"


class Ensemble(Syncing):
    """Servers that can be told what to do; ``run`` and ``rest`` let time pass."""

    def __init__(self, setup: Setup, seed: int = 0) -> None:
        super().__init__(setup, seed)
        self._sessions: dict[int, tuple[int, int]] = {}
        """Leader's epoch -> session of its client, and the client's last cxid."""
        self.asked = 0
        """Writes that clients asked for."""
        self.acknowledged: list[tuple[int, Txn]] = []
        """(time, transaction) of every answer that a client got."""

    # ---------------------------------------------------------------- life
    def start(self, *servers: Server) -> None:
        """Start the processes of those that do not run, all before the first of them looks for a leader."""
        started = [server for server in servers if not server.up]
        for server in started:
            self._boot(server)
        for server in started:
            self.look(server)

    def _boot(self, server: Server) -> None:
        created = server.start()
        self.note(server, journal.LIFE, "starts", started=True)
        values: dict[str, object] = {
            "my_sid": server.sid, "address": f"/127.0.0.{server.sid}:3888", "path": "/etc/zookeeper/zoo.cfg",
            "key": "zookeeper.version", "value": f"{server.release}-simulated, built on 2026-01-01 00:00 UTC",
        }  # fmt: skip
        for phrase in ("reading configuration", "starting", "environment", "election port"):
            self.say(server, phrase, values)
        for name in created:
            self.say(server, f"{name} epoch missing", {"epoch": getattr(server.disk, name)})

    def stop(self, server: Server, why: str = "crashes", torn: bool = False) -> None:
        """End its process. Others notice by their connections."""
        if not server.up:
            return
        self.note(server, journal.LIFE, why, started=False)
        server.stop(torn)
        self._end_links(server)

    def pause(self, server: Server) -> None:
        """Stop its process without ending it: nothing is read, written or printed until it resumes."""
        server.paused = True
        self.note(server, journal.LIFE, "is paused", started=None)
        self._watch([(server.sid, other) for other in self.servers if other != server.sid], lambda _: server.paused)

    def resume(self, server: Server) -> None:
        """Let it go on: first with what lies in its sockets."""
        server.paused = False
        self.note(server, journal.LIFE, "resumes", started=None)
        waiting, server.waiting = server.waiting, []
        for deliver in waiting:
            if server.up:
                deliver()

    def separate(self, one: Sequence[int], other: Sequence[int]) -> None:
        """Let nothing pass between two sides until ``heal``."""
        pairs = self.sever(one, other)
        self.note(None, journal.ORDER, f"nothing passes between {_listed(one)} and {_listed(other)}")
        self._watch(pairs, lambda pair: (min(pair), max(pair)) in self.severed)

    def _watch(self, pairs: Sequence[tuple[int, int]], still: Callable[[tuple[int, int]], bool]) -> None:
        """After syncLimit, connections over which nothing passes are given up by both ends."""
        watched = [link for link in self.links.values() for pair in pairs if {link.learner.sid, link.term.leader.sid} == set(pair)]

        def check() -> None:
            for link in watched:
                pair = (link.learner.sid, link.term.leader.sid)
                if link.open and still(pair):
                    self._break(link)

        self.agenda.plan(self.setup.tick * self.setup.sync_limit, check)

    # ---------------------------------------------------------------- connections end
    def _end_links(self, server: Server) -> None:
        """A dead process's sockets close: whoever held one notices."""
        mine = [link for link in self.links.values() if server in (link.learner, link.term.leader)]
        self.links.pop(server.sid, None)
        for link in mine:
            self._break(link)

    def _break(self, link: Link) -> None:
        """The connection is gone; each end notices when it reads, behind what was sent before."""
        learner, leader, term = link.learner, link.term.leader, link.term
        if learner.process == link.process:
            self.later(learner, self.rng.randint(4, 9), lambda: self._lost_leader(link))
        if leader.process == term.process:
            self.later(leader, self.rng.randint(4, 9), lambda: self.drop(link))

    def _lost_leader(self, link: Link) -> None:
        if link.alive and self.links.get(link.learner.sid) is link:
            self.leave(link.learner, f"lost leader {link.term.leader.sid}")

    def leave(self, server: Server, why: str) -> None:
        """A learner goes back to LOOKING."""
        link = self.links.pop(server.sid, None)
        if link is not None:
            link.open = False
            if link.term.alive:
                self.later(link.term.leader, 2, lambda: self.drop(link))
        self.note(server, journal.LOSS, why)
        self.say(server, "observing ended" if server.observer else "following ended")
        if not server.observer:
            self.say(server, "learner stops")
        self.look(server)

    def drop(self, link: Link) -> None:
        """A leader forgets a learner, and looks at its next tick whether a quorum is left."""
        term = link.term
        if link not in term.links:
            return
        term.links.remove(link)
        if not term.alive:
            return
        self.say(term.leader, "goodbye", {"address": f"/127.0.0.{link.learner.sid}:{link.port}"}, address=link.thread)
        if link.open and link.learner.process == link.process:
            self.later(link.learner, 2, lambda: self._lost_leader(link))
        if term.established:
            self.later(term.leader, self.setup.tick, lambda: self._check_quorum(term))

    def _check_quorum(self, term: Term) -> None:
        synced = {link.learner.sid for link in term.links if link.synced and link.alive}
        if term.alive and not broadcast.keeps_leading(synced, term.leader.sid, [self.config]):
            self.step_down(term, "Not sufficient followers synced")

    def step_down(self, term: Term, reason: str) -> None:
        """A leader closes all connections and goes back to LOOKING."""
        leader, term.closed = term.leader, True
        synced = sorted({leader.sid, *(link.learner.sid for link in term.links if link.synced and link.alive)} & self.config.voters)
        self.note(leader, journal.LOSS, f"stops leading: {reason}", synced=synced)
        phrase, sids = ("lost quorum" if term.established else "no quorum"), ", ".join(map(str, synced))
        self.say(leader, phrase, {"reason": reason, "sids": f"[ {sids} ]" if self.is_of(leader, "3.4.0-3.4") else f"[ [{sids}] ]"})
        for link in list(term.links):
            if link.open and link.learner.process == link.process:
                self.later(link.learner, 2, lambda link=link: self._lost_leader(link))  # type: ignore[misc]
        term.links.clear()
        if leader.state != LOOKING:
            self.look(leader)

    # ---------------------------------------------------------------- writes
    def leading(self) -> Term | None:
        """The term in which writes are possible; of two, the newer one."""
        served = [term for term in self.terms.values() if term.alive and term.established and not term.leader.paused]
        return max(served, key=lambda term: term.epoch or 0, default=None)

    def write(self, at: Server | None = None) -> None:
        """A client's write reaches a leader (``at``, or the one there is), which proposes it."""
        term = self.leading() if at is None else self.terms.get(at.sid)
        if term is None or not (term.alive and term.established):
            self.note(at, journal.WRITE, "a write finds no leader: refused")
            return
        assert term.epoch is not None  # noqa: S101 (established)
        if term.epoch not in self._sessions:
            session = (term.leader.sid << 56) | ((BEGIN_MS + self.now) << 16 & 0x00FF_FFFF_FFFF_0000)
            self._sessions[term.epoch] = (session, 0)
            self._propose(term, "createSession", session, 0)
        session, cxid = self._sessions[term.epoch]
        self._sessions[term.epoch] = (session, cxid + 1)
        self._propose(term, "create", session, cxid + 1)

    def _propose(self, term: Term, op: str, session: int, cxid: int) -> None:
        leader = term.leader
        term.counter += 1
        assert term.epoch is not None  # noqa: S101 (established)
        zxid = make(term.epoch, term.counter)
        grown = tree.Growing((*leader.history, *leader.pending))
        path, data = (f"/w{zxid:x}", f"value of {text(zxid)}".encode()) if op == "create" else ("", b"")
        txn = Txn(zxid, op, session, cxid, BEGIN_MS + self.now + leader.skew, path, data, grown.creations + 1 if path else 0)
        if self.is_of(leader, DIGESTS):
            txn = txn._replace(digest=grown.add(txn))
        leader.pending.append(txn)
        term.acks[zxid] = set()
        self.note(leader, journal.WRITE, f"proposes {text(zxid)}: {op} {path}".rstrip(), zxid=zxid)
        for link in term.links:
            if link.forwarding and not link.learner.observer and link.alive:
                self.send(leader, link.learner, lambda link=link: self._proposed(link, txn), kept=True)  # type: ignore[misc]
        term.flushed = max(self.now + self.rng.randint(0, 2), term.flushed)  # the sync thread writes in order
        self.later(leader, term.flushed - self.now, lambda: self._own_record(term, txn))

    def _own_record(self, term: Term, txn: Txn) -> None:
        if term.alive:
            self.write_record(term.leader, txn)
            self._counted(term, txn.zxid, term.leader.sid)

    def write_record(self, server: Server, txn: Txn) -> None:
        """Log and sync a record."""
        if server.log(txn):
            self.say(server, "log created", {"zxid": txn.zxid})

    def _proposed(self, link: Link, txn: Txn) -> None:
        """PROPOSAL."""
        server = link.learner
        if not link.alive:
            return
        if not server.served:
            server.buffered.append(lambda: self._proposed(link, txn))
            return
        self.write_record(server, txn)
        server.pending.append(txn)
        self.acknowledge(link, txn.zxid)

    def acknowledge(self, link: Link, zxid: int) -> None:
        """ACK."""
        server, term = link.learner, link.term
        self.send(server, term.leader, lambda: self._counted(term, zxid, server.sid) if link.alive else None, kept=True)

    def _counted(self, term: Term, zxid: int, sid: int) -> None:
        if term.alive and zxid in term.acks:
            term.acks[zxid].add(sid)
            for ready in broadcast.committed(term.acks, [self.config]):
                self._commit(term, ready)

    def _commit(self, term: Term, zxid: int) -> None:
        leader = term.leader
        acked = sorted(term.acks.pop(zxid))
        txn = next(txn for txn in leader.pending if txn.zxid == zxid)
        leader.pending.remove(txn)
        leader.apply(txn)
        self.acknowledged.append((self.now, txn))
        self.note(leader, journal.COMMIT, f"commits {text(zxid)}: logged by {', '.join(map(str, acked))}", zxid=zxid, acked=acked)
        for link in term.links:
            if link.forwarding and link.alive:
                self.send(leader, link.learner, lambda link=link: self._committed(link, txn), kept=True)  # type: ignore[misc]

    def _committed(self, link: Link, txn: Txn) -> None:
        """COMMIT, or INFORM to an observer."""
        server = link.learner
        if not link.alive:
            return
        if not server.served:
            server.buffered.append(lambda: self._committed(link, txn))
            return
        if server.observer:
            self.write_record(server, txn)
        elif txn in server.pending:
            server.pending.remove(txn)
        else:
            return
        server.apply(txn)

    # ---------------------------------------------------------------- disks
    def take_snapshot(self, server: Server, *, imported: bool = False) -> None:
        """Write a snapshot, and say so."""
        zxid = server.snapshot(imported=imported)
        self.say(server, "snapshot", {"zxid": zxid, "path": f"/var/lib/zookeeper/version-2/snapshot.{zxid:x}"})
        self.note(server, journal.SNAPSHOT, f"writes snapshot.{zxid:x}", zxid=zxid)

    def wipe(self, server: Server) -> None:
        """The disk of a stopped server is lost."""
        server.disk = Disk()
        self.note(server, journal.LIFE, "loses its disk", started=None)

    # ---------------------------------------------------------------- time
    def run(self, ms: int) -> None:
        """Let so much time pass."""
        self.agenda.run(self.now + ms)

    def rest(self, most: int = 300_000) -> None:
        """Let time pass until nothing moves any more, and nobody who could find a leader still looks for one."""
        until = self.now + most
        self.agenda.rest(until)
        patience = self.now + PATIENCE_MS
        while self._hopeful() and self.agenda.step(min(until, patience)):
            self.agenda.rest(until)

    def _hopeful(self) -> bool:
        """Does somebody look for a leader while enough voters are there to have one?"""
        able = [server for server in self.servers.values() if server.up and not server.paused]
        return any(server.state == LOOKING for server in able) and self.config.is_quorum(server.sid for server in able)


def _listed(sids: Sequence[int]) -> str:
    return ", ".join(map(str, sids))
