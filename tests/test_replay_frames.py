"""Replay of small made-up evidence: a table of events in, a table out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zabtrace import schema
from zabtrace.evidence.trace import Trace
from zabtrace.held import Plain
from zabtrace.replay import replay
from zabtrace.replay.handshakes import Received, Sent, paired
from zabtrace.replay.roles import Interval

START = datetime(2026, 1, 1, tzinfo=UTC)
E1, E2 = 1 << 32, 2 << 32
Event = tuple[int, str, dict[str, Any]]


def trace(events: Sequence[Event] = (), **tables: Any) -> Trace:
    """A trace of (server, kind, fields) in order; ``message``, ``thread`` and ``logger`` are columns of the line."""
    lines, fields, count = [], {}, {}
    for server, kind, values in events:
        count[server] = count.get(server, 0) + 1
        row = {"server": server, "source": f"{server}.log", "line": count[server]}
        lines.append({**row, "order": 0, "kind": kind, "time": START + timedelta(seconds=len(lines)), "message": kind, **values})
        fields.setdefault(kind, []).append({**row, **values})
    types = {"server": pl.Int64, "source": pl.String, "line": pl.Int64}
    by_kind = {
        kind: pl.DataFrame(rows, schema=types | {k: v for k, v in schema.types(schema.FIELDS).items() if any(k in row for row in rows)})
        for kind, rows in fields.items()
    }
    return Trace(held=Plain(schema.frame(schema.LINES, lines), by_kind), **tables)


def heard(
    server: int, sender: int, leader: int, zxid: int, epoch: int, state: str = "LOOKING", mine: str = "LOOKING", number: int = 1
) -> Event:
    values = {"sid": sender, "leader": leader, "zxid": zxid, "peer_epoch": epoch, "state": state, "my_state": mine, "round": number}
    return server, "fle_notification_received", values


def quorum(server: int, epoch: int) -> Event:
    return server, "quorum_supported", {"zxid": epoch << 32, "sids": "1, 2"}


def members(*sids: int) -> pl.DataFrame:
    rows = [
        {"server": s, "copy": 0, "source": f"{s}/zoo.cfg", "sid": sid, "role": "participant", "weight": 1} for s in sids for sid in sids
    ]
    return schema.frame(schema.MEMBERS, rows)


def records(server: int, *zxids: int, copy: int = 0) -> list[dict[str, Any]]:
    place = {"server": server, "copy": copy, "source": f"{server}/log.1", "checksum_ok": True}
    return [{**place, "offset": 16 * i, "zxid": z, "payload_hash": z} for i, z in enumerate(zxids)]


VOTE = [
    (1, "state_looking", {}), heard(1, 1, 1, E1 + 5, 1), heard(1, 2, 2, E1 + 9, 1), heard(1, 1, 2, E1 + 9, 1), (1, "state_following", {}),
    (2, "state_looking", {}), heard(2, 2, 2, E1 + 9, 1), heard(2, 1, 1, E1 + 5, 1), heard(2, 1, 2, E1 + 9, 1), (2, "state_leading", {}),
]  # fmt: skip


def test_nothing_read_is_no_history() -> None:
    found = replay(Trace())
    tables = (found.processes, found.roles, found.votes, found.elections, found.epochs, found.syncs)
    assert [table.height for table in tables] == [0] * 6
    assert (found.configs, found.unavailable) == ((), ())


def test_larger_zxid_wins_and_is_named() -> None:
    row = replay(trace([*VOTE, quorum(2, 2)], members=members(1, 2, 3))).elections.row(0, named=True)
    assert (row["leader"], row["epoch"], row["decided_by"], row["quorum"]) == (2, 2, "zxid", [1, 2])
    assert row["why"] == (
        "Server 2 won round 1 by zxid: its 0x100000009 of epoch 1 beats server 1's 0x100000005 of epoch 1; "
        "servers 1 and 2 are a quorum of 3 voters."
    )


def test_a_leader_without_quorum_establishes_nothing() -> None:
    found = replay(trace(VOTE, members=members(1, 2, 3)))
    assert found.elections.select("leader", "epoch").row(0) == (2, None)
    assert found.elections.row(0, named=True)["why"].endswith("; it established no epoch.")
    assert found.epochs.is_empty()


def test_looking_alone_elects_nobody() -> None:
    row = replay(trace([(1, "state_looking", {}), heard(1, 1, 1, E1, 1)], members=members(1, 2, 3))).elections.row(0, named=True)
    assert (row["leader"], row["kind"], row["quorum"]) == (None, "vote", [])
    assert row["why"] == (
        "No leader was elected while server 1 was looking: server 1 was no quorum of 3 voters; then the log or the process ends."
    )


@pytest.mark.parametrize(
    ("starts", "versions"),
    [
        ([("config_reading", "QuorumPeerConfig"), ("server_start", "QuorumPeerMain")], 1),
        ([("config_reading", "QuorumPeerConfig"), ("config_reading", "ZKConfig"), ("server_start", "QuorumPeerMain")], 1),
        ([("config_reading", "QuorumPeerConfig"), ("config_reading", "QuorumPeerConfig")], 2),
        ([("server_start", "QuorumPeerMain"), ("server_start", "QuorumPeerMain")], 2),
        ([("config_reading", "QuorumPeerConfig"), ("standalone_start", "QuorumPeerMain"), ("config_reading", "QuorumPeerConfig")], 1),
    ],
)
def test_a_process_begins_where_its_configuration_is_read(starts: list[tuple[str, str]], versions: int) -> None:
    events: list[Event] = [(1, kind, {"logger": logger}) for kind, logger in starts]
    assert replay(trace(events)).processes.height == versions


def test_a_log_that_begins_in_the_middle_is_a_process_too() -> None:
    events: list[Event] = [
        heard(1, 2, 2, E1, 1, mine="FOLLOWING"), (1, "state_looking", {}), (1, "config_reading", {"logger": "QuorumPeerConfig"}),
        (1, "environment", {"key": "zookeeper.version", "value": "3.6.3--6401e4ad, built on 04/08/2021"}), (1, "jvm_exit", {"code": 1}),
    ]  # fmt: skip
    found = replay(trace(events))
    assert found.processes.select("process", "version", "ended_by").rows() == [
        (1, None, "no line: killed or cut off"),
        (2, "3.6.3", "jvm_exit"),
    ]
    assert found.roles["role"].to_list() == ["FOLLOWING", "LOOKING", "DOWN", "STARTING"]


def test_a_quorum_line_shows_a_leader_whose_state_line_is_lost() -> None:
    found = replay(trace([(1, "state_looking", {}), quorum(1, 2)]))
    assert found.roles["role"].to_list() == ["LOOKING", "LEADING"]
    assert found.epochs.select("epoch", "leader", "status").row(0) == (2, 1, "established")


def test_a_server_without_a_known_sid_is_called_by_its_label() -> None:
    servers = schema.frame(schema.SERVERS, [{"server": -1, "label": "web-a"}])
    found = replay(trace([(-1, "state_looking", {})], servers=servers))
    assert found.elections["why"].to_list() == ["No leader was elected while server web-a was looking; then the log or the process ends."]


def sync(kind: str, **values: Any) -> Event:
    return 2, kind, {"thread": "LearnerHandler-/10.0.0.1:1", "sid": 1, **values}


def test_the_learners_line_overrides_the_leaders() -> None:
    decision = sync("sync_decision", max_committed=E1 + 9, min_committed=E1 + 1, last_processed=E1 + 9, peer_zxid=E1 + 5)
    events = [*VOTE, decision, sync("sync_diff", zxid=E1 + 9), sync("sync_snap", peer_zxid=E1 + 5, db_zxid=E1 + 9), quorum(2, 2),
              (1, "learner_snap", {"zxid": E1 + 9}), (1, "uptodate", {})]  # fmt: skip
    (row,) = replay(trace(events)).syncs.to_dicts()
    assert (row["learner"], row["leader"], row["epoch"], row["mode"]) == (1, 2, 2, "SNAP")
    assert (row["learner_zxid"], row["to_zxid"], row["before_writes"], row["source"]) == (E1 + 5, E1 + 9, True, "1.log")


def test_a_trunc_line_for_a_learner_at_counter_0_is_an_empty_diff() -> None:
    decision = sync("sync_decision", max_committed=E1 + 9, min_committed=E1 + 1, last_processed=E2 + 1, peer_zxid=E2)
    (row,) = replay(trace([*VOTE, quorum(2, 2), decision, sync("sync_trunc_diff", zxid=E1 + 9)])).syncs.to_dicts()
    assert (row["mode"], row["truncated_to"], row["discarded_to"]) == ("DIFF", None, None)


def test_a_cut_within_the_leaders_own_epoch_discards_nothing() -> None:
    decision = sync("sync_decision", max_committed=E2 + 3, min_committed=E1 + 1, last_processed=E2 + 3, peer_zxid=E2 + 5)
    events = [*VOTE, quorum(2, 2), decision, (1, "learner_trunc", {"zxid": E2 + 3}), (1, "uptodate", {})]
    (row,) = replay(trace(events)).syncs.to_dicts()
    assert (row["mode"], row["truncated_to"], row["discarded_to"]) == ("TRUNC", E2 + 3, None)


def test_an_empty_committed_log_ends_where_the_leader_stands() -> None:
    decision = sync("sync_decision", max_committed=0, min_committed=0, last_processed=E1 + 9, peer_zxid=E1 + 15)
    (row,) = replay(trace([*VOTE, decision, quorum(2, 2)])).syncs.to_dicts()
    assert (row["mode"], row["truncated_to"], row["discarded_from"]) == ("TRUNC", E1 + 9, E1 + 10)


def test_discarded_records_are_counted_on_an_older_copy() -> None:
    decision = sync("sync_decision", max_committed=E1 + 3, min_committed=E1 + 1, last_processed=E2, peer_zxid=E1 + 5)
    events = [*VOTE, quorum(2, 2), decision, (1, "learner_trunc", {"zxid": E1 + 3}), (1, "uptodate", {})]
    held = records(1, E1 + 1, E1 + 2, E1 + 3) + records(1, E1 + 1, E1 + 2, E1 + 3, E1 + 4, E1 + 5, copy=1)
    (row,) = replay(trace(events, txns=schema.frame(schema.TXNS, held))).syncs.to_dicts()
    assert (row["discarded_from"], row["discarded_to"], row["discarded_count"]) == (E1 + 4, E1 + 5, 2)


def epoch_files(**names: Sequence[tuple[int, int]]) -> pl.DataFrame:
    rows = [{"server": s, "copy": 0, "source": f"{s}/{name}", "name": name, "epoch": e} for name, held in names.items() for s, e in held]
    return schema.frame(schema.EPOCH_FILES, rows)


def statuses(**tables: Any) -> dict[int, str]:
    return dict(replay(trace(members=members(1, 2, 3), **tables)).epochs.select("epoch", "status").iter_rows())


def test_what_establishes_an_epoch_on_disk() -> None:
    snapshot = {"server": 1, "copy": 0, "source": "1/snapshot", "zxid": E2, "valid": True}
    assert statuses(txns=schema.frame(schema.TXNS, records(1, E1 + 1))) == {1: "established"}
    assert statuses(txns=schema.frame(schema.TXNS, records(1, 1, 2))) == {}  # epoch 0 is always standalone
    assert statuses(snapshots=schema.frame(schema.SNAPSHOTS, [snapshot])) == {2: "established"}
    assert statuses(snapshots=schema.frame(schema.SNAPSHOTS, [{**snapshot, "valid": False}])) == {}
    assert statuses(epoch_files=epoch_files(acceptedEpoch=[(1, 4), (2, 4), (3, 4)])) == {4: "attempted"}
    assert statuses(epoch_files=epoch_files(currentEpoch=[(1, 4)])) == {4: "attempted"}


def test_current_epoch_on_a_quorum_with_one_history_establishes_it() -> None:
    files = epoch_files(currentEpoch=[(1, 2), (2, 2), (3, 1)])
    same, other = records(1, E1 + 1) + records(2, E1 + 1), records(1, E1 + 1) + records(2, E1 + 1, E1 + 2)
    assert statuses(epoch_files=files, txns=schema.frame(schema.TXNS, same)) == {1: "established", 2: "established"}
    assert statuses(epoch_files=files, txns=schema.frame(schema.TXNS, other)) == {1: "established", 2: "attempted"}


def test_writes_of_an_epoch_are_counted_once() -> None:
    held = records(1, E1 + 1, E1 + 2) + records(2, E1 + 1, E1 + 2, E1 + 3) + records(1, E1 + 1, copy=1)
    row = replay(trace(txns=schema.frame(schema.TXNS, held))).epochs.row(0, named=True)
    assert (row["first_zxid"], row["last_zxid"], row["writes"], row["leader"]) == (E1 + 1, E1 + 3, 3, None)


def side(server: int, at: int, learner: int | None = None, **values: Any) -> Any:
    role = "FOLLOWING" if learner is None else "LEADING"
    interval = Interval(at, server, 1, role, None, None, at, at + 1, "s", at, "s", at)
    if learner is None:
        return Received(interval, "DIFF", values.get("zxid"), at, None, "s", at)
    return Sent(interval, learner, at, None, "s", at, mode="DIFF", diff=values.get("zxid"))


zxids = st.lists(st.integers(1, 4), max_size=6)


@settings(max_examples=60, deadline=None)
@given(learner=zxids, leader=zxids)
def test_pairing_keeps_every_side_once_and_in_order(learner: list[int], leader: list[int]) -> None:
    mine = [side(1, i, zxid=z) for i, z in enumerate(learner)]
    its = [side(2, i, learner=1, zxid=z) for i, z in enumerate(leader)]
    found = paired(mine, its)
    assert [a for a, _ in found if a is not None] == mine
    assert [b for _, b in found if b is not None] == its
    assert all(a.zxid == b.diff for a, b in found if a is not None and b is not None)


@settings(max_examples=40, deadline=None)
@given(leader=st.lists(st.integers(1, 1 << 40), min_size=1, max_size=6, unique=True), data=st.data())
def test_a_learner_that_lost_lines_is_paired_by_its_zxids(leader: list[int], data: st.DataObject) -> None:
    kept = data.draw(st.lists(st.sampled_from(range(len(leader))), unique=True).map(sorted))
    mine = [side(1, i, zxid=leader[n]) for i, n in enumerate(kept)]
    its = [side(2, i, learner=1, zxid=z) for i, z in enumerate(leader)]
    assert [its.index(b) for a, b in paired(mine, its) if a is not None and b is not None] == kept


def voted(leader: int, *followers: int, epoch: int) -> list[Event]:
    """An election of two or three servers, and their service in the epoch behind it."""
    servers = (*followers, leader)
    looks = [(one, "state_looking", {}) for one in servers]
    votes = [heard(one, other, leader, (epoch - 1) << 32, epoch - 1, number=epoch) for one in servers for other in servers]
    leads: list[Event] = [(leader, "state_leading", {}), *((one, "state_following", {}) for one in followers), quorum(leader, epoch)]
    served = [event for one in followers for event in [(one, "learner_diff", {"zxid": epoch << 32}), (one, "uptodate", {})]]
    return [*looks, *votes, *leads, *served]


def test_a_next_leader_that_was_killed_while_others_went_on_does_not_tell_when_writes_became_impossible() -> None:
    first = voted(3, 1, 2, epoch=1)
    idle: list[Event] = [(1, "session_established", {}), (3, "session_established", {})] * 50  # 2 is down, 1 and 3 go on
    lost: list[Event] = [(1, "follower_exception", {"message": "Exception when following the leader"}), (2, "server_start", {})]
    second = voted(2, 1, epoch=2)
    (out,) = replay(trace([*first, *idle, *lost, *second], members=members(1, 2, 3))).unavailable
    assert (out.clock, out.source) == (1, "1.log")
    assert out.start == START + timedelta(seconds=len(first) + len(idle))
