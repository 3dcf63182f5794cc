"""Strings that repeat and strings that do not are numbered in two ways; what is read does not depend on which."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from zabtrace.logs import LogRead, distinct, log_parts, read_log, records
from zabtrace.logs.distinct import Distinct
from zabtrace.source import Source


def test_numbers_of_strings() -> None:
    table = Distinct()
    codes, new = table.add(pl.Series(["b", "a", "b"]))
    assert (codes.tolist(), new.to_list(), table.count, table.bytes) == ([0, 1, 0], ["b", "a"], 2, 2)
    codes, new = table.add(pl.Series(["a", "c", "c"]))
    assert (codes.tolist(), new.to_list(), table.count) == ([1, 2, 2], ["c"], 3)


def test_varied_strings_have_a_number_each() -> None:
    table = Distinct()
    table.add(pl.Series(["a"]))
    varied = [f"line {number}" for number in range(distinct.SAMPLE)]
    codes, new = table.add(pl.Series([*varied, "a"]))
    assert (codes.tolist(), new.to_list()) == (list(range(1, distinct.SAMPLE + 2)), [*varied, "a"])
    codes, new = table.add(pl.Series(["a", "b"]))
    assert (codes.tolist(), new.to_list()) == ([0, distinct.SAMPLE + 2], ["b"])


def tables(log: LogRead) -> tuple[object, ...]:
    return (
        log.summary,
        log.sids,
        log.version,
        log.layout,
        log.zone,
        log.damage.rows(),
        log.lines.rows(),
        {k: f.rows() for k, f in log.fields.items()},
    )


@pytest.mark.parametrize("keep", [True, False], ids=["kept", "counted"])
def test_logs_read_the_same_either_way(samples: Path, monkeypatch: pytest.MonkeyPatch, keep: bool) -> None:
    path = samples / "recovered-3.8.0" / "server-1" / "zookeeper.log"
    monkeypatch.setattr(distinct, "SAMPLE", 1)
    found = []
    for share in (2.0, 0.0):
        monkeypatch.setattr(distinct, "VARIED", share)
        found.append(tables(read_log(Source(path.name, path), keep=keep)))
    assert found[0] == found[1]


@pytest.mark.parametrize("limit", ["ROWS", "TEXTS"])
def test_parts_are_the_whole(samples: Path, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    """However a log is cut into batches, and whether it is kept or gone through."""
    path = samples / "recovered-3.8.0" / "server-1" / "zookeeper.log"
    source = Source(path.name, path)
    whole = read_log(source)
    monkeypatch.setattr(records, limit, 0)
    monkeypatch.setattr("zabtrace.logs.read.BLOCK", 5000)
    counted = read_log(source, keep=False)
    assert tables(counted)[:-2] == tables(whole)[:-2]
    parts = list(log_parts(source, counted))
    assert len(parts) > 3
    assert pl.concat(lines for lines, _, _ in parts).rows() == whole.lines.rows()
    for kind, frame in whole.fields.items():
        found = pl.concat([fields[kind] for _, fields, _ in parts if kind in fields], how="diagonal")
        assert found.select(frame.columns).rows() == frame.rows()
    assert counted.span == (min(times := whole.lines["time"].drop_nulls()), times.min(), times.max())
