"""Transaction records as text, a line each, as ZooKeeper's own TxnLogToolkit (3.5 and newer) prints them.

Differences on purpose: every op in one notation, ACL lists as perms:scheme:id on the same line, control characters made visible,
and no line break inside a record.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from zabtrace import wording, zxid
from zabtrace.evidence.trace import Trace
from zabtrace.replay.tree_base import Store
from zabtrace.replay.tree_history import shown

FIELDS: dict[str, tuple[str, ...]] = {
    "create": ("path", "data", "acl", "ephemeral", "parent_cversion"),
    "create2": ("path", "data", "acl", "ephemeral", "parent_cversion"),
    "createContainer": ("path", "data", "acl", "parent_cversion"),
    "createTTL": ("path", "data", "acl", "parent_cversion", "ttl"),
    "delete": ("path",),
    "deleteContainer": ("path",),
    "setData": ("path", "data", "version"),
    "reconfig": ("path", "data", "version"),
    "setACL": ("path", "acl", "version"),
    "check": ("path", "version"),
    "createSession": ("timeout",),
    "closeSession": ("paths",),
    "error": ("error",),
}
"""What stands behind each op, in the order of its record."""
_SLICE = 20_000


def lines(trace: Trace, txns: pl.DataFrame) -> Iterator[str]:
    """The records, file by file, with a heading per file."""
    store = Store(trace)
    heading: str | None = None
    count = 0
    for part in txns.iter_slices(_SLICE):
        for row in part.iter_rows(named=True):
            if row["source"] != heading:
                yield from _end(heading, count)
                heading, count = row["source"], 0
                yield f"ZooKeeper Transactional Log File {wording.plain(heading)}\n"
            count += 1
            yield _line(row, store)
    yield from _end(heading, count)


def _end(heading: str | None, count: int) -> Iterator[str]:
    if heading is not None:
        yield f"EOF reached after {count} txns.\n"


def _line(row: dict[str, Any], store: Store) -> str:
    time, session, number = wording.moment(row["time"]), zxid.text(row["session"] or 0), zxid.text(row["zxid"])
    broken = "" if row["checksum_ok"] in (True, None) else "CRC ERROR - "
    body = ";".join(f"{m['op']}:{_body(m, row['source'], store)}" for m in row["ops"] or ()) if row["op"] == "multi" else None
    told = _body(row, row["source"], store) if body is None else body
    return f"{broken}{time} session {session} cxid {zxid.text(row['cxid'] or 0)} zxid {number} {row['op']} {told}".rstrip() + "\n"


def _body(row: dict[str, Any], source: str, store: Store) -> str:
    return ",".join(wording.plain(_field(name, row, source, store)) for name in FIELDS.get(row["op"], ()))


def _field(name: str, row: dict[str, Any], source: str, store: Store) -> str:
    if name == "data":
        at = row["data_offset"]
        return "" if at is None else shown(bytes(store.read(source, at, row["data_len"]))) or ""
    value = row[name]
    if name == "acl":
        return f"[{value or ''}]"
    if name == "paths":
        return f"[{','.join(value or ())}]"
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
