"""The events that carry elections, epochs and synchronizations: every spelling of 3.4 to 3.9, with the values a reader would take."""

# ruff: noqa: E501 - lines are quoted as ZooKeeper prints them
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from zabtrace.logs import read_log
from zabtrace.source import Source

MIN = -(1 << 63)
VOTE = {"leader": 3, "zxid": 0x100000016, "round": 2, "state": "LOOKING", "sid": 2, "peer_epoch": 1, "my_state": "FOLLOWING"}
PEER = "org.apache.zookeeper.server.quorum.QuorumPeer$QuorumServer@6f6a7463"
SNAP = {"peer_zxid": 0x100000018, "leader_zxid": 0x200000000, "db_zxid": 0x200000001}
SYNC = {"sid": 3, "max_committed": 0x1000000A6, "min_committed": 0x100000001, "peer_zxid": 0x1000000B2}

CASES: list[tuple[str, str, str, dict[str, Any]]] = [
    ("FastLeaderElection", "New election. My id =  2, proposed zxid=0x100000016", "fle_new_election", {"my_sid": 2, "zxid": 0x100000016}),
    ("FastLeaderElection", "New election. My id = 1, proposed zxid=0x0", "fle_new_election", {"my_sid": 1, "zxid": 0}),
    ("FastLeaderElection", "New election. My id =  1, Proposed zxid = 4294967318", "fle_new_election", {"my_sid": 1, "zxid": 0x100000016}),
    # 3.4: a blank before (my state); 3.5: a comma, and the config version glued behind it in hexadecimal; 3.4.0 decimal
    ("FastLeaderElection", "Notification: 1 (message format version), 3 (n.leader), 0x100000016 (n.zxid), 0x2 (n.round), LOOKING (n.state), "
     "2 (n.sid), 0x1 (n.peerEpoch) FOLLOWING (my state)", "fle_notification_answered", {**VOTE, "format_version": 1}),
    ("FastLeaderElection", "Notification: 2 (message format version), 3 (n.leader), 0x100000016 (n.zxid), 0x2 (n.round), LOOKING (n.state), "
     "2 (n.sid), 0x1 (n.peerEPoch), FOLLOWING (my state)100000000 (n.config version)", "fle_notification_answered",
     {**VOTE, "format_version": 2, "config_version": 0x100000000}),
    ("FastLeaderElection", "Notification: 2 (message format version), 3 (n.leader), 0x100000016 (n.zxid), 0x2 (n.round), LOOKING (n.state), "
     "2 (n.sid), 0x1 (n.peerEPoch), FOLLOWING (my state)", "fle_notification_answered", {**VOTE, "format_version": 2}),
    ("FastLeaderElection", "Notification: 3 (n.leader), 4294967318 (n.zxid), 2 (n.round), LOOKING (n.state), 2 (n.sid), 1 (n.peerEPoch), "
     "FOLLOWING (my state)", "fle_notification_answered", VOTE),
    ("FastLeaderElection", "Notification: 3 (n.leader), 0x100000016 (n.zxid), 0x2 (n.round), LOOKING (n.state), 2 (n.sid), 0x1 (n.peerEPoch), "
     "FOLLOWING (my state)", "fle_notification_answered", VOTE),
    ("FastLeaderElection$Messenger$WorkerReceiver", "Notification: my state:FOLLOWING; n.sid:2, n.state:LOOKING, n.leader:3, n.round:0x2, "
     "n.peerEpoch:0x1, n.zxid:0x100000016, message format version:0x2, n.config version:0x0", "fle_notification_answered",
     {**VOTE, "format_version": 2, "config_version": 0}),
    # an observer's vote, and a sender that has just decided
    ("FastLeaderElection", "Notification: my state:LOOKING; n.sid:4, n.state:LOOKING, n.leader:-9223372036854775808, n.round:0xffffffffffffffff, "
     "n.peerEpoch:0x8000000000000000, n.zxid:0x8000000000000000, message format version:0x2, n.config version:0x0", "fle_notification_received",
     {"my_state": "LOOKING", "sid": 4, "state": "LOOKING", "leader": MIN, "round": -1, "peer_epoch": MIN, "zxid": MIN, "format_version": 2,
      "config_version": 0}),
    # the same text for a vote of a server that serves, seen by one that looks, and by one that serves as well
    ("FastLeaderElection", "Notification: my state:LOOKING; n.sid:2, n.state:LEADING, n.leader:3, n.round:0x2, n.peerEpoch:0x1, n.zxid:0x100000016, "
     "message format version:0x2, n.config version:0x0", "fle_notification_of_serving",
     {**VOTE, "my_state": "LOOKING", "state": "LEADING", "format_version": 2, "config_version": 0}),
    ("FastLeaderElection", "Notification: 3 (n.leader), 0x100000016 (n.zxid), 0x2 (n.round), OBSERVING (n.state), 2 (n.sid), 0x1 (n.peerEPoch), "
     "FOLLOWING (my state)", "fle_notification_dropped", {**VOTE, "state": "OBSERVING"}),
    ("FastLeaderElection", "Notification time out: 400", "fle_notification_timeout", {"ms": 400}),
    ("FastLeaderElection", "Notification time out: 51200 ms", "fle_notification_timeout", {"ms": 51200}),
    ("QuorumPeer", "LOOKING", "state_looking", {}),
    ("QuorumPeer", "OBSERVING", "state_observing", {}),
    ("Follower", "FOLLOWING - LEADER ELECTION TOOK - 83", "follower_elected", {"ms": 83}),
    ("Leader", "LEADING - LEADER ELECTION TOOK - 240 MS", "leader_elected", {"ms": 240}),
    ("QuorumPeer", "Peer state changed: looking", "peer_state_changed", {"role": "looking"}),
    ("QuorumPeer", "Peer state changed: leading - discovery", "peer_state_changed", {"role": "leading", "phase": "discovery"}),
    ("QuorumPeer", "Peer state changed: following - synchronization - trunc", "peer_state_changed",
     {"role": "following", "phase": "synchronization", "mode": "trunc"}),
    ("Learner", "Successfully connected to leader, using address: /127.0.0.3:2888", "leader_connected", {"address": "/127.0.0.3:2888"}),
    ("LearnerHandler", f"Follower sid: 2 : info : {PEER}", "follower_info", {"sid": 2, "spec": PEER}),
    ("LearnerHandler", "Follower sid: 0 : info : 127.0.0.1:2890:3890:participant;0.0.0.0:2180", "follower_info",
     {"sid": 0, "spec": "127.0.0.1:2890:3890:participant;0.0.0.0:2180"}),
    ("LearnerHandler", "Synchronizing with Follower sid: 3 maxCommittedLog=0x1000000a6 minCommittedLog=0x100000001 peerLastZxid=0x1000000b2",
     "sync_decision", SYNC),
    ("LearnerHandler", "Synchronizing with Learner sid: 3 maxCommittedLog=0x1000000a6 minCommittedLog=0x100000001 lastProcessedZxid=0x200000000 "
     "peerLastZxid=0x1000000b2", "sync_decision", {**SYNC, "last_processed": 0x200000000}),
    ("LearnerHandler", "Using committedLog for peer sid: 3", "sync_use_committed_log", {"sid": 3}),
    ("LearnerHandler", "Use txnlog and committedLog for peer sid: 3", "sync_use_txnlog", {"sid": 3}),
    ("LearnerHandler", "Sending DIFF", "sync_mode", {"mode": "DIFF"}),
    ("LearnerHandler", "Sending TRUNC", "sync_mode", {"mode": "TRUNC"}),
    ("LearnerHandler", "leader and follower are in sync, zxid=0x100000018", "sync_diff_empty", {"zxid": 0x100000018}),
    ("LearnerHandler", "Sending DIFF zxid=0x10000008f for peer sid: 1", "sync_diff", {"zxid": 0x10000008F, "sid": 1}),
    ("LearnerHandler", "Sending DIFF zxid=0x10000008f  for peer sid: 1", "sync_diff", {"zxid": 0x10000008F, "sid": 1}),
    ("LearnerHandler", "Sending TRUNC zxid=0x10000008f  for peer sid: 1", "sync_trunc_diff", {"zxid": 0x10000008F, "sid": 1}),
    ("LearnerHandler", "Sending TRUNC to follower zxidToSend=0x10000008f for peer sid:1", "sync_trunc", {"zxid": 0x10000008F, "sid": 1}),
    ("LearnerHandler", "Cannot send TRUNC to peer sid: 3 peer zxid is from different epoch", "sync_trunc_refused_epoch", {"sid": 3}),
    ("LearnerHandler", "Unhandled scenario for peer sid: 3 fall back to use snapshot", "sync_fallback_snap", {"sid": 3}),
    ("LearnerHandler", "Sending snapshot last zxid of peer is 0x100000018  zxid of leader is 0x200000000sent zxid of db as 0x200000001", "sync_snap", SNAP),
    ("LearnerHandler", "Sending snapshot last zxid of peer is 0x100000018, zxid of leader is 0x200000000, send zxid of db as 0x200000001, "
     "1 concurrent snapshot sync, snapshot sync was exempt from throttle", "sync_snap", {**SNAP, "count": 1, "text": "exempt from throttle"}),
    ("LearnerHandler", "Received NEWLEADER-ACK message from 2", "newleader_ack", {"sid": 2}),
    ("LearnerHandler", "******* GOODBYE /127.0.0.1:46022 ********", "learner_gone", {"address": "/127.0.0.1:46022"}),
    ("Learner", "Getting a diff from the leader 0x20000000a", "learner_diff", {"zxid": 0x20000000A}),
    ("Learner", "Truncating log to get in sync with the leader 0x10000008f", "learner_trunc", {"zxid": 0x10000008F}),
    ("Learner", "Getting a snapshot from leader 0x20000001c", "learner_snap", {"zxid": 0x20000001C}),
    ("Learner", "Getting a snapshot from leader", "learner_snap", {}),
    ("Learner", "Learner received UPTODATE message", "uptodate", {}),
    ("Learner", "Set the current epoch to 12", "current_epoch_set", {"epoch": 12}),
    ("Learner", "Sent NEWLEADER ack to leader with zxid 200000000", "newleader_ack_sent", {"zxid": 0x200000000}),
    ("Learner", "Got zxid 0x200000001 expected 0x1", "proposal_gap", {"zxid": 0x200000001, "expected_zxid": 1}),
    ("Learner", "DIFF sync got first proposal 0x200000001", "sync_first_proposal", {"zxid": 0x200000001}),
    ("QuorumPeer", "currentEpoch not found! Creating with a reasonable default of 12. This should only happen when you are upgrading your "
     "installation", "current_epoch_default", {"epoch": 12}),
    ("Leader", "Have quorum of supporters, sids: [ 1,2 ]; starting up and setting last processed zxid: 0x200000000", "quorum_supported",
     {"sids": "[ 1,2 ]", "zxid": 0x200000000}),
    ("Leader", "Have quorum of supporters, sids: [[1, 2],[2, 3]]; starting up and setting last processed zxid: 0x200000000", "quorum_supported",
     {"sids": "[[1, 2],[2, 3]]", "zxid": 0x200000000}),
    ("Leader", "Have quorum of supporters; starting up and setting last processed zxid: 0x200000000", "quorum_supported", {"zxid": 0x200000000}),
    ("Leader", "Shutdown called. For the reason Not sufficient followers synced, only synced with sids: [ [] ]", "lost_quorum",
     {"reason": "Not sufficient followers synced", "sids": "[ [] ]"}),
    ("Leader", "Shutdown called. For the reason Waiting for a quorum of followers, only synced with sids: [ [2] ]", "leader_sync_timeout",
     {"reason": "Waiting for a quorum of followers", "sids": "[ [2] ]"}),
    ("Leader", "Shutdown called. For the reason Forcing shutdown", "shutdown_leader_forced", {"reason": "Forcing shutdown"}),
    ("Follower", "Disconnected from leader (with address: /127.0.0.3:2888). Was connected for 1888ms. Sync state: true", "leader_disconnected",
     {"address": "/127.0.0.3:2888", "ms": 1888, "synced": True}),
    ("QuorumCnxManager$RecvWorker", "Connection broken for id 2, my id = 1, error = ", "peer_disconnect", {"sid": 2, "my_sid": 1}),
    ("QuorumCnxManager", "Cannot open channel to 3 at election address zk3/10.0.0.3:3888", "peer_connect_failed",
     {"sid": 3, "address": "zk3/10.0.0.3:3888"}),
    ("QuorumCnxManager", "Have smaller server identifier, so dropping the connection: (2, 1)", "peer_connect_dropped_smaller", {"sid": 2, "my_sid": 1}),
    ("QuorumCnxManager", "Have smaller server identifier, so dropping the connection: (myId:1 --> sid:2)", "peer_connect_dropped_smaller",
     {"sid": 2, "my_sid": 1}),
    ("FileTxnSnapLog", "Snapshotting: 0x10000003e to /var/lib/my data/version-2/snapshot.10000003e", "snapshot_start",
     {"zxid": 0x10000003E, "path": "/var/lib/my data/version-2/snapshot.10000003e"}),
    ("FileTxnLog", "Creating new log file: log.10000003e", "txnlog_created", {"zxid": 0x10000003E}),
    ("ZKDatabase", "Snapshot loaded in 15 ms, highest zxid is 0x10000003e, digest is -1371985504", "db_loaded",
     {"ms": 15, "zxid": 0x10000003E, "digest": -1371985504}),
    ("FileSnap", "Reading snapshot /data/version-2/snapshot.10000003e", "snapshot_reading", {"path": "/data/version-2/snapshot.10000003e"}),
    ("QuorumPeerMain", "Starting quorum peer", "server_start", {}),
    ("QuorumPeerMain", "Starting quorum peer, myid=1", "server_start", {"my_sid": 1}),
    ("QuorumPeerConfig", "Reading configuration from: /etc/zoo.cfg", "config_reading", {"path": "/etc/zoo.cfg"}),
    ("ZKConfig", "Reading configuration from: /etc/tls.cfg", "config_reading_other", {"path": "/etc/tls.cfg"}),
    ("Environment", "Server environment:zookeeper.version=3.4.14-4c25d480, built on 03/06/2019 16:18 GMT", "environment",
     {"key": "zookeeper.version", "value": "3.4.14-4c25d480, built on 03/06/2019 16:18 GMT"}),
    ("QuorumCnxManager$Listener", "My election bind port: /127.0.0.1:3888", "election_listener_up", {"address": "/127.0.0.1:3888"}),
    ("QuorumCnxManager$Listener", "3 is accepting connections now, my election bind port: zk3/10.0.0.3:3888", "election_listener_up",
     {"my_sid": 3, "address": "zk3/10.0.0.3:3888"}),
    ("ServiceUtils", "Exiting JVM with code 13", "jvm_exit", {"code": 13}),
    ("ZooKeeperServer", "Refusing session(0x10000a2b3c40000) request for client /10.0.0.9:41000 as it has seen zxid 0x100000020 our last zxid is "
     "0x100000010 client must try another server", "client_zxid_ahead",
     {"session": 0x10000A2B3C40000, "address": "/10.0.0.9:41000", "expected_zxid": 0x100000020, "zxid": 0x100000010}),
    ("Leader", "Proposing:: sessionid:0x10000a2b3c40000 type:setData cxid:0x5 zxid:0x100000016 txntype:5 reqpath:n/a", "proposal",
     {"session": 0x10000A2B3C40000, "type": "setData", "cxid": 5, "zxid": 0x100000016, "txn_type": "5", "path": "n/a"}),
    ("CommitProcessor", "Committing request:: sessionid:0x10000a2b3c40000 type:create cxid:0x5 zxid:0xfffffffffffffffe txntype:unknown reqpath:/a b",
     "commit", {"session": 0x10000A2B3C40000, "type": "create", "cxid": 5, "zxid": -2, "txn_type": "unknown", "path": "/a b"}),
    ("ZooTrace", "i PROPOSAL 600000001 null", "quorum_packet_trace", {"type": "PROPOSAL", "zxid": 0x600000001, "text": "null"}),
    # decimal in 3.4 and 3.5, 0x hexadecimal from 3.6
    ("Learner", "Committing 4294967318, but next proposal is 4294967319", "commit_mismatch", {"zxid": 0x100000016, "zxid_2": 0x100000017}),
    ("Learner", "Committing 0x100000016, but next proposal is 0x100000017", "commit_mismatch", {"zxid": 0x100000016, "zxid_2": 0x100000017}),
    ("Learner", "Not able to truncate the log 10000001a", "learner_trunc_failed", {"zxid": 0x10000001A}),
    ("Learner", "Not able to truncate the log 0x10000001a", "learner_trunc_failed", {"zxid": 0x10000001A}),
    # equal texts of different classes
    ("SyncRequestProcessor", "Shutting down", "pipeline_stop", {}),
    ("Leader", "Shutting down", "leader_shutting_down", {}),
    ("SessionTrackerImpl", "Shutting down", "session_tracker_exit", {}),
]  # fmt: skip


@pytest.mark.parametrize(("logger", "message", "kind", "fields"), CASES, ids=[f"{case[0]}-{case[2]}" for case in CASES])
@pytest.mark.parametrize("package", ["", "o.a.z.s.q."], ids=["log4j", "logback"])
def test_message(tmp_path: Path, package: str, logger: str, message: str, kind: str, fields: dict[str, Any]) -> None:
    line = f"2026-11-21 00:18:39,719 [myid:1] - INFO  [QuorumPeer[myid=1](plain=0.0.0.0:2181)(secure=disabled):{package}{logger}@130] - {message}\n"
    path = tmp_path / "zookeeper.log"
    path.write_text(line)
    log = read_log(Source("zookeeper.log", path))
    assert log.lines["kind"].to_list() == [kind]
    found = log.fields[kind].drop("line").row(0, named=True) if kind in log.fields else {}
    assert {name: value for name, value in found.items() if value is not None} == fields


TRACES = [
    ("Leader", "Shutdown called", "java.lang.Exception: shutdown Leader! reason: Not sufficient followers synced, only synced with sids: [ 1,3 ]",
     "lost_quorum", "lost_quorum", {"reason": "Not sufficient followers synced", "sids": "[ 1,3 ]"}),
    ("QuorumPeer", "Unable to load database on disk", "java.io.IOException: The current epoch, a, is older than the last zxid, 47244640256",
     "db_load_failed", "current_epoch_older_than_zxid", {"epoch": 10, "zxid": 0xB00000000}),
    ("LearnerHandler", "Unexpected exception causing shutdown while sock still open",
     "java.io.IOException: Follower is ahead of the leader, leader summary: 1 (current epoch), 4294967318 (last zxid)",
     "learner_exception", "follower_ahead_of_leader", {"epoch": 1, "leader_zxid": 0x100000016}),
    ("QuorumPeer", "Unexpected exception", "java.lang.InterruptedException: Timeout while waiting for epoch from quorum",
     "quorum_peer_exception", "epoch_timeout", {}),
]  # fmt: skip


@pytest.mark.parametrize(("logger", "message", "trace", "kind", "told", "fields"), TRACES, ids=[case[4] for case in TRACES])
def test_trace_head(tmp_path: Path, logger: str, message: str, trace: str, kind: str, told: str, fields: dict[str, Any]) -> None:
    path = tmp_path / "zookeeper.log"
    path.write_text(
        f"2014-05-06 13:35:32,217 [myid:1] - WARN  [QuorumPeer[myid=1]/0.0.0.0:2181:{logger}@492] - {message}\n{trace}\n\tat a.b(C.java:1)\n"
    )
    log = read_log(Source("zookeeper.log", path))
    assert log.lines.select("kind", "trace", "continued").rows() == [(kind, trace, 2)]
    assert log.fields[told].rows(named=True) == [{"line": 1, **fields}]
