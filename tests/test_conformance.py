"""Conformance: what real servers logged fits the protocol; each line that is changed against it is found, and by its own rule."""

from __future__ import annotations

from pathlib import Path

import pytest
from election_lines import Log, saved

from zabtrace.evidence import gather
from zabtrace.incidents import incidents
from zabtrace.incidents.syncing import modes
from zabtrace.replay import replay
from zabtrace.replay.handshakes import Sent
from zabtrace.replay.roles import Interval
from zabtrace.replay.terms import Term

ROOT = Path(__file__).parent
PAUSED = ROOT / "data" / "incidents" / "paused-3.8.0"
CAPTURES = [
    *sorted((ROOT / "data" / "incidents").iterdir()),
    *sorted((ROOT / "data" / "replay").iterdir()),
    *sorted(path for path in (ROOT.parent / "sample_logs").iterdir() if path.is_dir()),
]


@pytest.mark.parametrize("folder", CAPTURES, ids=lambda folder: folder.name)
def test_real_servers_keep_to_the_protocol(folder: Path) -> None:
    evidence = [str(path) for path in sorted(folder.glob("server-*"))]
    assert incidents(replay(gather(evidence))).findings.rows() == []


OWN = "n.sid:2, n.state:LOOKING, n.leader:2, n.round:0x2, n.peerEpoch:0x1, n.zxid:0x100000035"
OTHER = "n.sid:1, n.state:LOOKING, n.leader:2, n.round:0x2, n.peerEpoch:0x1, n.zxid:0x100000035"
FIRST = "n.sid:2, n.state:LOOKING, n.leader:3, n.round:0x1, n.peerEpoch:0x0, n.zxid:0x0"
# what the second election's log of the new leader, server 2, is changed into: (in whose log, text, other text) ...; what is found then
MUTATIONS = {
    # it votes for 3, whom it heard of, then for 1: against the order
    "vote falls": ([(2, FIRST, FIRST.replace("n.leader:3", "n.leader:1"))], {"a vote against the order"}),
    # nobody had proposed server 7
    "invented": ([(2, FIRST, FIRST.replace("n.leader:3", "n.leader:7"))], {"a vote that nobody proposed"}),
    # server 1's vote for 2 becomes one for 1: 2 counts only itself
    "no votes": ([(2, OTHER, OTHER.replace("n.leader:2", "n.leader:1"))], {"a decision without a quorum of votes"}),
    # server 1's vote for 2 stands at another zxid: it is not equal to the proposal of 2, who counts only itself
    "unequal": ([(2, OTHER, OTHER.replace("0x100000035", "0x100000034"))], {"a decision that the model does not reach"}),
    # 2 goes on in a round in which nobody was
    "round": ([(2, FIRST, FIRST.replace("n.round:0x1", "n.round:0x2"))], {"a vote that the model does not cast"}),
    # the leader begins with itself alone
    "no quorum": ([(2, "sids: [[1, 2]]", "sids: [[2]]")], {"a leader without a quorum"}),
    # the second leader takes the first one's epoch
    "epoch": ([(2, "last processed zxid: 0x200000000", "last processed zxid: 0x100000000")], {"an epoch that is not larger"}),
    # the learner at the leader's own end gets a DIFF; one beyond it does not
    "sync": (
        [(2, "lastProcessedZxid=0x100000035 peerLastZxid=0x100000035", "lastProcessedZxid=0x100000035 peerLastZxid=0x100000039")],
        {"a synchronization that the table does not give"},
    ),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_each_mutation_wakes_its_rule(tmp_path: Path, name: str) -> None:
    changes, expected = MUTATIONS[name]
    for one in sorted(PAUSED.iterdir()):
        (tmp_path / one.name).mkdir()
        for file in one.iterdir():
            text = file.read_text()
            for server, old, new in changes:
                if file.name == "zookeeper.log" and one.name == f"server-{server}":
                    assert old in text
                    text = text.replace(old, new)
            (tmp_path / one.name / file.name).write_text(text)
    found = incidents(replay(gather([str(tmp_path)]))).findings
    assert set(found["what"]) == expected, found["why"].to_list()
    for evidence in found["evidence"].to_list():
        assert evidence
        assert all(item["source"] and item["line"] for item in evidence)


def leader(**positions: int) -> Sent:
    interval = Interval(0, 1, 1, "LEADING", None, None, 0, 100, "log", 1, "log", 100)
    return Sent(interval, 2, 1, None, "log", 1, **positions)


@pytest.mark.parametrize(
    ("minimum", "maximum", "last", "peer", "expected"),
    [
        (0x100000001, 0x100000010, 0x100000010, 0x100000010, {"DIFF"}),
        (0x100000001, 0x100000010, 0x100000010, 0x100000005, {"DIFF"}),
        (0x100000001, 0x100000010, 0x100000010, 0x100000014, {"TRUNC"}),
        (0x100000005, 0x100000010, 0x100000010, 0x100000001, {"DIFF", "SNAP"}),  # the log files may reach back, or not
        (0x100000005, 0x200000010, 0x200000010, 0x200000003, {"DIFF"}),
        (0x100000005, 0x200000010, 0x200000010, 0x100000009, set()),  # nothing tells where epoch 1 ended
    ],
)
def test_modes_are_the_tables(minimum: int, maximum: int, last: int, peer: int, expected: set[str]) -> None:
    sent = leader(min_committed=minimum, max_committed=maximum, last_processed=last, peer_zxid=peer)
    assert modes(sent, Term(1, sent.interval, 2), "3.8.0") == expected


@pytest.mark.parametrize(("votes", "found"), [(2, []), (1, ["a decision without a quorum of votes"])])
def test_a_tally_needs_more_than_half_of_all_voters(tmp_path: Path, votes: int, found: list[str]) -> None:
    """LeaderElection counts heads; here of three voters, as server 1 of an ensemble of 3.4 does before it leads."""
    log = Log(1)
    log.starts(0, "3.4.14-4c25d480e66aadd371de8bd2fd8da255ac140bcf")
    log.say(1000, "QuorumPeer", "LOOKING")
    log.say(2000, "LeaderElection", "Election tally: ")
    log.say(2000, "LeaderElection", f"1\t-> {votes}")
    log.say(2001, "LeaderElection", "Found leader: my type is: PARTICIPANT")
    log.say(2101, "QuorumPeer", "LEADING")
    folder = saved(tmp_path, [log, Log(2), Log(3)])
    assert incidents(replay(gather([str(folder)]))).findings["what"].to_list() == found


@pytest.mark.parametrize("kept", range(6))
def test_a_log_that_begins_among_its_votes_is_no_reason_to_doubt_its_server(tmp_path: Path, kept: int) -> None:
    """What arrives between a process's start and its LOOKING line counts in its election; of these lines the first are cut away."""
    one = Log(1)
    one.starts(0)
    for sid, leader in ((2, 2), (3, 3), (2, 3)):
        one.hears(900 + sid, sid, leader, 1, 0, 0)
    one.looks(1000, 0)
    for leader in (1, 2, 3):
        one.hears(1001 + leader, 1, leader, 1, 0, 0)
    one.follows(1300, 3, 0)
    one.lines = one.lines[kept:]
    assert incidents(replay(gather([str(saved(tmp_path, [one, Log(2), Log(3)]) / "server-1")]))).findings.rows() == []
