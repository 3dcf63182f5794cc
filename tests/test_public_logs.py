"""Layouts and wrappers of products as people post them in public: what each says is told apart by hand, line by line."""

# ruff: noqa: E501 - lines are quoted as they are printed
from __future__ import annotations

from pathlib import Path

import pytest

from zabtrace.errors import UsageError
from zabtrace.grammar.conversion import conversion
from zabtrace.logs import LogRead, read_log
from zabtrace.logs.explaining import explain
from zabtrace.logs.products import PATTERNS
from zabtrace.source import Source

PEER = "QuorumPeer[myid=3](plain=0.0.0.0:2181)(secure=0.0.0.0:2182)"
ELECTED = "FOLLOWING - LEADER ELECTION TOOK - 52 MS"
QUORUM = "org.apache.zookeeper.server.quorum"
# layout as reported: two records of ZooKeeper (the first of them is `follower_elected`, 52 ms), a third one of another program
LOGS = {
    "confluent operator > fields": f"""\
[INFO] 2024-03-10 13:20:41,545 [{PEER}] {QUORUM}.Learner followLeader - {ELECTED}
[WARN] 2024-03-10 13:20:42,545 [{PEER}] {QUORUM}.QuorumPeer <init> - PeerState set to LOOKING
[INFO] 2024-03-10 13:20:43,545 [main] org.eclipse.jetty.util.log initialized - Logging initialized @5520ms""",
    "huawei mrs > fields": f"""\
2016-06-23 08:00:18,763 | INFO  | {PEER} | {ELECTED} | {QUORUM}.Follower.followLeader(Follower.java:93)
2016-06-23 08:00:18,764 | WARN  | {PEER} | PeerState set to LOOKING | {QUORUM}.QuorumPeer.run(QuorumPeer.java:198)
2016-06-23 08:00:18,765 | INFO  | main | started | com.example.Agent.run(Agent.java:7)""",
    "nifi": f"""\
2019-03-22 18:31:43,155 INFO [{PEER}] o.a.z.server.quorum.Follower {ELECTED}
2019-03-22 18:31:43,156 WARN [{PEER}] o.a.z.server.quorum.QuorumPeer PeerState set to LOOKING
2019-03-22 18:31:43,157 INFO [main] o.apache.nifi.controller.FlowController something else""",
    "storm > fields": f"""\
2019-03-22 18:31:43.155 o.a.s.s.o.a.z.s.q.Learner {PEER} [INFO] {ELECTED}
2019-03-22 18:31:43.156 o.a.s.s.o.a.z.s.q.QuorumPeer {PEER} [WARN] PeerState set to LOOKING
2019-03-22 18:31:43.157 o.a.s.d.n.Nimbus main [INFO] something else""",
    "hadoop console > fields": f"""\
18/01/11 15:01:40 INFO quorum.Learner: {ELECTED}
18/01/11 15:01:41 WARN quorum.QuorumPeer: PeerState set to LOOKING
18/01/11 15:01:41 INFO mapreduce.Job: something else""",
    "spring boot > fields": f"""\
2024-01-01 10:00:00.000  INFO 12345 --- [           main] o.a.z.s.quorum.Learner                   : {ELECTED}
2024-01-01 10:00:00.100  WARN 12345 --- [oop-1-1] o.a.zookeeper.server.quorum.QuorumPeer   : PeerState set to LOOKING
2024-01-01 10:00:00.200  INFO 12345 --- [           main] c.example.Application                    : something else""",
    "spring boot 3 > fields": f"""\
2024-01-01T10:00:00.000Z  INFO 1 --- [           main] o.a.z.s.quorum.Learner                   : {ELECTED}
2024-01-01T10:00:00.100Z  WARN 1 --- [oop-1-1] o.a.zookeeper.server.quorum.QuorumPeer   : PeerState set to LOOKING
2024-01-01T10:00:00.200Z  INFO 1 --- [           main] c.example.Application                    : something else""",
    "ttcc > fields": f"""\
0    [{PEER}] INFO {QUORUM}.Learner  - {ELECTED}
1204 [{PEER}] WARN {QUORUM}.QuorumPeer  - PeerState set to LOOKING
1205 [main] INFO com.example.Application  - something else""",
    "karaf > fields": f"""\
2015-02-06 10:12:33,123 | INFO  | er[myid=3]/[::]: | Learner                          | 63 - io.fabric8.fabric-zookeeper - 1.0.0 | {ELECTED}
2015-02-06 10:12:33,124 | WARN  | er[myid=3]/[::]: | QuorumPeer                       | 63 - io.fabric8.fabric-zookeeper - 1.0.0 | PeerState set to LOOKING
2015-02-06 10:12:33,125 | INFO  | main             | Server                           | 7 - org.eclipse.jetty - 9 | something else""",
    "kibana_6 > bookkeeper": f"""\
March 22nd 2017, 15:31:43.156	2017-03-22 18:31:43,155 - INFO  - [{PEER}:Follower@69] - {ELECTED}
March 22nd 2017, 15:31:43.157	2017-03-22 18:31:43,156 - WARN  - [{PEER}:QuorumPeer@91] - PeerState set to LOOKING
March 22nd 2017, 15:31:43.158	2017-03-22 18:31:43,157 - INFO  - [main:Server@12] - something else""",
    "docker_desktop > no_myid": f"""\
2024-07-04 19:16:27 2024-07-04 23:16:27,563 - INFO  [{PEER}:o.a.z.s.q.Follower@69] - {ELECTED}
2024-07-04 19:16:27 2024-07-04 23:16:27,567 - WARN  [{PEER}:o.a.z.s.q.QuorumPeer@91] - PeerState set to LOOKING
2024-07-04 19:16:27 2024-07-04 23:16:27,626 - INFO  [main:o.e.j.u.l.Log@170] - something else""",
}


def read(folder: Path, text: str) -> LogRead:
    (folder / "zookeeper.log").write_text(f"{text}\n")
    return read_log(Source("zookeeper.log", folder / "zookeeper.log"))


@pytest.mark.parametrize("layout", LOGS)
def test_layouts_of_products(layout: str, tmp_path: Path) -> None:
    trace = "java.net.ConnectException: Connection refused\n\tat java.net.Socket.connect(Socket.java:1)"
    first, second, third = LOGS[layout].split("\n")
    log = read(tmp_path, "\n".join((first, trace, second, third)))
    assert log.layout == layout
    assert [log.summary[part] for part in ("lines", "understood", "unknown", "foreign", "damaged")] == [5, 4, 0, 1, 0]
    assert log.fields["follower_elected"]["ms"].to_list() == [52]
    assert log.lines["kind"].to_list()[:2] == ["follower_elected", "peer_state_set"]
    assert log.lines["trace"][0] == "java.net.ConnectException: Connection refused"
    assert list(log.sids) == ([3] if "myid=3]" in first else [])


EXPORTED = {
    "gelf": '{"version":"1.1","host":"zk1","short_message":"LOOKING","timestamp":1795219169.494,"level":4,'
    f'"_logger":"{QUORUM}.QuorumPeer","_thread":"{PEER}"}}',
    "ecs": f'{{"@timestamp":"2026-11-20T23:59:29.494Z","log.level":"warn","message":"LOOKING","process.thread.name":"{PEER}",'
    f'"log.logger":"{QUORUM}.QuorumPeer"}}',
    "azure": f'[{{"TimeGenerated":"2026-11-20T23:59:29.494Z","ContainerName":"zk","LogEntry":"2026-11-20 23:59:29,494 [myid:3] - WARN  [{PEER}:QuorumPeer@6] - LOOKING"}}]',
}


@pytest.mark.parametrize("form", EXPORTED)
def test_objects_of_log_stores(form: str, tmp_path: Path) -> None:
    log = read(tmp_path, EXPORTED[form])
    assert log.lines.select("level", "logger", "kind").rows() == [("WARN", "QuorumPeer", "state_looking")]
    assert str(log.lines["time"][0]).startswith("2026-11-20 23:59:29.494")
    assert list(log.sids) == [3]


def test_what_a_container_prints_in_front_is_no_time_of_the_server(tmp_path: Path) -> None:
    log = read(tmp_path, LOGS["docker_desktop > no_myid"])
    assert str(log.lines["time"][0]).startswith("2024-07-04 23:16:27.563")


def test_every_pattern_of_products_compiles() -> None:
    for text in PATTERNS.values():
        assert conversion(text).pattern


# Follower, LeaderZooKeeperServer and others have no logger of their own: with %c they are called as the class whose logger they use
@pytest.mark.parametrize(
    ("logger", "message", "kind"),
    [
        ("Learner", ELECTED, "follower_elected"),
        ("Learner", "Got zxid 0x200000001 expected 0x1", "proposal_gap"),
        ("Learner", "Exception when following the leader", "follower_exception"),
        (
            "Learner",
            "Disconnected from leader (with address: /127.0.0.3:2888). Was connected for 6135ms. Sync state: true",
            "leader_disconnected",
        ),
        ("ZooKeeperServer", "Submitting global closeSession request for session 0x100002b6c4a0000", "session_close_submitted"),
        ("ZooKeeperServer", "Read-only server started", "readonly_started"),
    ],
)
def test_classes_that_print_with_another_logger(logger: str, message: str, kind: str, tmp_path: Path) -> None:
    package = QUORUM if logger == "Learner" else "org.apache.zookeeper.server"
    log = read(tmp_path, f"[2021-04-02 01:33:57,831] INFO {message} ({package}.{logger})")
    assert log.lines["kind"].to_list() == [kind]


def test_a_client_is_no_server(tmp_path: Path) -> None:
    """Clients put the server they talk to into the field where servers put their myid (3.9)."""
    head = "2026-09-11 09:19:23,418 [myid:localhost:2281] - INFO  [main-SendThread(localhost:2281):o.a.z.ClientCnxn$SendThread@1290] - "
    assert read(tmp_path, f"{head}SASL config status: Will not attempt to authenticate using SASL (unknown error)").sids == {}


@pytest.mark.parametrize("cut", [10, 12, 16, 20, 22, 23])
def test_a_last_line_cut_within_its_stamp_is_damaged(cut: int, tmp_path: Path) -> None:
    line = "2026-11-21 00:18:39,719 [myid:1] - INFO  [main:QuorumPeerMain@130] - Starting quorum peer"
    log = read(tmp_path, f"{line}\n{line[:cut]}")
    assert [log.summary[part] for part in ("lines", "understood", "damaged")] == [2, 1, 1]


@pytest.mark.parametrize(("pattern", "at"), [("%d{yyyy-MM-dd QQ} %m", 15), ('%d{"yyyy QQ"} %m', 10), ("%q %m", 2), ("%p %t", 6)])
def test_a_wrong_pattern_is_pointed_at(pattern: str, at: int) -> None:
    with pytest.raises(UsageError, match=f"at character {at}:"):
        conversion(pattern)


def test_explain_names_the_layout_of_a_product() -> None:
    found = explain(LOGS["confluent operator > fields"].split("\n")[0])
    assert (found.kind, found.layout, found.wrappers) == ("follower_elected", "fields", ("confluent operator",))
