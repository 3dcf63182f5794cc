"""Handshakes: the leader's and the learner's lines about one synchronization, and which belong together.

Strategy: a LearnerHandler thread serves one connection, so its name joins the leader's lines of one learner. A learner's own
lines come in the order in which it met its leaders; so do, by epoch, the leaders' lines about it. ``paired`` aligns the two
sequences like texts, where leaders, modes and zxids must not contradict each other. No clock is looked at.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from zabtrace.replay.roles import Interval, Stage

LEADER_LINES = (
    "follower_info", "follower_info_not_in_config", "sync_decision", "sync_use_committed_log", "sync_use_txnlog", "sync_diff",
    "sync_diff_empty", "sync_trunc", "sync_trunc_diff", "sync_diff_misprinted_trunc", "sync_mode", "sync_trunc_refused_epoch",
    "sync_fallback_snap", "sync_force_snap", "sync_snap", "newleader_ack",
)  # fmt: skip
SURE = 5
"""An agreement that includes a zxid."""
_CELLS, _BAND = 1_000_000, 50
_LEADER_FIELDS = (
    "thread", "sid", "zxid", "mode", "max_committed", "min_committed", "last_processed", "peer_zxid", "leader_zxid", "db_zxid",
)  # fmt: skip
LEARNER_LINES = {"learner_diff": "DIFF", "learner_trunc": "TRUNC", "learner_snap": "SNAP"}


@dataclass(eq=False, slots=True)
class Sent:
    """A synchronization as the leader printed it (LearnerHandler.syncFollower)."""

    interval: Interval
    learner: int
    at: int
    time: datetime | None
    source: str
    line: int
    max_committed: int | None = None
    min_committed: int | None = None
    last_processed: int | None = None
    peer_zxid: int | None = None
    walked: str | None = None
    """Which history it walked: 'committedLog' or 'txnlog and committedLog'."""
    diff: int | None = None
    trunc: int | None = None
    mode: str | None = None
    """DIFF, TRUNC or SNAP as announced (3.4: the mode line); a later snapshot overrides it."""
    equal: bool = False
    refused: bool = False
    forced: bool = False
    snapshot: int | None = None

    @property
    def established(self) -> bool:
        """Was it printed after the leader had its quorum?"""
        return self.interval.served_at is not None and self.at > self.interval.served_at

    @property
    def leader_end(self) -> int | None:
        """The leader's own last zxid when it decided, as far as its lines tell (3.4 prints no lastProcessedZxid)."""
        if self.last_processed is not None:
            return self.last_processed
        return self.peer_zxid if self.equal else self.max_committed or None

    @property
    def log_end(self) -> int | None:
        """maxCommittedLog; of an empty log, printed as 0, the last processed zxid (LearnerHandler.syncFollower, 3.5.0+)."""
        return self.last_processed if self.max_committed == 0 and self.last_processed is not None else self.max_committed

    def zxids(self) -> set[int | None]:
        """The zxids that its first packet may carry."""
        return {self.diff, self.trunc, self.log_end, self.max_committed, self.peer_zxid, self.last_processed, self.snapshot}


@dataclass(eq=False, slots=True)
class Received:
    """A synchronization as the learner printed it (Learner.syncWithLeader)."""

    interval: Interval
    mode: str
    zxid: int | None
    at: int
    time: datetime | None
    source: str
    line: int


def received(stage: Stage) -> list[Received]:
    """The learners' lines, in order per server."""
    found = [(stage.intervals[row["interval"]], row) for row in stage.each(LEARNER_LINES, "zxid")]
    return [
        Received(interval, LEARNER_LINES[row["kind"]], row["zxid"], row["at"], row["time"], row["source"], row["line"])
        for interval, row in found
        if interval.role in ("FOLLOWING", "OBSERVING", "UNKNOWN")
    ]


def sent(stage: Stage) -> list[Sent]:
    """The leaders' lines, one Sent per connection that came as far as the decision, in order per server."""
    sids: dict[tuple[int, object], int] = {}
    current: dict[tuple[int, object], Sent] = {}
    found: list[Sent] = []
    for row in stage.each(LEADER_LINES, *_LEADER_FIELDS):
        interval = stage.intervals[row["interval"]]
        if interval.learns:  # an observer master's lines
            continue
        key = (row["server"], _thread(row))
        if row["sid"] is not None:
            sids[key] = row["sid"]
        if row["kind"] == "sync_decision" or (row["kind"] == "sync_snap" and key not in current and key in sids):
            current[key] = Sent(interval, sids[key], row["at"], row["time"], row["source"], row["line"])
            found.append(current[key])
        if key in current:
            NOTES.get(row["kind"], _nothing)(current[key], row)
    return found


def _thread(row: dict[str, Any]) -> object:
    """What joins the lines of one connection: the thread, or the learner where the layout prints none."""
    thread = row["thread"]
    return thread if thread is not None and "LearnerHandler" in thread else row["sid"]


def _nothing(_: Sent, __: dict[str, Any]) -> None:
    """Lines that only name the learner."""


def _decision(sent: Sent, row: dict[str, Any]) -> None:
    sent.max_committed, sent.min_committed = row["max_committed"], row["min_committed"]
    sent.last_processed, sent.peer_zxid = row["last_processed"], row["peer_zxid"]


def _diff(sent: Sent, row: dict[str, Any]) -> None:
    sent.mode, sent.diff = "DIFF", row["zxid"]


def _trunc(sent: Sent, row: dict[str, Any]) -> None:
    # 3.6.0 to 3.8.6 print "Sending TRUNC" for the empty DIFF to a learner whose counter is 0 (LearnerHandler.queueCommittedProposals)
    if sent.peer_zxid is not None and sent.peer_zxid & 0xFFFFFFFF == 0:
        sent.mode, sent.diff = "DIFF", row["zxid"]
    else:
        sent.mode, sent.trunc = ("TRUNC+DIFF" if row["kind"] == "sync_trunc_diff" else "TRUNC"), row["zxid"]


def _snap(sent: Sent, row: dict[str, Any]) -> None:
    sent.mode = "SNAP"
    sent.snapshot = next((row[name] for name in ("db_zxid", "leader_zxid") if row[name] is not None), None)
    sent.peer_zxid = row["peer_zxid"] if sent.peer_zxid is None else sent.peer_zxid


def _setter(name: str, value: object = True) -> Callable[[Sent, dict[str, Any]], None]:
    return lambda sent, _: setattr(sent, name, value)


NOTES: dict[str, Callable[[Sent, dict[str, Any]], None]] = {
    "sync_decision": _decision,
    "sync_use_committed_log": _setter("walked", "committedLog"),
    "sync_use_txnlog": _setter("walked", "txnlog and committedLog"),
    "sync_diff": _diff,
    "sync_diff_empty": _setter("equal"),
    "sync_trunc": _trunc,
    "sync_trunc_diff": _trunc,
    "sync_diff_misprinted_trunc": _trunc,
    "sync_mode": lambda sent, row: setattr(sent, "mode", row["mode"]),
    "sync_trunc_refused_epoch": _setter("refused"),
    "sync_force_snap": _setter("forced"),
    "sync_snap": _snap,
}
"""What each of the leader's lines adds to what is known of the synchronization."""


def paired(learner: Sequence[Received], leaders: Sequence[Sent]) -> list[tuple[Received | None, Sent | None]]:
    """Both sides of one learner's synchronizations, each once, in order; what has no counterpart stands alone.

    Ends that agree in their zxids are matched off; between them the alignment with the best score is taken, of equal ones the one
    that pairs the later lines, as logs lose their beginnings.
    """
    tail: list[tuple[Received | None, Sent | None]] = []
    i, j = len(learner), len(leaders)
    while i and j and agreement(learner[i - 1], leaders[j - 1]) >= SURE:
        i, j = i - 1, j - 1
        tail.append((learner[i], leaders[j]))
    return _aligned(learner[:i], leaders[:j]) + tail[::-1]


def _aligned(learner: Sequence[Received], leaders: Sequence[Sent]) -> list[tuple[Received | None, Sent | None]]:
    rows, columns = len(learner), len(leaders)
    narrow = rows * columns > _CELLS  # of a learner that came thousands of times the far corners are not compared
    best: dict[tuple[int, int], int] = {}
    for i in range(1, rows + 1):
        for j in range(1, columns + 1):
            if narrow and abs((rows - i) - (columns - j)) > _BAND:
                continue
            score = agreement(learner[i - 1], leaders[j - 1])
            through = best.get((i - 1, j - 1), 0) + score if score else 0
            best[i, j] = max(best.get((i - 1, j), 0), best.get((i, j - 1), 0), through)
    found: list[tuple[Received | None, Sent | None]] = []
    i, j = rows, columns
    while i or j:
        score = agreement(learner[i - 1], leaders[j - 1]) if i and j else 0
        if score and best.get((i, j), 0) == best.get((i - 1, j - 1), 0) + score:
            i, j = i - 1, j - 1
            found.append((learner[i], leaders[j]))
        elif j and (not i or best.get((i, j), 0) == best.get((i, j - 1), 0)):
            j -= 1
            found.append((None, leaders[j]))
        else:
            i -= 1
            found.append((learner[i], None))
    return found[::-1]


def agreement(learner: Received, leader: Sent) -> int:
    """How well two sides fit: 0 where they contradict each other, more where their zxids are equal."""
    if learner.interval.leader not in (None, leader.interval.server) or learner.interval.server != leader.learner:
        return 0
    if leader.mode is not None and (learner.mode == "SNAP") != (leader.mode == "SNAP"):
        return 0
    exact = {"DIFF": leader.diff, "TRUNC": leader.trunc, "SNAP": leader.snapshot}[learner.mode]
    if learner.zxid is not None and exact is not None and learner.zxid != exact:
        return 0
    return 2 + 3 * (learner.zxid is not None and learner.zxid in leader.zxids()) + 2 * (learner.interval.leader is not None)


def by_learner(sides: Sequence[Sent]) -> dict[int, list[Sent]]:
    """The leaders' sides per learner, in the order given."""
    groups: dict[int, list[Sent]] = defaultdict(list)
    for side in sides:
        groups[side.learner].append(side)
    return groups
