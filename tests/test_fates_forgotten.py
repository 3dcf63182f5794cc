"""Committed writes of which no record is left: what an epoch began with and a later one has not, and what a log goes on without."""

from __future__ import annotations

import pytest

from tests.fates_tables import Incident, Line, column, disk, fates, zxid

WHOLE = disk("1:1-9 / 2:1-3", "0:0", 2)


def led(server: int, other: int, before: str, learner: str, number: int, at: int) -> dict[int, list[Line]]:
    """``server`` votes for itself with what it has, synchronizes ``other`` by DIFF from ``learner``, and establishes an epoch."""
    had, position = zxid(before), zxid(learner)
    own = Line("fle_new_election", f"New election. My id = {server}, proposed zxid=0x{had:x}", {"my_sid": server, "zxid": had}, at + 1)
    synced = {"sid": other, "peer_zxid": position, "min_committed": zxid("1:1"), "max_committed": had, "last_processed": had}
    quorum = {"zxid": number << 32, "sids": f"[[{server}, {other}]]"}
    return {
        server: [
            Line("state_looking", "LOOKING", {}, at),
            own,
            Line("state_leading", "LEADING", {}, at + 2),
            Line("sync_decision", f"Synchronizing with Learner sid: {other}", synced, at + 3),
            Line("quorum_supported", f"Have quorum of supporters, sids: [[{server}, {other}]]", quorum, at + 5),
        ],
        other: [
            Line("state_looking", "LOOKING", {}, at),
            Line("state_following", "FOLLOWING", {}, at + 2),
            Line("learner_diff", f"Getting a diff from the leader 0x{had:x}", {"zxid": had}, at + 4),
            Line("uptodate", "Learner received UPTODATE message", {}, at + 6),
        ],
    }


def test_what_an_epoch_began_with_and_the_next_one_has_not_is_lost_though_no_record_is_left() -> None:
    """3 led epoch 2 with 1:9; 1 was told so, but logged 1:7 only, and won the next election by its epoch (ZOOKEEPER-4643)."""
    second, fourth = led(3, 1, "1:9", "1:7", 2, 10), led(1, 2, "1:7", "1:7", 4, 30)
    lines = {3: second[3], 1: second[1] + fourth[1], 2: fourth[2]}
    judged = Incident({s: disk("1:1-7 / 4:1-3", "0:0", 4) for s in (1, 2, 3)}, lines=lines).judged()
    rows = judged.ranges.select("fate", "from", "to", "count", "committed").rows()
    assert rows == [("lost", zxid("1:8"), zxid("1:9"), 2, "yes")]
    assert judged.verdict == "lost"
    assert "0x100000008 to 0x100000009" in judged.message


def test_an_epoch_that_began_with_all_of_it_lost_nothing() -> None:
    second, fourth = led(3, 1, "1:7", "1:7", 2, 10), led(1, 2, "1:7", "1:7", 4, 30)
    lines = {3: second[3], 1: second[1] + fourth[1], 2: fourth[2]}
    judged = Incident({s: disk("1:1-7 / 4:1-3", "0:0", 4) for s in (1, 2, 3)}, lines=lines).judged()
    assert (judged.ranges.height, judged.verdict) == (0, "nothing_lost")


@pytest.mark.parametrize(
    ("log", "snapshots", "fate"),
    [
        ("1:1-4 1:6-9 / 2:1-3", "0:0", "undecided"),  # no snapshot was removed, and none lies in the gap
        ("1:1-4 1:6-9 / 2:1-3", "0:0 1:5", "survived"),  # it was received in a snapshot
        ("1:1-4 1:6-9 / 2:1-3", "1:9", "survived"),  # the snapshot that was received may have been purged
    ],
)
def test_what_a_log_goes_on_without_may_be_gone(log: str, snapshots: str, fate: str) -> None:
    judged = Incident({1: WHOLE, 2: WHOLE, 3: disk(log, snapshots, 2)}).judged()
    assert fates(judged)["1:5"] == fate
    assert fates(judged)["1:6"] == "survived"


def test_servers_that_have_served_and_have_no_record_do_not_show_that_nothing_was_written() -> None:
    """Their logs may be missing: 1 to 3 followed leaders whose epochs no quorum of disks names."""
    judged = Incident({1: disk("", "0:0", 2, 4), 2: disk("", "0:0", 4), 3: disk("", "0:0", 3)}).judged()
    assert judged.verdict == "undecided"


def test_a_disk_of_a_later_epoch_shows_that_the_others_were_copied_before_it() -> None:
    """2 has served in epoch 4, which a quorum had accepted; the disks of 1 and 3 know of no epoch but 1."""
    older = disk("1:1-4", "0:0", 1)
    judged = Incident({1: older, 2: disk("", "0:0", 4), 3: older}).judged()
    assert judged.verdict == "undecided"
    accepted = disk("1:1-4", "0:0", 1, accepted=4)  # epoch 4 may have been left before it wrote anything
    assert Incident({1: accepted, 2: disk("1:1-4", "0:0", 4), 3: accepted}).judged().verdict == "nothing_lost"


def test_what_an_established_epoch_began_with_and_a_later_one_lacks_is_lost() -> None:
    """3 established epoch 2 with 1:8 in its history; 2 had answered for it before it had logged 1:8 (ZOOKEEPER-4643), and led epoch 4."""
    lines = led(3, 2, "1:8", "1:7", 2, 10)
    for server, more in led(2, 1, "1:7", "1:4", 4, 20).items():
        lines[server] = [*lines.get(server, []), *more]
    disks = {1: disk("1:1-4", "0:0 1:7", 4), 2: disk("1:1-7", "0:0", 4), 3: disk("1:1-8", "0:0", 2)}
    judged = Incident(disks, lines=lines).judged()
    assert fates(judged)["1:8"] == "lost"
    assert fates(judged)["1:7"] == "survived"
    assert column(judged, "rule")["1:8"] == "C2"
    assert "in the initial history of an established epoch" in str(column(judged, "why")["1:8"])
    assert judged.verdict == "lost"


@pytest.mark.parametrize(("snapshots", "fate"), [("0:0", "undecided"), ("0:0 4:0", "undecided"), ("0:0 1:4", "survived")])
def test_an_epoch_whose_number_was_given_out_twice_may_have_begun_without_what_the_other_one_kept(snapshots: str, fate: str) -> None:
    """1 and 3 were wiped and began another epoch 4: what the first kept of epoch 1 only an older snapshot can have brought there."""
    first, second = disk("1:1-4 / 4:1-7", "0:0", 4), disk("4:1-9*b", snapshots, 4)
    judged = Incident({2: first, 3: second}, before=[{2: first, 3: first}]).judged()
    assert fates(judged)["4:5"] == "diverged"
    assert fates(judged)["1:3"] == fate


def test_writes_from_before_the_ensemble_that_only_a_snapshot_tells_of_may_be_gone() -> None:
    """3 ran alone up to 0:2, then 1 and 2, who had nothing, made an ensemble with it. That log is not there."""
    others = disk("1:1-3", "0:0")
    alone = Incident({1: others, 2: others, 3: disk("1:1-3", "0:0 0:2")}).judged()
    assert alone.verdict == "undecided"
    assert any("ran alone and held writes up to 0x2" in reason for reason in alone.reasons)
    assert Incident({1: others, 2: others, 3: others}).judged().verdict == "nothing_lost"


def test_since_an_epoch_that_left_nothing_is_judged_by_the_end_that_lies_before_it() -> None:
    """1 and 3 cannot be followed from epoch 1 to 4: they are a quorum, and may have written in an epoch 2 or 3 that left nothing."""
    whole, wiped = disk("1:1-3 / 4:1-7", "", 4), disk("4:1-7", "", 4)
    incident = Incident({1: wiped, 2: whole, 3: wiped}, voters=3)
    assert incident.judged(since="2:0").verdict == "undecided"
    assert incident.judged(since="3:0").verdict == "undecided"
    assert incident.judged(since="4:0").verdict == "nothing_lost"


def test_two_disks_that_have_not_accepted_the_newest_epoch_may_have_gone_on_without_it() -> None:
    """Epoch 4 took two of three: 2 and 3 were copied before, or put back since, and then their next epoch was 2."""
    whole, back = disk("1:1-4 / 3:1-7 4:1-2", current=4), disk("1:1-4", current=2)
    judged = Incident({1: whole, 2: back, 3: disk("1:1-4", current=1)}).judged()
    assert (fates(judged)["1:4"], fates(judged)["3:5"], judged.verdict) == ("survived", "undecided", "undecided")
    assert fates(Incident({1: whole, 2: whole, 3: back}).judged())["3:5"] == "survived"


def test_a_disk_below_the_epoch_that_its_server_joined_may_be_of_a_later_one() -> None:
    """2 joined epoch 5 at 1:1; its disk has 4:1-2 and acceptedEpoch 4: it was wiped, and helped an epoch 4 that came after 5."""
    disks = {1: disk("5:1-4", "0:0", 5), 2: disk("4:1-2", "0:0", 4)}
    judged = Incident(disks, acked="5:4", lines=led(1, 2, "1:0", "1:1", 5, 10)).judged()
    assert set(fates(judged).values()) == {"undecided"}
    assert any("up to 0x400000002, has not accepted" in reason for reason in judged.reasons)
    earlier = Incident({**disks, 2: disk("1:1", "0:0", 1)}, acked="5:4", lines=led(1, 2, "1:0", "1:1", 5, 10)).judged()
    assert fates(earlier)["5:4"] == "survived"
