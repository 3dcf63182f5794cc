"""Fates from small tables: each rule where it holds, and where it must not be applied."""

import polars as pl

from tests.fates_tables import Incident, Line, column, disk, fates, zxid
from zabtrace.fates import judge
from zabtrace.replay import replay

TAIL = {1: disk("1:1-5 / 2:1-3", "0:0", 2), 2: disk("1:1-5 / 2:1-3", "0:0", 2)}
OLD_LEADER = disk("1:1-8", "0:0", 1)


def line(kind: str, message: str, at: int = 0, **fields: object) -> Line:
    return Line(kind, message, fields, at)


def voted(server: int, zxid_: str, epoch: int, at: int) -> list[Line]:
    """A LOOKING interval that begins: state, own position, own vote."""
    number = zxid(zxid_)
    return [
        line("state_looking", "LOOKING", at),
        line("fle_new_election", f"New election. My id = {server}, proposed zxid=0x{number:x}", at, my_sid=server, zxid=number),
        line(
            "fle_notification_received", "Notification: ...", at, sid=server, leader=server, zxid=number, round=1, peer_epoch=epoch,
            state="LOOKING", my_state="LOOKING",
        ),
    ]  # fmt: skip


# ---------------------------------------------------------------- in every later epoch
def test_what_a_later_epoch_kept_survived() -> None:
    judged = Incident({s: disk("1:1-5 / 2:1-3", "0:0", 2) for s in (1, 2, 3)}).judged()
    assert set(fates(judged).values()) == {"survived"}
    assert column(judged, "rule")["1:3"] == "C2"
    assert judged.verdict == "nothing_lost"


def test_a_dead_tail_is_pending_until_its_server_rejoins() -> None:
    judged = Incident({**TAIL, 3: OLD_LEADER}).judged()
    assert {z for z, fate in fates(judged).items() if fate == "pending"} == {"1:6", "1:7", "1:8"}
    assert column(judged, "at_next_start")["1:6"] == "discarded"


def test_behind_an_imported_snapshot_it_is_shadowed() -> None:
    judged = Incident({**TAIL, 3: disk("1:1-8 / 2:3", "0:0 2:2", 2)}).judged()
    assert {z for z, fate in fates(judged).items() if fate == "shadowed"} == {"1:6", "1:7", "1:8"}


def test_a_snapshot_of_the_epoch_alone_betrays_an_import() -> None:
    judged = Incident({**TAIL, 3: disk("1:1-8 / 2:1-3", "0:0 2:0", 2)}).judged()
    assert fates(judged)["1:8"] == "shadowed"


def test_it_is_truncated_where_only_an_earlier_copy_has_it() -> None:
    before = {**TAIL, 3: OLD_LEADER}
    judged = Incident({**TAIL, 3: disk("1:1-5! / 2:1-3", "0:0 1:5", 2)}, before=[before]).judged()
    assert fates(judged)["1:7"] == "truncated"
    assert column(judged, "on_disk_of")["1:7"] == []


def test_an_answered_write_that_is_gone_is_lost() -> None:
    judged = Incident({**TAIL, 3: OLD_LEADER}, acked="1:7").judged()
    assert {z: f for z, f in fates(judged).items() if f != "survived"} == {"1:6": "lost", "1:7": "lost", "1:8": "pending"}
    assert judged.verdict == "lost"
    assert column(judged, "rule")["1:6"] == "C3"


def test_an_observer_logs_only_what_was_committed() -> None:
    disks = {**TAIL, 3: OLD_LEADER, 4: disk("1:1-6", "0:0", 1)}
    assert fates(Incident(disks, observers=1).judged())["1:6"] == "lost"


# ---------------------------------------------------------------- the newest epoch
def test_on_a_quorum_of_disks_with_one_current_epoch_it_survived() -> None:
    judged = Incident({1: disk("1:1-5"), 2: disk("1:1-5"), 3: disk("1:1-3")}).judged()
    assert fates(judged)["1:5"] == "survived"
    assert column(judged, "rule")["1:5"] == "C1"


def test_a_holder_that_has_accepted_a_later_epoch_may_meet_a_leader_without_it() -> None:
    """1 was not read: it may have written currentEpoch 3 before the DIFF, and would win over the three that hold 1:4."""
    disks = {2: disk("1:1-6"), 3: disk("1:1-5"), 4: disk("1:1-6", accepted=3), 5: disk("1:1-3", current=3)}
    assert fates(Incident(disks, voters=5).judged())["1:4"] == "undecided"


def test_a_quorum_of_disks_with_unequal_current_epochs_decides_nothing() -> None:
    judged = Incident({1: disk("1:1-5", current=1), 2: disk("1:1-5", current=2), 3: disk("1:1-3", current=3)}).judged()
    assert fates(judged)["1:5"] != "survived"


def test_one_disk_of_three_decides_nothing() -> None:
    assert fates(Incident({1: disk("1:1-5")}).judged())["1:5"] == "undecided"
    assert Incident({1: disk("1:1-5")}).judged().verdict == "undecided"


def test_an_answered_write_whose_disks_are_gone_is_not_called_survived() -> None:
    """Both that had it were needed for the answer; of three disks that were read one has it: another was wiped."""
    judged = Incident({1: disk("1:1-5"), 2: disk("1:1-3"), 3: disk("", current=None)}, acked="1:5").judged()
    assert fates(judged)["1:5"] == "undecided"


def test_without_a_configuration_no_quorum_is_counted() -> None:
    judged = Incident({1: disk("1:1-5"), 2: disk("1:1-5"), 3: disk("1:1-5")}, members=False).judged()
    assert set(fates(judged).values()) == {"undecided"}
    assert "zoo.cfg" in judged.reasons[0]


def test_where_nothing_was_written_nothing_is_lost() -> None:
    judged = Incident({s: disk("", current=0) for s in (1, 2, 3)}).judged()
    assert (judged.verdict, judged.writes.height) == ("nothing_lost", 0)


def test_a_standalone_server_keeps_what_it_logged() -> None:
    judged = Incident({1: disk("0:1-4", current=None)}, voters=1).judged()
    assert set(fates(judged).values()) <= {"survived", "undecided"}


# ---------------------------------------------------------------- never committed
def test_n1_needs_voters_that_are_read_across_the_end() -> None:
    known = column(
        Incident(dict.fromkeys((1, 2, 4), TAIL[1]) | {3: disk("1:1-5 / 2:1-3", "0:0", 2), 5: OLD_LEADER}, voters=5).judged(), "committed"
    )
    assert known["1:8"] == "no"
    wiped = column(Incident({1: disk("2:1-3", "0:0 1:5", 2), 2: TAIL[2], 3: OLD_LEADER}).judged(), "committed")
    assert wiped["1:8"] == "unknown"


def test_of_silent_disks_one_may_have_been_put_back() -> None:
    """Three voters, disks only: the tail of 3 and one disk that was put back are a quorum."""
    judged = Incident({**TAIL, 3: OLD_LEADER}).judged()
    assert column(judged, "committed")["1:8"] == "unknown"
    assert judged.verdict == "undecided"


def test_a_disk_that_was_put_back_shows_in_its_own_log() -> None:
    lines = {1: [*voted(1, "1:5", 1, 1), *voted(1, "1:3", 1, 2)]}
    judged = Incident({**TAIL, 3: OLD_LEADER}, lines=lines).judged()
    assert column(judged, "committed")["1:8"] == "unknown"


# ---------------------------------------------------------------- cuts that prove less than they seem to
def test_lagging_followers_whose_snapshots_are_missing_do_not_make_a_cut() -> None:
    """1 and 2 were at 1:5 and got a snapshot of 1:9 from 3; without the snapshots their logs read as if epoch 2 began behind 1:5."""
    stale = disk("1:1-5 / 2:1-3", "", 2)
    judged = Incident({1: stale, 2: stale, 3: disk("1:1-9 / 2:1-3", "0:0", 2)}).judged()
    assert fates(judged)["1:9"] == "survived"
    assert fates(Incident({1: stale, 2: stale}).judged())["1:5"] == "undecided"


def test_a_diff_from_above_the_last_record_shows_no_passage() -> None:
    """The follower had imported up to 1:9 before; its DIFF in epoch 2 says nothing about 1:5 in its log."""
    behind = disk("1:1-5 / 2:1-3", "", 2)
    lines = {
        2: [line("state_leading", "LEADING", 1),
            line("sync_decision", "Synchronizing with Learner sid: 1", 2, sid=1, peer_zxid=zxid("1:9"), min_committed=zxid("1:1"),
                 max_committed=zxid("1:9"), last_processed=zxid("1:9")),
            line("quorum_supported", "Have quorum of supporters, sids: [[1, 2]]", 3, zxid=zxid("2:0"), sids="[[1, 2]]")],
        1: [line("state_following", "FOLLOWING", 1), line("learner_diff", "Getting a diff", 2, zxid=zxid("1:9")),
            line("uptodate", "Learner received UPTODATE message", 4)],
    }  # fmt: skip
    judged = Incident({1: behind, 3: disk("1:1-9", "0:0", 1)}, lines=lines).judged()
    assert "diverged" not in fates(judged).values()
    assert fates(judged)["1:8"] == "survived"


def test_an_epoch_without_records_keeps_what_all_that_hold_it_have() -> None:
    """4 imported a snapshot of 2:2 (3.4: named below its stale log, which the next start replays): 3:1-7 are not shown to be kept."""
    disks = {
        1: disk("1:1 / 2:1-2", "0:0 5:0", 5), 2: disk("1:1 2:1-2 / 3:1-7", "0:0", 3, 5), 3: disk("", "0:0 2:2 5:0", 5),
        4: disk("2:1-2 3:1-7", "0:0 1:1 2:2", 5), 5: disk("1:1", "0:0 2:2", 5),
    }  # fmt: skip
    assert fates(Incident(disks, voters=5).judged()).get("3:3") != "survived"


def test_an_epoch_number_given_out_twice_decides_nothing() -> None:
    """acceptedEpoch was lost: two transactions 2:1, and nobody can say of which epoch 2 the others are."""
    judged = Incident({1: disk("1:1-5 / 2:1-3", current=2), 2: disk("1:1-5 / 2:1*b", current=2), 3: disk("1:1-5", current=2)}).judged()
    assert fates(judged)["2:1"] == "diverged"
    assert fates(judged)["2:3"] == "undecided"
    assert judged.verdict == "diverged"


def test_servers_that_disagree_about_a_cut_diverge() -> None:
    """In one file nothing can be missing."""
    judged = Incident({1: disk("1:1-5 2:1-3", "0:0", 2), 2: disk("1:1-7 / 2:1-3", "0:0", 2), 3: disk("1:1-5", "0:0", 1)}).judged()
    assert {z for z, f in fates(judged).items() if f == "diverged"} == {"1:6", "1:7"}


def test_a_missing_log_file_makes_a_range_open_not_diverged() -> None:
    judged = Incident(
        {1: disk("1:1-5 2:1-4 3:1", "0:0", 3), 2: disk("1:1-5 2:1-4 3:1", "0:0", 3), 3: disk("1:1-5 / 3:1", "0:0", 3)}
    ).judged()
    assert fates(judged)["2:3"] == "undecided"


# ---------------------------------------------------------------- the verdict
def test_since_leaves_older_epochs_out_of_the_verdict() -> None:
    purged = {s: disk("1:9-12 / 2:1-3", "1:10 2:2", 2) for s in (1, 2)} | {3: disk("2:1-3", "2:0", 2)}
    assert Incident(purged).judged("2:0").verdict == "nothing_lost"


def test_a_voter_that_was_not_read_across_an_end_is_named() -> None:
    judged = Incident({1: TAIL[1], 2: disk("2:1-3", "2:0", 2)}).judged()
    assert judged.verdict == "undecided"
    assert any("3" in reason and "epoch 1" in reason for reason in judged.reasons)


def test_a_fresh_ensemble_whose_first_epoch_is_not_1_is_complete() -> None:
    judged = Incident({s: disk("2:1-5", "0:0", 2) for s in (1, 2, 3)}).judged()
    assert judged.verdict == "nothing_lost"


def test_judging_twice_gives_the_same() -> None:
    trace = Incident({**TAIL, 3: OLD_LEADER}).trace()
    assert judge(replay(trace)).writes.equals(judge(replay(trace)).writes)


# ---------------------------------------------------------------- C7: snapshots in service
def test_a_snapshot_of_an_observer_in_its_own_epoch_shows_a_commit() -> None:
    """1:4 lies on one voter of three, and the observer, whose log is purged, saved a snapshot of it in epoch 1."""
    disks = {1: disk("1:1-6"), 4: disk("", "1:4")}
    judged = Incident(disks, observers=1).judged()
    assert column(judged, "committed")["1:4"] == "yes"
    assert column(judged, "rule")["1:4"] == "C7"
    assert column(judged, "committed")["1:5"] == "unknown"


def test_a_snapshot_of_a_server_that_may_have_been_about_to_lead_shows_none() -> None:
    for disks in ({1: disk("1:1-6"), 3: disk("", "1:4")}, {1: disk("1:1-6"), 6: disk("", "1:4", 1, accepted=2)}):
        assert column(Incident(disks, voters=5, observers=1).judged(), "committed")["1:4"] == "unknown"


def test_a_stale_disk_that_led_again_does_not_make_its_tail_committed() -> None:
    """Epoch 2 went on without 1:6; epoch 3 took it up again from 3, which had never rejoined: on a quorum now, but nothing was lost."""
    stale = disk("1:1-8", "0:0", 3)
    judged = Incident({1: disk("1:1-5 2:1-3", "0:0", 2), 2: disk("1:1-5", "0:0 1:8", 3), 3: stale}).judged()
    assert column(judged, "committed")["1:7"] == "unknown"
    assert fates(judged)["1:7"] == "undecided"
    assert judged.verdict == "undecided"


def test_what_one_epoch_discarded_has_not_come_back_with_those_that_were_built_on_it() -> None:
    """1:6 is a smaller number than 2:3, with which epoch 3 began; but whoever had 2:3 had gone on from 1:5."""
    others = disk("1:1-5 2:1-3 3:1-2", "0:0", 3)
    shadowed = Incident({1: disk("1:1-8 / 3:1-2", "0:0 2:3", 3), 2: others, 3: others}).judged()
    cut = Incident({1: disk("1:1-5! / 2:1-3 3:1-2", "0:0", 3), 2: others, 3: others}, [{1: disk("1:1-8")}]).judged()
    for judged, fate in ((shadowed, "shadowed"), (cut, "truncated")):
        assert [fates(judged)[f"1:{n}"] for n in range(4, 9)] == ["survived", "survived", fate, fate, fate]


def test_disks_without_any_log_or_text_do_not_vouch_for_an_answered_write() -> None:
    """2:1 was answered: 2 and another one had it. That one may have been wiped, and been sent a snapshot of 1:5 since."""
    bare = disk("", "0:0 1:5", 2)
    assert "survived" not in fates(Incident({1: bare, 3: bare}, acked="2:1").judged()).values()


def test_a_passage_is_no_end_where_what_lies_between_was_logged_behind_it() -> None:
    """3 was synchronized with 1:10 while 2:1 was proposed, and logged that first: its log does not contradict that of 1."""
    late = disk("1:1-9 2:1 1:10 2:2-3 / 6:1-3", "0:0", 6)
    found = fates(Incident({1: disk("1:1-10 2:1-12 / 6:1-3", "0:0 2:14", 6), 3: late}).judged())
    assert "diverged" not in found.values()
    assert found["1:9"] != "lost"


def test_a_snapshot_of_a_shorter_history_may_hide_between_two_epochs() -> None:
    """3.4 sends one named below the learner's log where its committed log is empty: 1 and 2 lost 1:1-5, 3 kept the records."""
    begun = disk("3:1-2", "0:0", 3)
    judged = Incident({1: begun, 3: disk("1:1-5 / 3:1-2", "0:0", 3)}, version="3.4.14").judged()
    assert fates(judged)["1:5"] == "undecided"
    newer = Incident({1: begun, 3: disk("1:1-5 / 3:1-2", "0:0", 3)}, version="3.8.0").judged()
    assert fates(newer)["1:5"] == "survived"


def test_a_server_that_was_sent_a_snapshot_does_not_show_that_nothing_was_before() -> None:
    """1 may have been wiped and files of 3 be missing: then both held what epoch 1 committed."""
    disks = {1: disk("2:1-9", "0:0", 2), 2: disk("2:1-9", "0:0", 2), 3: disk("2:7-9", "0:0 2:6", 2)}
    assert Incident(disks).judged().verdict == "undecided"
    assert Incident({**disks, 3: disk("2:1-9", "0:0", 2)}).judged().verdict == "nothing_lost"


# ---------------------------------------------------------------- two transactions under one zxid
def test_a_zxid_that_was_given_out_twice_has_a_row_per_payload() -> None:
    judged = Incident({1: disk("1:1-5 / 2:1-3", current=2), 2: disk("1:1-5 / 2:1*b", current=2), 3: disk("1:1-5", current=2)}).judged()
    rows = judged.writes.filter(pl.col("zxid") == zxid("2:1")).select("payload_hash", "path", "on_disk_of", "absent_from").rows()
    first, second = zxid("2:1") * 100, zxid("2:1") * 100 + ord("b")
    assert rows == [(first, f"/n{first}", [1], [2, 3]), (second, f"/n{second}", [2], [1, 3])]
    assert judged.counts["diverged"] == 2


def test_an_answer_of_another_session_is_a_transaction_of_its_own() -> None:
    """The only record of 1:4 is of another session than the one that was answered: the number was given out twice."""
    judged = Incident({s: disk("1:1-5") for s in (1, 2, 3)}, acked="1:4*b").judged()
    rows = judged.writes.filter(pl.col("zxid") == zxid("1:4")).select("payload_hash", "fate", "acknowledged", "on_disk_of").rows()
    recorded, answered = (zxid("1:4") * 100, "diverged", "unknown", [1, 2, 3]), (None, "diverged", "yes", [])
    assert [row[:2] + row[3:] for row in sorted(rows, key=lambda row: row[0] is None)] == [
        recorded[:2] + recorded[3:],
        answered[:2] + answered[3:],
    ]
    assert [row[2] for row in rows if row[0] is None] == ["yes"]


# ---------------------------------------------------------------- the young tail
def serving(tops: dict[int, str]) -> dict[int, list[Line]]:
    """Server 1 leads epoch 1, the others follow it, and all of their logs end there."""
    lines = {1: [*voted(1, "0:0", 0, 1), line("state_leading", "LEADING", 2)]}
    for s in (s for s in tops if s != 1):
        lines[1].append(
            line("sync_decision", f"Synchronizing with Learner sid: {s}", 3, sid=s, peer_zxid=0, min_committed=0, max_committed=0, last_processed=0)  # noqa: E501
        )
        lines[s] = [*voted(s, "0:0", 0, 1), line("state_following", "FOLLOWING", 2), line("learner_diff", "Getting a diff", 3, zxid=0),
                    line("uptodate", "Learner received UPTODATE message", 5)]  # fmt: skip
    lines[1].append(line("quorum_supported", "Have quorum of supporters, sids: [[1, 2]]", 4, zxid=zxid("1:0"), sids="[[1, 2]]"))
    return lines


def test_the_tail_of_an_ensemble_that_went_on_while_it_was_copied_is_in_flight() -> None:
    disks = {1: disk("1:1-9"), 2: disk("1:1-6"), 3: disk("1:1-6")}
    judged = Incident(disks, lines=serving({1: "", 2: "", 3: ""})).judged()
    assert (judged.in_flight, judged.counts["undecided"], judged.verdict) == (3, 0, "nothing_lost")
    assert judged.counts_by_op["create"] == {"survived": 6, "in_flight": 3}


def test_the_tail_of_a_dead_leader_is_not_in_flight() -> None:
    disks = {1: disk("1:1-9"), 2: disk("1:1-6"), 3: disk("1:1-6")}
    lines = serving({1: "", 2: "", 3: ""})
    looking = {s: [*lines[s], *voted(s, "1:6", 1, 9)] for s in (2, 3)}
    for shown in (lines | looking, {}):
        judged = Incident(disks, lines=shown).judged()
        assert (judged.in_flight, judged.verdict) == (0, "undecided")


def test_an_answered_write_on_few_disks_is_not_in_flight() -> None:
    disks = {1: disk("1:1-9"), 2: disk("1:1-6"), 3: disk("1:1-6")}
    judged = Incident(disks, lines=serving({1: "", 2: "", 3: ""}), acked="1:8").judged()
    assert (judged.in_flight, judged.verdict) == (1, "undecided")


def test_disks_that_only_name_their_epoch_make_no_tail_young() -> None:
    """Their logs were not saved: what lies on the one other disk may be all that was ever written, and long committed."""
    bare = disk("", "")
    judged = Incident({1: disk("1:1-9"), 2: bare, 3: bare}, lines=serving({1: "", 2: "", 3: ""})).judged()
    assert (judged.in_flight, judged.verdict) == (0, "undecided")
