"""Dumps as evidence: what bytes show is never contradicted, and what a dump leaves out is never taken for absent."""

import gzip
import shutil
from pathlib import Path

import polars as pl
import pytest

from zabtrace.cli import run
from zabtrace.errors import UsageError
from zabtrace.evidence import gather, records, znodes
from zabtrace.fates.judge import judge
from zabtrace.replay import replay
from zabtrace.replay.tree import tree_at

DUMPS = Path(__file__).parent / "data" / "dumps" / "truncated-3.8.0"
KEPT, GONE = {"survived", "recovered"}, {"truncated", "shadowed", "pending", "lost"}


def judged(*arguments: Path, before: tuple[Path, ...] = ()) -> tuple[str, dict[int, tuple[str, str]]]:
    trace = gather([str(argument) for argument in arguments], before=[str(path) for path in before])
    found = judge(replay(trace))
    return found.verdict, {
        zxid: (fate, committed) for zxid, fate, committed in found.writes.select("zxid", "fate", "committed").iter_rows()
    }


@pytest.fixture(scope="module")
def truth(samples: Path) -> dict[int, tuple[str, str]]:
    """The fates that all bytes show."""
    sample = samples / "truncated-3.8.0"
    return judged(*sorted(sample.glob("server-*")), before=(sample / "before-rejoin",))[1]


def incident(samples: Path, folder: Path, stored: tuple[str, ...] = (), text: bool = True, share: float = 1.0) -> Path:
    """The incident with dumps in place of the data of the servers that are not ``stored``, each dump of a log cut to a share."""
    for server in ("server-1", "server-2", "server-3"):
        target = folder / server
        target.mkdir(parents=True)
        for name in ("zoo.cfg", *(["zookeeper.log"] if text else [])):
            shutil.copy(samples / "truncated-3.8.0" / server / name, target)
        if server in stored:
            shutil.copytree(samples / "truncated-3.8.0" / server / "data", target / "data")
            continue
        for dump in (DUMPS / server).iterdir():
            content = gzip.decompress(dump.read_bytes())
            cut = content[: int(len(content) * share)] if dump.name.startswith("log") else content
            (target / dump.name.removesuffix(".gz")).write_bytes(cut)
    return folder


def agree(found: dict[int, tuple[str, str]], truth: dict[int, tuple[str, str]]) -> None:
    for zxid in found.keys() & truth.keys():
        (fate, committed), (true, truly) = found[zxid], truth[zxid]
        assert not ({fate, true} & KEPT and {fate, true} & GONE), hex(zxid)
        assert fate != "diverged"
        assert "unknown" in (committed, truly) or committed == truly


@pytest.mark.parametrize("stored", [(), ("server-1",), ("server-1", "server-2"), ("server-1", "server-3"), ("server-2", "server-3")])
def test_dumps_never_contradict_bytes(samples: Path, tmp_path: Path, truth: dict[int, tuple[str, str]], stored: tuple[str, ...]) -> None:
    folder = incident(samples, tmp_path, stored)
    _, found = judged(*sorted(folder.iterdir()))
    agree(found, truth)
    assert {zxid for zxid, (fate, _) in found.items() if fate == "survived"} >= {zxid for zxid in truth if zxid <= 0x100000060}


@pytest.mark.parametrize("share", [0.4, 0.99])
def test_dumps_that_were_cut_show_no_absence(samples: Path, tmp_path: Path, truth: dict[int, tuple[str, str]], share: float) -> None:
    folder = incident(samples, tmp_path, share=share)
    verdict, found = judged(*sorted(folder.iterdir()))
    agree(found, truth)
    assert verdict == "undecided"
    trace = gather([str(folder)])
    assert trace.damage.filter(pl.col("reason").str.starts_with("the dump has no end")).height >= 3


def test_dumps_without_text_prove_nothing_lost_of_nothing(samples: Path, tmp_path: Path) -> None:
    verdict, found = judged(incident(samples, tmp_path, text=False))
    assert verdict == "undecided"
    assert {fate for fate, _ in found.values()} == {"undecided"}


def test_dumps_without_text_say_what_would_settle_it(samples: Path, tmp_path: Path) -> None:
    alone = judge(replay(gather([str(incident(samples, tmp_path / "alone", text=False))]))).reasons
    assert any("Of servers 1, 2, 3 only what a tool printed was read" in reason for reason in alone)
    beside = judge(replay(gather([str(incident(samples, tmp_path / "beside"))]))).reasons
    assert not any("only what a tool printed" in reason for reason in beside)


def test_an_earlier_dump_gives_the_truncated_writes(samples: Path, tmp_path: Path, truth: dict[int, tuple[str, str]]) -> None:
    """Its records are what server 3 lost; the newest states are bytes."""
    folder = incident(samples, tmp_path, ("server-1", "server-2", "server-3"))
    verdict, found = judged(*sorted(folder.iterdir()), before=(DUMPS / "before-rejoin",))
    assert verdict == "nothing_lost"
    assert {zxid for zxid, (fate, _) in found.items() if fate == "truncated"} == set(range(0x100000061, 0x10000006D))
    agree(found, truth)


def test_a_dump_that_shows_more_than_the_files_leaves_their_order_open(samples: Path, tmp_path: Path) -> None:
    folder = incident(samples, tmp_path, ("server-1", "server-2", "server-3"))
    shutil.copytree(DUMPS / "before-rejoin" / "server-3", folder / "server-3" / "dumps")
    assert gather([str(folder)]).unordered == (3,)


def test_a_dump_of_what_was_read_from_bytes_is_left_out(samples: Path, tmp_path: Path) -> None:
    folder = incident(samples, tmp_path, ("server-1", "server-2", "server-3"))
    bare = gather([str(folder)])
    for server in ("server-1", "server-2", "server-3"):
        shutil.copytree(DUMPS / server, folder / server / "dumps")
    both = gather([str(folder)])
    assert both.txns.drop("source").equals(bare.txns.drop("source"))
    assert both.unordered == ()
    notes = both.sources.filter(pl.col("kind") == "txn log dump")["note"]
    assert notes.len() == 6
    assert all("left out" in note for note in notes)


def test_dumps_are_copies_of_their_own_and_have_the_payloads_of_bytes(samples: Path, tmp_path: Path) -> None:
    trace = gather([str(incident(samples, tmp_path, ("server-1",)))])
    printed = trace.txns.filter("dump")
    assert set(printed["server"]) == {2, 3}
    assert printed["copy"].min() == 1
    assert printed.group_by("server").agg(pl.col("copy").n_unique())["copy"].to_list() == [2, 2]  # two logs each
    assert trace.txns.group_by("zxid").agg(pl.col("payload_hash").n_unique())["payload_hash"].max() == 1
    assert set(trace.txn_files["server"]) == set(trace.snapshots["server"]) == {1}


def test_what_a_reconfig_in_a_dump_says_counts(tmp_path: Path) -> None:
    text = "server.1=a:2888:3888:participant;2181\nserver.2=b:2888:3888:observer\nversion=100000002"
    jute = "".join(f"{byte:x}" for byte in text.encode())
    head = "ZooKeeper Transactional Log File with dbid 0 txnlog format version 2\n"
    for server, body in (("server-1", f"/zookeeper/config,{text},-1"), ("server-2", f"'/zookeeper/config,#{jute},-1")):
        (tmp_path / server).mkdir()
        (tmp_path / server / "myid").write_text(server[-1])
        record = f"11/21/26, 12:18:28 AM UTC session 0x1 cxid 0x1 zxid 0x100000002 reconfig {body}\n"
        (tmp_path / server / "dump.txt").write_text(f"{head}{record}EOF reached after 1 txns.\n")
    members = gather([str(tmp_path)]).members
    assert sorted(members.select("server", "config_zxid", "sid", "role", "client_port").rows()) == [
        (1, 0x100000002, 1, "participant", 2181), (1, 0x100000002, 2, "observer", None),
        (2, 0x100000002, 1, "participant", 2181), (2, 0x100000002, 2, "observer", None),
    ]  # fmt: skip


def test_listings_show_dumps(tmp_path: Path, samples: Path) -> None:
    folder = incident(samples, tmp_path)
    _, parts = records([str(folder)])
    assert pl.concat([part.txns for part in parts]).filter("dump").height == gather([str(folder)]).txns.height == 3 * 152
    assert znodes([str(folder)]).filter("dump")["source"].n_unique() == 5


def test_the_zone_of_a_dump_is_asked_for_by_name(tmp_path: Path) -> None:
    line = "11/21/26, 8:18:28 AM CST session 0x1 cxid 0x1 zxid 0x100000002 error -101\n"
    text = f"ZooKeeper Transactional Log File with dbid 0 txnlog format version 2\n{line}EOF reached after 1 txns.\n"
    (tmp_path / "log.100000002.txt").write_text(text)
    argument = f"zk1={tmp_path / 'log.100000002.txt'}"
    assert gather([argument]).txns["time"].to_list() == [None]
    assert gather([argument], timezone=["zk1=Asia/Shanghai"]).txns["time"].dt.to_string("%H:%M:%S").to_list() == ["00:18:28"]


def test_a_session_is_not_open_because_no_dump_shows_its_end(samples: Path, tmp_path: Path) -> None:
    from zabtrace.replay.tree_sessions import sessions

    history = replay(gather([str(incident(samples, tmp_path, share=0.4))]))
    assert "open" not in sessions(history.trace, judge(history).writes)["state"].to_list()


def test_a_tree_of_dumps_is_asked_for_by_its_copy_and_says_what_a_dump_is(samples: Path, tmp_path: Path) -> None:
    """Server 1's first log as dumped holds every record from the birth of the tree on: its nodes are those of the bytes."""
    trace = gather([str(incident(samples, tmp_path))])
    with pytest.raises(UsageError, match=r"Records of it are in copies 1 \(printed by a tool of ZooKeeper\)"):
        tree_at(trace, 1)
    sample = gather([str(one) for one in sorted((samples / "truncated-3.8.0").glob("server-*"))])
    dumped, stored = tree_at(trace, 1, copy=1), tree_at(sample, 1, 0x100000060)
    assert dumped.zxid == 0x100000060
    assert set(dumped.tree.nodes) == set(stored.tree.nodes)
    assert any("printed" in remark for remark in dumped.remarks)
    assert not any("printed" in remark for remark in stored.remarks)


def test_a_dump_is_no_snapshot_to_compare(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["diff", str(DUMPS), "--snapshot", "snapshot.0", "--snapshot", "snapshot.1"]) == 2
    assert "zabtrace tree --snapshots" in capsys.readouterr().err
