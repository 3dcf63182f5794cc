"""The protocol's rules: elections step by step, discovery, durable writes, the synchronization table, truncation, commits."""

import pytest

from zabtrace.protocol import broadcast, discovery, durable, legacy, truncation
from zabtrace.protocol.discovery import Summary
from zabtrace.protocol.election import FOLLOWING, LEADING, LOOKING, Looking, Notification, elect, first_vote
from zabtrace.protocol.legacy import OldVote
from zabtrace.protocol.quorum import Config
from zabtrace.protocol.sync import Position, decide
from zabtrace.protocol.vote import Vote, wins
from zabtrace.zxid import make

FIVE = Config(voters=frozenset({1, 2, 3, 4, 5}))
THREE = Config(voters=frozenset({1, 2, 3}))


# ---------------------------------------------------------------- elections
def test_the_textbook_election() -> None:
    """zxids 8 8 8 7 7 in epoch 1; 3 and 5 fail; 2 wins by server id over 1 and by zxid over 4."""
    leader, steps = elect({1: Vote(1, 8, 1), 2: Vote(1, 8, 2), 4: Vote(1, 7, 4)}, FIVE)
    assert leader == 2
    assert [(s.server, s.voted_for) for s in steps if s.because == "own vote"] == [(1, 1), (2, 2), (4, 4)]
    assert {s.voted_for for s in steps if s.server == 4} == {4, 1, 2}
    assert all(s.server != 2 for s in steps if s.because == "better vote")


def test_the_epoch_comes_first() -> None:
    assert elect({1: Vote(2, 3, 1), 2: Vote(1, 9, 2), 3: Vote(1, 9, 3)}, THREE)[0] == 1


def test_fewer_than_a_quorum_elect_nobody() -> None:
    assert elect({1: Vote(1, 8, 1), 2: Vote(1, 8, 2)}, FIVE)[0] is None


def test_weight_zero_never_wins() -> None:
    config = Config(voters=frozenset({1, 2, 3}), groups={1: 1, 2: 1, 3: 1}, weights={3: 0})
    assert elect({1: Vote(1, 8, 1), 2: Vote(1, 8, 2), 3: Vote(1, 9, 3)}, config)[0] == 2
    assert not wins(Vote(1, 9, 3), Vote(1, 8, 2), weight=0)


def test_a_later_round_starts_the_server_over() -> None:
    server = Looking(1, Vote(1, 8, 1), [THREE])
    assert server.receive(Notification(2, LOOKING, 1, Vote(1, 8, 2)))[0] == "better vote"
    assert server.receive(Notification(3, LOOKING, 4, Vote(1, 7, 3))) == ["later round", "counted"]
    assert (server.round, server.proposal, set(server.recvset)) == (4, Vote(1, 8, 1), {3})


def test_an_earlier_round_is_ignored() -> None:
    server = Looking(1, Vote(1, 8, 1), [THREE], round=5)
    assert server.receive(Notification(2, LOOKING, 2, Vote(9, 9, 2))) == ["earlier round"]
    assert server.proposal == Vote(1, 8, 1)


def test_who_is_no_voter_is_not_heard() -> None:
    assert Looking(1, Vote(1, 8, 1), [THREE]).receive(Notification(7, LOOKING, 1, Vote(9, 9, 7))) == ["sender is no voter"]


def test_joining_needs_the_leaders_own_word() -> None:
    server = Looking(1, Vote(1, 8, 1), [THREE])
    assert server.receive(Notification(2, FOLLOWING, 3, Vote(2, 0, 3))) == ["counted"]
    assert server.decide() is None
    assert server.receive(Notification(3, LEADING, 3, Vote(2, 0, 3))) == ["counted", "existing leader"]
    assert (server.decide(), server.round) == (FOLLOWING, 3)


def test_a_quorum_of_followers_without_their_leader_is_not_joined() -> None:
    server = Looking(5, Vote(1, 8, 5), [FIVE])
    for sid in (1, 2, 3):
        server.receive(Notification(sid, FOLLOWING, 3, Vote(2, 0, 4)))
    assert server.decide() is None


def test_a_reconfig_in_flight_needs_both_quorums() -> None:
    server = Looking(1, Vote(1, 8, 1), [THREE, Config(voters=frozenset({1, 4, 5}))])
    for sid in (1, 2):
        server.receive(Notification(sid, LOOKING, 1, Vote(1, 8, 1)))
    assert server.decide() is None
    server.receive(Notification(4, LOOKING, 1, Vote(1, 8, 1)))
    assert server.decide() == LEADING


@pytest.mark.parametrize(("release", "expected"), [("3.9.4", FOLLOWING), ("3.6.0", FOLLOWING), ("3.5.10", None), ("3.4.14", None)])
def test_a_server_of_the_same_round_counts_those_who_look_too(release: str, expected: str | None) -> None:
    """3 has a LOOKING vote, one of an epoch later, and the leader's own: 3.6.0+ compares the second by its leader only."""
    server = Looking(1, Vote(1, 7, 1), [FIVE], release=release)
    server.receive(Notification(2, LOOKING, 1, Vote(1, 8, 3)))
    server.receive(Notification(4, FOLLOWING, 1, Vote(2, 8, 3)))
    assert server.decide() is None  # the leader itself has not been heard LEADING
    server.receive(Notification(3, LEADING, 1, Vote(1, 8, 3)))
    assert server.decide() == expected


@pytest.mark.parametrize(
    ("release", "zxids", "joins"),
    [("3.4.5", (8, 8), True), ("3.4.5", (8, 9), False), ("3.4.6", (8, 9), True), ("3.5.4", (8, 9), False), ("3.5.5", (8, 9), True)],
)
def test_older_releases_need_equal_zxids_to_join(release: str, zxids: tuple[int, int], joins: bool) -> None:
    """ZOOKEEPER-1732 and 1818."""
    server = Looking(1, Vote(1, 8, 1), [THREE], release=release)
    server.receive(Notification(2, FOLLOWING, 3, Vote(2, zxids[0], 3)))
    server.receive(Notification(3, LEADING, 3, Vote(2, zxids[1], 3)))
    assert (server.decide() == FOLLOWING) is joins


def test_with_a_sender_that_tells_no_version_only_the_leader_is_compared() -> None:
    server = Looking(1, Vote(1, 8, 1), [THREE])
    server.receive(Notification(2, FOLLOWING, 3, Vote(1, 8, 3), version=0))
    server.receive(Notification(3, LEADING, 3, Vote(2, 9, 3)))
    assert server.decide() == FOLLOWING


def test_an_election_that_would_make_itself_the_existing_leader_needs_its_own_round() -> None:
    server = Looking(3, Vote(1, 8, 3), [THREE], round=4)
    for sid in (1, 2):
        server.receive(Notification(sid, FOLLOWING, 2, Vote(2, 8, 3)))
    assert server.decide() is None
    server = Looking(3, Vote(1, 8, 3), [THREE], round=1)
    for sid in (1, 2):
        server.receive(Notification(sid, FOLLOWING, 2, Vote(2, 8, 3)))
    assert server.decide() == LEADING


def test_without_a_database_nobody_is_heard_from_3_6_on() -> None:
    empty = Notification(2, LOOKING, 1, Vote(0, -1, 2))
    assert Looking(1, Vote(0, 8, 1), [THREE], release="3.6.0").receive(empty) == ["no database"]
    assert Looking(1, Vote(0, 8, 1), [THREE], release="3.5.9").receive(empty) == ["counted"]
    assert Looking(1, Vote(0, -1, 1), [THREE]).receive(Notification(2, LOOKING, 1, Vote(0, 8, 2))) == ["no database"]


def test_only_a_better_vote_ends_the_last_wait() -> None:
    server = Looking(1, Vote(1, 8, 1), [THREE])
    assert server.better(Notification(2, LOOKING, 1, Vote(1, 8, 2)))
    assert not server.better(Notification(2, LOOKING, 1, Vote(1, 7, 2)))


def test_an_observer_votes_for_nobody_and_is_not_heard() -> None:
    vote = first_vote(4, 9, 1, observer=True)
    assert set(vote) == {-(1 << 63)}
    assert Looking(1, Vote(1, 8, 1), [THREE]).receive(Notification(4, LOOKING, 1, vote)) == ["sender is no voter"]


# ---------------------------------------------------------------- discovery
def test_the_epoch_is_fixed_by_a_quorum_that_includes_the_leader() -> None:
    found = discovery.Discovery(3, FIVE)
    assert [found.connect(sid, accepted) for sid, accepted in ((1, 4), (2, 7), (4, 1))] == [None, None, None]
    assert found.connect(3, 2) == 8
    assert found.connect(5, 30) == 8
    assert [found.acknowledge(sid) for sid in (1, 2, 4, 3)] == [False, False, False, True]


def test_an_empty_database_does_not_count_from_3_6_on() -> None:
    assert discovery.counts(Summary(0, -1), Summary(0, 0), "3.5.9")
    assert not discovery.counts(Summary(0, -1), Summary(0, 0), "3.6.0")


def test_discovery_takes_the_next_epoch_and_refuses_lower_ones() -> None:
    assert discovery.proposed([0, 4, 2]) == 5
    assert discovery.answer(5, 4, Summary(3, 77)) == Summary(3, 77)
    assert discovery.answer(5, 5, Summary(3, 77)) == Summary(discovery.ALREADY_ACCEPTED, 77)
    assert discovery.answer(5, 6, Summary(3, 77)) is None


@pytest.mark.parametrize(("ack", "expected"), [((3, 76), True), ((3, 77), True), ((3, 78), False), ((4, 1), False), ((-1, 99), False)])
def test_an_ack_counts_unless_it_is_ahead_or_repeated(ack: tuple[int, int], expected: bool) -> None:
    assert discovery.counts(Summary(*ack), Summary(3, 77)) is expected


# ---------------------------------------------------------------- durable writes
@pytest.mark.parametrize(
    ("version", "safe"),
    [("3.4.14", False), ("3.5.9", False), ("3.5.10", False), ("3.6.2", False), ("3.8.4", False), ("3.8.5", True), ("3.9.1", False),
     ("3.9.2", True), ("3.9.3", True), ("3.10.0", True)],
)  # fmt: skip
def test_only_newer_releases_write_the_history_before_the_epoch(version: str, safe: bool) -> None:
    order = durable.order_of(version)
    assert order is not None
    assert order.safe is safe


def test_every_order_acknowledges_after_current_epoch() -> None:
    for order in durable.ORDERS:
        assert order.steps.index(durable.CURRENT_EPOCH) < order.steps.index(durable.ACK) < order.steps.index(durable.UPTODATE)
    assert durable.order_of(None) is None


# ---------------------------------------------------------------- synchronization
ONE, TWO = make(1, 0), make(2, 0)
LOG = [ONE + n for n in range(3, 8)]


@pytest.mark.parametrize(
    ("peer", "last", "log", "disk", "mode", "cut"),
    [
        (ONE + 7, ONE + 7, LOG, None, "DIFF", None),
        (ONE + 9, TWO, LOG, None, "TRUNC", ONE + 7),
        (ONE + 5, TWO, LOG, None, "DIFF", None),
        (ONE + 9, TWO + 2, [*LOG, TWO + 1, TWO + 2], None, "SNAP", None),
        (ONE + 5, ONE + 7, [ONE + 3, ONE + 4, ONE + 6, ONE + 7], None, "TRUNC+DIFF", ONE + 4),
        (ONE + 1, ONE + 7, LOG, None, "SNAP", None),
        (ONE + 1, ONE + 7, LOG, [ONE + 1, ONE + 2, ONE + 3], "DIFF", None),
        (ONE + 2, ONE + 7, LOG, [ONE + 1, ONE + 3], "TRUNC+DIFF", ONE + 1),
        (ONE + 1, ONE + 7, LOG, [ONE + 1, ONE + 2], "SNAP", None),
        (TWO, ONE + 7, LOG, None, "SNAP", None),
    ],
)
def test_the_table_of_3_5(peer: int, last: int, log: list[int], disk: list[int] | None, mode: str, cut: int | None) -> None:
    sync = decide(Position(peer, last, log, disk is not None, disk or ()), "3.8.0")
    assert (sync.mode, sync.truncated_to) == (mode, cut)


def test_a_gap_behind_the_log_files_is_passed_on_by_3_5_alone() -> None:
    at = Position(ONE + 1, ONE + 7, LOG, True, [ONE + 1, ONE + 2])
    assert (decide(at, "3.5.9").mode, decide(at, "3.6.0").mode) == ("DIFF", "SNAP")


def test_a_leader_can_be_told_to_send_snapshots() -> None:
    assert decide(Position(ONE + 7, ONE + 7, LOG, forced=True), "3.8.0").mode == "SNAP"
    assert decide(Position(ONE + 7, ONE + 7, LOG, forced=True), "3.4.14").mode == "DIFF"


def test_3_4_cuts_across_epochs_and_sends_a_snapshot_from_an_empty_log() -> None:
    across = decide(Position(ONE + 9, TWO + 2, [*LOG, TWO + 1, TWO + 2]), "3.4.14")
    assert (across.mode, across.truncated_to) == ("TRUNC+DIFF", ONE + 7)
    assert decide(Position(ONE + 9, ONE + 7, []), "3.4.14").mode == "SNAP"
    assert decide(Position(ONE + 9, ONE + 7, []), "3.8.0").mode == "TRUNC"


# ---------------------------------------------------------------- truncation and commits
def test_truncation_keeps_one_record_too_many_where_its_target_has_none() -> None:
    kept = truncation.truncate([[ONE + 1, ONE + 2], [TWO + 1, TWO + 2]], TWO)
    assert kept == [[ONE + 1, ONE + 2], [TWO + 1]]
    assert truncation.too_many(kept, TWO) == TWO + 1
    assert truncation.too_many([[ONE + 1]], ONE + 1) is None


def test_replay_goes_on_in_file_order_once_it_has_begun() -> None:
    assert truncation.replayed([[1, 2], [3, 9, 4]], 2) == [3, 9, 4]
    assert truncation.replayed([[1, 2]], None) == [1, 2]
    assert truncation.replayed([[1, 2]], 5) == []


def test_commits_are_in_order_and_need_every_configuration() -> None:
    joint = [THREE, Config(voters=frozenset({3, 4, 5}))]
    assert broadcast.committed({1: {1, 2}, 2: {1, 2, 3}}, [THREE]) == [1, 2]
    assert broadcast.committed({1: {1, 2}, 2: {1, 2, 3}}, joint) == []
    assert broadcast.committed({1: {1, 3, 4}}, joint) == [1]
    assert not broadcast.keeps_leading({2}, 1, [FIVE])
    assert broadcast.keeps_leading({2, 3}, 1, [FIVE])


# ---------------------------------------------------------------- older elections
TEXTBOOK_OLD = {1: OldVote(8, 1), 2: OldVote(8, 2), 4: OldVote(7, 4)}


def test_leader_election_finds_the_best_vote_in_two_rounds() -> None:
    first = legacy.tally(TEXTBOOK_OLD, FIVE.voters)
    assert first == legacy.Tally(OldVote(8, 2), None)
    assert legacy.tally(dict.fromkeys(TEXTBOOK_OLD, OldVote(8, 2)), FIVE.voters).elected == OldVote(8, 2)
    assert legacy.elect(TEXTBOOK_OLD, FIVE.voters) == 2


def test_leader_election_counts_no_vote_for_a_server_that_does_not_answer() -> None:
    """ZOOKEEPER-569: else a dead server would be voted for for good."""
    dead = {1: OldVote(9, 3), 2: OldVote(9, 3)}
    assert legacy.tally(dead, THREE.voters) == legacy.Tally(None, None)
    assert legacy.tally({**dead, 2: OldVote(8, 2)}, THREE.voters) == legacy.Tally(OldVote(8, 2), None)


def test_leader_election_levels_the_zxids_of_one_candidate() -> None:
    found = legacy.tally({1: OldVote(8, 3), 2: OldVote(9, 3), 3: OldVote(7, 3)}, THREE.voters)
    assert found.elected == OldVote(9, 3)


def test_older_elections_know_neither_epochs_nor_weights() -> None:
    """A longer log of a lower epoch wins, and a server of weight 0 counts like any other."""
    assert legacy.elect({1: OldVote(make(2, 1), 1), 2: OldVote(make(1, 9), 2)}, (1, 2, 3)) == 1
    assert legacy.wins(OldVote(9, 1), OldVote(8, 2))
    assert legacy.agreed({1: OldVote(9, 3), 2: OldVote(9, 3)}, OldVote(9, 3), (1, 2, 3))
    assert not legacy.agreed({1: OldVote(9, 3), 2: OldVote(8, 3)}, OldVote(9, 3), (1, 2, 3))
    assert legacy.elect({1: OldVote(9, 1), 2: OldVote(9, 2)}, range(1, 6)) is None
