"""One server: its disk, and what its process holds in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from zabtrace.protocol.election import Looking
from zabtrace.protocol.releases import among
from zabtrace.protocol.vote import Vote
from zabtrace.simulate.disk import Disk, Snap, Txn

DOWN = "DOWN"
RELOADED = "3.4.0-3.4.9, 3.5.0-3.5.2"
"""Releases that load the database from the disk anew for every election."""
KEPT_STALE = "3.4.10-3.4.11, 3.5.3-3.5.3"
"""Releases that keep it without what is only logged (ZOOKEEPER-2845); all later ones bring it up to the end of the log."""


@dataclass
class Ballot:
    """An election that a server takes part in: its machine, when it began, and what it waits for."""

    looking: Looking
    since: int
    wait: int
    token: int = 0
    """Grows with every notification, so that older timers do nothing."""
    finalizing: bool = False


@dataclass
class Server:
    """A server. ``process`` numbers its processes: what was meant for an earlier one does not reach a later."""

    sid: int
    release: str
    observer: bool = False
    disk: Disk = field(default_factory=Disk)
    process: int = 0
    up: bool = False
    paused: bool = False
    state: str = DOWN
    leader: int | None = None
    round: int = 0
    vote: Vote | None = None
    """The vote it tells others once it follows or leads."""
    ballot: Ballot | None = None
    history: tuple[Txn, ...] = ()
    last: int = 0
    committed_log: list[Txn] = field(default_factory=list)
    digest_zxid: int = 0
    fresh_log: bool = True
    served: bool = False
    """It got UPTODATE, or its own quorum."""
    waiting: list[Callable[[], None]] = field(default_factory=list)
    """Packets that came while it was paused."""
    buffered: list[Callable[[], None]] = field(default_factory=list)
    """Packets between NEWLEADER and UPTODATE."""
    pending: list[Txn] = field(default_factory=list)
    """Proposals received, not yet committed."""
    skew: int = 0
    """Its clock less the true time, in ms."""

    def start(self) -> list[str]:
        """A new process loads the disk; the names of the epoch files that it had to create."""
        self.process += 1
        self.up, self.paused, self.round, self.vote, self.ballot = True, False, 0, None, None
        if not self.disk.snaps and not self.disk.files:
            self.disk.snaps.append(Snap(0, ()))
        created = [name for name in ("current", "accepted") if getattr(self.disk, name) is None]
        self.history, self.last, replayed = self.disk.load()
        self.committed_log, self.digest_zxid = list(replayed), 0
        for name in created:
            setattr(self.disk, name, self.last >> 32 if name == "current" else self.disk.current)
        self.fresh_log = True
        self._leave()
        return created

    def stop(self, torn: bool = False) -> None:
        """The process ends: memory and sockets are gone; ``torn``: in the middle of writing a record."""
        self.process += 1
        self.up, self.paused, self.state, self.ballot = False, False, DOWN, None
        self._leave()
        if torn and self.disk.files:
            self.disk.files[-1].ending = "torn"

    def look(self) -> None:
        """Back to LOOKING in the same process: the database is loaded anew, or kept and brought up to the end of the log."""
        self._leave()
        if among(self.release, RELOADED):
            self.history, self.last, replayed = self.disk.load()
            self.committed_log = list(replayed)
        held = set(self.history)
        for txn in () if among(self.release, KEPT_STALE) else self.disk.records:
            if txn.zxid > self.last and txn not in held:
                self.apply(txn)

    def _leave(self) -> None:
        self.leader, self.served = None, False
        self.waiting, self.buffered, self.pending = [], [], []

    def log(self, txn: Txn) -> bool:
        """Append to the log; was a file begun?"""
        begun = self.disk.append(txn, self.fresh_log)
        self.fresh_log = False
        return begun

    def apply(self, txn: Txn) -> None:
        """Apply a transaction to memory."""
        self.history += (txn,)
        self.last = txn.zxid
        self.committed_log = [*self.committed_log, txn][-500:]
        self.digest_zxid = txn.zxid if txn.digest is not None else self.digest_zxid

    def snapshot(self, *, imported: bool = False) -> int:
        """Write memory to a snapshot, and roll the log; its name. ``imported``: what was received, no digest of it is known."""
        known = 0 if imported else self.digest_zxid
        self.disk.snaps = [*(snap for snap in self.disk.snaps if snap.zxid != self.last), Snap(self.last, self.history, known)]
        self.disk.snaps.sort(key=lambda snap: snap.zxid)
        return self.last
