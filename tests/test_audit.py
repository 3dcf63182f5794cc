"""Audit logs: every form of line, who asked from where, and that they stand for no server's own log."""

from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from zabtrace.cli import zabtrace
from zabtrace.evidence import gather
from zabtrace.replay.tree_clients import clients

STAMP = "2026-11-21 00:17:16,703 {} {}AuditLogger: "
S, U, IP = "session=0x100002267fc0000", "user=alice", "ip=10.0.0.9"
LINES = {
    f"{U}\toperation=serverStart\tresult=success": {"type": "serverStart", "result": "success"},
    f"{U}\toperation=serverStop\tresult=invoked": {"type": "serverStop", "result": "invoked"},
    f"{S}\t{U}\t{IP}\toperation=create\tznode=/a b\tznode_type=persistent\tresult=success": {"path": "/a b", "node_type": "persistent"},
    f"{S}\t{U}\t{IP}\toperation=create\tznode=/a\tznode_type=ephemeral\tacl=world:anyone:r\tresult=success": {"acl": "world:anyone:r"},
    f"{S}\t{U}\t{IP}\toperation=setAcl\tznode=/a\tacl=world:anyone:cdrwa\tresult=failure": {"type": "setAcl", "result": "failure"},
    f"{S}\t{U}\t{IP}\toperation=delete\tznode=/a\tresult=failure": {"path": "/a", "address": "10.0.0.9", "result": "failure"},
    f"{S}\t{U}\t{IP}\toperation=multiOperation\tresult=failure": {"type": "multiOperation", "session": 0x100002267FC0000},
    f"{S}\t{U}\toperation=ephemeralZNodeDeletionOnSessionCloseOrExpire\tznode=/e\tresult=success": {"path": "/e", "address": None},
}


def log(folder: Path, provider: str = "o.a.z.a.Slf4j") -> Path:
    path = folder / "zookeeper_audit.log"
    levels = ["ERROR" if "failure" in line else "INFO" for line in LINES]
    path.write_text("".join(STAMP.format(level, provider) + line + "\n" for level, line in zip(levels, LINES, strict=True)))
    return path


@pytest.mark.parametrize("provider", ["o.a.z.a.Slf4j", "audit.Log4j"])
def test_every_form_is_understood_with_its_fields(tmp_path: Path, provider: str) -> None:
    trace = gather([str(log(tmp_path, provider))])
    assert trace.audit is not None
    assert set(trace.audit.lines["kind"]) == {"audit"}
    fields = trace.audit.fields["audit"].sort("line").rows(named=True)
    for row, expected in zip(fields, LINES.values(), strict=True):
        assert {name: row[name] for name in expected} == expected
        assert row["user"] == "alice"
    source = trace.sources.row(0, named=True)
    assert (source["kind"], source["lines"], source["understood"]) == ("audit log", len(LINES), len(LINES))


def test_an_audit_log_is_no_servers_own_log(tmp_path: Path) -> None:
    """Which servers' votes can be followed is told by their own logs alone."""
    log(tmp_path)
    (tmp_path / "myid").write_text("1")
    trace = gather([str(tmp_path)])
    assert trace.lines.is_empty()
    assert trace.sources.filter(pl.col("kind") == "audit log")["server"].to_list() == [1]


def test_it_tells_from_where_a_session_wrote(tmp_path: Path) -> None:
    assert clients(gather([str(log(tmp_path))])).rows() == [(0x100002267FC0000, "10.0.0.9")]


def test_its_stamps_are_in_the_zone_that_was_given(tmp_path: Path) -> None:
    trace = gather([str(log(tmp_path))], timezone=["Europe/Berlin"])
    assert trace.audit is not None
    assert trace.audit.lines["time"].dt.to_string("%H:%M").unique().to_list() == ["23:17"]


def test_events_lists_it(tmp_path: Path) -> None:
    shown = CliRunner().invoke(zabtrace, ["events", str(log(tmp_path)), "--kind", "audit", "--format", "ndjson"])
    assert shown.stdout.count("AuditLogger") == len(LINES)
    raw = CliRunner().invoke(zabtrace, ["events", str(tmp_path), "--raw"])
    assert raw.stdout.splitlines()[1].endswith("operation=serverStop\tresult=invoked")


def test_a_servers_log_with_audit_records_among_its_lines_is_its_own_log(tmp_path: Path) -> None:
    own = "2026-11-21 00:17:1{},100 [myid:1] - INFO  [main:QuorumPeerMain@151] - Starting quorum peer, myid=1\n"
    (tmp_path / "zookeeper.log").write_text(log(tmp_path).read_text() + "".join(own.format(second) for second in range(9)))
    (tmp_path / "zookeeper_audit.log").unlink()
    trace = gather([str(tmp_path)])
    assert trace.sources["kind"].to_list() == ["server log"]
    assert trace.lines.filter(pl.col("kind") == "audit").height == len(LINES)
