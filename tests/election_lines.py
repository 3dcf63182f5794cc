"""Server logs of made-up ensembles, line by line as 3.8.0 prints them, for tests of elections and losses, and for the benchmark."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

START = datetime(2026, 11, 21, tzinfo=UTC)
PEER = "QuorumPeer[myid={sid}](plain=127.0.0.{sid}:2181)(secure=disabled)"
VERSION = "3.8.0-5a02a05eddb59aee6ac762f7ea82e92a68eb9c0f"


@dataclass
class Log:
    """One server's log; ``ms`` counts from START."""

    sid: int
    lines: list[str] = field(default_factory=list)

    def say(self, ms: int, logger: str, text: str, thread: str | None = None, level: str = "INFO", trace: str = "") -> None:
        """One record, with its stack trace."""
        stamp = (START + timedelta(milliseconds=ms)).strftime("%Y-%m-%d %H:%M:%S,%f")[:-3]
        name = thread if thread is not None else PEER.format(sid=self.sid)
        self.lines.append(f"{stamp} [myid:] - {level:<5} [{name}:{logger}@1] - {text}" + (f"\n{trace}" if trace else ""))

    def starts(self, ms: int, version: str = VERSION) -> None:
        """The head of a process."""
        self.say(ms, "o.a.z.s.q.QuorumPeerMain", f"Starting quorum peer, myid={self.sid}", "main")
        self.say(ms, "o.a.z.Environment", f"Server environment:zookeeper.version={version}, built on x", "main")
        port = f"{self.sid} is accepting connections now, my election bind port: /127.0.0.{self.sid}:3888"
        self.say(ms, "o.a.z.s.q.QuorumCnxManager$Listener$ListenerHandler", port, f"ListenerHandler-/127.0.0.{self.sid}:3888")

    def looks(self, ms: int, zxid: int) -> None:
        """LOOKING, with its own proposal."""
        self.say(ms, "o.a.z.s.q.QuorumPeer", "LOOKING")
        self.say(ms, "o.a.z.s.q.FastLeaderElection", f"New election. My id = {self.sid}, proposed zxid=0x{zxid:x}")

    def hears(
        self, ms: int, sid: int, leader: int, round_: int, epoch: int, zxid: int, state: str = "LOOKING", mine: str = "LOOKING"
    ) -> None:
        """A notification."""
        told = (
            f"Notification: my state:{mine}; n.sid:{sid}, n.state:{state}, n.leader:{leader}, n.round:0x{round_:x}, "
            f"n.peerEpoch:0x{epoch:x}, n.zxid:0x{zxid:x}, message format version:0x2, n.config version:0x0"
        )
        logger, thread = "o.a.z.s.q.FastLeaderElection$Messenger$WorkerReceiver", f"WorkerReceiver[myid={self.sid}]"
        self.say(ms, logger, told, thread)

    def hears_all(self, ms: int, sids: Iterable[int], leader: int, epoch: int, zxid: int, round_: int = 1) -> None:
        """A round of equal servers: each one's vote for itself, and 10 ms later each one's for ``leader``."""
        listed = list(sids)
        for sid in listed:
            self.hears(ms, sid, sid, round_, epoch, zxid)
        for sid in listed:
            self.hears(ms + 10, sid, leader, round_, epoch, zxid)

    def leads(self, ms: int, epoch: int, learners: Iterable[int], peer: int, last: int) -> None:
        """LEADING, the synchronization of its learners, and its quorum 20 ms later."""
        self.say(ms, "o.a.z.s.q.QuorumPeer", "LEADING")
        self.say(ms + 1, "o.a.z.s.q.Leader", "LEADING - LEADER ELECTION TOOK - 201 MS")
        for sid in learners:
            self.accepts(ms + 10, sid, peer, last)
        sids = ", ".join(str(sid) for sid in sorted({self.sid, *learners}))
        quorum = f"Have quorum of supporters, sids: [[{sids}]]; starting up and setting last processed zxid: 0x{epoch << 32:x}"
        self.say(ms + 20, "o.a.z.s.q.Leader", quorum)

    def accepts(self, ms: int, sid: int, peer: int, last: int) -> None:
        """One learner's handler up to its DIFF."""
        thread, logger = f"LearnerHandler-/127.0.0.{sid}:{40000 + ms % 20000}", "o.a.z.s.q.LearnerHandler"
        self.say(ms, logger, f"Follower sid: {sid} : info : 127.0.0.{sid}:2888:3888:participant", thread)
        decision = f"Synchronizing with Learner sid: {sid} maxCommittedLog=0x{last:x} minCommittedLog=0x{min(last, 0x100000001):x} "
        self.say(ms, logger, f"{decision}lastProcessedZxid=0x{last:x} peerLastZxid=0x{peer:x}", thread)
        self.say(ms, logger, f"Sending DIFF zxid=0x{last:x} for peer sid: {sid}", thread)

    def follows(self, ms: int, leader: int, last: int) -> None:
        """FOLLOWING up to UPTODATE, 30 ms later."""
        self.say(ms, "o.a.z.s.q.QuorumPeer", "FOLLOWING")
        self.say(ms + 1, "o.a.z.s.q.Follower", "FOLLOWING - LEADER ELECTION TOOK - 201 MS")
        connected = f"Successfully connected to leader, using address: /127.0.0.{leader}:2888"
        self.say(ms + 5, "o.a.z.s.q.Learner$LeaderConnector", connected, f"LeaderConnector-/127.0.0.{leader}:2888")
        self.say(ms + 12, "o.a.z.s.q.Learner", f"Getting a diff from the leader 0x{last:x}")
        self.say(ms + 14, "o.a.z.s.q.Learner", "Learner received NEWLEADER message")
        self.say(ms + 30, "o.a.z.s.q.Learner", "Learner received UPTODATE message")

    def loses_leader(self, ms: int, trace: str) -> None:
        """Why it stopped following."""
        self.say(ms, "o.a.z.s.q.Follower", "Exception when following the leader", level="WARN", trace=trace)
        self.say(ms, "o.a.z.s.q.Follower", "shutdown Follower")

    def loses_learner(self, ms: int, sid: int, accepted: int, trace: str) -> None:
        """The end of the handler that accepted the learner at ``accepted``."""
        thread, logger = f"LearnerHandler-/127.0.0.{sid}:{40000 + accepted % 20000}", "o.a.z.s.q.LearnerHandler"
        self.say(ms, logger, "Unexpected exception causing shutdown while sock still open", thread, "ERROR", trace)
        self.say(ms, logger, f"******* GOODBYE /127.0.0.{sid}:{40000 + accepted % 20000} ********", thread, "WARN")


CONFIG = "tickTime=1000\ninitLimit=10\nsyncLimit=4\ndataDir=/data\n"


def saved(folder: Path, logs: Iterable[Log], config: str = CONFIG) -> Path:
    """The logs as evidence: one folder per server, with myid and zoo.cfg."""
    listed = list(logs)
    members = "".join(f"server.{log.sid}=127.0.0.{log.sid}:2888:3888\n" for log in listed)
    for log in listed:
        own = folder / f"server-{log.sid}"
        own.mkdir(parents=True)
        (own / "myid").write_text(f"{log.sid}\n")
        (own / "zoo.cfg").write_text(config + members)
        (own / "zookeeper.log").write_text("\n".join(log.lines) + "\n")
    return folder


def flapping(servers: int, elections: int) -> list[Log]:
    """An ensemble that elects its largest server again and again: each time the leader steps down and all look anew.

    Each server prints ``2 * servers - 1`` notifications per election (its own two votes, and both of each other server but the winner's
    second, which is none).
    """
    logs = [Log(sid) for sid in range(1, servers + 1)]
    for log in logs:
        log.starts(0)
    for number in range(elections):
        _one_election(logs, 1000 + number * 2000, number + 1)
    return logs


def _one_election(logs: list[Log], ms: int, round_: int) -> None:
    winner = logs[-1].sid
    end = (round_ - 1) << 32 | (round_ > 1)
    for log in logs:
        log.looks(ms, end)
        for sid in [log.sid, *(other.sid for other in logs if other is not log)]:
            log.hears(ms + 5, sid, sid, round_, round_ - 1, end)
        for sid in [log.sid, *(other.sid for other in logs if other is not log)]:
            if sid != winner:
                log.hears(ms + 8, sid, winner, round_, round_ - 1, end)
    learners = [log.sid for log in logs[:-1]]
    logs[-1].leads(ms + 210, round_, learners, end, end)
    for log in logs[:-1]:
        log.follows(ms + 210, winner, end)
        log.loses_leader(ms + 1000, "java.io.EOFException: null")
    for sid in learners:
        logs[-1].loses_learner(ms + 990, sid, ms + 220, "java.io.EOFException: null")
    down = f"Shutdown called. For the reason Not sufficient followers synced, only synced with sids: [ [{winner}] ]"
    logs[-1].say(ms + 995, "o.a.z.s.q.Leader", down)
