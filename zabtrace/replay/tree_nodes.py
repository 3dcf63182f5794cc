"""The tree of a server as DataTree holds it: nodes by path, changed by records under ZooKeeper's own rules.

Strategy: records are absolute, so that applying one twice changes nothing more (idempotence); result codes are ignored as in a
restart. A node stands among its parent's children only if its ``parent`` is that very node: one that was left behind when its
parent was deleted is no child of a parent created later. With ``digests`` the tree's digest is kept up to date: each node has
the CRC-32 of its path and data at hand, so that a change of its stat costs one CRC over 60 bytes (DigestCalculator, 3.6.0).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from zabtrace import zxid as zxids
from zabtrace.records import opcodes
from zabtrace.replay.tree_rules import Rules

STAT = struct.Struct(">qqqqqiiiq")
"""czxid, mzxid, pzxid, ctime, mtime, version, cversion, aversion, ephemeralOwner: the order of the digest."""
STAT_COLUMNS = ("czxid", "mzxid", "pzxid", "ctime", "mtime", "version", "cversion", "aversion", "ephemeral_owner")
"""The same, as columns of ZNODES."""
SYSTEM = "/zookeeper/"
CONTAINER = -(1 << 63)
TTL_MARK = 0xFF << 56
OPEN = "31:world:anyone"
READ_ONLY = "1:world:anyone"
Data = tuple[str, int, int] | None
"""Where a node's data stand: source, offset, length; None for null data."""
NO_BYTES: Data = ("", 0, 0)
"""Data that are empty, of no file: what the nodes of a fresh database have."""
_INT = 0xFFFFFFFF
_CREATE = next(op.code for op in opcodes.OPS if op.name == "create")


class Node:
    """One znode: its stat, ACL list, and where its data stand."""

    __slots__ = ("acl", "aversion", "children", "crc", "ctime", "cversion", "czxid", "data", "mtime", "mzxid", "owner", "parent", "prefix",
                 "pzxid", "version")  # fmt: skip

    def __init__(
        self, czxid: int, mzxid: int, pzxid: int, ctime: int, mtime: int, version: int, cversion: int, aversion: int, owner: int,
        acl: str | None, data: Data, parent: Node | None,
    ) -> None:  # fmt: skip
        self.czxid, self.mzxid, self.pzxid = czxid, mzxid, pzxid
        self.ctime, self.mtime = ctime, mtime
        self.version, self.cversion, self.aversion = version, cversion, aversion
        self.owner, self.acl, self.data, self.parent = owner, acl, data, parent
        self.children, self.crc = 0, 0
        self.prefix: int | None = None


def node_of(stat: Sequence[int], acl: str | None, data: Data, parent: Node | None) -> Node:
    """A node with the numbers of STAT_COLUMNS."""
    czxid, mzxid, pzxid, ctime, mtime, version, cversion, aversion, owner = stat
    return Node(czxid, mzxid, pzxid, ctime, mtime, version, cversion, aversion, owner, acl, data, parent)


@dataclass(slots=True)
class Step:
    """A record, or a member of a multi, as it is applied; ``time`` in ms since 1970."""

    type: int
    zxid: int
    time: int
    session: int
    path: str | None = None
    data: Data = None
    version: int | None = None
    parent_cversion: int | None = None
    ephemeral: bool | None = None
    ttl: int | None = None
    acl: str | None = None
    paths: list[str] | None = None
    timeout: int | None = None


Bytes = Callable[[str, int, int], "bytes | memoryview"]


class Tree:
    """Nodes by path (the root is ""), sessions with their time-outs, and ephemerals by session."""

    def __init__(self, rules: Rules, read: Bytes | None = None, charset: str = "utf-8") -> None:
        """An empty tree; with ``read`` (source, offset, length -> bytes) its digest is kept, paths encoded in ``charset``."""
        self.nodes: dict[str, Node] = {}
        self.sessions: dict[int, int] = {}
        self.ephemerals: dict[int, set[str]] = {}
        self.zxid = 0
        self.rules, self.read, self.charset = rules, read, charset
        self.total = 0

    @property
    def digest(self) -> int:
        """The tree digest, version 2 (signed)."""
        return zxids.signed(self.total)

    def put(self, path: str, node: Node) -> None:
        """Add a node that a snapshot holds; its parent must stand before it."""
        self.nodes[path] = node
        if node.parent is not None:
            node.parent.children += 1
        if node.owner and not is_mark(node.owner):
            self.ephemerals.setdefault(node.owner, set()).add(path)
        self._renewed(path, node)

    def apply(self, step: Step) -> None:
        """Apply a record; whatever does not fit is ignored, as when a server restarts."""
        if (handler := _HANDLERS.get(step.type)) is not None:
            handler(self, step)
        if step.zxid > self.zxid:
            self.zxid = step.zxid

    # ---------------------------------------------------------------- digest
    def _renewed(self, path: str, node: Node) -> None:
        """The path or the data of the node are new."""
        if self.read is None or path.startswith(SYSTEM):
            return
        crc = zlib.crc32(path.encode(self.charset, "replace"))
        if node.data is not None:
            crc = zlib.crc32(self.read(*node.data), crc)
        node.prefix = crc
        self._touched(node)

    def _touched(self, node: Node) -> None:
        """The stat of the node is new."""
        if node.prefix is None:
            return
        crc = zlib.crc32(
            STAT.pack(node.czxid, node.mzxid, node.pzxid, node.ctime, node.mtime, node.version, node.cversion, node.aversion, node.owner),
            node.prefix,
        )
        self.total += crc - node.crc
        node.crc = crc

    # ---------------------------------------------------------------- records
    def create(self, step: Step) -> None:
        """create, create2, createContainer, createTTL."""
        path = _path(step)
        parent = self.nodes.get(path.rpartition("/")[0])
        if parent is None or not path:
            return
        node = self.nodes.get(path)
        if node is not None and node.parent is parent:
            self._exists(step, node, parent)
            return
        self._raise_parent(step, parent, unconditional=not self.rules.create_only_raises)
        if node is not None:
            self.total -= node.crc
        parent.children += 1
        owner = _owner(step)
        time, zxid = step.time, step.zxid
        self.nodes[path] = node = Node(zxid, zxid, zxid, time, time, 0, 0, 0, owner, step.acl, step.data, parent)
        if owner and not is_mark(owner):
            self.ephemerals.setdefault(owner, set()).add(path)
        self._renewed(path, node)

    def _exists(self, step: Step, node: Node, parent: Node) -> None:
        if self.rules.create_renews_acl:
            node.acl = step.acl
        if step.type == _CREATE:
            self._raise_parent(step, parent, unconditional=False)

    def _raise_parent(self, step: Step, parent: Node, *, unconditional: bool) -> None:
        cversion = step.parent_cversion
        if cversion is None or cversion == -1:
            cversion = _int(parent.cversion + 1)
        if unconditional or cversion > parent.cversion:
            parent.cversion, parent.pzxid = cversion, step.zxid
            self._touched(parent)

    def delete(self, step: Step) -> None:
        """delete, deleteContainer."""
        self._delete(_path(step), step.zxid)

    def _delete(self, path: str, zxid: int) -> None:
        node, parent = self.nodes.get(path), self.nodes.get(path.rpartition("/")[0])
        if parent is None or not path or (node is None and not self.rules.delete_marks_parent):
            return
        if zxid > parent.pzxid or not self.rules.delete_marks_parent:
            parent.pzxid = zxid
            self._touched(parent)
        if node is None:
            return
        if node.parent is parent:
            parent.children -= 1
        del self.nodes[path]
        self.total -= node.crc
        if node.owner in self.ephemerals:
            self.ephemerals[node.owner].discard(path)

    def set_data(self, step: Step) -> None:
        """setData, reconfig."""
        path = _path(step)
        if (node := self.nodes.get(path)) is not None:
            node.data, node.version, node.mzxid, node.mtime = step.data, step.version or 0, step.zxid, step.time
            self._renewed(path, node)

    def set_acl(self, step: Step) -> None:
        """setACL."""
        if (node := self.nodes.get(_path(step))) is not None:
            node.acl, node.aversion = step.acl, step.version or 0
            self._touched(node)

    def open_session(self, step: Step) -> None:
        """createSession."""
        self.sessions[step.session] = step.timeout or 0

    def close_session(self, step: Step) -> None:
        """closeSession: the paths of its record (3.6.0), then whatever else the session owns."""
        self.sessions.pop(step.session, None)
        own = self.ephemerals.pop(step.session, set())
        listed = (step.paths or []) if self.rules.close_takes_list else []
        for path in [*listed, *sorted(own.difference(listed))]:
            self._delete("" if path == "/" else path, step.zxid)


def is_mark(owner: int) -> bool:
    """Is an ephemeralOwner the mark of a container or TTL node (EphemeralType, extendedTypesEnabled), not a session?"""
    return owner == CONTAINER or (owner & TTL_MARK) == TTL_MARK


def kind(owner: int) -> str:
    """persistent, ephemeral, container or ttl.

    >>> [kind(owner) for owner in (0, 0x100002B6C4A0000, CONTAINER, -(1 << 56) + 5000)]
    ['persistent', 'ephemeral', 'container', 'ttl']
    """
    if owner == CONTAINER:
        return "container"
    return "ttl" if is_mark(owner) else "ephemeral" if owner else "persistent"


def _owner(step: Step) -> int:
    op = opcodes.BY_CODE[step.type].name
    if op == "createContainer":
        return CONTAINER
    if op == "createTTL":
        return zxids.signed(TTL_MARK | (step.ttl or 0))
    return step.session if step.ephemeral else 0


def _path(step: Step) -> str:
    return "" if step.path in (None, "/") else str(step.path)


def _int(number: int) -> int:
    """As Java's int."""
    return (number & _INT) - (1 << 32) if number & (1 << 31) else number & _INT


_BY_OP: dict[str, Callable[[Tree, Step], None]] = {
    "create": Tree.create, "create2": Tree.create, "createContainer": Tree.create, "createTTL": Tree.create, "delete": Tree.delete,
    "deleteContainer": Tree.delete, "setData": Tree.set_data, "reconfig": Tree.set_data, "setACL": Tree.set_acl,
    "createSession": Tree.open_session, "closeSession": Tree.close_session,
}  # fmt: skip
_HANDLERS: dict[int, Callable[[Tree, Step], Any]] = {op.code: _BY_OP[op.name] for op in opcodes.OPS if op.name in _BY_OP}


def newborn(rules: Rules, read: Bytes | None = None, charset: str = "utf-8") -> Tree:
    """The tree of a fresh database: the root, /zookeeper, /zookeeper/quota and, from 3.5 on, /zookeeper/config."""
    tree = Tree(rules, read, charset)
    for path in ("", "/zookeeper", "/zookeeper/quota", *(["/zookeeper/config"] if rules.release >= (3, 5, 0) else [])):
        parent = tree.nodes.get(path.rpartition("/")[0]) if path else None
        config = path.endswith("config")
        tree.put(path, Node(0, 0, 0, 0, 0, 0, 0, -1 if config else 0, 0, READ_ONLY if config else OPEN, NO_BYTES, parent))
    return tree
