"""What disks show although parts of them are missing: snapshots that were not saved, copies whose order nothing proves."""

from __future__ import annotations

from tests.fates_tables import Incident, column, disk, fates


def test_a_disk_without_snapshots_holds_nothing_of_an_epoch_that_it_has_not_accepted() -> None:
    """6:2 was answered, 1 and 2 serve an epoch of a smaller number that a wiped acceptedEpoch gave out: they are a quorum without it."""
    behind = disk("4:1-5", "", 4)
    leader = disk("6:1-9", "", 6)
    judged = Incident({1: behind, 2: behind, 3: leader}, acked="6:2").judged()
    assert (fates(judged)["6:2"], column(judged, "committed")["6:2"]) == ("undecided", "yes")
    may_hold = disk("4:1-5", "", 4, accepted=6)  # a snapshot of epoch 6 may be among what is missing
    assert fates(Incident({1: may_hold, 2: behind, 3: leader}, acked="6:2").judged())["6:2"] == "survived"


def test_copies_of_different_times_are_no_quorum() -> None:
    """1 was copied before epoch 2 cut its log, 2 read 1:6 from its socket only after that: it was never on two disks at once."""
    tail, gone_on = disk("1:1-6"), disk("1:1-5 2:1-3", "0:0", 2)
    judged = Incident({1: tail, 2: tail, 3: gone_on}).judged()
    assert (fates(judged)["1:6"], column(judged, "committed")["1:6"]) == ("pending", "unknown")
    assert judged.verdict == "undecided"
    behind = disk("1:1-5")  # without epoch 2 the copies are taken to be of one moment, and then a quorum holds it
    assert fates(Incident({1: tail, 2: tail, 3: behind}).judged())["1:6"] == "survived"


def test_a_folder_of_earlier_copies_is_a_moment_of_its_own() -> None:
    """The same two disks, saved together before epoch 2: there 1:6 was on a quorum, and epoch 2 lost it."""
    tail, gone_on = disk("1:1-6"), disk("1:1-5 2:1-3", "0:0", 2)
    judged = Incident({1: gone_on, 2: gone_on, 3: gone_on}, before=[{1: tail, 2: tail, 3: disk("1:1-5")}]).judged()
    assert (fates(judged)["1:6"], column(judged, "rule")["1:6"]) == ("lost", "C1")


def test_a_hole_in_a_leader_s_log_is_no_part_of_what_its_epoch_kept() -> None:
    """3 had 1:2 in memory only, logged on, and led epoch 2 from what it had loaded again: without 1:2."""
    whole = disk("1:1-5", "0:0", 1)
    holed = disk("1:1 1:3-5 2:1-2", "0:0 2:2", 2)
    joined = disk("2:1-2", "1:5", 2)
    judged = Incident({1: joined, 2: whole, 3: holed}).judged()
    assert fates(judged)["1:2"] == "undecided"
    assert fates(judged)["1:3"] == "survived"
    received = disk("1:1 1:3-5 2:1-2", "0:0 1:2", 2)
    assert fates(Incident({1: joined, 2: whole, 3: received}).judged())["1:2"] == "survived"
