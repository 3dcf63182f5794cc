"""Fates where the members change, are replaced or put back, and where a disk shows only a part of what it held."""

from dataclasses import replace

import pytest

from tests.fates_tables import Incident, column, disk, fates, zxid
from zabtrace.fates import judge
from zabtrace.protocol.quorum import Config
from zabtrace.replay import replay


def members(at: str, *voters: int, **more: object) -> Config:
    """A configuration that a reconfig at that zxid proposed."""
    return Config(zxid=zxid(at), voters=frozenset(voters), **more)  # type: ignore[arg-type]


# ---------------------------------------------------------------- the configuration in force
def test_a_quorum_is_counted_by_the_configuration_in_force_at_the_zxid() -> None:
    """Two of three were enough, until two more voters came with 1:4."""
    grown = (members("1:4", 1, 2, 3, 4, 5),)
    two = {1: disk("1:1-6"), 2: disk("1:1-6"), 3: disk("1:1-3")}
    assert fates(Incident(two).judged())["1:5"] == "survived"
    assert fates(Incident(two | {4: disk("1:1-3"), 5: disk("1:1-3")}, reconfigs=grown).judged())["1:5"] == "undecided"
    three = two | {4: disk("1:1-6"), 5: disk("1:1-3")}
    assert fates(Incident(three, reconfigs=grown).judged())["1:5"] == "survived"


def test_a_write_before_a_reconfig_needs_a_quorum_of_what_follows_too() -> None:
    """Two of three had 1:3, but of the five that vote since 1:4 three could elect one of those without it."""
    grown = (members("1:4", 1, 2, 3, 4, 5),)
    disks = {1: disk("1:1-4"), 2: disk("1:1-4"), 3: disk("1:1-2"), 4: disk("1:1-2"), 5: disk("1:1-2")}
    assert fates(Incident(disks, reconfigs=grown).judged())["1:3"] == "undecided"


def test_the_end_of_an_epoch_is_judged_by_the_voters_it_had() -> None:
    """4 and 5 got their votes with 2:2: what only the dead leader 3 had of epoch 1 was never on a quorum of 1, 2 and 3.

    Of five voters the two that were not read across that end, and one whose disk may have been put back, would be a quorum.
    """
    kept, new = disk("1:1-5 / 2:1-9", "0:0", 2), disk("2:4-9", "0:0 2:3", 2)
    grown = Incident({1: kept, 2: kept, 3: disk("1:1-8", "0:0", 1), 4: new, 5: new}, reconfigs=(members("2:2", 1, 2, 3, 4, 5),))
    five = Incident({1: kept, 2: kept, 3: disk("1:1-8", "0:0", 1), 4: new, 5: new}, voters=5)
    ends = {len(case.configs()): judge(replay(case.trace())) for case in (grown, five)}
    assert all(fates(judged)["1:7"] == "pending" for judged in ends.values())
    assert not any("4, 5" in reason for reason in ends[2].reasons)
    assert any("4, 5" in reason for reason in ends[1].reasons)


def test_a_member_that_was_removed_no_longer_counts() -> None:
    """3 left with 1:4; the two others are all voters there are, and both hold 1:5."""
    left = (members("1:4", 1, 2),)
    assert fates(Incident({1: disk("1:1-5"), 2: disk("1:1-5")}, reconfigs=left).judged())["1:5"] == "survived"
    assert fates(Incident({1: disk("1:1-5"), 3: disk("1:1-5")}, reconfigs=left).judged())["1:5"] == "undecided"


def test_groups_with_weights_decide_what_a_quorum_is() -> None:
    """Three groups; 1 to 3 have all of one group and half of none: no quorum, though they are the majority by number."""
    grouped = members("1:1", 1, 2, 3, 4, 5, groups={1: 1, 2: 1, 3: 1, 4: 2, 5: 3}, weights=dict.fromkeys(range(1, 6), 1))
    three = {1: disk("1:1-5"), 2: disk("1:1-5"), 3: disk("1:1-5"), 4: disk("1:1-2"), 5: disk("1:1-2")}
    assert fates(Incident(three, voters=5).judged())["1:5"] == "survived"
    assert fates(Incident(three, voters=5, reconfigs=(grouped,)).judged())["1:5"] == "undecided"
    two_groups = {1: disk("1:1-5"), 2: disk("1:1-5"), 3: disk("1:1-2"), 4: disk("1:1-5"), 5: disk("1:1-2")}
    assert fates(Incident(two_groups, voters=5, reconfigs=(grouped,)).judged())["1:5"] == "survived"


def test_an_address_that_changed_is_no_other_member() -> None:
    trace = Incident({s: disk("1:1-5") for s in (1, 2, 3)}).trace()
    moved = replace(trace, members=trace.members.with_columns(host=trace.members["host"].str.replace("127", "10")))
    both = replace(trace, members=trace.members.vstack(moved.members))
    assert [set(judge(replay(t)).writes["fate"]) for t in (trace, moved, both)] == [{"survived"}] * 3


# ---------------------------------------------------------------- replaced members, restored disks
def test_a_replaced_member_shows_nothing_of_the_epochs_before_it() -> None:
    """1 came with an empty disk in epoch 2: it and the old leader may have been the quorum that committed 1:6."""
    disks = {1: disk("2:2-3", "0:0 2:1", 2), 2: disk("1:1-5 / 2:1-3", "0:0", 2), 3: disk("1:1-8", "0:0", 1)}
    judged = Incident(disks).judged()
    assert (fates(judged)["1:6"], column(judged, "committed")["1:6"]) == ("pending", "unknown")
    assert judged.verdict == "undecided"


def test_an_answer_shows_what_a_replaced_member_lost() -> None:
    disks = {1: disk("2:2-3", "0:0 2:1", 2), 2: disk("1:1-5 / 2:1-3", "0:0", 2), 3: disk("1:1-8", "0:0", 1)}
    judged = Incident(disks, acked="1:6").judged()
    assert (fates(judged)["1:6"], judged.verdict) == ("lost", "lost")


def test_copies_whose_order_is_not_proved_prove_no_quorum() -> None:
    trace = Incident({1: disk("1:1-5"), 3: disk("1:1-5")}, before=[{3: disk("1:1-2"), 1: disk("1:1-2")}]).trace()
    assert set(judge(replay(trace)).writes["fate"]) == {"survived"}
    assert judge(replay(replace(trace, unordered=(3,)))).verdict == "undecided"


# ---------------------------------------------------------------- parts of disks
def test_snapshots_alone_are_no_end_of_a_history() -> None:
    """The logs lie on another volume and were not copied: an answered 1:9 is not lost because the snapshots end before it."""
    judged = Incident({s: disk("", "0:0 1:4", 2) for s in (1, 2, 3)}, acked="1:9").judged()
    assert fates(judged)["1:9"] == "undecided"
    assert judged.verdict == "undecided"


def test_since_judges_what_was_written_behind_purged_logs() -> None:
    """What was before the purged logs cannot be told; what was written since epoch 3 can."""
    purged = {s: disk("2:9-12 / 3:1-3", "2:10 3:2", 3) for s in (1, 2)} | {3: disk("3:1-3", "3:0", 3)}
    judged = Incident(purged).judged()
    assert judged.verdict == "undecided"
    assert any("--since" in reason for reason in judged.reasons)
    since = Incident(purged).judged("3:0")
    assert (since.verdict, since.judged_from) == ("nothing_lost", zxid("3:0"))


def test_a_reconfig_that_was_only_proposed_may_not_be_in_force() -> None:
    """1 and 2 would be all voters once 1:4 is committed; until then 3, which holds more than they do, may lead with either."""
    disks = {1: disk("1:1-3"), 2: disk("1:1-4", "0:0", 2), 3: disk("1:1-6")}
    trace = Incident(disks, reconfigs=(members("1:4", 1, 2, observers=frozenset({3})),)).trace()
    assert fates(judge(replay(trace)))["1:6"] == "pending"
    proposed = trace.members.with_columns(source=trace.members["source"].str.replace(r"dynamic\..*", "dynamic.next"))
    assert fates(judge(replay(replace(trace, members=proposed))))["1:6"] == "undecided"


def test_what_a_server_without_a_vote_holds_may_lie_in_the_sockets_of_the_others() -> None:
    """3 lost its vote by 1:4 and holds 1:6: its leader, whose own log lags, may still write it."""
    disks = {1: disk("1:1-5"), 2: disk("1:1-4"), 3: disk("1:1-6")}
    trace = Incident(disks, reconfigs=(members("1:4", 1, 2, observers=frozenset({3})),)).trace()
    assert fates(judge(replay(trace)))["1:6"] == "undecided"


# ---------------------------------------------------------------- records out of order
@pytest.mark.parametrize("late", ["1:2 1:1 1:2 2:1-3", "1:2 1:1 2:1-3"], ids=["logged again", "logged once"])
def test_a_late_write_does_not_end_the_history_below_it(late: str) -> None:
    """A follower that was restarted logged 1:2 before 1:1 (ZOOKEEPER-4712); epoch 2 began behind both."""
    whole = disk("1:1-2 2:1-3", current=2)
    judged = Incident({1: whole, 2: disk(late, current=2), 3: whole}).judged()
    assert set(fates(judged).values()) == {"survived"}
    assert judged.verdict == "nothing_lost"


def test_what_a_server_that_ran_alone_lost_to_a_truncation_is_not_forgotten() -> None:
    """2 led epoch 2 without the writes of server 1: TRUNC to zero leaves the first record of the file (FileTxnLog.truncate)."""
    other = disk("2:1-6", "0:0", 2)
    judged = Incident({1: disk("0:1! / 2:1-6", "0:0", 2), 2: other, 3: other}).judged()
    assert judged.verdict == "undecided"
    assert fates(judged)["0:1"] == "undecided"
    assert any("log.1 is cut right behind 0x1:" in reason for reason in judged.reasons)


def test_the_record_at_which_a_log_is_cut_may_be_the_one_too_many() -> None:
    """1:7 was no target if its leader had 1:6 only: what lies before the last record of a cut file was kept for sure."""
    found = fates(Incident({1: disk("1:1-7! / 2:1-3", "0:0", 2)}, voters=1).judged())
    assert (found["1:6"], found["1:7"]) == ("survived", "undecided")
