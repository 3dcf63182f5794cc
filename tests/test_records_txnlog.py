"""Transaction logs as tables: against the dumps of ZooKeeper's own formatter, and record by record."""

from __future__ import annotations

import gzip
import re
import struct
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from record_bytes import DATA, LOG_HEADER, WORLD, body, create, frame, log, payload, source, values

from zabtrace.grammar import jute
from zabtrace.records import read_txn_log, reference, sniff
from zabtrace.records.frames import name_zxid
from zabtrace.records.opcodes import OPS
from zabtrace.source import Source

LINE = re.compile(r"^[\d/]+, .*? session (0x[0-9a-f]+) cxid (0x[0-9a-f]+) zxid (0x[0-9a-f]+) (\w+) ?(.*)", re.MULTILINE)
UNSIGNED = (1 << 64) - 1
DIGEST = struct.pack(">iq", 2, -5)


def read(folder: Path, *payloads: bytes) -> pl.DataFrame:
    found = read_txn_log(source(folder, log(*payloads), name="log"))
    assert found.damage.is_empty(), found.damage["reason"].to_list()
    return found.txns


def one(folder: Path, content: bytes) -> dict[str, Any]:
    return read(folder, content).row(0, named=True)


@pytest.mark.parametrize(("release", "records"), [("3.4.14", 37), ("3.9.3", 44)])
def test_official_dump(release: str, records: int) -> None:
    folder = DATA / release
    found = read_txn_log(Source("log.100000001.gz", folder / "log.100000001.gz"))
    dump = gzip.decompress((folder / "log.100000001.txt.gz").read_bytes()).decode(errors="replace")
    expected = [(int(s, 16), int(c, 16), int(z, 16), op.lower()) for s, c, z, op, _ in LINE.findall(dump)]
    rows = found.txns.select("session", "cxid", "zxid", "op").rows()
    assert [(session & UNSIGNED, cxid, zxid, op.lower()) for session, cxid, zxid, op in rows] == expected
    assert found.damage.is_empty()
    assert found.txns["checksum_ok"].all()
    assert found.file.drop("end").row(0, named=True) == {
        "server": None, "copy": None, "source": "log.100000001.gz", "name_zxid": 0x100000001, "first_zxid": 0x100000001,
        "last_zxid": expected[-1][2], "records": records, "bytes": 65552, "ending": "padded",
    }  # fmt: skip


def test_what_the_records_of_393_hold() -> None:
    """Values read by eye in the official dump of that file."""
    found = read_txn_log(Source("log.100000001.gz", DATA / "3.9.3" / "log.100000001.gz"))
    rows = {row["zxid"] & 0xFF: row for row in found.txns.iter_rows(named=True)}
    expected: dict[int, dict[str, Any]] = {
        0x01: {"op": "createSession", "timeout": 6000, "path": None, "data_len": None, "digest": 1371985504, "offset": 16},
        0x02: {"op": "create2", "path": "/t", "data_len": 0, "acl": "31:world:anyone", "parent_cversion": 1},
        0x04: {"path": "/t/p/ñandú", "data_len": len("path in unicode"), "parent_cversion": 1},
        0x08: {"path": "/t/e", "ephemeral": True, "parent_cversion": 5, "data_len": 3},
        0x0D: {"op": "error", "error": -110, "failed": True, "digest": None, "path": None},
        0x10: {"op": "setData", "path": "/t/p", "data_len": 2, "version": 2, "failed": False},
        0x15: {"op": "delete", "path": "/t/d"},
        0x17: {"op": "setACL", "version": 1, "acl": "31:world:anyone,1:digest:joe:oesAybBun9icKJjQSTRN8OBueSc="},
        0x18: {"acl": "31:digest:joe:oesAybBun9icKJjQSTRN8OBueSc=", "parent_cversion": 11},
        0x1A: {"op": "multi", "failed": False, "path": None},
        0x1B: {"op": "multi", "failed": True},
        0x1D: {"op": "createContainer", "path": "/t/container", "ephemeral": False, "parent_cversion": 15, "ttl": None},
        0x20: {"op": "createTTL", "path": "/t/ttl", "ttl": 2500, "parent_cversion": 16, "ephemeral": False},
        0x27: {"op": "deleteContainer", "session": 0, "cxid": 0, "path": "/t/container"},
        0x2C: {"op": "closeSession", "session": 0x200002B6C500000, "cxid": 0x24, "timeout": None, "digest_version": 2},
    }
    assert {zxid: {name: rows[zxid][name] for name in row} for zxid, row in expected.items()} == expected
    assert found.ops.select("zxid", "index", "op", "path", "version", "error").filter(pl.col("zxid") < 0x10000001C).rows() == [
        (0x10000001A, 0, "create", "/t/m1", None, None), (0x10000001A, 1, "create", "/t/m2", None, None),
        (0x10000001A, 2, "setData", "/t/m1", 1, None), (0x10000001A, 3, "check", "/t/p", 3, None),
        (0x10000001A, 4, "delete", "/t/m2", None, None),
        (0x10000001B, 0, "create", "/t/m3", None, None), (0x10000001B, 1, "error", None, None, -103),
        (0x10000001B, 2, "error", None, None, -2),
    ]  # fmt: skip


def test_the_first_record_of_the_format_page(tmp_path: Path) -> None:
    """Bytes written by a 3.9.3 server: createSession, time-out 20000, with a digest."""
    record = bytes.fromhex(
        "00000000ac4a0a40 00000030 01000012062b0000 00000000 0000000000000001 000001a1fb6753f3 fffffff6"
        "00004e20 00000002 0000000051c6d660 42"
    )
    found = read_txn_log(source(tmp_path, LOG_HEADER + record + bytes(100)))
    row = found.txns.row(0, named=True)
    expected = {
        "offset": 16, "zxid": 1, "session": 0x01000012062B0000, "cxid": 0, "type": -10, "op": "createSession", "timeout": 20000,
        "digest_version": 2, "digest": 1371985504, "checksum": 0xAC4A0A40, "checksum_ok": True, "payload_len": 48, "failed": False,
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected
    assert row["time"].timestamp() == 0x01A1FB6753F3 / 1000


def test_data_is_found_where_it_lies(tmp_path: Path) -> None:
    content = log(create(1, "/a", b"somewhere"), create(2, "/b", b""), create(3, "/c", None))
    rows = read_txn_log(source(tmp_path, content)).txns.select("data_offset", "data_len").rows()
    assert rows[0] == (content.index(b"somewhere"), 9)
    assert rows[1][1] == 0
    assert rows[2] == (None, None)


def test_a_create_before_34_has_no_parent_cversion(tmp_path: Path) -> None:
    old = body("CreateTxnV0", path=b"/old", data=b"", acl=WORLD, ephemeral=True)
    row = one(tmp_path, payload(1, 1, old))
    assert {name: row[name] for name in ("path", "ephemeral", "parent_cversion", "acl", "digest")} == {
        "path": "/old", "ephemeral": True, "parent_cversion": -1, "acl": "31:world:anyone", "digest": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "digest"),
    [
        pytest.param(b"", None, id="before 3.6: empty"),
        pytest.param(DIGEST, -5, id="no list, a digest"),
        pytest.param(body("CloseSessionTxn", paths2Delete=[]), None, id="empty list"),
        pytest.param(body("CloseSessionTxn", paths2Delete=[b"/abc"]), None, id="a list of 12 bytes is no digest"),
        pytest.param(body("CloseSessionTxn", paths2Delete=[b"/abc", b"/d"]) + DIGEST, -5, id="list and digest"),
    ],
)
def test_close_session(tmp_path: Path, content: bytes, digest: int | None) -> None:
    row = one(tmp_path, payload(9, -11, content))
    assert (row["op"], row["digest"], row["failed"]) == ("closeSession", digest, False)
    assert row["payload_hash"] == one(tmp_path, payload(9, -11))["payload_hash"]


def test_the_digest_is_no_part_of_the_hash(tmp_path: Path) -> None:
    rows = read(tmp_path, create(1), create(1) + DIGEST, create(1, data=b"y"), create(1, path="/b"), create(2))
    assert rows["digest"].to_list() == [None, -5, None, None, None]
    first, *others = rows["payload_hash"].to_list()
    assert first == others[0]
    assert len({first, *others}) == 4


@pytest.mark.parametrize("size", [1, 7, 8, 9, 1023, 1024, 5000])
def test_every_byte_is_part_of_the_hash(tmp_path: Path, size: int) -> None:
    places = {0, size // 2, size - 1}
    changed = [create(1, data=bytes(n == place for n in range(size))) for place in places]
    hashes = read(tmp_path, create(1, data=bytes(size)), *changed)["payload_hash"]
    assert hashes.n_unique() == 1 + len(places)


def test_a_hash_is_the_same_wherever_the_record_lies(tmp_path: Path) -> None:
    alone = read_txn_log(source(tmp_path, LOG_HEADER + frame(create(2)))).txns["payload_hash"][0]
    assert read(tmp_path, payload(1, -1, body("ErrorTxn", err=-101)), create(2), create(3))["payload_hash"][1] == alone


def test_multi(tmp_path: Path) -> None:
    def member(code: int, content: bytes) -> dict[str, Any]:
        return {"type": code, "data": content}

    made = member(1, body("CreateTxn", path=b"/m", data=b"1", acl=WORLD, ephemeral=False, parentCVersion=3))
    failing = [made, member(-1, body("ErrorTxn", err=-101)), member(-1, body("ErrorTxn", err=-2))]
    contents = [[made, member(13, body("CheckVersionTxn", path=b"/v", version=4)), member(15, made["data"])], failing, []]
    found = read_txn_log(source(tmp_path, log(*(payload(n + 1, 14, body("MultiTxn", txns=txns)) for n, txns in enumerate(contents)))))
    assert found.txns.select("op", "failed").rows() == [("multi", False), ("multi", True), ("multi", False)]
    assert found.ops.select("zxid", "index", "op", "path", "data_len", "version", "error").rows() == [
        (1, 0, "create", "/m", 1, None, None), (1, 1, "check", "/v", None, 4, None), (1, 2, "create2", "/m", 1, None, None),
        (2, 0, "create", "/m", 1, None, None), (2, 1, "error", None, None, None, -101), (2, 2, "error", None, None, None, -2),
    ]  # fmt: skip
    assert found.damage.is_empty()


def test_a_large_multi_keeps_its_order(tmp_path: Path) -> None:
    members = [{"type": 2, "data": body("DeleteTxn", path=f"/n{n}".encode())} for n in range(500)]
    found = read_txn_log(source(tmp_path, log(*(payload(z, 14, body("MultiTxn", txns=members[: 500 // z])) for z in range(1, 40)))))
    first = found.ops.filter(pl.col("zxid") == 1)
    assert first["path"].to_list() == [f"/n{n}" for n in range(500)]
    assert found.ops.height == sum(500 // z for z in range(1, 40))


def test_reconfig(tmp_path: Path) -> None:
    row = one(tmp_path, payload(5, 16, body("SetDataTxn", path=b"/zookeeper/config", data=b"version=100000002", version=-1)))
    assert (row["op"], row["path"], row["data_len"], row["version"]) == ("reconfig", "/zookeeper/config", 17, -1)


def test_unknown_types_are_counted_and_named(tmp_path: Path) -> None:
    found = read_txn_log(source(tmp_path, log(create(1), payload(2, 99, b"anything"), payload(3, 99), payload(4, 25), create(5))))
    assert found.txns["op"].to_list() == ["create", "unknown(99)", "unknown(99)", "unknown(25)", "create"]
    assert found.damage.select("offset", "harm").rows() == [(found.txns["offset"][1], "none"), (found.txns["offset"][3], "none")]
    assert found.damage["reason"][0].startswith("2 records of op code 99")


def test_a_body_that_is_none_is_damage(tmp_path: Path) -> None:
    """Its checksum is right and its zxid is taken, so it stays a row."""
    bad_member = body("MultiTxn", txns=[{"type": 5, "data": b"?"}])
    found = read_txn_log(source(tmp_path, log(create(1), payload(2, 5, b"no setData"), payload(3, 14, bad_member), create(4) + b"more")))
    assert found.txns.select("zxid", "op", "path", "checksum_ok").rows() == [
        (1, "create", "/a", True), (2, "setData", None, True), (3, "multi", None, True), (4, "create", None, True),
    ]  # fmt: skip
    assert found.damage.select("zxid", "harm").rows() == [(2, "data"), (3, "data"), (4, "data")]
    assert [reason.partition(": ")[0] for reason in found.damage["reason"]] == ["record 0x2", "record 0x3", "record 0x4"]


def test_odd_strings_and_numbers_do_not_fail(tmp_path: Path) -> None:
    unknown = "/\N{REPLACEMENT CHARACTER}"
    odd = {b"/\xed\xa0\xbd\xed\xb8\x80": "/😀", b"/\xed\xa0\xbd": unknown, b"/\xff": unknown, b"/\0": "/\0"}
    deletes = [payload(n, 2, body("DeleteTxn", path=path)) for n, path in enumerate(odd)]
    rows = read(tmp_path, *deletes, payload(9, 2, body("DeleteTxn", path=None), time=1 << 62))
    assert rows["path"].to_list() == [*odd.values(), None]
    assert rows["time"][-1] is None


def test_the_paths_of_a_closed_session(tmp_path: Path) -> None:
    """Present since 3.6; a list of 12 bytes is no digest, and a digest alone is no list (SerializeUtils.deserializeTxn)."""
    lists: list[list[str | None] | None] = [None, [], ["/e/1", "/été"], ["/abc"], [None, "/x"]]
    bodies = [body("CloseSessionTxn", paths2Delete=paths and [p and p.encode() for p in paths]) for paths in lists]
    assert len(bodies[3]) == len(DIGEST)
    payloads = [payload(n, -11, content) for n, content in enumerate([b"", DIGEST, *bodies, *(content + DIGEST for content in bodies)])]
    rows = read(tmp_path, *payloads, create(50))
    assert rows["paths"].to_list() == [None, None, *lists, *lists, None]
    assert rows["digest"].is_not_null().to_list() == [False, True, *[False] * 5, *[True] * 5, False]


TYPES = {op.code: op for op in OPS if op.name not in ("multi", "closeSession")}
BODIES = st.sampled_from(sorted(TYPES)).flatmap(lambda code: st.tuples(st.just(code), values(jute.records()[TYPES[code].record])))
FIELDS = {"err": "error", "timeOut": "timeout", "parentCVersion": "parent_cversion"} | {n: n for n in ("version", "ttl", "ephemeral")}


@settings(max_examples=40, deadline=None)
@given(bodies=st.lists(st.tuples(BODIES, st.booleans()), min_size=1, max_size=12))
def test_rows_are_what_was_written(tmp_path_factory: pytest.TempPathFactory, bodies: list[tuple[tuple[int, dict[str, Any]], bool]]) -> None:
    """A log of any bodies, with and without digests, gives back every field."""
    contents = [(code, body(TYPES[code].record, **value) + DIGEST * digest) for (code, value), digest in bodies]
    payloads = [payload(n + 1, code, content) for n, (code, content) in enumerate(contents)]
    rows = read(tmp_path_factory.mktemp("log"), *payloads)
    for row, ((code, value), digest) in zip(rows.iter_rows(named=True), bodies, strict=True):
        assert (row["type"], row["op"], row["digest"]) == (code, TYPES[code].name, -5 if digest else None)
        for name in FIELDS.keys() & value.keys():
            assert row[FIELDS[name]] == value[name]
        if "path" in value:
            assert row["path"] == (None if value["path"] is None else reference.text(value["path"]))
        if "data" in value:
            assert row["data_len"] == (None if value["data"] is None else len(value["data"]))


@pytest.mark.parametrize(
    ("name", "zxid"),
    [("log.1", 1), ("a/b/log.ff", 255), ("bundle.tgz!/log.10.gz", 16), ("log.zzz", None), ("log.-1", None), ("log.-2", -2), ("log.", None),
     ("logs.1", None), ("log.10000000000000000", None), ("snapshot.1", None)],
)  # fmt: skip
def test_the_zxid_of_a_name(name: str, zxid: int | None) -> None:
    assert name_zxid(name, "log") == zxid


def test_sniff() -> None:
    snappy = (DATA / "3.8.0" / "snapshot.100000087.snappy").read_bytes()
    snapshot = (DATA / "3.9.3" / "snapshot.1000000a0.gz").read_bytes()
    assert [sniff(head) for head in (LOG_HEADER, gzip.compress(LOG_HEADER))] == ["txn_log", "txn_log"]
    assert [sniff(head) for head in (b"ZKSN", snapshot[:300], snappy)] == ["snapshot"] * 3
    assert [sniff(head) for head in (b"", b"ZK", b"\x1f\x8b\0\0", snappy[:20], bytes(64), b"2026-11-21 INFO")] == [None] * 6
