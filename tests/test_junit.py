"""JUnit XML: a case per claim, and nothing open or lost that looks green."""

import io
import re
import sys
import types
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import incident
import polars as pl
import pytest

from zabtrace import cli, schema
from zabtrace.clients import row_of
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


# ---------------------------------------------------------------- the recipe
RECIPE = (Path(__file__).parent.parent / "docs" / "ci-recipe.md").read_text()


@pytest.fixture
def recorder(monkeypatch) -> dict[str, object]:
    """The recorder of the recipe, with stand-ins for the client library."""
    modules = {
        "kazoo": (),
        "kazoo.client": ("KazooClient",),
        "kazoo.exceptions": ("KazooException", "ConnectionLoss", "SessionExpiredError", "NodeExistsError"),
        "kazoo.handlers": (),
        "kazoo.handlers.threading": ("KazooTimeoutError",),
    }
    base = type("KazooException", (Exception,), {})
    for module, classes in modules.items():
        stand_in = types.ModuleType(module)
        for name in classes:
            setattr(stand_in, name, base if name == "KazooException" else type(name, (base,), {}))
        monkeypatch.setitem(sys.modules, module, stand_in)
    (code,) = re.findall(r"^```python\n(.+?)^```", RECIPE, re.MULTILINE | re.DOTALL)
    names: dict[str, object] = {}
    exec(code, names)  # noqa: S102  the documentation's own code
    return names


@pytest.mark.parametrize(("error", "outcome"), [(None, "acknowledged"), ("ConnectionLoss", "unknown"), ("NodeExistsError", "refused")])
def test_the_recorder_of_the_recipe_writes_what_is_read(recorder, error, outcome):
    class Client:
        client_id = (0x100000D8C2B0000, b"")

        def create(self, path, data, include_data):
            if error:
                raise getattr(sys.modules["kazoo.exceptions"], error)
            return path, types.SimpleNamespace(mzxid=0x100000005, version=0)

    out = io.StringIO()
    recorder["record"](out, "client-1", Client(), "create", "/a", b"x")
    row = row_of(out.getvalue().encode())
    assert (row["outcome"], row["session"], row["data"], row["path"]) == (outcome, 0x100000D8C2B0000, "x", "/a")
    assert row["zxid"] == (0x100000005 if error is None else None)
    assert row["start"] <= row["end"]


def test_the_recipe_names_the_exit_codes_and_options_that_exist():
    assert dict(re.findall(r"^\| (\d) \| ([a-z ]+)", RECIPE, re.MULTILINE)).keys() == {"0", "1", "2", "3", "4"}
    options = set(re.findall(r" (--[a-z]+)", " ".join(re.findall(r"^ *zabtrace verify .*$", RECIPE, re.MULTILINE))))
    assert options == {"--before", "--clients", "--format"}
    assert options <= {name for option in cli.zabtrace.commands["verify"].params for name in option.opts}
