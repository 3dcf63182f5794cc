"""The other faces of the report: Markdown, Timesketch, ShiViz."""

from __future__ import annotations

import json
import re
from pathlib import Path

import incident
import pytest

from zabtrace import cli
from zabtrace.documents.accounts import details
from zabtrace.fates import judge
from zabtrace.report import exports, page
from zabtrace.report.content import Content, Findings, Wish, gather
from zabtrace.report.exports import Event
from zabtrace.report.markdown import markdown

SAMPLE = Path(__file__).parent.parent / "sample_logs" / "truncated-3.8.0"
LOG = re.compile(r"(?P<event>.*)\n(?P<host>\S*) (?P<clock>{.*})")


def content() -> Content:
    return gather(Findings(incident.history(), incident.judgement(), incident.prediction()), Wish(note="*bold* <b>"))


def test_markdown_has_the_verdict_the_sections_and_no_live_markup() -> None:
    text = "".join(markdown(content()))
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings[:3] == ["What happened", "Elections", "Leader epochs"]
    assert "**nothing lost: No committed write was lost; 2 writes" in text
    assert "| 0x100000007 | truncated |" in text
    assert "- \\*bold\\* &lt;b&gt;" in text
    for live in ("<script", "<b>", "<img", "\x1b", "\u202e"):
        assert live not in text


def test_timesketch_lines_have_what_timesketch_wants() -> None:
    lines = [json.loads(line) for line in exports.timesketch(content())]
    assert all({"message", "datetime", "timestamp_desc"} <= set(line) for line in lines)
    records = [line for line in lines if line["timestamp_desc"] == "ZooKeeper transaction"]
    assert len(records) == incident.trace().txns.height
    assert {line["fate"] for line in records if line["zxid"] == "0x100000007"} == {"truncated"}
    assert all("\x1b" not in line["message"] for line in lines)


def test_a_vector_clock_counts_what_is_before() -> None:
    sent, received, later = (1, 0, 1), (2, 0, 9), (2, 0, 10)
    found = {sent: Event(["a"]), (2, 0, 3): Event(["b"]), received: Event(["c"], [sent]), later: Event(["d"])}
    clocks = {key: clock for key, clock, _ in exports.clocked(found)}
    assert clocks == {sent: {1: 1}, (2, 0, 3): {2: 1}, received: {1: 1, 2: 2}, later: {1: 1, 2: 3}}


def test_messages_that_contradict_each_other_end_all_the_same() -> None:
    one, other = (1, 0, 1), (2, 0, 1)
    told = list(exports.clocked({one: Event(["a"], [other]), other: Event(["b"], [one])}))
    assert [key for key, _, _ in told] == [one, other]
    assert told[0][2] == ["a", "contradicts the order of the messages"]


def test_the_shiviz_log_of_a_real_incident_grows_line_by_line(history_of) -> None:  # type: ignore[no-untyped-def]
    history = history_of("truncated-3.8.0")
    text = "".join(exports.shiviz(gather(Findings(history, judge(history)), Wish())))
    head, body = text.split("\n\n", 1)
    assert head.replace("?<", "?P<") == LOG.pattern
    parsed = [(host, json.loads(clock), event) for event, host, clock in LOG.findall(body)]
    assert len(parsed) == body.count("\n") / 2
    assert {host for host, _, _ in parsed} == {"server-1", "server-2", "server-3"}
    own: dict[str, int] = {}
    for host, clock, _ in parsed:
        assert clock[host] == own.get(host, 0) + 1
        own[host] = clock[host]
        assert all(own.get(other, 0) >= number for other, number in clock.items())
    assert any("a vote from" in event and len(clock) > 1 for _, clock, event in parsed)


def test_elections_tell_where_the_time_went_and_what_was_logged(history_of) -> None:  # type: ignore[no-untyped-def]
    """The stamps of the log: LOOKING at .690, FOLLOWING at .745; 'TOOK - 48 MS' is what server 3 printed."""
    history = history_of("truncated-3.8.0")
    told = gather(Findings(history, judge(history), elections=details(history)), Wish(only=("elections",)))
    joined = next(row for row in told.rows["durations"] if row["id"] == 3)
    assert (joined["server"], joined["duration_ms"], joined["logged_ms"]) == (3, 55, 48)
    second = next(row for row in told.rows["phases"] if row["id"] == 2)
    assert (second["election_ms"], second["discovery_ms"] + second["synchronization_ms"]) == (240, 212)
    for text in ("".join(markdown(told)), page.html(told)):
        assert "Where the time went" in text
        assert "as the lines show" in text


@pytest.mark.parametrize("bound", ["e2", "0x200000001", "2026-11-21T00:09:55Z"])
def test_a_window_may_be_a_time_a_zxid_or_an_epoch(bound: str, tmp_path: Path) -> None:
    target = tmp_path / "report.md"
    assert cli.run(["report", str(SAMPLE), "--format", "md", "--from", bound, "-o", str(target), "-q"]) == 0
    text = target.read_text()
    assert re.search(r"^\| 2 \| 2 \| established ", text, re.MULTILINE)
    assert not re.search(r"^\| 1 \| 3 \| established ", text, re.MULTILINE)
    assert "rows are hidden" in text
