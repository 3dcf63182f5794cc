"""Disks that were wiped or put back, seen in text logs alone: an epoch that comes again, and a server that votes below what it was in."""

from __future__ import annotations

from pathlib import Path

import pytest
from check_disks import TREE, records
from election_lines import CONFIG, Log, saved

from zabtrace.evidence import gather
from zabtrace.fates import judge
from zabtrace.incidents import incidents
from zabtrace.replay import replay

WIPED = (0, 0, 1)
"""Epoch and zxid of the votes in the second election, and the epoch then established."""
KEPT = (1, 0x100000004, 2)


def two_lives(folder: Path, epoch: int, zxid: int, established: int) -> Path:
    """Servers 1 and 2 follow 3 in epoch 1; all processes end, and 1 and 2 elect 2. Of server 3 nothing was collected."""
    logs = [Log(1), Log(2)]
    for log in logs:
        log.starts(0)
        log.looks(10, 0)
        log.hears_all(20, (1, 2, 3), 3, 0, 0)
        log.follows(300, 3, 0)
        log.starts(5000)
        log.looks(5010, zxid)
        log.hears_all(5020, (1, 2), 2, epoch, zxid)
    logs[0].follows(5300, 2, zxid)
    logs[1].leads(5300, established, [1], zxid, zxid)
    saved(folder, logs, CONFIG + "server.3=127.0.0.3:2888:3888\n")
    zxids = [n for e in range(1, established + 1) for n in range((e << 32) + 1, (e << 32) + 5)]
    for log in logs:
        data = folder / f"server-{log.sid}" / "data" / "version-2"
        data.mkdir(parents=True)
        (data / "snapshot.0").write_bytes(TREE)
        (data / f"log.{zxids[0]:x}").write_bytes(records(zxids))
        for name in ("currentEpoch", "acceptedEpoch"):
            (data / name).write_text(str(established))
    return folder


@pytest.mark.parametrize(("votes", "verdict"), [(WIPED, "undecided"), (KEPT, "nothing_lost")])
def test_an_epoch_that_comes_again_is_no_good_news(tmp_path: Path, votes: tuple[int, int, int], verdict: str) -> None:
    """What the first epoch 1 committed may be gone, and no disk that was read would show it."""
    found = judge(replay(gather([str(two_lives(tmp_path, *votes))])))
    assert found.verdict == verdict
    assert any("after an epoch of leader 3" in reason for reason in found.reasons) == (votes is WIPED)


def test_a_server_that_votes_below_its_epoch_lost_its_disk(tmp_path: Path) -> None:
    """Both, each with the line of its service and that of its next election; where they keep their epoch nothing is said."""
    found = incidents(replay(gather([str(two_lives(tmp_path / "wiped", *WIPED))]))).findings
    assert sorted(found["what"]) == ["a disk that went back"] * 2 + ["an epoch that is not larger"] * 2
    assert all(len(shown) == 2 and all(item["source"] and item["line"] for item in shown) for shown in found["evidence"].to_list())
    assert incidents(replay(gather([str(two_lives(tmp_path / "kept", *KEPT))]))).findings.is_empty()


STANDALONE = "Either no config or no quorum defined in config, running in standalone mode"


@pytest.mark.parametrize("served_before", [True, False])
def test_a_member_that_is_started_standalone_is_named(tmp_path: Path, served_before: bool) -> None:
    """One that begins standalone and becomes a member later is what the manual describes."""
    log = Log(1)
    alone, member = (5000, 0) if served_before else (0, 5000)
    for ms in sorted((alone, member)):
        if ms == member:
            log.starts(ms)
            log.looks(ms + 10, 0)
            log.hears(ms + 20, 1, 1, 1, 0, 0)
            log.hears(ms + 30, 3, 3, 1, 1, 0, "LEADING")
            log.follows(ms + 300, 3, 0)
        else:
            log.say(ms, "o.a.z.s.q.QuorumPeerConfig", "Reading configuration from: /zoo.cfg", "main")
            log.say(ms + 1, "o.a.z.s.q.QuorumPeerMain", STANDALONE, "main", "WARN")
    found = incidents(replay(gather([str(saved(tmp_path, [log], CONFIG + "server.2=b:2888:3888\nserver.3=c:2888:3888\n"))]))).findings
    assert ("a member ran standalone" in found["what"].to_list()) == served_before


@pytest.mark.parametrize(("voted", "verdict"), [(1, "nothing_lost"), (0, "undecided")])
def test_an_epoch_without_writes_is_judged_by_the_votes_behind_it(tmp_path: Path, voted: int, verdict: str) -> None:
    """All of epoch 1 was left before anything was written: a vote of 0x0 with that epoch shows it, with epoch 0 a wiped disk."""
    logs = [Log(sid) for sid in (1, 2, 3)]
    for start, epoch in ((0, 0), (5000, voted)):
        for log in logs:
            log.starts(start)
            log.looks(start + 10, 0)
            for sid in (1, 2, 3):
                log.hears(start + 20, sid, sid, 1, epoch, 0)
            for sid in (1, 2, 3):
                log.hears(start + 30, sid, 3, 1, epoch, 0)
        for log in logs[:2]:
            log.follows(start + 300, 3, 0)
        logs[2].leads(start + 300, 1 if start == 0 else 2, [1, 2], 0, 0)
    saved(tmp_path, logs)
    for log in logs:
        data = tmp_path / f"server-{log.sid}" / "data" / "version-2"
        data.mkdir(parents=True)
        (data / "snapshot.0").write_bytes(TREE)
        (data / "log.200000001").write_bytes(records(0x200000001 + n for n in range(4)))
        for name in ("currentEpoch", "acceptedEpoch"):
            (data / name).write_text("2")
    assert judge(replay(gather([str(tmp_path)]))).verdict == verdict


@pytest.mark.parametrize(("wiped", "verdict"), [(2, "nothing_lost"), (3, "undecided")])
def test_a_disk_that_was_lost_before_an_epoch_tells_all_of_that_epoch(tmp_path: Path, wiped: int, verdict: str) -> None:
    """Servers 1, 2 and 3 of five are what it takes to judge the end of epoch 2: 1 is wiped before it, or before epoch 3."""
    logs = [Log(sid) for sid in (1, 2, 3)]
    for epoch in (1, 2, 3):
        ms, end = 5000 * epoch, ((epoch - 1) << 32) + 4 if epoch > 1 else 0
        for log in logs:
            own = (0, 0) if log.sid == 1 and epoch == wiped else (epoch - 1, end)
            log.starts(ms)
            log.looks(ms + 10, own[1])
            log.hears(ms + 20, log.sid, log.sid, 1, *own)
            for sid in (1, 2, 3):
                log.hears(ms + 30, sid, 3, 1, epoch - 1, end)
        for log in logs[:2]:
            log.follows(ms + 300, 3, end)
        logs[2].leads(ms + 300, epoch, [1, 2], end, end)
    others = "server.4=127.0.0.4:2888:3888\nserver.5=127.0.0.5:2888:3888\n"
    saved(tmp_path, logs, CONFIG + others)
    for log in logs:
        data = tmp_path / f"server-{log.sid}" / "data" / "version-2"
        data.mkdir(parents=True)
        (data / "snapshot.0").write_bytes(TREE)
        (data / "log.100000001").write_bytes(records((e << 32) + n for e in (1, 2, 3) for n in range(1, 5)))
        for name in ("currentEpoch", "acceptedEpoch"):
            (data / name).write_text("3")
    assert judge(replay(gather([str(tmp_path)])), (2 << 32) + 1).verdict == verdict


def test_an_epoch_with_two_leaders_is_no_good_news(tmp_path: Path) -> None:
    """Server 1 followed 2, of which nothing was collected, in epoch 1; 4 took its place, and 3, wiped, helped it to another epoch 1."""
    logs = {sid: Log(sid) for sid in (1, 3, 4)}
    logs[1].starts(0)
    logs[1].looks(10, 0)
    logs[1].hears_all(20, (1, 2), 2, 0, 0)
    logs[1].follows(300, 2, 0)
    logs[1].say(400, "o.a.z.s.p.FileTxnLog", "Creating new log file: log.100000001", "SyncThread:1")
    for sid in (3, 4):
        logs[sid].starts(5000)
        logs[sid].looks(5010, 0)
        logs[sid].hears_all(5020, (3, 4), 4, 0, 0)
    logs[3].follows(5300, 4, 0)
    logs[4].leads(5300, 1, [3], 0, 0)
    saved(tmp_path, logs.values())
    for sid in logs:
        data = tmp_path / f"server-{sid}" / "data" / "version-2"
        data.mkdir(parents=True)
        (data / "snapshot.0").write_bytes(TREE)
        for name in ("currentEpoch", "acceptedEpoch"):
            (data / name).write_text("1")
    (tmp_path / "server-1" / "data" / "version-2" / "log.100000001").write_bytes(records(0x100000000 + n for n in range(1, 4)))
    found = judge(replay(gather([str(tmp_path)])))
    assert found.verdict == "undecided"
    told = next(reason for reason in found.reasons if "more than one leader" in reason)
    assert told.startswith("Epoch 1 had more than one leader (servers 2, 4; ")
    assert all(f"server-{sid}/zookeeper.log:" in told for sid in (1, 4))
