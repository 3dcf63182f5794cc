"""Whom a learner follows, where only votes name its leader (3.4 and 3.5 print no address): the order of what came decides."""

from __future__ import annotations

import pytest
from test_replay_frames import E1, heard, members, quorum, trace

from zabtrace.replay import replay


def stale(state: str, sender: int) -> tuple[object, ...]:
    """Word of leader 5, which is gone: of the round before, and from who has not noticed yet."""
    return heard(1, sender, 5, E1, 0, state=state, number=1)


def elects(server: int, role: str) -> list[tuple[object, ...]]:
    """A new election of round 2, which 4 wins: zxid equal, server id larger."""
    own = [heard(1, 1, 1, E1 + 9, 1, number=2), heard(1, 1, 4, E1 + 9, 1, number=2)] if role == "following" else []
    others = [heard(1, sender, 4, E1 + 9, 1, number=2) for sender in (2, 3, 4)]
    return [*own[:1], *others, *own[1:], (1, f"state_{role}", {})]


@pytest.mark.parametrize("role", ["observing", "following"])
@pytest.mark.parametrize("word", [[("FOLLOWING", 2)], [("LEADING", 5)], [("LEADING", 5), ("FOLLOWING", 2)]])
def test_a_leader_that_is_gone_is_not_followed(role, word):
    lost = [stale(*said) for said in word]
    found = replay(trace([(1, "state_looking", {}), *lost, *elects(1, role)], members=members(1, 2, 3, 4, 5)))
    assert found.roles.filter(role=role.upper())["leader"].to_list() == [4]


@pytest.mark.parametrize("role", ["observing", "following"])
def test_who_comes_late_joins_the_leader_that_says_so_itself(role):
    """2 voted for 3 when the server came; then 5 and its follower say that they have decided: FastLeaderElection.checkLeader holds."""
    own = (
        [heard(1, 1, 1, E1, 1), heard(1, 2, 3, E1 + 1, 1), heard(1, 1, 3, E1 + 1, 1)]
        if role == "following"
        else [heard(1, 2, 3, E1 + 1, 1)]
    )
    joins = [heard(1, 5, 5, E1 + 2, 1, state="LEADING", number=4), heard(1, 4, 5, E1 + 2, 1, state="FOLLOWING", number=4)]
    found = replay(trace([(1, "state_looking", {}), *own, *joins, (1, f"state_{role}", {})], members=members(1, 2, 3, 4, 5)))
    assert found.roles.filter(role=role.upper())["leader"].to_list() == [5]


def test_followers_alone_leave_it_open_while_others_look():
    """A vote for itself, another that looks, and a follower of 5: none of them is a reason to follow 5 (checkLeader wants its own word)."""
    words = [heard(1, 1, 1, E1, 1), heard(1, 2, 2, E1, 0), stale("FOLLOWING", 3)]
    found = replay(trace([(1, "state_looking", {}), *words, (1, "state_following", {})], members=members(1, 2, 3, 4, 5)))
    assert found.roles.filter(role="FOLLOWING")["leader"].to_list() == [None]


@pytest.mark.parametrize(("voters", "decided"), [((2,), "alone"), ((1, 2, 3), None)])
def test_a_winner_whose_rivals_are_not_seen_did_not_win_alone(voters, decided):
    """Its own vote is a quorum of one voter; of three it is not: the other votes are not printed (legacy algorithms)."""
    words = [(2, "state_looking", {}), heard(2, 2, 2, E1 + 9, 1), (2, "state_leading", {}), quorum(2, 2)]
    row = replay(trace(words, members=members(*voters))).elections.row(0, named=True)
    assert (row["leader"], row["decided_by"]) == (2, decided)
    assert ("alone" in row["why"]) is (decided == "alone")
