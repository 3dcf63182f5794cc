"""Client histories: lines of JSON in, rows of CLIENT_OPS out."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zabtrace.clients import looks_like_history, outcome, read_clients, row_of
from zabtrace.source import Source

OUTCOMES = [
    (True, None, "acknowledged"),
    (False, "NoNodeError", "refused"),  # kazoo
    (False, "NodeExistsException", "refused"),  # curator
    (False, "BadVersion", "refused"),
    (False, "NOTEMPTY", "refused"),
    (False, "KeeperErrorCode = NoAuth for /a", "refused"),
    (False, "RolledBackError, NoNodeError, RuntimeInconsistency", "refused"),  # a multi
    (False, "ConnectionLoss", "unknown"),
    (False, "SessionExpiredError", "unknown"),
    (False, "OperationTimeoutError", "unknown"),
    (False, "NoReply", "unknown"),
    (False, "RuntimeInconsistency", "unknown"),
    (False, "ValueError: something else", "unknown"),
    (False, None, "unknown"),
    (None, None, "unknown"),
    (None, "NoNodeError", "unknown"),
]


@pytest.mark.parametrize(("ok", "error", "expected"), OUTCOMES)
def test_outcomes(ok: bool | None, error: str | None, expected: str) -> None:
    assert outcome(ok, error) == expected


def read(tmp_path: Path, *lines: str | dict[str, object]) -> Source:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    (tmp_path / "history.jsonl").write_text(text, "utf-8")
    return Source("history.jsonl", tmp_path / "history.jsonl")


def test_a_full_line_and_the_least_one(tmp_path: Path) -> None:
    full = {
        "client": "c1",
        "session_id": "0xb00000000000000f",
        "op": "set",
        "path": "/a",
        "data": "x",
        "start": "2026-11-21T01:09:50.104+01:00",
        "end": "2026-11-21T00:09:50.136Z",
        "ok": True,
        "error": None,
        "zxid": "0x100000003",
        "reply_zxid": 4294967300,
        "version": 2,
    }
    found = read_clients(read(tmp_path, full, "", {"op": "get", "path": "/a", "ok": None})).ops
    assert found.row(0, named=True) == {
        "source": "history.jsonl",
        "line": 1,
        "client": "c1",
        "session": 0xB00000000000000F - (1 << 64),
        "op": "set",
        "path": "/a",
        "data": "x",
        "start": datetime(2026, 11, 21, 0, 9, 50, 104000, UTC),
        "end": datetime(2026, 11, 21, 0, 9, 50, 136000, UTC),
        "outcome": "acknowledged",
        "error": None,
        "zxid": 0x100000003,
        "reply_zxid": 0x100000004,
        "czxid": None,
        "mzxid": None,
        "version": 2,
        "cxid": None,
        "members": None,
        "write": True,
    }
    assert found.row(1, named=True)["line"] == 3
    assert found.select("op", "outcome", "write", "zxid").row(1) == ("get", "unknown", False, None)


def test_the_number_of_a_request_and_the_members_of_a_multi() -> None:
    line = {"op": "multi", "path": None, "ok": True, "xid": 7, "ops": [["Create", "/a", "1"], {"op": "delete", "path": "/b"}]}
    row = row_of(json.dumps(line).encode())
    assert row["cxid"] == 7
    assert row["members"] == [{"op": "Create", "path": "/a", "data": "1"}, {"op": "delete", "path": "/b", "data": None}]


BAD = [
    ('{"op": "multi", "path": null, "ok": true, "ops": "create"}', "ops must be a list"),
    ("{", "not JSON"),
    ("[1]", "a JSON object is expected, not list"),
    ('{"op": "set", "ok": true}', "missing: path"),
    ('{"op": 3, "path": "/a", "ok": true}', "op must be text"),
    ('{"op": "set", "path": "/a", "ok": "yes"}', "ok true, false or null"),
    ('{"op": "set", "path": "/a", "ok": true, "zxid": "0xzz"}', "zxid must be a number"),
    ('{"op": "set", "path": "/a", "ok": true, "zxid": "0x10000000000000000"}', "more than 64 bits"),
    ('{"op": "set", "path": "/a", "ok": true, "start": "yesterday"}', "start is no time"),
]


@pytest.mark.parametrize(("line", "why"), BAD)
def test_a_bad_line_is_damage_and_the_others_are_read(tmp_path: Path, line: str, why: str) -> None:
    good = {"op": "create", "path": "/b", "ok": False, "error": "ConnectionLoss"}
    found = read_clients(read(tmp_path, good, line, good))
    assert found.ops["line"].to_list() == [1, 3]
    assert found.damage.select("source", "line", "harm").rows() == [("history.jsonl", 2, "none")]
    assert why in found.damage["reason"][0]


@pytest.mark.parametrize(
    ("op", "write"),
    [
        ("create", True),
        ("create2", True),
        ("setACL", True),
        ("set", True),
        ("delete", True),
        ("multi", True),
        ("transaction", True),
        ("reconfig", True),
        ("ensure_path", True),
        ("close", True),
        ("get", False),
        ("exists", False),
        ("sync", False),
        ("get_children", False),
    ],
)
def test_which_operations_write(op: str, write: bool) -> None:
    assert row_of(json.dumps({"op": op, "path": None, "ok": True}).encode())["write"] is write


def test_sample_history(samples: Path) -> None:
    # counted in the file by hand: 12 writes under /pay got no answer (README of the sample)
    found = read_clients(Source("history.jsonl", samples / "truncated-3.8.0" / "clients" / "history.jsonl"))
    lost = found.ops.filter(found.ops["path"].str.starts_with("/pay") & (found.ops["outcome"] == "unknown"))
    assert (found.ops.height, found.damage.height, lost.height, set(lost["write"])) == (170, 0, 12, {True})


@pytest.mark.parametrize(
    ("head", "is_one"),
    [
        (b'\n{"op":"set","path":"/a","ok":true}\n{"op', True),
        (b'{"op":"set"}\n', False),
        (b"2026-11-21 00:00:00,000 - INFO", False),
        (b"", False),
    ],
)
def test_a_history_is_recognised_by_its_first_line(head: bytes, is_one: bool) -> None:
    assert looks_like_history(head) is is_one


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["op", "path", "ok", "zxid", "start", "session_id"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    )
)
def test_any_object_is_a_row_or_a_reason(record: dict[str, object]) -> None:
    try:
        assert row_of(json.dumps(record).encode())["outcome"] in ("acknowledged", "refused", "unknown")
    except ValueError as error:
        assert str(error)
