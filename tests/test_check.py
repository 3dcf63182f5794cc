"""``check``: healthy incidents leave every check silent, each mutation wakes its own, and what is not known is unknown."""

from __future__ import annotations

import csv
import io
import json
import shutil
import zlib
from pathlib import Path

import polars as pl
import pytest
from check_disks import CONFIG, E1, E2, HISTORY, TREE, disk, one_log, outcomes, records, report_of
from record_bytes import create, log, node, snapshot

from zabtrace import checks
from zabtrace.checks.bugs import BUGS
from zabtrace.checks.findings import HOLDS, UNKNOWN, VIOLATED
from zabtrace.checks.invariants import CHECKS
from zabtrace.cli import run
from zabtrace.protocol.releases import RELEASES, among

LEADERS = "one leader per epoch"
MESSAGES = "messages come in order"
TEXT = (LEADERS, MESSAGES)
"""Checks that text logs alone can settle."""


def three(folder: Path, **second: object) -> list[Path]:
    """Three servers with one history; ``second`` changes the disk of server 2."""
    for sid in (1, 3):
        disk(folder, sid, one_log(HISTORY))
    given: dict[str, object] = {"logs": one_log(HISTORY), **second}
    disk(folder, 2, **given)  # type: ignore[arg-type]
    return [folder]


def ordered(*zxids: int) -> dict[str, bytes]:
    return {f"log.{zxids[0]:x}": records(zxids)}


def test_alike_disks_wake_no_check_and_say_what_text_would_settle(tmp_path: Path) -> None:
    report = report_of(*three(tmp_path))
    assert outcomes(report) == {check.name: UNKNOWN if check.name in TEXT else HOLDS for check in CHECKS if check.invariant != "digests"}
    assert [one.would_start for one in report.servers] == [True, True, True]
    assert [one.last_zxid for one in report.servers] == [E2 + 3] * 3
    assert report.bugs == ()
    assert report.verdict == UNKNOWN


A, B, C, D, E, F, G, H = HISTORY
OTHER = log(*(create(z, f"/{'b' if z == C else 'a'}{z:x}") for z in HISTORY))
MUTATIONS = {
    "another write under one zxid": ({"logs": {f"log.{A:x}": OTHER}}, {"one write per zxid"}),
    "an older epoch written late": ({"logs": ordered(A, B, C, D, F, E, G, H)}, {"epochs never fall", "one order everywhere"}),
    "two records of an epoch turned": ({"logs": ordered(A, C, B, D, E, F, G, H)}, {"zxids rise within an epoch", "one order everywhere"}),
    "a hole": ({"logs": ordered(A, B, D, E, F, G, H)}, {"no hole in the logs"}),
    "a history that passes over a write": ({"logs": ordered(A, B, C, D, F, G, H)}, {"histories agree"}),
    "currentEpoch behind": ({"epochs": (1, 2)}, {"epoch files match the data"}),
    "acceptedEpoch below currentEpoch": ({"epochs": (3, 2)}, {"epoch files match the data"}),
}  # fmt: skip


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_each_mutation_wakes_its_own_check(mutation: str, tmp_path: Path) -> None:
    change, expected = MUTATIONS[mutation]
    report = report_of(*three(tmp_path, **change))
    violated = {name for name, outcome in outcomes(report).items() if outcome == VIOLATED}
    # What follows from the mutation: a write that servers disagree about is no kept write either.
    assert violated - {"committed writes are kept", "leaders know what followers have"} == expected
    assert report.verdict == VIOLATED
    found = [one.finding for one in report.checks if one.finding.outcome == VIOLATED]
    assert all(witness["source"] and witness["says"] for finding in found for witness in finding.evidence)
    assert all(finding.evidence for finding in found)


def test_a_server_that_would_not_start_says_so_in_its_own_words(tmp_path: Path) -> None:
    report = report_of(*three(tmp_path, epochs=(1, 2)), version="3.8.4")
    refusing = next(one for one in report.servers if one.server == 2)
    assert refusing.would_start is False
    assert f"The current epoch, 1, is older than the last zxid, {E2 + 3}" in refusing.why
    assert [one.would_start for one in report.servers if one.server != 2] == [True, True]
    assert "server 2 would not start" in report.message


def test_an_unread_voter_leaves_nothing_about_all_servers_proved(tmp_path: Path) -> None:
    for sid in (1, 3):
        disk(tmp_path, sid, one_log(HISTORY))
    report = report_of(tmp_path)
    assert set(outcomes(report).values()) == {UNKNOWN}
    assert all("server 2" in (one.finding.settled_by or "") for one in report.checks if one.check == "histories agree")


def test_a_hole_is_missing_and_the_newest_releases_refuse_it(tmp_path: Path) -> None:
    report = report_of(*three(tmp_path, logs={f"log.{A:x}": records([A, B]), f"log.{E:x}": records([E, F, G, H])}))
    second = next(one for one in report.servers if one.server == 2)
    assert [(gap.first, gap.last) for gap in second.missing] == [(C, D)]
    assert second.would_start is False
    assert f"0x{E:x} is not the next proposal of 0x{B:x}" in second.why
    assert "3.4.0 to 3.9.3 start" in second.why


BASE = snapshot(node(""), node("/zookeeper"))
FRONTS = {
    # (snapshots, first record of the log, what is missing): purging takes logs from the front, up to the oldest snapshot kept.
    "purged": (["snapshot.100000004"], D, []),
    "received": (["snapshot.0", "snapshot.100000003"], D, []),
    "an older snapshot is still there": (["snapshot.0", "snapshot.100000007"], D, [(A, C)]),
    "an older one of the same epoch": (["snapshot.100000001", "snapshot.100000007"], D, [(B, C)]),
    "no snapshot": ([], D, [(A, C)]),
    "whole": (["snapshot.0"], A, []),
}


@pytest.mark.parametrize("front", FRONTS)
def test_logs_missing_before_the_first(front: str, tmp_path: Path) -> None:
    snapshots, first, missing = FRONTS[front]
    files = dict.fromkeys(snapshots, BASE) | {"snapshot.0": TREE} if "snapshot.0" in snapshots else dict.fromkeys(snapshots, BASE)
    report = report_of(*three(tmp_path, logs=one_log(HISTORY[HISTORY.index(first) :]), snapshots=files))
    second = next(one for one in report.servers if one.server == 2)
    assert [(gap.first, gap.last) for gap in second.missing] == missing


def test_a_torn_tail_is_no_damage_and_a_flipped_bit_is(tmp_path: Path) -> None:
    whole = records(HISTORY)
    torn = report_of(*three(tmp_path / "torn", logs={f"log.{A:x}": whole[: len(whole) - 4096 - 20]}))
    second = next(one for one in torn.servers if one.server == 2)
    assert [row["harm"] for row in second.damage] == ["tail"]
    assert (second.would_start, second.last_zxid, torn.verdict) == (True, G, UNKNOWN)
    flipped = report_of(*three(tmp_path / "flipped", logs={f"log.{A:x}": whole[:200] + bytes([whole[200] ^ 4]) + whole[201:]}))
    second = next(one for one in flipped.servers if one.server == 2)
    assert ([row["harm"] for row in second.damage], second.would_start, flipped.verdict) == (["data"], False, VIOLATED)
    assert second.missing == ()


def test_a_torn_record_in_the_middle_is_a_hole_though_it_looks_like_a_crash(tmp_path: Path) -> None:
    """A server skips the rest of the file without a word, and lacks what it acknowledged."""
    torn = records(HISTORY[:3])[: -4096 - 20]
    report = report_of(*three(tmp_path, logs={f"log.{A:x}": torn, f"log.{D:x}": records(HISTORY[3:])}), version="3.8.4")
    second = next(one for one in report.servers if one.server == 2)
    assert (second.would_start, [(gap.first, gap.last) for gap in second.missing]) == (True, [(C, C)])
    assert "torn" in second.missing[0].why
    assert outcomes(report)["no hole in the logs"] == VIOLATED


@pytest.mark.parametrize(
    ("snapshots", "release", "missing", "outcome"),
    [
        (["snapshot.0", f"snapshot.{D:x}"], "3.8.0", [], HOLDS),  # directly below: it was received
        (["snapshot.0", f"snapshot.{F:x}"], "3.8.0", [(C, D)], UNKNOWN),  # none was purged, so none was received
        ([f"snapshot.{F:x}"], "3.8.0", [], UNKNOWN),  # it may have been purged
        (["snapshot.0", f"snapshot.{F:x}"], "3.4.14", [], UNKNOWN),  # named later than it was sent
    ],
)
def test_a_later_snapshot_does_not_explain_a_jump(
    snapshots: list[str], release: str, missing: list[tuple[int, int]], outcome: str, tmp_path: Path
) -> None:
    files = dict.fromkeys(snapshots, BASE)
    folder = three(tmp_path, logs={f"log.{A:x}": records([A, B]), f"log.{E:x}": records([E, F, G, H])}, snapshots=files)[0]
    (tmp_path / "server-2" / "zookeeper.log").write_text(VERSION.format(f"{release}-abc"))
    report = report_of(folder)
    second = next(one for one in report.servers if one.server == 2)
    assert [(gap.first, gap.last) for gap in second.missing] == missing
    assert outcomes(report)["no hole in the logs"] == outcome


def test_a_purged_snapshot_keeps_a_disagreement_unknown(tmp_path: Path) -> None:
    report = report_of(*three(tmp_path, logs=ordered(*HISTORY[:5], E + 1, *HISTORY[5:]), snapshots={f"snapshot.{G:x}": BASE}))
    assert outcomes(report)["histories agree"] == UNKNOWN


def test_what_chopping_would_lose(tmp_path: Path) -> None:
    report = report_of(*three(tmp_path, logs={f"log.{A:x}": records(HISTORY[:5]), f"log.{F:x}": records([*HISTORY[5:], H + 1])}), chop=D)
    plan = next(one.chop for one in report.servers if one.server == 2)
    assert plan is not None
    assert (plan.records, plan.first, plan.last, plan.only_here) == (5, E, H + 1, 1)
    assert plan.commands == (
        f"java -cp 'LIB/*' org.apache.zookeeper.server.util.LogChopper 0x{D:x} log.{A:x} log.{A:x}.chopped",
        f"mv log.{F:x} ELSEWHERE/",
    )


def test_chopping_below_a_snapshot_says_that_it_stays(tmp_path: Path) -> None:
    report = report_of(*three(tmp_path, snapshots={"snapshot.0": TREE, f"snapshot.{F:x}": BASE}), chop=D)
    plan = next(one.chop for one in report.servers if one.server == 2)
    assert plan is not None
    assert f"snapshot.{F:x} still hold" in plan.why


@pytest.mark.parametrize(
    ("snapshots", "first", "says", "commands"),
    [
        ({"snapshot.0": TREE}, A, "changes nothing", 0),
        ({}, A, "loses nothing", 1),
        ({}, D, "Everything written before 0x100000004 would be lost", 1),
    ],
)
def test_what_trusting_an_empty_snapshot_would_lose(
    snapshots: dict[str, bytes], first: int, says: str, commands: int, tmp_path: Path
) -> None:
    logs = one_log(HISTORY[HISTORY.index(first) :])
    report = report_of(*three(tmp_path, snapshots=snapshots, logs=logs), trust_empty=True, version="3.8.4")
    plan = next(one.trust for one in report.servers if one.server == 2)
    assert plan is not None
    assert says in plan.why
    assert len(plan.commands) == commands


def test_copies_of_unproved_order_and_servers_without_data_are_not_predicted(tmp_path: Path) -> None:
    three(tmp_path)
    shutil.rmtree(tmp_path / "server-2" / "data")
    (tmp_path / "server-2" / "myid").write_text("2\n")
    report = report_of(tmp_path)
    silent = [one for one in report.servers if one.server == 2]
    assert [one.would_start for one in silent] in ([], [None])
    assert report.verdict == UNKNOWN


# ---------------------------------------------------------------- leaders
LINE = (
    "2026-11-21 00:18:05,173 [myid:{sid}] - INFO  [QuorumPeer[myid={sid}](plain=127.0.0.3:2181)(secure=disabled):o.a.z.s.q.Leader@1566] - "
    "Have quorum of supporters, sids: [[1, 3]]; starting up and setting last processed zxid: 0x{zxid:x}\n"
)


@pytest.mark.parametrize(("leaders", "outcome"), [({1: [E1, E2]}, HOLDS), ({1: [E1, E2], 3: [E2]}, VIOLATED), ({1: [E2]}, UNKNOWN)])
def test_one_leader_per_epoch(leaders: dict[int, list[int]], outcome: str, tmp_path: Path) -> None:
    three(tmp_path)
    for sid, zxids in leaders.items():
        lines = [LINE.format(sid=sid, zxid=zxid) for zxid in zxids]
        (tmp_path / f"server-{sid}" / "zookeeper.log").write_text("".join(lines))
    report = report_of(tmp_path)
    assert outcomes(report)[LEADERS] == outcome


# ---------------------------------------------------------------- messages
GAP = "2026-11-21 00:18:0{n},173 [myid:{sid}] - WARN  [main:o.a.z.s.q.Follower@169] - Got zxid 0x10000000{n} expected 0x{e}\n"
STATE = "2026-11-21 00:18:00,173 [myid:{sid}] - INFO  [QuorumPeer[myid={sid}]:o.a.z.s.q.QuorumPeer@1537] - FOLLOWING\n"
COMMIT = (
    "2026-11-21 00:18:05,173 [myid:{sid}] - ERROR [QuorumPeer[myid={sid}]:o.a.z.s.q.FollowerZooKeeperServer@98] - "
    "Committing zxid 0x100000005 but next pending txn 0x100000004\n"
)
ORDERS = {
    "the first gap behind a synchronization": (STATE + GAP.format(n=1, e=1, sid="{sid}"), HOLDS),
    "a second one": (STATE + GAP.format(n=1, e=1, sid="{sid}") + GAP.format(n=3, e=100000002, sid="{sid}"), VIOLATED),
    "the first of the next epoch": (STATE + GAP.replace("0x10000000{n}", "0x20000000{n}").format(n=1, e=100000006, sid="{sid}"), HOLDS),
    "the second of the next epoch": (STATE + GAP.replace("0x10000000{n}", "0x20000000{n}").format(n=2, e=100000006, sid="{sid}"), VIOLATED),
    "a COMMIT of another proposal": (STATE + COMMIT, VIOLATED),
}


@pytest.mark.parametrize("order", ORDERS)
def test_messages_out_of_order(order: str, tmp_path: Path) -> None:
    lines, outcome = ORDERS[order]
    three(tmp_path)
    for sid in (1, 2, 3):
        text = lines if sid == 2 else STATE
        (tmp_path / f"server-{sid}" / "zookeeper.log").write_text(text.format(sid=sid))
    assert outcomes(report_of(tmp_path))[MESSAGES] == outcome


# ---------------------------------------------------------------- bugs
def test_a_late_flush_is_a_known_bug_of_the_releases_that_have_it(tmp_path: Path) -> None:
    three(tmp_path, logs=ordered(A, B, C, D, F, E, G, H))
    version = "2026-11-21 00:18:05,173 [myid:2] - INFO  [main:o.a.z.Environment@98] - Server environment:zookeeper.version={}, built on x\n"
    found = {}
    for release in ("3.8.0-5a02a05", "3.9.3-c26634f"):
        (tmp_path / "server-2" / "zookeeper.log").write_text(version.format(release))
        found[release] = [(bug.id, bug.match) for bug in report_of(tmp_path).bugs if bug.id == "ZOOKEEPER-4712"]
    assert found == {"3.8.0-5a02a05": [("ZOOKEEPER-4712", "yes")], "3.9.3-c26634f": []}


def test_a_bug_of_an_unknown_release_is_possible_at_most(tmp_path: Path) -> None:
    report = report_of(*three(tmp_path, logs=ordered(A, B, D, E, F, G, H)))
    assert {bug.match for bug in report.bugs} == {"possible"}
    assert "ZOOKEEPER-4925" in {bug.id for bug in report.bugs}


VERSION = "2026-11-21 00:18:05,173 [myid:2] - INFO  [main:o.a.z.Environment@98] - Server environment:zookeeper.version={}, built on x\n"
NPE = (
    "2026-11-21 00:18:06,173 [myid:2] - WARN  [QuorumPeer[myid=2]:o.a.z.s.q.Follower@131] - Exception when following the leader\n"
    "java.lang.NullPointerException: null\n\tat org.apache.zookeeper.server.quorum.Learner.syncWithLeader(Learner.java:777)\n"
)
SIGNATURES = {
    # (bug, release that has it, disk of server 2, more lines of its log, match, release that has not)
    "logs from the middle and no snapshot": ("2325", "3.4.14", {"logs": one_log(HISTORY[3:]), "snapshots": {}}, "", "yes", "3.5.3"),
    "an empty log": ("1621", "3.8.0", {"logs": {**one_log(HISTORY), "log.200000009": b""}}, "", "yes", "3.9.3"),
    "only a snapshot of the new epoch": (
        "1653",
        "3.5.9",
        {"logs": one_log(HISTORY[:5]), "snapshots": {"snapshot.200000001": BASE}, "epochs": (1, 2)},
        "",
        "yes",
        "3.8.0",
    ),
    "a snapshot of a discarded write": (
        "1549",
        "3.8.0",
        {
            "logs": {f"log.{A:x}": records([*HISTORY[:5], E + 1]), f"log.{G:x}": records([G, H])},
            "snapshots": {"snapshot.0": TREE, f"snapshot.{E + 1:x}": BASE, f"snapshot.{F:x}": BASE},
        },
        "",
        "possible",
        None,
    ),
    "a hole": ("4925", "3.9.3", {"logs": ordered(A, B, D, E, F, G, H)}, "", "yes", "3.9.2"),
    "an exception while following": ("4394", "3.8.0", {}, NPE, "possible", "3.9.3"),
    "a counter that ran over": ("1277", "3.4.3", {"logs": ordered(E1 + 0xFFFFFFFE, E1 + 0xFFFFFFFF, E2, E2 + 1)}, "", "yes", "3.4.4"),
}


@pytest.mark.parametrize("signature", SIGNATURES)
def test_signatures_of_known_bugs(signature: str, tmp_path: Path) -> None:
    bug, release, second, lines, match, fixed = SIGNATURES[signature]
    three(tmp_path, **second)
    text = tmp_path / "server-2" / "zookeeper.log"
    text.write_text(VERSION.format(f"{release}-abc") + lines)
    found = {one.id: one for one in report_of(tmp_path).bugs}
    assert found[f"ZOOKEEPER-{bug}"].match == match
    assert found[f"ZOOKEEPER-{bug}"].evidence
    if fixed is not None:
        text.write_text(VERSION.format(f"{fixed}-abc") + lines)
        assert f"ZOOKEEPER-{bug}" not in {one.id for one in report_of(tmp_path).bugs}


def test_every_bug_names_releases_that_exist() -> None:
    assert all(any(among(release, bug.releases) for release in RELEASES) for bug in BUGS)
    assert len({bug.id for bug in BUGS}) == len(BUGS)


# ---------------------------------------------------------------- real incidents
@pytest.mark.parametrize("name", ["observer-3.6.3", "recovered-3.8.0", "shadowed-3.9.3", "truncated-3.8.0"])
def test_real_incidents_leave_every_check_silent(name: str, samples: Path) -> None:
    servers = sorted((samples / name).glob("server-*"))
    report = report_of(*servers)
    assert set(outcomes(report).values()) == {HOLDS}
    assert [one.would_start for one in report.servers] == [True] * len(servers)
    assert not any(one.damage or one.missing for one in report.servers)
    assert "yes" not in {bug.match for bug in report.bugs}


def test_a_record_taken_out_whole_is_a_hole_and_leaves_digests_unproved(samples: Path, tmp_path: Path) -> None:
    shutil.copytree(samples / "truncated-3.8.0" / "server-1", tmp_path / "server-1")
    file = tmp_path / "server-1" / "data" / "version-2" / "log.100000001"
    content = file.read_bytes()
    begin = 16
    while content[begin + 12 + 28 : begin + 12 + 32] != (5).to_bytes(4, "big"):  # the first setData
        begin += 13 + int.from_bytes(content[begin + 8 : begin + 12], "big")
    end = begin + 13 + int.from_bytes(content[begin + 8 : begin + 12], "big")
    file.write_bytes(content[:begin] + content[end:])
    report = report_of(tmp_path / "server-1")
    assert outcomes(report)["no hole in the logs"] == VIOLATED
    assert outcomes(report)["stored digests match the replay"] != HOLDS


def test_a_stored_digest_that_is_not_the_replayed_trees_is_a_violation(samples: Path, tmp_path: Path) -> None:
    shutil.copytree(samples / "truncated-3.8.0", tmp_path / "all", ignore=shutil.ignore_patterns("before-rejoin", "clients"))
    file = tmp_path / "all" / "server-1" / "data" / "version-2" / "log.100000001"
    content = bytearray(file.read_bytes())
    size = int.from_bytes(content[24:28], "big")
    content[28 + size - 1] ^= 1  # the last byte of the first record's digest, under a checksum that is right again
    content[16:24] = zlib.adler32(content[28 : 28 + size]).to_bytes(8, "big")
    file.write_bytes(content)
    report = report_of(*sorted((tmp_path / "all").glob("server-*")))
    assert {name for name, outcome in outcomes(report).items() if outcome == VIOLATED} == {"stored digests match the replay"}
    assert report.verdict == VIOLATED


# ---------------------------------------------------------------- the command
def test_the_document(samples: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["check", "--format", "json", str(samples / "truncated-3.8.0" / "before-rejoin" / "server-3"), "--chop", "0x100000060"])
    document = json.loads(capsys.readouterr().out)
    assert code == 3
    assert document["format"] == 1
    (server,) = document["servers"]
    assert {"server", "would_start", "why", "zookeeper_version", "snapshot", "last_zxid", "damage", "missing"} <= server.keys()
    assert (server["server"], server["would_start"], server["last_zxid"]) == (3, True, "0x10000006c")
    assert server["snapshot"] == "server-3/data/version-2/snapshot.0"
    assert server["chop"]["records"] == 12
    assert [row["check"] for row in document["checks"]] == [check.name for check in CHECKS]
    assert {row["outcome"] for row in document["checks"]} <= {HOLDS, VIOLATED, UNKNOWN}
    assert document["bugs"] == []


@pytest.mark.parametrize(("change", "code"), [({}, 3), ({"epochs": (1, 2)}, 1)])
def test_exit_codes(change: dict[str, object], code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = three(tmp_path, **change)[0]
    assert run(["check", str(folder)]) == code
    said = capsys.readouterr()
    assert said.err.startswith("zabtrace: ")
    assert "Server 2" in said.out


def test_sound_and_complete_is_0(samples: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "-q", str(samples / "shadowed-3.9.3")]) == 0
    assert capsys.readouterr().err == ""


def test_a_release_that_is_none_is_a_wrong_use(samples: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", str(samples), "--zookeeper-version", "latest"]) == 2
    assert "3.8.4" in capsys.readouterr().err


def test_nothing_from_the_evidence_reaches_a_terminal_unescaped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    three(tmp_path, config=CONFIG.replace("10.0.0.1", "10.0.0.1"))
    evil = tmp_path / "server-2" / "data" / "version-2" / "log.200000009.\x1b[31m"
    evil.write_bytes(b"")
    run(["check", str(tmp_path), "--chop", f"0x{D:x}"])
    said = capsys.readouterr()
    assert "\x1b" not in said.out + said.err


def test_a_server_without_a_sid_goes_by_its_label(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = disk(tmp_path, 1, ordered(A, B, D), epochs=(1, 1), config="")
    (data.parent / "myid").unlink()
    run(["check", f"left={data}", "--format", "json"])
    document = json.loads(capsys.readouterr().out)
    assert [server["server"] for server in document["servers"]] == ["left"]
    (hole,) = [row for row in document["checks"] if row["outcome"] == VIOLATED]
    assert "server left lacks 0x100000003" in hole["why"]


def test_a_report_of_nothing_is_unknown() -> None:
    assert checks.Report().verdict == UNKNOWN


# ---------------------------------------------------------------- rows
def test_what_was_found_as_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A damaged byte, a hole and a chop: each is a row, and the formats have the same rows."""
    content = bytearray(records((A, B, D, E, F, G, H)))
    content[content.rindex(b"B") - 20] ^= 1
    three(tmp_path / "evidence", logs={f"log.{A:x}": bytes(content)})
    asked = ["check", str(tmp_path / "evidence"), "-q", "--chop", f"0x{B:x}", "--format"]
    assert run([*asked, "json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert run([*asked, "ndjson"]) == 1
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["name"] for row in rows if row["what"] == "check"] == [check["check"] for check in document["checks"]]
    assert [(row["server"], row["outcome"]) for row in rows if row["what"] == "start"] == [
        (1, "would start"), (2, "would not start"), (3, "would start"),
    ]  # fmt: skip
    (damage,) = [row for row in rows if row["what"] == "damage"]
    assert (damage["server"], damage["evidence"][0]["source"].rsplit("/", 1)[-1]) == (2, f"log.{A:x}")
    assert 0 < damage["evidence"][0]["offset"] < content.rindex(b"B")
    assert [row["server"] for row in rows if row["what"] == "plan"] == [1, 2, 3]
    assert all("LogChopper" in row["why"] for row in rows if row["what"] == "plan")
    assert run([*asked, "csv"]) == 1
    assert len(list(csv.reader(io.StringIO(capsys.readouterr().out)))) == len(rows) + 1
    assert run([*asked, "parquet", "-o", str(tmp_path / "found.parquet")]) == 1
    assert pl.read_parquet(tmp_path / "found.parquet")["what"].to_list() == [row["what"] for row in rows]
