"""What clients recorded: one JSON object per line and operation.

Strategy: every line becomes one row of CLIENT_OPS, or one of DAMAGE. Only ``op``, ``path`` and ``ok`` are required; what is
missing is null. An answer that names a ZooKeeper error is an answer too (refused); silence is none (unknown).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl

from zabtrace import schema, zxid
from zabtrace.source import Source

ACKNOWLEDGED, REFUSED, UNKNOWN = "acknowledged", "refused", "unknown"

# KeeperException.Code. Its system errors say that no answer was seen, its API errors are the server's answer. A system error in a
# reply (SystemError, MarshallingError, DataInconsistency) does not say what happened to the request either.
NO_ANSWER = frozenset({
    "connectionloss", "operationtimeout", "requesttimeout", "timeout", "timedout", "sessionexpired", "systemerror", "datainconsistency",
    "marshallingerror", "connectionclosed", "connectiondropped", "closed", "cancelled", "noreply",
})  # fmt: skip
ANSWERS = frozenset({
    "apierror", "nonode", "noauth", "badversion", "nochildrenforephemerals", "nodeexists", "notempty", "invalidcallback", "invalidacl",
    "authfailed", "sessionmoved", "notreadonly", "ephemeralonlocalsession", "nowatcher", "badarguments", "unimplemented", "rolledback",
    "newconfignoquorum", "reconfiginprogress", "reconfigdisabled", "sessionclosedrequiresaslauth", "quotaexceeded", "throttledop",
    "unknownsession",
})  # fmt: skip
WRITES = re.compile(r"(create|set|delete|remove|multi|transaction|reconfig|ensure_?path|close|put|update)", re.IGNORECASE)
BARE = "(?i)^(ensure_?path|close)"
"""Writes that may be done without a record: the path was there, or the library did not wait for the answer."""
LINE_LIMIT = 4 << 20
"""Longest line that is parsed: ZooKeeper's own limit for a request is 1 MiB."""
NEXT_STEP = "Compare with the client's recorder; the other lines are used."


@dataclass(frozen=True)
class ClientRead:
    """One client history: CLIENT_OPS and DAMAGE."""

    ops: pl.DataFrame
    damage: pl.DataFrame


def read_clients(source: Source) -> ClientRead:
    """Read a client history (JSON lines)."""
    rows: list[dict[str, Any]] = []
    damage: list[dict[str, Any]] = []
    for at, line in _lines(source):
        try:
            rows.append({"source": source.name, "line": at, **row_of(line)})
        except ValueError as error:
            reason = f"no client operation: {error}"
            damage.append({"source": source.name, "line": at, "reason": reason, "harm": "none", "next_step": NEXT_STEP})
    return ClientRead(schema.frame(schema.CLIENT_OPS, rows), schema.frame(schema.DAMAGE, damage))


def looks_like_history(head: bytes) -> bool:
    """Is the first line that is not blank a JSON object with op, path and ok?"""
    first = next((line for line in head.split(b"\n") if line.strip()), b"")
    try:
        return bool(row_of(first))
    except ValueError:
        return False


def row_of(line: bytes) -> dict[str, Any]:
    """The row of one line, without its place. Raises ValueError that says what is missing or wrong."""
    if len(line) > LINE_LIMIT:
        raise ValueError(f"the line has {len(line)} bytes, more than {LINE_LIMIT}")
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from error
    if not isinstance(record, dict):
        raise ValueError(f"a JSON object is expected, not {type(record).__name__}")
    missing = [key for key in ("op", "path", "ok") if key not in record]
    if missing or not isinstance(record["op"], str) or record["ok"] not in (True, False, None):
        raise ValueError(f"missing: {', '.join(missing)}" if missing else "op must be text, ok true, false or null")
    return {
        "client": _text(record.get("client")),
        "session": _number(record, "session_id"),
        "op": record["op"],
        "path": _text(record["path"]),
        "data": _text(record.get("data")),
        "start": _time(record, "start"),
        "end": _time(record, "end"),
        "outcome": outcome(record["ok"], _text(record.get("error"))),
        "error": _text(record.get("error")),
        **{key: _zxid(record, key) for key in ("zxid", "reply_zxid", "czxid", "mzxid")},
        "version": _number(record, "version"),
        "cxid": _number(record, "cxid" if "cxid" in record else "xid"),
        "members": _members(record.get("ops")),
        "write": WRITES.match(record["op"]) is not None,
    }


def outcome(ok: bool | None, error: str | None) -> str:
    """Acknowledged, refused or unknown. An error name that is not ZooKeeper's leaves it unknown.

    >>> outcome(False, "NodeExistsError"), outcome(False, "KeeperErrorCode = NoNode for /a"), outcome(False, "ConnectionLoss")
    ('refused', 'refused', 'unknown')
    """
    if ok:
        return ACKNOWLEDGED
    words = {_code(word) for word in re.findall(r"[A-Za-z_-]{3,}", error or "")}
    return REFUSED if ok is False and words & ANSWERS and not words & NO_ANSWER else UNKNOWN


def _code(word: str) -> str:
    """A name of an error without its dress: NoNodeError (kazoo), NoNodeException, NONODE, no_node (KeeperException)."""
    return re.sub(r"(error|exception)$", "", re.sub(r"[_-]", "", word).lower()) or word.lower()


def _lines(source: Source) -> Iterator[tuple[int, bytes]]:
    """Lines that are not blank, with their number, from 1."""
    at, held = 0, b""
    for block in source.blocks(1 << 20):
        *whole, held = (held + block).split(b"\n")
        for line in whole:
            at += 1
            if line.strip():
                yield at, line
        held = held[: LINE_LIMIT + 1]
    if held.strip():
        yield at + 1, held


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value.encode("utf-8", "replace").decode() if value else value
    return json.dumps(value)


def _members(ops: Any) -> list[dict[str, str | None]] | None:
    """The operations of a multi: ``[op, path, data]`` each, or objects with these keys. Raises ValueError."""
    if ops is None:
        return None
    if not isinstance(ops, list) or not all(isinstance(op, list | dict) for op in ops):
        raise ValueError("ops must be a list of [op, path, data] or of objects")
    named = [op if isinstance(op, dict) else dict(zip(("op", "path", "data"), op, strict=False)) for op in ops]
    return [{key: _text(op.get(key)) for key in ("op", "path", "data")} for op in named]


def _number(record: dict[str, Any], key: str) -> int | None:
    """A number written as JSON number, decimal text or 0x text, as Java's signed long. Raises ValueError."""
    value = record.get(key)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(f"{key} must be a number, not {value!r}")
    try:
        number = value if isinstance(value, int) else int(value, 16 if value.lower().startswith("0x") else 10)
    except ValueError as error:
        raise ValueError(f"{key} must be a number, not {str(value)[:40]!r}") from error
    if not -(1 << 63) <= number < 1 << 64:
        raise ValueError(f"{key} has more than 64 bits: {number:#x}")
    return zxid.signed(number)


def _zxid(record: dict[str, Any], key: str) -> int | None:
    """As ``_number``; -1 is ZooKeeper's word for none (the header of a notification, the pzxid of a root that nobody wrote below)."""
    found = _number(record, key)
    return None if found == -1 else found


def _time(record: dict[str, Any], key: str) -> datetime | None:
    """ISO 8601, or seconds or milliseconds since 1970; without a zone it is UTC. Raises ValueError."""
    value = record.get(key)
    if value is None or value == "":
        return None
    try:
        if isinstance(value, str):
            read = datetime.fromisoformat(value)
            return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000 if value > 1e11 else value, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError(f"{key} is no time: {error}") from error
    raise ValueError(f"{key} is no time: {value!r}")
