"""What did not survive: the exact content, whether it fits what is there now, and as commands that say exactly that."""

import base64
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from zabtrace import cli
from zabtrace.documents.salvage import encoded
from zabtrace.fates import judge
from zabtrace.render import zkcli
from zabtrace.replay.history import History
from zabtrace.replay.tree_nodes import Node, Tree
from zabtrace.replay.tree_rules import rules_of
from zabtrace.salvage import Trial, _tried, salvage

Z = 0x100000010
TOKEN = re.compile(r"""\s*([^"']\S*|"[^"]*"|'[^']*')\s*""")  # how ZooKeeperMain splits a line, restated


def words(line: str) -> list[str]:
    found = [match[1] for match in TOKEN.finditer(line)]
    return [word[1:-1] if word[0] in "\"'" and word[-1] == word[0] and len(word) > 1 else word for word in found]


# ---------------------------------------------------------------- real incidents
def test_the_truncated_writes_with_their_exact_data(samples: Path, capsys):
    history = [json.loads(line) for line in (samples / "truncated-3.8.0/clients/history.jsonl").read_text().splitlines()]
    asked = [(op["path"], op["data"]) for op in history if op["client"] == "victim" and op["error"] == "ConnectionLoss"]
    assert len(asked) == 12
    assert cli.run(["salvage", str(samples / "truncated-3.8.0"), "-q"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["path"], row["data"]) for row in rows] == asked
    assert [row["zxid"] for row in rows] == [f"{zxid:#x}" for zxid in range(0x100000061, 0x10000006D)]
    assert all(row["fits"] for row in rows)
    assert [row["expected_version"] for row in rows if row["op"] == "setData"] == [0, 0]
    log = next((samples / "truncated-3.8.0").glob("before-rejoin/server-3/**/log.100000001")).read_bytes()
    assert all(log.find(row["data"].encode()) > row["offset"] for row in rows)


def test_the_script_says_the_same(samples: Path, capsys):
    folder = str(samples / "shadowed-3.9.3")
    assert cli.run(["salvage", folder, "-q"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert cli.run(["salvage", folder, "-q", "--format", "zkcli"]) == 0
    commands = [words(line) for line in capsys.readouterr().out.splitlines() if line and not line.startswith("#")]
    for row, command in zip(rows, commands, strict=True):
        version = [] if row["expected_version"] is None else ["-v", str(row["expected_version"])]
        assert command == [{"create2": "create", "setData": "set"}[row["op"]], *version, row["path"], row["data"]]


def test_nothing_to_salvage(samples: Path, capsys):
    assert cli.run(["salvage", str(samples / "recovered-3.8.0")]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "0 writes did not survive" in said.err


def test_the_evidence_is_not_written_to(samples: Path, tmp_path: Path, capsys):
    folder = tmp_path / "evidence"
    shutil.copytree(samples / "truncated-3.8.0", folder)
    assert cli.run(["salvage", str(folder), "-o", str(folder / "x.jsonl")]) == 2
    assert "never written to" in capsys.readouterr().err
    assert not (folder / "x.jsonl").exists()


def test_writes_known_from_clients_alone_keep_what_the_client_asked(history_of: Callable[[str], History]):
    from dataclasses import replace

    import polars as pl

    history = history_of("truncated-3.8.0")
    judgement = judge(history)
    bare = replace(history.trace, txns=history.trace.txns.filter(~pl.col("zxid").is_between(0x100000061, 0x10000006C)))
    answered = pl.when(pl.col("line") == 94).then(0x100000061).otherwise("zxid").alias("zxid")
    bare = replace(bare, client_ops=bare.client_ops.with_columns(answered))
    rows = salvage(replace(history, trace=bare), judgement).rows
    first, second = rows.row(0, named=True), rows.row(1, named=True)
    assert (first["content"], first["data"], first["line"]) == ("client", b"victim-unacked-000-yyyyyyyyyyyyyyyyyyyyyyyy", 94)
    assert (second["content"], second["data"]) == ("not read", None)


# ---------------------------------------------------------------- trying on a tree
def present() -> Tree:
    """/, /a (version 3, changed long ago), /b (changed since), /e (ephemeral) and /a/kid."""
    tree = Tree(rules_of("3.8.0"))
    root = Node(0, 0, 0, 0, 0, 0, 0, 0, 0, None, None, None)
    tree.put("", root)
    for path, czxid, mzxid, version, owner in (
        ("/a", 1, 5, 3, 0),
        ("/a/kid", 2, 2, 0, 0),
        ("/b", 3, Z + 0x100000000, 4, 0),
        ("/e", 4, 4, 0, 0x1234),
        ("/mine", Z, Z, 0, 0),
    ):
        parent = tree.nodes[path.rpartition("/")[0]]
        tree.put(path, Node(czxid, mzxid, mzxid, 0, 0, version, 0, 0, owner, None, None, parent))
    return tree


def tried(*rows: dict) -> list[list[str]]:
    import dataclasses

    from zabtrace.replay.tree import Replayed

    fields = {f.name: None for f in dataclasses.fields(Replayed)}
    replayed = Replayed(**{**fields, "tree": present(), "server": 1})
    return [row["conflicts"] for row in _tried([{"zxid": Z, "source": "log", "offset": 16, **row} for row in rows], replayed)]


def op(name: str, path: str, version: int | None = None, **more: object) -> dict:
    return {"op": name, "path": path, "version": version, **more}


CASES = [
    ("a create where there is nothing", [op("create", "/new")], [None]),
    ("a create of what exists", [op("create", "/a")], ["The path exists: created by 0x1."]),
    ("a create that is there", [op("create", "/mine")], ["It is in that tree already."]),
    ("a create without its parent", [op("create", "/no/kid")], ["Its parent is not in that tree."]),
    ("a create below an ephemeral", [op("create", "/e/kid")], ["Its parent is ephemeral there: it can have no children."]),
    ("a set of the version before", [op("setData", "/a", 4)], [None]),
    ("a set of another version", [op("setData", "/a", 7)], ["Its version is 3 there, it was 6 before this write."]),
    ("a set of what was changed since", [op("setData", "/b", 5)], ["The path was changed since, by 0x200000010: its version is 4 there."]),
    ("a set of what is gone", [op("setData", "/no", 1)], ["The path is not in that tree."]),
    ("a delete", [op("delete", "/a/kid")], [None]),
    ("a delete of a parent", [op("delete", "/a")], ["It has 1 children there."]),
    ("a delete of what is gone", [op("delete", "/no")], ["The path is not in that tree: it is gone already."]),
    ("a setACL of the version before", [op("setACL", "/a", 1)], [None]),
    ("a setACL of another version", [op("setACL", "/a", 3)], ["Its ACL version is 0 there, it was 2 before this write."]),
]


@pytest.mark.parametrize(("rows", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_one_write_on_a_tree(rows, expected):
    assert tried(*rows) == [[] if reason is None else [reason] for reason in expected]


def test_what_fits_changes_what_the_next_one_finds():
    rows = [
        op("create", "/n"),
        op("create", "/n/k"),
        op("setData", "/n", 1),
        op("setData", "/n", 2),
        op("delete", "/n"),
        op("delete", "/n/k"),
    ]
    steps = [{**row, "zxid": Z + n, "offset": 16 + n} for n, row in enumerate(rows)]
    assert tried(*steps) == [[], [], [], [], ["It has 1 children there."], []]
    assert tried(*steps[:1], *steps[3:4]) == [[], ["Its version is 0 there, it was 1 before this write."]]


def test_a_multi_fits_as_a_whole_or_not_at_all():
    members = [op("create", "/n", index=0), op("check", "/a", 9, index=1)]
    assert tried(*members) == [["Another part of its multi does not fit."], ["Its version is 3 there, it was 9 before this write."]]
    after = {**op("create", "/n/k"), "zxid": Z + 1, "offset": 99}
    assert tried(*members, after)[2] == ["Its parent is not in that tree."]


def test_two_transactions_with_one_zxid_are_marked():
    first, second = tried(op("create", "/n"), {**op("create", "/m"), "offset": 500})
    assert first == second == ["Another transaction has the same zxid."]


def test_trial_leaves_the_tree_alone():
    tree = present()
    trial = Trial(tree, 1)
    trial.counted("/a/x", 1)
    assert trial.state("/a").children == tree.nodes["/a"].children + 1 == 2


# ---------------------------------------------------------------- data and commands
@pytest.mark.parametrize("data", [b"plain", "größe".encode(), b"", b"a\tb\nc"])
def test_text_stays_text(data):
    value, encoding = encoded(data)
    assert encoding == "utf-8"
    assert value.encode() == data


@pytest.mark.parametrize("data", [b"\xff\xfe", b"\x00", b"\x1b[31m", "\u202e".encode(), b"\xed\xa0\x80"])
def test_everything_else_is_base64(data):
    value, encoding = encoded(data)
    assert encoding == "base64"
    assert base64.b64decode(value) == data


def command(**row: object) -> str:
    value, encoding = encoded(row.pop("raw", b"v"))
    row = {
        "zxid": hex(Z),
        "index": None,
        "fate": "lost",
        "committed": "yes",
        "op": "create",
        "path": "/p",
        "data": value,
        "encoding": encoding,
        "acl": "31:world:anyone",
        "ephemeral": False,
        "ttl": None,
        "expected_version": None,
        "content": "record",
        "conflicts": [],
        **row,
    }
    return "".join(zkcli._lines(row))


COMMANDS = [
    ({}, ["create", "/p", "v"]),
    ({"raw": None}, ["create", "/p"]),
    ({"raw": b"two words"}, ["create", "/p", "two words"]),
    ({"raw": b'say "x"'}, ["create", "/p", 'say "x"']),
    ({"raw": b"it's"}, ["create", "/p", "it's"]),
    ({"raw": b""}, ["create", "/p", ""]),
    ({"op": "createContainer"}, ["create", "-c", "/p", "v"]),
    ({"op": "createTTL", "ttl": 5000}, ["create", "-t", "5000", "/p", "v"]),
    ({"acl": "1:world:anyone,31:digest:u:h=="}, ["create", "/p", "v", "world:anyone:r,digest:u:h==:rwcda"]),
    ({"op": "setData", "expected_version": 3}, ["set", "-v", "3", "/p", "v"]),
    ({"op": "delete", "expected_version": 0}, ["delete", "-v", "0", "/p"]),
    ({"op": "setACL", "expected_version": 1, "acl": "5:ip:10.0.0.0/8"}, ["setAcl", "-v", "1", "/p", "ip:10.0.0.0/8:rc"]),
]


@pytest.mark.parametrize(("row", "expected"), COMMANDS, ids=str)
def test_commands_are_what_zookeeper_reads(row, expected):
    lines = [line for line in command(**row).splitlines() if line and not line.startswith("#")]
    assert [words(line) for line in lines] == [expected]


HELD_BACK = [
    ({"raw": b"\x00\x01"}, "base64: AAE="),
    ({"raw": b"two\nlines"}, "line ends"),
    ({"raw": b"\"'"}, "both kinds of quotes"),
    ({"raw": b"-x"}, "for an option"),
    ({"ephemeral": True}, "its owner has to create it again"),
    ({"op": "setData"}, "cannot be conditional"),
    ({"op": "setData", "expected_version": 1, "raw": None}, "cannot set null"),
    ({"op": "createSession", "path": None}, "a session cannot be made again"),
    ({"op": "reconfig"}, "must not be applied from a script"),
    ({"content": "not read"}, "in no file that was read"),
    ({"conflicts": ["The path exists."]}, "conflict: The path exists."),
]


@pytest.mark.parametrize(("row", "reason"), HELD_BACK, ids=str)
def test_what_cannot_be_said_or_does_not_fit_is_no_command(row, reason):
    shown = command(**row)
    assert reason in shown
    assert all(line.startswith("#") for line in shown.splitlines() if line)
