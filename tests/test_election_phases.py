"""Elections in detail: what each server did with each notification, how long it took by its own lines, and where the time went."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from election_lines import CONFIG, Log, saved

from zabtrace import documents, wording
from zabtrace.documents.accounts import detailed
from zabtrace.evidence import gather
from zabtrace.incidents import Told, told
from zabtrace.incidents.phases import NAMES
from zabtrace.replay import replay
from zabtrace.replay.history import History

ROOT = Path(__file__).parent
PAUSED = ROOT / "data" / "incidents" / "paused-3.8.0"
SAMPLES = ROOT.parent / "sample_logs"


@cache
def history(folder: Path) -> History:
    return replay(gather([str(path) for path in sorted(folder.glob("server-*"))]))


@cache
def found(folder: Path) -> Told:
    return told(history(folder))


def test_every_notification_of_a_round_is_told() -> None:
    """Server 1 in the second election of an ensemble of three; the lines were read by hand."""
    account = next(one for one in found(PAUSED).accounts[2] if one.server == 1)
    assert [(step.sender, step.state, step.round, step.voted_for, step.did) for step in account.steps] == [
        (1, "LOOKING", 2, 1, "its first vote"),
        (2, "FOLLOWING", 1, 3, "says that 3 leads"),
        (2, "LOOKING", 2, 2, "taken over: better by server id"),
        (1, "LOOKING", 2, 2, "changed its vote to 2 by server id; a quorum agrees on 2"),
    ]
    assert account.steps[3].forced_by == (account.steps[2].source, account.steps[2].line)
    assert account.quorum_line == (account.steps[3].source, account.steps[3].line)
    assert account.first_vote is not None
    assert (account.first_vote.peer_epoch, account.first_vote.zxid) == (1, 0x100000035)
    assert account.result == "FOLLOWING server 2"
    assert account.why_none is None


def test_a_lower_round_is_ignored_and_a_higher_one_taken() -> None:
    """Server 2 of the recovered incident is new to the round in which server 1 has been alone."""
    account = next(one for one in found(SAMPLES / "recovered-3.8.0").accounts[2] if one.server == 2)
    told_of_1 = [step.did for step in account.steps if step.sender == 1]
    assert told_of_1[0] == "a higher round: it goes on in round 2, and taken over: better by zxid"


def test_times_are_those_of_the_lines() -> None:
    """LOOKING 00:14:03,450, LEADING 00:14:03,664 on server 2."""
    account = next(one for one in found(PAUSED).accounts[2] if one.server == 2)
    assert account.ms == 214
    assert account.logged_is == "as the lines show"
    assert account.wait_ms is not None
    assert 200 <= account.wait_ms <= 214


def test_a_server_that_waits_alone_says_why() -> None:
    """Server 1 looked alone for two seconds: its waits doubled, and the others' ports were closed."""
    account = next(one for one in found(SAMPLES / "recovered-3.8.0").accounts[2] if one.server == 1)
    assert account.took_longer == [400, 800, 1600]
    assert account.unreachable == (2, 3, 4, 5)


def test_where_the_time_went() -> None:
    """The leader was stopped: its followers waited syncLimit * tickTime = 5 * 800 ms; then by the stamps of server 2."""
    phases = found(PAUSED).phases[2]
    assert phases.clock == 2
    assert phases.ms["detection"] == 4000
    assert phases.ms["closing"] == 8  # 03,442 to LOOKING 03,450
    assert phases.ms["election"] == 214  # to LEADING 03,664
    assert phases.ms["discovery"] == 122  # to "Synchronizing with Learner" 03,786
    assert phases.ms["synchronization"] == 21  # to "Have quorum of supporters" 03,807
    assert phases.ms["first_commit"] is None  # no transaction logs here


@pytest.mark.parametrize("name", ["truncated-3.8.0", "recovered-3.8.0", "shadowed-3.9.3", "observer-3.6.3"])
def test_phases_follow_each_other(name: str) -> None:
    answer = detailed(documents.elections(history(SAMPLES / name)), history(SAMPLES / name))
    for election in answer["elections"]:
        assert [account["server"] for account in election["accounts"]] == sorted(account["server"] for account in election["accounts"])
        for account in election["accounts"]:
            places = [(step["source"], step["line"]) for step in account["steps"]]
            assert all(one[1] < other[1] for one, other in pairwise(places) if one[0] == other[0])
        phases = election["phases"]
        if phases is not None:
            values = [phases[f"{part}_ms"] for part in NAMES]
            assert phases["known_ms"] == sum(value for value in values if value is not None)
            assert all(value >= 0 for value in values if value is not None)
            assert phases["election_ms"] is not None
            assert phases["synchronization_ms"] is not None


def test_an_outage_without_an_end_is_open(tmp_path: Path) -> None:
    """The logs up to the moment when both followers have lost their leader, which was stopped and prints nothing."""
    for one in sorted(PAUSED.iterdir()):
        (tmp_path / one.name).mkdir()
        for file in one.iterdir():
            lines = file.read_text().split("\n")
            kept = [line for line in lines if not line.startswith("2026") or line < "2026-11-21 00:14:03,46"]
            (tmp_path / one.name / file.name).write_text("\n".join(kept))
    whole, cut = history(PAUSED).unavailable, history(tmp_path)
    assert [out.end is None for out in whole] == [False]
    assert [(wording.moment(out.start), out.end) for out in cut.unavailable] == [("2026-11-21T00:13:59.435Z", None)]
    assert documents.elections(cut)["unavailable"][0]["to"] is None


def test_without_logs_there_is_nothing_to_tell() -> None:
    assert told(replay(gather([str(SAMPLES / "truncated-3.8.0" / "server-1" / "data")]))) == Told()


def test_an_outage_begins_where_the_leader_was_last_heard() -> None:
    """The leader was stopped at 00:13:59.437; server 2, the next leader, read from it in vain until 00:14:03,442, for 5 * 800 ms."""
    (outage,) = history(PAUSED).unavailable
    assert (wording.moment(outage.start), outage.clock) == ("2026-11-21T00:13:59.442Z", 2)
    assert "its read timed out 4000 ms later" in outage.why
    assert (outage.source, outage.line) == ("server-2/zookeeper.log", 44)


def of_three(folder: Path, *, silent: bool) -> History:
    """Server 3 leads epoch 1, loses both followers, steps down, and leads epoch 2."""
    logs = [Log(sid) for sid in (1, 2, 3)]
    for log in logs:
        log.starts(0)
        log.looks(1000, 0)
    logs[2].leads(1200, 1, [1, 2], 0, 0)
    trace = "java.net.SocketTimeoutException: Read timed out" if silent else "java.io.EOFException: null"
    for ms, sid in ((9000, 1), (9100, 2)):
        logs[2].loses_learner(ms, sid, 1210, trace)
    down = "Shutdown called. For the reason Not sufficient followers synced, only synced with sids: [ [3] ]"
    logs[2].say(9500, "o.a.z.s.q.Leader", down)
    logs[2].looks(9600, 0x100000001)
    logs[2].leads(9900, 2, [1, 2], 0x100000001, 0x100000001)
    return history(saved(folder, logs))


def test_a_follower_that_was_left_until_the_end_counts_from_where_the_leader_had_no_quorum(tmp_path: Path) -> None:
    """Of five, leader 4 loses 1, 2 and 3, the last at 9.1 s, and steps down 400 ms later; 5, whose clock is 2 s ahead, leads at 12.92 s."""
    logs = [Log(4), Log(5)]
    for log, ahead in zip(logs, (0, 2000), strict=True):
        log.starts(ahead)
        log.looks(ahead + 1000, 0)
    logs[0].leads(1200, 1, [1, 2, 3, 5], 0, 0)
    logs[1].follows(3200, 4, 0)
    for ms, sid in ((8000, 1), (8500, 2), (9100, 3)):
        logs[0].loses_learner(ms, sid, 1210, "java.io.EOFException: null")
    down = "Shutdown called. For the reason Not sufficient followers synced, only synced with sids: [ [4, 5] ]"
    logs[0].say(9500, "o.a.z.s.q.Leader", down)
    logs[1].loses_leader(11510, "java.io.EOFException: null")
    logs[1].looks(11600, 0x100000001)
    logs[1].leads(12900, 2, [1, 2], 0x100000001, 0x100000001)
    members = CONFIG + "".join(f"server.{sid}=127.0.0.{sid}:2888:3888\n" for sid in (1, 2, 3))
    (outage,) = history(saved(tmp_path, logs, members)).unavailable
    assert (wording.moment(outage.start), outage.clock, outage.ms) == ("2026-11-21T00:00:11.110Z", 5, 1810)


@pytest.mark.parametrize(("silent", "begins"), [(True, "2026-11-21T00:00:05.100Z"), (False, "2026-11-21T00:00:09.100Z")])
def test_a_leader_that_stepped_down(tmp_path: Path, silent: bool, begins: str) -> None:
    """syncLimit is 4 ticks of 1000 ms; the quorum stands again at 9.920 s."""
    (outage,) = of_three(tmp_path, silent=silent).unavailable
    assert (wording.moment(outage.start), wording.moment(outage.end), outage.clock) == (begins, "2026-11-21T00:00:09.920Z", 3)


def test_where_the_time_went_when_a_reconfiguration_named_the_leader() -> None:
    """Server 2: LEADING 54,681, its first learner compared 116 ms later, its quorum 7 ms behind that; nobody was looking."""
    (handed,) = [one for one in found(ROOT / "data" / "replay" / "handover-3.9.3").phases.values() if one.clock == 2]
    assert (handed.ms["election"], handed.ms["discovery"], handed.ms["synchronization"]) == (None, 116, 7)
    assert handed.why == "no leader was elected: a reconfiguration named it"
