"""Data folders for the tests of replayed trees: records with digests, snapshots, and the evidence they make."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from record_bytes import WORLD, body, log, node, payload, snapshot

from zabtrace.evidence import gather
from zabtrace.evidence.trace import Trace

SESSION = 0x100000000000007
READERS = [{"perms": 1, "id": {"scheme": b"world", "id": b"anyone"}}]


def digested(record: bytes, digest: int) -> bytes:
    """A payload with the tree digest behind it."""
    return record + struct.pack(">iq", 2, digest)


def create(
    zxid: int, path: str, data: bytes | None = b"x", parent: int = 1, *, code: int = 1, ephemeral: bool = False, **head: int
) -> bytes:
    """A create whose parent has then had ``parent`` creations."""
    values = {"path": path.encode(), "data": data, "acl": WORLD, "ephemeral": ephemeral, "parentCVersion": parent}
    return payload(zxid, code, body("CreateTxn", **values), **{"session": SESSION, "time": zxid * 1000, **head})


def delete(zxid: int, path: str) -> bytes:
    """A delete."""
    return payload(zxid, 2, body("DeleteTxn", path=path.encode()), session=SESSION, time=zxid * 1000)


def set_data(zxid: int, path: str, data: bytes, version: int) -> bytes:
    """A setData."""
    return payload(zxid, 5, body("SetDataTxn", path=path.encode(), data=data, version=version), session=SESSION, time=zxid * 1000)


def set_acl(zxid: int, path: str, version: int) -> bytes:
    """A setACL to read only."""
    return payload(zxid, 7, body("SetACLTxn", path=path.encode(), acl=READERS, version=version), session=SESSION, time=zxid * 1000)


def open_session(zxid: int, session: int = SESSION, timeout: int = 4000) -> bytes:
    """A createSession."""
    return payload(zxid, -10, body("CreateSessionTxn", timeOut=timeout), session=session, cxid=0, time=zxid * 1000)


def close_session(zxid: int, paths: list[str] | None = None, *, session: int = SESSION, cxid: int = 9) -> bytes:
    """A closeSession, with its list of 3.6 where ``paths`` is given."""
    content = b"" if paths is None else body("CloseSessionTxn", paths2Delete=[path.encode() for path in paths])
    return payload(zxid, -11, content, session=session, cxid=cxid, time=zxid * 1000)


def multi(zxid: int, *members: tuple[int, bytes]) -> bytes:
    """A multi of (op code, body) members."""
    txns = [{"type": code, "data": content} for code, content in members]
    return payload(zxid, 14, body("MultiTxn", txns=txns), session=SESSION, time=zxid * 1000)


def error(zxid: int, code: int, session: int = SESSION) -> bytes:
    """A failed request."""
    return payload(zxid, -1, body("ErrorTxn", err=code), session=session, time=zxid * 1000)


BIRTH = (node(""), node("/zookeeper"), node("/zookeeper/quota"), node("/zookeeper/config"))
"""The nodes of a fresh database."""


def folder(root: Path, server: int, logs: dict[int, list[bytes]], snapshots: dict[int, bytes] | None = None) -> Path:
    """A server's data folder: payloads per log, contents per snapshot, by the zxid of their names."""
    data = root / f"server-{server}" / "data"
    (data / "version-2").mkdir(parents=True)
    (data / "myid").write_text(f"{server}\n")
    for zxid, payloads in logs.items():
        (data / "version-2" / f"log.{zxid:x}").write_bytes(log(*payloads))
    for zxid, content in (snapshots or {}).items():
        (data / "version-2" / f"snapshot.{zxid:x}").write_bytes(content)
    return data


def trace_of(root: Path, **more: Any) -> Trace:
    """The Trace of everything below ``root``."""
    return gather([str(root)], **more)


__all__ = [
    "BIRTH", "SESSION", "close_session", "create", "delete", "digested", "error", "folder", "multi", "node", "open_session", "set_acl",
    "set_data", "snapshot", "trace_of",
]  # fmt: skip
