"""The replayed tree: ZooKeeper's rules one by one, numbers that a real server wrote, and what real disks hold."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from record_bytes import body
from tree_bytes import (
    BIRTH,
    SESSION,
    close_session,
    create,
    delete,
    digested,
    folder,
    multi,
    node,
    open_session,
    set_acl,
    set_data,
    snapshot,
    trace_of,
)

from zabtrace.errors import UsageError
from zabtrace.evidence import gather
from zabtrace.replay.tree import digest_mismatches, snapshot_tree, tree_at
from zabtrace.replay.tree_base import bases
from zabtrace.replay.tree_digests import ASCII, digests
from zabtrace.replay.tree_history import changes
from zabtrace.replay.tree_nodes import Step, Tree, newborn
from zabtrace.replay.tree_rules import RULES, Rules, rules_of

TIME = 0x01A1FB67543C
CREATE, DELETE, SET_DATA, SET_ACL, OPEN_SESSION, CLOSE = 1, 2, 5, 7, -10, -11
NEW, OLD = rules_of("3.9.4"), rules_of("3.4.14")


def held(data: dict[str, bytes]):
    """A reader of data that stand in ``data`` by name."""
    return lambda source, offset, size: data[source][offset : offset + size] if source else b""


# ---------------------------------------------------------------- digest: numbers that ZooKeeper 3.9.3 wrote
def test_the_digest_of_an_empty_tree_and_of_its_first_node():
    tree = newborn(NEW, held({"d": b"hello"}))
    assert tree.digest == 1371985504
    tree.apply(Step(CREATE, 2, TIME, 7, "/a", ("d", 0, 5), parent_cversion=1, ephemeral=False))
    assert tree.digest == 2519617002
    assert (tree.nodes[""].crc, tree.nodes["/zookeeper"].crc, tree.nodes["/a"].crc) == (51738866, 1303661912, 1164216224)


def test_the_digest_of_a_path_beyond_ascii():
    tree = newborn(NEW, held({"d": "x中".encode()}))
    tree.apply(Step(CREATE, 6, 0x01A1FB675450, 7, "/été", ("d", 0, 4), parent_cversion=1, ephemeral=False))
    assert tree.nodes["/été"].crc == 3850768483


def test_the_digest_covers_what_goes_and_nothing_below_zookeeper():
    tree = newborn(NEW, held({"d": b"hello"}))
    before = tree.digest
    tree.apply(Step(CREATE, 2, TIME, 7, "/zookeeper/quota/q", ("d", 0, 5), parent_cversion=1, ephemeral=False))
    assert tree.digest == before
    tree.apply(Step(CREATE, 3, TIME, 7, "/a", ("d", 0, 5), parent_cversion=1, ephemeral=False))
    tree.apply(Step(SET_DATA, 4, TIME, 7, "/a", ("d", 0, 2), version=1))
    tree.apply(Step(DELETE, 5, TIME, 7, "/a"))
    summed = sum(one.crc for one in tree.nodes.values())
    assert tree.total == summed != before  # the root keeps cversion 1 and pzxid 5


# ---------------------------------------------------------------- rules: one row per difference between releases
def grown(rules: Rules) -> Tree:
    """/p with cversion 3 and pzxid 30, holding /p/c."""
    tree = newborn(rules)
    tree.apply(Step(CREATE, 10, 1, 7, "/p", None, parent_cversion=1, acl="31:world:anyone"))
    tree.apply(Step(CREATE, 30, 3, 7, "/p/c", None, parent_cversion=3, acl="31:world:anyone"))
    return tree


def parent(tree: Tree) -> tuple[int, int]:
    return tree.nodes["/p"].cversion, tree.nodes["/p"].pzxid


CASES = {  # rule: the record, then cversion and pzxid of /p in the release before and in the first with the rule
    "delete_marks_parent": (Step(DELETE, 40, 4, 7, "/p/gone"), (3, 30), (3, 40)),
    "create_only_raises": (Step(CREATE, 20, 2, 7, "/p/d", None, parent_cversion=2), (2, 20), (3, 30)),
}


@pytest.mark.parametrize("name", CASES)
def test_parents_by_release(name):
    step, before, after = CASES[name]
    (since,) = next(rule.since for rule in RULES if rule.name == name)
    for rules, expected in ((replace(NEW, **{name: False}), before), (rules_of("{}.{}.{}".format(*since)), after)):
        tree = grown(rules)
        tree.apply(step)
        assert parent(tree) == expected


@pytest.mark.parametrize(
    ("version", "rules"), [("3.5.4", "0000"), ("3.5.5", "1000"), ("3.6.0-x", "1110"), ("3.9.3", "1110"), ("3.9.4", "1111")]
)
def test_which_release_has_which_rule(version, rules):
    assert "".join(str(int(getattr(rules_of(version), rule.name))) for rule in RULES) == rules


def test_a_create_of_a_node_that_is_there():
    for rules, acl in ((NEW, "1:world:anyone"), (OLD, "31:world:anyone")):
        tree = grown(rules)
        tree.apply(Step(CREATE, 40, 4, 7, "/p/c", ("d", 0, 1), parent_cversion=9, acl="1:world:anyone"))
        found = tree.nodes["/p/c"]
        assert (found.acl, found.czxid, found.data, parent(tree), tree.nodes["/p"].children) == (acl, 30, None, (9, 40), 1)
        tree.apply(Step(15, 50, 5, 7, "/p/c", None, parent_cversion=12))  # create2 leaves the parent alone
        assert parent(tree) == (9, 40)


def test_a_close_deletes_its_list_then_what_the_session_owns():
    for rules, gone in ((NEW, {"/p/e", "/p/c"}), (OLD, {"/p/e"})):
        tree = grown(rules)
        tree.apply(Step(OPEN_SESSION, 35, 4, 7, timeout=4000))
        tree.apply(Step(CREATE, 40, 4, 7, "/p/e", None, parent_cversion=4, ephemeral=True))
        assert tree.ephemerals == {7: {"/p/e"}}
        tree.apply(Step(CLOSE, 50, 5, 7, paths=["/p/c"]))
        assert {"/p/e", "/p/c"} - set(tree.nodes) == gone
        assert (tree.sessions, tree.ephemerals, parent(tree)) == ({}, {}, (4, 50))


def test_a_parent_without_a_cversion_counts_on():
    tree = grown(NEW)
    tree.apply(Step(CREATE, 40, 4, 7, "/p/v0", None, parent_cversion=-1))
    assert parent(tree) == (4, 40)


def test_what_was_left_behind_by_its_parent_is_no_child_of_the_next_one():
    tree = grown(NEW)
    tree.apply(Step(DELETE, 40, 4, 7, "/p"))
    tree.apply(Step(CREATE, 50, 5, 7, "/p", None, parent_cversion=2))
    assert (tree.nodes["/p"].children, tree.nodes["/p/c"].czxid) == (0, 30)
    tree.apply(Step(CREATE, 60, 6, 7, "/p/c", None, parent_cversion=1))
    assert (tree.nodes["/p"].children, tree.nodes["/p/c"].czxid) == (1, 60)


def test_what_does_not_fit_is_ignored():
    tree = grown(NEW)
    nodes = dict(tree.nodes)
    for step in (
        Step(CREATE, 40, 4, 7, "/no/x", None),
        Step(SET_DATA, 41, 4, 7, "/no", None, 1),
        Step(SET_ACL, 42, 4, 7, "/no"),
        Step(99, 43, 4, 7),
    ):
        tree.apply(step)
    assert (tree.nodes, tree.zxid) == (nodes, 43)


# ---------------------------------------------------------------- files
def paths(tree) -> set[str]:
    return {path for path in tree.frame()["path"] if not path.startswith("/zookeeper")}


def test_multis_failed_and_not(tmp_path):
    made = (1, body("CreateTxn", path=b"/m", data=b"1", acl=None, ephemeral=False, parentCVersion=1))
    put = (5, body("SetDataTxn", path=b"/m", data=b"22", version=1))
    wrong = (-1, body("ErrorTxn", err=-101))
    later = (15, body("CreateTxn", path=b"/late", data=b"", acl=None, ephemeral=False, parentCVersion=2))
    folder(
        tmp_path,
        1,
        {1: [open_session(1), multi(2, made, put, later), multi(3, (2, body("DeleteTxn", path=b"/m")), wrong)]},
        {0: snapshot(*BIRTH)},
    )
    trace = trace_of(tmp_path)
    found = tree_at(trace, 1)
    assert paths(found) == {"/", "/m", "/late"}
    assert found.frame("/m").select("data_len", "version", "czxid", "mzxid").row(0) == (2, 1, 2, 2)
    old = replace(trace, servers=trace.servers.with_columns(version=pl.lit("3.8.1")))
    assert paths(tree_at(old, 1)) == {"/", "/m"}  # ZOOKEEPER-4026: a create2 ends the multi there


def test_a_fuzzy_snapshot_ends_in_the_same_tree(tmp_path):
    records = [
        open_session(1),
        create(2, "/a"),
        create(3, "/b", parent=2),
        set_data(4, "/a", b"yy", 1),
        delete(5, "/b"),
        create(6, "/c", parent=3),
    ]
    whole, fuzzy = tmp_path / "whole", tmp_path / "fuzzy"
    folder(whole, 1, {1: records}, {0: snapshot(*BIRTH)})
    stat = {"ctime": 2000, "mtime": 4000, "version": 1, "czxid": 2, "mzxid": 4, "pzxid": 2}
    # Written while 3 to 6 were applied: the root as of 2, /a as of 4; /b had gone when its turn came.
    half = snapshot(node("", cversion=1, pzxid=2), *BIRTH[1:], node("/a", b"yy", **stat), sessions=0)
    folder(fuzzy, 1, {1: records}, {2: half})
    exact, rebuilt = tree_at(trace_of(whole), 1), tree_at(trace_of(fuzzy), 1)
    assert rebuilt.base.zxid == 2
    same = ["path", "version", "cversion", "children", "czxid", "mzxid", "pzxid", "ctime", "mtime", "acl", "data_len"]
    assert rebuilt.frame().select(same).equals(exact.frame().select(same))
    early = tree_at(trace_of(fuzzy), 1, 3)
    assert early.base.source is None  # it cannot carry the tree of 3, whose /a it has from 4: the empty tree of a first log can
    assert [early.frame("/a")["version"][0], paths(early)] == [0, {"/", "/a", "/b"}]


def test_values_and_acls(tmp_path):
    folder(
        tmp_path,
        1,
        {1: [open_session(1), create(2, "/a", b"old"), set_data(3, "/a", b"new", 1), set_acl(4, "/a", 1)]},
        {0: snapshot(*BIRTH)},
    )
    trace = trace_of(tmp_path)
    for zxid, value, acl in ((2, b"old", "31:world:anyone"), (3, b"new", "31:world:anyone"), (4, b"new", "1:world:anyone")):
        found = tree_at(trace, 1, zxid)
        row = found.frame("/a").row(0, named=True)
        assert (found.value(found.tree.nodes["/a"]), row["acl"]) == (value, acl)
        assert trace.data(row["source"], row["data_offset"], row["data_len"]) == value


def test_what_speaks_against_a_tree_is_told(tmp_path):
    e1, e2 = 1 << 32, 2 << 32
    hole = [open_session(e1 | 1), create(e1 | 2, "/a"), create(e1 | 5, "/c", parent=4)]
    folder(tmp_path, 1, {e1 | 1: hole}, {0: snapshot(*BIRTH)})
    folder(tmp_path, 2, {e2 | 1: [open_session(e2 | 1), create(e2 | 2, "/z")]})
    folder(tmp_path, 3, {e1 | 7: [create(e1 | 7, "/d")]}, {e1 | 6: snapshot(*BIRTH)})
    trace = trace_of(tmp_path)
    assert tree_at(trace, 1, e1 | 2).remarks == ()
    assert "0x100000002 and 0x100000005: it never had" in tree_at(trace, 1, e1 | 3).remarks[0]
    assert tree_at(trace, 1).remarks == ("Records are missing between 0x100000002 and 0x100000005.",)
    assert tree_at(trace, 1, e2).remarks[-1].startswith("Server 1 has nothing above 0x100000005")
    assert "No snapshot joins the records" in tree_at(trace, 2).remarks[0]  # the first record of epoch 2 is no birth
    assert tree_at(trace, 3).remarks == ()
    with pytest.raises(UsageError, match="Nothing as old as 0x100000003 is left: the data begin at 0x100000006"):
        tree_at(trace, 3, e1 | 3)
    with pytest.raises(UsageError, match="Server 7 has no data"):
        tree_at(trace, 7)


def test_a_record_with_a_wrong_checksum_is_a_hole(tmp_path):
    data = folder(
        tmp_path, 1, {1: [open_session(1), create(2, "/a"), create(3, "/b", parent=2), create(4, "/c", parent=3)]}, {0: snapshot(*BIRTH)}
    )
    file = data / "version-2" / "log.1"
    content = bytearray(file.read_bytes())
    content[content.index(b"/b")] ^= 1
    file.write_bytes(content)
    found = tree_at(trace_of(tmp_path), 1)
    assert paths(found) == {"/", "/a", "/c"}
    assert found.remarks == ("Records are missing between 0x2 and 0x4.",)


def test_a_log_without_any_sound_record_has_no_history(tmp_path):
    data = folder(tmp_path, 1, {2: [create(2, "/a")]}, {1: snapshot(*BIRTH)})
    file = data / "version-2" / "log.2"
    content = bytearray(file.read_bytes())
    content[content.index(b"/a")] ^= 1
    file.write_bytes(content)
    trace = trace_of(tmp_path)
    assert changes(trace, "/a").is_empty()
    assert digest_mismatches(trace).is_empty()


# ---------------------------------------------------------------- digests of whole logs
BORN, WITH_A = 1371985504, 2519617002


def first_write(zxid: int = 2, data: bytes = b"hello") -> bytes:
    return create(zxid, "/a", data, time=TIME)


def test_stored_digests_that_agree(tmp_path):
    folder(tmp_path, 1, {1: [digested(open_session(1), BORN), digested(first_write(), WITH_A)]}, {0: snapshot(*BIRTH)})
    found = digests(trace_of(tmp_path))
    assert (found.compared, found.unchecked, found.frame.height) == (2, 0, 0)
    assert tree_at(trace_of(tmp_path), 1).digest == "matches"


def test_a_difference_is_told_once_with_its_first_record(tmp_path):
    records = [digested(open_session(1), BORN), digested(first_write(data=b"hallo"), WITH_A), digested(open_session(3, 9), WITH_A)]
    folder(tmp_path, 1, {1: records}, {0: snapshot(*BIRTH)})
    (row,) = digest_mismatches(trace_of(tmp_path)).rows(named=True)
    assert (row["server"], row["zxid"], row["stored"], row["count"], row["explained_by"]) == (1, 2, WITH_A, 2, None)
    assert row["offset"] == 16 + 13 + len(records[0])
    assert row["computed"] != WITH_A
    assert tree_at(trace_of(tmp_path), 1).digest == "differs"


def test_a_run_begins_anew_at_the_snapshot_in_a_hole(tmp_path):
    stat = {"czxid": 2, "mzxid": 2, "pzxid": 2, "ctime": TIME, "mtime": TIME}
    imported = snapshot(node("", cversion=1, pzxid=2), *BIRTH[1:], node("/a", b"hello", **stat), digest=(0, 0))
    logs = {1: [digested(open_session(1), BORN)], 3: [digested(open_session(3, 9), WITH_A)]}
    folder(tmp_path, 1, logs, {0: snapshot(*BIRTH), 2: imported})
    found = digests(trace_of(tmp_path))
    assert (found.compared, found.unchecked, found.frame.height) == (2, 0, 0)
    folder(tmp_path, 2, logs, {0: snapshot(*BIRTH)})
    found = digests(trace_of(tmp_path))
    assert (found.compared, found.unchecked, found.frame.height) == (3, 1, 0)  # without it nothing can be said of what follows


def test_a_snapshot_whose_nodes_are_wrong(tmp_path):
    stat = {"czxid": 2, "mzxid": 2, "pzxid": 2, "ctime": TIME, "mtime": TIME}
    records = [digested(open_session(1), BORN), digested(first_write(), WITH_A), digested(open_session(3, 9), WITH_A)]
    for server, data, section in ((1, b"hello", WITH_A), (2, b"hallo", WITH_A), (3, b"hello", WITH_A + 1)):
        taken = snapshot(node("", cversion=1, pzxid=2), *BIRTH[1:], node("/a", data, **stat), digest=(2, section))
        folder(tmp_path, server, {1: records}, {0: snapshot(*BIRTH), 2: taken})
    found = digest_mismatches(trace_of(tmp_path))
    assert [(row["server"], Path(row["source"]).name, row["zxid"]) for row in found.rows(named=True)] == [
        (2, "snapshot.2", 3),
        (3, "snapshot.2", 2),
    ]


def test_paths_that_java_wrote_in_ascii(tmp_path):
    plain = newborn(NEW, held({"d": b"x"}), "ascii")
    plain.apply(Step(CREATE, 2, 2000, SESSION, "/é", ("d", 0, 1), parent_cversion=1))
    folder(tmp_path, 1, {1: [digested(open_session(1), BORN), digested(create(2, "/é"), plain.digest)]}, {0: snapshot(*BIRTH)})
    (row,) = digest_mismatches(trace_of(tmp_path)).rows(named=True)
    assert row["explained_by"] == ASCII
    assert tree_at(trace_of(tmp_path), 1).digest == "matches"


# ---------------------------------------------------------------- disks of real servers
SAMPLES = {"truncated-3.8.0": 696, "recovered-3.8.0": 0, "shadowed-3.9.3": 595, "observer-3.6.3": 0}
SAME = (
    "path",
    "kind",
    "data_len",
    "version",
    "cversion",
    "aversion",
    "children",
    "czxid",
    "mzxid",
    "pzxid",
    "ctime",
    "mtime",
    "ephemeral_owner",
    "acl",
)


@pytest.mark.parametrize("name", SAMPLES)
def test_every_digest_of_the_samples_is_reproduced(samples, name):
    trace = gather([str(samples / name)])
    found = digests(trace)
    assert found.frame.to_dicts() == []
    assert found.unchecked == 0
    assert found.compared == trace.txns.unique(["source", "offset"])["digest"].drop_nulls().len() > 100
    assert found.compared >= SAMPLES[name]


@pytest.mark.parametrize("name", SAMPLES)
def test_replay_up_to_a_snapshot_gives_its_nodes(samples, name):
    trace = gather([str(samples / name)])
    compared = 0
    for server, copy in trace.snapshots.select("server", "copy").unique().sort("server", "copy").iter_rows():
        mine = (pl.col("server") == server) & (pl.col("copy") == copy)
        for base in bases(trace, server, copy):
            older = replace(trace, snapshots=trace.snapshots.filter(~(mine & (pl.col("zxid") >= base.zxid))))
            if base.zxid == 0 or base.bound > base.zxid or (replayed := _or_none(older, server, base.zxid, copy)) is None:
                continue
            stored = snapshot_tree(trace, base.source)
            own = ~pl.col("path").str.starts_with("/zookeeper/")
            assert replayed.frame().filter(own).select(SAME).equals(stored.frame().filter(own).select(SAME))
            assert all(
                replayed.value(replayed.tree.nodes[path]) == stored.value(one)
                for path, one in stored.tree.nodes.items()
                if "/zookeeper/" not in path
            )
            assert replayed.tree.sessions == stored.tree.sessions
            compared += 1
    assert compared >= 1


def _or_none(trace, server, zxid, copy):
    """The replayed tree, or None where nothing before that snapshot can carry it (a received one)."""
    try:
        found = tree_at(trace, server, zxid, copy)
    except UsageError:
        return None
    return None if found.remarks else found


def test_a_session_closed_without_a_list_takes_its_ephemerals(tmp_path):
    records = [open_session(1), create(2, "/e", ephemeral=True), close_session(3)]
    folder(tmp_path, 1, {1: records}, {0: snapshot(*BIRTH)})
    trace = trace_of(tmp_path)
    assert "/e" in paths(tree_at(trace, 1, 2))
    last = tree_at(trace, 1)
    assert (paths(last), last.tree.sessions) == ({"/"}, {100: 4000})  # 100: the snapshot's own session
