"""What a server keeps: its transaction logs, snapshots and epoch files, each as lists, and what a start makes of them.

Strategy: a history is a tuple of whole transactions, so that what a snapshot or a memory holds is known exactly. The protocol's own
functions (truncation, replay at start-up) decide what happens to files; ``files`` turns them into bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from zabtrace.protocol.truncation import replayed, truncate


class Txn(NamedTuple):
    """A transaction. ``path`` and ``data`` are empty where the operation has none; ``time`` is the leader's clock in ms since 1970."""

    zxid: int
    op: str
    session: int
    cxid: int
    time: int
    path: str = ""
    data: bytes = b""
    parent_cversion: int = 0
    digest: int | None = None
    """The leader's tree once it is applied (3.6.0+)."""


@dataclass
class LogFile:
    """One log file: the zxid it is named after, its records, and how it ends (padded, unpadded or torn)."""

    name: int
    records: list[Txn] = field(default_factory=list)
    ending: str = "padded"
    damaged: int | None = None
    """zxid of a record of which the disk gives back another byte."""


@dataclass
class Snap:
    """One snapshot: its name and the history that its tree holds. ``digest_zxid``: the last record whose digest the server knew then."""

    zxid: int
    history: tuple[Txn, ...]
    digest_zxid: int = 0


class Loaded(NamedTuple):
    """What a start loads: the history, lastProcessedZxid, and the committed log (every record replayed)."""

    history: tuple[Txn, ...]
    last: int
    committed_log: tuple[Txn, ...]


@dataclass
class Disk:
    """What survives the process; a missing epoch file is None."""

    files: list[LogFile] = field(default_factory=list)
    snaps: list[Snap] = field(default_factory=list)
    current: int | None = None
    accepted: int | None = None

    @property
    def records(self) -> list[Txn]:
        """Every record of every file, in order."""
        return [txn for file in self.files for txn in file.records]

    def load(self) -> Loaded:
        """What a start makes of it (FileTxnSnapLog.restore)."""
        base = max(self.snaps, key=lambda snap: snap.zxid, default=None)
        every = self.records
        kept = replayed([[txn.zxid for txn in file.records] for file in self.files], base.zxid if base else None)
        tail = tuple(every[len(every) - len(kept) :])
        history = base.history if base else ()
        held = set(history)
        return Loaded(
            history + tuple(txn for txn in dict.fromkeys(tail) if txn not in held),
            max([base.zxid if base else 0, *(txn.zxid for txn in tail[-1:])]),
            tail,
        )

    def append(self, txn: Txn, fresh: bool) -> bool:
        """Log a record; ``fresh``: the first one since the process started or the log was rolled. Was a file begun?"""
        begins = fresh or not self.files
        if begins:
            self.files = [file for file in self.files if file.name != txn.zxid]
            self.files.append(LogFile(txn.zxid))
        self.files[-1].records.append(txn)
        return begins

    def cut(self, target: int) -> bool:
        """Truncate the logs; False where there was nothing to cut at (FileTxnLog.truncate)."""
        kept = truncate([[txn.zxid for txn in file.records] for file in self.files], target)
        if kept is None:
            return False
        last = max(place for place, records in enumerate(kept) if records)
        self.files = self.files[: last + 1]
        self.files[last].records = self.files[last].records[: len(kept[last])]
        self.files[last].ending = "unpadded"
        return True
