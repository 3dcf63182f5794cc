"""The tree that a history makes: the znodes of a snapshot, and the digest stored in records (DataTree, DigestCalculator)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from typing import NamedTuple

from zabtrace.simulate.disk import Txn


class Node(NamedTuple):
    """A znode; the root's path is empty."""

    path: str
    data: bytes = b""
    czxid: int = 0
    pzxid: int = 0
    ctime: int = 0
    cversion: int = 0
    aversion: int = 0


BORN = (Node(""), Node("/zookeeper"), Node("/zookeeper/quota"))
CONFIG = Node("/zookeeper/config", aversion=-1)
"""What every tree has; the last one from 3.5.0 on."""
_STAT = struct.Struct(">5q3iq")


def creations(history: Iterable[Txn]) -> int:
    """How many znodes were created below the root: its cversion."""
    return sum(txn.op == "create" for txn in history)


def nodes(history: Iterable[Txn]) -> list[Node]:
    """The znodes in the order of a snapshot: parents first. All creates are of children of the root."""
    made = [txn for txn in history if txn.op == "create"]
    root = BORN[0]._replace(cversion=made[-1].parent_cversion, pzxid=made[-1].zxid) if made else BORN[0]
    return [root, *BORN[1:], *(Node(txn.path, txn.data, txn.zxid, txn.zxid, txn.time) for txn in made)]


def digest(history: Iterable[Txn]) -> int:
    """The digest (signed) of the tree: the sum of a CRC-32 per znode outside of /zookeeper/ (version 2)."""
    total = sum(_crc(node) for node in nodes(history) if not node.path.startswith("/zookeeper/")) & 0xFFFF_FFFF_FFFF_FFFF
    return total - (1 << 64) if total >> 63 else total


def _crc(node: Node) -> int:
    stat = _STAT.pack(node.czxid, node.czxid, node.pzxid, node.ctime, node.ctime, 0, node.cversion, node.aversion, 0)
    return zlib.crc32(node.path.encode() + node.data + stat)


def sessions(history: Iterable[Txn]) -> list[int]:
    """The sessions that are open."""
    return [txn.session for txn in history if txn.op == "createSession"]
