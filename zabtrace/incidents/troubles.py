"""Troubles: what a server's own lines say about its memory, its disk, its pauses, and limits that were too small for them.

Strategy: lines about failures and slowness are found by interval (``Scene.grave``, ``Scene.slow``); one that stands near the loss is its
probable cause. What took longer than the limit it had to keep makes that limit too small, and the limit is named.
"""

from __future__ import annotations

from collections.abc import Iterator

from zabtrace.incidents.case import NEAR, Case, Cause, upper
from zabtrace.incidents.notices import LEADER, LEARNER, PROCESS, Notice
from zabtrace.incidents.scene import Row, shown
from zabtrace.replay.roles import Interval
from zabtrace.wording import duration

SLOW = {"jvm_pause": "its JVM paused for", "txnlog_fsync_slow": "an fsync took", "snapshot_taken": "a snapshot took"}
TROUBLES = (
    ("OutOfMemoryError", "its JVM ran out of memory"),
    ("No space left on device", "its disk was full"),
    ("Disk quota exceeded", "its disk quota was used up"),
    ("Read-only file system", "its file system had become read-only"),
    ("Input/output error", "its disk failed"),
    ("from thread : SyncThread", "the thread that writes its log failed"),
    ("Severe unrecoverable error", "one of its threads failed"),
)
"""A part of a line or of its stack trace -> what it means. The first that fits names the trouble."""


def _patience(case: Case, server: int) -> int:
    return case.scene.limit(server, "syncLimit") or NEAR


AFTERWARDS = ("Socket", "socket", "EOFException", "Connection reset", "Broken pipe")
"""Heads of stack traces that follow from the loss: SendAckRequestProcessor fails in the sync thread when the connection is gone."""


def _trouble(row: Row) -> str | None:
    if any(word in (row["trace"] or "") for word in AFTERWARDS):
        return None
    text = f"{row['message'] or ''} {row['trace'] or ''}"
    return next((meaning for word, meaning in TROUBLES if word in text), None)


def _told(case: Case, interval: Interval, rows: list[Row]) -> Cause | None:
    found = [(row, meaning) for row in rows if (meaning := _trouble(row)) is not None]
    if not found:
        return None
    row, meaning = found[0]
    quote = str(row["trace"] or row["message"] or "")[:160]
    return Cause(f"{upper(case.named(interval.server))}: {meaning}: {quote}", tuple(shown(row) for row, _ in found[:3]))


def own_trouble(case: Case, notice: Notice) -> Cause | None:
    """Its own memory or disk failed shortly before it noticed the loss."""
    if notice.side == PROCESS or notice.time is None:
        return None
    span = _patience(case, notice.server)
    rows = case.scene.grave.get(notice.interval.index, ())
    near = [row for row in rows if row["time"] is not None and -NEAR <= _ms(row, notice) <= span]
    return _told(case, notice.interval, near)


def _ms(row: Row, notice: Notice) -> float:
    """ms from a line to the notice, both of one server."""
    return (notice.time - row["time"]).total_seconds() * 1000 if notice.time is not None else 0.0


def other_trouble(case: Case, notice: Notice) -> Cause | None:
    """The lost server's memory or disk failed at the end of the interval in which it was lost."""
    other = notice.other
    if notice.side not in (LEADER, LEARNER) or other is None or other.end is None:
        return None
    span = _patience(case, notice.server) + NEAR
    rows = case.scene.grave.get(other.index, ())
    return _told(case, other, [row for row in rows if row["time"] is None or (other.end - row["time"]).total_seconds() * 1000 <= span])


def slow(case: Case, notice: Notice) -> Cause | None:
    """The lost server was slow: a JVM pause, an fsync or a snapshot that took at least a third of the time it had."""
    other = notice.other
    if other is None or not notice.silent or notice.time is None or notice.side not in (LEADER, LEARNER):
        return None
    limit = _patience(case, notice.server)
    for row in _slow_rows(case, other, limit):
        least, most = case.clocks.later(row["time"], other.server, notice.time, notice.server)
        if least <= limit and most >= -(limit + row["ms"]) and most - least <= limit:
            return _slowness(case, other.server, notice.server, row)
    return None


def slow_itself(case: Case, notice: Notice) -> Cause | None:
    """It was slow itself when, or shortly before, its connection was closed: nobody heard of it meanwhile."""
    if notice.time is None or notice.side not in (LEADER, LEARNER):
        return None
    limit = _patience(case, notice.server)
    for row in _slow_rows(case, notice.interval, limit):
        if -row["ms"] <= _ms(row, notice) <= NEAR and (not notice.silent or row["ms"] >= limit):
            return _slowness(case, notice.server, notice.server, row)
    return None


def _slow_rows(case: Case, interval: Interval, limit: int) -> Iterator[Row]:
    """Lines about what took at least a third of the limit, the longest first."""
    rows = [row for row in case.scene.slow.get(interval.index, ()) if row["time"] is not None and row["ms"] is not None]
    yield from sorted((row for row in rows if row["ms"] * 3 >= limit), key=lambda row: -row["ms"])


def _slowness(case: Case, server: int, waiting: int, row: Row) -> Cause:
    limit = case.scene.limit(waiting, "syncLimit")
    small = ""
    if limit is not None:
        small = f"; syncLimit ({duration(limit)}) is too small for that" if row["ms"] >= limit else f"; syncLimit is {duration(limit)}"
    return Cause(f"{upper(case.named(server))} was slow: {SLOW[row['kind']]} {duration(row['ms'])}{small}", (shown(row),))


def limits(case: Case, notice: Notice) -> Cause | None:
    """One side waited in vain before the learner was up to date: initLimit is the time granted for that (Learner.syncWithLeader)."""
    other = case.counterpart(notice)
    waited = notice if notice.silent else other if other is not None and other.silent else None
    if waited is None or waited.side not in (LEADER, LEARNER) or not waited.before_service:
        return None
    limit = case.scene.limit(waited.server, "initLimit")
    told = f"initLimit ({duration(limit)})" if limit else "initLimit"
    learner = waited.interval if waited.side == LEADER else waited.other
    received = case.scene.snapshots_received.get(learner.index) if learner is not None else None
    what = "snapshot" if received is not None else "synchronization"
    said = (*(() if received is None else (shown(received),)), *(() if waited is notice else (waited.evidence,)))
    return Cause(f"{told} was too small for the {what}: the learner was not up to date when the time was over", said)
