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
