"""read_log: lines in, tables out; every physical line accounted for, whatever the bytes are."""

# ruff: noqa: E501 - lines are quoted as ZooKeeper prints them
from __future__ import annotations

import codecs
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from zabtrace import schema
from zabtrace.errors import UsageError
from zabtrace.evidence.kinds import recognise
from zabtrace.logs import LogRead, looks_like_log, read_log, text
from zabtrace.source import Source

HEAD = "2026-11-21 00:18:39,{ms} [myid:{myid}] - INFO  [{thread}:{logger}@130] - {message}"


def record(
    message: str,
    logger: str = "QuorumPeer",
    thread: str = "QuorumPeer[myid=1](plain=0.0.0.0:2181)(secure=disabled)",
    myid: str = "1",
    ms: int = 100,
) -> str:
    return HEAD.format(ms=ms, myid=myid, thread=thread, logger=logger, message=message)


@pytest.fixture
def read(tmp_path: Path):  # type: ignore[no-untyped-def]
    def _read(content: str | bytes, **options: str) -> LogRead:
        path = tmp_path / "zookeeper.log"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_log(Source("s1/zookeeper.log", path), **options)

    return _read


def parts(log: LogRead) -> tuple[int, int, int, int, int]:
    return tuple(log.summary[name] for name in ("lines", "understood", "unknown", "foreign", "damaged"))  # type: ignore[return-value]


def test_records_with_their_stack_traces(read) -> None:  # type: ignore[no-untyped-def]
    log = read("\n".join([
        "ZooKeeper JMX enabled by default",
        record("LOOKING"),
        record("Exception when following the leader", "Follower"),
        "java.io.EOFException",
        "\tat java.io.DataInputStream.readInt(DataInputStream.java:392)",
        record("a text of a patched build"),
        "its second line",
        record("Started ServerConnector@72f926e6{HTTP/1.1}", "AbstractConnector", "main"),
    ]) + "\n")  # fmt: skip
    assert log.lines.schema == pl.Schema(schema.types(schema.LINES))
    assert log.lines.select("source", "line", "logger", "kind", "trace", "continued").rows() == [
        ("s1/zookeeper.log", 2, "QuorumPeer", "state_looking", None, 0),
        ("s1/zookeeper.log", 3, "Follower", "follower_exception", "java.io.EOFException", 2),
        ("s1/zookeeper.log", 6, "QuorumPeer", None, "its second line", 1),
        ("s1/zookeeper.log", 8, "AbstractConnector", None, None, 0),
    ]
    assert parts(log) == (8, 4, 2, 2, 0)
    assert log.summary["by_level"] == {"INFO": {"lines": 6, "understood": 4}}
    assert log.layout == "stock"
    assert log.damage.is_empty()


def test_times_are_utc_and_zones_apply(read) -> None:  # type: ignore[no-untyped-def]
    lines = record("LOOKING") + "\n" + record("LEADING").replace("2026-11-21 00:18", "2026-07-01T00:18").replace("39,100", "39.100")
    assert read(lines).lines["time"].to_list() == [
        datetime(2026, 11, 21, 0, 18, 39, 100000, UTC), datetime(2026, 7, 1, 0, 18, 39, 100000, UTC),
    ]  # fmt: skip
    assert read(lines, zone="Europe/Berlin").lines["time"].to_list() == [
        datetime(2026, 11, 20, 23, 18, 39, 100000, UTC), datetime(2026, 6, 30, 22, 18, 39, 100000, UTC),
    ]  # fmt: skip


def test_who_wrote_it(read) -> None:  # type: ignore[no-untyped-def]
    log = read("\n".join([
        record("Starting quorum peer, myid=3", "QuorumPeerMain", "main", ""),
        record("Server environment:zookeeper.version=3.8.0-${mvngit.commit.id}, built on 2024-12-29 17:54 UTC", "Environment", "main", "3"),
        record("LOOKING", thread="QuorumPeer[myid=3](plain=0.0.0.0:2181)(secure=disabled)", myid=""),
        record("Too busy to snap, skipping", "SyncRequestProcessor", "SyncThread:3", ""),
        record("Server environment:zookeeper.version=3.9.3-c26634f, built on 2024-10-17 23:21 UTC", "Environment", "main", "3"),
    ]))  # fmt: skip
    assert log.sids == Counter({3: 5})
    assert log.version == "3.9.3"


def test_a_standalone_server_has_no_sid(read) -> None:  # type: ignore[no-untyped-def]
    assert not read(record("Too busy to snap, skipping", "SyncRequestProcessor", "SyncThread:0", "")).sids


def test_line_ends_bom_and_no_last_line_feed(read) -> None:  # type: ignore[no-untyped-def]
    plain = read("\n".join([record("LOOKING"), record("LEADING")]))
    dressed = read(codecs.BOM_UTF8 + "\r\n".join([record("LOOKING"), record("LEADING")]).encode())
    assert plain.lines.equals(dressed.lines)
    assert parts(plain) == parts(dressed) == (2, 2, 0, 0, 0)


def test_nuls_in_front_of_a_line(read) -> None:  # type: ignore[no-untyped-def]
    log = read("\0" * 5000 + record("LOOKING") + "\n")
    assert log.lines["kind"].to_list() == ["state_looking"]
    assert log.damage.select("line", "harm").rows() == [(1, "none")]
    assert "5000 NUL bytes" in log.damage["reason"][0]


def test_a_cut_head_is_damaged_not_a_continuation(read) -> None:  # type: ignore[no-untyped-def]
    log = read("\n".join([record("LOOKING"), "FO  [QuorumPeer[myid=2]/0.0.0.0:2182:QuorumPeer@784] - LEADING", record("LEADING")]))
    assert log.lines.select("line", "kind", "continued").rows() == [(1, "state_looking", 0), (3, "state_leading", 0)]
    assert parts(log) == (3, 2, 0, 0, 1)
    assert log.damage["line"].to_list() == [2]


def test_bytes_that_are_no_utf8(read) -> None:  # type: ignore[no-untyped-def]
    log = read(record("Reading snapshot /data/\xe9/snapshot.1", "FileSnap").encode("latin-1") + b"\n")
    assert log.fields["snapshot_reading"]["path"].to_list() == ["/data/\ufffd/snapshot.1"]
    assert log.damage.height == 1


@pytest.mark.parametrize(
    "content", [b"", b"\n", bytes(range(256)) * 40, b"\x00" * 1000, b"ZKLG\x00\x00\x00\x02" + b"\x00" * 500, b"# a note\nabout nothing\n"]
)
def test_no_log_at_all(read, content: bytes) -> None:  # type: ignore[no-untyped-def]
    log = read(content)
    assert log.layout is None and log.lines.is_empty() and looks_like_log(content) is None
    total = len(content.decode("utf-8-sig", "replace").split("\n")) - (content.endswith(b"\n") or not content)
    assert parts(log)[0] == total == sum(parts(log)[1:])
    assert log.damage.is_empty() == (total == 0)


def test_another_programs_log_is_none_of_ours() -> None:
    kafka = b"[2021-04-02 01:33:57,831] INFO started (kafka.server.KafkaServer)\n"
    assert looks_like_log(kafka) is None
    assert looks_like_log(kafka.replace(b"kafka.server.KafkaServer", b"org.apache.zookeeper.server.quorum.QuorumPeer")) == "kafka"


def test_blocks_cut_anywhere_give_the_same(read, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    lines = [
        record("LOOKING"),
        record("Exception when following the leader", "Follower"),
        "java.io.EOFException",
        "\tat a",
        record("LEADING"),
    ]
    data = "\n".join([*lines * 3, ""]).encode()
    whole = pl.concat([block.lines for block in text.blocks_of_lines([data])])
    for size in (1, 7, 100, 333):
        cut = [data[at : at + size] for at in range(0, len(data), size)]
        assert pl.concat([block.lines for block in text.blocks_of_lines(cut)]).equals(whole)


class _InBlocks(Source):
    """A source that hands out small blocks."""

    def blocks(self, size: int = 150):  # type: ignore[no-untyped-def,override]
        return super().blocks(150)


def test_a_trace_goes_on_in_the_next_block(tmp_path: Path) -> None:
    path = tmp_path / "zookeeper.log"
    path.write_text(
        "\n".join(
            [
                record("Exception when following the leader", "Follower"),
                "java.io.EOFException",
                *["\tat a.b.c(D.java:1)"] * 30,
                record("LOOKING"),
            ]
        )
    )
    log = read_log(_InBlocks("zookeeper.log", path))
    assert log.lines.select("line", "trace", "continued").rows() == [(1, "java.io.EOFException", 31), (33, None, 0)]
    assert log.lines.equals(read_log(Source("zookeeper.log", path)).lines)


def test_a_line_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "LONGEST", 100)
    found = list(text.blocks_of_lines([b"a" * 80, b"b" * 80, b"c" * 80, b"d\nnext\n"]))
    assert pl.concat([block.lines for block in found])["text"].to_list() == ["a" * 80 + "b" * 20, "next"]
    assert [odd.line for block in found for odd in block.oddities] == [1]


def test_layout_may_change_within_a_file(read) -> None:  # type: ignore[no-untyped-def]
    log = read(
        "\n".join(
            [
                record("LOOKING"),
                record("LEADING"),
                "[2021-04-02 01:33:57,831] INFO FOLLOWING (org.apache.zookeeper.server.quorum.QuorumPeer)",
            ]
        )
    )
    assert log.lines["kind"].to_list() == ["state_looking", "state_leading", "state_following"]


def test_audit_log(read) -> None:  # type: ignore[no-untyped-def]
    line = "2026-11-20 23:59:30,001 INFO audit.Log4jAuditLogger: user=root\toperation=serverStart\tresult=success\n"
    log = read(line)
    assert (log.layout, log.lines["kind"].to_list()) == ("audit", ["audit"])


def test_an_unknown_layout_names_the_known(read) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UsageError, match=r"'nonsense' is no layout\. Known are: stock"):
        read("", layout="nonsense")


def test_an_unknown_zone_is_refused(read) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UsageError, match="'Mars/Olympus' is no time zone"):
        read("", zone="Mars/Olympus")


PIECES = st.sampled_from([
    record("LOOKING"), record("Notification time out: 400 ms", "FastLeaderElection"), record("no such text"), record("x", "Slf4jLog"), "", "\tat a.b(C.java:1)",
    "SLF4J: Class path contains multiple SLF4J bindings.", "\0\0", "\ufffd", "2026-11-21 00:18:39,719 [myid:1] - INFO  [main:Foo", "x@12] - y", "\r", record("")[:-3],
])  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(PIECES, max_size=12), st.sampled_from(["\n", "\r\n"]), st.binary(max_size=20))
def test_every_physical_line_is_accounted_for(tmp_path_factory: pytest.TempPathFactory, pieces: list[str], end: str, tail: bytes) -> None:
    assume(end.join(pieces))  # else the tail alone may begin as a compressed file does
    path = tmp_path_factory.mktemp("log") / "zookeeper.log"
    path.write_bytes(end.join(pieces).encode() + tail)
    log = read_log(Source("zookeeper.log", path))
    lines = path.read_bytes().decode("utf-8-sig", "replace").split("\n")
    assert parts(log)[0] == len(lines) - (lines[-1] == "") == sum(parts(log)[1:])
    assert log.lines["line"].to_list() == sorted(set(log.lines["line"]))
    for row in log.lines.iter_rows(named=True):
        assert row["message"] in lines[row["line"] - 1]


def test_a_run_of_nuls_of_any_length_costs_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "LONGEST", 100)
    found = list(text.blocks_of_lines([b"first\n\0\0", b"\0" * 300, b"\0" * 300, b"\0\0second\n\0third\n"]))
    assert pl.concat([block.lines for block in found])["text"].to_list() == ["first", "second", "third"]
    told = [(odd.line, odd.reason.split()[0]) for block in found for odd in block.oddities]
    assert told == [(2, "604"), (3, "1")]
    whole = list(text.blocks_of_lines([b"\0" * 250]))
    assert [(odd.line, odd.harm, odd.reason.split()[0]) for block in whole for odd in block.oddities] == [(1, "data", "250")]


def test_a_log_that_begins_with_nuls_is_found_by_what_follows(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    path.write_bytes(b"\0" * (1 << 17) + (record("LOOKING") + "\n").encode())
    assert recognise(Source("server.log", path)) == ("server log", "records in layout stock")
