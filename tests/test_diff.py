"""Two trees compared, ghosts, and where two histories part."""

import json
from pathlib import Path

import pytest
from tree_bytes import BIRTH, SESSION, close_session, create, folder, node, open_session, set_acl, set_data, snapshot, trace_of

from zabtrace import cli
from zabtrace.replay.tree import snapshot_tree, tree_at
from zabtrace.replay.tree_diff import differences, ghosts, parting

BASE = {0: snapshot(*BIRTH)}
COMMON = [open_session(1), create(2, "/a"), create(3, "/b", parent=2), create(4, "/e", parent=3, ephemeral=True)]


def two(root: Path, left: list[bytes], right: list[bytes]):
    """Two servers with these records behind the common ones."""
    folder(root, 1, {1: [*COMMON, *left]}, BASE)
    folder(root, 2, {1: [*COMMON, *right]}, BASE)
    return trace_of(root)


def compared(trace, below: str = "/") -> list[tuple[str, str, bool]]:
    found = differences(tree_at(trace, 1), tree_at(trace, 2), below)
    return [(path, what, why is not None) for path, what, why in found.select("path", "difference", "harmless").iter_rows()]


def test_the_same_trees_differ_nowhere(tmp_path):
    trace = two(tmp_path, [], [])
    assert compared(trace) == []
    assert parting(trace, (1, 0), (2, 0)) is None


def test_each_kind_of_difference(tmp_path):
    left = [create(5, "/only", parent=4), set_data(6, "/a", b"1", 1), set_acl(7, "/b", 1)]
    right = [create(5, "/other", parent=4), set_data(6, "/a", b"2", 1), open_session(7, 9)]
    trace = two(tmp_path, left, right)
    assert compared(trace) == [
        ("/a", "data", False),
        ("/b", "acl, aversion", False),
        ("/only", "only left", False),
        ("/other", "only right", False),
    ]
    assert compared(trace, "/only") == [("/only", "only left", False)]
    first = parting(trace, (1, 0), (2, 0))
    assert (first.zxid, first.why) == (5, "both have it, with different contents: create and create")
    assert [Path(place[0]).name for place in (first.left, first.right)] == ["log.1", "log.1"]


def test_equal_data_in_other_files_are_no_difference(tmp_path):
    stat = {"ctime": 2000, "mtime": 2000, "czxid": 2, "mzxid": 2, "pzxid": 2}
    taken = snapshot(node("", cversion=1, pzxid=2), *BIRTH[1:], node("/a", b"x", **stat))
    data = folder(tmp_path, 1, {1: COMMON[:2]}, {0: BASE[0], 2: taken})
    trace = trace_of(tmp_path)
    name = next(source for source in trace.snapshots["source"] if source.endswith("snapshot.2"))
    assert data.is_dir()
    assert differences(tree_at(trace, 1, 2), snapshot_tree(trace, name)).is_empty()


def test_what_is_known_to_mean_nothing(tmp_path):
    quirky = snapshot(node("", cversion=7, pzxid=2), *BIRTH[1:3], node("/zookeeper/config", b"local"), node("/n", None))
    plain = snapshot(node("", cversion=1, pzxid=2), *BIRTH[1:], node("/n", b""))
    folder(tmp_path, 1, {}, {2: quirky})
    folder(tmp_path, 2, {}, {2: plain})
    trace = trace_of(tmp_path)
    found = differences(tree_at(trace, 1), tree_at(trace, 2))
    assert found.select("path", "difference").rows() == [("/", "cversion"), ("/n", "data"), ("/zookeeper/config", "data")]
    whys = found["harmless"].to_list()
    assert all(word in why for word, why in zip(("fuzzy", "null and empty", "itself"), whys, strict=True))


def test_acl_lists_are_compared_not_their_ids(tmp_path):
    # record_bytes lists the ACL of id 1 as world:anyone, all: what -1 stands for.
    folder(tmp_path, 1, {}, {2: snapshot(*BIRTH, node("/n", acl=1))})
    folder(tmp_path, 2, {}, {2: snapshot(*BIRTH, node("/n", acl=-1))})
    trace = trace_of(tmp_path)
    assert differences(tree_at(trace, 1), tree_at(trace, 2)).is_empty()


def test_a_tail_that_one_server_wrote_alone(tmp_path):
    e1, e2 = 1 << 32, 2 << 32
    shared = [open_session(e1 | 1), create(e1 | 2, "/a")]
    after = [open_session(e2 | 1, 9)]
    folder(
        tmp_path,
        1,
        {e1 | 1: [*shared, create(e1 | 3, "/lost", parent=2), create(e2 | 5, "/x", parent=2)]},
        {**BASE, e2 | 4: snapshot(*BIRTH)},
    )
    folder(tmp_path, 2, {e1 | 1: [*shared, *after, *(open_session(e2 | n, n) for n in (2, 3, 4)), create(e2 | 5, "/x", parent=2)]}, BASE)
    trace = trace_of(tmp_path)
    first = parting(trace, (1, 0), (2, 0))
    # What server 1 got by a snapshot (epoch 2, 1 to 4) is no difference; what it wrote alone is.
    assert (first.zxid, first.why, first.right) == (e1 | 3, "only the left side has it: create", None)
    assert parting(trace, (2, 0), (1, 0)).left is None


def test_ghosts(tmp_path):
    stale = snapshot(*BIRTH, node("/g", ephemeralOwner=77, czxid=2), node("/e", ephemeralOwner=100, czxid=2))
    folder(tmp_path, 1, {}, {4: stale})
    folder(
        tmp_path,
        2,
        {1: [open_session(1, 77), create(2, "/g", ephemeral=True, session=77), close_session(3, session=77), open_session(4, 100)]},
        BASE,
    )
    trace = trace_of(tmp_path)
    found = list(ghosts((tree_at(trace, 1), tree_at(trace, 2)), trace, ("1", "2")))
    assert [(row["side"], row["path"], row["session"]) for row in found] == [("1", "/e", 100), ("1", "/g", 77)]
    assert "this side only" in found[0]["why"]
    assert "closed by 0x3" in found[1]["why"]


def test_a_node_from_beyond_a_fuzzy_snapshot_is_no_ghost(tmp_path):
    for server in (1, 2):
        folder(tmp_path, server, {}, {4: snapshot(*BIRTH, node("/new", ephemeralOwner=55, czxid=6), sessions=0)})
    trace = trace_of(tmp_path)
    left, right = (snapshot_tree(trace, name) for name in trace.snapshots["source"].sort())
    assert left.remarks[0].endswith("a part of what came after 0x4, up to 0x6.")
    assert list(ghosts((left, right), trace, ("left", "right"))) == []


# ---------------------------------------------------------------- the command
def asked(capsys, *arguments: str) -> dict:
    assert cli.run(["diff", *arguments, "--format", "json", "-q"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["format"] == 1
    return document


def test_two_servers_are_compared_at_the_last_zxid_that_both_have(tmp_path, capsys):
    two(tmp_path, [create(5, "/x", parent=4)], [])
    document = asked(capsys, str(tmp_path), "--server", "1", "--server", "2")
    assert (document["left"]["zxid"], document["right"]["zxid"], document["same"], document["nodes"]) == ("0x4", "0x4", True, [])
    document = asked(capsys, str(tmp_path), "--server", "1", "--server", "2", "--at", "0x5")
    assert document["counts"] == {"only_left": 1, "only_right": 0, "different": 0, "harmless": 1}
    assert "its last state" in document["right"]["remarks"][0]


def test_two_zxids_two_copies_and_two_snapshots(samples, capsys):
    evidence = str(samples / "truncated-3.8.0")
    between = asked(capsys, evidence, "--server", "1", "--at", "0x100000060", "--at", "e2", "/pay")
    assert (between["same"], between["nodes"], between["first_difference"]) == (True, [], None)
    recovered = asked(capsys, evidence, "--server", "3", "--copy", "1", "--copy", "0")
    assert [row["path"] for row in recovered["nodes"] if row["difference"] == "only left"] == [
        f"/pay/u{n:03}" for n in (0, 1, 2, 3, 5, 6, 7, 8, 10, 11)
    ]
    assert recovered["first_difference"]["zxid"] == "0x100000061"
    files = asked(
        capsys,
        evidence,
        "--snapshot",
        "before-rejoin/server-3/data/version-2/snapshot.0",
        "--snapshot",
        "server-3/data/version-2/snapshot.100000060",
    )
    assert files["counts"]["only_right"] > 30
    assert files["first_difference"] is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--server", "1"], "Name two sides"),
        (["--server", "1", "--server", "2", "--server", "1"], "--server is given 3 times"),
        (["--snapshot", "snapshot.0"], "Name two snapshot files"),
        (["--snapshot", "snapshot.0", "--snapshot", "snapshot.9"], "2 snapshots of the evidence end so"),
        (["--at", "2026-11-21T00:09:54Z", "--server", "1", "--server", "2"], "clocks order nothing"),
        (["--server", "1", "--at", "e7", "--at", "e1"], "hold nothing of epoch 7"),
        (["/a", "/b"], "Several znode paths are given: /a, /b"),
    ],
)
def test_wrong_usage(tmp_path, capsys, arguments, words):
    two(tmp_path, [], [])
    assert cli.run(["diff", str(tmp_path), *arguments]) == 2
    assert words in capsys.readouterr().err


def test_harmless_differences_are_on_the_screen_on_request(samples, capsys):
    sides = ["diff", str(samples / "truncated-3.8.0"), "--server", "1", "--server", "3"]
    assert cli.run(sides) == 0
    assert "The trees are the same. 1 more differ" in (brief := capsys.readouterr().out)
    assert cli.run([*sides, "--all"]) == 0
    assert "/zookeeper/config" in capsys.readouterr().out
    assert "/zookeeper/config" not in brief


def test_ephemerals_of_open_sessions_are_no_ghosts(tmp_path, capsys):
    two(tmp_path, [], [])
    assert asked(capsys, str(tmp_path), "--server", "1", "--server", "2")["ghosts"] == []
    assert SESSION in tree_at(trace_of(tmp_path), 1).tree.sessions
