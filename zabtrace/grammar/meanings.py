"""What the kinds of events mean: a table beside the grammar, and for those that bear on losses what to look at next."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from zabtrace.grammar import notation

FILE = "meanings.tsv"


@dataclass(frozen=True)
class Meaning:
    """A kind of event: the releases that print it, and what it says."""

    versions: str
    text: str


@dataclass(frozen=True)
class Sign:
    """Whether a kind is a sign of lost or discarded writes, and what to look at next."""

    loss: str
    next_step: str


_TAIL = (
    "Compare the server's last zxid with what the new epoch kept: zabtrace verify EVIDENCE, best with its data from before the restart "
    "(--before)."
)
SIGNS = {
    "learner_trunc": Sign("yes: the server's log is cut behind this zxid; what was there is discarded, committed or not", _TAIL),
    "sync_trunc": Sign("yes: the leader orders a learner to cut its log", _TAIL),
    "sync_trunc_diff": Sign("yes: the leader orders a learner to cut its log, then sends what it lacks", _TAIL),
    "sync_trunc_refused_epoch": Sign("yes: the learner has a tail of an older epoch that nobody else has; a snapshot will hide it", _TAIL),
    "sync_fallback_snap": Sign("possible: a snapshot replaces the learner's tree, whatever its log holds", _TAIL),
    "sync_snap": Sign("possible: compare the peer's zxid with the leader's", _TAIL),
    "learner_snap": Sign("possible: the snapshot hides what this server's log holds beyond the leader's history", _TAIL),
    "learner_diff": Sign("no: the learner only lacked what the leader sends", "zabtrace syncs EVIDENCE lists all synchronizations."),
    "current_epoch_older_than_zxid": Sign("possible", "zabtrace check EVIDENCE"),
    "lost_quorum": Sign("no, but writes in flight got no answer", "zabtrace incidents EVIDENCE names whom the leader lost, and why."),
    "shutdown_leader": Sign("no, but writes in flight got no answer", "zabtrace incidents EVIDENCE names whom the leader lost, and why."),
    "digest_mismatch": Sign("yes: two servers' trees differ", "zabtrace check EVIDENCE; zabtrace diff compares the servers' trees."),
    "follower_exception": Sign("no, but the server left its leader", "Its stack trace tells why; zabtrace incidents EVIDENCE."),
    "fle_new_election": Sign("no: an election begins; the zxid is the last one this server has logged", "zabtrace elections EVIDENCE"),
    "quorum_supported": Sign("no: an epoch is established here", "zabtrace epochs EVIDENCE"),
    "snapshot_start": Sign("no", "zabtrace check EVIDENCE says whether the snapshot is sound."),
}
UNSURE = Sign("not by itself", "zabtrace incidents EVIDENCE and zabtrace verify EVIDENCE tell what happened around it.")

# heads of stack traces that Java itself words, and what they show of the other side or of the own one
TRACES = (
    ("EOFException", "the peer closed the connection, or died"),
    ("SocketTimeoutException", "the peer was silent for too long: paused, overloaded or cut off"),
    ("ConnectException", "nobody listens there: the peer's process is down, or not yet up"),
    ("SocketException: Connection reset", "the peer's process ended, or its host dropped the connection"),
    ("SocketException: Socket closed", "this side closed the connection itself"),
    ("Broken pipe", "the peer had closed the connection already"),
    ("InterruptedException", "a thread of this server was told to stop"),
    ("NoRouteToHostException", "the network does not reach the peer"),
    ("UnknownHostException", "the peer's name has no address"),
    ("CancelledKeyException", "the client's connection is closed already"),
    ("ZooKeeperServer not running", "a client asks while this server has no leader"),
)


def trace_meaning(head: str) -> str | None:
    """What the head of a stack trace shows, where it is one of TRACES."""
    return next((meaning for text, meaning in TRACES if text in head), None)


@cache
def meanings() -> dict[str, Meaning]:
    """Meanings by kind."""
    rows = [line.split("\t") for line in notation.source(FILE).splitlines()[1:]]
    return {kind: Meaning(versions, text) for kind, versions, text in rows}
