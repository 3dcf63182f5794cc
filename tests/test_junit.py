"""JUnit XML: a case per claim, and nothing open or lost that looks green."""

import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace

import incident
import polars as pl
import pytest

from zabtrace import cli, schema
from zabtrace.fates.judgement import FATES, VERDICTS, Judgement
from zabtrace.render.junit import junit
from zabtrace.replay.history import History


def read(judgement: Judgement, every: bool = False) -> ET.Element:
    return ET.fromstring("".join(junit(incident.history(), judgement, every)))  # noqa: S314  written above


def results(root: ET.Element, suite: str) -> list[tuple[str, str]]:
    cases = root.findall(f"testsuite[@name='zabtrace.{suite}']/testcase")
    return [(case.get("name", ""), case[0].tag if len(case) else "passed") for case in cases]


@pytest.mark.parametrize(
    ("verdict", "result"), [("nothing_lost", "passed"), ("lost", "failure"), ("diverged", "failure"), ("undecided", "error")]
)
def test_the_verdict_is_a_case(verdict, result):
    assert [found for _, found in results(read(replace(incident.judgement(), verdict=verdict)), "verdict")] == [result]


def test_every_verdict_is_covered():
    for verdict in VERDICTS:
        assert read(replace(incident.judgement(), verdict=verdict)).get("tests")


@pytest.mark.parametrize(
    ("fate", "committed", "result"),
    [
        ("survived", "yes", "passed"),
        ("recovered", "yes", "passed"),
        ("lost", "yes", "failure"),
        ("diverged", "unknown", "failure"),
        ("undecided", "unknown", "skipped"),
        *((fate, committed, result) for fate in ("truncated", "shadowed", "pending")
          for committed, result in (("no", "passed"), ("unknown", "skipped"), ("yes", "failure"))),
    ],
)  # fmt: skip
def test_fates(fate, committed, result):
    assert fate in FATES
    judgement = incident.judgement()
    writes = judgement.writes.head(1).with_columns(fate=pl.lit(fate), committed=pl.lit(committed), why=pl.lit("Because."))
    found = results(read(replace(judgement, writes=writes), every=True), "writes")
    assert [one for _, one in found] == [result]


def test_neighbours_are_one_claim_unless_every_one_is_asked_for():
    judgement = incident.judgement()
    assert len(results(read(judgement, every=True), "writes")) == judgement.writes.height
    few = results(read(judgement), "writes")
    assert few[0] == ("7 writes survived", "passed")
    assert len(few) < judgement.writes.height


@pytest.mark.parametrize(
    ("answer", "outcome", "result"),
    [
        ("acknowledged", "happened", "passed"),
        ("acknowledged", "did not", "failure"),
        ("acknowledged", "cannot tell", "skipped"),
        ("unknown", "cannot tell", "skipped"),
        ("unknown", "did not", "passed"),
        ("refused", "did not", "passed"),
    ],
)
def test_clients(answer, outcome, result):
    history = incident.history()
    op = {"source": "c.jsonl", "line": 1, "op": "create", "path": "/a", "outcome": answer, "write": True}
    trace = replace(history.trace, client_ops=schema.frame(schema.CLIENT_OPS, [op]))
    clients = schema.frame(schema.CLIENTS, [{**op, "outcome": outcome, "why": "Because."}])
    judgement = replace(incident.judgement(), clients=clients)
    root = ET.fromstring("".join(junit(replace(history, trace=trace), judgement)))  # noqa: S314
    assert [found for _, found in results(root, "clients")] == [result]


def test_counts_add_up_and_hostile_text_is_sound_xml():
    judgement = incident.judgement()
    judgement = replace(judgement, message="\x00\x1b]0;x\x07 <b>&\ud800\ufffe", verdict="lost")
    root = read(judgement)
    cases = root.findall("testsuite/testcase")
    assert int(root.get("tests", "")) == len(cases)
    assert int(root.get("failures", "")) == len(root.findall("testsuite/testcase/failure"))
    message = root.find("testsuite/testcase/failure").get("message")
    assert message == "\\x00\\x1b]0;x\\x07 <b>&??"


def test_the_command(samples, capsys, tmp_path, history_of: Callable[[str], History]):
    target = tmp_path / "verify.xml"
    assert cli.run(["verify", str(samples / "truncated-3.8.0"), "-q", "--format", "junit", "-o", str(target)]) == 0
    root = ET.parse(target).getroot()  # noqa: S314
    assert results(root, "writes") == [("152 writes survived", "passed"), ("0x100000061..0x10000006c (12): truncated", "passed")]
    assert ("12 unanswered writes: did not", "passed") in results(root, "clients")
    assert capsys.readouterr().out == ""
