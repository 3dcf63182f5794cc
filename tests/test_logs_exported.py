"""Logs as viewers and tools hand them out: the records are those of the server's own file, whatever was done to it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from zabtrace.evidence.kinds import SERVER_LOG, recognise
from zabtrace.logs import LogRead, read_log
from zabtrace.source import Source

TRACE = ("java.net.SocketTimeoutException: Read timed out", "\tat java.base/java.net.Socket$SocketInputStream.read(Socket.java:1099)")
Record = tuple[datetime, Sequence[str]]


@pytest.fixture(scope="module")
def records(samples: Path) -> list[Record]:
    """Time and lines of each of 60 records; every tenth has a stack trace."""
    lines = [line for line in (samples / "truncated-3.8.0/server-1/zookeeper.log").read_text().split("\n") if line[:2] == "20"][:60]
    times = [datetime.strptime(line[:23] + "+0000", "%Y-%m-%d %H:%M:%S,%f%z") for line in lines]
    return [(time, (line, *(TRACE if at % 10 == 5 else ()))) for at, (time, line) in enumerate(zip(times, lines, strict=True))]


def ns(time: datetime) -> str:
    return f"{int(time.timestamp() * 1000)}000000"


def iso(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


def prefixed(prefix: str) -> Callable[[list[Record]], str]:
    def made(records: list[Record]) -> str:
        numbered = enumerate((time, line) for time, lines in records for line in lines)
        return "".join(f"{prefix.format(at=at + 1, iso=iso(time), time=time)}{line}\n" for at, (time, line) in numbered)

    return made


def objects(one: Callable[[datetime, str], object], indent: int | None = None, around: str = "%s") -> Callable[[list[Record]], str]:
    return lambda records: around % json.dumps([one(time, "\n".join(lines)) for time, lines in records], indent=indent) + "\n"


def table(*heading: str, quoting: int = csv.QUOTE_ALL) -> Callable[[list[Record]], str]:
    def made(records: list[Record]) -> str:
        text = io.StringIO()
        writer = csv.writer(text, quoting=quoting, lineterminator="\n")
        writer.writerow(heading)
        for time, lines in records:
            cells = {"message": "\n".join(lines), "_raw": "\n".join(lines), "host": "zk1", "host.name": "zk1"}
            writer.writerow([cells.get(name, iso(time)) for name in heading])
        return text.getvalue()

    return made


FORMS: dict[str, tuple[str, Callable[[list[Record]], str]]] = {
    "kubetail": ("kubetail > stock", prefixed("[zk-0] ")),
    "docker service": ("docker_service > stock", prefixed("zk_zoo1.1.k3j4h5k3j4h5@node1    | ")),
    "journalctl -o short-full": ("journald_full > stock", prefixed("{time:%a %Y-%m-%d %H:%M:%S} UTC zk1 java[12]: ")),
    "journalctl -o short-unix": ("journald_unix > stock", prefixed("1795219169.494512 zk1 java[12]: ")),
    "journalctl -o short-monotonic": ("journald_monotonic > stock", prefixed("[ 1234.494512] zk1 java[12]: ")),
    "rsyslog": ("syslog_iso > stock", prefixed("<14>{time:%Y-%m-%dT%H:%M:%S.%f}+00:00 zk1 java[12]: ")),
    "logcli": ("logcli > stock", prefixed('{iso} {{app="zookeeper", pod="zk-0"}} ')),
    "Grafana": ("grafana > stock", prefixed("{iso}\t")),
    "aws logs tail": ("aws_tail > stock", prefixed("{iso} zk/zookeeper/0123 ")),
    "grep -H": ("grep > stock", prefixed("zookeeper.log:")),
    "grep -Hn": ("grep > grep > stock", prefixed("/var/log/zookeeper.log:{at}:")),
    "cat -n": ("numbered > stock", prefixed("{at:6}\t")),
    "ts": ("ts > stock", prefixed("{time:%b %d %H:%M:%S} ")),
    "tai64n": ("tai64n > stock", prefixed("@400000006740c2a51d7a1c3c ")),
    "quoted": ("quoted > stock", prefixed("> ")),
    "indented": ("indented > stock", prefixed("    ")),
    "Loki": (
        "json > stock",
        objects(
            lambda time, text: [ns(time), text], around='{"status":"success","data":{"result":[{"stream":{"pod":"zk-0"},"values":%s}]}}'
        ),
    ),
    "Grafana JSON": ("json > stock", objects(lambda time, text: {"line": text, "timestamp": ns(time), "date": iso(time)}, 2)),
    "Grafana JSON in one line": ("json > stock", objects(lambda time, text: {"line": text, "timestamp": ns(time)})),
    "aws logs filter-log-events": (
        "json > stock",
        objects(lambda time, text: {"timestamp": int(time.timestamp() * 1000), "message": text}, 4, '{\n"events": %s}'),
    ),
    "gcloud logging read": (
        "json > stock",
        objects(lambda time, text: {"textPayload": text, "timestamp": iso(time), "labels": {"a": "b"}}, 2),
    ),
    "Kibana": ("csv > stock", table("@timestamp", "host.name", "message")),
    "Splunk": ("csv > stock", table("_raw", "_time", "host")),
    "CloudWatch": ("csv > stock", table("timestamp", "message", quoting=csv.QUOTE_MINIMAL)),
}


def read(text: str | bytes, tmp_path: Path) -> LogRead:
    path = tmp_path / "export"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    source = Source("export", path)
    assert recognise(source)[0] == SERVER_LOG
    return read_log(source, "UTC")


def told(log: LogRead) -> list[tuple[object, ...]]:
    return log.lines.select("time", "level", "thread", "logger", "kind", "message", "trace").rows()


@pytest.fixture(scope="module")
def own(records: list[Record], tmp_path_factory: pytest.TempPathFactory) -> LogRead:
    """The server's own file."""
    log = read(prefixed("")(records), tmp_path_factory.mktemp("own"))
    assert (log.lines.height, log.summary["understood"]) == (60, 72)
    return log


@pytest.mark.parametrize("form", FORMS)
def test_records_are_those_of_the_file(records: list[Record], own: LogRead, tmp_path: Path, form: str) -> None:
    layout, made = FORMS[form]
    log = read(made(records), tmp_path)
    assert told(log) == told(own)
    assert log.layout == layout
    assert {kind: frame.drop("line").rows() for kind, frame in log.fields.items()} == {
        kind: frame.drop("line").rows() for kind, frame in own.fields.items()
    }
    assert sum(log.summary[part] for part in ("understood", "unknown", "foreign", "damaged")) == log.summary["lines"]
    assert log.summary["unknown"] == 0


@pytest.mark.parametrize("coding", ["utf-16-le", "utf-16-be"])
def test_text_of_windows(records: list[Record], own: LogRead, tmp_path: Path, coding: str) -> None:
    log = read(("\ufeff" + prefixed("")(records)).replace("\n", "\r\n").encode(coding), tmp_path)
    assert told(log) == told(own)
    assert log.damage.is_empty()


def test_newest_first(records: list[Record], own: LogRead, tmp_path: Path) -> None:
    """It is turned: the line numbers count from the end, and a remark says so."""
    log = read(table("@timestamp", "message")(records[::-1]), tmp_path)
    ascending = sorted(told(own), key=lambda row: row[0])  # type: ignore[arg-type,return-value]
    assert [row[0] for row in told(log)] == [row[0] for row in ascending]
    assert sorted(map(str, told(log))) == sorted(map(str, ascending))
    assert "printed newest first: its lines are numbered from the end" in log.remarks
    assert log.lines["line"].is_sorted()


def test_a_clock_that_restarts_is_not_newest_first(records: list[Record], tmp_path: Path) -> None:
    log = read(prefixed("")(records * 12), tmp_path)
    assert (log.remarks, log.lines["line"][0], log.lines["time"][0]) == ((), 1, records[0][0])


def test_what_names_classes_of_zookeeper_but_has_no_layout_is_told_of_the_option(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_text("21/11/2026 00h18 INFO org.apache.zookeeper.server.quorum.QuorumPeer LOOKING\n" * 20)
    assert "--log-pattern" in recognise(Source("app.log", path))[1]
    path.write_text("21/11/2026 00h18 the quorum. was lost\n" * 20)
    assert "--log-pattern" not in recognise(Source("app.log", path))[1]
