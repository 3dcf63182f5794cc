"""Large transaction logs and snapshots that ZooKeeper's own tools accept, written by the reference writer.

Strategy: a leader in miniature. It keeps the tree that its transactions make (as DataTree does), so that versions, parents'
versions and digests are those that a server would write, and draws the next transaction from MIX. The same seed gives the same bytes.

    python tests/benchmarks/made_records.py log 1000000 /tmp/log.100000001
    python tests/benchmarks/made_records.py snapshot 500000 /tmp/snapshot.100000001
"""

from __future__ import annotations

import random
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from zabtrace.grammar import jute
from zabtrace.records import reference

EPOCH = 1 << 32
START = 1_795_000_000_000  # ms since 1970
SESSIONS, FOLDERS, GROUPS = 2_000, 8, 64
WORLD = [{"perms": 31, "id": {"scheme": b"world", "id": b"anyone"}}]
OWN = [{"perms": 31, "id": {"scheme": b"digest", "id": b"app:bm90IGEgc2VjcmV0IGF0IGFsbA=="}}, {"perms": 1, "id": WORLD[0]["id"]}]
MIX = {"create": 44, "set_data": 44, "delete": 5, "open_session": 2, "close_session": 1, "error": 2, "multi": 1, "set_acl": 1}
"""How often each kind of transaction is drawn, in percent."""
NONODE, BADVERSION, INCONSISTENT = -101, -103, -2
_STAT = struct.Struct(">qqqqqiiiq")
_FRAME = struct.Struct(">qi")
END = b"\0\0\0\1/"


def body(record: str, **values: object) -> bytes:
    """The bytes of a record of records.jute."""
    return reference.write(jute.records()[record], values)


@dataclass
class Node:
    """A znode; ``start`` is the CRC-32 of its path and data, with which its digest begins."""

    path: bytes
    data: bytes
    czxid: int
    ctime: int
    owner: int = 0
    mzxid: int = 0
    mtime: int = 0
    pzxid: int = 0
    version: int = 0
    cversion: int = 0
    aversion: int = 0
    children: int = 0
    start: int = 0
    digest: int = 0

    def written(self) -> int:
        """Put data in; returns by how much the digest changed."""
        self.start = zlib.crc32(self.data, zlib.crc32(self.path))
        return self.changed()

    def changed(self) -> int:
        """By how much the digest changed with the stat (DigestCalculator.getDigest)."""
        before = self.digest
        stat = (self.czxid, self.mzxid, self.pzxid, self.ctime, self.mtime, self.version, self.cversion, self.aversion, self.owner)
        self.digest = 0 if self.path.startswith(b"/zookeeper/") else zlib.crc32(_STAT.pack(*stat), self.start)
        return self.digest - before


@dataclass
class Leader:
    """The tree and the sessions, and what the next transaction may be."""

    draw: random.Random
    zxid: int = EPOCH
    time: int = START
    digest: int = 0
    nodes: dict[bytes, Node] = field(default_factory=dict)
    leaves: list[bytes] = field(default_factory=list)
    sessions: dict[int, list[bytes]] = field(default_factory=dict)
    opened: int = 0
    session: int = 0
    """Whose request the transaction is."""

    def __post_init__(self) -> None:
        for path in (b"", b"/zookeeper", b"/zookeeper/quota", b"/zookeeper/config"):
            self.nodes[path] = Node(path, b"", 0, 0)
            self.digest += self.nodes[path].written()

    # ------------------------------------------------------------ what a transaction does to the tree
    def make(self, path: bytes, data: bytes, owner: int = 0) -> int:
        """Create a znode; returns its parent's new cversion."""
        node = Node(path, data, self.zxid, self.time, owner, self.zxid, self.time, self.zxid)
        parent = self.nodes[path.rpartition(b"/")[0]]
        parent.cversion, parent.pzxid, parent.children = parent.cversion + 1, self.zxid, parent.children + 1
        self.nodes[path] = node
        self.digest += node.written() + parent.changed()
        return parent.cversion

    def remove(self, path: bytes) -> None:
        """Delete a znode without children."""
        self.digest -= self.nodes.pop(path).digest
        parent = self.nodes[path.rpartition(b"/")[0]]
        parent.pzxid, parent.children = self.zxid, parent.children - 1
        self.digest += parent.changed()

    def put(self, path: bytes, data: bytes) -> int:
        """Change the data; returns the new version."""
        node = self.nodes[path]
        node.data, node.version, node.mzxid, node.mtime = data, node.version + 1, self.zxid, self.time
        self.digest += node.written()
        return node.version

    # ------------------------------------------------------------ transactions: op code and body
    def create(self) -> tuple[int, bytes]:
        group = b"/app-%d/group-%02d" % (self.draw.randrange(FOLDERS), self.draw.randrange(GROUPS))
        missing = group if group in self.nodes else None
        if missing is None:
            folder = group.rpartition(b"/")[0]
            return self._created(1, folder if folder not in self.nodes else group, b"")
        owner = next(reversed(self.sessions)) if self.draw.random() < 0.05 and self.sessions else 0
        path = group + b"/node-%010d" % self.nodes[group].cversion
        self.leaves.append(path)
        return self._created(15 if self.draw.random() < 0.5 else 1, path, self._data(), owner)

    def _created(self, code: int, path: bytes, data: bytes, owner: int = 0) -> tuple[int, bytes]:
        if owner:
            self.session = owner
            self.sessions[owner].append(path)
        version = self.make(path, data, owner)
        acl = OWN if self.draw.random() < 0.1 else WORLD
        return code, body("CreateTxn", path=path, data=data, acl=acl, ephemeral=bool(owner), parentCVersion=version)

    def set_data(self) -> tuple[int, bytes]:
        path, data = self._leaf(), self._data()
        return 5, body("SetDataTxn", path=path, data=data, version=self.put(path, data))

    def delete(self) -> tuple[int, bytes]:
        path = self._leaf(taken=True)
        self.remove(path)
        return 2, body("DeleteTxn", path=path)

    def set_acl(self) -> tuple[int, bytes]:
        path = self._leaf()
        node = self.nodes[path]
        node.aversion += 1
        self.digest += node.changed()
        return 7, body("SetACLTxn", path=path, acl=OWN, version=node.aversion)

    def open_session(self) -> tuple[int, bytes]:
        self.opened += 1
        self.session = (1 << 56) + self.opened
        self.sessions[self.session] = []
        return -10, body("CreateSessionTxn", timeOut=10_000)

    def close_session(self) -> tuple[int, bytes]:
        if not self.sessions:
            return self.error()
        self.session = next(iter(self.sessions))
        paths = [path for path in self.sessions.pop(self.session) if path in self.nodes]
        for path in paths:
            self.remove(path)
        return -11, body("CloseSessionTxn", paths2Delete=paths)

    def error(self) -> tuple[int, bytes]:
        return -1, body("ErrorTxn", err=NONODE)

    def multi(self) -> tuple[int, bytes]:
        path = self._leaf()
        if self.draw.random() < 0.3:
            failed = (-1, body("ErrorTxn", err=BADVERSION)), (-1, body("ErrorTxn", err=INCONSISTENT))
            return 14, _multi((13, body("CheckVersionTxn", path=path, version=0)), *failed)
        check = 13, body("CheckVersionTxn", path=path, version=self.nodes[path].version)
        return 14, _multi(check, self.set_data(), self.set_data(), self.delete())

    def _leaf(self, *, taken: bool = False) -> bytes:
        """A znode that is still there, off the list if it is to be deleted."""
        while True:
            place = self.draw.randrange(len(self.leaves))
            path = self.leaves[place]
            if path in self.nodes and not taken:
                return path
            self.leaves[place] = self.leaves[-1]
            self.leaves.pop()
            if path in self.nodes:
                return path

    def _data(self) -> bytes:
        return self.draw.randbytes(8).hex().encode() * self.draw.randrange(1, 9)

    def kinds(self) -> Iterator[Callable[[], tuple[int, bytes]]]:
        """What comes next, without end."""
        drawn = [getattr(self, name) for name in MIX]
        yield from [self.open_session] * 20
        yield from [self.create] * 2_000
        while True:
            yield from self.draw.choices(drawn, list(MIX.values()), k=10_000)


def _multi(*members: tuple[int, bytes]) -> bytes:
    return body("MultiTxn", txns=[{"type": code, "data": content} for code, content in members])


def records(count: int, seed: int = 1) -> Iterator[bytes]:
    """The frames of ``count`` transactions."""
    leader = Leader(random.Random(seed))
    kinds = leader.kinds()
    for _ in range(count):
        leader.zxid += 1
        leader.time += 3
        leader.session = (1 << 56) + 1 + leader.zxid % SESSIONS
        code, content = next(kinds)()
        head = body("TxnHeader", clientId=leader.session, cxid=leader.zxid & 0xFFFF, zxid=leader.zxid, time=leader.time, type=code)
        tail = b"" if code == -1 else body("TxnDigest", version=2, treeDigest=_signed(leader.digest))
        payload = head + content + tail
        yield _FRAME.pack(zlib.adler32(payload), len(payload)) + payload + b"B"


def _signed(value: int) -> int:
    return (value + (1 << 63)) % (1 << 64) - (1 << 63)


def write_log(path: Path, count: int, seed: int = 1) -> None:
    """A transaction log of ``count`` records, padded as a server leaves it."""
    with path.open("wb") as file:
        file.write(b"ZKLG" + struct.pack(">iq", 2, 0))
        for record in records(count, seed):
            file.write(record)
        file.write(bytes(1 << 20))


def write_snapshot(path: Path, count: int, seed: int = 1) -> None:
    """A snapshot of ``count`` znodes below some hundred folders, with the digest section of 3.6 and newer."""
    adler = 1
    draw = random.Random(seed)
    with path.open("wb") as file:

        def put(content: bytes) -> None:
            nonlocal adler
            adler = zlib.adler32(content, adler)
            file.write(content)

        put(b"ZKSN" + struct.pack(">iq", 2, -1))
        put(struct.pack(">i", SESSIONS) + b"".join(body("SnapshotSession", id=(1 << 56) + n, timeOut=10_000) for n in range(SESSIONS)))
        put(struct.pack(">i", 1) + body("SnapshotAcl", id=1, acl=OWN))
        digest = 0
        for node in _nodes(count, draw):
            digest += node.written()
            stat = {
                "czxid": node.czxid, "mzxid": node.mzxid, "ctime": node.ctime, "mtime": node.mtime, "version": node.version,
                "cversion": node.cversion, "aversion": 0, "ephemeralOwner": node.owner, "pzxid": node.pzxid,
            }  # fmt: skip
            put(body("SnapshotNode", path=node.path, data=node.data, acl=1 if node.version % 10 == 1 else -1, stat=stat))
        for section in (END, struct.pack(">qiq", EPOCH + count, 2, _signed(digest))):
            put(section)
            put(struct.pack(">q", adler) + END)


def _nodes(count: int, draw: random.Random) -> Iterator[Node]:
    """Depth first, as DataTree writes them."""
    yield from (Node(path, b"", 0, 0) for path in (b"", b"/zookeeper", b"/zookeeper/quota", b"/zookeeper/config"))
    zxid = EPOCH
    for number in range(4, count):
        zxid += 1
        group, place = divmod(number - 4, 1_000)
        path = b"/app-%04d" % group + (b"/node-%010d" % place if place else b"")
        data = draw.randbytes(8).hex().encode() * draw.randrange(1, 9)
        yield Node(path, data, zxid, START + number, 0, zxid, START + number, zxid, draw.randrange(30), 0 if place else 999)


def main(kind: str, count: str, target: str) -> None:
    """Write one file."""
    {"log": write_log, "snapshot": write_snapshot}[kind](Path(target), int(count))


if __name__ == "__main__":
    main(*sys.argv[1:])
