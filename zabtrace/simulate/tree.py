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


def nodes(history: Iterable[Txn]) -> list[Node]:
    """The znodes in the order of a snapshot: parents first. All creates are of children of the root."""
    made = [txn for txn in history if txn.op == "create"]
    root = BORN[0]._replace(cversion=made[-1].parent_cversion, pzxid=made[-1].zxid) if made else BORN[0]
    return [root, *BORN[1:], *(Node(txn.path, txn.data, txn.zxid, txn.zxid, txn.time) for txn in made)]


class Growing:
    """A tree that grows by one transaction at a time, and its digest."""

    def __init__(self, history: Iterable[Txn] = ()) -> None:
        self.creations = 0
        self._root, self._below = BORN[0], _crc(BORN[1])
        for txn in history:
            self.add(txn)

    def add(self, txn: Txn) -> int:
        """The digest (signed) behind the transaction: the sum of a CRC-32 per znode outside of /zookeeper/ (version 2)."""
        if txn.op == "create":
            self.creations += 1
            self._root = self._root._replace(cversion=txn.parent_cversion, pzxid=txn.zxid)
            self._below += _crc(Node(txn.path, txn.data, txn.zxid, txn.zxid, txn.time))
        total = (_crc(self._root) + self._below) & 0xFFFF_FFFF_FFFF_FFFF
        return total - (1 << 64) if total >> 63 else total


def _crc(node: Node) -> int:
    stat = _STAT.pack(node.czxid, node.czxid, node.pzxid, node.ctime, node.ctime, 0, node.cversion, node.aversion, 0)
    return zlib.crc32(node.path.encode() + node.data + stat)


def sessions(history: Iterable[Txn]) -> list[int]:
    """The sessions that are open."""
    return [txn.session for txn in history if txn.op == "createSession"]
