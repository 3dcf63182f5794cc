"""Logs and snapshots as bytes for the tests: records by the reference writer, frames and seals by hand."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from zabtrace.grammar import jute
from zabtrace.records import reference
from zabtrace.source import Source

DATA = Path(__file__).parent / "data" / "records"
LOG_HEADER = b"ZKLG" + struct.pack(">iq", 2, 0)
WORLD = [{"perms": 31, "id": {"scheme": b"world", "id": b"anyone"}}]
RANGES = {"byte": 1 << 7, "int": 1 << 31, "long": 1 << 63}


def body(record: str, **values: Any) -> bytes:
    """The bytes of a record by its name in records.jute."""
    return reference.write(jute.records()[record], values)


def payload(zxid: int, code: int, content: bytes = b"", *, session: int = 7, cxid: int = 1, time: int = 1_000) -> bytes:
    """TxnHeader and body."""
    return body("TxnHeader", clientId=session, cxid=cxid, zxid=zxid, time=time, type=code) + content


def frame(content: bytes, *, adler: int | None = None) -> bytes:
    """A record's frame around a payload."""
    return struct.pack(">qi", zlib.adler32(content) if adler is None else adler, len(content)) + content + b"B"


def create(zxid: int, path: str = "/a", data: bytes | None = b"x", code: int = 1) -> bytes:
    """The payload of a create."""
    return payload(zxid, code, body("CreateTxn", path=path.encode(), data=data, acl=WORLD, ephemeral=False, parentCVersion=1))


def log(*payloads: bytes, padding: int = 4096) -> bytes:
    """A log file of these payloads."""
    return LOG_HEADER + b"".join(map(frame, payloads)) + bytes(padding)


def node(path: str, data: bytes | None = b"", acl: int = -1, **stat: int) -> bytes:
    """A znode of a snapshot."""
    zeros = {field.name: 0 for field in jute.records()["StatPersisted"].fields}
    return body("SnapshotNode", path=path.encode(), data=data, acl=acl, stat=zeros | stat)


def sealed(content: bytes) -> bytes:
    """The content and its seal."""
    return content + struct.pack(">q", zlib.adler32(content)) + b"\0\0\0\1/"


def snapshot(*nodes: bytes, sessions: int = 1, digest: tuple[int, int] | None = None, last_zxid: int | None = None) -> bytes:
    """A snapshot file of these znodes, with the later sections if given: (zxid, digest), last zxid."""
    content = b"ZKSN" + struct.pack(">iq", 2, -1)
    content += struct.pack(">i", sessions) + b"".join(struct.pack(">qi", 100 + n, 4000) for n in range(sessions))
    content += struct.pack(">i", 1) + body("SnapshotAcl", id=1, acl=WORLD)
    content = sealed(content + b"".join(nodes) + b"\0\0\0\1/")
    if digest is not None:
        content = sealed(content + struct.pack(">qiq", digest[0], 2, digest[1]))
    return content if last_zxid is None else sealed(content + struct.pack(">q", last_zxid))


def source(folder: Path, content: bytes, name: str = "log.1") -> Source:
    """A file with that content."""
    (folder / name).write_bytes(content)
    return Source(name, folder / name)


def values(kind: jute.Type) -> st.SearchStrategy[Any]:
    """Values of a jute type."""
    if isinstance(kind, jute.Record):
        return st.fixed_dictionaries({field.name: values(field.type) for field in kind.fields})
    if isinstance(kind, jute.Vector):
        return st.none() | st.lists(values(kind.item), max_size=4)
    if kind == "boolean":
        return st.booleans()
    if kind in RANGES:
        return st.integers(-RANGES[kind], RANGES[kind] - 1)
    return st.none() | st.binary(max_size=20)
