"""``predict``: made-up disks, whose next start follows from ZooKeeper's rules, and what then happened to real ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from check_disks import E1, E2, TREE, disk, one_log, records, report_of
from record_bytes import node, snapshot

from tests import fates_tables
from zabtrace import documents, wording
from zabtrace.cli import run
from zabtrace.evidence import gather
from zabtrace.predict import Learner, Prediction, predict
from zabtrace.replay import replay

OLD = [E1 + n for n in range(1, 6)]
NEW = [E2 + n for n in range(1, 4)]
BASE = snapshot(node(""), node("/zookeeper"))


def of(folder: Path, version: str | None = None, start: tuple[int, ...] | None = None) -> Prediction:
    return predict(replay(gather([str(path) for path in sorted(folder.glob("server-*"))])), start, version)


def learner(prediction: Prediction, server: int) -> Learner:
    start = max(prediction.starts, key=lambda start: len(start.servers))
    return next(one for one in start.learners if one.server == server)


def rejoining(folder: Path, tail: list[int], *, later: bool = True) -> Path:
    """Servers 1 and 2 are in epoch 2, 2 from a snapshot at its beginning on; server 3 is in epoch 1 with ``tail`` behind the others."""
    shared = [*OLD, *(NEW if later else [])]
    disk(folder, 1, one_log(shared))
    disk(folder, 2, one_log(shared), {"snapshot.0": TREE, f"snapshot.{OLD[-1]:x}": BASE})
    disk(folder, 3, one_log([*OLD, *tail]), epochs=(1, 1))
    return folder


def test_the_winner_and_why(tmp_path: Path) -> None:
    prediction = of(rejoining(tmp_path, []))
    starts = {start.servers: start for start in prediction.starts}
    assert {servers: start.leader for servers, start in starts.items()} == {(1, 2): 2, (1, 3): 1, (2, 3): 2, (1, 2, 3): 2}
    assert "by server id" in starts[1, 2].why
    assert "by epoch" in starts[1, 3].why


def test_a_running_leader_remembers_more_than_a_restarted_one(tmp_path: Path) -> None:
    """Its memory goes back to the beginning; after a restart only to its newest snapshot, and the logs are too large to be sent."""
    found = learner(of(rejoining(tmp_path, []), "3.8.0"), 3)
    assert found.mode == "DIFF"
    assert found.after_restart is None  # it stands at the snapshot itself: within reach either way
    found = learner(of(behind(tmp_path / "more"), "3.8.0"), 3)
    assert found.mode == "DIFF"
    assert found.after_restart is not None
    assert found.after_restart.mode == "SNAP"
    assert "keeps it in memory" in found.why


def behind(folder: Path) -> Path:
    """The same, with a learner that ends before the leader's newest snapshot, and a second log behind the one that holds its end."""
    logs = {f"log.{OLD[0]:x}": records([*OLD, NEW[0]]), f"log.{NEW[1]:x}": records(NEW[1:])}
    disk(folder, 1, logs)
    disk(folder, 2, logs, {"snapshot.0": TREE, f"snapshot.{NEW[0]:x}": BASE})
    disk(folder, 3, one_log(OLD[:3]), epochs=(1, 1))
    return folder


def test_one_log_is_always_small_enough(tmp_path: Path) -> None:
    """The file that holds the learner's end does not count (FileTxnIterator.getStorageSize), though far larger than the snapshot."""
    logs = one_log([*OLD, *NEW])
    disk(tmp_path, 1, logs)
    disk(tmp_path, 2, logs, {"snapshot.0": TREE, f"snapshot.{NEW[0]:x}": BASE})
    disk(tmp_path, 3, one_log(OLD[:3]), epochs=(1, 1))
    found = learner(of(tmp_path, "3.8.0"), 3)
    assert (found.mode, found.after_restart) == ("DIFF", None)


TAIL = [E1 + 6, E1 + 7]
MODES = {
    # release, has the new epoch written: mode, cut, list of what goes
    ("3.8.0", False): ("TRUNC", OLD[-1], "truncated"),
    ("3.8.0", True): ("SNAP", None, "shadowed"),
    ("3.4.14", True): ("TRUNC+DIFF", OLD[-1], "truncated"),
}


@pytest.mark.parametrize("case", MODES)
def test_what_becomes_of_a_tail(tmp_path: Path, case: tuple[str, bool]) -> None:
    release, later = case
    mode, cut, place = MODES[case]
    prediction = of(rejoining(tmp_path, TAIL, later=later), release)
    found = learner(prediction, 3)
    assert (found.mode, found.truncated_to) == (mode, cut)
    whole = max(prediction.starts, key=lambda start: len(start.servers))
    assert list(whole.discarded) == TAIL
    assert list(getattr(whole, place)) == TAIL


def test_an_unknown_release_names_the_oldest_where_it_differs(tmp_path: Path) -> None:
    found = learner(of(rejoining(tmp_path, TAIL)), 3)
    assert found.mode == "SNAP"
    assert "a running 3.4 leader would send TRUNC+DIFF" in found.why


def test_what_rebuilding_from_each_disk_would_lose(tmp_path: Path) -> None:
    prediction = of(rejoining(tmp_path, TAIL))
    lost = {choice.server: choice.would_lose for choice in prediction.choices}
    assert lost == {1: tuple(TAIL), 2: tuple(TAIL), 3: tuple(NEW)}
    assert prediction.best_to_rebuild_from is not None
    assert prediction.best_to_rebuild_from.server in (1, 2)
    assert [set(choice.committed) for choice in prediction.choices if choice.server == 3] == [set(NEW)]


def test_real_disks_before_the_old_leader_came_back(samples: Path) -> None:
    """Server 2 led; 3 was told to truncate to 0x100000060 (its own line when it came back)."""
    before = samples / "truncated-3.8.0" / "before-rejoin"
    prediction = of(before)
    whole = max(prediction.starts, key=lambda start: len(start.servers))
    found = learner(prediction, 3)
    assert (whole.leader, found.mode, found.truncated_to) == (2, "TRUNC", 0x100000060)
    assert list(whole.discarded) == [0x100000061 + n for n in range(12)]
    assert learner(prediction, 1).mode == "DIFF"


def test_the_document_tells_both_ways_and_every_choice(tmp_path: Path) -> None:
    history = replay(gather([str(behind(tmp_path))]))
    document = documents.predict(predict(history, version="3.8.0"), wording.Names.of(history.trace.servers))
    last = document["starts"][-1]["learners"][-1]
    assert (last["mode"], last["after_restart"]) == ("DIFF", {"mode": "SNAP", "truncated_to": None})
    assert document["best_to_rebuild_from"] == document["choices"][0]
    assert [choice["server"] for choice in document["choices"]][-1] == 3


def test_a_release_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["predict", ".", "--zookeeper-version", "latest"]) == 2
    assert "3.8.4" in capsys.readouterr().err


# ---------------------------------------------------------------- files in the wrong folder
def placed(folder: Path, *, logs_in: str, snapshots_in: str, config: str) -> Path:
    """Server 1, with its epoch files in data/version-2."""
    data = disk(folder, 1, one_log(OLD), config=config, epochs=(1, 1))
    other = data.parent.parent / "datalog" / "version-2"
    other.mkdir(parents=True)
    for file in list(data.iterdir()):
        wanted = {"log": logs_in, "snapshot": snapshots_in}.get(file.name.split(".")[0], "data")
        if wanted == "datalog":
            file.rename(other / file.name)
    return folder


APART = "dataLogDir=/datalog\nserver.1=10.0.0.1:2888:3888\nserver.2=10.0.0.2:2888:3888\nserver.3=10.0.0.3:2888:3888\n"
FOLDERS = {
    # where logs and snapshots lie, zoo.cfg: would it start, and what it says
    "in place": ("datalog", "data", APART, True, ""),
    "one folder configured": ("data", "data", APART.replace("dataLogDir=/datalog\n", ""), True, ""),
    "snapshots among the logs": ("datalog", "datalog", APART, False, "Log directory has snapshot files."),
    "swapped": ("data", "datalog", APART, False, "Snapshot directory has log files."),
    "all in one": ("data", "data", APART, None, "look there"),
}


@pytest.mark.parametrize("case", FOLDERS)
def test_files_in_the_wrong_folder(tmp_path: Path, case: str) -> None:
    logs_in, snapshots_in, config, would_start, says = FOLDERS[case]
    report = report_of(placed(tmp_path, logs_in=logs_in, snapshots_in=snapshots_in, config=config), version="3.8.0")
    (server,) = [one for one in report.servers if one.server == 1]
    assert server.would_start is would_start
    assert says in server.why


def test_older_releases_do_not_look_at_the_folders(tmp_path: Path) -> None:
    report = report_of(placed(tmp_path, logs_in="data", snapshots_in="data", config=APART), version="3.4.11")
    assert [one.would_start for one in report.servers if one.server == 1] == [True]


def test_a_disk_that_was_sent_a_snapshot_lacks_what_its_epoch_discarded() -> None:
    """1 was wiped and received 1:5 in a snapshot: its log begins with epoch 2, and does not show what that epoch went on without."""
    went_on = fates_tables.disk("1:1-5 / 2:1-3", "0:0 1:5", 2)
    disks = {1: fates_tables.disk("2:1-3", "0:0 1:5", 2), 2: went_on, 3: fates_tables.disk("1:1-8", "0:0", 1)}
    prediction = predict(replay(fates_tables.Incident(disks).trace()))
    tail = tuple(fates_tables.zxid(f"1:{n}") for n in (6, 7, 8))
    starts = {start.servers: start.discarded for start in prediction.starts}
    assert starts == {(1, 2): (), (1, 3): tail, (2, 3): tail, (1, 2, 3): tail}
    assert {choice.server: choice.would_lose for choice in prediction.choices if choice.server != 3} == {1: tail, 2: tail}


# ---------------------------------------------------------------- what is left open until it happens
@pytest.mark.parametrize("version", ["3.4.14", "3.8.0"])
def test_who_comes_behind_the_quorum_of_a_leader_with_an_empty_log_gets_a_snapshot(tmp_path: Path, version: str) -> None:
    """Servers 1 and 2 end at their newest snapshot: nothing is replayed, and from its quorum on 2 stands at counter 0 of epoch 3.

    So it was in a real ensemble of 3.8.0: 3 came in time and was cut, 1 came later and got a snapshot.
    """
    data = {"snapshot.0": TREE, f"snapshot.{OLD[-1]:x}": BASE}
    disk(tmp_path, 1, one_log(OLD), data)
    disk(tmp_path, 2, one_log(OLD), data)
    disk(tmp_path, 3, one_log([*OLD, *TAIL]), epochs=(1, 1))
    prediction = of(tmp_path, version)
    first = learner(prediction, 1)
    assert (first.mode, first.after_quorum and first.after_quorum.mode) == ("DIFF", "SNAP")
    assert "when it comes, it gets a SNAP" in first.why
    pair = next(start for start in prediction.starts if start.servers == (1, 2))
    assert [one.after_quorum for one in pair.learners] == [None]  # without it there is no quorum


def test_a_disk_that_brings_back_what_an_epoch_went_on_without_says_so(tmp_path: Path) -> None:
    """3 alone logged the tail, and epoch 2 began without it: whoever rebuilds from 3 has it again."""
    prediction = of(rejoining(tmp_path, TAIL, later=False))
    back = {choice.server: choice.brings_back for choice in prediction.choices}
    assert back == {1: (), 2: (), 3: tuple(TAIL)}
    told = {choice.server: "bring back 2 writes that a later epoch went on without" in choice.why for choice in prediction.choices}
    assert told == {1: False, 2: False, 3: True}
