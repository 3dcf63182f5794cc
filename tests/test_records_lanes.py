"""Chains followed in many lanes, and checksums predicted for many records, against the loops that they must agree with."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from record_bytes import LOG_HEADER, create, frame, log, node, payload, snapshot, source

from zabtrace.records import checksums, hashing, lanes, read_snapshot, read_txn_log, walk
from zabtrace.records.snapshot import node_links
from zabtrace.records.txnlog import TxnLogRead

INNER = log(*(create(n, f"/inner-{n}", b"B" * n) for n in range(1, 12)), padding=3)
"""A whole transaction log: znodes may hold one, and a guess may fall into it."""


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lanes of a few records, so that small files have many."""
    _narrow(monkeypatch)


def _narrow(patch: pytest.MonkeyPatch) -> None:
    for name, value in (("SMALL", 0), ("LANE", 128), ("LANES", 1 << 20), ("WINDOWS", (40, 100))):
        patch.setattr(lanes, name, value)
    patch.setattr(checksums, "STRETCH", 7)


def contents(draw: random.Random, zxid: int) -> bytes:
    """A payload: short, long, with frames or whole logs in its data."""
    kind = draw.randrange(8)
    inner = {0: INNER, 1: INNER[draw.randrange(60) :], 2: bytes(200), 3: b"B" * 90, 4: frame(create(zxid + 1))}.get(kind)
    return create(zxid, "/a" * draw.randrange(1, 9), draw.randbytes(draw.randrange(60)) if inner is None else inner)


def spoil(content: bytes, draw: random.Random) -> bytes:
    """One thing that happens to files."""
    at, spoilt = draw.randrange(16, len(content)), bytearray(content)
    match draw.choice(("nothing", "cut", "zeros", "bit", "length", "hole", "inserted")):
        case "cut":
            return content[:at]
        case "zeros":
            return content[:at] + bytes(draw.randrange(300))
        case "bit":
            spoilt[at] ^= 1 << draw.randrange(8)
        case "length":
            spoilt[at : at + 4] = struct.pack(">i", draw.choice((-1, 0, 1, 33, 400, 1 << 30)))
        case "hole":
            spoilt[at : at + 50] = bytes(50)
        case "inserted":
            return content[:at] + draw.randbytes(draw.randrange(40)) + content[at:]
    return bytes(spoilt)


def logs(count: int) -> Iterator[bytes]:
    """Logs of many shapes, sound and damaged."""
    for seed in range(count):
        draw = random.Random(seed)
        content = log(*(contents(draw, n) for n in range(1, draw.randrange(2, 60))), padding=draw.choice((0, 5, 3000)))
        for _ in range(draw.randrange(3)):
            content = spoil(content, draw)
        yield content


@pytest.mark.usefixtures("narrow")
def test_lanes_are_the_loop() -> None:
    guessed = 0
    for content in logs(400):
        links, end = walk.links(np.frombuffer(content, dtype=np.uint8)), len(content) - 13
        found, stop = lanes.follow(links, 16, end) if end > 16 else (np.zeros(0), 16)
        expected = lanes.one_by_one(links, 16, end) if end > 16 else ([], 16)
        assert (found.tolist(), stop) == expected
        guessed += end > 16 and not np.isin(lanes._guess(links, 16, end), expected[0]).all()
    assert guessed > 40  # wrong starts do happen: the way back from them is tried


@pytest.mark.usefixtures("narrow")
def test_lanes_of_a_snapshot_are_the_loop() -> None:
    for seed in range(150):
        draw = random.Random(seed)
        inner = snapshot(*(node(f"/in/{n}", bytes(n)) for n in range(9)))
        data = [None, b"", b"x" * 40, inner, inner[70:], b"\0\0\0\2/a" + b"\xff" * 4 + bytes(68)]
        content = snapshot(node(""), *(node(f"/{n}" * draw.randrange(1, 6), draw.choice(data)) for n in range(draw.randrange(1, 50))))
        for _ in range(draw.randrange(2)):
            content = spoil(content, draw)
        links, begin = node_links(np.frombuffer(content, dtype=np.uint8)), content.index(b"\0\0\0\0\0\0\0\0", 60)
        found, stop = lanes.follow(links, begin, len(content))
        assert (found.tolist(), stop) == lanes.one_by_one(links, begin, len(content))


def everything(found: TxnLogRead) -> list[list[tuple[object, ...]]]:
    return [table.rows() for table in (found.txns, found.ops, found.file, found.damage)]


def test_segments_and_lanes_read_what_one_loop_reads(tmp_path: Path) -> None:
    """Rows, ending and damage are the same whether a log is read at once or in segments that end anywhere."""
    for number, content in enumerate(logs(150)):
        at_once = read_txn_log(source(tmp_path, content))
        with pytest.MonkeyPatch.context() as patch:
            _narrow(patch)
            patch.setattr(walk, "SEGMENT", 40 + 37 * (number % 9))
            in_pieces = read_txn_log(source(tmp_path, content))
        assert everything(in_pieces) == everything(at_once), number


@pytest.mark.usefixtures("narrow")
def test_bad_records_between_segments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More bad records in a row than a segment holds: kept where good ones follow, damage behind the last good one otherwise."""
    monkeypatch.setattr(walk, "SEGMENT", 100)
    bad = [frame(create(n, "/bad"), adler=n) for n in range(2, 30)]
    between = read_txn_log(source(tmp_path, LOG_HEADER + frame(create(1)) + b"".join(bad) + frame(create(30)) + bytes(9)))
    assert between.txns["zxid"].to_list() == list(range(1, 31))
    assert between.txns["checksum_ok"].to_list() == [True] + [False] * 28 + [True]
    assert between.damage["zxid"].to_list() == [1] * 28


@settings(max_examples=60, deadline=None)
@given(sizes=st.lists(st.integers(1, 400), min_size=1, max_size=30), seed=st.integers(0, 1 << 30), data=st.data())
def test_a_changed_bit_changes_the_predicted_checksum(sizes: list[int], seed: int, data: st.DataObject) -> None:
    """Of sound records all are right; of one changed bit in a payload or in a stored checksum, just that record is wrong."""
    draw = random.Random(seed)
    frames = [frame(draw.randbytes(size)) for size in sizes]
    content = bytearray(b"?" + b"".join(frames))
    offset = 1 + np.cumsum([0, *map(len, frames)])[:-1]
    length = np.array(sizes)

    def right() -> list[bool]:
        buffer = np.frombuffer(bytes(content), dtype=np.uint8)
        stored = np.array([struct.unpack_from(">q", content, at)[0] for at in offset])
        found = checksums.right(buffer, offset, length, stored)
        assert found.tolist() == checksums.one_by_one(buffer, offset, length, stored).tolist()
        return found.tolist()

    assert right() == [True] * len(sizes)
    record = data.draw(st.integers(0, len(sizes) - 1))
    at = int(offset[record]) + data.draw(st.sampled_from([*range(8), *range(12, 12 + sizes[record])]))
    content[at] ^= 1 << data.draw(st.integers(0, 7))
    assert right() == [place != record for place in range(len(sizes))]


def test_a_checksum_that_no_adler_can_be_is_wrong() -> None:
    """65521 and 0 are the same modulo 65521, but not the same checksum."""
    content = bytes(20)
    stored = np.array([(20 % 65521) << 16 | 1, (20 + 65521 - 0) << 16 | 1])
    frames = [struct.pack(">qi", value, 20) + content + b"B" for value in stored.tolist()]
    buffer = np.frombuffer(b"".join(frames), dtype=np.uint8)
    assert checksums.right(buffer, np.array([0, 33]), np.array([20, 20]), stored).tolist() == [True, False]


def test_long_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums of many large records do not overflow."""
    content = frame(b"\xff" * 70_000)
    buffer = np.frombuffer(content * 60, dtype=np.uint8)
    offset = np.arange(60, dtype=np.int64) * len(content)
    stored = np.full(60, struct.unpack_from(">q", content)[0])
    monkeypatch.setattr(checksums, "one_by_one", None)
    assert checksums.right(buffer, offset, np.full(60, 70_000), stored).all()


def test_hashes_differ_and_do_not_depend_on_what_lies_around() -> None:
    """All ranges of one buffer: equal bytes have equal hashes, different bytes (of any length, at any place) different ones."""
    buffer = np.frombuffer(random.Random(5).randbytes(40) * 2 + bytes(60), dtype=np.uint8)
    ranges = [(at, size) for at in range(buffer.size) for size in range(buffer.size - at + 1)]
    start, length = (np.array(part) for part in zip(*ranges, strict=True))
    found = hashing.hashes(buffer, start, length).tolist()
    contents = [buffer[at : at + size].tobytes() for at, size in ranges]
    assert len(set(found)) == len(set(contents)) == len(set(zip(found, contents, strict=True)))


def test_large_files_are_read_in_lanes(tmp_path: Path) -> None:
    """Without any patch: a log and a snapshot of more than SMALL bytes."""
    draw = random.Random(3)
    frames = [frame(contents(draw, n)) for n in range(1, 4_000)] * 6
    content = LOG_HEADER + b"".join(frames)
    assert len(content) > lanes.SMALL
    found = read_txn_log(source(tmp_path, content + bytes(100)))
    assert found.txns["offset"].to_list() == (16 + np.cumsum([0, *map(len, frames)])[:-1]).tolist()
    assert found.txns["checksum_ok"].all()
    nodes = [node(f"/{n}", b"d" * draw.randrange(300)) for n in range(12_000)]
    read = read_snapshot(source(tmp_path, snapshot(node(""), *nodes), "snapshot.5"), znodes=True)
    assert read.snapshot["valid"][0]
    assert read.znodes["path"].to_list() == ["/", *(f"/{n}" for n in range(12_000))]


def test_multis_in_later_batches_keep_their_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from zabtrace.records import txnlog

    monkeypatch.setattr(txnlog, "CHUNK", 3)
    found = read_txn_log(source(tmp_path, log(*(create(n, f"/{n}") if n % 3 else payload(n, 99) for n in range(1, 12)))))
    assert found.txns["path"].to_list() == [f"/{n}" if n % 3 else None for n in range(1, 12)]
    assert found.damage.filter(pl.col("harm") == "none")["reason"][0].startswith("3 records of op code 99")
