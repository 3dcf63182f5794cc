"""Known bugs: the signature of each on made-up disks and logs, in a release that has the bug and in one that has not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from check_disks import HISTORY, TREE, disk, one_log, records, report_of
from election_lines import Log
from record_bytes import WORLD, body, create, log, node, snapshot
from test_check import SIGNATURES as ON_FILES
from tree_bytes import SESSION, close_session, delete, multi
from tree_bytes import create as create_node

from zabtrace.checks.bugs import BUGS

A, B, C, D, E, F, G, H = HISTORY
E2, E3 = 0x200000000, 0x300000000
ROOT = (node(""), node("/zookeeper"))
Disks = dict[int, dict[str, object]]
Lines = Callable[[dict[int, Log]], None]


def ordered(*zxids: int) -> dict[str, bytes]:
    return {f"log.{zxids[0]:x}": records(zxids)}


def nothing(_: dict[int, Log]) -> None:
    """No more lines than the heads of the logs."""


def holed(line: str, **more: str) -> tuple[Disks, Lines]:
    """Server 2 lacks one record in the middle of an epoch, and printed this line."""
    return {2: {"logs": ordered(A, B, D, E, F, G, H)}}, lambda logs: logs[2].say(1000, "o.a.z.s.q.Learner", line, **more)


def half_multi() -> tuple[Disks, Lines]:
    """All servers log a multi of a setData and a create; the snapshot that server 2 named after it has the setData alone."""
    members = (
        (5, body("SetDataTxn", path=b"/a100000001", data=b"new", version=1)),
        (1, body("CreateTxn", path=b"/m", data=b"", acl=WORLD, ephemeral=False, parentCVersion=9)),
    )
    logs = {f"log.{A:x}": log(*(create(z, f"/a{z:x}") for z in HISTORY[:-1]), multi(H, *members))}
    half = snapshot(*ROOT, node("/a100000001", mzxid=H, czxid=A))
    return {1: {"logs": logs}, 2: {"logs": logs, "snapshots": {"snapshot.0": TREE, f"snapshot.{H:x}": half}}, 3: {"logs": logs}}, nothing


DECISION = (
    "Synchronizing with Learner sid: 3 maxCommittedLog=0x{most:x} minCommittedLog=0x{least:x} "
    "lastProcessedZxid=0x{most:x} peerLastZxid=0x{peer:x}"
)


def from_disk() -> tuple[Disks, Lines]:
    """Server 2 leads epoch 3; its log has a record that a snapshot it received hides, and it brings server 3 up from that log."""
    hidden = {"logs": {f"log.{A:x}": records([*HISTORY[:5], E + 1]), f"log.{G:x}": records([G, H])}}
    hidden["snapshots"] = {"snapshot.0": TREE, f"snapshot.{F:x}": TREE}

    def lines(logs: dict[int, Log]) -> None:
        leader, thread = logs[2], "LearnerHandler-/127.0.0.3:40000"
        leader.looks(1000, H)
        leader.say(1200, "o.a.z.s.q.QuorumPeer", "LEADING")
        leader.say(1210, "o.a.z.s.q.LearnerHandler", "Follower sid: 3 : info : 10.0.0.3:2888:3888:participant", thread)
        told = DECISION.format(least=G, most=H, peer=C)
        leader.say(1211, "o.a.z.s.q.LearnerHandler", told, thread)
        leader.say(1212, "o.a.z.s.q.LearnerHandler", "Use txnlog and committedLog for peer sid: 3", thread)
        quorum = f"Have quorum of supporters, sids: [[2, 3]]; starting up and setting last processed zxid: 0x{E3:x}"
        leader.say(1230, "o.a.z.s.q.Leader", quorum)

    return {2: hidden, 3: {"logs": one_log([*HISTORY[:5], E + 1, F, G, H])}}, lines


def late_log() -> tuple[Disks, Lines]:
    """The leader's committed log begins where the learner ends; the DIFF leaves a hole behind that."""

    def lines(logs: dict[int, Log]) -> None:
        logs[2].looks(1000, 0)
        logs[2].say(1200, "o.a.z.s.q.QuorumPeer", "LEADING")
        thread = "LearnerHandler-/127.0.0.3:40000"
        logs[2].say(1210, "o.a.z.s.q.LearnerHandler", "Follower sid: 3 : info : 10.0.0.3:2888:3888:participant", thread)
        told = DECISION.format(least=B, most=H, peer=B)
        logs[2].say(1211, "o.a.z.s.q.LearnerHandler", told, thread)
        logs[2].say(1212, "o.a.z.s.q.LearnerHandler", f"Sending DIFF zxid=0x{H:x} for peer sid: 3", thread)
        logs[3].looks(1000, B)
        logs[3].say(1200, "o.a.z.s.q.QuorumPeer", "FOLLOWING")
        logs[3].say(1213, "o.a.z.s.q.Learner", f"Getting a diff from the leader 0x{H:x}")

    return {3: {"logs": ordered(A, B, D, E, F, G, H)}}, lines


def ghost() -> tuple[Disks, Lines]:
    """All logs close the session of /e; server 2's newest snapshot has /e still."""
    payloads = [create(z, f"/a{z:x}") for z in (A, B, C)]
    payloads += [create_node(D, "/e", ephemeral=True), close_session(E, ["/e"]), *(create(z, f"/a{z:x}") for z in (F, G, H))]
    logs = {f"log.{A:x}": log(*payloads)}
    stale = snapshot(*ROOT, node("/e", czxid=D, mzxid=D, pzxid=D, ephemeralOwner=SESSION))
    return {1: {"logs": logs}, 2: {"logs": logs, "snapshots": {"snapshot.0": TREE, f"snapshot.{H:x}": stale}}, 3: {"logs": logs}}, nothing


def uncounted(last: bytes, *children: tuple[str, int]) -> tuple[Disks, Lines]:
    """The last record changes the children of /p, of which server 2's snapshot of that moment has these, and the counters from before."""
    payloads = [create_node(A, "/p"), create_node(B, "/p/x", parent=1), create_node(C, "/p/e", parent=2, ephemeral=True)]
    logs = {f"log.{A:x}": log(*payloads, *(create(z, f"/a{z:x}") for z in (D, E, F, G)), last)}
    nodes = [node("/p", b"x", 1, czxid=A, mzxid=A, pzxid=C, cversion=2)]
    nodes += [node(path, b"x", 1, czxid=z, mzxid=z, pzxid=z) for path, z in (*children, *((f"/a{z:x}", z) for z in (D, E, F, G)))]
    stale = snapshot(node("", cversion=1, pzxid=G), node("/zookeeper"), *nodes)
    return {1: {"logs": logs}, 2: {"logs": logs, "snapshots": {"snapshot.0": TREE, f"snapshot.{H:x}": stale}}, 3: {"logs": logs}}, nothing


def trusted() -> tuple[Disks, Lines]:
    text = "No snapshot found, but there are log entries. This should only be allowed during upgrading."
    return {}, lambda logs: logs[2].say(1000, "o.a.z.s.p.FileTxnSnapLog", text, "main", "WARN")


def kept() -> tuple[Disks, Lines]:
    """Server 2 votes with the end of what it had applied, and its log holds one record more, which stays."""
    return {2: {"logs": one_log([*HISTORY[:5], E + 1, F, G, H])}}, lambda logs: logs[2].hears(1000, 2, 2, 1, 1, E)


def unlogged() -> tuple[Disks, Lines]:
    """Server 2 has accepted epoch 2 and got a DIFF up to its beginning, and its log ends before."""
    text = f"Getting a diff from the leader 0x{E:x}"
    return {2: {"logs": one_log([A, B, C])}}, lambda logs: logs[2].say(1000, "o.a.z.s.q.Learner", text)


def cut_back(log: Log, ms: int, zxid: int) -> None:
    """It follows server 2 and is cut to ``zxid``."""
    log.say(1200, "o.a.z.s.q.QuorumPeer", "FOLLOWING")
    connected = "Successfully connected to leader, using address: /10.0.0.2:2888"
    log.say(1205, "o.a.z.s.q.Learner$LeaderConnector", connected, "LeaderConnector-/10.0.0.2:2888")
    log.say(ms, "o.a.z.s.q.Learner", f"Truncating log to get in sync with the leader 0x{zxid:x}", level="WARN")
    log.say(ms + 2, "o.a.z.s.q.Learner", "Learner received NEWLEADER message")
    log.say(ms + 18, "o.a.z.s.q.Learner", "Learner received UPTODATE message")


def dirty_reload() -> tuple[Disks, Lines]:
    """Server 3 is cut back by the leader of epoch 2, below a snapshot that it keeps."""
    shared = {"logs": ordered(A, B, C, F, G, H)}

    def lines(logs: dict[int, Log]) -> None:
        logs[2].looks(1000, C)
        logs[2].leads(1200, 2, [1, 3], C, C)
        logs[3].looks(1000, D)
        cut_back(logs[3], 1212, C)

    kept_snapshots = {"snapshot.0": TREE, f"snapshot.{D:x}": snapshot(*ROOT, node("/d", czxid=D, mzxid=D, pzxid=D))}
    return {1: shared, 2: shared, 3: {**shared, "snapshots": kept_snapshots}}, lines


def early_epoch() -> tuple[Disks, Lines]:
    """Server 1, which had written currentEpoch 2 and nothing of epoch 2, wins over the longer log of server 3; a client had its answer."""
    short = {"logs": ordered(A, B, C, E3 + 1), "epochs": (3, 3)}

    def lines(logs: dict[int, Log]) -> None:
        one = logs[1]
        one.looks(1000, C)
        one.hears(1001, 1, 1, 1, 2, C)
        one.hears(1002, 3, 3, 1, 1, E)
        one.hears(1003, 2, 2, 1, 1, C)
        one.hears(1004, 2, 1, 1, 2, C)
        one.hears(1005, 3, 1, 1, 2, C)
        one.leads(1250, 3, [2], C, C)

    return {1: short, 2: short, 3: {"logs": ordered(A, B, C, D, E), "epochs": (1, 1)}}, lines


def returning() -> tuple[Disks, Lines]:
    """The case of the report: server 2 holds (2, 1) alone, gets a snapshot that ends below it from the leader of epoch 4, and keeps it."""
    stale, new = E2 + 1, [0x400000001, 0x400000002]
    old = HISTORY[:5]
    shared: dict[str, object] = {"logs": one_log([*old, *new]), "epochs": (4, 4)}
    taken = snapshot(*ROOT, *(node(f"/a{z:x}", czxid=z, mzxid=z, pzxid=z) for z in old))
    second = {**shared, "logs": one_log([*old, stale, *new]), "snapshots": {"snapshot.0": TREE, f"snapshot.{E:x}": taken}}

    def lines(logs: dict[int, Log]) -> None:
        logs[3].looks(1000, E)
        logs[3].leads(1200, 4, [1], E, E)
        thread = "LearnerHandler-/127.0.0.2:40000"
        logs[3].say(1260, "o.a.z.s.q.LearnerHandler", "Follower sid: 2 : info : 10.0.0.2:2888:3888:participant", thread)
        logs[3].say(1261, "o.a.z.s.q.LearnerHandler", DECISION.format(least=A, most=E, peer=stale).replace("sid: 3", "sid: 2"), thread)
        logs[2].looks(1000, stale)
        logs[2].say(1200, "o.a.z.s.q.QuorumPeer", "FOLLOWING")
        connected = "Successfully connected to leader, using address: /10.0.0.3:2888"
        logs[2].say(1205, "o.a.z.s.q.Learner$LeaderConnector", connected, "LeaderConnector-/10.0.0.3:2888")
        logs[2].say(1263, "o.a.z.s.q.Learner", f"Getting a snapshot from leader 0x{E:x}")
        logs[2].say(1264, "o.a.z.s.q.Learner", "Learner received NEWLEADER message")
        logs[2].say(1265, "o.a.z.s.q.Learner", "Learner received UPTODATE message")

    return {1: shared, 2: second, 3: shared}, lines


def gap_behind_the_files() -> tuple[Disks, Lines]:
    """Server 3 lacks what lay between the leader's log files and its committed log."""
    return {3: {"logs": ordered(A, B, D, E, F, G, H)}}, nothing


def overtaken() -> tuple[Disks, Lines]:
    text = "NEWLEADER ACK from sid: 3 is from a different epoch - current 0x200000000 receieved 0x200000001"
    return {}, lambda logs: logs[2].say(1000, "o.a.z.s.q.Leader", text, "LearnerHandler-/127.0.0.3:40000", "ERROR")


def crossed() -> tuple[Disks, Lines]:
    text = DECISION.format(least=H, most=B, peer=C)
    return {}, lambda logs: logs[2].say(1000, "o.a.z.s.q.LearnerHandler", text, "LearnerHandler-/127.0.0.3:40000")


def one_too_many() -> tuple[Disks, Lines]:
    """The leader of epoch 3 stands at counter 0 of epoch 2; server 3 is cut to that, and keeps its first record of epoch 2."""
    new = [E3 + 1, E3 + 2]
    shared: dict[str, object] = {"logs": one_log([*HISTORY[:5], *new]), "epochs": (3, 3)}
    third = {**shared, "logs": {f"log.{A:x}": records([*HISTORY[:5], F]), f"log.{new[0]:x}": records(new)}}

    def lines(logs: dict[int, Log]) -> None:
        logs[2].looks(1000, E2)
        logs[2].leads(1200, 3, [1], E2, E2)
        thread = "LearnerHandler-/127.0.0.3:40000"
        logs[2].say(1260, "o.a.z.s.q.LearnerHandler", "Follower sid: 3 : info : 10.0.0.3:2888:3888:participant", thread)
        logs[2].say(1261, "o.a.z.s.q.LearnerHandler", DECISION.format(least=E2, most=E2, peer=G), thread)
        logs[3].looks(1000, G)
        cut_back(logs[3], 1262, E2)

    return {1: shared, 2: shared, 3: third}, lines


def shut_out(zxid: int = D, round_: int = 2) -> tuple[Disks, Lines]:
    """1 follows 3, which leads; 2 comes later. Their votes name one leader and epoch, and differ in zxid and round."""

    def lines(logs: dict[int, Log]) -> None:
        two = logs[2]
        two.looks(1000, C)
        for ms in (1001, 3000, 9000):
            two.hears(ms, 2, 2, 1, 1, C)
            two.hears(ms + 1, 1, 3, round_, 2, zxid, "FOLLOWING")
            two.hears(ms + 2, 3, 3, 1, 2, E, "LEADING")

    return {}, lines


BEYOND = snapshot(*ROOT, node("/x", czxid=H + 6, mzxid=H + 6, pzxid=H + 6))
SIGNATURES: dict[str, tuple[str, tuple[Disks, Lines], str, str | None]] = {
    # bug: a release that has it, its traces, the match, a release that has not
    "3104": ("3.4.14", ({2: {"snapshots": {"snapshot.0": TREE, f"snapshot.{H:x}": BEYOND}}}, nothing), "possible", "3.6.0"),
    "3127": ("3.4.14", half_multi(), "yes", "3.5.5"),
    "2846": ("3.8.0", from_disk(), "possible", "3.4.14"),
    "4352": ("3.8.0", late_log(), "possible", None),
    "5010": ("3.8.5", ghost(), "possible", None),
    "3125": ("3.5.3", uncounted(delete(H, "/p/x"), ("/p/e", C)), "possible", "3.5.5"),
    "3249": ("3.5.9", uncounted(create_node(H, "/p/y", parent=3), ("/p/x", B), ("/p/e", C), ("/p/y", H)), "possible", "3.6.0"),
    "3145": ("3.5.9", uncounted(close_session(H), ("/p/x", B)), "possible", "3.6.0"),
    "3644": ("3.5.6", trusted(), "yes", "3.5.7"),
    "3642": ("3.6.1", holed(f"Getting a snapshot from leader 0x{C:x}"), "possible", "3.6.3"),
    "5094": ("3.9.3", holed(f"Truncating log to get in sync with the leader 0x{B:x}"), "possible", None),
    "4882": (
        "3.9.3",
        holed("Severe unrecoverable error, from thread : SyncThread:2", level="ERROR", trace="java.io.IOException: Input/output error"),
        "possible",
        None,
    ),
    "2845": ("3.5.3", kept(), "yes", "3.5.4"),
    "3911": ("3.6.2", unlogged(), "yes", "3.8.5"),
    "4646": ("3.8.0", unlogged(), "yes", "3.6.2"),
    "2832": ("3.8.0", returning(), "yes", None),
    "2418": ("3.5.9", gap_behind_the_files(), "yes", "3.6.0"),
    "4685": ("3.8.4", overtaken(), "possible", "3.8.5"),
    "3526": ("3.8.0", crossed(), "possible", None),
    "1732": ("3.4.5", shut_out(), "yes", "3.4.6"),
    "1818": ("3.5.4", shut_out(), "yes", "3.5.5"),
    "TRUNC to no record": ("3.9.3", one_too_many(), "yes", None),
    "4837": ("3.9.3", dirty_reload(), "yes", None),
    "4643": ("3.8.0", early_epoch(), "yes", "3.8.5"),
}


def written(folder: Path, disks: Disks, lines: Lines, release: str) -> list[Path]:
    """Three servers, alike but for what ``disks`` and ``lines`` say."""
    logs = {sid: Log(sid) for sid in (1, 2, 3)}
    for sid, one in logs.items():
        one.starts(0, f"{release}-abc")
        disk(folder, sid, **{"logs": one_log(HISTORY), **disks.get(sid, {})})  # type: ignore[arg-type]
    lines(logs)
    for sid, one in logs.items():
        (folder / f"server-{sid}" / "zookeeper.log").write_text("\n".join(one.lines) + "\n")
    answered = {"client": "c", "session_id": "0x7", "op": "create", "path": f"/a{E:x}", "ok": True, "zxid": f"0x{E:x}"}
    (folder / "history.jsonl").write_text(json.dumps(answered) + "\n")
    return [folder]


@pytest.mark.parametrize("bug", SIGNATURES)
def test_the_signature_of_each_bug(bug: str, tmp_path: Path) -> None:
    release, (disks, lines), match, fixed = SIGNATURES[bug]
    found = {one.id: one for one in report_of(*written(tmp_path / "has", disks, lines, release)).bugs}
    name = f"ZOOKEEPER-{bug}" if bug.isdigit() else bug
    assert name in found, found
    assert found[name].match == match
    assert found[name].evidence
    if fixed is not None:
        again = report_of(*written(tmp_path / "fixed", disks, lines, fixed)).bugs
        assert name not in {one.id for one in again}


@pytest.mark.parametrize(("release", "case"), [("3.4.5", {"zxid": E, "round_": 1}), ("3.9.3", {})])
def test_votes_that_are_equal_shut_nobody_out(release: str, case: dict[str, int], tmp_path: Path) -> None:
    """Equal in all fields, or in a release that compares leader and epoch alone: the lines are cut off before it joined."""
    disks, lines = shut_out(**case)
    assert not {"ZOOKEEPER-1732", "ZOOKEEPER-1818"} & {one.id for one in report_of(*written(tmp_path, disks, lines, release)).bugs}


def test_every_bug_of_the_table_has_a_positive_case() -> None:
    elsewhere = {bug for bug, *_ in ON_FILES.values()} | {"4712"}
    assert {one.id.removeprefix("ZOOKEEPER-") for one in BUGS} == SIGNATURES.keys() | elsewhere


@pytest.mark.parametrize("release", ["3.4.14", "3.5.3", "3.5.6", "3.6.1", "3.8.0", "3.9.3"])
def test_alike_servers_have_none(release: str, tmp_path: Path) -> None:
    """Neither have whole multis, closed sessions and plain elections."""
    members = ((5, body("SetDataTxn", path=b"/a100000001", data=b"new", version=1)),)
    payloads = [
        *(create(z, f"/a{z:x}") for z in (A, B, C)),
        create_node(D, "/e", ephemeral=True),
        close_session(E, ["/e"]),
        create(F, "/f"),
    ]
    logs = {f"log.{A:x}": log(*payloads, multi(G, *members), create(H, "/h"))}
    whole = snapshot(*ROOT, node("/a100000001", czxid=A, mzxid=G))
    same: dict[str, object] = {"logs": logs, "snapshots": {"snapshot.0": TREE, f"snapshot.{G:x}": whole}}

    def lines(servers: dict[int, Log]) -> None:
        servers[3].looks(1000, E)
        servers[3].leads(1200, 2, [1, 2], E, E)
        servers[1].follows(1200, 3, E)

    assert report_of(*written(tmp_path, {1: same, 2: same, 3: same}, lines, release)).bugs == ()
