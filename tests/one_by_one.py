"""Logs and snapshots read one record after the other by the reference reader, and held against the columns of zabtrace.

    python tests/one_by_one.py FOLDER...

Strategy: an independent loop over frames and znodes, which stops at the first thing that is odd; up to there both readings must be
the same, value by value. What a body is, and what may follow it, is said here once more, after SerializeUtils.deserializeTxn.
"""

from __future__ import annotations

import struct
import sys
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from zabtrace.grammar import jute
from zabtrace.records import read_snapshot, read_txn_log, sniff
from zabtrace.records.opcodes import BY_CODE
from zabtrace.records.reference import MalformedError, acl_text, read, text
from zabtrace.records.snapshot import stored_bytes
from zabtrace.source import Source

RECORDS = jute.records()
NUMBERS = {"version": "version", "parentCVersion": "parent_cversion", "ttl": "ttl", "timeOut": "timeout", "err": "error"}
HEADER = {"clientId": "session", "cxid": "cxid", "zxid": "zxid", "time": "time", "type": "type"}
CALENDAR = range(*(int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) * 1000 for year in (2, 9999)))
STAT = {"ephemeralOwner": "ephemeral_owner"}
UNCOMPARED = ("payload_hash",)


def fields(record: str, data: bytes, at: int, end: int) -> tuple[dict[str, Any], int]:
    """Columns of TXNS of the body at ``at``, and where it stops. Raises MalformedError."""
    row: dict[str, Any] = {}
    for field in RECORDS[record].fields:
        value, at = read(field.type, data, at, end)
        match field.name:
            case "path":
                row["path"] = None if value is None else text(value)
            case "data":
                row["data_len"], row["data_offset"] = (None, None) if value is None else (len(value), at - len(value))
            case "acl":
                row["acl"] = acl_text(value)
            case "paths2Delete":
                row["paths"] = None if value is None else [text(path or b"") if path is not None else None for path in value]
            case "ephemeral":
                row["ephemeral"] = value
            case "txns":
                row["members"] = value
            case name:
                row[NUMBERS[name]] = value
    if record in ("CreateContainerTxn", "CreateTTLTxn"):
        row["ephemeral"] = False
    return row, at


def body(code: int, data: bytes, at: int, end: int) -> dict[str, Any]:
    """Columns of a body with its digest. Raises MalformedError where it is none."""
    op = BY_CODE[code]
    if op.body_optional and (end == at or (end - at == 12 and data[at : at + 4] == b"\0\0\0\2")):
        return _digest(data, at, end)
    try:
        row, stop = fields(op.record, data, at, end)
        return row | _digest(data, stop, end)
    except MalformedError:
        if op.older is None:
            raise
    row, stop = fields(op.older, data, at, end)
    if stop != end:
        raise MalformedError("bytes behind the body")
    return row | {NUMBERS[name]: value for name, value in op.older_values.items()}


def _digest(data: bytes, at: int, end: int) -> dict[str, Any]:
    if at == end:
        return {}
    if end - at != 12:
        raise MalformedError("bytes behind the body")
    version, value = struct.unpack_from(">iq", data, at)
    return {"digest_version": version, "digest": value}


def records(data: bytes) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Rows of TXNS and of TXN_OPS up to the first record that is not whole, does not check or has no body of its type."""
    at = 16
    while at + 13 <= len(data):
        stored, length = struct.unpack_from(">qi", data, at)
        begin, end = at + 12, at + 12 + length
        if length < 32 or end >= len(data) or data[end] != 0x42 or zlib.adler32(data[begin:end]) != stored:
            return
        header, behind = read(RECORDS["TxnHeader"], data, begin, end)
        row = {"offset": at, "checksum": stored, "checksum_ok": True, "payload_len": length}
        row |= {column: header[name] for name, column in HEADER.items()}
        row["time"] = row["time"] if row["time"] in CALENDAR else None
        row["op"] = BY_CODE[row["type"]].name if row["type"] in BY_CODE else f"unknown({row['type']})"
        try:
            row |= body(row["type"], data, behind, end) if row["type"] in BY_CODE else {}
            members = [_member(row, *member) for member in _places(data, behind, end)] if "members" in row else []
        except MalformedError:
            return
        parsed = row["type"] in BY_CODE
        row["failed"] = parsed and (row["type"] == -1 or any(member["type"] == -1 for member in members))
        row.pop("members", None)
        yield row, members
        at = end + 1


def _places(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Of each member of the multi at ``at`` its place, type and body."""
    count, at = read("int", data, at, end)
    for index in range(count):
        code, begin = read("int", data, at, end)
        content, at = read("buffer", data, begin, end)
        if code not in BY_CODE or content is None:
            raise MalformedError(f"member {index} is of type {code}")
        row, stop = fields(BY_CODE[code].record, data, begin + 4, begin + 4 + len(content))
        if stop != begin + 4 + len(content):
            raise MalformedError("bytes behind a member")
        yield index, code, row


def _member(multi: dict[str, Any], index: int, code: int, row: dict[str, Any]) -> dict[str, Any]:
    return {"offset": multi["offset"], "zxid": multi["zxid"], "index": index, "type": code, "op": BY_CODE[code].name} | row


def znodes(data: bytes) -> tuple[list[dict[str, Any]], list[tuple[int, int]], list[tuple[int, str | None]]]:
    """Rows of ZNODES, the sessions and the ACL lists of an uncompressed snapshot. Raises MalformedError where it breaks off."""
    count, at = read("int", data, 16)
    sessions, lists, rows = [], [], []
    for _ in range(count):
        value, at = read(RECORDS["SnapshotSession"], data, at)
        sessions.append((value["id"], value["timeOut"]))
    count, at = read("int", data, at)
    for _ in range(count):
        value, at = read(RECORDS["SnapshotAcl"], data, at)
        lists.append((value["id"], acl_text(value["acl"])))
    while data[at : at + 5] != b"\0\0\0\1/":
        value, behind = read(RECORDS["SnapshotNode"], data, at)
        size = None if value["data"] is None else len(value["data"])
        row = {"offset": at, "path": text(value["path"]) or "/", "data_len": size, "acl_id": value["acl"]}
        row["data_offset"] = None if size is None else at + 8 + len(value["path"])
        rows.append(row | {STAT.get(name, name): number for name, number in value["stat"].items()})
        at = behind
    return rows, sessions, lists


def differences(expected: list[dict[str, Any]], found: pl.DataFrame) -> list[str]:
    """What differs between rows and the first rows of a frame; a column that a row lacks is null there."""
    shown = found.head(len(expected)).with_columns(pl.selectors.datetime().to_physical())
    wrong = [f"{len(expected)} records, {found.height} rows"] if shown.height < len(expected) else []
    for name in shown.columns:
        if name not in ("server", "copy", "source", *UNCOMPARED):
            pairs = zip([row.get(name) for row in expected], shown[name].to_list(), strict=False)
            wrong += [f"row {row} {name}: {one!r}, not {other!r}" for row, (one, other) in enumerate(pairs) if one != other][:3]
    return wrong


def compare_log(source: Source) -> tuple[int, int, list[str]]:
    """Records and members compared, and what differs."""
    rows = list(records(bytes(source.buffer())))
    found = read_txn_log(source)
    members = [member for _, some in rows for member in some]
    wrong = differences([row for row, _ in rows], found.txns) + differences(members, found.ops)
    if found.damage.filter(pl.col("harm") != "none").is_empty() and (len(rows), len(members)) != (found.txns.height, found.ops.height):
        wrong.append(f"{len(rows)} records and {len(members)} members, but {found.txns.height} and {found.ops.height} rows, and no damage")
    return len(rows), len(members), wrong


def compare_snapshot(source: Source) -> tuple[int, int, list[str]]:
    """Znodes, and sessions and ACL lists, compared, and what differs; a snapshot that breaks off must not be valid."""
    found = read_snapshot(source, znodes=True)
    try:
        rows, sessions, lists = znodes(bytes(stored_bytes(source)))
    except (MalformedError, struct.error):
        return 0, 0, ["it breaks off, and is valid"] if found.snapshot["valid"][0] else []
    wrong = differences(rows, found.znodes)
    wrong += [f"{len(rows)} znodes, {found.znodes.height} rows"] if len(rows) != found.znodes.height else []
    for name, one, other in (
        ("sessions", sessions, found.sessions.select("session", "timeout").rows()),
        ("ACL lists", lists, found.acls.select("acl_id", "acl").rows()),
    ):
        wrong += [f"{name}: {one!r}, not {other!r}"] if one != other else []
    return len(rows), len(sessions) + len(lists), wrong


COMPARED = {"txn_log": compare_log, "snapshot": compare_snapshot}


def main() -> None:
    """Compare all logs and snapshots below the folders."""
    counts: dict[str, list[int]] = {kind: [0, 0, 0] for kind in COMPARED}
    failed = 0
    for path in sorted(path for folder in sys.argv[1:] for path in Path(folder).rglob("*") if path.is_file()):
        source = Source(str(path), path)
        kind = sniff(source.open().read(1 << 16))
        if kind in COMPARED:
            first, second, wrong = COMPARED[kind](source)
            counts[kind] = [count + more for count, more in zip(counts[kind], (1, first, second), strict=True)]
            failed += bool(wrong)
            sys.stdout.writelines(f"{path}: {line}\n" for line in wrong)
    logs, snapshots = counts["txn_log"], counts["snapshot"]
    sys.stdout.write(f"{logs[0]} logs: {logs[1]} records, {logs[2]} members of multis; ")
    sys.stdout.write(f"{snapshots[0]} snapshots: {snapshots[1]} znodes, {snapshots[2]} sessions and ACL lists; {failed} files differ\n")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
