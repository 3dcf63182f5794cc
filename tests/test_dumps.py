"""Dumps of ZooKeeper's own tools read as the bytes they were printed of, in every form and locale, and say where they were cut.

tests/data/dumps holds what LogFormatter 3.4.14, TxnLogToolkit 3.8.0 and SnapshotFormatter 3.8.0 printed.
"""

import gzip
import re
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zabtrace.dumps import TxnDumpRead, read_snapshot_dump, read_txn_dump
from zabtrace.dumps.stamps import Clock
from zabtrace.grammar import notation, reference
from zabtrace.records import read_snapshot, read_txn_log
from zabtrace.source import Source

DATA = Path(__file__).parent / "data" / "dumps"
GRAMMAR = notation.read("dumps.lark")
SAME = (
    "zxid", "session", "cxid", "type", "op", "path", "paths", "version", "parent_cversion", "ephemeral", "ttl", "timeout", "error", "acl",
    "failed",
)  # fmt: skip
HEAD = "ZooKeeper Transactional Log File with dbid 0 txnlog format version 2\n"
STAMP = "11/21/26, 12:18:28 AM UTC"


def source(path: Path) -> Source:
    return Source(path.name, path)


def dump(tmp_path: Path, text: str, zone: str | None = None) -> TxnDumpRead:
    (tmp_path / "dump.txt").write_bytes(text.encode("utf-8", "surrogateescape"))
    return read_txn_dump(source(tmp_path / "dump.txt"), zone)


def record(number: int, rest: str, stamp: str = STAMP) -> str:
    return f"{stamp} session 0x1a cxid 0x{number:x} zxid 0x{0x100000000 + number:x} {rest}\n"


# ---------------------------------------------------------------- the grammar
@pytest.mark.parametrize("shape", GRAMMAR.shapes, ids=lambda shape: f"{shape.rule}-{shape.kind}")
def test_every_sample_reads_as_its_alternative_and_as_lark_reads_it(shape: notation.Shape) -> None:
    for sample in shape.samples:
        found = re.fullmatch(shape.pattern, sample)
        assert found is not None
        columns = tuple((name, text) for name, text in found.groupdict().items())
        assert reference.Derivation(shape.kind, columns) in reference.derivations("dumps.lark", shape.rule, sample)


# ---------------------------------------------------------------- held against the bytes
@pytest.mark.parametrize("name", ["every-write-3.4.14", "every-write-3.8.0"])
def test_a_dump_says_what_the_log_holds(name: str) -> None:
    told = read_txn_dump(source(DATA / name / "dump.txt.gz"))
    stored = read_txn_log(source(DATA / name / "log.100000001.gz"))
    assert told.txns.select(SAME).equals(stored.txns.select(SAME))
    assert told.txns["time"].equals(stored.txns["time"].dt.truncate("1s"))
    assert told.txns["dump"].all()
    assert told.txns.select("checksum", "checksum_ok", "digest", "payload_len", "payload_hash").null_count().row(0) == (len(told.txns),) * 5
    assert told.damage.is_empty()
    assert [section.whole for section in told.sections] == [True]
    members = ("zxid", "index", "type", "op", "path")
    assert told.ops.select(members).equals(stored.ops.select(members))
    assert {"create", "setData", "error"} <= set(told.ops["op"])


def test_data_of_a_dump_are_the_logs_or_not_told() -> None:
    told = read_txn_dump(source(DATA / "every-write-3.8.0" / "dump.txt.gz")).txns
    stored = read_txn_log(source(DATA / "every-write-3.8.0" / "log.100000001.gz")).txns
    text = gzip.decompress((DATA / "every-write-3.8.0" / "dump.txt.gz").read_bytes())
    log = gzip.decompress((DATA / "every-write-3.8.0" / "log.100000001.gz").read_bytes())
    shown = 0
    for (at, size), (offset, length) in zip(
        told.select("data_offset", "data_len").rows(), stored.select("data_offset", "data_len").rows(), strict=True
    ):
        if at is not None:
            assert text[at : at + size] == log[offset : offset + length]
            shown += 1
    assert shown == 15
    every_byte = told.filter(pl.col("path") == "/t/bin")  # all 256 bytes: Java printed most of them as U+FFFD
    assert every_byte.select("data_offset", "data_len").row(0) == (None, None)
    jute = read_txn_dump(source(DATA / "every-write-3.4.14" / "dump.txt.gz")).txns  # 0x00 and 0x0 print alike: no length is told
    assert jute["data_len"].null_count() == jute.height


@pytest.mark.parametrize("form", ["d", "plain"])
def test_a_snapshots_dump_says_what_the_snapshot_holds(form: str) -> None:
    told = read_snapshot_dump(source(DATA / "snapshot-3.9.3" / f"{form}.txt.gz"))  # printed in New York
    stored = read_snapshot(source(DATA / "snapshot-3.9.3" / "snapshot.1000000a0.gz"), znodes=True)
    columns = ["path", "czxid", "mzxid", "pzxid", "version", "cversion", "aversion", "ephemeral_owner", "ctime", "mtime", "data_len"]
    seconds = stored.znodes.with_columns(pl.col("ctime", "mtime") // 1000 * 1000, data_len=pl.when(pl.col("data_len") > 0).then("data_len"))
    assert told.znodes.select(columns).sort("path").equals(seconds.select(columns).sort("path"))
    assert set(told.sessions.select("session", "timeout").rows()) == set(stored.sessions.select("session", "timeout").rows())
    assert told.damage.is_empty()
    assert told.remarks == ("its EST is read as UTC-05:00",)


def test_the_json_form_tells_paths_and_lengths() -> None:
    told = read_snapshot_dump(source(DATA / "snapshot-3.9.3" / "json.txt.gz"))
    stored = read_snapshot(source(DATA / "snapshot-3.9.3" / "snapshot.1000000a0.gz"), znodes=True).znodes
    lengths = stored.select("path", data_len=pl.when(pl.col("data_len") > 0).then("data_len"))
    assert told.znodes.select("path", "data_len").sort("path").equals(lengths.sort("path"))
    assert told.znodes["czxid"].null_count() == told.znodes.height
    assert "no zxid" in told.remarks[0]


# ---------------------------------------------------------------- stamps
@pytest.mark.parametrize(
    "stamp",
    [  # 00:18:28 UTC as Java 17 prints it in Berlin, by locale; then as Java 8 does
        "11/21/26, 1:18:28 AM CET", "21/11/2026, 01:18:28 CET", "21.11.26, 01:18:28 MEZ", "21/11/2026 01:18:28 CET",
        "2026-11-21 01:18:28 CET", "2026/11/21 1:18:28 CET", "2026/11/21 CET 上午1:18:28", "2026-11-21, 1:18:28 a.m. CET",
        "21/11/26 1:18:28 CET", "21-11-2026 01:18:28 CET", "21.11.2026, 01:18:28 CET", "21/11/26, 1:18:28 am CET", "21.11.26 1:18:28 SEČ",
        "21.11.2026 1.18.28 CET", "11/21/26, 1:18:28 AM CET", "11/21/26 1:18:28 AM CET", "21.11.26 01:18:28 MEZ",
        "11/20/26, 7:18:28 PM EST", "11/20/26, 9:18:28 PM GMT-03:00", "Sat Nov 21 00:18:28 UTC 2026", "11/21/26, 12:18:28?AM GMT",
        "11/20/26, 12:18:28 PM GMT-12:00",
    ],
)  # fmt: skip
def test_stamps_of_every_locale(stamp: str) -> None:
    assert Clock(None).times(pl.Series([stamp])).to_list() == [datetime.fromisoformat("2026-11-21T00:18:28+00:00")]


def test_a_name_of_several_zones_gives_no_time_until_the_zone_is_named() -> None:
    stamp = pl.Series(["11/21/26, 8:18:28 AM CST", "11/21/26, 12:18:28 AM UTC"])
    unsure = Clock(None)
    assert unsure.times(stamp).is_null().to_list() == [True, False]
    assert "--timezone" in unsure.remarks[0]
    named = Clock("Asia/Shanghai")
    assert named.times(stamp).to_list() == [datetime.fromisoformat("2026-11-21T00:18:28+00:00")] * 2
    assert named.remarks == ["its CST is read as Asia/Shanghai"]


@pytest.mark.parametrize("stamp", ["99/99/26, 12:18:28 AM UTC", "noon", "11/21/26, 12:18:28 AM XYZ"])
def test_what_is_no_time_gives_none(stamp: str) -> None:
    clock = Clock(None)
    assert clock.times(pl.Series([stamp])).to_list() == [None]
    assert clock.unread == 1


# ---------------------------------------------------------------- bodies
BODIES = [
    ("delete '/a%2Cb%25", {"op": "delete", "path": "/a,b%"}),
    ("create '/e,#657068,v{s{31,s{'world,'anyone}}},T,5", {"op": "create", "path": "/e", "ephemeral": True, "data_len": None}),
    ("create2 /e,eph,[31,s{'world,'anyone}\n],true,5", {"op": "create2", "data_len": 3, "parent_cversion": 5, "acl": "31:world:anyone"}),
    ("create2 /e,a,b\nc,[31,s{'world,'anyone}\n, 1,s{'digest,'j:x=}\n],false,5", {"path": "/e", "data_len": None, "ephemeral": False}),
    ("create2 /e,,[31,s{'world,'anyone}\n, 1,s{'digest,'j:x=}\n],false,5", {"acl": "31:world:anyone,1:digest:j:x="}),
    ("createContainer /c,x,[31,s{'world,'anyone}\n],15", {"op": "createContainer", "ephemeral": False, "parent_cversion": 15}),
    ("createTtl /t,ttl,[31,s{'world,'anyone}\n],16,2500", {"op": "createTTL", "ttl": 2500, "type": 21}),
    ("createTTL '/t,#74,v{s{31,s{'world,'anyone}}},16,2500", {"op": "createTTL", "ttl": 2500}),
    ("setData /p,{\"a\": 1},7", {"op": "setData", "path": "/p", "version": 7, "data_len": 8}),
    ("setData '/p,,7", {"path": "/p", "version": 7, "data_len": None}),
    ("setACL '/p,v{s{31,s{'world,'anyone}}},1", {"op": "setACL", "version": 1, "acl": "31:world:anyone"}),
    ("error -110", {"op": "error", "error": -110, "failed": True}),
    ("createSession 6000", {"op": "createSession", "timeout": 6000}),
    ("closeSession v{'/a,'/b%2Cc}", {"op": "closeSession", "paths": ["/a", "/b,c"]}),
    ("closeSession null", {"op": "closeSession", "paths": None, "failed": False}),
    ("closeSession ", {"op": "closeSession", "paths": None}),
    ("unknown 99", {"op": "unknown(99)", "type": 99}),
]  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), BODIES)
def test_bodies(tmp_path: Path, body: str, expected: dict[str, object]) -> None:
    found = dump(tmp_path, HEAD + record(1, body) + record(2, "error -1") + "EOF reached after 2 txns.\n")
    row = found.txns.row(0, named=True)
    assert {name: row[name] for name in expected} == expected
    assert found.sections[0].whole


def test_members_of_a_multi_that_failed(tmp_path: Path) -> None:
    jute = "multi v{s{1,#00052f742f6d3300013300010001f0005776f726c640006616e796f6e650000e},s{-1,#ffffffffffffffffffffffffffffff99}}"
    text = "multi delete:\x00\x00\x00\x05/t/m3;setData:\x00\x00\x00\x02/p\x00\x00\x00\x01x\x00\x00\x00\x01;error:\ufffd\ufffd\ufffd\ufffd"
    found = dump(tmp_path, HEAD + record(1, jute) + record(2, text) + "EOF reached after 2 txns.\n")
    assert found.ops.select("zxid", "index", "op", "path").rows() == [
        (0x100000001, 0, "create", "/t/m3"), (0x100000001, 1, "error", None),
        (0x100000002, 0, "delete", "/t/m3"), (0x100000002, 1, "setData", "/p"), (0x100000002, 2, "error", None),
    ]  # fmt: skip
    assert found.txns["failed"].to_list() == [True, True]


PATHS = st.from_regex(r"\A(/[a-z0-9_.-]{1,8}){1,3}\Z")
NUMBERS = st.integers(-(1 << 31), (1 << 31) - 1)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(PATHS, st.text("abc {}:;[]'\n\t\"é", min_size=1, max_size=12), NUMBERS), min_size=1, max_size=6))
def test_what_the_toolkit_prints_is_what_is_read(tmp_path_factory: pytest.TempPathFactory, writes: list[tuple[str, str, int]]) -> None:
    """getFormattedTxnStr of a setData: path, data and version, whatever the data."""
    printed = "".join(record(number, f"setData {path},{data},{version}") for number, (path, data, version) in enumerate(writes, 1))
    found = dump(tmp_path_factory.mktemp("dump"), f"{HEAD}{printed}EOF reached after {len(writes)} txns.\n")
    read = found.txns.select("path", "version", "data_len").rows()
    assert read == [(path, version, len(data.encode())) for path, data, version in writes]
    assert found.sections[0].whole


# ---------------------------------------------------------------- what is not whole
def test_a_dump_without_its_end_is_not_whole_and_its_last_record_not_believed(tmp_path: Path) -> None:
    found = dump(tmp_path, HEAD + record(1, "delete '/a") + record(2, "delete '/ab")[:-2])
    assert found.txns["path"].to_list() == ["/a"]
    assert [section.whole for section in found.sections] == [False]
    assert [reason.split(":")[0] for reason in found.damage["reason"]] == [
        "the dump has no end (EOF reached after ..)", "the last record before the missing end may be cut",
    ]  # fmt: skip
    assert set(found.damage["harm"]) == {"none"}


def test_a_real_dump_of_a_log_with_a_wrong_end_byte_stops_there() -> None:
    found = read_txn_dump(source(DATA / "no-end-3.8.0.txt.gz"))
    assert not found.sections[0].whole
    assert found.sections[0].records == found.txns.height + 1


def test_a_record_whose_checksum_is_wrong_is_one_row_and_damage() -> None:
    found = read_txn_dump(source(DATA / "broken-checksum-3.8.0.txt.gz"))
    assert found.txns.filter(~pl.col("checksum_ok").fill_null(value=True)).height == 1
    assert found.txns["zxid"].n_unique() == found.txns.height == found.sections[0].counted
    assert found.sections[0].whole
    assert found.damage["harm"].to_list() == ["data"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            HEAD + record(1, "delete '/a") + record(3, "delete '/c") + "EOF reached after 3 txns.\n",
            "the tool counted 3 records, 2 are here",
        ),
        (record(1, "delete '/a") + record(2, "delete '/b") + "EOF reached after 2 txns.\n", "the dump has no heading"),
        (HEAD + record(1, f"setData /a,x\n{record(9, 'delete /forged')},1") + "EOF reached after 1 txns.\n", "the tool counted 1 records"),
        (HEAD + record(1, "delete '/a") + "EOF reached after 1 txns.\nand more\n", "1 lines belong to no record"),
    ],
)
def test_what_is_missing_or_added_is_said(tmp_path: Path, text: str, why: str) -> None:
    found = dump(tmp_path, text)
    assert not any(section.whole for section in found.sections)
    assert any(reason.startswith(why) for reason in found.damage["reason"])


def test_several_dumps_in_one_file(tmp_path: Path) -> None:
    one = HEAD + record(1, "delete '/a") + "EOF reached after 1 txns.\n"
    found = dump(tmp_path, one + HEAD + record(2, "delete '/b") + record(3, "delete '/c") + one.replace("0x100000001", "0x100000009"))
    assert [(section.records, section.whole) for section in found.sections] == [(1, True), (2, False), (1, True)]
    assert found.txns.select("zxid", "section").rows() == [(0x100000001, 0), (0x100000002, 1), (0x100000009, 2)]


def test_windows_line_ends(tmp_path: Path) -> None:
    found = dump(
        tmp_path, (HEAD + record(1, "create2 /e,x,[31,s{'world,'anyone}\n],true,5") + "EOF reached after 1 txns.\n").replace("\n", "\r\n")
    )
    assert found.txns.select("path", "ephemeral").row(0) == ("/e", True)
    assert found.sections[0].whole


def test_noise_is_no_error(tmp_path: Path) -> None:
    noise = HEAD + "\x00\udcff session 0x zxid\n" + record(1, "multi \x00;create:") + record(2, "setData nonsense") + record(3, "error x")
    found = dump(tmp_path, noise)
    assert found.txns["zxid"].to_list() == [0x100000001, 0x100000002]
    assert any("body" in reason for reason in found.damage["reason"])


def test_pieces_read_as_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    from zabtrace.dumps import parts, snapshots

    path = DATA / "truncated-3.8.0" / "server-2" / "log.100000001.txt.gz"
    whole = read_txn_dump(source(path)).txns
    shot = DATA / "snapshot-3.9.3" / "d.txt.gz"
    nodes = read_snapshot_dump(source(shot))
    monkeypatch.setattr(parts, "BLOCK", 700)
    monkeypatch.setattr(snapshots, "BLOCK", 700)
    assert read_txn_dump(source(path)).txns.equals(whole)
    again = read_snapshot_dump(source(shot))
    assert again.znodes.equals(nodes.znodes)
    assert again.damage.is_empty()


def test_a_snapshots_dump_that_was_cut_says_so(tmp_path: Path) -> None:
    text = gzip.decompress((DATA / "snapshot-3.9.3" / "d.txt.gz").read_bytes())
    (tmp_path / "cut.txt").write_bytes(text[: len(text) // 2])
    found = read_snapshot_dump(source(tmp_path / "cut.txt"))
    assert any(reason.startswith("the tool counted 148 znodes") for reason in found.damage["reason"])
    assert any("session table" in reason for reason in found.damage["reason"])
