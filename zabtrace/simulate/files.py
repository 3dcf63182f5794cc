"""Data files as ZooKeeper writes them: records by the notation of ``grammars/records.jute``, frames, seals and digests around them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable

from zabtrace.grammar import jute
from zabtrace.protocol.releases import among
from zabtrace.records import frames, reference
from zabtrace.simulate import tree
from zabtrace.simulate.disk import LogFile, Snap, Txn

PREALLOCATED = 65_536
"""Bytes by which a log file grows (zookeeper.preAllocSize of 64 KiB)."""
SESSION_TIMEOUT_MS = 30_000
CODES = {"create": 1, "createSession": -10}
WORLD = ({"perms": 31, "id": {"scheme": b"world", "id": b"anyone"}},)
CONFIG_READ = ({"perms": 1, "id": {"scheme": b"world", "id": b"anyone"}},)
"""Who may read /zookeeper/config."""


def _record(name: str, **values: object) -> bytes:
    return reference.write(jute.records()[name], values)


def payload(txn: Txn) -> bytes:
    """TxnHeader, body, and the digest where the record has one."""
    head = _record("TxnHeader", clientId=txn.session, cxid=txn.cxid, zxid=txn.zxid, time=txn.time, type=CODES[txn.op])
    if txn.op == "create":
        body = _record("CreateTxn", path=txn.path.encode(), data=txn.data, acl=WORLD, ephemeral=False, parentCVersion=txn.parent_cversion)
    else:
        body = _record("CreateSessionTxn", timeOut=SESSION_TIMEOUT_MS)
    tail = b"" if txn.digest is None else _record("TxnDigest", version=frames.DIGEST_VERSION, treeDigest=txn.digest)
    return head + body + tail


def framed(content: bytes) -> bytes:
    """A record as it lies in a log file."""
    return struct.pack(">qi", zlib.adler32(content), len(content)) + content + bytes([frames.END_OF_RECORD])


def log(file: LogFile) -> bytes:
    """A log file: padded to the next size, cut behind its last record by a TRUNC, or torn in it by a crash."""
    content = bytearray(_header(frames.LOG_MAGIC, 0))
    for txn in file.records:
        record = bytearray(framed(payload(txn)))
        if txn.zxid == file.damaged:
            record[-2] ^= 1
        content += record
    if file.ending == "unpadded":
        return bytes(content)
    if file.ending == "torn" and file.records:
        content += framed(payload(file.records[-1]))[:-20]
    size = PREALLOCATED * (1 + (len(content) + 4096) // PREALLOCATED) + frames.FILE_HEADER
    return bytes(content) + bytes(size - len(content))


def snapshot(snap: Snap, release: str) -> bytes:
    """A snapshot file with the sections of its release."""
    sessions = tree.sessions(snap.history)
    content = _header(frames.SNAPSHOT_MAGIC, -1)
    content += struct.pack(">i", len(sessions)) + b"".join(_record("SnapshotSession", id=s, timeOut=SESSION_TIMEOUT_MS) for s in sessions)
    acls: Iterable[tuple[int, object]] = [(1, CONFIG_READ)] if among(release, "3.5.0-") else []
    content += struct.pack(">i", len(list(acls))) + b"".join(_record("SnapshotAcl", id=number, acl=acl) for number, acl in acls)
    born = [tree.CONFIG] if among(release, "3.5.0-") else []
    content += b"".join(_node(node) for node in [*tree.nodes(snap.history)[:3], *born, *tree.nodes(snap.history)[3:]])
    content = _sealed(content + frames.END_OF_NODES)
    if among(release, f"{frames.DIGEST_SECTION.since}-"):
        known = next((txn.digest for txn in reversed(snap.history) if txn.zxid == snap.digest_zxid), None) or 0
        content = _sealed(content + _record("ZxidDigest", zxid=snap.digest_zxid, digestVersion=frames.DIGEST_VERSION, digest=known))
    if among(release, f"{frames.LAST_ZXID_SECTION.since}-"):
        content = _sealed(content + _record("LastProcessedZxid", zxid=snap.zxid))
    return content


def _header(magic: bytes, dbid: int) -> bytes:
    return magic + struct.pack(">iq", frames.FILE_VERSION, dbid)


def _sealed(content: bytes) -> bytes:
    return content + struct.pack(">q", zlib.adler32(content)) + frames.END_OF_NODES


def _node(node: tree.Node) -> bytes:
    stat = {"czxid": node.czxid, "mzxid": node.czxid, "ctime": node.ctime, "mtime": node.ctime, "version": 0, "cversion": node.cversion,
            "aversion": node.aversion, "ephemeralOwner": 0, "pzxid": node.pzxid}  # fmt: skip
    return _record("SnapshotNode", path=node.path.encode(), data=node.data, acl=1 if node is tree.CONFIG else -1, stat=stat)
