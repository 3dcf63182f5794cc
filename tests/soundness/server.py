"""One server of the model: its disk, its memory, and what each protocol step does to them.

Strategy: a history is a tuple of transactions, whole, so that what a snapshot or a memory holds is known exactly. Disks are plain
lists; the protocol's own functions (truncation, replay at start-up) decide what happens to them.
"""

from __future__ import annotations

import copy
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from zabtrace.protocol.truncation import replayed, truncate


class Txn(NamedTuple):
    """A transaction: ``payload`` is unique, so that two under one zxid can be told apart."""

    zxid: int
    payload: int


@dataclass
class LogFile:
    """One log file."""

    name: int
    records: list[Txn] = field(default_factory=list)
    ending: str = "padded"


@dataclass
class Snap:
    """One snapshot: its name and the history that its tree holds."""

    zxid: int
    history: tuple[Txn, ...]


@dataclass
class Disk:
    """What survives the process."""

    files: list[LogFile] = field(default_factory=list)
    snaps: list[Snap] = field(default_factory=list)
    current: int | None = None
    accepted: int | None = None
    config: int = 0
    """Number of the configuration in force (the dynamic file), and of the last one proposed (its ``.next``)."""
    seen: int = 0

    def copied(self) -> Disk:
        """A copy from this moment."""
        return copy.deepcopy(self)

    def load(self) -> tuple[tuple[Txn, ...], int, list[Txn]]:
        """What a start loads: the history, lastProcessedZxid, and the committed log (the records replayed)."""
        base = max(self.snaps, key=lambda s: s.zxid, default=None)
        named = base.zxid if base else None
        every = [t for f in self.files for t in f.records]
        kept = replayed([[t.zxid for t in f.records] for f in self.files], named)
        tail = every[len(every) - len(kept) :] if kept else []
        history = base.history if base else ()
        held = set(history)
        history += tuple(t for t in dict.fromkeys(tail) if t not in held)
        last = max([named if named is not None else 0, *(t.zxid for t in tail[-1:])])
        return history, last, list(tail)

    def append(self, txn: Txn, fresh: bool) -> None:
        """Log a record; ``fresh``: the first one since the process started or the log was rolled."""
        if fresh or not self.files:
            if any(f.name == txn.zxid for f in self.files):
                self.files = [f for f in self.files if f.name != txn.zxid]
            self.files.append(LogFile(txn.zxid))
        self.files[-1].records.append(txn)

    def cut(self, target: int) -> bool:
        """Truncate the log; False where there was nothing to cut at."""
        kept = truncate([[t.zxid for t in f.records] for f in self.files], target)
        if kept is None:
            return False
        last = max(i for i, records in enumerate(kept) if records)
        self.files = self.files[: last + 1]
        self.files[last].records = self.files[last].records[: len(kept[last])]
        self.files[last].ending = "unpadded"
        return True


@dataclass
class Server:
    """A server: disk, process, memory."""

    sid: int
    version: str
    observer: bool = False
    disk: Disk = field(default_factory=Disk)
    up: bool = False
    paused: bool = False
    state: str = "DOWN"
    leader: int | None = None
    epoch: int = 0
    history: tuple[Txn, ...] = ()
    last: int = 0
    committed_log: list[Txn] = field(default_factory=list)
    fresh_log: bool = True
    inbox: deque[tuple[str, Txn]] = field(default_factory=deque)
    pending: list[Txn] = field(default_factory=list)
    """Logged or received, not yet committed."""
    queue: list[Txn] = field(default_factory=list)
    """Handed to the sync thread, not yet written."""
    awaiting: list[Txn] = field(default_factory=list)
    """Received in the sync and logged: applied once UPTODATE has come."""
    unlogged: list[Txn] = field(default_factory=list)
    """Received in the sync, to be logged and applied once UPTODATE has come."""
    round: int = 0
    kept_in_memory: int = 500
    """Length of the committed log (ZKDatabase.commitLogCount)."""
    late: list[Txn] = field(default_factory=list)
    """Handed to a sync thread that nobody waited for, to be written after the next synchronization (ZOOKEEPER-4712)."""

    @property
    def old(self) -> bool:
        """3.4?"""
        return self.version.startswith("3.4.")

    def start(self) -> None:
        """A new process: load the disk."""
        self.up, self.paused, self.state, self.leader = True, False, "LOOKING", None
        self.round = 0
        if self.disk.current is None:
            self.disk.current = max([0, *(t.zxid >> 32 for f in self.disk.files for t in f.records)])
        if self.disk.accepted is None:
            self.disk.accepted = self.disk.current
        if not self.disk.snaps and not self.disk.files:
            self.disk.snaps.append(Snap(0, ()))
        self.history, self.last, self.committed_log = self.disk.load()
        self.committed_log = self.committed_log[-self.kept_in_memory :]
        self.late = []
        self.fresh_log, self.pending, self.queue, self.awaiting, self.unlogged = True, [], [], [], []
        self.inbox.clear()

    def stop(self, torn: bool = False) -> None:
        """The process ends: memory, sockets and what was not written are gone."""
        torn = torn and not self.fresh_log
        self.up, self.state, self.leader, self.paused = False, "DOWN", None, False
        self.inbox.clear()
        self.pending, self.queue, self.history, self.committed_log = [], [], (), []
        if torn and self.disk.files and self.disk.files[-1].records:
            self.disk.files[-1].ending = "torn"

    def log(self, txn: Txn) -> None:
        """Append to the log."""
        self.disk.append(txn, self.fresh_log)
        self.fresh_log = False

    def apply(self, txn: Txn) -> None:
        """Apply a committed transaction to memory."""
        self.history += (txn,)
        self.last = txn.zxid
        self.committed_log = [*self.committed_log, txn][-self.kept_in_memory :]

    def look(self, *, drained: bool = True) -> None:
        """Back to LOOKING in the same process: the database is kept and fast-forwarded with the log (ZOOKEEPER-2845).

        Not ``drained``: the sync thread still has records to write when that happens (ZOOKEEPER-4712).
        """
        for txn in self.queue if drained else []:
            self.log(txn)
        self.late = [] if drained else self.queue
        self.queue, self.pending, self.awaiting, self.unlogged = [], [], [], []
        self.inbox.clear()
        every = [t for f in self.disk.files for t in f.records]
        held = set(self.history)
        for txn in every:
            if txn.zxid > self.last and txn not in held:
                self.apply(txn)
                held.add(txn)
        self.state, self.leader = "LOOKING", None

    def snapshot(self, *, roll: bool = True) -> int:
        """Write a snapshot of memory; returns its name."""
        self.disk.snaps = [s for s in self.disk.snaps if s.zxid != self.last] + [Snap(self.last, self.history)]
        self.disk.snaps.sort(key=lambda s: s.zxid)
        if roll:
            self.fresh_log = True
        return self.last

    def purge(self, keep: int) -> None:
        """PurgeTxnLog: the newest snapshots, and the logs that may hold records above the oldest of them."""
        self.disk.snaps = self.disk.snaps[-keep:]
        if not self.disk.snaps:
            return
        oldest = self.disk.snaps[0].zxid
        below = [f for f in self.disk.files if f.name <= oldest]
        self.disk.files = [f for f in self.disk.files if f.name > oldest or (below and f is below[-1])]
