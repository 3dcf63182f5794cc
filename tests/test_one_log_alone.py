"""What one server's log shows of an election, and what it leaves open: the others' logs would say it."""

from __future__ import annotations

from pathlib import Path

import pytest
from election_lines import Log, saved
from test_replay_captures import history as captured

from zabtrace.evidence import gather
from zabtrace.incidents import incidents
from zabtrace.replay import replay
from zabtrace.replay.history import History

Z = 0x100000000
REFUSED = "java.net.ConnectException: Connection refused"


def read(folder: Path, *servers: int) -> History:
    return replay(gather([str(folder / f"server-{server}") for server in servers]))


# ---------------------------------------------------------------- joined, or voted? 3.4's algorithms 0 to 2 print no votes
@pytest.mark.parametrize(("server", "kinds"), [(1, ["unknown", "unknown"]), (2, ["unknown", "vote"]), (3, ["vote", "unknown"])])
def test_a_log_without_votes_leaves_open_how_its_server_came(server: int, kinds: list[str]) -> None:
    """It settled on a leader: before that had its quorum, or behind it? Its own log has no line of either."""
    found = captured("legacy-3.4.14", (server,)).elections
    assert found["kind"].to_list() == kinds
    assert all("the log of the leader would show" in why for why in found.filter(kind="unknown")["why"])
    assert found.filter(kind="unknown")["decided_by"].to_list() == [None] * kinds.count("unknown")


def old(log: Log, looking: int, following: int, snapshot: int, *, refused: bool) -> None:
    """A follower of electionAlg 1 up to its snapshot from server 3."""
    log.say(looking, "QuorumPeer", "LOOKING")
    log.say(following, "QuorumPeer", "FOLLOWING")
    if refused:
        log.say(following + 5, "Learner", "Unexpected exception, tries=0, connecting to /127.0.0.3:2888", level="WARN", trace=REFUSED)
    log.say(snapshot, "Learner", f"Getting a snapshot from leader 0x{2 * Z:x}")


def led(log: Log, quorum: int, synchronized: int) -> None:
    """A leader of electionAlg 1 that synchronizes server 1 behind its quorum."""
    log.say(1000, "QuorumPeer", "LOOKING")
    log.say(1100, "QuorumPeer", "LEADING")
    log.say(quorum, "Leader", f"Have quorum of supporters, sids: [ 2,3 ]; starting up and setting last processed zxid: 0x{2 * Z:x}")
    thread = "LearnerHandler-/127.0.0.1:40001"
    log.say(synchronized, "LearnerHandler", "Follower sid: 1 : info : q", thread)
    numbers = f"maxCommittedLog=0x{Z + 9:x} minCommittedLog=0x{Z + 5:x} peerLastZxid=0x{Z + 1:x}"
    log.say(synchronized, "LearnerHandler", f"Synchronizing with Follower sid: 1 {numbers}", thread)
    log.say(synchronized, "LearnerHandler", "Sending SNAP", thread)


@pytest.mark.parametrize(
    ("looking", "following", "kind"),
    [(70_000, 70_100, "join"), (69_000, 69_990, "unknown"), (68_000, 70_100, "vote")],
    ids=["it looked for 500 ms before its snapshot, 1 s behind the quorum", "the quorum stood in between", "it looked for longer"],
)
def test_how_long_it_looked_says_whether_it_joined(tmp_path: Path, looking: int, following: int, kind: str) -> None:
    """Its clock is a minute ahead of its leader's: only durations are compared. Quorum at 9.5 s, snapshot at 10.5 s of the leader."""
    one, two, three = Log(1), Log(2), Log(3)
    one.starts(60_000, "3.4.14")
    old(one, looking, following, 70_500, refused=False)
    three.starts(0, "3.4.14")
    led(three, 9_500, 10_500)
    found = read(saved(tmp_path, [one, two, three]), 1, 2, 3).elections
    assert [row["kind"] for row in found.to_dicts() if 1 in row["servers"]] == [kind]


@pytest.mark.parametrize("refused", [True, False])
def test_a_leader_that_did_not_listen_yet_was_not_there_before(tmp_path: Path, refused: bool) -> None:
    one = Log(1)
    one.starts(0, "3.4.14")
    old(one, 1000, 1100, 2200, refused=refused)
    row = read(saved(tmp_path, [one, Log(2), Log(3)]), 1).elections.row(0, named=True)
    assert (row["kind"], row["leader"]) == (("vote", 3) if refused else ("unknown", None))


def test_who_never_listened_never_led(tmp_path: Path) -> None:
    """AuthFastLeaderElection settles on a leader that is gone: its address is in the log, and who has it in the configuration."""
    one = Log(1)
    one.starts(0, "3.4.14")
    old(one, 1000, 1100, 2200, refused=True)
    one.lines.pop()
    one.say(6000, "QuorumPeer", "LOOKING")
    found = read(saved(tmp_path, [one, Log(2), Log(3)]), 1).elections.to_dicts()
    assert [(row["kind"], row["leader"]) for row in found] == [("vote", None), ("vote", None)]
    assert "settled on server 3, but nothing listened at its address" in found[0]["why"]


# ---------------------------------------------------------------- votes that only others counted
def test_a_follower_that_is_not_up_to_date_yet_does_not_say_that_its_leader_had_no_quorum(tmp_path: Path) -> None:
    """The vote of 3 comes between the acknowledgement of NEWLEADER and UPTODATE: the leader, whose log is missing, had its quorum."""
    one, three = Log(1), Log(3)
    for log in (one, three):
        log.starts(0)
    one.looks(1000, Z + 8)
    one.hears_all(1002, [1, 2], 2, 1, Z + 8)
    one.follows(1300, 2, Z + 8)
    last = one.lines.pop()
    one.hears(1320, 3, 3, 1, 1, Z + 8, mine="FOLLOWING")
    one.lines.append(last)
    three.looks(1310, Z + 8)
    three.hears(1311, 3, 3, 1, 1, Z + 8)
    three.hears(1321, 1, 2, 1, 1, Z + 8, "FOLLOWING")
    three.hears(1322, 2, 2, 1, 1, Z + 8, "LEADING")
    three.follows(1330, 2, Z + 8)
    folder = saved(tmp_path, [one, Log(2), three])
    (folder / "server-3" / "currentEpoch").write_text("2")
    kinds = {tuple(row["servers"]): row["kind"] for row in read(folder, 1, 3).elections.to_dicts()}
    assert kinds == {(1,): "vote", (3,): "unknown"}


@pytest.mark.parametrize(("of_1", "decided"), [((2, Z + 8), None), ((1, Z + 8), "epoch")], ids=["sid or epoch", "epoch, whoever it was"])
def test_which_votes_the_winner_counted_its_own_log_shows(tmp_path: Path, of_1: tuple[int, int], decided: str | None) -> None:
    """2 beats 1 by server id and 3 by epoch: with which of the two its quorum stood, 1 does not know."""
    one = Log(1)
    one.starts(0)
    one.looks(1000, of_1[1])
    one.hears(1002, 1, 1, 1, *of_1)
    one.hears(1003, 3, 3, 1, 1, Z + 9)
    one.hears(1004, 2, 2, 1, 2, Z + 8)
    for sid in (1, 3):
        one.hears(1005, sid, 2, 1, 2, Z + 8)
    one.follows(1300, 2, Z + 8)
    row = read(saved(tmp_path, [one, Log(2), Log(3)]), 1).elections.row(0, named=True)
    assert (row["leader"], row["quorum"], row["decided_by"]) == (2, [1, 2, 3], decided)


# ---------------------------------------------------------------- one side of a synchronization
def test_a_leader_of_3_4_that_prints_no_zxid_cuts_within_its_log() -> None:
    """'Sending TRUNC' to a learner below maxCommittedLog: what follows the cut is sent with it (LearnerHandler.run, 3.4)."""
    found = captured("wiped-3.4.14", (2,))
    assert found.syncs.filter(learner=3)["mode"].to_list() == ["TRUNC+DIFF"]
    assert "a synchronization that the table does not give" not in incidents(found).findings["what"].to_list()
    learner = captured("wiped-3.4.14", (3,)).syncs.row(-1, named=True)
    assert (learner["mode"], learner["truncated_to"]) == ("TRUNC", 0x100000016)
    assert "what followed the cut" in learner["why"]
