"""Notices: each time a server lost another, as the server that noticed it printed it.

Strategy: a learner lost its leader where its FOLLOWING or OBSERVING ended in LOOKING; a leader lost a learner where that learner's
handler says goodbye before the leader itself stepped down; a leader lost its role where it stepped down; a process was lost where the
next one of that server begins. Each notice knows the intervals of both sides, so that ``causes`` can look on either.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from zabtrace.incidents.scene import Evidence, Row, Scene, shown
from zabtrace.replay.roles import Interval

EXCEPTIONS = ("follower_exception", "observer_exception")
DOWN = ("lost_quorum", "leader_sync_timeout", "zxid_rollover", "shutdown_leader", "not_designated_leader")
HANDLER = ("follower_info", "learner_exception", "learner_ack_timeout", "learner_connection_detail", "learner_gone", "newleader_ack")
LEADER, LEARNER, ROLE, PROCESS = "leader", "learner", "role", "process"


@dataclass(frozen=True)
class Notice:
    """One server's line about one loss. ``side``: what was lost, the leader, a learner, the own role or the own process."""

    side: str
    server: int
    lost: int | None
    time: datetime | None
    at: int
    interval: Interval
    other: Interval | None
    """The lost server's interval, where its log is there and shows it."""
    trace: str
    """First line of the stack trace, or the reason."""
    evidence: Evidence
    before_service: bool = False
    """The learner was not up to date yet."""

    @property
    def silent(self) -> bool:
        """It waited in vain: the other side sent nothing, and did not close the connection either."""
        return "Read timed out" in self.trace or "transaction timeout" in self.trace

    @property
    def place(self) -> tuple[int, int]:
        """Order of notices of one server."""
        return self.server, self.at


def notices(scene: Scene) -> list[Notice]:
    """All notices, in order per server."""
    found = [*_leaders(scene), *_learners(scene), *_roles(scene), *_processes(scene)]
    return sorted(found, key=lambda notice: notice.place)


def _leaders(scene: Scene) -> Iterator[Notice]:
    said = scene.per_interval((*EXCEPTIONS, "shutdown_follower", "shutdown_observer"), "message", "trace")
    for interval in scene.stage.of("FOLLOWING", "OBSERVING"):
        after = interval.after
        if after is None or after.role != "LOOKING":
            continue
        lines = said.get(interval.index, [])
        row = next((row for row in lines if row["kind"] in EXCEPTIONS), lines[0] if lines else None)
        term = scene.terms.of.get(interval.index)
        other = term.interval if term is not None else None
        evidence = shown(row) if row else {"source": after.source, "line": after.line, "says": "LOOKING"}
        time, at = (row["time"], row["at"]) if row else (after.start, after.at)
        trace = (row["trace"] or "") if row else ""
        early = interval.uptodate_at is None and interval.served_at is None
        yield Notice(LEADER, interval.server, interval.leader, time, at, interval, other, trace, evidence, early)


def _learners(scene: Scene) -> Iterator[Notice]:
    ends = _stepping_down(scene)
    telling = {scene.stage.intervals[row["interval"]].server for row in scene.stage.each(["newleader_ack"])}
    for number, rows in scene.by_interval(HANDLER, "thread", "sid", "message", "trace"):
        interval = scene.stage.intervals[number]
        if interval.role != "LEADING":
            continue
        until = ends.get(number, interval.end_at)
        own = [row for row in rows if row["at"] < until and "LearnerHandler" in (row["thread"] or "")]
        yield from _handlers(scene, interval, own, interval.server in telling)


def _handlers(scene: Scene, interval: Interval, rows: list[Row], telling: bool) -> Iterator[Notice]:
    """One notice per handler that came to its end: its first complaint, else its goodbye.

    ``telling``: this server prints when NEWLEADER is acknowledged, so that a handler without that line had not come so far.
    """
    sids: dict[str, int] = {}
    acknowledged: set[str] = set()
    complaint: dict[str, Row] = {}
    for row in rows:
        thread = row["thread"]
        if row["kind"] == "follower_info":
            if row["sid"] is not None:
                sids[thread] = row["sid"]
        elif row["kind"] == "newleader_ack":
            acknowledged.add(thread)
        elif row["kind"] in ("learner_exception", "learner_ack_timeout"):
            complaint.setdefault(thread, row)
        elif row["kind"] == "learner_gone":
            first = complaint.pop(thread, row)
            lost = sids.get(thread)
            trace = first["message"] if first["kind"] == "learner_ack_timeout" else first["trace"] or ""
            other = _learner(scene, interval, lost, first["at"])
            early = telling and thread not in acknowledged
            yield Notice(LEARNER, interval.server, lost, first["time"], first["at"], interval, other, trace, shown(first), early)


def _learner(scene: Scene, interval: Interval, sid: int | None, at: int) -> Interval | None:
    """The interval of the learner that this leader synchronized last before ``at``; without that, its only one in the term.

    One that it synchronized later is none: an earlier process of that server was lost, and its log is missing.
    """
    term = scene.terms.of.get(interval.index)
    if term is None or sid is None:
        return None
    sides = [(sent.at, mine) for mine, sent in term.handshakes if sent is not None and sent.learner == sid and sent.at < at]
    if sides and (mine := max(sides, key=lambda side: side[0])[1]) is not None:
        return mine.interval
    later = {mine.interval.index for mine, sent in term.handshakes if mine is not None and sent is not None and sent.at >= at}
    only = [i for i in term.learners if i.server == sid and i.index not in later]
    return only[0] if len(only) == 1 else None


def _stepping_down(scene: Scene) -> dict[int, int]:
    """Where each leader that stepped down began to: what its handlers print behind it is its own doing."""
    found: dict[int, int] = {}
    for row in scene.stage.each(DOWN):
        found.setdefault(row["interval"], row["at"])
    return found


def _roles(scene: Scene) -> Iterator[Notice]:
    said = scene.per_interval((*DOWN, "quorum_peer_exception", "init_limit_too_small"), "message", "trace")
    for interval in scene.stage.of("LEADING"):
        after = interval.after
        if after is None:
            continue
        row = next((row for row in said.get(interval.index, ()) if row["kind"] in DOWN), None)
        evidence = shown(row) if row else {"source": after.source, "line": after.line, "says": after.role}
        trace = f"{row['message']} {row['trace'] or ''}" if row else ""
        time, at = (row["time"], row["at"]) if row else (after.start, after.at)
        yield Notice(ROLE, interval.server, interval.server, time, at, interval, interval, trace, evidence)


def _processes(scene: Scene) -> Iterator[Notice]:
    for interval in scene.stage.of("DOWN"):
        last = scene.stage.intervals[interval.index - 1]
        evidence = {"source": interval.end_source, "line": interval.end_line, "says": None}
        yield Notice(PROCESS, interval.server, interval.server, interval.start, interval.at, last, last, "", evidence)
