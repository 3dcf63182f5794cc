"""What lies around the jute records: magics, sizes of frames, seals and digest tails, and which release writes them.

Origin: FileTxnLog, FileSnap, SnapStream, Util, DataTree; checked against files of 3.4.14, 3.5.9, 3.6.3, 3.8.0 and 3.9.3.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

LOG_MAGIC = b"ZKLG"
SNAPSHOT_MAGIC = b"ZKSN"
FILE_VERSION = 2
FILE_HEADER = 16
"""Bytes of the jute record FileHeader that begins both kinds of file."""

RECORD_FRAME = 12
"""Before the payload: long Adler-32 of the payload (upper half zero), int length of the payload."""
END_OF_RECORD = 0x42
"""'B', the one byte behind the payload."""
RECORD_AROUND = RECORD_FRAME + 1
TXN_HEADER = 32
"""Bytes of the jute record TxnHeader."""
TXN_DIGEST = 12
"""Bytes of the jute record TxnDigest behind the body: there (3.6.0+, digest enabled) or not, nothing else is allowed."""
DIGEST_VERSION = 2
"""The only one released; tells a digest from a path list of 12 bytes in closeSession, which would begin with 1."""
LARGEST_SANE = 64 << 20
"""A longer payload is taken for a damaged length: the server's own limit is 2 MiB unless jute.maxbuffer is raised."""

END_OF_NODES = b"\x00\x00\x00\x01/"
"""The path "/" behind the last node of a snapshot, and at the end of each seal."""
SEAL = 13


@dataclass(frozen=True)
class Section:
    """A part of a snapshot behind the nodes, told by the number of bytes left."""

    record: str
    bytes: int
    since: str
    columns: Mapping[str, str]
    """jute name, column of SNAPSHOTS."""


DIGEST_SECTION = Section("ZxidDigest", 20, "3.6.0", {"zxid": "digest_zxid", "digest": "digest"})
LAST_ZXID_SECTION = Section("LastProcessedZxid", 8, "3.9.0", {"zxid": "last_zxid"})
SECTIONS_BY_REST: dict[int, tuple[Section, ...]] = {
    sum(section.bytes + SEAL for section in sections): sections
    for sections in ((), (DIGEST_SECTION,), (LAST_ZXID_SECTION,), (DIGEST_SECTION, LAST_ZXID_SECTION))
}

TYPES_OF_VERSION_1 = (1, 2, 5, 7, -1, -10, -11)
"""Op codes of releases before 3.0."""


def is_version_1_log(data: memoryview) -> bool:
    """Does it begin with a record as written before 3.0: int length, TxnHeader and body, end-of-record byte (UpgradeSnapShotV1.playLog)?"""
    if len(data) < 4 + TXN_HEADER + 1:
        return False
    length, kind = struct.unpack_from(">i", data)[0], struct.unpack_from(">i", data, 4 + TXN_HEADER - 4)[0]
    return TXN_HEADER <= length < len(data) - 4 and data[4 + length] == END_OF_RECORD and kind in TYPES_OF_VERSION_1


def is_version_1_snapshot(data: memoryview) -> bool:
    """Does it begin with sessions and the root, and end with the last path, as written before 3.0 (UpgradeSnapShotV1)?"""
    if len(data) < 8 + len(END_OF_NODES) or data[-len(END_OF_NODES) :] != END_OF_NODES:
        return False
    (sessions,) = struct.unpack_from(">i", data)
    root = 4 + 12 * sessions
    return sessions >= 0 and root + 4 <= len(data) and bytes(data[root : root + 4]) == bytes(4)


GZIP_MAGIC = b"\x1f\x8b"
SNAPPY_MAGIC = b"\x82SNAPPY\x00"
"""snappy-java's SnappyOutputStream, not the official snappy framing."""

_NAME = re.compile(r"(log|snapshot)\.([+-]?[0-9a-fA-F]+)(?:\..*)?")


def name_zxid(name: str, prefix: str) -> int | None:
    """The zxid in a file name (Util.getZxidFromName): signed base 16, further parts ignored; None where it is no such name.

    >>> name_zxid("server-1/version-2/log.100000001", "log"), name_zxid("log.zzz", "log"), name_zxid("snapshot.1a.gz", "snapshot")
    (4294967297, None, 26)
    """
    match = _NAME.fullmatch(re.split(r"[/\\]", name)[-1])
    if match is None or match[1] != prefix:
        return None
    zxid = int(match[2], 16)
    return zxid if -(1 << 63) <= zxid < 1 << 63 and zxid != -1 else None


def sniff(head: bytes) -> str | None:
    """What a file's first bytes say it is: 'txn_log', 'snapshot' or None; looks into gzip and snappy-java."""
    from zabtrace.records import snappy

    if head[:2] == GZIP_MAGIC:
        head = _gunzipped(head)
    elif head[:8] == SNAPPY_MAGIC:
        head = snappy.head(head)
    return {LOG_MAGIC: "txn_log", SNAPSHOT_MAGIC: "snapshot"}.get(head[:4])


def _gunzipped(head: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(head, 64)
    except zlib.error:
        return b""
