"""What servers print, by release: one row per spelling, which names an alternative of ``grammars/messages.lark``.

Strategy: the text itself stands in the grammar alone. A row says of which releases it is, which class prints it on which thread, and a
piece of fixed text that only this spelling of its kind has; ``rendering`` fills the alternative's fields. A phrase without a row for a
release is not printed by it.
"""

from __future__ import annotations

from dataclasses import dataclass

from zabtrace.protocol import legacy
from zabtrace.protocol.releases import EVERY, among

MAIN, PEER, RECEIVER, LISTENER, HANDLER, SYNC, CONNECTOR = "main", "peer", "receiver", "listener", "handler", "sync", "connector"
QUORUM, PERSISTENCE = "server.quorum", "server.persistence"


@dataclass(frozen=True)
class Phrase:
    """One spelling. ``logger`` is the class as %C prints it, ``package`` what follows org.apache.zookeeper in its name."""

    name: str
    releases: str
    kind: str
    logger: str
    thread: str = PEER
    has: str = ""
    """Fixed text, holes as {TERMINAL}, that tells the alternative from others of its kind."""
    level: str = "INFO"
    package: str = QUORUM
    follows: tuple[str, ...] = ()
    """Lines of a stack trace behind it; they may hold the phrase's own values."""


_CLOSED = ("java.io.EOFException", "\tat java.base/java.io.DataInputStream.readInt(DataInputStream.java:397)")
_SHUT = ("java.lang.Exception: shutdown Follower", "\tat org.apache.zookeeper.server.quorum.Follower.shutdown(Follower.java:166)")
_DOWN = ("java.lang.Exception: shutdown Leader! reason: {reason}, only synced with sids: {sids}",)
_FLE, _WORKER = "FastLeaderElection", "FastLeaderElection$Messenger$WorkerReceiver"
BOTH, SERVES = (
    "Follower sid: {INT} maxCommittedLog={HEX} minCommittedLog={HEX} l",
    "supporters; starting up and setting last processed zxid: ",
)
_LISTEN, _LISTEN_36 = "QuorumCnxManager$Listener", "QuorumCnxManager$Listener$ListenerHandler"

PHRASES = (
    Phrase("reading configuration", EVERY, "config_reading", "QuorumPeerConfig", MAIN),
    Phrase("starting", "3.4.0-3.4, 3.5.0-3.5.8, 3.6.0-3.6.1", "server_start", "QuorumPeerMain", MAIN, "peer"),
    Phrase("starting", "3.5.9-3.5, 3.6.2-", "server_start", "QuorumPeerMain", MAIN, "myid="),
    Phrase("environment", "3.4.0-3.4, 3.5.0-3.5", "environment", "Environment", MAIN, "Server", package=""),
    Phrase("environment", "3.6.0-", "environment", "Environment", MAIN, "Server", package=""),
    Phrase("current epoch missing", "3.4.0-3.4.2", "current_epoch_default", "QuorumPeer", MAIN, "default. "),
    Phrase("current epoch missing", "3.4.3-", "current_epoch_default", "QuorumPeer", MAIN, "{INT}"),
    Phrase("accepted epoch missing", "3.4.0-3.4.2", "accepted_epoch_default", "QuorumPeer", MAIN, "default. "),
    Phrase("accepted epoch missing", "3.4.3-", "accepted_epoch_default", "QuorumPeer", MAIN, "{INT}"),
    Phrase("election port", "3.4.0-3.4, 3.5.0-3.5.7, 3.6.0-3.6.0", "election_listener_up", _LISTEN, LISTENER, "My election"),
    Phrase("election port", "3.5.8-3.5", "election_listener_up", _LISTEN, LISTENER, "is accepting"),
    Phrase("election port", "3.6.1-", "election_listener_up", _LISTEN_36, LISTENER, "is accepting"),
    Phrase("looking", EVERY, "state_looking", "QuorumPeer"),
    Phrase("new election", "3.4.0-3.4.2", "fle_new_election", _FLE, has="Proposed"),
    Phrase("new election", "3.4.3-3.4, 3.5.0-3.5", "fle_new_election", _FLE, has="id =  {INT}, proposed"),
    Phrase("new election", "3.6.0-", "fle_new_election", _FLE, has="id = {INT}, proposed"),
    Phrase("notification", "3.4.0-3.4.2", "fle_notification_received", _FLE, RECEIVER, "{INT} (n.leader), {INT} (n.zxid)"),
    Phrase("notification", "3.4.3-3.4.5", "fle_notification_received", _FLE, RECEIVER, ": {INT} (n.leader), {HEX} (n.zxid)"),
    Phrase("notification", "3.4.6-3.4", "fle_notification_received", _FLE, RECEIVER, "(n.peerEpoch) {STATE}"),
    Phrase("notification", "3.5.0-3.5", "fle_notification_received", _FLE, RECEIVER, "(n.config version)"),
    Phrase("notification", "3.6.0-", "fle_notification_received", _WORKER, RECEIVER, "my state:"),
    Phrase("time out", "3.4.0-3.7", "fle_notification_timeout", _FLE, has="{INT}"),
    Phrase("time out", "3.8.0-", "fle_notification_timeout", _FLE, has=" ms"),
    Phrase("tally", legacy.RELEASES, "le_tally", "LeaderElection"),
    Phrase("tally entry", legacy.RELEASES, "le_tally_entry", "LeaderElection"),
    Phrase("old tally begins", legacy.RELEASES, "auth_fle_tally", "AuthFastLeaderElection"),
    Phrase("old tally passed", legacy.RELEASES, "auth_fle_passed", "AuthFastLeaderElection"),
    Phrase("state", "3.5.10-3.5, 3.6.0-", "peer_state_changed", "QuorumPeer", has="{ROLE}"),
    Phrase("phase", "3.5.10-3.5, 3.6.0-", "peer_state_changed", "QuorumPeer", has="{ROLE} - {PHASE}"),
    Phrase("following", EVERY, "state_following", "QuorumPeer"),
    Phrase("leading", EVERY, "state_leading", "QuorumPeer"),
    Phrase("observing", EVERY, "state_observing", "QuorumPeer"),
    Phrase("following took", "3.4.0-3.4, 3.5.0-3.5.1", "follower_elected", "Follower"),
    Phrase("following took", "3.5.2-", "follower_elected", "Follower", has=" MS"),
    Phrase("leading took", "3.4.0-3.4, 3.5.0-3.5.1", "leader_elected", "Leader"),
    Phrase("leading took", "3.5.2-", "leader_elected", "Leader", has=" MS"),
    Phrase("connected", "3.6.0-", "leader_connected", "Learner$LeaderConnector", CONNECTOR, "Successfully"),
    Phrase("observing leader", "3.4.0-3.4, 3.5.0-3.5", "observer_observing", "Observer", has="Observing {ADDRESS}"),
    Phrase("observing leader", "3.6.0-", "observer_observing", "Observer", has="new leader"),
    Phrase("learner info", EVERY, "follower_info", "LearnerHandler", HANDLER),
    Phrase("sync decision", "3.4.0-3.4.2", "sync_decision", "LearnerHandler", HANDLER, "maxCommittedLog ="),
    Phrase("sync decision", "3.4.3-3.4", "sync_decision", "LearnerHandler", HANDLER, "minCommittedLog={HEX} peerLastZxid="),
    Phrase("sync decision", "3.5.0-3.5", "sync_decision", "LearnerHandler", HANDLER, BOTH),
    Phrase("sync decision", "3.6.0-", "sync_decision", "LearnerHandler", HANDLER, "with Learner"),
    Phrase("sync equal", "3.4.7-3.4", "sync_diff_empty", "LearnerHandler", HANDLER),
    Phrase("sync equal", "3.5.0-", "sync_diff", "LearnerHandler", HANDLER, "{HEX} for"),
    Phrase("sync log", "3.5.0-", "sync_use_committed_log", "LearnerHandler", HANDLER),
    Phrase("sync disk", "3.5.0-", "sync_use_txnlog", "LearnerHandler", HANDLER),
    Phrase("sync refused", "3.5.0-", "sync_trunc_refused_epoch", "LearnerHandler", HANDLER, level="WARN"),
    Phrase("sync diff", "3.5.0-3.5", "sync_diff", "LearnerHandler", HANDLER, "{HEX} for"),
    Phrase("sync diff", "3.6.0-", "sync_diff", "LearnerHandler", HANDLER, "{HEX}  for"),
    Phrase("sync trunc", "3.5.0-3.5", "sync_trunc_diff", "LearnerHandler", HANDLER, "{HEX} for"),
    Phrase("sync trunc", "3.6.0-", "sync_trunc_diff", "LearnerHandler", HANDLER, "{HEX}  for"),
    Phrase("sync mode", "3.4.4-3.4", "sync_mode", "LearnerHandler", HANDLER),
    Phrase("sync snap", "3.4.0-3.4", "sync_snap", "LearnerHandler", HANDLER, "{HEX}sent"),
    Phrase("sync snap", "3.5.0-3.5", "sync_snap", "LearnerHandler", HANDLER, "concurrent snapshots"),
    Phrase("sync snap", "3.6.0-", "sync_snap", "LearnerHandler", HANDLER, "concurrent snapshot sync"),
    Phrase("learner diff", EVERY, "learner_diff", "Learner"),
    Phrase("learner snap", "3.4.0-3.4.10, 3.5.0-3.5.3", "learner_snap", "Learner", has="leader"),
    Phrase("learner snap", "3.4.11-3.4, 3.5.4-", "learner_snap", "Learner", has="leader {HEX}"),
    Phrase("learner trunc", EVERY, "learner_trunc", "Learner", level="WARN"),
    Phrase("new leader", "3.5.0-", "newleader", "Learner"),
    Phrase("new leader acked", "3.4.6-3.4", "newleader_ack", "LearnerHandler", HANDLER),
    Phrase("quorum", "3.4.0-3.4.2", "quorum_supported", "Leader", HANDLER, SERVES + "{INT}"),
    Phrase("quorum", "3.4.3-3.4.5", "quorum_supported", "Leader", HANDLER, SERVES + "{HEX}"),
    Phrase("quorum", "3.4.6-", "quorum_supported", "Leader", has="sids"),
    Phrase("up to date", "3.5.0-", "uptodate", "Learner"),
    Phrase("snapshot", "3.4.0-3.4.2", "snapshot_start", "FileTxnSnapLog", has="Snapshotting: {HEX}", package=PERSISTENCE),
    Phrase("snapshot", "3.4.3-", "snapshot_start", "FileTxnSnapLog", has="to {TEXT}", package=PERSISTENCE),
    Phrase("log created", EVERY, "txnlog_created", "FileTxnLog", SYNC, package=PERSISTENCE),
    Phrase("following ended", EVERY, "follower_exception", "Follower", level="WARN", follows=_CLOSED),
    Phrase("observing ended", EVERY, "observer_exception", "Observer", level="WARN", follows=_CLOSED),
    Phrase("goodbye", EVERY, "learner_gone", "LearnerHandler", HANDLER, level="WARN"),
    Phrase("learner stops", "3.4.0-3.4, 3.5.0-3.5", "shutdown_follower", "Follower", has="called", follows=_SHUT),
    Phrase("learner stops", "3.6.0-", "shutdown_follower", "Follower", has="Follower"),
    Phrase("lost quorum", "3.4.0-3.4, 3.5.0-3.5", "shutdown_leader", "Leader", follows=_DOWN),
    Phrase("lost quorum", "3.6.0-", "lost_quorum", "Leader", has="{LOST}"),
    Phrase("no quorum", "3.4.0-3.4, 3.5.0-3.5", "shutdown_leader", "Leader", follows=_DOWN),
    Phrase("no quorum", "3.6.0-", "leader_sync_timeout", "Leader", has="{WAITING}"),
)  # fmt: skip


def phrase(name: str, release: str) -> Phrase | None:
    """The spelling of a release, None where it prints nothing of that sort."""
    return next((row for row in PHRASES if row.name == name and among(release, row.releases)), None)
