"""The protocol's rules: elections step by step, discovery, durable writes, the synchronization table, truncation, commits."""

import pytest

from zabtrace.protocol import broadcast, discovery, durable, truncation
from zabtrace.protocol.discovery import Summary
from zabtrace.protocol.election import FOLLOWING, LEADING, LOOKING, Looking, Notification, elect
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


# ---------------------------------------------------------------- discovery
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
        (ONE + 1, ONE + 7, LOG, [ONE + 1, ONE + 2], "DIFF", None),
        (ONE + 2, ONE + 7, LOG, [ONE + 1], "TRUNC+DIFF", ONE + 1),
        (TWO, ONE + 7, LOG, None, "SNAP", None),
    ],
)
def test_the_table_of_3_5(peer: int, last: int, log: list[int], disk: list[int] | None, mode: str, cut: int | None) -> None:
    sync = decide(Position(peer, last, log, disk is not None, disk or ()), "3.8.0")
    assert (sync.mode, sync.truncated_to) == (mode, cut)


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
