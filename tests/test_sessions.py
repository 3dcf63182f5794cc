"""Sessions, histories of znodes, what is large, and records by what they did: the commands on made-up and on real evidence."""

import json

import polars as pl
import pytest
from tree_bytes import BIRTH, close_session, create, delete, error, folder, multi, node, open_session, set_data, snapshot, trace_of

from zabtrace import cli, schema
from zabtrace.held import Plain
from zabtrace.replay.tree import tree_at
from zabtrace.replay.tree_clients import clients
from zabtrace.replay.tree_history import changes, shown
from zabtrace.replay.tree_sessions import sessions
from zabtrace.replay.tree_top import children, errors, growth, in_logs, largest, subtrees, written

A, B, C, D = (1 << 56 | 7), (2 << 56 | 7), (3 << 56 | 7), (200 << 56 | 7) - (1 << 64)
BASE = {0: snapshot(*BIRTH, sessions=0)}


def asked(capsys, *arguments: str) -> dict:
    assert cli.run([*arguments, "--format", "json", "-q"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["format"] == 1
    return document


def fates(trace, **of: str) -> pl.DataFrame:
    """All records survived, but those of these zxids."""
    rows = trace.txns.select("zxid", "payload_hash").unique()
    named = {int(name[1:]): fate for name, fate in of.items()}
    return rows.with_columns(fate=pl.col("zxid").replace_strict(named, default="survived", return_dtype=pl.String))


# ---------------------------------------------------------------- sessions
def test_how_sessions_end(tmp_path):
    records = [
        open_session(1, A, 4000), open_session(2, B, 5000), open_session(3, C, 6000), open_session(4, D),
        create(5, "/e", session=A, ephemeral=True),
        create(6, "/f", parent=2, session=C, ephemeral=True), close_session(7, ["/e"], session=A), close_session(8, [], session=B, cxid=0),
    ]  # fmt: skip
    folder(tmp_path, 1, {1: records}, BASE)
    trace = trace_of(tmp_path)
    found = {row["session"]: row for row in sessions(trace, fates(trace)).iter_rows(named=True)}
    assert {key: (row["server"], row["state"], row["timeout"], row["created_zxid"], row["ended_zxid"]) for key, row in found.items()} == {
        A: (1, "closed", 4000, 1, 7), B: (2, "expired", 5000, 2, 8), C: (3, "open", 6000, 3, None), D: (200, "open", 4000, 4, None),
    }  # fmt: skip
    assert [(found[key]["ephemerals"], found[key]["left"]) for key in (A, C)] == [(["/e"], []), (["/f"], ["/f"])]


@pytest.mark.parametrize(
    ("of", "state", "words"),
    [
        ({"z2": "truncated"}, "open", "closeSession 0x2 is truncated: it closed nothing"),
        ({"z2": "undecided"}, "undecided", "closeSession 0x2 is undecided"),
        ({"z1": "lost"}, "discarded", "createSession 0x1 is lost"),
    ],
)
def test_a_record_that_did_not_survive_ends_nothing(tmp_path, of, state, words):
    folder(tmp_path, 1, {1: [open_session(1, A), close_session(2, session=A)]}, BASE)
    trace = trace_of(tmp_path)
    row = sessions(trace, fates(trace, **of)).row(0, named=True)
    assert row["state"] == state
    assert words in row["why"]


def test_sessions_older_than_the_logs(tmp_path):
    held = snapshot(*BIRTH, node("/g", ephemeralOwner=101, czxid=3), sessions=2)  # sessions 100 and 101
    gone = snapshot(*BIRTH, sessions=1)
    folder(tmp_path, 1, {}, {5: held, 9: gone})
    trace = trace_of(tmp_path)
    found = sessions(trace, fates(trace))
    assert found.select("session", "state", "timeout").rows() == [(100, "open", 4000), (101, "undecided", 4000)]
    assert "closeSession is in no log" in found["why"][1]


def test_addresses_of_clients(history_of):
    trace = history_of("truncated-3.8.0").trace
    line = {"server": 1, "source": "log", "order": 0, "kind": "session_created", "message": ""}
    lines = schema.frame(schema.LINES, [{**line, "line": n, "time": n} for n in (1, 2, 3)])
    fields = pl.DataFrame(
        {"server": [1] * 3, "source": ["log"] * 3, "line": [1, 2, 3], "session": [5, 5, 5], "address": ["/b:1", "/a:2", "/b:1"]}
    )
    told = clients(type(trace)(held=Plain(lines, {"session_created": fields})))
    assert told.rows() == [(5, "b:1, a:2")]


# ---------------------------------------------------------------- history
def test_every_change_of_a_node(tmp_path):
    inner = (5, set_data(0, "/a", b"333", 2)[32:])
    records = [
        open_session(1, A), create(2, "/a", b"1"), set_data(3, "/a", b"22", 1), multi(4, inner),
        multi(5, inner, (-1, error(0, -101)[32:])), delete(6, "/a"),
        create(7, "/a", b"e", parent=2, session=A, ephemeral=True), create(8, "/ab", parent=3),
        create(9, "/a/b", parent=1), close_session(10, session=A),
    ]  # fmt: skip
    for server in (1, 2):
        folder(tmp_path, server, {1: records}, BASE)
    trace = trace_of(tmp_path)
    found = changes(trace, "/a", values=True)
    assert found.select("zxid", "op", "change", "old_len", "new_len", "old_value", "new_value", "version").rows() == [
        (2, "create", "created", None, 1, None, "1", 0),
        (3, "setData", "changed", 1, 2, "1", "22", 1),
        (4, "setData", "changed", 2, 3, "22", "333", 2),
        (6, "delete", "deleted", 3, None, "333", None, None),
        (7, "create", "created", None, 1, None, "e", 0),
        (10, "closeSession", "deleted", 1, None, "e", None, None),
    ]
    assert found["on"].to_list() == [[1, 2]] * 6
    assert set(changes(trace, "/a", below=True)["path"]) == {"/a", "/a/b"}


def test_what_was_there_before_the_log_begins(tmp_path):
    stat = {"czxid": 3, "mzxid": 4, "pzxid": 3}
    folder(
        tmp_path,
        1,
        {6: [set_data(6, "/a", b"new", 2), close_session(7, session=44)]},
        {5: snapshot(*BIRTH, node("/a", b"before", ephemeralOwner=44, **stat))},
    )
    found = changes(trace_of(tmp_path), "/a", values=True)
    assert found.select("zxid", "change", "old_value", "new_value").rows() == [(6, "changed", "before", "new"), (7, "deleted", "new", None)]


def test_bytes_that_are_no_text():
    assert shown(b"\xff\x00a") == "\\xff\x00a"
    assert shown(b"x" * (1 << 20)) == "x" * (1 << 20)
    assert shown(b"x" * ((1 << 20) + 1)).endswith("... (1048577 bytes)")


def test_history_says_what_became_of_each_write(samples, capsys):
    document = asked(capsys, "history", "/pay/u008", str(samples / "truncated-3.8.0"), "--values")
    rows = [(row["zxid"], row["op"], row["fate"], row["on"], row["old_len"]) for row in document["changes"]]
    assert rows == [("0x100000069", "create2", "truncated", [], None), ("0x10000006a", "setData", "truncated", [], 43)]
    assert document["changes"][1]["old_value"] == document["changes"][0]["new_value"]


# ---------------------------------------------------------------- top
def test_what_is_large_and_grew(tmp_path):
    records = [
        open_session(1, A), create(2, "/d", b"12345"), create(3, "/d/a", b"123", parent=1), create(4, "/d/b", b"1", parent=2),
        create(5, "/s", b"1234567", parent=2), set_data(6, "/d/b", b"1234", 1), set_data(7, "/d/b", b"12", 2),
        error(8, -101), error(9, -101), error(10, -110, B),
    ]  # fmt: skip
    for server in (1, 2):
        folder(tmp_path, server, {1: records}, BASE)
    trace = trace_of(tmp_path)
    tree = tree_at(trace, 1)
    assert largest(tree).select("path", "data_len").rows()[:3] == [("/s", 7), ("/d", 5), ("/d/a", 3)]
    assert subtrees(tree).rows() == [("/", 17, 8), ("/d", 10, 3), ("/zookeeper", 0, 3)]
    assert children(tree).select("path", "children").rows()[:2] == [("/", 3), ("/d", 2)]
    assert written(trace, in_logs(trace, tree)).select("path", "writes", "bytes").rows()[0] == ("/d/b", 3, 7)
    assert growth(tree_at(trace, 1, 3), tree).rows() == [("/", 9, 2), ("/d", 2, 1)]
    assert errors(trace).select("session", "error", "name", "count").rows() == [(A, -101, "NONODE", 2), (B, -110, "NODEEXISTS", 1)]


@pytest.mark.parametrize("part", ["largest", "subtrees", "children", "written", "growth", "errors"])
def test_each_part_of_top_alone(samples, capsys, part):
    assert cli.run(["top", str(samples / "truncated-3.8.0"), "--server", "1", "--by", part, "-n", "2", "--format", "ndjson"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_top_says_which_records_it_counted(samples, capsys):
    """Server 3's log holds 0x100000001 to 0x100000060 and goes on with epoch 2: what it got as a snapshot is in no record of it."""
    asked = ["top", str(samples / "truncated-3.8.0"), "--server", "3", "--at", "0x200000002", "--format", "json"]
    assert cli.run(asked) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["counted"] == {"records": 98, "from": "0x100000001", "to": "0x200000002"}
    assert all(int(row["last_zxid"], 16) <= 0x200000002 for row in document["written"])
    assert cli.run([*asked[:-1], "table"]) == 0
    assert "in the 98 records of this server's own logs, 0x100000001 to 0x200000002;" in capsys.readouterr().out


# ---------------------------------------------------------------- txns and tree on the command line
def test_records_as_text(samples, capsys):
    log = str(samples / "truncated-3.8.0" / "before-rejoin" / "server-3")
    assert cli.run(["txns", log, "--from", "0x100000069", "--to", "0x10000006a", "--format", "text", "-q"]) == 0
    head, first, second, end = capsys.readouterr().out.splitlines()
    assert (head, end) == ("ZooKeeper Transactional Log File server-3/data/version-2/log.100000001", "EOF reached after 2 txns.")
    assert first.startswith("2026-11-21T00:09:53.666Z session 0x300001b95500000 cxid 0xa zxid 0x100000069 create2 /pay/u008,")
    assert first.endswith(",[31:world:anyone],false,8")
    assert second.split(" ")[8].split(",")[0] == "/pay/u008"


@pytest.mark.parametrize(
    ("arguments", "zxids"),
    [
        (["--path", "/a"], ["0x2", "0x4", "0x5"]),
        (["--path", "/e"], ["0x3", "0x5"]),
        (["--session", "0x200000000000007"], ["0x6"]),
        (["--op", "CREATE", "--op", "error"], ["0x2", "0x3", "0x6"]),
        (["--path", "/a", "--op", "multi"], ["0x4"]),
    ],
)
def test_records_by_what_they_did(tmp_path, capsys, arguments, zxids):
    records = [
        open_session(1, A), create(2, "/a", session=A), create(3, "/e", parent=2, session=A, ephemeral=True),
        multi(4, (5, set_data(0, "/a", b"", 1)[32:])), close_session(5, ["/e", "/a"], session=A), error(6, -101, B),
    ]  # fmt: skip
    folder(tmp_path, 1, {1: records}, BASE)
    document = asked(capsys, "txns", str(tmp_path), *arguments)
    assert [row["zxid"] for row in document["txns"]] == zxids
    assert document["hidden"] == 6 - len(zxids)


def test_the_tree_on_the_command_line(samples, capsys):
    evidence = str(samples / "truncated-3.8.0")
    document = asked(capsys, "tree", evidence, "--server", "3", "--copy", "1", "--at", "1/0x62", "/pay", "--values")
    assert (document["zxid"], document["digest"], document["remarks"]) == ("0x100000062", "matches", [])
    assert [row["path"] for row in document["znodes"]] == ["/pay", "/pay/u000", "/pay/u001"]
    assert len(document["znodes"][1]["value"]) == 43
    assert cli.run(["tree", evidence, "--server", "1", "/no/such"]) == 0
    assert "It has no znode /no/such." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["tree", "EVIDENCE"], "Name one server with --server; those with data are: 1, 2, 3."),
        (["tree", "EVIDENCE", "--server", "1", "--from", "e1"], "Give --at"),
        (["tree", "/no/such/place"], "No evidence is named: /no/such/place is taken for a znode path"),
        (["history", "EVIDENCE"], "Name the znode"),
        (["history", "EVIDENCE", "--path", "a"], "'a' is no znode path"),
        (["txns", "EVIDENCE", "--op", "put"], "there is no operation 'put'"),
        (["txns", "EVIDENCE", "--session", "x"], "is no session id"),
        (["top", "EVIDENCE", "--server", "1", "--since", "0x7ffffffff", "--at", "yesterday"], "is no time, zxid or epoch"),
    ],
)
def test_wrong_usage(samples, capsys, arguments, words):
    evidence = str(samples / "truncated-3.8.0")
    assert cli.run([evidence if word == "EVIDENCE" else word for word in arguments]) == 2
    assert words in capsys.readouterr().err


def test_paths_are_shown_plainly(tmp_path, capsys):
    folder(tmp_path, 1, {1: [open_session(1, A), create(2, "/\x1b[31m", b"\x1b]0;")]}, BASE)
    for command in (
        ["tree", "--values"],
        ["history", "--path", "/\x1b[31m", "--values"],
        ["txns", "--format", "text"],
        ["sessions"],
        ["top"],
    ):
        assert cli.run([command[0], str(tmp_path), *command[1:]]) == 0
        assert "\x1b" not in capsys.readouterr().out
