"""What disks show although parts of them are missing: snapshots that were not saved, copies whose order nothing proves."""

from __future__ import annotations

from tests.fates_tables import Incident, Line, column, disk, fates, zxid
from tests.test_fates import line, voted


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


def led(leader: int, follower: int, epoch: int, vote: tuple[str, int], at: int) -> dict[int, list[Line]]:
    """``leader`` wins with a vote (zxid, currentEpoch), synchronizes ``follower`` and establishes an epoch."""
    sent = {"peer_zxid": 0, "min_committed": 0, "max_committed": 0, "last_processed": 0}
    opened = f"Have quorum of supporters, sids: [[{leader}, {follower}]]"

    def heard(sid: int) -> Line:
        voted_for = {"leader": leader, "zxid": zxid(vote[0]), "round": 1, "peer_epoch": vote[1], "state": "LOOKING", "my_state": "LOOKING"}
        return line("fle_notification_received", "Notification: ...", at + 1, sid=sid, **voted_for)

    def started(server: int, position: str, current: int) -> list[Line]:
        begun = line("server_start", f"Starting quorum peer, myid={server}", at, my_sid=server)
        return [begun, *voted(server, position, current, at), heard(leader), heard(follower)]

    return {
        leader: [
            *started(leader, *vote),
            line("state_leading", "LEADING", at + 2),
            line("sync_decision", f"Synchronizing with Learner sid: {follower}", at + 3, sid=follower, **sent),
            line("quorum_supported", opened, at + 5, zxid=zxid(f"{epoch}:0"), sids=f"[[{leader}, {follower}]]"),
        ],
        follower: [
            *started(follower, "0:0", 0),
            line("state_following", "FOLLOWING", at + 2),
            line("learner_diff", "Getting a diff", at + 4, zxid=0),
            line("uptodate", "Learner received UPTODATE message", at + 6),
        ],
    }


def test_an_epoch_that_came_before_one_with_a_smaller_number_is_not_the_newest() -> None:
    """3 served in epoch 3, lost its disk, and served in epoch 2 with 1, which had never heard of it: what epoch 3 committed is gone."""
    first, again = led(2, 3, 3, ("1:3", 2), 0), led(1, 3, 2, ("1:2", 1), 100)
    lines = {1: again[1], 2: first[2], 3: [*first[3], *again[3]]}
    judged = Incident({}, lines=lines, acked="3:2 2:5").judged()
    assert {fates(judged)[z] for z in ("3:2", "2:5")} == {"undecided"}
    in_order = {1: led(1, 3, 4, ("1:2", 1), 100)[1], 2: first[2], 3: [*first[3], *led(1, 3, 4, ("1:2", 1), 100)[3]]}
    assert fates(Incident({}, lines=in_order, acked="3:2 4:5").judged())["4:5"] == "survived"
