"""Logs in wrappers, as JSON, behind a conversion pattern, and of several servers: the same events as from the bare lines."""

# ruff: noqa: E501 - lines are quoted as they are met
from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from zabtrace.errors import UsageError
from zabtrace.evidence import gather
from zabtrace.grammar.conversion import conversion
from zabtrace.grammar.layouts import raw, wrappers
from zabtrace.grammar.notation import read as grammar
from zabtrace.logs import LogRead, looks_like_log, read_log
from zabtrace.logs import records as batches
from zabtrace.source import Source

PEER = "QuorumPeer[myid=1](plain=0.0.0.0:2181)(secure=disabled)"
BARE = [
    "2026-11-20 23:59:29,494 [myid:1] - INFO  [main:QuorumPeerMain@130] - Starting quorum peer, myid=1",
    f"2026-11-20 23:59:29,594 [myid:1] - WARN  [{PEER}:Follower@130] - Exception when following the leader",
    "java.io.EOFException",
    "\tat java.io.DataInputStream.readInt(DataInputStream.java:392)",
    f"2026-11-20 23:59:29,694 [myid:1] - INFO  [{PEER}:QuorumPeer@784] - LOOKING",
]
EVENTS = [("server_start", None), ("follower_exception", "java.io.EOFException"), ("state_looking", None)]
STAMP = "2026-11-20T23:59:29.494512345Z"


def docker(line: str) -> str:
    return json.dumps({"log": f"{line}\n", "stream": "stdout", "time": STAMP})


WRAPPED: dict[str, Callable[[str], str]] = {
    "docker_json": docker,
    "docker_stamps": lambda line: f"{STAMP} {line}",
    "compose": lambda line: f"zoo1      | {line}",
    "compose > docker_stamps": lambda line: f"zoo1      | {STAMP} {line}",
    "kubectl_prefix": lambda line: f"[pod/zk-0/zookeeper] {line}",
    "stern": lambda line: f"zk-0 zookeeper {line}",
    "cri": lambda line: f"{STAMP} stdout F {line}",
    "journald": lambda line: f"Nov 20 23:59:29 host zkServer.sh[1234]: {line}",
    "journald_iso": lambda line: f"2026-11-20T23:59:29.494512+0000 host java[1234]: {line}",
    "syslog_3164": lambda line: f"<30>Nov 20 23:59:29 host zookeeper: {line}".replace("\t", "#011"),
    "syslog_5424": lambda line: f"<30>1 2026-11-20T23:59:29.494Z host zookeeper 1234 - - {line}",
    "syslog_3164 > docker_json": lambda line: f"<30>Nov 20 23:59:29 host zookeeper: {docker(line)}",
    "fluentd > docker_json": lambda line: f"2026-11-20T23:59:29+00:00\tkube.zk\t{docker(line)}",
}


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., LogRead]:
    def _read(lines: list[str], **options: str) -> LogRead:
        path = tmp_path / "zookeeper.log"
        path.write_text("".join(f"{line}\n" for line in lines))
        assert looks_like_log(path.read_bytes(), options.get("pattern")) is not None
        return read_log(Source("zookeeper.log", path), **options)

    return _read


def parts(log: LogRead) -> list[int]:
    return [log.summary[key] for key in ("lines", "understood", "unknown", "foreign", "damaged")]


@pytest.mark.parametrize(("name", "wrap"), WRAPPED.items(), ids=list(WRAPPED))
def test_a_wrapper_changes_nothing(read: Callable[..., LogRead], name: str, wrap: Callable[[str], str]) -> None:
    log = read([wrap(line) for line in BARE])
    assert log.layout == f"{name} > stock"
    assert log.lines.select("kind", "trace").rows() == EVENTS
    assert log.lines["line"].to_list() == [1, 2, 5] and log.lines["continued"].to_list() == [0, 2, 0]
    assert parts(log) == [5, 5, 0, 0, 0]


@pytest.mark.parametrize(
    "cut",
    [
        lambda piece, last: f"{STAMP} stdout {'F' if last else 'P'} {piece}",
        lambda piece, last: json.dumps({"log": piece + ("\n" if last else ""), "stream": "stdout", "time": STAMP}),
    ],
    ids=["cri", "docker"],
)
def test_lines_that_a_runtime_cut(read: Callable[..., LogRead], cut: Callable[[str, bool], str]) -> None:
    lines = [cut(BARE[0][:40], False), cut(BARE[0][40:60], False), cut(BARE[0][60:], True), *(cut(line, True) for line in BARE[1:])]
    log = read(lines)
    assert log.lines.select("kind", "trace").rows() == EVENTS
    assert log.lines["line"].to_list() == [1, 4, 7] and parts(log) == [7, 7, 0, 0, 0]


def test_what_a_shipper_joined_is_one_record(read: Callable[..., LogRead]) -> None:
    held = [BARE[0], "\n".join(BARE[1:4]), BARE[4]]
    log = read([json.dumps({"@timestamp": STAMP, "message": text, "host": {"name": "zk1"}}) for text in held])
    assert log.lines.select("kind", "trace").rows() == EVENTS
    assert log.lines["line"].to_list() == [1, 2, 3] and parts(log) == [3, 3, 0, 0, 0]
    assert log.speakers["origin"].to_list() == ["zk1"] * 3


STRUCTURED = {
    "ecs": {"@timestamp": STAMP, "log.level": "INFO", "message": "LOOKING", "process.thread.name": PEER, "log.logger": "org.apache.zookeeper.server.quorum.QuorumPeer"},
    "logback": {"@timestamp": "2026-11-21T00:59:29.494+01:00", "message": "LOOKING", "logger_name": "org.apache.zookeeper.server.quorum.QuorumPeer", "thread_name": PEER, "level": "INFO"},
    "log4j2": {"instant": {"epochSecond": 1795219169, "nanoOfSecond": 494000000}, "thread": PEER, "level": "INFO", "loggerName": "org.apache.zookeeper.server.quorum.QuorumPeer", "message": "LOOKING"},
}  # fmt: skip


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("record", STRUCTURED.values(), ids=list(STRUCTURED))
def test_json_layouts(read: Callable[..., LogRead], record: dict[str, object], indent: int | None) -> None:
    log = read(json.dumps(record, indent=indent).split("\n") * 2, zone="Asia/Tokyo")
    assert log.lines.select("kind", "level", "thread", "logger").rows() == [("state_looking", "INFO", PEER, "QuorumPeer")] * 2
    assert log.lines["time"].to_list() == [datetime(2026, 11, 20, 23, 59, 29, 494000, UTC)] * 2
    assert parts(log)[0] == parts(log)[1] and log.sids == {1: 2}


def test_a_wrappers_zone_tells_the_inner_one(read: Callable[..., LogRead]) -> None:
    log = read([f"2026-11-20T22:29:29.500Z {line}" for line in BARE])
    assert log.zone == "UTC+01:30"
    assert log.lines["time"][0] == datetime(2026, 11, 20, 22, 29, 29, 494000, UTC)


def test_stamps_without_a_date(read: Callable[..., LogRead]) -> None:
    lines = [f"{time} [{PEER}] INFO org.apache.zookeeper.server.quorum.QuorumPeer - LOOKING" for time in ("23:59:29.494", "00:00:01.000")]
    assert read(lines).lines["time"].to_list() == [datetime(1970, 1, 1, 23, 59, 29, 494000, UTC), datetime(1970, 1, 2, 0, 0, 1, tzinfo=UTC)]
    assert "no date" in read(lines).remarks[0]
    dated = [f"2026-11-{day}T{time}Z {line}" for day, time, line in zip((20, 21), ("23:59:29.4", "00:00:01.1"), lines, strict=True)]
    assert [time.day for time in read(dated).lines["time"]] == [20, 21]


PATTERNS = {
    "%d{DATE}|%t|%.1p|%c{1}|%m%n": (f"20 Nov 2026 23:59:29,494|{PEER}|I|QuorumPeer|LOOKING", 2026),
    "%notEmpty{(%t) }%date{MMM dd HH:mm:ss.SSS} %-5level %logger{36} <%msg>%n%xEx": (f"({PEER}) Nov 20 23:59:29.494 INFO  o.a.z.s.q.QuorumPeer <LOOKING>", 1972),
    "%p %d{UNIX_MILLIS} %C{1}:%L %m [%t]%n": (f"INFO 1795219169494 QuorumPeer:784 LOOKING [{PEER}]", 2026),
    "[%-28(%d{ISO8601}{UTC})] %highlight(%-5level) [%thread] %X{myid} %logger - %msg%n": (f"[2026-11-20 23:59:29,494     ] INFO  [{PEER}] 1 org.apache.zookeeper.server.quorum.QuorumPeer - LOOKING", 2026),
    "%d{yyyy/MM/dd hh:mm:ss.SSS a XXX} %p %c %t %% %m": (f"2026/11/21 00:59:29.494 AM +01:00 INFO QuorumPeer {PEER} % LOOKING", 2026),
}  # fmt: skip


@pytest.mark.parametrize(("pattern", "line", "year"), [(key, *value) for key, value in PATTERNS.items()])
def test_conversion_patterns(read: Callable[..., LogRead], pattern: str, line: str, year: int) -> None:
    log = read([line, "its second line", line], pattern=pattern)
    assert log.layout == "log-pattern > fields"
    assert log.lines.select("kind", "level", "thread", "trace").rows() == [
        ("state_looking", "INFO", PEER, "its second line"), ("state_looking", "INFO", PEER, None),
    ]  # fmt: skip
    if "hh:" not in pattern:
        assert log.lines["time"][0] == datetime(year, 11, 20, 23, 59, 29, 494000, UTC)


@pytest.mark.parametrize(
    ("pattern", "at", "why"),
    [("%d %q %m", 5, "'q'"), ("%d{foo} %m", 4, "'f'"), ("%d %p", 6, "message"), ("%X{myid %m", 3, "no end"), ("%-5(%p %m", 10, "ends"), ("%m%", 4, "ends")],
)  # fmt: skip
def test_a_wrong_pattern_points_at_the_character(pattern: str, at: int, why: str) -> None:
    with pytest.raises(UsageError, match=rf"{why}.*at character {at}: "):
        conversion(pattern)


def test_samples_of_wrappers_and_raw_lines() -> None:
    import re

    shapes = grammar("layouts.lark").rules
    found = {wrapper.name: wrapper for wrapper in wrappers()}
    for shape in shapes["wrapper"]:
        assert all(found[shape.kind].compiled.match(sample) for sample in shape.samples)
    for shape in shapes["raw"]:
        assert all(re.match(raw().replace(r"\z", r"\Z"), sample) for sample in shape.samples)


def test_a_record_in_the_middle_of_a_line(read: Callable[..., LogRead]) -> None:
    log = read([BARE[0], BARE[4][:-4] + BARE[4].replace("myid=1", "myid=2").replace("LOOKING", "LEADING"), BARE[4]])
    assert log.lines.select("line", "kind").rows() == [(1, "server_start"), (2, "state_leading"), (3, "state_looking")]
    assert log.damage["line"].to_list() == [2] and parts(log) == [3, 3, 0, 0, 0]


def test_batches_end_anywhere(read: Callable[..., LogRead], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    whole = read([*BARE] * 20)

    class InBlocks(Source):
        def blocks(self, size: int = 170):  # type: ignore[no-untyped-def,override]
            return super().blocks(170)

    monkeypatch.setattr(batches, "ROWS", 3)
    log = read_log(InBlocks("zookeeper.log", tmp_path / "zookeeper.log"))
    assert log.lines.equals(whole.lines) and log.summary == whole.summary and log.sids == whole.sids
    assert all(log.fields[kind].equals(frame) for kind, frame in whole.fields.items())
    counted = read_log(Source("zookeeper.log", tmp_path / "zookeeper.log"), keep=False)
    assert counted.summary == whole.summary and counted.lines.is_empty()


def test_servers_in_one_log_are_told_apart(tmp_path: Path) -> None:
    other = [line.replace("myid=1", "myid=2").replace("myid:1", "myid:2") for line in BARE]
    mixed = [
        line for pair in zip((f"zoo1  | {line}" for line in BARE), (f"zoo2  | {line}" for line in other), strict=True) for line in pair
    ]
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "compose.log").write_text("\n".join(mixed) + "\n")
    trace = gather([str(tmp_path / "all")])
    assert trace.lines.group_by("server").len().sort("server").rows() == [(1, 3), (2, 3)]
    assert trace.sources.select("server", "lines", "understood").rows() == [(1, 5, 5), (2, 5, 5)]


OFFSETS = {
    "2026-11-20T23:59:29,494+0100": (22, 59), "2026-11-20T23:59:29.494-05:30": (5, 29), "2026-11-20 23:59:29,494Z": (23, 59),
    "2026-11-20T23:59:29.494512+01": (22, 59),
}  # fmt: skip


@pytest.mark.parametrize("stamp", OFFSETS)
def test_stamps_that_name_their_offset_are_utc_for_sure(read: Callable[..., LogRead], stamp: str) -> None:
    log = read([f"{stamp} [main] INFO  org.apache.zookeeper.server.quorum.QuorumPeer - LOOKING", "java.io.EOFException: null"])
    assert (log.layout, log.zone, log.lines["kind"].to_list()) == ("utc_offset > logback", "UTC", ["state_looking"])
    (time,) = log.lines["time"]
    assert (time.hour, time.minute, time.microsecond) == (*OFFSETS[stamp], 494000)
    assert log.lines["trace"].to_list() == ["java.io.EOFException: null"]


def test_stamps_without_a_year_are_remarked_and_go_on_in_the_next(read: Callable[..., LogRead]) -> None:
    pattern = "%d{MMM dd HH:mm:ss.SSS} [%t] %p %c - %m%n"
    lines = [f"{stamp} [main] INFO org.apache.zookeeper.server.quorum.QuorumPeer - LOOKING" for stamp in
             ("Feb 29 12:00:00.000", "Dec 31 23:59:59.500", "Jan 01 00:00:00.500", "Jan 01 00:00:00.400")]  # fmt: skip
    log = read(lines, pattern=pattern)
    times = log.lines["time"].to_list()
    assert [(times[2] - times[1]).total_seconds(), (times[3] - times[2]).total_seconds()] == [1.0, -0.1]
    assert (times[0].month, times[0].day) == (2, 29)
    assert any("no year" in remark for remark in log.remarks)
