"""Causes of losses on made-up logs, whose lines are those that ZooKeeper 3.4 to 3.9 prints; and none where no line shows one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from election_lines import Log, saved

from zabtrace.evidence import gather
from zabtrace.incidents import incidents
from zabtrace.replay import replay

EOF_, SILENT = "java.io.EOFException: null", "java.net.SocketTimeoutException: Read timed out"
RESET = "java.net.SocketException: Connection reset"
ACCEPTED = 1210
LOST = 14_000
"""When a loss is noticed, in ms; the limits are 4 ticks of 1000 ms (syncLimit) and 10 (initLimit)."""
Trio = tuple[Log, Log, Log]


def led() -> Trio:
    """Server 3 leads epoch 1, servers 1 and 2 follow, and nothing is printed until LOST."""
    logs = (Log(1), Log(2), Log(3))
    for log in logs:
        log.starts(0)
        log.looks(1000, 0)
        for sid in (log.sid, *(other.sid for other in logs if other is not log)):
            log.hears(1001, sid, sid, 1, 0, 0)
        for sid in (1, 2):
            log.hears(1004, sid, 3, 1, 0, 0)
    logs[2].leads(1200, 1, [1, 2], 0, 0)
    for log in logs[:2]:
        log.follows(1200, 3, 0)
    return logs


def causes(folder: Path, logs: Trio, *servers: int) -> dict[tuple[int, int], str | None]:
    """(who noticed, whom it lost) -> cause, of the logs of these servers, by default all."""
    saved(folder, logs)
    chosen = servers or tuple(log.sid for log in logs)
    losses = incidents(replay(gather([str(folder / f"server-{sid}") for sid in chosen]))).losses
    return {(server, lost): cause for server, lost, cause in losses.select("server", "lost", "cause").iter_rows()}


def anew(log: Log, ms: int) -> None:
    """It looks for a leader again."""
    log.looks(ms, 0x100000005)


def fsync(log: Log, ms: int, took: int, size: str) -> None:
    text = f"fsync-ing the write ahead log in SyncThread:{log.sid} took {took}ms which will adversely effect operation latency.{size}"
    log.say(ms, "o.a.z.s.p.FileTxnLog", f"{text} See the ZooKeeper troubleshooting guide", f"SyncThread:{log.sid}", "WARN")


def drop_by_transaction_timeout(logs: Trio) -> None:
    """The leader drops server 1, which has acknowledged nothing for syncLimit; that one sees its connection closed at once."""
    thread = f"LearnerHandler-/127.0.0.1:{40000 + ACCEPTED}"
    logs[2].say(LOST, "o.a.z.s.q.LearnerHandler", "Closing connection to peer due to transaction timeout.", thread, "WARN")
    logs[2].say(LOST + 1, "o.a.z.s.q.LearnerHandler", f"******* GOODBYE /127.0.0.1:{40000 + ACCEPTED} ********", thread, "WARN")
    logs[0].loses_leader(LOST + 2, EOF_)


SIZES = {"3.4": "", "3.5": " File size is 67108880 bytes.", "3.6": "File size is 67108880 bytes."}


@pytest.mark.parametrize("release", SIZES)
def test_a_slow_fsync_and_the_limit_that_is_too_small_for_it(tmp_path: Path, release: str) -> None:
    logs = led()
    drop_by_transaction_timeout(logs)
    fsync(logs[0], LOST + 1200, 5200, SIZES[release])
    anew(logs[0], LOST + 1300)
    found = causes(tmp_path, logs)
    assert found.keys() == {(3, 1), (1, 3)}
    for cause in found.values():
        assert cause == "Server 1 was slow: an fsync took 5.2 s; syncLimit (4.0 s) is too small for that"


def test_a_short_fsync_is_no_cause(tmp_path: Path) -> None:
    logs = led()
    drop_by_transaction_timeout(logs)
    fsync(logs[0], LOST + 300, 1200, SIZES["3.6"])
    anew(logs[0], LOST + 400)
    found = causes(tmp_path, logs)
    assert found[3, 1] is None
    assert "fsync" not in (found[1, 3] or "")


def test_a_slow_snapshot(tmp_path: Path) -> None:
    """The follower writes its snapshot after the proposals came, and acknowledges nothing meanwhile."""
    logs = led()
    drop_by_transaction_timeout(logs)
    logs[0].say(LOST + 500, "o.a.z.s.ZooKeeperServer", "Snapshot taken in 4500 ms", "Snapshot Thread")
    anew(logs[0], LOST + 900)
    found = causes(tmp_path, logs)
    assert found[3, 1] == "Server 1 was slow: a snapshot took 4.5 s; syncLimit (4.0 s) is too small for that"


PAUSE = "Detected pause in JVM or host machine (eg GC): pause of approximately {} ms, total pause: info level: 1, warn level: 1 "


def test_a_pause_that_the_jvm_monitor_reports(tmp_path: Path) -> None:
    """Only the paused follower's log is there: its leader is seen to be gone right after the pause."""
    logs = led()
    gc = "GC pool 'G1 Old Generation' had collection(s): count=1 time=7900ms"
    logs[0].say(LOST, "o.a.z.s.u.JvmPauseMonitor$JVMMonitor", PAUSE.format(8000), "Thread-1", "WARN", gc)
    logs[0].loses_leader(LOST + 5, RESET)
    anew(logs[0], LOST + 20)
    found = causes(tmp_path, logs, 1)
    assert found == {(1, 3): "Server 1 was slow: its JVM paused for 8.0 s; syncLimit (4.0 s) is too small for that"}


def test_a_pause_seen_from_both_sides(tmp_path: Path) -> None:
    logs = led()
    logs[2].loses_learner(LOST, 1, ACCEPTED, SILENT)
    logs[0].say(LOST + 4000, "o.a.z.s.u.JvmPauseMonitor$JVMMonitor", PAUSE.format(8000), "Thread-1", "WARN", "No GCs detected")
    logs[0].loses_leader(LOST + 4005, EOF_)
    anew(logs[0], LOST + 4020)
    for cause in causes(tmp_path, logs).values():
        assert cause is not None
        assert cause.startswith("Server 1 was paused (its JVM paused for 8.0 s)")


TROUBLES = {
    "java.io.IOException: No space left on device": "its disk was full",
    "java.io.IOException: Input/output error": "its disk failed",
    "java.io.FileNotFoundException: /data/version-2/log.100000006 (Read-only file system)": "its file system had become read-only",
    "java.io.IOException: Disk quota exceeded": "its disk quota was used up",
    "java.lang.OutOfMemoryError: Java heap space": "its JVM ran out of memory",
    "java.io.IOException: closed": "the thread that writes its log failed",
}


@pytest.mark.parametrize("trace", TROUBLES)
def test_memory_and_disks(tmp_path: Path, trace: str) -> None:
    """A critical thread dies: the server leaves its leader (ZooKeeperCriticalThread, the same text from 3.4 to 3.9)."""
    logs = led()
    text = "Severe unrecoverable error, from thread : SyncThread:1"
    logs[0].say(LOST, "o.a.z.s.ZooKeeperCriticalThread", text, "SyncThread:1", "ERROR", trace)
    logs[0].loses_leader(LOST + 100, "java.lang.Exception: shutdown Follower")
    anew(logs[0], LOST + 200)
    logs[2].loses_learner(LOST + 150, 1, ACCEPTED, EOF_)
    found = causes(tmp_path, logs)
    assert found.keys() == {(1, 3), (3, 1)}
    for cause in found.values():
        assert cause == f"Server 1: {TROUBLES[trace]}: {trace}"


@pytest.mark.parametrize(
    "trace",
    [
        "java.net.SocketException: Socket closed",
        'java.lang.NullPointerException: Cannot invoke "java.net.Socket.getOutputStream()" because "this.sock" is null',
    ],
)
def test_a_thread_that_failed_because_the_connection_was_gone_is_no_cause(tmp_path: Path, trace: str) -> None:
    """The sync thread of a follower sends the ACK, and fails when the leader is gone."""
    logs = led()
    logs[0].loses_leader(LOST, EOF_)
    text = "Severe unrecoverable error, from thread : SyncThread:1"
    logs[0].say(LOST + 10, "o.a.z.s.ZooKeeperCriticalThread", text, "SyncThread:1", "ERROR", trace)
    anew(logs[0], LOST + 20)
    assert causes(tmp_path, logs, 1) == {(1, 3): None}


def test_a_leader_that_dies_of_memory(tmp_path: Path) -> None:
    logs = led()
    text = "Severe unrecoverable error, from thread : CommitProcWorkThread-1"
    logs[2].say(
        LOST, "o.a.z.s.ZooKeeperCriticalThread", text, "CommitProcWorkThread-1", "ERROR", "java.lang.OutOfMemoryError: Java heap space"
    )
    for log in logs[:2]:
        log.loses_leader(LOST + 10, EOF_)
        anew(log, LOST + 20)
    for lost, cause in causes(tmp_path, logs).items():
        assert lost in ((1, 3), (2, 3))
        assert cause is not None
        assert "OutOfMemoryError: Java heap space" in cause


def synchronizing(logs: Trio, how: Callable[[Log], None]) -> None:
    """Server 1 comes back, and is not up to date when initLimit is over."""
    logs[0].loses_leader(LOST, RESET)
    anew(logs[0], LOST + 10)
    logs[0].hears(LOST + 20, 3, 3, 1, 1, 0, state="LEADING")
    logs[0].hears(LOST + 21, 2, 3, 1, 1, 0, state="FOLLOWING")
    logs[0].say(LOST + 30, "o.a.z.s.q.QuorumPeer", "FOLLOWING")
    connected = "Successfully connected to leader, using address: /127.0.0.3:2888"
    logs[0].say(LOST + 40, "o.a.z.s.q.Learner$LeaderConnector", connected, "LeaderConnector-/127.0.0.3:2888")
    how(logs[0])
    logs[0].loses_leader(LOST + 10_060, SILENT)
    anew(logs[0], LOST + 10_070)


@pytest.mark.parametrize(
    ("line", "what"),
    [("Getting a snapshot from leader 0x100000005", "snapshot"), ("Getting a diff from the leader 0x100000005", "synchronization")],
)
def test_init_limit_by_name(tmp_path: Path, line: str, what: str) -> None:
    logs = led()
    synchronizing(logs, lambda log: log.say(LOST + 60, "o.a.z.s.q.Learner", line))
    saved(tmp_path, logs)
    losses = incidents(replay(gather([str(tmp_path / "server-1")]))).losses
    assert losses["cause"].to_list()[-1] == (
        f"initLimit (10.0 s) was too small for the {what}: the learner was not up to date when the time was over"
    )


@pytest.mark.parametrize("present", [True, False])
def test_a_leader_that_nobody_acknowledges_in_time(tmp_path: Path, present: bool) -> None:
    """Leader.lead of 3.6 to 3.9 after initLimit: with enough learners present it says that initTicks are too few."""
    logs = (Log(1), Log(2), Log(3))
    log = logs[2]
    log.starts(0)
    log.looks(1000, 5)
    log.say(1200, "o.a.z.s.q.QuorumPeer", "LEADING")
    log.say(11_200, "o.a.z.s.q.Leader", "Shutdown called. For the reason Waiting for a quorum of followers, only synced with sids: [ [3] ]")
    if present:
        log.say(11_201, "o.a.z.s.q.Leader", "Enough followers present. Perhaps the initTicks need to be increased.", level="WARN")
    anew(log, 11_300)
    cause = causes(tmp_path, logs, 3)[3, 3]
    assert cause is not None
    assert "within initLimit (10.0 s)" in cause
    assert ("initLimit is too small" in cause) is present


def test_nothing_listens_at_the_leaders_address(tmp_path: Path) -> None:
    logs = led()
    logs[0].loses_leader(LOST, "java.net.ConnectException: Connection refused")
    anew(logs[0], LOST + 10)
    cause = causes(tmp_path, logs, 1)[1, 3]
    assert cause is not None
    assert "nothing listened at its address" in cause


@pytest.mark.parametrize("trace", [EOF_, RESET, SILENT])
def test_no_cause_visible(tmp_path: Path, trace: str) -> None:
    """One server's log alone tells that the connection ended, or that nothing came, and no more."""
    logs = led()
    logs[0].loses_leader(LOST, trace)
    anew(logs[0], LOST + 10)
    assert causes(tmp_path, logs, 1) == {(1, 3): None}


def test_one_against_all(tmp_path: Path) -> None:
    """The leader and both followers wait in vain for each other."""
    logs = led()
    for log in logs[:2]:
        log.loses_leader(LOST, SILENT)
        logs[2].loses_learner(LOST + 5, log.sid, ACCEPTED, SILENT)
        anew(log, LOST + 10)
    down = "Shutdown called. For the reason Not sufficient followers synced, only synced with sids: [ [3] ]"
    logs[2].say(LOST + 500, "o.a.z.s.q.Leader", down)
    anew(logs[2], LOST + 600)
    found = causes(tmp_path, logs)
    assert found.keys() == {(1, 3), (2, 3), (3, 1), (3, 2), (3, 3)}
    for lost, cause in found.items():
        assert cause is not None, lost
        assert "server 3 was cut off from servers 1 and 2" in cause


@pytest.mark.parametrize(("then", "told"), [("OBSERVING", "a new role"), ("LOOKING", None)])
def test_a_reconfig_that_changes_a_servers_role(tmp_path: Path, then: str, told: str | None) -> None:
    """Its connection ends, and it comes again in the other role without LOOKING (QuorumPeer.run); else it is a loss like any."""
    logs = led()
    logs[0].loses_leader(LOST, "java.lang.Exception: changes proposed in reconfig")
    logs[0].say(LOST + 100, "o.a.z.s.q.QuorumPeer", then)
    logs[2].loses_learner(LOST + 10, 1, ACCEPTED, EOF_)
    cause = causes(tmp_path, logs)[3, 1] or ""
    assert ("A reconfiguration changed the role of server 1" in cause) == (told is not None)
