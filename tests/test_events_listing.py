"""The listing of events: fields beside the lines in every format, and bounds that are zxids or epochs."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from zabtrace import cli

LOG = Path(__file__).parent / "data" / "replay" / "truncated-3.8.0" / "server-3" / "zookeeper.log"
TEXTS = LOG.read_text().splitlines()
SPOKEN = r"(?:zxid[:=]? ?|leader |Log=|Zxid=|Snapshotting: |zxid is )0x([0-9a-f]+)"


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert cli.run(["events", str(LOG), *arguments]) == 0
    return capsys.readouterr().out


def rows(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed(capsys, *arguments, "--format", "ndjson").splitlines()]


def test_fields_are_what_the_lines_say(capsys: pytest.CaptureFixture[str]) -> None:
    votes = rows(capsys, "--kind", "fle_notification_received")
    assert votes
    for row in votes:
        said = re.search(
            r"my state:(\w+); n.sid:(\d+), n.state:(\w+), n.leader:(\d+), n.round:(\w+), n.peerEpoch:(\w+), n.zxid:(\w+)", row["message"]
        )
        assert said is not None
        assert row["fields"] == {
            "sid": int(said[2]), "leader": int(said[4]), "zxid": said[7], "round": int(said[5], 16), "peer_epoch": int(said[6], 16),
            "state": said[3], "my_state": said[1], "format_version": 2, "config_version": 0,
        }  # fmt: skip


def test_every_format_has_them(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    asked = ("--kind", "learner_trunc", "--kind", "snapshot_start", "--kind", "state_looking")
    streamed = [row["fields"] for row in rows(capsys, *asked)]
    assert {"zxid": "0x100000060"} in streamed and None in streamed
    document = json.loads(printed(capsys, *asked, "--format", "json"))
    assert [row["fields"] for row in document["events"]] == streamed
    listed = csv.DictReader(io.StringIO(printed(capsys, *asked, "--format", "csv")))
    assert [json.loads(row["fields"] or "null") for row in listed] == streamed
    target = tmp_path / "events.parquet"
    printed(capsys, *asked, "--format", "parquet", "-o", str(target))
    assert [json.loads(text or "null") for text in pl.read_parquet(target)["fields"]] == streamed
    trunc = next(line for line in printed(capsys, *asked).splitlines() if "learner_trunc" in line)
    assert re.search(r"learner_trunc +zxid=0x100000060 +Truncating log", trunc)


def test_texts_that_json_would_obey(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = 'Reading snapshot /data/"a",\\b\u2028c'
    log = tmp_path / "zookeeper.log"
    log.write_text(f"2026-11-21 00:18:39,719 [myid:1] - INFO  [main:FileSnap@130] - {said}\n")
    for form in ("json", "ndjson"):
        assert cli.run(["events", str(log), "--format", form]) == 0
        answer = json.loads(capsys.readouterr().out)
        row = answer["events"][0] if form == "json" else answer
        assert row["fields"] == {"path": said.removeprefix("Reading snapshot ")}


def test_a_line_without_fields_shows_those_of_its_trace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "zookeeper.log"
    log.write_text(
        "2026-11-21 00:18:39,719 [myid:1] - ERROR [main:QuorumPeer@130] - Unable to load database on disk\n"
        "java.io.IOException: The current epoch, a, is older than the last zxid, 47244640256\n"
    )
    assert cli.run(["events", str(log), "--format", "ndjson"]) == 0
    assert json.loads(capsys.readouterr().out)["fields"] == {"epoch": 10, "zxid": "0xb00000000"}


@pytest.mark.parametrize(("low", "high"), [("0x100000060", "0x100000060"), ("1/0x60", "0x10000006c"), ("0x100000061", "e1")])
def test_bounds_that_are_zxids(capsys: pytest.CaptureFixture[str], low: str, high: str) -> None:
    last = {"e1": 0x1FFFFFFFF}.get(high) or int(high, 16)
    first = 0x100000060 if "/" in low else int(low, 16)
    found = {row["line"] for row in rows(capsys, "--from", low, "--to", high)}
    spoken = {
        at for at, text in enumerate(TEXTS, 1)
        if any(first <= int(number, 16) <= last for number in re.findall(SPOKEN, text))
    }  # fmt: skip
    assert spoken and spoken <= found
    assert all(re.search(r"1000000[0-9a-f]{2}|[eE]poch", TEXTS[line - 1]) for line in found)


def test_a_bound_that_is_an_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    found = [row["message"] for row in rows(capsys, "--from", "e2")]
    assert found and all(re.search(r"0x2|20000000|[eE]poch:0x2|epoch", text) for text in found)


def test_it_is_said_where_stamps_are_no_whole_times(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "zookeeper.log"
    log.write_text("08:57:33.538 [main] INFO org.apache.zookeeper.server.quorum.QuorumPeer - LOOKING\n")
    for more in (("--summary",), ()):
        assert cli.run(["events", str(log), *more]) == 0
        assert "its stamps have no date" in capsys.readouterr().err


def test_the_lines_of_several_servers_in_one_file_are_counted_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = [LOG, LOG.parent.parent / "server-1" / "zookeeper.log"]
    (tmp_path / "two.log").write_bytes(b"".join(path.read_bytes() for path in both))
    assert cli.run(["events", str(tmp_path / "two.log"), "--summary", "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    total = sum(path.read_bytes().count(b"\n") for path in both)
    assert {1, 3} <= {row["server"] for row in document["sources"]}
    assert sum(row["lines"] for row in document["sources"]) == document["total"]["lines"] == total
