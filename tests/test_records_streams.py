"""Listings written part by part: the rows that are written at once, whatever the size of the parts and the number of saved states."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner
from record_bytes import create, log, node, payload, snapshot

from zabtrace import evidence
from zabtrace.cli.commands import zabtrace
from zabtrace.documents.window import Window
from zabtrace.records import txnlog
from zabtrace.render import records


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A server's data folder: two logs of several parts, one of them torn, and two snapshots."""
    monkeypatch.setattr(txnlog, "CHUNK", 4)
    folder = tmp_path / "version-2"
    folder.mkdir()
    (folder / "log.1").write_bytes(log(*(create(n, f"/{n}") for n in range(1, 12)), payload(12, -1, b"\xff\xff\xff\x9b")))
    (folder / "log.d").write_bytes(log(*(create(n, f"/{n}") for n in range(13, 16)))[:-4120])
    for name in ("snapshot.3", "snapshot.c"):
        (folder / name).write_bytes(snapshot(node(""), node("/a", b"x", mzxid=3)))
    return tmp_path


def at_once(disk: Path) -> pl.DataFrame:
    return records.txns(evidence.gather([str(disk)]), Window()).frame


def run(*arguments: str) -> str:
    """What a command writes; it must not fail."""
    done = CliRunner().invoke(zabtrace, arguments, standalone_mode=False)
    assert done.exception is None, done.exception
    assert done.return_value == 0
    return done.stdout


def test_parquet_holds_what_is_read_at_once(disk: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.parquet"
    run("txns", str(disk / "version-2"), "--format", "parquet", "-o", str(target))
    written = pl.read_parquet(target)
    expected = at_once(disk / "version-2")
    assert written.equals(expected)
    assert written.schema == expected.schema
    assert written.height == 14
    assert not list(tmp_path.glob("*.part"))


def test_lines_and_filters(disk: Path) -> None:
    rows = [json.loads(line) for line in run("txns", str(disk), "--format", "ndjson", "--from", "3", "--path", "/13").splitlines()]
    assert [row["zxid"] for row in rows] == ["0xd"]
    csv = run("txns", str(disk), "--format", "csv").splitlines()
    assert len(csv) == 15
    assert sum(line.startswith("server,copy") for line in csv) == 1


def test_hidden_rows_and_damage_are_told(disk: Path) -> None:
    told = CliRunner().invoke(zabtrace, ["txns", str(disk), "--format", "ndjson", "--to", "2"], standalone_mode=False).stderr
    assert "12 rows are hidden" in told
    assert "1 places in the logs are damaged or odd" in told


def test_nothing_to_show_still_has_columns(disk: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.parquet"
    run("txns", str(disk / "version-2"), "--format", "parquet", "--op", "delete", "-o", str(target))
    assert pl.read_parquet(target).schema == at_once(disk / "version-2").schema


def test_copies_are_numbered_as_at_once(disk: Path) -> None:
    """An earlier state of the same server: its logs are read for what tells the two apart."""
    for name, zxids in (("early", range(1, 4)), ("late", range(1, 9))):
        data = disk / name / "version-2"
        data.mkdir(parents=True)
        (data / "log.1").write_bytes(log(*(create(n, f"/{n}") for n in zxids)))
        (data / "snapshot.0").write_bytes(snapshot(node("")))
    named = [f"a={disk / 'early'}", f"a={disk / 'late'}"]
    head, parts = evidence.records(named)
    streamed = pl.concat([records.txns(part, Window()).frame for part in parts])
    expected = records.txns(evidence.gather(named), Window()).frame
    assert streamed.equals(expected)
    assert streamed.group_by("copy").len().sort("copy").rows() == [(0, 8), (1, 3)]
    assert head.servers.equals(evidence.gather(named).servers)


def test_znodes_of_snapshots(disk: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.parquet"
    run("tree", "--snapshots", str(disk / "version-2"), "--format", "parquet", "-o", str(target))
    assert pl.read_parquet(target).select("source", "path").rows() == [
        (f"version-2/{name}", path) for name in ("snapshot.3", "snapshot.c") for path in ("/", "/a")
    ]
