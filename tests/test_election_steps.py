"""Elections step by step: the machine fed with made-up logs whose course is known, and what is said where no leader is found."""

from __future__ import annotations

from pathlib import Path

import pytest
from election_lines import Log, saved

from zabtrace.evidence import gather
from zabtrace.incidents import incidents, told
from zabtrace.incidents.accounts import Account
from zabtrace.replay import replay
from zabtrace.replay.history import History

Z = 0x100000000


def history_of(folder: Path) -> History:
    return replay(gather([str(path) for path in sorted(folder.glob("server-*"))]))


def account_of(history: History, server: int) -> Account:
    return next(one for accounts in told(history).accounts.values() for one in accounts if one.server == server)


def textbook(folder: Path) -> Path:
    """Five servers, zxids 8 8 8 7 7 in epoch 1; 3 and 5 are gone: 1, 2 and 4 vote, and 2 wins."""
    logs = [Log(sid) for sid in range(1, 6)]
    ends = {1: Z + 8, 2: Z + 8, 4: Z + 7}
    for log in logs:
        log.starts(0)
        if log.sid in ends:
            log.looks(1000, ends[log.sid])
            log.hears(1002, log.sid, log.sid, 1, 1, ends[log.sid])
    one, two, four = logs[0], logs[1], logs[3]
    one.hears(1004, 4, 4, 1, 1, Z + 7)  # worse by zxid
    one.hears(1006, 2, 2, 1, 1, Z + 8)  # better by server id
    one.hears(1008, 1, 2, 1, 1, Z + 8)
    one.hears(1010, 4, 2, 1, 1, Z + 8)
    two.hears(1004, 1, 1, 1, 1, Z + 8)
    two.hears(1005, 4, 4, 1, 1, Z + 7)
    two.hears(1008, 1, 2, 1, 1, Z + 8)
    two.hears(1010, 4, 2, 1, 1, Z + 8)
    four.hears(1003, 1, 1, 1, 1, Z + 8)  # better by zxid
    four.hears(1004, 4, 1, 1, 1, Z + 8)
    four.hears(1006, 2, 2, 1, 1, Z + 8)  # better by server id
    four.hears(1007, 4, 2, 1, 1, Z + 8)
    four.hears(1008, 1, 2, 1, 1, Z + 8)
    two.leads(1212, 2, [1, 4], Z + 8, Z + 8)
    one.follows(1212, 2, Z + 8)
    four.follows(1212, 2, Z + 8)
    return saved(folder, logs)


def test_the_textbook_election_step_by_step(tmp_path: Path) -> None:
    history = history_of(textbook(tmp_path))
    assert [(s.sender, s.voted_for, s.did) for s in account_of(history, 1).steps] == [
        (1, 1, "its first vote"),
        (4, 4, "counted, not taken: worse by zxid"),
        (2, 2, "taken over: better by server id"),
        (1, 2, "changed its vote to 2 by server id"),
        (4, 2, "counted: it agrees; a quorum agrees on 2"),
    ]
    four = account_of(history, 4)
    assert [s.did for s in four.steps if s.sender != 4] == [
        "taken over: better by zxid",
        "taken over: better by server id",
        "counted: it agrees; a quorum agrees on 2",
    ]
    changes = [s for s in four.steps if s.sender == 4][1:]
    lines = {(s.source, s.line): (s.sender, s.voted_for) for s in four.steps}
    assert [lines[s.forced_by] for s in changes if s.forced_by] == [(1, 1), (2, 2)]
    assert four.wait_ms == 204
    assert incidents(history).findings.rows() == []
    (row,) = history.elections.filter(history.elections["leader"] == 2).to_dicts()
    assert (row["decided_by"], row["epoch"], row["quorum"]) == ("sid", 2, [1, 2, 4])


def alone(folder: Path, *more: tuple[int, int, int], refused: bool = False) -> Account:
    """Server 1 of three looks for a leader and hears (sender, candidate, zxid)."""
    logs = [Log(sid) for sid in (1, 2, 3)]
    one = logs[0]
    one.starts(0)
    one.looks(1000, Z + 5)
    one.hears(1001, 1, 1, 1, 1, Z + 5)
    for number, (sender, candidate, end) in enumerate(more):
        one.hears(1002 + number, sender, candidate, 1, 1, end)
    if refused:
        text, logger = "Cannot open channel to 3 at election address /127.0.0.3:3888", "o.a.z.s.q.QuorumCnxManager"
        one.say(1003, logger, text, "QuorumConnectionThread-[myid=1]-1", "WARN", "java.net.ConnectException: Connection refused")
    for ms in (400, 800, 1600):
        one.say(1000 + ms, "o.a.z.s.q.FastLeaderElection", f"Notification time out: {ms} ms")
    return account_of(history_of(saved(folder, logs)), 1)


def test_no_quorum_heard(tmp_path: Path) -> None:
    account = alone(tmp_path, (4, 4, Z + 9), refused=True)
    assert account.why_none is not None
    assert "server 3 refused the connection" in account.why_none
    assert "it heard from nobody" in account.why_none
    assert "waits doubled up to 1600 ms" in account.why_none
    assert "notifications of server 4 did not count" in account.why_none
    assert account.steps[1].did == "not counted: its sender or its candidate has no vote"


def test_a_split_vote(tmp_path: Path) -> None:
    """Server 1 changes to 2; 3, whose vote for itself wins over both by server id, is not taken in time."""
    account = alone(tmp_path, (2, 2, Z + 4), (3, 3, Z + 3))
    assert account.why_none is not None
    assert "the votes were split between servers 1, 2 and 3" in account.why_none
    assert account.quorum_at is None


def test_a_quorum_without_a_decision(tmp_path: Path) -> None:
    account = alone(tmp_path, (2, 1, Z + 5))
    assert account.why_none is not None
    assert "a quorum stood for server 1, and the decision is not in its log" in account.why_none


def test_the_tallies_of_the_oldest_algorithm(tmp_path: Path) -> None:
    """LeaderElection (3.4 and 3.5, electionAlg=0) prints what it counted, once per second."""
    log = Log(1)
    log.starts(0, "3.4.14-4c25d480e66aadd371de8bd2fd8da255ac140bcf")
    log.say(1000, "QuorumPeer", "LOOKING")
    for ms, counts in ((1100, {1: 1, 3: 1}), (2100, {3: 3})):
        log.say(ms, "LeaderElection", "Election tally: ")
        for sid, votes in counts.items():
            log.say(ms, "LeaderElection", f"{sid}\t-> {votes}")
    log.say(2101, "LeaderElection", "Found leader: my type is: PARTICIPANT")
    log.say(2200, "QuorumPeer", "FOLLOWING")
    account = account_of(history_of(saved(tmp_path, [log, Log(2), Log(3)])), 1)
    assert [tally.votes for tally in account.tallies] == [{1: 1, 3: 1}, {3: 3}]


@pytest.mark.parametrize(
    ("answered", "kind", "decided"),
    [(1, "unknown", None), (2, "join", "existing leader")],
    ids=["the leader has not taken its epoch over: its quorum may stand already", "it has, so it was established"],
)
def test_one_log_alone_tells_a_join_by_the_epoch_of_the_answers(tmp_path: Path, answered: int, kind: str, decided: str | None) -> None:
    """updateElectionVote gives a leader's vote the new epoch after its quorum line; votes from before still lie in the queues."""
    one = Log(1)
    one.starts(0)
    one.looks(1000, Z + 8)
    one.hears(1002, 1, 1, 1, 1, Z + 8)
    one.hears(1003, 2, 2, 1, 1, Z + 8)
    one.hears(1004, 1, 2, 1, 1, Z + 8)
    one.hears(1005, 3, 2, 1, 1, Z + 8)
    one.hears(1006, 3, 2, 1, answered, Z + 8, "FOLLOWING")
    one.hears(1007, 2, 2, 1, answered, Z + 8, "LEADING")
    one.follows(1010, 2, Z + 8)
    folder = saved(tmp_path, [one, Log(2), Log(3)])
    (folder / "server-1" / "currentEpoch").write_text("2")
    elections = replay(gather([str(folder / "server-1")])).elections
    assert elections.select("kind", "decided_by", "leader", "epoch").rows() == [(kind, decided, 2, 2)]
