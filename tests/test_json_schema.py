"""The published schemas: sound, strict where programs rely on them, and true of real output."""

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import zabtrace.evidence
from zabtrace import cli

ROOT = Path(__file__).parent.parent
SCHEMAS = {path.stem: json.loads(path.read_text()) for path in sorted((ROOT / "docs" / "schemas").glob("*.json"))}
SAMPLES = ("truncated-3.8.0", "shadowed-3.9.3")
DOCUMENTS = {
    "verify": [["verify"], ["verify", "--all"], ["verify", "--write", "/pay"], ["verify", "--explain", "0x100000053"]],
    "elections": [["elections"]],
    "epochs": [["epochs"]],
    "syncs": [["syncs"]],
    "predict": [["predict"]],
    "events-summary": [["events", "--summary"]],
    "check": [["check"]],
    "incidents": [["incidents"]],
    "answers": [["answers"]],
}
RUNS = {"simulate": ["1:1:8", "2:1:8", "4:1:7", "--voters", "5"]}
"""Documents of no evidence: the command's own arguments."""
LINES = {"txns": ["txns"], "tree-snapshots": ["tree", "--snapshots"], "salvage": ["salvage"]}
SMALLEST = {
    "verify": {"format": 2},
    "elections": {"elections": [{}]},
    "epochs": {"epochs": [{"epoch": "1"}]},
    "syncs": {"syncs": [{"mode": "SOME"}]},
    "predict": {"starts": None},
    "events-summary": {"total": {}},
    "check": {"checks": [{"outcome": "maybe"}]},
    "incidents": {"losses": [{}]},
    "answers": {"facts": [{"key": "mode", "value": "leader"}]},
    "txns": {"zxid": 17},
    "tree-snapshots": {"path": "a"},
    "salvage": {"content": "some"},
    "simulate": {"rounds": [{"round": 1, "votes": [{"server": 1, "voted_for": "1", "because": "zxid"}]}]},
}
"""For each schema what must not pass."""


def validator(name: str) -> Any:
    return jsonschema.Draft202012Validator(SCHEMAS[name])


TRACES: dict[str, Any] = {}


@pytest.fixture(autouse=True)
def read_once(monkeypatch):
    """Every sample is read once, for all commands."""
    read = zabtrace.evidence.gather

    def gather(*arguments: Any, **options: Any) -> Any:
        key = repr((arguments, options))
        if key not in TRACES:
            TRACES[key] = read(*arguments, **options)
        return TRACES[key]

    monkeypatch.setattr(zabtrace.evidence, "gather", gather)


def document(capsys, samples: Path, sample: str, command: list[str], form: str) -> str:
    code = cli.run([command[0], str(samples / sample), "-q", *command[1:], "--format", form])
    assert code in (0, 1, 3)
    return capsys.readouterr().out


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_are_sound_and_all_are_tested(name):
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[name])
    assert name in {*DOCUMENTS, *LINES, *RUNS}
    assert name in SMALLEST
    assert f"[{name}.json]({name}.json)" in (ROOT / "docs" / "schemas" / "README.md").read_text()


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize(("name", "command"), [(name, command) for name, commands in DOCUMENTS.items() for command in commands], ids=str)
def test_real_documents_are_as_published(capsys, samples, sample, name, command):
    answer = json.loads(document(capsys, samples, sample, command, "json"))
    validator(name).validate(answer)


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("name", LINES)
def test_real_lines_are_as_published(capsys, samples, sample, name):
    rows = [json.loads(line) for line in document(capsys, samples, sample, LINES[name], "ndjson").splitlines()]
    for row in rows:
        validator(name).validate(row)


def of_a_run(capsys, *arguments: str) -> Any:
    assert cli.run(["simulate", *arguments, "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_simulated_documents_are_as_published(capsys, tmp_path):
    """An election by numbers; a run with synchronizations of every kind, an observer, a truncation, a mutation."""
    validator("simulate").validate(of_a_run(capsys, *RUNS["simulate"]))
    scenario = tmp_path / "run.scenario"
    scenario.write_text(
        "version 3.8.0\nservers 1 2 3\nobservers 4\ndisk 3 epoch 1 zxid 1/9\ndisk 1 epoch 2 zxid 1/7\ndisk 2 epoch 2 zxid 1/7\n"
        "start 1 2 4\nrest\nstart 3\nrest\nwrite 3\nrest\nmutate a dropped vote\n"
    )
    told = of_a_run(capsys, str(scenario), "-o", str(tmp_path / "left"))
    validator("simulate").validate(told)
    assert told["mutations"]
    assert told["truncations"]


@pytest.mark.parametrize("name", SCHEMAS)
def test_what_is_wrong_does_not_pass(capsys, samples, name):
    if name in RUNS:
        good = of_a_run(capsys, *RUNS[name])
    else:
        command = DOCUMENTS[name][0] if name in DOCUMENTS else LINES[name]
        out = document(capsys, samples, SAMPLES[0], command, "json" if name in DOCUMENTS else "ndjson")
        good = json.loads(out if name in DOCUMENTS else out.splitlines()[0])
    assert validator(name).is_valid(good)
    assert not validator(name).is_valid({**good, **SMALLEST[name]})
    for key in SCHEMAS[name]["required"]:
        less = copy.deepcopy(good)
        del less[key]
        assert not validator(name).is_valid(less), key
    assert validator(name).is_valid({**good, "new_key": 1})


def test_facts_of_every_form(capsys, tmp_path):
    """A zxid, a session with its client and when it began: each in the row of a line."""
    (tmp_path / "srvr.txt").write_text("Zookeeper version: 3.8.0-abc, built on 2022\nZxid: 0x100000024\nMode: follower\nNode count: 7\n")
    (tmp_path / "cons.txt").write_text(
        " /127.0.0.1:51234[1](queued=0,recved=3,sent=3,sid=0x10000237fe30000,lop=PING,est=1700000000000,to=6000,lcxid=0x2,"
        "lzxid=0x100000024,lresp=1,llat=0,minlat=0,avglat=0,maxlat=1)\n"
    )
    assert cli.run(["answers", str(tmp_path), "-q", "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    validator("answers").validate(told)
    assert {row["zxid"] for row in told["facts"]} >= {"0x100000024", None}
    assert any(row["session"] == "0x10000237fe30000" and row["since"] for row in told["facts"])


def test_a_range_of_salvage():
    bounds = {"from": "0x100000061", "to": None, "count": None}
    told = {"zxid": None, "fate": "truncated", "committed": "unknown", "server": 3, "why": "Because.", "content": "not read"}
    row = {**told, **bounds, "data": None, "encoding": None, "conflicts": [], "fits": None}
    validator("salvage").validate(row)
    del row["from"]
    assert not validator("salvage").is_valid(row)
