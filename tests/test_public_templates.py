"""Kinds against the templates that people label public logs with: one template, one kind, but for what is listed and explained."""

# ruff: noqa: E501 - lines are quoted as ZooKeeper prints them
from __future__ import annotations

import random
from collections import defaultdict
from pathlib import Path

import pytest

from zabtrace.logs import read_log
from zabtrace.source import Source

# Class, level and text as 3.4.5 prints them, with <*> where the labels of the public sample (docs/public-logs.md) see a variable.
TEMPLATES = [
    ("LearnerHandler", "WARN", "******* GOODBYE /<ip>:<n> ********"),
    ("NIOServerCnxnFactory", "INFO", "Accepted socket connection from /<ip>:<n>"),
    ("DatadirCleanupManager", "INFO", "autopurge.purgeInterval set to <n>"),
    ("DatadirCleanupManager", "INFO", "autopurge.snapRetainCount set to <n>"),
    ("QuorumCnxManager", "WARN", "Cannot open channel to <n> at election address /<ip>:<n>"),
    ("NIOServerCnxn", "WARN", "caught end of stream exception"),
    ("ZooKeeperServer", "INFO", "Client attempting to establish new session at /<ip>:<n>"),
    ("ZooKeeperServer", "INFO", "Client attempting to renew session 0x<h> at /<ip>:<n>"),
    ("NIOServerCnxn", "INFO", "Closed socket connection for client /<ip>:<n> (no session established for client)"),
    ("NIOServerCnxn", "INFO", "Closed socket connection for client /<ip>:<n> which had sessionid 0x<h>"),
    ("QuorumCnxManager$RecvWorker", "WARN", "Connection broken for id <n>, my id = <n>, error = "),
    ("ZooKeeperServer", "WARN", "Connection request from old client /<ip>:<n>; will be dropped if server is in r-o mode"),
    ("ZooKeeperServer", "INFO", "Established session 0x<h> with negotiated timeout <n> for client /<ip>:<n>"),
    ("NIOServerCnxn", "WARN", "Exception causing close of session 0x<h> due to java.io.IOException: ZooKeeperServer not running"),
    ("ZooKeeperServer", "INFO", "Expiring session 0x<h>, timeout of <n>ms exceeded"),
    ("Leader", "INFO", "First is 0x<h>"),
    ("LearnerHandler", "INFO", "Follower sid: <n> : info : org.apache.zookeeper.server.quorum.QuorumPeer$QuorumServer@<h>"),
    ("QuorumPeer", "INFO", "FOLLOWING"),
    ("Follower", "INFO", "FOLLOWING - LEADER ELECTION TOOK - <n>"),
    ("Learner", "INFO", "Getting a snapshot from leader"),
    ("PrepRequestProcessor", "INFO", "Got user-level KeeperException when processing sessionid:0x<h> type:create cxid:0x<h> zxid:0x<h> txntype:-1 reqpath:n/a Error Path:/brokers/ids Error:KeeperErrorCode = NodeExists for /brokers/ids"),
    ("Leader", "INFO", "Have quorum of supporters; starting up and setting last processed zxid: 0x<h>"),
    ("QuorumCnxManager", "INFO", "Have smaller server identifier, so dropping the connection: (<n>, <n>)"),
    ("QuorumCnxManager$SendWorker", "WARN", "Interrupted while waiting for message on queue"),
    ("QuorumCnxManager$RecvWorker", "WARN", "Interrupting SendWorker"),
    ("QuorumPeer", "INFO", "LOOKING"),
    ("ZooKeeperServer", "INFO", "maxSessionTimeout set to <n>"),
    ("ZooKeeperServer", "INFO", "minSessionTimeout set to <n>"),
    ("QuorumCnxManager$Listener", "INFO", "My election bind port: /0.0.0.0:<n>"),
    ("FastLeaderElection", "INFO", "New election. My id =  <n>, proposed zxid=0x<h>"),
    ("FastLeaderElection", "INFO", "Notification time out: <n>"),
    *[("FastLeaderElection", "INFO", f"Notification: <n> (n.leader), 0x<h> (n.zxid), 0x<h> (n.round), {state} (n.state), <n> (n.sid), 0x<h> (n.peerEPoch), {mine} (my state)")
      for state, mine in (("FOLLOWING", "FOLLOWING"), ("FOLLOWING", "LEADING"), ("LEADING", "LOOKING"), ("LOOKING", "FOLLOWING"), ("LOOKING", "LEADING"), ("LOOKING", "LOOKING"))],
    ("PrepRequestProcessor", "INFO", "Processed session termination for sessionid: 0x<h>"),
    ("FileSnap", "INFO", "Reading snapshot /var/lib/zookeeper/version-2/snapshot.<h>"),
    ("QuorumCnxManager$Listener", "INFO", "Received connection request /<ip>:<n>"),
    ("Learner", "INFO", "Revalidating client: 0x<h>"),
    ("QuorumCnxManager$SendWorker", "WARN", "Send worker leaving thread"),
    ("LearnerHandler", "INFO", "Sending DIFF"),
    ("Environment", "INFO", "Server environment:java.version=1.7.0_<n>"),
    ("FinalRequestProcessor", "INFO", "shutdown of request processor complete"),
    ("FileTxnSnapLog", "INFO", "Snapshotting: 0x<h> to /var/lib/zookeeper/version-2/snapshot.<h>"),
    ("QuorumPeerMain", "INFO", "Starting quorum peer"),
    ("QuorumPeer", "INFO", "tickTime set to <n>"),
    ("LearnerHandler", "ERROR", "Unexpected exception causing shutdown while sock still open"),
    ("NIOServerCnxn", "ERROR", "Unexpected Exception: "),
]  # fmt: skip
# Theirs: whether the server that answers follows or leads is a value (the labels make it text, and leader, zxid and sid a variable).
JOINED = [
    {"LOOKING (n.state) FOLLOWING (my state)", "LOOKING (n.state) LEADING (my state)"},
    {"FOLLOWING (n.state) FOLLOWING (my state)", "FOLLOWING (n.state) LEADING (my state)"},
]


def drawn(template: str, draw: random.Random) -> str:
    texts = {
        "<ip>": lambda: ".".join(str(draw.randrange(256)) for _ in "0123"),
        "<n>": lambda: str(draw.randrange(1, 60_000)),
        "<h>": lambda: f"{draw.getrandbits(36):x}",
    }
    for hole, text in texts.items():
        while hole in template:
            template = template.replace(hole, text(), 1)
    return template


def short(template: str) -> str:
    return " ".join(part for part in template.split(", ") if "state)" in part)


@pytest.mark.parametrize("seed", range(3))
def test_a_template_is_a_kind(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    lines = [(at, drawn(text, draw)) for at, (_, _, text) in enumerate(TEMPLATES) for _ in range(4)]
    draw.shuffle(lines)
    path = tmp_path / "zookeeper.log"
    path.write_text(
        "".join(
            f"2015-07-29 17:41:44,747 - {TEMPLATES[at][1]:5} [QuorumPeer[myid=1]/0:0:0:0:0:0:0:0:2181:{TEMPLATES[at][0]}@774] - {text}\n"
            for at, text in lines
        )
    )
    kinds = read_log(Source("zookeeper.log", path)).lines["kind"].to_list()
    groups: defaultdict[str, set[int]] = defaultdict(set)
    for (at, text), kind in zip(lines, kinds, strict=True):
        assert kind is not None, text
        groups[kind].add(at)
    assert len(TEMPLATES) == 50
    joined = [{short(TEMPLATES[at][2]) or TEMPLATES[at][2] for at in ats} for ats in groups.values() if len(ats) > 1]
    assert sorted(joined, key=sorted) == sorted(JOINED, key=sorted)
    assert sum(len(ats) for ats in groups.values()) == len(TEMPLATES), "a template is of two kinds"
