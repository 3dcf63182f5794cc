"""How a server reads its transaction logs when it starts: where it takes a file for ended, and where it refuses.

Strategy: FileTxnLog.FileTxnIterator as two tables of rules, one for opening a file and one for each doubtful frame; the first rule that
fits decides. Messages are the server's own words. Limits are ZooKeeper's defaults (jute.maxbuffer).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from zabtrace.protocol.releases import EVERY, among

Ints = npt.NDArray[np.int64]
GOES_ON, ENDS, REFUSES, OPEN = "goes on", "ends", "refuses", "open"
"""What a server does at a place: reads on, takes it for the end of the file, does not start, or nothing here tells."""
HEADER = 32
"""Bytes of TxnHeader."""
END_OF_RECORD = 0x42
LENGTH_LIMITS = (("3.4.0-3.5.6", 0xFFFFF + 1024), (EVERY, 2 * 0xFFFFF))
"""Longest payload that BinaryInputArchive.checkLength lets pass, by release, with jute.maxbuffer at its default."""


@dataclass(frozen=True)
class Frame:
    """The 12 bytes at a doubtful place of a log, and what they lead to."""

    length: int
    left: int
    """Bytes of the file behind the frame."""
    end_byte: int | None
    """The byte where the end of the record should be, None where the file ends before."""
    checksum_ok: bool
    readable: bool | None = True
    """The body is one a server can read: None where that is not known."""

    @property
    def whole(self) -> bool:
        """A record as it was written: its end and its checksum are right."""
        return self.end_byte == END_OF_RECORD and self.checksum_ok


@dataclass(frozen=True)
class LogFile:
    """One transaction log: what its records are, and the doubtful places in file order."""

    name: str
    zxid: int
    size: int
    magic: bool = True
    doubtful: tuple[tuple[int, Frame | None], ...] = ()
    """(offset, frame); None where the bytes are not at hand."""
    types: tuple[tuple[int, int, str | None], ...] = ()
    """(first offset, op code, release that first reads it or None) of each op code."""
    offsets: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    zxids: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))


@dataclass(frozen=True)
class Stop:
    """Where reading a log ends before its padding, and what the server does there."""

    file: str
    offset: int
    action: str
    message: str


@dataclass(frozen=True)
class FrameRule:
    """What the server does with a frame that fits: the first rule in the table decides."""

    what: str
    fits: Callable[[Frame, str], bool]
    action: str
    message: str = ""


SMALLEST_LIMIT = min(limit for _, limit in LENGTH_LIMITS)
"""Longer payloads are not read by every release."""


def length_limit(version: str) -> int:
    """Longest payload that release reads."""
    return next(limit for ranges, limit in LENGTH_LIMITS if among(version, ranges))


RAISED = "Unreasonable length = {length}, unless jute.maxbuffer is as large as it was where this record was written"
FRAME_RULES = (
    FrameRule("the file ends in the frame", lambda at, _: at.left < 0, ENDS),
    FrameRule("padding", lambda at, _: at.length == 0, ENDS),
    FrameRule("a null buffer", lambda at, _: at.length == -1, REFUSES, "java.lang.NullPointerException: the length of a record is -1"),
    FrameRule("a whole record out of range", lambda at, v: at.length > length_limit(v) and at.whole, OPEN, RAISED),
    FrameRule("a length out of range", lambda at, v: not 0 < at.length <= length_limit(v), REFUSES, "Unreasonable length = {length}"),
    FrameRule("the file ends in the record", lambda at, _: at.end_byte is None, ENDS),
    FrameRule("a torn record", lambda at, _: at.end_byte != END_OF_RECORD, ENDS, "Last transaction was partial."),
    FrameRule("a wrong checksum", lambda at, _: not at.checksum_ok, REFUSES, "CRC check failed"),
    FrameRule("no room for a header", lambda at, _: at.length < HEADER, ENDS),
    FrameRule("a body that may not fit", lambda at, _: at.readable is None, OPEN, "the body of a record does not fit its op code"),
    FrameRule("a whole record", lambda at, _: True, GOES_ON),
)
"""FileTxnLog.FileTxnIterator.next and readTxnBytes: the end-of-record byte is looked at before the checksum."""


@dataclass(frozen=True)
class HeaderRule:
    """What the server does when it opens a log file: the first rule that fits."""

    fits: Callable[[LogFile, bool], bool]
    releases: str
    action: str
    message: str = ""


HEADER_RULES = (
    HeaderRule(lambda log, last: log.size == 0 and last, "3.9.3-", ENDS, "Delete empty tail log file to recover from corruption file"),
    HeaderRule(lambda log, _: log.size < 16, EVERY, REFUSES, "java.io.EOFException: {name} has {size} bytes, a header needs 16"),
    HeaderRule(lambda log, _: not log.magic, EVERY, REFUSES, "Transaction log: {name} has invalid magic number"),
    HeaderRule(lambda _, __: True, EVERY, GOES_ON),
)
"""FileTxnLog.FileTxnIterator.createInputArchive; ``last``: no later log file follows."""


def stop_in(log: LogFile, version: str, last: bool) -> Stop | None:
    """Where a server stops in this file, or None where it reads all of its records."""
    opened = next(rule for rule in HEADER_RULES if rule.fits(log, last) and among(version, rule.releases))
    if opened.action != GOES_ON:
        return Stop(log.name, 0, opened.action, opened.message.format(name=log.name, size=log.size))
    foreign = [(offset, code) for offset, code, since in log.types if since is None or not among(version, f"{since}-")]
    unread = min(foreign, default=None)
    for offset, frame in log.doubtful:
        if unread is not None and unread[0] < offset:
            break
        rule = next(r for r in FRAME_RULES if r.fits(frame, version)) if frame is not None else FRAME_RULES[-2]
        if rule.action != GOES_ON:
            return Stop(log.name, offset, rule.action, rule.message.format(length=frame.length if frame else ""))
    return None if unread is None else Stop(log.name, unread[0], REFUSES, f"Unsupported Txn with type={unread[1]}")


def replayed_files(logs: Sequence[LogFile], base: int) -> list[LogFile]:
    """The files a start from ``base`` reads, in order: the last one named up to it, and all later ones."""
    ordered = sorted((log for log in logs if log.zxid >= 0), key=lambda log: log.zxid)
    begin = max((place for place, log in enumerate(ordered) if log.zxid <= base), default=0)
    return ordered[begin:]
