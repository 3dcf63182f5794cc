"""Recovery: from a decided election to an established epoch, by the rules of ``protocol.discovery``, ``sync`` and ``durable``.

Strategy: one ``Term`` per attempt to lead, one ``Link`` per learner's connection. Every packet is a message of ``core``; what a packet
does, it does to the link's term only, so that what belongs to an earlier attempt has no effect.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field

from zabtrace.protocol import discovery
from zabtrace.protocol.discovery import Discovery, Summary
from zabtrace.protocol.election import LEADING
from zabtrace.simulate import journal
from zabtrace.simulate.agenda import Planned
from zabtrace.simulate.core import Setup
from zabtrace.simulate.disk import Txn
from zabtrace.simulate.old_electing import OldElecting
from zabtrace.simulate.server import Server
from zabtrace.zxid import text

LEADER_SNAPSHOTS = "3.4.0-3.4.5, 3.5.0-"
"""Releases in which a new leader writes a snapshot before any quorum (ZooKeeperServer.loadData)."""
TRIES, RETRY_MS = 5, 1000
"""Learner.connectToLeader."""


@dataclass(eq=False)
class Link:
    """A learner's connection to its leader."""

    term: Term
    learner: Server
    process: int
    port: int
    open: bool = True
    peer: int | None = None
    """The learner's last zxid, once its ACKEPOCH has come."""
    forwarding: bool = False
    """It gets proposals and commits."""
    synced: bool = False
    """It has acknowledged NEWLEADER."""

    @property
    def alive(self) -> bool:
        """Does the learner still follow over it?"""
        return self.open and self.learner.process == self.process

    @property
    def thread(self) -> str:
        """The address that its LearnerHandler's name holds."""
        return f"/127.0.0.{self.learner.sid}:{self.port}"


@dataclass(eq=False)
class Term:
    """One attempt to lead."""

    leader: Server
    process: int
    discovery: Discovery
    links: list[Link] = field(default_factory=list)
    summary: Summary = field(default_factory=lambda: Summary(0, 0))
    epoch: int | None = None
    ready: bool = False
    """Its own currentEpoch is written: learners can be synchronized."""
    established: bool = False
    closed: bool = False
    deadline: Planned | None = None
    """initLimit: it gives up then."""
    counter: int = 0
    flushed: int = 0
    """When the leader's sync thread has written the last proposal."""
    acks: dict[int, set[int]] = field(default_factory=dict)
    """zxid of a proposal -> who acknowledged it."""

    @property
    def alive(self) -> bool:
        """Does its leader still lead?"""
        return not self.closed and self.leader.up and self.leader.process == self.process and self.leader.state == LEADING


class Recovering(OldElecting):
    """Discovery and synchronization."""

    def __init__(self, setup: Setup, seed: int) -> None:
        super().__init__(setup, seed)
        self.terms: dict[int, Term] = {}
        self.links: dict[int, Link] = {}
        """Learner -> its connection."""
        self._ports = 40_000

    # ---------------------------------------------------------------- roles
    def take_role(self, server: Server, took: int) -> None:
        """Begin to lead, or connect to the leader."""
        if server.state == LEADING:
            self._lead(server, took)
        else:
            self.say(server, "state", {"role": "observing" if server.observer else "following"})
            self.say(server, "observing" if server.observer else "following")
            if not server.observer:
                self.say(server, "following took", {"ms": took})
                self.say(server, "phase", {"role": "following", "phase": "discovery"})
            self._connect(server, server.process, 1)

    def _lead(self, server: Server, took: int) -> None:
        self.say(server, "state", {"role": "leading"})
        self.say(server, "leading")
        self.say(server, "leading took", {"ms": took})
        self.say(server, "phase", {"role": "leading", "phase": "discovery"})
        if self.is_of(server, LEADER_SNAPSHOTS):
            self.take_snapshot(server)
        term = self.terms[server.sid] = Term(server, server.process, Discovery(server.sid, self.config))
        term.summary = Summary(server.disk.current or 0, server.last)
        term.deadline = self.later(server, self.setup.init_limit * self.setup.tick, lambda: self._give_up(term))
        self._found(term, server.sid, server.disk.accepted or 0)

    def _give_up(self, term: Term) -> None:
        if term.alive and not term.established:
            self.step_down(term, "Waiting for a quorum of followers")

    def _connect(self, server: Server, process: int, tries: int) -> None:
        """Connect to the elected leader; it may not listen yet, or never."""
        if server.process != process or server.leader is None or server.sid in self.links:
            return
        leader = self.servers[server.leader]
        term = self.terms.get(leader.sid)
        if term is not None and term.alive and self.reaches(server, leader):
            self._ports += 1
            link = self.links[server.sid] = Link(term, server, process, self._ports)
            address = f"/127.0.0.{leader.sid}:2888"
            if server.observer:
                self.say(server, "observing leader", {"sid": leader.sid, "address": address})
            self.say(server, "connected", {"address": address}, leader=leader.sid)
            accepted = server.disk.accepted or 0
            self.send(server, leader, lambda: self._introduced(link, accepted), kept=True)
        elif tries < TRIES:
            self.later(server, RETRY_MS, lambda: self._connect(server, process, tries + 1))
        else:
            self.leave(server, f"could not connect to leader {leader.sid}")

    # ---------------------------------------------------------------- discovery
    def _introduced(self, link: Link, accepted: int) -> None:
        """FOLLOWERINFO or OBSERVERINFO."""
        term, sid = link.term, link.learner.sid
        if not (term.alive and link.alive):
            return
        term.links.append(link)
        role = "observer" if link.learner.observer else "participant"
        self.say(term.leader, "learner info", {"sid": sid, "spec": f"127.0.0.{sid}:2888:3888:{role}"}, address=link.thread)
        self.note(term.leader, journal.DISCOVERY, f"learns that {sid} has accepted epoch {accepted}", sid=sid, accepted=accepted)
        known = term.discovery.epoch
        self._found(term, sid, accepted)
        if known is not None:
            self._offer(link, known)

    def _found(self, term: Term, sid: int, accepted: int) -> None:
        known = term.discovery.epoch
        epoch = term.discovery.connect(sid, accepted)
        if epoch is None or known is not None:
            return
        term.leader.disk.accepted = epoch
        self.note(term.leader, journal.DISCOVERY, f"proposes epoch {epoch}: above every accepted one of a quorum, "
                  f"{', '.join(f'{s} has {a}' for s, a in sorted(term.discovery.accepted.items()))}", epoch=epoch)  # fmt: skip
        for link in term.links:
            self._offer(link, epoch)
        self._acknowledged(term, term.leader.sid)

    def _offer(self, link: Link, epoch: int) -> None:
        self.send(link.term.leader, link.learner, lambda: self._asked(link, epoch), kept=True)

    def _asked(self, link: Link, epoch: int) -> None:
        """LEADERINFO."""
        if not link.alive:
            return
        server = link.learner
        own = Summary(server.disk.current or 0, server.last)
        accepted = server.disk.accepted or 0
        answer = discovery.answer(epoch, accepted, own)
        if answer is None:
            self.leave(server, f"leader's epoch {epoch} is less than accepted epoch {accepted}")
            return
        server.disk.accepted = epoch
        repeated = answer.current_epoch == discovery.ALREADY_ACCEPTED
        self.note(server, journal.DISCOVERY, f"accepts epoch {epoch}" + (" again: that does not count" if repeated else ""), epoch=epoch)
        self.send(server, link.term.leader, lambda: self._answered(link, answer), kept=True)

    def _answered(self, link: Link, ack: Summary) -> None:
        """ACKEPOCH."""
        term = link.term
        if not (term.alive and link.alive):
            return
        if discovery.ahead(ack, term.summary):
            self.note(term.leader, journal.DISCOVERY, f"lets {link.learner.sid} go: it is ahead "
                      f"(epoch {ack.current_epoch}, {text(ack.last_zxid)})", sid=link.learner.sid)  # fmt: skip
            self.drop(link)
            return
        link.peer = ack.last_zxid
        if not term.ready and discovery.counts(ack, term.summary, term.leader.release):
            self._acknowledged(term, link.learner.sid)
        if term.ready:
            self.synchronize(link)

    def _acknowledged(self, term: Term, sid: int) -> None:
        """The leader writes its own currentEpoch before anyone is synchronized."""
        if not term.discovery.acknowledge(sid) or term.ready:
            return
        term.ready, term.epoch = True, term.discovery.epoch
        term.leader.disk.current = term.epoch
        self.say(term.leader, "phase", {"role": "leading", "phase": "synchronization"})
        self.note(term.leader, journal.EPOCH, f"writes currentEpoch {term.epoch}: a quorum has accepted it", epoch=term.epoch)
        for link in term.links:
            self.synchronize(link)
        self.supported(term)

    # ---------------------------------------------------------------- what other parts do
    @abstractmethod
    def synchronize(self, link: Link) -> None:
        """Bring a learner that has acknowledged the epoch up to date, once."""

    @abstractmethod
    def supported(self, term: Term) -> None:
        """Somebody acknowledged NEWLEADER: establish the epoch where it is a quorum."""

    @abstractmethod
    def leave(self, server: Server, why: str) -> None:
        """A learner gives its leader up."""

    @abstractmethod
    def drop(self, link: Link) -> None:
        """A leader gives a learner up."""

    @abstractmethod
    def step_down(self, term: Term, reason: str) -> None:
        """A leader stops leading."""

    @abstractmethod
    def stop(self, server: Server, why: str = "crashes", torn: bool = False) -> None:
        """A server's process ends."""

    @abstractmethod
    def write_record(self, server: Server, txn: Txn) -> None:
        """Log and sync a record."""

    @abstractmethod
    def acknowledge(self, link: Link, zxid: int) -> None:
        """A learner tells its leader that it has logged a proposal."""

    @abstractmethod
    def take_snapshot(self, server: Server, *, imported: bool = False) -> None:
        """Write a snapshot, and say so."""
