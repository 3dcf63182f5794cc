"""What a server does with its data files when it starts: which snapshot it loads, how far it replays, whether it starts at all.

Strategy: FileSnap.deserialize, FileTxnSnapLog.restore and QuorumPeer.loadDataBase as tables of rules, each with the releases that have
it; ``start`` asks them in the server's own order. Messages are the server's own words. Settings are ZooKeeper's defaults
(snapshot.trust.empty, db.autocreate).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from zabtrace.protocol.logreading import ENDS, GOES_ON, OPEN, REFUSES, Ints, LogFile, Stop, replayed_files, stop_in
from zabtrace.protocol.releases import EVERY, among
from zabtrace.zxid import epoch, text

CANDIDATES = 100
"""So many snapshots a server tries, newest first (FileSnap.findNValidSnapshots)."""
SMALLEST_SNAPSHOT = 10
"""A plain snapshot of fewer bytes is not tried (SnapStream.isValidSnapshot)."""


# ---------------------------------------------------------------- the files, as a server meets them
@dataclass(frozen=True)
class SnapshotFile:
    """One snapshot: passes the quick test of its ends (``candidate``), and all of its parts and seals check (``loads``)."""

    name: str
    zxid: int
    candidate: bool
    loads: bool
    compressed: bool = False


@dataclass(frozen=True)
class Epochs:
    """The epoch files: None where there is none; ``unreadable`` names those that hold no number."""

    current: int | None = None
    accepted: int | None = None
    current_tmp: int | None = None
    updating: bool = False
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True)
class Files:
    """All data files of one server."""

    snapshots: tuple[SnapshotFile, ...] = ()
    logs: tuple[LogFile, ...] = ()
    epochs: Epochs = Epochs()


@dataclass(frozen=True)
class Start:
    """How a start goes. ``would_start`` is None where it cannot be told; ``last_zxid`` is where the server's history ends."""

    would_start: bool | None
    message: str
    """Why it refuses, in the server's own words, or what is odd about the start; empty for an ordinary one."""
    snapshot: SnapshotFile | None = None
    last_zxid: int | None = None
    passed_over: tuple[SnapshotFile, ...] = ()
    """Newer snapshots that it tries or looks at and does not take."""
    stops: tuple[Stop, ...] = ()


# ---------------------------------------------------------------- the whole start
NO_SNAPSHOT = (
    ("3.4.0-3.5.2", GOES_ON, "No snapshot was found: the logs are replayed from an empty tree (ZOOKEEPER-2325)."),
    (EVERY, REFUSES, "No snapshot found, but there are log entries. Something is broken!"),
)
"""FileTxnSnapLog.restore: logs without any snapshot."""
TRUSTED = (
    ("3.5.6-3.5.6", ENDS, "snapshot.trust.empty: this release starts empty and does not replay the logs (ZOOKEEPER-3644)."),
    ("3.5.7-", GOES_ON, "No snapshot found, but there are log entries. This should only be allowed during upgrading."),
)
"""The same with zookeeper.snapshot.trust.empty=true; releases not named do not know the property."""
READS_COMPRESSED = "3.6.0-"
"""Releases that write and read compressed snapshots (SnapStream)."""
OUT_OF_ORDER = "3.9.4-"
"""ZKDatabase.addCommittedProposal refuses a record that does not follow the one before it in its epoch (ZOOKEEPER-4925)."""


def start(files: Files, version: str, trust_empty: bool = False) -> Start:
    """How a server of that release starts with these files.

    >>> start(Files((SnapshotFile("snapshot.100000005", 0x100000005, True, True),), (), Epochs(0, 1)), "3.8.4").message
    'The current epoch, 0, is older than the last zxid, 4294967301'
    """
    seen = sorted((s for s in files.snapshots if s.zxid >= 0), key=lambda s: s.zxid, reverse=True)
    tried = [s for s in seen if s.candidate][:CANDIDATES]
    base = next((s for s in tried if s.loads), None)
    skipped = tuple(s for s in seen if base is None or s.zxid > base.zxid)
    if base is None and tried:
        return Start(False, "Not able to find valid snapshots", passed_over=skipped)
    if base is not None and base.compressed and not among(version, READS_COMPRESSED):
        return Start(
            None, f"{base.name} is compressed, and this release passes over such a file, unless it was compressed when it was copied"
        )
    note = ""
    if base is None and files.logs:
        trusted = [row for row in TRUSTED if trust_empty and among(version, row[0])]
        _, action, note = next(row for row in (*trusted, *NO_SNAPSHOT) if among(version, row[0]))
        if action == REFUSES:
            return Start(False, note, passed_over=skipped)
        if action == ENDS:
            return Start(True, note, None, 0, skipped)
    return _replay(files, version, base, skipped, note)


def _replay(files: Files, version: str, base: SnapshotFile | None, skipped: tuple[SnapshotFile, ...], note: str) -> Start:
    known = base.zxid if base else 0
    logs = replayed_files(files.logs, known)
    stops: list[Stop] = []
    read: list[Ints] = []
    for log in logs:
        stop = stop_in(log, version, log is logs[-1])
        if stop is not None:
            stops.append(stop)
        if stop is not None and stop.action in (REFUSES, OPEN):
            would = False if stop.action == REFUSES else None
            return Start(would, f"{stop.message} ({stop.file} at byte {stop.offset})", base, None, skipped, tuple(stops))
        read.append(log.zxids if stop is None else log.zxids[log.offsets < stop.offset])
    zxids = np.concatenate(read) if read else np.zeros(0, dtype=np.int64)
    applied = zxids[np.flatnonzero(zxids > known)[0] :] if (zxids > known).any() else zxids[:0]
    gap = _gap(applied) if among(version, OUT_OF_ORDER) else None
    if gap is not None:
        message = f"Committed proposal cached out of order: {text(gap[1])} is not the next proposal of {text(gap[0])}"
        return Start(False, message, base, None, skipped, tuple(stops))
    last = max(known, int(applied.max(initial=known)))
    return _with_epochs(Start(True, note, base, last, skipped, tuple(stops)), files.epochs, version)


def _gap(applied: Ints) -> tuple[int, int] | None:
    """The first two records of one epoch that do not follow each other; what is not above the highest so far is passed over."""
    highest = np.maximum.accumulate(applied)
    rising = applied[1:] > highest[:-1]
    broken = np.flatnonzero(rising & (applied[1:] >> 32 == highest[:-1] >> 32) & (applied[1:] != highest[:-1] + 1))
    return (int(highest[broken[0]]), int(applied[broken[0] + 1])) if broken.size else None


# ---------------------------------------------------------------- epoch files
@dataclass(frozen=True)
class EpochState:
    """The epoch files as QuorumPeer.loadDataBase has them in hand."""

    files: Epochs
    last: int
    current: int
    accepted: int

    @property
    def behind(self) -> bool:
        """The last zxid is of a later epoch than currentEpoch."""
        return epoch(self.last) > self.current


@dataclass(frozen=True)
class EpochRule:
    """One check of QuorumPeer.loadDataBase: where it fits in those releases, the start ends or goes on with ``becomes``."""

    releases: str
    fits: Callable[[EpochState], bool]
    action: str
    message: str
    becomes: Callable[[EpochState], int] | None = None


EPOCH_RULES = (
    EpochRule(EVERY, lambda s: "currentEpoch" in s.files.unreadable, REFUSES, "Found no number in currentEpoch"),
    EpochRule(
        "3.5.10-3.5, 3.6.3-3.6, 3.7.1-",
        lambda s: s.behind and s.files.current_tmp is not None,
        GOES_ON,
        "currentEpoch.tmp found. Setting current epoch to {tmp}.",
        lambda s: s.files.current_tmp or 0,
    ),
    EpochRule(
        "3.4.6-3.4",
        lambda s: s.behind and s.files.updating,
        GOES_ON,
        "updatingEpoch found. Setting current epoch to {own}.",
        lambda s: epoch(s.last),
    ),
    EpochRule(EVERY, lambda s: s.behind, REFUSES, "The current epoch, {current:x}, is older than the last zxid, {last}"),
    EpochRule(EVERY, lambda s: "acceptedEpoch" in s.files.unreadable, REFUSES, "Found no number in acceptedEpoch"),
    EpochRule(
        EVERY,
        lambda s: s.accepted < s.current,
        REFUSES,
        "The accepted epoch, {accepted:x} is less than the current epoch, {current:x}",
    ),
)
"""In the server's order. A missing file is made with the epoch of the last zxid."""


def _with_epochs(loaded: Start, files: Epochs, version: str) -> Start:
    """The start once the database is loaded: as a member of an ensemble (a standalone server looks at no epoch file)."""
    last = loaded.last_zxid or 0
    own = epoch(last)
    state = EpochState(files, last, own if files.current is None else files.current, own if files.accepted is None else files.accepted)
    notes = [loaded.message]
    for rule in EPOCH_RULES:
        if not among(version, rule.releases) or not rule.fits(state):
            continue
        said = rule.message.format(tmp=files.current_tmp, own=own, current=state.current, accepted=state.accepted, last=last)
        if rule.action == REFUSES:
            return Start(False, said, loaded.snapshot, last, loaded.passed_over, loaded.stops)
        notes.append(said)
        if rule.becomes is not None:
            state = EpochState(files, last, rule.becomes(state), state.accepted)
    message = " ".join(note for note in notes if note)
    return Start(True, message, loaded.snapshot, last, loaded.passed_over, loaded.stops)
