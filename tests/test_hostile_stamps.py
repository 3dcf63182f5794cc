"""Stamps that are none: a year that no calendar reaches with its zone, numbers of any size. The record is read, and has no time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from zabtrace.cli import run
from zabtrace.logs import LogRead, read_log
from zabtrace.source import Source

HEAD = "[myid:1] - INFO  [main:QuorumPeerMain@130] - Starting quorum peer"
STAMPS = ("0000-01-01 00:00:00,000", "0001-01-01 00:00:00,000", "9999-12-31 23:59:59,999")
TIMES = (
    "NaN", "Infinity", "-Infinity", "1e400", "1e300", "-1e18", '"²"', f'"{"9" * 5000}"', "9999999999999999999999999", "true", "[]",
    '{"epochSecond": 1, "nanoOfSecond": "x"}', '{"epochSecond": 1, "nanoOfSecond": null}', '{"epochSecond": 99999999999999999999}',
    '"0001-01-01T00:00:00+23:59"', '"9999-12-31T23:59:59-23:59"',
)  # fmt: skip


def read(tmp_path: Path, line: str, pattern: str | None = None) -> LogRead:
    path = tmp_path / "zookeeper.log"
    path.write_text(f"{line}\n" * 3)
    return read_log(Source(path.name, path), pattern=pattern)


@pytest.mark.parametrize("stamp", STAMPS)
@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/Los_Angeles"])
def test_years_at_the_ends_of_the_calendar(tmp_path: Path, stamp: str, zone: str) -> None:
    (tmp_path / "logs").mkdir()
    log = read(tmp_path / "logs", f"{stamp} {HEAD}")
    assert (log.lines.height, log.lines["time"].null_count()) == (3, 3)
    asked = [str(tmp_path / "logs"), "--timezone", zone, "-q", "-o", str(tmp_path / "out")]
    assert run(["events", *asked]) == 0
    assert run(["report", *asked]) == 3


@pytest.mark.parametrize("time", TIMES, ids=lambda time: time[:20])
def test_times_of_json(tmp_path: Path, time: str) -> None:
    fields = {"message": "Starting quorum peer", "level": "INFO", "logger": "org.apache.zookeeper.server.quorum.QuorumPeerMain"}
    log = read(tmp_path, f'{json.dumps(fields)[:-1]}, "@timestamp": {time}}}')
    assert log.lines["message"].to_list() == ["Starting quorum peer"] * 3
    assert log.lines["time"].null_count() == 3


@pytest.mark.parametrize("time", TIMES, ids=lambda time: time[:20])
def test_times_beside_a_line(tmp_path: Path, time: str) -> None:
    log = read(tmp_path, f'{{"log": {json.dumps(f"2026-11-21 00:00:00,000 {HEAD}")}, "time": {time}}}')
    assert [moment.isoformat() for moment in log.lines["time"]] == ["2026-11-21T00:00:00+00:00"] * 3


@pytest.mark.parametrize("stamp", ["9999-12-31T23:59:59.999999999-23:59 stdout F", "<14>9999-12-31T23:59:59-23:59 zk1 zookeeper[12]:"])
def test_stamps_of_wrappers(tmp_path: Path, stamp: str) -> None:
    log = read(tmp_path, f"{stamp} 00:00:01,000 {HEAD}")
    assert [moment.isoformat() for moment in log.lines["time"]] == ["1970-01-01T00:00:01+00:00"] * 3


@pytest.mark.parametrize(
    ("form", "stamp"),
    [("UNIX", "9" * 17), ("UNIX", "9" * 19), ("UNIX_MILLIS", "9223372036854775807"), ("yyyy-MM-dd HH:mm:ss", "9999-12-31 23:59:59")],
)
def test_stamps_of_a_pattern(tmp_path: Path, form: str, stamp: str) -> None:
    log = read(tmp_path, f"{stamp} INFO [main] QuorumPeerMain - Starting quorum peer", pattern=f"%d{{{form}}} %p [%t] %c - %m%n")
    assert (log.lines.height, log.lines["time"].null_count()) == (3, 3)
