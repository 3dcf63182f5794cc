"""Files in, a Trace out: what is found, what it is taken for, and whose it is."""

import gzip
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from zabtrace.errors import NoEvidenceError, UsageError
from zabtrace.evidence import gather, output_inside_evidence, znodes
from zabtrace.evidence.trace import Trace

INCIDENT = "truncated-3.8.0"


@pytest.fixture(scope="module")
def incident(samples: Path) -> Path:
    return samples / INCIDENT


@pytest.fixture
def rebuilt(incident: Path, tmp_path: Path) -> Callable[..., Path]:
    """Copy parts of the incident under other names: ``names`` maps a file's path to its new path, or None to leave it out."""

    def build(names: Callable[[Path], Path | None], below: str = "evidence") -> Path:
        for file in sorted(incident.glob("server-*/**/*")):
            if file.is_file() and (to := names(file.relative_to(incident))) is not None:
                (tmp_path / below / to).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, tmp_path / below / to)
        return tmp_path / below

    return build


def servers(trace: Trace) -> list[tuple[int, str, str]]:
    return trace.servers.select("server", "label", "identified_by").rows()


def logs_of(trace: Trace) -> dict[int, list[str]]:
    """Server -> its text logs, in order."""
    files = trace.lines.select("server", "order", "source").unique().sort("server", "order")
    return {server: own["source"].to_list() for (server,), own in files.group_by("server", maintain_order=True)}


def copies_of(trace: Trace) -> dict[tuple[int, int], set[str]]:
    """Server, copy -> the folders its transaction logs lie in."""
    rows = trace.txn_files.select("server", "copy", pl.col("source").str.replace(r"/[^/]*$", "")).rows()
    return {(server, copy): {folder for s, c, folder in rows if (s, c) == (server, copy)} for server, copy, _ in rows}


def records_of(trace: Trace) -> dict[tuple[int, int], int]:
    return {(server, copy): count for server, copy, count in trace.txns.group_by("server", "copy").len().rows()}


ALL_BY_MYID = [(1, "1", "myid"), (2, "2", "myid"), (3, "3", "myid")]
ALL_BY_WORDS = [(1, "1", "the log's own words"), (2, "2", "the log's own words"), (3, "3", "the log's own words")]


def test_the_incident_as_collected(incident: Path) -> None:
    found = gather(
        [str(path) for path in sorted(incident.glob("server-*"))],
        before=[str(incident / "before-rejoin")],
        clients=[str(incident / "clients" / "history.jsonl")],
    )
    assert servers(found) == ALL_BY_MYID
    assert found.servers.select("version", "timezone").unique().rows() == [("3.8.0", "UTC assumed")]
    assert logs_of(found) == {1: ["server-1/zookeeper.log"], 2: ["server-2/zookeeper.log"], 3: ["server-3/zookeeper.log"]}
    assert copies_of(found)[3, 0] == {"server-3/data/version-2"}
    assert copies_of(found)[3, 1] == {"before:before-rejoin/server-3/data/version-2"}
    # 0x100000001 to 0x100000060 on all disks, 12 more on server 3 before it came back (README of the sample)
    assert {key: records_of(found)[key] for key in [(1, 1), (2, 1), (3, 1)]} == {(1, 1): 0x60, (2, 1): 0x60, (3, 1): 0x6C}
    assert (found.txns.filter(server=3, copy=0)["zxid"].is_between(0x100000061, 0x10000006C)).sum() == 0
    epochs = found.epoch_files.filter(name="currentEpoch").select("server", "copy", "epoch").sort("copy", "server").rows()
    assert epochs == [(1, 0, 2), (2, 0, 2), (3, 0, 2), (1, 1, 2), (2, 1, 2), (3, 1, 1)]
    assert found.members.filter(source="server-1/zoo.cfg").select("server", "copy", "sid").rows() == [(1, 0, 1), (1, 0, 2), (1, 0, 3)]
    assert found.members.filter(source="before:before-rejoin/server-1/zoo.cfg")["copy"].unique().to_list() == [1]
    assert found.client_ops.height == 170
    assert found.damage.is_empty()
    assert found.unordered == ()


def test_every_file_stands_in_sources_once(incident: Path) -> None:
    found = gather([str(incident)], before=[str(incident / "before-rejoin")])
    files = [path for path in incident.rglob("*") if path.is_file()]
    assert found.sources["source"].n_unique() == found.sources.height == len(files)
    kinds = dict(found.sources.group_by("kind").len().rows())
    assert (kinds["server log"], kinds["myid"], kinds["epoch file"], kinds["configuration"], kinds["client history"]) == (3, 6, 12, 6, 1)
    assert found.sources.filter(kind="unrecognised")["source"].to_list() == [f"{INCIDENT}/README.md"]
    log = found.sources.filter(source=f"{INCIDENT}/server-3/zookeeper.log").row(0, named=True)
    assert log["lines"] == len((incident / "server-3/zookeeper.log").read_bytes().splitlines())
    assert log["lines"] == log["understood"] + log["unknown"] + log["foreign"] + log["damaged"]
    assert log["note"].endswith("UTC assumed")


def test_the_whole_folder_orders_copies_by_their_contents(incident: Path) -> None:
    found = gather([str(incident)])
    assert found.unordered == ()
    for server in (1, 2, 3):
        assert copies_of(found)[server, 0] == {f"{INCIDENT}/server-{server}/data/version-2"}
        assert copies_of(found)[server, 1] == {f"{INCIDENT}/before-rejoin/server-{server}/data/version-2"}


# ---------------------------------------------------------------- whose is it
def without(*names: str) -> Callable[[Path], Path | None]:
    return lambda path: None if path.name in names else path


def test_without_myid_the_log_tells(rebuilt: Callable[..., Path]) -> None:
    found = gather([str(rebuilt(without("myid")))])
    assert servers(found) == ALL_BY_WORDS
    assert copies_of(found)[2, 0] == {"evidence/server-2/data/version-2"}


def test_text_alone(rebuilt: Callable[..., Path]) -> None:
    found = gather([str(rebuilt(lambda path: path if path.name == "zookeeper.log" else None))])
    assert servers(found) == ALL_BY_WORDS
    assert found.txn_files.is_empty()


def test_disks_alone(rebuilt: Callable[..., Path]) -> None:
    found = gather([str(rebuilt(without("zookeeper.log", "zoo.cfg")))])
    assert servers(found) == ALL_BY_MYID
    assert found.lines.is_empty()


def test_a_number_in_a_folders_name_is_no_sid_by_itself(rebuilt: Callable[..., Path]) -> None:
    found = gather([str(rebuilt(without("zookeeper.log", "zoo.cfg", "myid")))])
    assert servers(found) == [(-1, "server-1", "nothing"), (-2, "server-2", "nothing"), (-3, "server-3", "nothing")]
    assert copies_of(found).keys() == {(-1, 0), (-2, 0), (-3, 0)}


def cfg(path: Path, own: str = "server.9=x:1:2") -> None:
    path.write_text(f"dataDir=/data\nserver.1=a:2888:3888\nserver.2=b:2888:3888\nserver.3=c:2888:3888\n{own}\n")


def test_a_number_that_the_configuration_knows_is_one(rebuilt: Callable[..., Path]) -> None:
    folder = rebuilt(without("zookeeper.log", "zoo.cfg", "myid"))
    cfg(folder / "zoo.cfg")
    assert servers(gather([str(folder)])) == [(1, "1", "zoo.cfg"), (2, "2", "zoo.cfg"), (3, "3", "zoo.cfg")]


def test_numbers_that_count_from_zero_are_none(rebuilt: Callable[..., Path]) -> None:
    def from_zero(path: Path) -> Path | None:
        return Path(f"zk-{int(path.parts[0][-1]) - 1}", *path.parts[1:]) if path.parts[1] == "data" and path.name != "myid" else None

    folder = rebuilt(from_zero)
    cfg(folder / "zoo.cfg")
    assert [label for _, label, _ in servers(gather([str(folder)]))] == ["zk-0", "zk-1", "zk-2"]


def test_a_host_of_the_configuration_is_its_server(rebuilt: Callable[..., Path]) -> None:
    def by_host(path: Path) -> Path | None:
        return Path("abc"[int(path.parts[0][-1]) - 1], *path.parts[1:]) if path.parts[1] == "data" and path.name != "myid" else None

    folder = rebuilt(by_host)
    cfg(folder / "zoo.cfg")
    assert servers(gather([str(folder)])) == [(1, "1", "zoo.cfg"), (2, "2", "zoo.cfg"), (3, "3", "zoo.cfg")]


def test_who_listens_everywhere_is_the_server_of_that_configuration(rebuilt: Callable[..., Path]) -> None:
    folder = rebuilt(lambda path: Path("host", *path.parts[1:]) if path.parts[:2] == ("server-2", "data") and path.name != "myid" else None)
    cfg(folder / "host/zoo.cfg", "server.7=0.0.0.0:2888:3888")
    assert servers(gather([str(folder)])) == [(7, "7", "zoo.cfg")]


def test_logs_and_disks_apart_meet_by_their_folders_name(rebuilt: Callable[..., Path]) -> None:
    def apart(path: Path) -> Path | None:
        top = "logs" if path.name == "zookeeper.log" else "disks"
        return Path(top, f"host{path.parts[0][-1]}", *path.parts[1:]) if path.name not in ("myid", "zoo.cfg") else None

    found = gather([str(rebuilt(apart))])
    assert servers(found) == ALL_BY_WORDS
    assert copies_of(found)[3, 0] == {"evidence/disks/host3/data/version-2"}


def test_names_join_what_lies_apart(incident: Path) -> None:
    found = gather([f"a={incident}/server-1/zookeeper.log", f"a={incident}/server-1/data/version-2", f"9={incident}/server-2/data"])
    assert servers(found) == [(1, "1", "the log's own words"), (9, "9", "NAME=")]
    assert logs_of(found) == {1: ["a/zookeeper.log"]}
    assert copies_of(found) == {(1, 0): {"a"}, (9, 0): {"9/version-2"}}
    assert "it says sid 2 itself" in found.sources.filter(source="9/myid")["note"][0]


def test_one_flat_folder(rebuilt: Callable[..., Path]) -> None:
    folder = rebuilt(lambda path: Path(path.name) if path.parts[0] == "server-3" else None)
    found = gather([str(folder)])
    assert servers(found) == [(3, "3", "myid")]
    assert (logs_of(found), copies_of(found)) == ({3: ["evidence/zookeeper.log"]}, {(3, 0): {"evidence"}})


def test_logs_of_all_servers_in_one_folder(rebuilt: Callable[..., Path]) -> None:
    folder = rebuilt(lambda path: Path(f"{path.parts[0]}.log") if path.name == "zookeeper.log" else None)
    assert logs_of(gather([str(folder)])) == {1: ["evidence/server-1.log"], 2: ["evidence/server-2.log"], 3: ["evidence/server-3.log"]}


def test_a_version_2_folder_alone(incident: Path) -> None:
    found = gather([str(incident / "server-3/data/version-2") + "/"])
    assert servers(found) == [(-1, "server-3", "nothing")]
    assert copies_of(found) == {(-1, 0): {"version-2"}}


def test_a_log_that_contradicts_the_myid_beside_it_is_another_servers(rebuilt: Callable[..., Path]) -> None:
    folder = rebuilt(lambda path: Path("host", *path.parts[1:]) if path.parts[0] == "server-3" else None)
    (folder / "host/data/myid").write_text("5\n")
    found = gather([str(folder)])
    assert servers(found) == [(3, "3", "the log's own words"), (5, "5", "myid")]
    assert copies_of(found).keys() == {(5, 0)}
    assert "myid beside it says 5" in found.sources.filter(kind="server log")["note"][0]


def test_data_and_log_folder_are_one_copy(rebuilt: Callable[..., Path]) -> None:
    def split(path: Path) -> Path:
        return Path(path.parts[0], "datalog/version-2", path.name) if path.name.startswith("log.") else path

    found = gather([str(rebuilt(split))])
    assert copies_of(found) == {(sid, 0): {f"evidence/server-{sid}/datalog/version-2"} for sid in (1, 2, 3)}
    assert set(found.epoch_files["copy"]) == set(found.snapshots["copy"]) == {0}


# ---------------------------------------------------------------- names of sources
def test_arguments_that_end_alike_get_as_many_parts_as_tell_them_apart(incident: Path) -> None:
    found = gather([f"{incident}/server-1/data", f"{incident}/server-2/data", f"{incident}/server-3/zookeeper.log"])
    names = set(found.sources["source"])
    assert {"server-1/data/myid", "server-2/data/myid", "zookeeper.log"} <= names


def test_dots_globs_and_repeats(incident: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(incident / "server-1")
    assert gather(["."]).sources["source"][0].startswith("server-1/")
    assert gather(["../server-2/"]).sources["source"][0].startswith("server-2/")
    assert logs_of(gather(["../server-*", "../server-1"])) == {sid: [f"server-{sid}/zookeeper.log"] for sid in (1, 2, 3)}


def test_members_of_an_archive(incident: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "bundle.tgz", "w:gz") as archive:
        for server in ("server-1", "server-2", "server-3"):
            archive.add(incident / server, server)
    found = gather([str(tmp_path / "bundle.tgz")])
    assert servers(found) == ALL_BY_MYID
    assert copies_of(found)[2, 0] == {"bundle.tgz!/server-2/data/version-2"}
    assert found.sources.filter(kind="archive").select("source", "note").rows() == [("bundle.tgz", "archive with 26 files")]
    plain = gather([str(incident / f"server-{sid}") for sid in (1, 2, 3)])
    assert found.txns.drop("source").equals(plain.txns.drop("source"))


def test_an_archive_per_server_is_its_folder(incident: Path, tmp_path: Path) -> None:
    for sid in (1, 2):
        with tarfile.open(tmp_path / f"zk{sid}.tar.gz", "w:gz") as archive:
            archive.add(incident / f"server-{sid}/data/version-2", "version-2")
    found = gather([str(tmp_path)])
    assert [label for _, label, _ in servers(found)] == ["zk1", "zk2"]


# ---------------------------------------------------------------- logs
def test_rotated_logs_are_ordered_by_their_stamps(incident: Path, tmp_path: Path) -> None:
    lines = (incident / "server-1/zookeeper.log").read_bytes().splitlines(keepends=True)
    cut = [lines[:100], lines[100:200], lines[200:]]
    (tmp_path / "zookeeper.log.1.gz").write_bytes(gzip.compress(b"".join(cut[0])))
    (tmp_path / "zookeeper.log.2").write_bytes(b"".join(cut[1]))
    (tmp_path / "zookeeper.log").write_bytes(b"".join(cut[2]))
    found = gather([f"1={tmp_path}"])
    assert logs_of(found) == {1: ["1/zookeeper.log.1.gz", "1/zookeeper.log.2", "1/zookeeper.log"]}
    assert found.lines.sort("order", "line")["time"].is_sorted()


@pytest.mark.parametrize("shape", ["copy", "beginning", "compressed", "lines before it"])
def test_a_log_that_is_there_twice_is_read_once(incident: Path, tmp_path: Path, shape: str) -> None:
    whole = (incident / "server-1/zookeeper.log").read_bytes()
    shell = b"ZooKeeper JMX enabled by default\n"
    other = {"copy": whole, "beginning": whole[:9000], "compressed": gzip.compress(whole), "lines before it": shell + whole[:9999]}
    (tmp_path / "zookeeper.log").write_bytes(whole)
    (tmp_path / "zookeeper.out").write_bytes(other[shape])
    found = gather([str(tmp_path)])
    alone = gather([str(incident / "server-1/zookeeper.log")])
    assert found.lines.height == alone.lines.height
    assert found.sources["note"].str.contains("not read:|left out:").sum() == 1


def test_a_log_that_is_not_read_again_still_tells_whose_the_data_beside_it_are(rebuilt: Callable[..., Path]) -> None:
    def named(folder: str) -> Callable[[Path], Path | None]:
        return lambda path: Path(folder, *path.parts[1:]) if path.parts[0] == "server-3" and path.name not in ("myid", "zoo.cfg") else None

    now, then = rebuilt(named("now"), "a"), rebuilt(named("then"), "b")
    found = gather([str(now)], before=[str(then)])
    assert servers(found) == [(3, "3", "the log's own words")]
    assert copies_of(found).keys() == {(3, 0), (3, 1)}


def test_a_zone_moves_the_stamps_of_the_server_it_names(incident: Path) -> None:
    arguments = [str(incident / f"server-{sid}") for sid in (1, 2)]
    utc, named, all_ = (gather(arguments, timezone=zone) for zone in ((), ("2=Europe/Berlin",), ("Europe/Berlin",)))

    def shifts(trace: Trace) -> list[int]:
        hours = (trace.lines["time"] - utc.lines["time"]).dt.total_hours()
        return trace.lines.with_columns(hours.alias("h")).group_by("server").agg(pl.col("h").first()).sort("server")["h"].to_list()

    assert (shifts(named), shifts(all_)) == ([0, -1], [-1, -1])
    assert named.servers["timezone"].to_list() == ["UTC assumed", "Europe/Berlin"]


@pytest.mark.parametrize(("zone", "why"), [("Mars/X", "no time zone"), ("8=UTC", "there is no server 8")])
def test_a_zone_that_is_none(incident: Path, zone: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        gather([str(incident / "server-1")], timezone=[zone])


# ---------------------------------------------------------------- what is no evidence, and what is broken
def test_without_evidence_it_says_what_was_there(tmp_path: Path, incident: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty.log").touch()
    (tmp_path / "binary.log").write_bytes(bytes(range(256)) * 9)
    (tmp_path / "app.log").write_text("2026-11-21 00:37:36,739 [main] INFO  com.acme.Foo - hello\n" * 9)
    cases = {
        str(tmp_path / "empty"): "No file was found",
        str(tmp_path / "empty.log"): "empty.log is no evidence: empty file",
        str(tmp_path / "binary.log"): "binary.log is no evidence: binary",
        str(tmp_path / "app.log"): "app.log is no evidence: ",
        str(tmp_path): "None of 3 files is evidence of a server",
        str(tmp_path / "nowhere"): "no such file or folder",
        str(tmp_path / "*.zip"): "no file or folder matches it",
        str(incident / "server-1/zoo.cfg"): "a file of kind configuration alone tells nothing",
    }
    for argument, why in cases.items():
        with pytest.raises(NoEvidenceError) as caught:
            gather([argument])
        assert why in str(caught.value)


def test_what_is_broken_is_damage_and_the_rest_is_read(rebuilt: Callable[..., Path]) -> None:
    folder = rebuilt(lambda path: path if path.parts[0] == "server-1" else None)
    data = folder / "server-1/data"
    (data / "myid").write_text("one\n")
    (data / "version-2/currentEpoch").write_text("")
    (data / "version-2/log.300000001").write_bytes(b"\1\2" * 900)
    older = b"2026-11-21 00:00:00,000 [myid:1] - INFO  [main:QuorumPeer@1] - x\n" * 5
    (folder / "server-1/zookeeper.log.1.gz").write_bytes(gzip.compress(older)[:-20])
    found = gather([str(folder)])
    assert servers(found) == [(1, "1", "the log's own words")]
    damaged = {row["source"].split("/")[-1]: (row["harm"], row["reason"]) for row in found.damage.iter_rows(named=True)}
    assert damaged["myid"] == ("none", "no sid in it: b'one'")
    assert damaged["currentEpoch"] == ("data", "no epoch in it: b''")
    assert damaged["log.300000001"][0] == "data"
    assert "the gz data break off" in damaged["zookeeper.log.1.gz"][1]
    assert found.damage.filter(pl.col("next_step").is_null()).is_empty()


def test_links_and_pipes_are_listed_and_not_followed(rebuilt: Callable[..., Path], tmp_path: Path) -> None:
    folder = rebuilt(lambda path: path if path.parts[0] == "server-1" else None)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/zookeeper.log").write_bytes((folder / "server-1/zookeeper.log").read_bytes() + b"more\n")
    (folder / "outside").symlink_to(tmp_path / "elsewhere")
    (folder / "inside").symlink_to(folder / "server-1/zookeeper.log")
    (folder / "dangling").symlink_to("nowhere")
    os.mkfifo(folder / "pipe")
    found = gather([str(folder)])
    notes = {name.split("/")[-1]: note for name, note in found.sources.filter(kind="unrecognised").select("source", "note").rows()}
    assert notes == {
        "outside": "symbolic link to the outside, not followed: give its target too",
        "inside": "symbolic link, read where it points to",
        "dangling": "symbolic link to nothing",
        "pipe": "no regular file",
    }
    assert logs_of(found) == {1: ["evidence/server-1/zookeeper.log"]}


def test_reading_leaves_no_trace(rebuilt: Callable[..., Path]) -> None:
    folder = rebuilt(lambda path: path)
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*")}
    gather([str(folder)])
    assert {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*")} == before


def test_the_znodes_of_all_snapshots(incident: Path) -> None:
    found = znodes([str(incident / "server-2")], before=[str(incident / "before-rejoin")])
    assert set(found.filter(server=2)["source"]) == {
        "server-2/data/version-2/snapshot.0",
        "server-2/data/version-2/snapshot.100000060",
        "before:before-rejoin/server-2/data/version-2/snapshot.0",
        "before:before-rejoin/server-2/data/version-2/snapshot.100000060",
    }
    assert found.filter(server=2, copy=0, path="/").height == 2


OUTPUTS = {
    "server-1/report.html": True, "server-1/data/../x": True, "server-1": True, "a.log": True, "server-10/x": False, "report.html": False,
}  # fmt: skip


@pytest.mark.parametrize(("output", "inside"), OUTPUTS.items())
def test_an_output_inside_the_evidence(tmp_path: Path, output: str, inside: bool) -> None:
    (tmp_path / "server-1/data").mkdir(parents=True)
    (tmp_path / "a.log").touch()
    assert output_inside_evidence(tmp_path / output, [f"zk={tmp_path}/server-1", str(tmp_path / "a.log"), "-", "not-there"]) is inside
