"""Damaged transaction logs: every damage is a row with its place and harm, and reading goes on behind it."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from record_bytes import LOG_HEADER, create, frame, log, payload, source

from zabtrace.records import opcodes, read_snapshot, read_txn_log, walk
from zabtrace.records.txnlog import TxnLogRead

ZXIDS = [1, 2, 3, 4, 5]
PAYLOADS = [create(zxid, f"/node-{zxid}", b"data" * zxid) for zxid in ZXIDS]
FRAMES = [frame(content) for content in PAYLOADS]
STARTS = [len(LOG_HEADER) + sum(map(len, FRAMES[:n])) for n in range(len(FRAMES) + 1)]
WHOLE = LOG_HEADER + b"".join(FRAMES)


def read(folder: Path, content: bytes, name: str = "log.1") -> TxnLogRead:
    return read_txn_log(source(folder, content, name))


def file_row(found: TxnLogRead) -> tuple[Any, ...]:
    return found.file.select("records", "last_zxid", "end", "ending").row(0)


def damage(found: TxnLogRead) -> list[tuple[Any, ...]]:
    return found.damage.select("offset", "harm", "zxid").rows()


@pytest.mark.parametrize("padding", [0, 4096], ids=["end of file", "zeros"])
def test_a_log_torn_at_any_byte(tmp_path: Path, padding: int) -> None:
    """What crash and truncation leave: the whole records before the cut, and at most a torn tail at the cut record's start."""
    for cut in range(STARTS[3]):
        found = read(tmp_path, WHOLE[:cut] + bytes(padding))
        whole = sum(start <= cut for start in STARTS[1:])
        last = STARTS[whole]
        left = WHOLE[last:cut].rstrip(b"\0")
        if cut < len(LOG_HEADER):
            padded = "data" if cut < 4 else "none" if cut < 8 else ""  # no magic; version 0; the rest of a header are zeros anyway
            assert set(found.damage["harm"]) == ({padded} - {""} if padding else {"tail"})
            continue
        assert found.txns["zxid"].to_list() == ZXIDS[:whole]
        assert found.txns["checksum_ok"].all()
        assert damage(found) == ([(last, "tail", whole or None)] if left else [])
        ending = "torn" if left else "empty" if not whole else "padded" if padding or cut > last else "unpadded"
        assert file_row(found) == (whole, whole or None, last, ending)


def test_any_changed_bit_is_found(tmp_path: Path) -> None:
    """Each bit of each record in turn: never unseen, never another record lost, and named at the record it lies in."""
    content = bytearray(WHOLE + bytes(64))
    for place in range(STARTS[1], STARTS[3]):
        content[place] ^= 1 << place % 8
        found = read(tmp_path, bytes(content))
        content[place] ^= 1 << place % 8
        hit = 1 if place < STARTS[2] else 2
        assert damage(found) == [(STARTS[hit], "data", hit)], place
        good = found.txns.filter("checksum_ok")["zxid"].to_list()
        assert set(good) >= set(ZXIDS) - {hit + 1}, place


def test_any_changed_bit_of_the_last_record_is_found(tmp_path: Path) -> None:
    content = bytearray(WHOLE + bytes(64))
    for place in range(STARTS[4], STARTS[5]):
        content[place] ^= 1 << place % 8
        found = read(tmp_path, bytes(content))
        content[place] ^= 1 << place % 8
        assert damage(found) == [(STARTS[4], "data", 4)], place


def test_a_wrong_checksum_keeps_the_record(tmp_path: Path) -> None:
    found = read(tmp_path, LOG_HEADER + FRAMES[0] + frame(PAYLOADS[1], adler=5) + FRAMES[2] + bytes(64))
    assert found.txns.select("zxid", "checksum_ok", "path").rows() == [(1, True, "/node-1"), (2, False, "/node-2"), (3, True, "/node-3")]
    assert f"Adler-32 of {len(PAYLOADS[1])} bytes is {zlib.adler32(PAYLOADS[1]):#x}, stored 0x5" in found.damage["reason"][0]
    assert file_row(found) == (2, 3, STARTS[3], "padded")


def test_a_wrong_checksum_and_no_body_is_only_damage(tmp_path: Path) -> None:
    found = read(tmp_path, LOG_HEADER + FRAMES[0] + frame(payload(2, 5, b"??"), adler=5) + FRAMES[2] + bytes(64))
    assert found.txns["zxid"].to_list() == [1, 3]
    assert damage(found) == [(STARTS[1], "data", 1)]


def test_a_wrong_end_byte_ends_the_file_for_a_server_only(tmp_path: Path) -> None:
    """The payload's checksum is right, so the record is shown; the row says that a server stops there."""
    content = bytearray(WHOLE + bytes(64))
    content[STARTS[2] - 1] = 0x43
    found = read(tmp_path, bytes(content))
    assert found.txns["zxid"].to_list() == ZXIDS
    assert damage(found) == [(STARTS[1], "data", 1)]
    assert "0x43" in found.damage["reason"][0]


def test_a_wrong_checksum_with_garbage_behind_it(tmp_path: Path) -> None:
    """The frame leads to an end-of-record byte, but neither it nor what follows is sound."""
    for rest, zxids in ((b"garbage", [1]), (b"garbage" + FRAMES[2], [1, 3])):
        found = read(tmp_path, LOG_HEADER + FRAMES[0] + frame(PAYLOADS[1], adler=5) + rest)
        assert found.txns.filter("checksum_ok")["zxid"].to_list() == zxids
        assert damage(found) == [(STARTS[1], "data", 1)]
        assert "stored 0x5" in found.damage["reason"][0]


@pytest.mark.parametrize("size", [20, 4096])
def test_a_hole_of_zeros_is_not_the_end(tmp_path: Path, size: int) -> None:
    found = read(tmp_path, LOG_HEADER + FRAMES[0] + bytes(size) + FRAMES[2] + bytes(64))
    assert found.txns["zxid"].to_list() == [1, 3]
    assert damage(found) == [(STARTS[1], "data", 1)]
    assert f"Reading goes on at {STARTS[1] + size}" in found.damage["reason"][0]


def test_an_older_log_inside_damaged_data_is_not_taken_for_records(tmp_path: Path) -> None:
    """A znode may hold a whole transaction log; its zxids are lower than the last good one."""
    inner = create(12, "/copy", WHOLE)
    broken = bytearray(frame(inner))
    broken[10] ^= 1
    found = read(tmp_path, LOG_HEADER + frame(create(11)) + bytes(broken) + frame(create(13)) + bytes(64))
    assert set(found.txns["zxid"]) == {11, 12, 13}


def test_a_whole_log_inside_sound_data_is_data(tmp_path: Path) -> None:
    found = read(tmp_path, log(create(11, "/copy", WHOLE), create(12)), "log.b")
    assert found.txns["zxid"].to_list() == [11, 12]
    assert found.damage.is_empty()


@pytest.mark.parametrize(
    ("content", "harm", "ending"),
    [
        pytest.param(b"", ["tail"], "empty", id="no bytes"),
        pytest.param(LOG_HEADER[:10], ["tail"], "empty", id="half a header"),
        pytest.param(LOG_HEADER, [], "empty", id="only a header"),
        pytest.param(LOG_HEADER + bytes(4096), [], "empty", id="header and padding"),
        pytest.param(b"X" + WHOLE[1:], ["data"], "unpadded", id="wrong magic, whole records"),
        pytest.param(b"not a log, just text of some length, more than a header", ["data"], "damaged", id="text"),
        pytest.param(bytes(100), ["data"], "empty", id="zeros"),
    ],
)
def test_headers(tmp_path: Path, content: bytes, harm: list[str], ending: str) -> None:
    found = read(tmp_path, content)
    assert (found.damage["harm"].to_list(), found.file["ending"][0]) == (harm, ending)


def test_files_of_version_1_are_named_as_such(tmp_path: Path) -> None:
    """Before ZooKeeper 3.0: no header, no checksums; layouts from UpgradeSnapShotV1 of 3.4."""
    record = create(1)
    old = struct.pack(">i", len(record)) + record + b"B"
    found = read(tmp_path, old + old + bytes(100))
    assert [reason[:33] for reason in found.damage["reason"]] == ["a transaction log of version 1, f"]
    assert found.txns.is_empty()
    assert "log begins with 5a4b4c47" in read(tmp_path, b"abcd" + old).damage["reason"][0]
    tree = struct.pack(">i", 1) + struct.pack(">qi", 7, 1) + struct.pack(">iii", 0, -1, -1) + bytes(64) + b"\0\0\0\1/"
    assert "of version 1, from before" in read_snapshot(source(tmp_path, tree, "snapshot.1")).damage["reason"][0]
    assert "begins with 5a4b534e" in read_snapshot(source(tmp_path, tree[:-1], "snapshot.1")).damage["reason"][0]


def test_any_changed_bit_of_the_file_header_is_found(tmp_path: Path) -> None:
    content = bytearray(WHOLE + bytes(64))
    for bit in range(16 * 8):
        content[bit // 8] ^= 1 << bit % 8
        found = read(tmp_path, bytes(content))
        content[bit // 8] ^= 1 << bit % 8
        assert found.damage["harm"].to_list() == (["data"] if bit < 32 else ["none"]), bit
        assert found.txns["zxid"].to_list() == ZXIDS


def test_a_name_that_is_not_the_first_record(tmp_path: Path) -> None:
    found = read(tmp_path, WHOLE, "log.2")
    assert damage(found) == [(16, "none", None)]
    assert found.damage["reason"][0] == "the file's name says 0x2, its first record is 0x1"


@pytest.mark.parametrize("length", [-1, 5, 1 << 30, -(1 << 31)])
def test_absurd_lengths(tmp_path: Path, length: int) -> None:
    found = read(tmp_path, LOG_HEADER + FRAMES[0] + struct.pack(">qi", 77, length) + b"x" * 40 + bytes(64))
    assert damage(found) == [(STARTS[1], "data", 1)]
    assert file_row(found) == (1, 1, STARTS[1], "damaged")


def test_the_list_of_damage_is_bounded(tmp_path: Path) -> None:
    found = read(tmp_path, LOG_HEADER + frame(create(1), adler=1) * 3000)
    assert found.damage.height == 1001
    assert found.damage["reason"][-1] == "2000 further damaged places are not listed"
    assert found.txns.height == 3000


def test_a_search_that_is_given_up_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "MOST_BREAKS", 1)
    found = read(tmp_path, LOG_HEADER + b"???".join(FRAMES))
    assert found.txns["zxid"].to_list() == [1, 2]
    assert found.damage["reason"][-1] == "the search for records behind this place was given up after 2 damaged places"


@settings(max_examples=150, deadline=None)
@given(content=st.binary(max_size=300), start=st.sampled_from([b"", LOG_HEADER, LOG_HEADER + FRAMES[0]]))
def test_nothing_raises(tmp_path_factory: pytest.TempPathFactory, content: bytes, start: bytes) -> None:
    found = read(tmp_path_factory.mktemp("log"), start + content)
    assert found.damage.height or not content.strip(b"\0") or len(start + content) <= 16


@settings(max_examples=80, deadline=None)
@given(contents=st.lists(st.binary(max_size=60), min_size=1, max_size=5), code=st.sampled_from([*opcodes.BY_CODE, 3]))
def test_no_body_raises(tmp_path_factory: pytest.TempPathFactory, contents: list[bytes], code: int) -> None:
    """Any bytes behind a right checksum: every record is a row, and a body that is none is named."""
    found = read(tmp_path_factory.mktemp("log"), log(*(payload(n + 1, code, content) for n, content in enumerate(contents))))
    assert found.txns["zxid"].to_list() == list(range(1, len(contents) + 1))
