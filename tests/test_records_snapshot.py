"""Snapshots as tables: against the dumps of ZooKeeper's own formatter, and damaged in every way."""

from __future__ import annotations

import base64
import gzip
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from record_bytes import DATA, node, snapshot, source

from zabtrace.records import read_snapshot, snappy
from zabtrace.records.snapshot import SnapshotRead
from zabtrace.source import Source

FIELDS = {
    "cZxid": "czxid", "mZxid": "mzxid", "pZxid": "pzxid", "cversion": "cversion", "dataVersion": "version", "aclVersion": "aversion",
    "ephemeralOwner": "ephemeral_owner",
}  # fmt: skip
UNSIGNED = (1 << 64) - 1
EMPTY_TREE = 68323592 + 1303661912  # the digests of "" and /zookeeper at birth
SMALL = snapshot(node(""), node("/zookeeper"), node("/a", b"hello", mzxid=5), digest=(5, 99), last_zxid=5)


def read(folder: Path, content: bytes, name: str = "snapshot.5") -> SnapshotRead:
    return read_snapshot(source(folder, content, name), znodes=True)


def row(found: SnapshotRead) -> dict[str, Any]:
    return found.snapshot.row(0, named=True)


def dumped(path: Path) -> dict[str, dict[str, Any]]:
    """Stats and data of every znode in a dump of SnapshotFormatter."""
    nodes: dict[str, dict[str, Any]] = {}
    for block in gzip.decompress(path.read_bytes()).decode().split("----\n"):
        if block.startswith("/"):
            name, *lines = block.splitlines()
            fields = dict(re.split(r" = ?", line.strip(), maxsplit=1) for line in lines)
            nodes[name] = {FIELDS[key]: int(value, 0) & UNSIGNED for key, value in fields.items() if key in FIELDS}
            nodes[name]["data"] = base64.b64decode(fields["data"].strip())
    return nodes


@pytest.mark.parametrize(
    ("file", "compression", "expected"),
    [
        ("3.9.3/snapshot.1000000a0.gz", "gz", {"zxid": 0x1000000A0, "nodes": 147, "sessions": 2, "last_zxid": 0x1000000A0}),
        ("3.8.0/snapshot.100000087.snappy", "snappy", {"zxid": 0x100000087, "last_zxid": None}),
    ],
)
def test_official_dump(file: str, compression: str, expected: dict[str, Any]) -> None:
    path = DATA / file
    found = read_snapshot(Source(path.name, path), znodes=True)
    raw = gzip.decompress(path.read_bytes()) if compression == "gz" else _unsnapped(path.read_bytes())
    nodes = {
        node["path"]: {name: node[name] & UNSIGNED for name in FIELDS.values()}
        | {"data": raw[node["data_offset"] : node["data_offset"] + node["data_len"]] if node["data_len"] else b""}
        for node in found.znodes.iter_rows(named=True)
    }
    assert nodes == dumped(DATA / f"{file}.txt.gz")
    read = row(found)
    assert {name: read[name] for name in expected} == expected
    assert (read["valid"], read["reason"], read["compression"], read["bytes"]) == (True, None, compression, path.stat().st_size)
    assert found.damage.is_empty()


def _unsnapped(content: bytes) -> bytes:
    """Another reading of snappy-java's stream: the varint by arithmetic, the blocks by pyarrow."""
    at, whole = 16, b""
    while at < len(content):
        (length,) = struct.unpack_from(">i", content, at)
        block = content[at + 4 : at + 4 + length]
        size = sum((byte & 127) << 7 * n for n, byte in enumerate(re.match(rb"[\x80-\xff]*[\x00-\x7f]", block, re.DOTALL)[0]))  # type: ignore[index]
        whole += pa.decompress(block, size, "snappy", asbytes=True)
        at += 4 + length
    return whole


def test_the_digest_of_a_quiet_snapshot_is_the_stored_one() -> None:
    """Written by 3.9.3 with no write in flight: our sum over the znodes equals the server's."""
    path = DATA / "3.9.3" / "snapshot.1000000a0.gz"
    read = row(read_snapshot(Source(path.name, path)))
    assert read["tree_digest"] == read["digest"]
    assert read["digest_zxid"] == read["max_zxid"] == 0x1000000A0


def test_the_worked_example_of_the_digest(tmp_path: Path) -> None:
    """All numbers computed apart from this program and equal to what a 3.9.3 server stored."""
    assert row(read(tmp_path, snapshot(node(""), node("/zookeeper"))))["tree_digest"] == EMPTY_TREE == 1371985504
    time = 0x01A1FB67543C
    made = node("/a", b"hello", czxid=2, mzxid=2, pzxid=2, ctime=time, mtime=time)
    nodes = [node("", cversion=1, pzxid=2), node("/zookeeper"), node("/zookeeper/quota"), made]
    assert row(read(tmp_path, snapshot(*nodes)))["tree_digest"] == 2519617002
    time = 0x01A1FB675450
    other = node("/été", bytes.fromhex("78e4b8ad"), czxid=6, mzxid=6, pzxid=6, ctime=time, mtime=time)
    assert row(read(tmp_path, snapshot(node(""), node("/zookeeper"), other)))["tree_digest"] == EMPTY_TREE + 3850768483


def test_the_largest_zxid_is_that_of_the_users_nodes(tmp_path: Path) -> None:
    system = [node("/zookeeper", pzxid=90), node("/zookeeper/config", mzxid=80)]
    nodes = [node(""), *system, node("/zookeepers", czxid=3), node("/zoo", pzxid=4)]
    assert row(read(tmp_path, snapshot(*nodes)))["max_zxid"] == 4


@pytest.mark.parametrize(
    ("digest", "last_zxid"), [(None, None), ((7, -3), None), (None, 9), ((7, -3), 9)], ids=["3.5", "3.6", "3.9 without digest", "3.9"]
)
def test_sections_of_every_release(tmp_path: Path, digest: tuple[int, int] | None, last_zxid: int | None) -> None:
    read_row = row(read(tmp_path, snapshot(node(""), node("/a"), sessions=3, digest=digest, last_zxid=last_zxid)))
    assert (read_row["digest_zxid"], read_row["digest"]) == (digest or (None, None))
    assert (read_row["last_zxid"], read_row["valid"], read_row["sessions"], read_row["nodes"]) == (last_zxid, True, 3, 2)


def test_null_and_empty_data(tmp_path: Path) -> None:
    nodes = read(tmp_path, snapshot(node("", None), node("/a", b""), node("/b", b"xyz"))).znodes
    assert nodes["path"].to_list() == ["/", "/a", "/b"]
    assert nodes["data_len"].to_list() == [None, 0, 3]
    assert nodes["data_offset"].is_null().to_list() == [True, False, False]


def test_sessions_and_acl_lists(tmp_path: Path) -> None:
    """What record_bytes.snapshot writes; those before a damaged place are kept."""
    content = snapshot(node("", acl=1), sessions=3)
    for found in (read(tmp_path, content), read(tmp_path, content[:-20])):
        assert found.sessions.drop("server", "copy").rows() == [("snapshot.5", 100 + n, 4000) for n in range(3)]
        assert found.acls.drop("server", "copy").rows() == [("snapshot.5", 1, "31:world:anyone")]


def test_a_znode_that_is_named_like_the_end_does_not_end_it(tmp_path: Path) -> None:
    nodes = read(tmp_path, snapshot(node(""), node("/x", b"\0\0\0\1/\0\0"), node("/y"))).znodes
    assert nodes["path"].to_list() == ["/", "/x", "/y"]


def test_a_snapshot_cut_at_any_byte(tmp_path: Path) -> None:
    """Never an exception; a cut just behind the seal of an earlier section is a whole snapshot of an older release."""
    whole = {len(snapshot(node(""), node("/zookeeper"), node("/a", b"hello", mzxid=5), **later)) for later in ({}, {"digest": (5, 99)})}
    for cut in range(1, len(SMALL)):
        found = read(tmp_path, SMALL[:cut])
        assert row(found)["valid"] == (cut in whole), cut
        assert found.damage["harm"].to_list() == ([] if cut in whole else ["data"]), cut
        assert (row(found)["reason"] is None) == (cut in whole)


def test_any_changed_bit_makes_it_invalid(tmp_path: Path) -> None:
    """A server does not look at the header's version and dbid, but the seals cover them."""
    content = bytearray(SMALL)
    for place in range(len(SMALL)):
        content[place] ^= 1 << place % 8
        found = read(tmp_path, bytes(content))
        content[place] ^= 1 << place % 8
        assert not row(found)["valid"], place
        assert found.damage["harm"].to_list() == ["data"], place


@pytest.mark.parametrize(
    ("content", "name", "harm"),
    [
        pytest.param(b"", "snapshot.5", "data", id="empty"),
        pytest.param(b"", "snapshot.5.tmp", "tail", id="empty and not finished"),
        pytest.param(SMALL[:200], "snapshot.5.tmp", "tail", id="not finished"),
        pytest.param(b"ZKLG" + SMALL[4:], "snapshot.5", "data", id="magic"),
        pytest.param(SMALL + b"x", "snapshot.5", "data", id="more behind it"),
    ],
)
def test_invalid(tmp_path: Path, content: bytes, name: str, harm: str) -> None:
    found = read(tmp_path, content, name)
    assert (row(found)["valid"], found.damage["harm"].to_list(), row(found)["zxid"]) == (False, [harm], 5)
    assert row(found)["reason"] == found.damage["reason"][0]


def test_what_was_read_before_the_damage_is_shown(tmp_path: Path) -> None:
    at = SMALL.index(b"/a") - 4
    found = read(tmp_path, SMALL[: at + 9])
    assert found.znodes["path"].to_list() == ["/", "/zookeeper"]
    assert found.damage["offset"].to_list() == [at]


@pytest.mark.parametrize("count", [-1, 1 << 30])
def test_absurd_counts(tmp_path: Path, count: int) -> None:
    found = read(tmp_path, SMALL[:16] + struct.pack(">i", count) + SMALL[20:])
    assert f"{count} entries need" in found.damage["reason"][0]


def _snapped(content: bytes, block: int = 100) -> bytes:
    blocks = [pa.compress(content[at : at + block], "snappy", asbytes=True) for at in range(0, len(content), block)]
    return b"\x82SNAPPY\0" + struct.pack(">ii", 1, 1) + b"".join(struct.pack(">i", len(part)) + part for part in blocks)


def test_compressed_snapshots_cut_anywhere(tmp_path: Path) -> None:
    for name, content in (("snapshot.5.snappy", _snapped(SMALL)), ("snapshot.5.gz", gzip.compress(SMALL))):
        assert row(read(tmp_path, content, name))["valid"]
        for cut in range(1, len(content), 7):
            found = read(tmp_path, content[:cut], name)
            assert not row(found)["valid"], (name, cut)
            assert row(found)["reason"], (name, cut)


def test_a_bomb_is_not_unfolded(tmp_path: Path) -> None:
    bomb = _snapped(bytes(1 << 20), 1 << 16)
    with pytest.raises(snappy.SnappyError, match="more than 100000 bytes"):
        snappy.decompress(memoryview(bomb), 100_000)
    claims = b"\x82SNAPPY\0" + struct.pack(">iii", 1, 1, 6) + b"\xff\xff\xff\xff\x07\0"
    assert "claims" in read(tmp_path, claims, "snapshot.5.snappy").damage["reason"][0]


@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=200), start=st.sampled_from([b"", SMALL[:16], SMALL[:36], SMALL[:100], _snapped(SMALL)[:30]]))
def test_nothing_raises(tmp_path_factory: pytest.TempPathFactory, content: bytes, start: bytes) -> None:
    found = read(tmp_path_factory.mktemp("snapshot"), start + content)
    assert row(found)["valid"] is False
    assert found.damage.height == 1


def test_adler_is_that_of_zlib() -> None:
    """The seal of the fixture, checked by hand: everything before the last 13 bytes."""
    assert struct.unpack(">q", SMALL[-13:-5])[0] == zlib.adler32(SMALL[:-13])
