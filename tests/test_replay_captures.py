"""Replay of what real servers printed: the lines that carry elections, epochs and synchronizations, cut from their logs.

Who led which epoch, and how the old leader was synchronized, is known from outside: servers were polled while the faults were made.
"""

from __future__ import annotations

from functools import cache
from itertools import combinations
from pathlib import Path

import polars as pl
import pytest

from zabtrace.evidence import gather
from zabtrace.replay import replay
from zabtrace.replay.history import History

DATA = Path(__file__).parent / "data" / "replay"

# capture: leaders as polled (epoch -> server)
LEADERS = {
    "truncated-3.8.0": {1: 3, 2: 2},
    "skewed-3.9.3": {1: 3, 2: 2},
    "wiped-3.4.14": {1: 3, 2: 2},
    "handover-3.9.3": {1: 3, 2: 2},
    "groups-3.6.3": {1: 5, 2: 4},
    "legacy-3.4.14": {1: 3, 2: 2},
}
# capture: the elections in order, as the notifications in the logs show them: kind, leader, epoch, decided by, who was LOOKING
ELECTIONS = {
    "truncated-3.8.0": [("vote", 3, 1, "sid", [1, 2, 3]), ("vote", 2, 2, "sid", [1, 2]), ("join", 2, 2, "existing leader", [3])],
    # server 2 settles on 3, cannot connect in time, and comes back to it; clocks are off by up to 70 s
    "skewed-3.9.3": [
        ("vote", 3, 1, "sid", [1, 2, 3]),
        ("join", 3, 1, "existing leader", [2]),
        ("vote", 2, 2, "sid", [1, 2]),
        ("join", 2, 2, "existing leader", [3]),
    ],
    "wiped-3.4.14": [("vote", 3, 1, "sid", [1, 2, 3]), ("vote", 2, 2, "epoch", [1, 2]), ("join", 2, 2, "existing leader", [3])],
    # server 4 looks, fails, looks again and joins; then a reconfiguration makes 2 the leader
    "handover-3.9.3": [
        ("vote", 3, 1, "sid", [1, 2, 3]),
        ("vote", None, None, None, [4]),
        ("join", 3, 1, "existing leader", [4]),
        ("handover", 2, 2, None, []),
    ],
    "groups-3.6.3": [("vote", 5, 1, "sid", [1, 2, 3, 4, 5]), ("vote", 4, 2, "sid", [1, 2, 3, 4]), ("join", 4, 2, "existing leader", [5])],
    # electionAlg=0 prints no votes; server 2 decided before 3 listened, and came again when 3 had its quorum
    "legacy-3.4.14": [
        ("vote", 3, 1, "sid", [1, 2, 3]),
        ("vote", 2, 2, "sid", [1, 2]),
        ("join", 2, 2, "existing leader", [3]),
    ],
}
# capture: the old leader's last synchronization: learner, leader, epoch, mode, truncated to, (discarded from, to)
LAST_SYNC = {
    "truncated-3.8.0": (3, 2, 2, "TRUNC", 0x100000060, (0x100000061, 0x10000006C)),
    "skewed-3.9.3": (3, 2, 2, "SNAP", None, (0x100000013, 0x10000001B)),
    "wiped-3.4.14": (3, 2, 2, "TRUNC+DIFF", 0x100000016, (0x100000017, 0x10000001F)),
}


@cache
def history(capture: str, servers: tuple[int, ...] | None = None) -> History:
    folders = sorted((DATA / capture).glob("server-*"))
    return replay(gather([str(f) for f in folders if servers is None or int(f.name.removeprefix("server-")) in servers]))


def pairs(frame: pl.DataFrame, *columns: str) -> set[tuple[object, ...]]:
    return set(frame.select(columns).iter_rows())


@pytest.mark.parametrize("capture", LEADERS)
def test_epochs_are_established_by_the_leaders_that_were_polled(capture: str) -> None:
    epochs = history(capture).epochs
    assert dict(epochs.filter(pl.col("status") == "established").select("epoch", "leader").iter_rows()) == LEADERS[capture]
    assert epochs["established"].null_count() == 0
    assert epochs["line"].null_count() == 0


@pytest.mark.parametrize("capture", ELECTIONS)
def test_elections_in_order(capture: str) -> None:
    rows = history(capture).elections.select("kind", "leader", "epoch", "decided_by", "servers")
    assert list(rows.iter_rows()) == ELECTIONS[capture]


@pytest.mark.parametrize("capture", LAST_SYNC)
def test_last_sync_of_the_old_leader(capture: str) -> None:
    learner, leader, epoch, mode, kept, discarded = LAST_SYNC[capture]
    row = history(capture).syncs.filter(pl.col("learner") == learner).row(-1, named=True)
    assert (row["leader"], row["epoch"], row["mode"], row["truncated_to"]) == (leader, epoch, mode, kept)
    assert (row["discarded_from"], row["discarded_to"]) == discarded


@pytest.mark.parametrize("capture", LEADERS)
def test_both_sides_of_a_sync_are_one_row(capture: str) -> None:
    found = history(capture)
    intervals = found.roles.filter(pl.col("role").is_in(["FOLLOWING", "OBSERVING"]) & pl.col("served").is_not_null())
    assert found.syncs.height == intervals.height  # in these captures each learner synchronized once per time it followed
    assert found.syncs.select(pl.col("why", "mode", "leader", "epoch").null_count().sum()).row(0) == (0, 0, 0, 0)


def test_the_winner_and_its_quorum_are_explained() -> None:
    first, second, third = history("truncated-3.8.0").elections.to_dicts()
    assert first["quorum"] == [1, 3]  # server 2's votes came when 3 was leading already
    assert first["logged_ms"] == [{"server": 1, "ms": 258}, {"server": 2, "ms": 368}, {"server": 3, "ms": 349}]
    assert second["why"] == (
        "Server 2 won round 1 by server id: its 0x100000060 of epoch 1 equals server 1's, and 2 is larger; "
        "servers 1 and 2 are a quorum of 3 voters."
    )
    assert third["why"] == "Server 3 joined the existing leader 2 of epoch 2, as servers 1 and 2 told it."
    wiped = history("wiped-3.4.14").elections.row(1, named=True)
    assert wiped["why"].startswith("Server 2 won round 1 by epoch: its 0x100000016 of epoch 1 beats server 1's 0x0 of epoch 0")


def test_no_clocks_are_compared_across_servers() -> None:
    found = history("skewed-3.9.3")
    assert [(outage.ms > 0, outage.clock) for outage in found.unavailable] == [(True, 2)]
    spans = found.elections.select((pl.col("end") - pl.col("start")).dt.total_milliseconds())["end"]
    assert spans.min() >= 0  # type: ignore[operator]
    assert found.elections.row(2, named=True)["start"] < found.elections.row(0, named=True)["end"]  # server 3's clock is 62 s ahead


def test_votes_belong_to_the_election_they_were_cast_in() -> None:
    votes = history("truncated-3.8.0").votes
    late = votes.filter((pl.col("server") == 2) & (pl.col("seen_by") == 3) & (pl.col("zxid") == 0))
    assert set(late["election"]) == {1}  # seen by a leader that was not LOOKING any more
    joiner = votes.filter((pl.col("server") == 3) & (pl.col("zxid") == 0x10000006C))
    assert set(joiner["election"]) == {3}
    assert votes["election"].null_count() == 0


def test_roles_follow_the_state_lines() -> None:
    roles = history("truncated-3.8.0").roles.filter(pl.col("server") == 3)
    assert roles["role"].to_list() == ["STARTING", "LOOKING", "LEADING", "DOWN", "STARTING", "LOOKING", "FOLLOWING"]
    assert roles["epoch"].to_list() == [None, None, 1, None, None, None, 2]
    assert roles["leader"].to_list() == [None, None, 3, None, None, None, 2]


def test_versions_and_ends_of_processes() -> None:
    processes = history("wiped-3.4.14").processes
    assert set(processes["version"]) == {"3.4.14"}
    assert processes.filter(pl.col("server") == 3)["ended_by"].to_list() == ["no line: killed or cut off", "no line: the log ends here"]


def test_configurations_in_force() -> None:
    found = history("handover-3.9.3")
    voters = [(config.zxid, sorted(config.voters)) for config in found.configs]
    assert voters == [
        (None, [1, 2, 3]),  # server 4's own initial list names itself too: the majority counts
        (0x100000000, [1, 2, 3]),
        (0x10000000C, [1, 2, 3, 4]),
        (0x100000012, [2, 3, 4]),
        (0x100000018, [2, 4]),
    ]
    assert history("groups-3.6.3").configs[0].groups == {1: 1, 2: 1, 3: 2, 4: 2, 5: 3}
    ended = dict(found.epochs.select("epoch", "ended_by").iter_rows())
    assert ended[1] == "server 3 stepped down: a reconfiguration names another leader"


@pytest.mark.parametrize("capture", LEADERS)
def test_any_part_of_the_evidence_invents_nothing(capture: str) -> None:
    servers = sorted(int(folder.name.removeprefix("server-")) for folder in (DATA / capture).glob("server-*"))
    for size in (1, 2):
        for some in combinations(servers[:4], size):
            found = history(capture, some)
            claimed = pairs(found.epochs.drop_nulls("leader"), "epoch", "leader")
            assert claimed <= set(LEADERS[capture].items()), some
            assert pairs(found.elections.drop_nulls(["leader", "epoch"]), "epoch", "leader") <= set(LEADERS[capture].items()), some
            whole = pairs(history(capture).syncs, "learner", "source", "line", "leader", "epoch")
            known = found.syncs.drop_nulls(["leader", "epoch"]).join(history(capture).syncs, on=["source", "line"], how="semi")
            assert pairs(known, "learner", "source", "line", "leader", "epoch") <= whole, some
