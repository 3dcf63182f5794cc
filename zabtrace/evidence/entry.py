"""One file on its way through the evidence: what it is, what it says about itself, and to whom it is found to belong."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from zabtrace.evidence import kinds
from zabtrace.evidence.arguments import BEFORE, File
from zabtrace.source import Source

if TYPE_CHECKING:
    from zabtrace.clients import ClientRead
    from zabtrace.config import ConfigRead
    from zabtrace.dumps import SnapshotDumpRead, TxnDumpRead
    from zabtrace.fourletters import AnswerRead
    from zabtrace.logs import LogRead
    from zabtrace.records import SnapshotRead, TxnLogRead
    from zabtrace.records.outline import Outline

GENERIC = frozenset({
    "version-2", "data", "datadir", "datalog", "datalogdir", "txnlog", "txnlogs", "snapshots", "disk", "log", "logs", "text", "4lw",
    "conf", "config", "dump", "dumps", "zookeeper", "zk", "zookeeper-data", "zookeeper-logs",
    "etc", "var", "lib", "opt", "srv", "mnt", "usr", "share", "local", "run",
})  # fmt: skip
"""Folders whose names say what lies in them, not whose it is: below them begins no other server."""
ROTATION = re.compile(r"([.-]\d{4}-?\d\d-?\d\d([-._T]?\d+)*|\.\d+|\.(gz|bz2|xz|zst|zip|log|out|txt))+$")
MOSTLY = 0.9
"""Share of a log's own words that must name one sid: a log that several servers wrote is nobody's."""


@dataclass
class Entry:
    """A file with its kind; the readers and the identity fill in the rest."""

    file: File
    kind: str
    note: str
    log: LogRead | None = None
    config: ConfigRead | None = None
    clients: ClientRead | None = None
    txns: TxnLogRead | None = None
    outline: Outline | None = None
    """Its records, where they are too many to be held; ``txns`` then has none."""
    snapshot: SnapshotRead | None = None
    dump: TxnDumpRead | None = None
    snapshot_dump: SnapshotDumpRead | None = None
    audit: LogRead | None = None
    """An audit log: its records are no server's own log."""
    answer: AnswerRead | None = None
    said: int | None = None
    """The sid its content names: myid, a log's own words, an answer of the server."""
    version: str | None = None
    zone: str | None = None
    """Zone its stamps were read in, None: UTC assumed."""
    server: int | None = None
    copy: int | None = None
    order: int | None = None
    part: str | None = None
    """Whose records these are, where several servers wrote the log: a sid, a printer's name, or ``mixed.NOBODY``."""
    twin: Entry | None = None
    """The log that holds all of its records too, so that it is not read itself."""
    notes: list[str] = field(default_factory=list)

    @property
    def source(self) -> Source:
        """Its bytes."""
        return self.file.source

    @property
    def folder(self) -> Path:
        """The folder it lies in; inside an archive, the archive counts as one."""
        return self.source.path.parent

    @property
    def repeated(self) -> bool:
        """Is it a log whose records are read from another file?"""
        return self.twin is not None

    @property
    def moment(self) -> tuple[str, int]:
        """When its state was saved, as far as the arguments tell: the evidence, or which --before."""
        return (self.file.argument.role, self.file.argument.turn if self.file.argument.role == BEFORE else 0)

    @property
    def is_data(self) -> bool:
        """Is it part of a saved state of a server's data?"""
        return self.kind in kinds.DATA

    @property
    def root(self) -> Path:
        """The folder of its server: the first above it whose name does not merely say what lies in it."""
        folder = self.folder
        while folder.name.lower() in GENERIC:
            folder = folder.parent
        return folder

    @property
    def stem(self) -> str:
        """Its name without what rotation adds: files of one series have the same."""
        return ROTATION.sub("", self.source.path.name)

    @property
    def remarks(self) -> str:
        """Its note with all that was found odd since."""
        return "; ".join([self.note, *self.notes])


def one_sid(sids: Counter[int]) -> int | None:
    """The sid that nearly all of a log's own words name, or None.

    >>> one_sid(Counter({3: 40})), one_sid(Counter({1: 20, 2: 20})), one_sid(Counter())
    (3, None, None)
    """
    if not sids:
        return None
    sid, times = sids.most_common(1)[0]
    return sid if times >= MOSTLY * sids.total() else None
