"""explain, grammar and the filters of events."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from zabtrace import cli
from zabtrace.grammar.kinds import kinds_of
from zabtrace.grammar.layouts import layouts
from zabtrace.grammar.meanings import SIGNS, meanings
from zabtrace.grammar.messages import messages
from zabtrace.logs.explaining import explain

LOG = Path(__file__).parent / "data" / "replay" / "truncated-3.8.0" / "server-3"
HEAD = "2026-11-21 00:18:39,719 [myid:1] - INFO  [main:o.a.z.s.q.FastLeaderElection@130] - "


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict:  # type: ignore[type-arg]
    assert cli.run([*arguments, "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)  # type: ignore[no-any-return]


def test_a_message_alone(capsys: pytest.CaptureFixture[str]) -> None:
    told = answer(capsys, "explain", "Truncating log to get in sync with the leader 0x100000060")
    assert (told["kind"], told["layout"], told["fields"][0]["value"]) == ("learner_trunc", None, "0x100000060")
    assert told["sign_of_loss"].startswith("yes") and "verify" in told["next_step"]


def test_a_whole_line_in_a_wrapper() -> None:
    told = explain(f"zoo1  | {HEAD}New election. My id = 1, proposed zxid=0x200000003")
    assert (told.wrappers, told.layout, told.head["logger"]) == (("compose",), "stock", "o.a.z.s.q.FastLeaderElection")
    assert told.shape is not None and told.shape.kind == "fle_new_election"
    assert told.fields == {"my_sid": 1, "zxid": 0x200000003}


def test_the_column_where_the_nearest_shape_stops(capsys: pytest.CaptureFixture[str]) -> None:
    line = f"{HEAD}New election. My id = 1, proposed zxid=zz"
    near = answer(capsys, "explain", line)["nearest"]
    assert near["kind"] == "fle_new_election" and line[near["column"] - 1 :] == "zz" and near["expected"] == "zxid (HEX)"
    line = f"{HEAD}New election. My id = 1, suggested zxid=0x0"
    assert line[answer(capsys, "explain", line)["nearest"]["column"] - 1 :] == "suggested zxid=0x0"


def test_with_evidence_it_says_whether_that_is_so_here(capsys: pytest.CaptureFixture[str]) -> None:
    here = answer(capsys, "explain", "LOOKING", str(LOG))["here"]
    looking = [line for line in (LOG / "zookeeper.log").read_text().splitlines() if line.endswith("] - LOOKING")]
    assert here["times"] == len(looking) and here["places"][0]["source"].endswith("zookeeper.log")


def test_every_kind_has_a_meaning() -> None:
    kinds = {kind for shape in messages().grammar.shapes for kind in kinds_of(shape.kind)}
    assert kinds == set(meanings())
    assert set(SIGNS) <= kinds


def test_grammar_lists_shapes(capsys: pytest.CaptureFixture[str]) -> None:
    shapes = answer(capsys, "grammar", "fle_new_election")["shapes"]
    assert {shape["kind"] for shape in shapes} == {"fle_new_election"} and shapes[0]["fields"] == ["my_sid", "zxid"]
    assert len(answer(capsys, "grammar")["shapes"]) == len(messages().grammar.shapes)


def test_filters_of_events(capsys: pytest.CaptureFixture[str]) -> None:
    lines = (LOG / "zookeeper.log").read_text().splitlines()
    kinds = answer(capsys, "events", str(LOG), "--kind", "learner_trunc")["events"]
    assert [lines[row["line"] - 1].split("] - ")[-1] for row in kinds] == [row["message"] for row in kinds] and len(kinds) == 1
    zxid = kinds[0]["message"].split()[-1]
    assert kinds[0]["line"] in [row["line"] for row in answer(capsys, "events", str(LOG), "--zxid", zxid)["events"]]
    votes = answer(capsys, "events", str(LOG), "--peer", "2", "--kind", "fle_notification_received")["events"]
    assert votes and all("n.sid:2" in row["message"] or "n.leader:2" in row["message"] for row in votes)
    epoch = answer(capsys, "events", str(LOG), "--epoch", "e2")["events"]
    assert epoch and all(word in row["message"] for row in epoch for word in ["2"])


def test_raw_lines_are_the_files_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["events", str(LOG), "--kind", "learner_trunc", "--raw"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line in (LOG / "zookeeper.log").read_text().splitlines()


def test_a_kind_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["events", str(LOG), "--kind", "learner_trunk"]) == 2
    assert "learner_trunc" in capsys.readouterr().err


HEADLESS = {
    "java.io.EOFException": "the peer closed the connection",
    "Caused by: java.net.ConnectException: Connection refused (Connection refused)": "nobody listens there",
    "\tat java.io.DataInputStream.readInt(DataInputStream.java:392)": "stack trace",
    "SLF4J: Class path contains multiple SLF4J bindings.": "before logging starts",
    "Starting zookeeper ... STARTED": "zkServer.sh",
    "FO  [QuorumPeer[myid=2]/0.0.0.0:2182:QuorumPeer@784] - LEADING": "cut off",
    HEAD.replace("o.a.z.s.q.FastLeaderElection", "o.e.j.s.Server") + "Started @1234ms": "another program",
}


@pytest.mark.parametrize("line", HEADLESS)
def test_what_is_no_message_is_said_to_be_none(capsys: pytest.CaptureFixture[str], line: str) -> None:
    told = answer(capsys, "explain", line)
    assert told["kind"] is None and told["nearest"] is None and HEADLESS[line] in told["note"]


def test_texts_of_no_class_are_not_taken_for_the_free_text_of_any(capsys: pytest.CaptureFixture[str]) -> None:
    told = answer(capsys, "explain", "total garbage")
    assert (told["kind"], told["nearest"], told["note"]) == (None, None, None)
    told = answer(capsys, "explain", "java.io.IOException: CRC check failed")
    assert told["kind"] == "crc_error"


@pytest.mark.parametrize("sample", [sample for layout in layouts().values() for sample in layout.shape.samples])
def test_a_line_of_every_layout(sample: str) -> None:
    for line in (sample, f"zoo1  | 2026-11-20T23:59:29.494512345Z {sample}", f"Nov 20 23:59:29 host java[1234]: {sample}"):
        told = explain(line)
        assert told.layout is not None and told.kind is not None and line[told.offset :].startswith(told.message)
