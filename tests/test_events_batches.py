"""Lines listed batch by batch are those that are read at once, and originals are found again as runs of lines."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest

from zabtrace import evidence
from zabtrace.evidence.originals import originals, runs, standing, turned
from zabtrace.logs import records


def listed(*arguments: Path) -> pl.DataFrame:
    _, parts = evidence.lines([str(path) for path in arguments])
    return pl.concat([part.lines for part in parts])


@pytest.mark.parametrize("sample", ["truncated-3.8.0", "shadowed-3.9.3"])
def test_batches_are_the_whole(samples: Path, monkeypatch: pytest.MonkeyPatch, sample: str) -> None:
    whole = evidence.gather([str(samples / sample)]).lines
    monkeypatch.setattr(records, "ROWS", 50)
    monkeypatch.setattr("zabtrace.logs.read.BLOCK", 4096)
    _, parts = evidence.lines([str(samples / sample)])
    found = [part.lines for part in parts]
    assert len(found) > 10
    assert pl.concat(found).rows() == whole.rows()


@pytest.mark.parametrize("wanted", [("fle_new_election",), ("shutdown_leader", "learner_trunc"), (None,), ("nothing",)])
def test_kinds_that_are_wanted_are_those_of_the_whole(
    samples: Path, monkeypatch: pytest.MonkeyPatch, wanted: tuple[str | None, ...]
) -> None:
    """Lines and fields of these kinds, and a count of the others."""
    whole = evidence.gather([str(samples / "truncated-3.8.0")])
    monkeypatch.setattr(records, "ROWS", 50)
    monkeypatch.setattr("zabtrace.logs.read.BLOCK", 4096)
    _, found = evidence.lines([str(samples / "truncated-3.8.0")], wanted=wanted)
    parts = list(found)
    chosen = pl.col("kind").is_in([kind for kind in wanted if kind]) | (pl.col("kind").is_null() if None in wanted else pl.lit(value=False))
    assert pl.concat(part.lines.filter(chosen) for part in parts).rows() == whole.lines.filter(chosen).rows()
    assert sum(part.left_out + part.lines.height for part in parts) == whole.lines.height
    assert sum(part.lines.height for part in parts) < whole.lines.height / 2
    for kind in wanted:
        if kind is not None and kind in whole.fields:
            told = pl.concat(part.fields[kind] for part in parts if kind in part.fields)
            assert told.rows() == whole.fields[kind].select(told.columns).rows()


def test_rotated_logs_stay_in_order(samples: Path, tmp_path: Path) -> None:
    lines = (samples / "truncated-3.8.0" / "server-1" / "zookeeper.log").read_text().splitlines(keepends=True)
    for name, part in (("a.log", lines[200:]), ("b.log", lines[:200])):
        (tmp_path / "server-1").mkdir(exist_ok=True)
        (tmp_path / "server-1" / name).write_text("".join(part))
    found = listed(tmp_path)
    assert found["source"].unique(maintain_order=True).str.split("/").list.last().to_list() == ["b.log", "a.log"]
    assert found["time"].is_sorted()


def test_a_server_that_logs_twice_is_listed_once(samples: Path, tmp_path: Path) -> None:
    """To its console and to a file; the console has a banner in front, so that their bytes differ."""
    log = samples / "truncated-3.8.0" / "server-1" / "zookeeper.log"
    (tmp_path / "server-1").mkdir()
    shutil.copy(log, tmp_path / "server-1" / "zookeeper.log")
    (tmp_path / "server-1" / "zookeeper.out").write_text("ZooKeeper JMX enabled by default\n" + log.read_text())
    assert listed(tmp_path)["source"].n_unique() == 1


def test_stamps_without_a_day_are_counted_over_the_whole_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = "{}:31:18.137 [main] INFO  org.apache.zookeeper.server.quorum.QuorumPeer - LOOKING\n"
    (tmp_path / "zookeeper.log").write_text("".join(line.format(hour) for hour in ("22", "01", "22", "01")))
    monkeypatch.setattr(records, "ROWS", 0)
    monkeypatch.setattr("zabtrace.logs.read.BLOCK", 100)
    assert listed(tmp_path)["time"].dt.day().to_list() == [1, 2, 2, 3]


def test_runs_of_lines_and_what_stands_there(tmp_path: Path) -> None:
    schema = {"source": pl.String, "line": pl.Int64, "continued": pl.Int64}
    path = tmp_path / "zookeeper.log"
    path.write_text("".join(f"line {number}\n" for number in range(1, 11)))
    rows = [("zookeeper.log", 1, 0), ("zookeeper.log", 2, 2), ("zookeeper.log", 7, 0)]
    parts = [pl.DataFrame(rows, schema, orient="row"), pl.DataFrame([("zookeeper.log", 8, None), ("a.log", 9, 0)], schema, orient="row")]
    found = runs(parts)
    assert found.rows() == [("a.log", 9, 9), ("zookeeper.log", 1, 4), ("zookeeper.log", 7, 8)]
    assert list(originals([str(path)], found)) == [f"line {number}\n" for number in (1, 2, 3, 4, 7, 8)]


def test_a_log_printed_newest_first_is_numbered_from_its_end_everywhere(samples: Path, tmp_path: Path) -> None:
    """Line 3 is the third one from the end, for listings, verdicts and commands; its original is found all the same."""
    lines = (samples / "truncated-3.8.0/server-1/zookeeper.log").read_text().splitlines()
    ours = [line for line in lines if line[:2] == "20"]
    path = tmp_path / "zookeeper.log"
    path.write_text("".join(f"{line}\n" for line in reversed(ours)))
    head, parts = evidence.lines([str(path)])
    found = pl.concat([part.lines for part in parts])
    assert found.select("line", "message").rows() == evidence.gather([str(path)]).lines.select("line", "message").rows()
    third = found.filter(pl.col("line") == 3)
    assert ours[2].endswith(third["message"][0])
    lines_of = turned(head.sources)
    assert lines_of == {"zookeeper.log": len(ours)}
    chosen = standing(third.select("source", "line", "continued"), lines_of)
    assert list(originals([str(path)], runs([chosen]))) == [f"{ours[2]}\n"]
