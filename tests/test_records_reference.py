"""Columns against the reference reader on whole files: real ones, and made ones that hold every kind of transaction; work ahead."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import one_by_one
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from record_bytes import create, log, source

from zabtrace.evidence import gather
from zabtrace.records import TxnLog, lanes, read_txn_log, sniff, txnlog, znodes
from zabtrace.records.ahead import THREADS, ahead
from zabtrace.records.columns import Slices, each_distinct
from zabtrace.replay.tree_digests import digests
from zabtrace.source import Source

sys.path.append(str(Path(__file__).parent / "benchmarks"))
import made_records

SAMPLES = Path(__file__).parent.parent / "sample_logs"
DATA = [path for path in sorted(SAMPLES.rglob("*")) if path.is_file() and path.name.startswith(("log.", "snapshot."))]


def test_real_files_are_read_as_the_reference_reads_them() -> None:
    counts = {"txn_log": 0, "snapshot": 0}
    for path in DATA:
        here = Source(path.name, path)
        kind = sniff(here.head())
        assert kind is not None
        first, _, wrong = one_by_one.COMPARED[kind](here)
        assert not wrong, path
        counts[kind] += first
    assert min(counts.values()) > 400


@pytest.mark.parametrize("small", [0, lanes.SMALL], ids=["in lanes", "one by one"])
def test_made_files_of_all_kinds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: int) -> None:
    """Small parts and lanes, so that records lie on all kinds of edges."""
    monkeypatch.setattr(lanes, "SMALL", small)
    monkeypatch.setattr(txnlog, "CHUNK", 700)
    monkeypatch.setattr(znodes, "CHUNK", 300)
    made_records.write_log(tmp_path / "log.100000001", 4_000)
    records, members, wrong = one_by_one.compare_log(Source("log.100000001", tmp_path / "log.100000001"))
    assert (records, wrong) == (4_000, [])
    assert members > 30
    kinds = read_txn_log(Source("log.100000001", tmp_path / "log.100000001")).txns["op"].unique()
    assert len(kinds) >= 8
    replayed = digests(gather([str(tmp_path / "log.100000001")]))
    assert (replayed.frame.height, replayed.unchecked) == (0, 0)
    assert replayed.compared > 3_900
    made_records.write_snapshot(tmp_path / "snapshot.100000001", 2_000)
    nodes, others, wrong = one_by_one.compare_snapshot(Source("snapshot.100000001", tmp_path / "snapshot.100000001"))
    assert nodes >= 2_000
    assert others > 1
    assert wrong == []


@given(st.lists(st.one_of(st.none(), st.sampled_from([b"", b"a" * 31, b"b" * 8, b"c", b"d" * 200]), st.binary(max_size=12)), max_size=90))
def test_what_repeats_is_made_once_and_stands_where_it_did(contents: list[bytes | None]) -> None:
    """The last of them ends where the buffer does: nothing behind it may be read."""
    length = np.array([-1 if content is None else len(content) for content in contents], dtype=np.int64)
    start = np.cumsum(np.maximum(length, 0)) - np.maximum(length, 0)
    buffer = np.frombuffer(b"".join(content or b"" for content in contents), dtype=np.uint8)
    made: list[bytes] = []

    def what(content: bytes) -> str:
        made.append(content)
        return content.hex() + "."

    found = each_distinct(buffer, Slices(start, length), what)
    assert found.to_list() == [None if content is None else content.hex() + "." for content in contents]
    assert len(made) == len(set(made))


def test_the_comparison_can_fail(tmp_path: Path) -> None:
    rows = [row for row, _ in one_by_one.records(log(create(1, "/a"), create(2, "/b")))]
    found = read_txn_log(source(tmp_path, log(create(1, "/a"), create(2, "/c")))).txns
    assert [line for line in one_by_one.differences(rows, found) if "path" in line] == ["row 1 path: '/b', not '/c'"]
    assert one_by_one.differences(rows, found.head(1))[0] == "2 records, 1 rows"


def test_without_hashes_all_else_is_the_same(tmp_path: Path) -> None:
    here = source(tmp_path, log(*(create(n, f"/{n}") for n in range(1, 9))))
    bare, whole = (pl.concat(part.txns for part in TxnLog(here, hashed=hashed)) for hashed in (False, True))
    assert bare.drop("payload_hash").equals(whole.drop("payload_hash"))
    assert (bare["payload_hash"].null_count(), whole["payload_hash"].n_unique()) == (8, 8)


@pytest.mark.parametrize("count", [0, 1, 2, 9])
def test_work_ahead_keeps_order_and_bounds(count: int) -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for number in range(count):
            taken += 1
            yield number

    found = []
    for result in ahead(lambda number: number * 2, items()):
        found.append(result)
        assert taken <= len(found) + THREADS
    assert found == [2 * number for number in range(count)]


def test_what_goes_wrong_ahead_is_raised_in_its_place() -> None:
    found = ahead(lambda number: 6 // number, [3, 2, 0, 1])
    assert [next(found), next(found)] == [2, 3]
    with pytest.raises(ZeroDivisionError):
        next(found)
