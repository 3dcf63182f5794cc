"""The command line: exit codes, what goes where, and where nothing may be written."""

import errno
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import incident
import pytest

import zabtrace.checks
import zabtrace.evidence
import zabtrace.fates
import zabtrace.predict
import zabtrace.replay
from zabtrace import cli, schema
from zabtrace.checks.findings import Report, ServerCheck
from zabtrace.cli.commands import command_names
from zabtrace.errors import NoEvidenceError
from zabtrace.evidence.trace import Trace

SOUND = Report((ServerCheck(1, True, "It starts.", "3.8.0"),))
PROGRAM = str(Path(sys.executable).with_name("zabtrace"))


@pytest.fixture
def given(monkeypatch, tmp_path):
    """Evidence that is the incident written by hand, whatever its files hold; the judgement can be changed."""
    judged = {"judgement": incident.judgement(), "since": "unasked"}
    folder = tmp_path / "evidence"
    folder.mkdir()

    def judge(history, since=None):
        judged["since"] = since
        return judged["judgement"]

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(zabtrace.evidence, "gather", lambda *arguments, **options: incident.trace())
    monkeypatch.setattr(zabtrace.evidence, "lines", lambda *arguments: (incident.trace(), iter([incident.trace()])))
    monkeypatch.setattr(zabtrace.replay, "replay", lambda trace: incident.history())
    monkeypatch.setattr(zabtrace.fates, "judge", judge)
    monkeypatch.setattr(zabtrace.predict, "predict", lambda history, start=None, version=None: incident.prediction())
    monkeypatch.setattr(zabtrace.checks, "check", lambda *arguments: SOUND)
    return judged


@pytest.mark.parametrize(("verdict", "code"), [("nothing_lost", 0), ("lost", 1), ("diverged", 1), ("undecided", 3)])
@pytest.mark.parametrize("command", ["verify", "report"])
def test_the_verdict_is_the_exit_code_and_its_reason_one_line(given, capsys, command, verdict, code):
    given["judgement"] = replace(given["judgement"], verdict=verdict, message="Because.")
    assert cli.run([command, "evidence"]) == code
    assert capsys.readouterr().err == f"zabtrace: {verdict.replace('_', ' ')}: Because.\n"


@pytest.mark.parametrize("command", ["elections", "epochs", "syncs", "predict", "txns", "events", "summary"])
def test_other_commands_are_done_whatever_was_lost(given, capsys, command):
    given["judgement"] = replace(given["judgement"], verdict="lost")
    assert cli.run([command, "evidence"]) == 0
    assert capsys.readouterr().out


def test_evidence_alone_prints_the_summary(given, capsys):
    assert cli.run(["evidence"]) == 0
    alone = capsys.readouterr().out
    assert cli.run(["-q", "evidence"]) == 0
    assert capsys.readouterr().out == alone
    assert "No committed write was lost" in alone


@pytest.mark.parametrize("command", ["verify", "elections", "epochs", "syncs", "predict", "txns", "events"])
def test_json_is_a_document_of_format_one(given, capsys, command):
    assert cli.run([command, "evidence", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["format"] == 1


def test_events_summary_and_unknown(given, capsys):
    assert cli.run(["events", "evidence", "--summary", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["total"]["lines"] == 7
    assert cli.run(["events", "evidence", "--unknown", "--format", "ndjson"]) == 0
    assert json.loads(capsys.readouterr().out)["count"] == 2
    assert cli.run(["events", "evidence", "--unknown", "--summary"]) == 2


def test_tree_shows_snapshots_as_stored(given, capsys, monkeypatch):
    assert cli.run(["tree", "evidence"]) == 2
    assert "Name one server with --server; those with data are: 1, 2, 3." in capsys.readouterr().err
    node = {"server": 1, "source": "snapshot.0", "path": "/", "czxid": 0}
    found = schema.frame(schema.ZNODES, [node])
    monkeypatch.setattr(zabtrace.evidence, "znodes_by_snapshot", lambda *given: (zabtrace.evidence.gather(), iter([found])))
    assert cli.run(["tree", "--snapshots", "evidence", "--format", "ndjson"]) == 0
    assert json.loads(capsys.readouterr().out)["path"] == "/"


def test_since_is_a_time_a_zxid_or_an_epoch(given):
    for written, zxid in (("e2", 0x200000000), ("1/0x5", 0x100000005), ("2026-11-21T00:09:52Z", 0x100000006)):
        assert cli.run(["verify", "evidence", "-q", "--since", written]) == 0
        assert given["since"] == zxid
    assert cli.run(["verify", "evidence", "-q", "--since", "yesterday"]) == 2


def test_explain_tells_the_story_of_one_zxid(given, capsys):
    assert cli.run(["verify", "evidence", "--explain", "1/0x7"]) == 0
    assert capsys.readouterr().out.startswith("0x100000007 create /a<script>")


def test_hidden_rows_are_said_and_change_no_verdict(given, capsys):
    given["judgement"] = replace(given["judgement"], verdict="lost")
    assert cli.run(["verify", "evidence", "--from", "e2", "--format", "json"]) == 1
    said = capsys.readouterr()
    assert json.loads(said.out)["writes"] == []
    assert "2 rows are hidden" in said.err


def test_a_server_the_evidence_has_not_is_wrong_usage(given, capsys):
    assert cli.run(["syncs", "evidence", "--server", "9"]) == 2
    assert "no server '9'. It has: 1, 2, 3, zk-<b>x" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["verify"], "Missing argument"),
        (["verify", "evidence", "--format", "xml"], "'xml' is not one of"),
        (["verify", "evidence", "--explain", "x"], "'x' is no zxid"),
        (["verifi", "evidence"], "Did you mean verify?"),
        (["predict", "evidence", "--start", "7"], "no server '7'"),
        (["elections", "evidence", "-o", "nowhere/x.json"], "does not exist"),
        (["elections", "evidence", "-o", "."], "is a folder"),
    ],
)
def test_wrong_usage_is_one_line_and_two(given, capsys, arguments, words):
    assert cli.run(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert words in said.err
    assert said.err.count("\n") == 1


def test_no_argument_prints_help_and_is_wrong_usage(capsys):
    assert cli.run([]) == 2
    assert "Commands:" in capsys.readouterr().err


def test_no_evidence_is_two(monkeypatch, capsys):
    def gather(*arguments, **options):
        raise NoEvidenceError("nowhere: no such file\nor folder \x1b[31m")

    monkeypatch.setattr(zabtrace.evidence, "gather", gather)
    assert cli.run(["nowhere"]) == 2
    assert capsys.readouterr().err == "zabtrace: nowhere: no such file or folder \\x1b[31m\n"


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ValueError("odd\nvalue"), 4, "bug in zabtrace: ValueError: odd value. Please report it"),
        (MemoryError(), 4, "out of memory"),
        (OSError(errno.ENOSPC, "No space left", "page.html"), 4, "the disk is full: page.html"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_failures_are_one_line(monkeypatch, capsys, error, code, words):
    def gather(*arguments, **options):
        raise error

    monkeypatch.setattr(zabtrace.evidence, "gather", gather)
    monkeypatch.delenv("ZABTRACE_DEBUG", raising=False)
    assert cli.run(["epochs", "x"]) == code
    said = capsys.readouterr().err
    assert words in said
    assert len(said.splitlines()) == 1 + (code == 130)  # a line of its own after the terminal's ^C


def test_debugging_shows_where_it_failed(monkeypatch):
    monkeypatch.setattr(zabtrace.evidence, "gather", lambda *arguments, **options: 1 / 0)
    monkeypatch.setenv("ZABTRACE_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        cli.run(["epochs", "x"])


def test_the_page_is_written_where_it_is_asked_for_and_named(given, capsys, tmp_path):
    assert cli.run(["report", "evidence"]) == 0
    assert "The page: zabtrace-report.html" in capsys.readouterr().out
    assert "<!DOCTYPE html>" in Path("zabtrace-report.html").read_text()
    assert cli.run(["report", "evidence", "-o", "other.html", "--title", "T & U", "--note", "n"]) == 0
    assert "<title>T &amp; U · zabtrace</title>" in Path("other.html").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evidence", "other.html", "zabtrace-report.html"]


@pytest.mark.parametrize(
    "command", [["report", "evidence", "-o", "evidence/page.html"], ["verify", "evidence", "--format", "json", "--output=evidence/x"]]
)
def test_nothing_is_written_into_the_evidence(given, capsys, monkeypatch, command):
    monkeypatch.setattr(sys, "argv", ["zabtrace", *command])
    assert cli.run(command) == 2
    said = capsys.readouterr().err
    assert "lies inside the evidence" in said
    assert f"zabtrace {command[0]} evidence" in said
    assert " -o /" in said
    assert list(Path("evidence").iterdir()) == []


def test_the_page_is_not_written_into_the_evidence_one_stands_in(given, capsys, monkeypatch):
    monkeypatch.chdir("evidence")
    assert cli.run(["report", "."]) == 2
    assert "lies inside the evidence" in capsys.readouterr().err
    assert list(Path().iterdir()) == []


def test_a_file_holds_what_stdout_would(given, capsys):
    assert cli.run(["syncs", "evidence", "--format", "ndjson"]) == 0
    shown = capsys.readouterr().out
    assert cli.run(["syncs", "evidence", "--format", "ndjson", "-o", "syncs.ndjson"]) == 0
    assert capsys.readouterr().out == ""
    assert Path("syncs.ndjson").read_text() == shown


def test_a_failed_write_leaves_what_was_there(given, capsys, monkeypatch):
    Path("page.html").write_text("old")

    def build(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("zabtrace.report.page.html", build)
    assert cli.run(["report", "evidence", "-o", "page.html"]) == 4
    assert Path("page.html").read_text() == "old"
    assert sorted(path.name for path in Path().iterdir()) == ["evidence", "page.html"]


def test_every_command_has_help_with_an_example(capsys):
    for name in command_names():
        assert cli.run([name, "--help"]) == 0
        assert f"zabtrace {name}" in capsys.readouterr().out.split("Example", 1)[1]


def test_help_imports_nothing_heavy():
    heavy = "'polars', 'plotly', 'lark', 'rich', 'jinja2', 'numpy'"
    program = f"import sys; from zabtrace import cli; cli.run(['--help']); print([m for m in ({heavy}) if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("[]")


def test_a_pipe_that_closes_early_is_no_error(samples):
    with subprocess.Popen([PROGRAM, "events", str(samples / "truncated-3.8.0")], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read().decode()
    assert (process.returncode, said) == (0, "")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.log", b""),
        ("binary.log", bytes(range(256)) * 64),
        ("foreign.log", b"hello\nworld\n"),
        ("log.100000001", b"ZKLG\0\0\0\2" + b"\0" * 8),
    ],
)
def test_bad_evidence_is_said_and_never_a_traceback(tmp_path, capsys, name, content):
    (tmp_path / name).write_bytes(content)
    for command in ("verify", "epochs", "events", "txns", "predict"):
        assert cli.run([command, str(tmp_path), "-q"]) in (0, 2, 3)
        said = capsys.readouterr()
        assert "bug in zabtrace" not in said.err
        assert said.out or said.err


@pytest.mark.parametrize("content", [None, b""])
def test_nothing_to_read_is_two(tmp_path, capsys, content):
    missing = tmp_path / "folder"
    if content is not None:
        missing.mkdir()
    assert cli.run(["verify", str(missing)]) == 2
    assert capsys.readouterr().err.startswith("zabtrace: ")


def test_an_empty_trace_breaks_no_command(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(zabtrace.evidence, "gather", lambda *arguments, **options: Trace())
    for command in ([], ["verify"], ["report"], ["elections"], ["predict"], ["txns"], ["events", "--summary"]):
        assert cli.run([*command, "x"]) in (0, 3)
    assert "bug" not in capsys.readouterr().err


def test_a_real_incident_end_to_end(samples, capsys):
    """sample_logs/truncated-3.8.0: twelve records that only the old leader had were cut from its log when it came back."""
    folder = samples / "truncated-3.8.0"
    assert cli.run(["verify", str(folder), "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["verdict"] == "nothing_lost"
    assert [write["zxid"] for write in document["writes"]] == [f"0x{z:x}" for z in range(0x100000061, 0x10000006D)]
    assert {write["fate"] for write in document["writes"]} == {"truncated"}
