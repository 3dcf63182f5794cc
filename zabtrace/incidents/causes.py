"""Causes: what most probably made one server lose another, with the lines that show it.

Strategy: ``CAUSES`` is read from the top, the first function that finds its lines names the cause. What a server did to itself goes
first (a pause, its end, its own words), then what the other did, then what lies between them. Two servers' stamps are compared only as
far as CLOCKS allows. Where no function finds lines, no cause is visible, and none is named.
"""

from __future__ import annotations

from zabtrace.incidents.case import NEAR, Case, Cause, Finder, upper
from zabtrace.incidents.notices import LEADER, LEARNER, PROCESS, ROLE, Notice
from zabtrace.incidents.scene import Row, shown
from zabtrace.incidents.silence import Gap
from zabtrace.incidents.troubles import SLOW, limits, other_trouble, own_trouble, slow, slow_itself
from zabtrace.replay.processes import CUT_OFF, STILL_RUNNING
from zabtrace.replay.roles import Interval
from zabtrace.wording import duration, moment

LATE = 500
"""A running process notices a closed connection at once; one that notices it so many ms later was not running."""
UNREACHABLE = ("ConnectException", "Failed connect", "NoRouteToHost", "UnknownHost", "connect timed out", "Connect timed out")
CLOSED = ("EOFException", "Connection reset", "Broken pipe", "Socket closed", "Socket is closed", "Connection aborted")
"""Heads of stack traces: the other side closed the connection, or is no more."""


def own_words(case: Case, notice: Notice) -> Cause | None:
    """What the ended process said last: exit codes, out of memory, disk errors."""
    if notice.side != PROCESS:
        return None
    return _last_words(case, notice.interval) or Cause(f"{upper(case.named(notice.server))} was {_KILLED}")


_KILLED = "killed or stopped by a signal, or its machine failed: its log ends without a line"


def _last_words(case: Case, interval: Interval) -> Cause | None:
    """Grave lines near the end of the process that an interval ended; null where it ended without a word."""
    if not interval.last:
        return None
    rows = [row for row in case.scene.grave.get(interval.index, ()) if _near(row, interval)]
    if rows:
        return Cause(f"{upper(case.named(interval.server))}'s process ended: {_quote(rows[0])}", tuple(shown(row) for row in rows[:3]))
    said = case.scene.ended_by.get((interval.server, interval.process))
    if said is not None and said not in (CUT_OFF, STILL_RUNNING):
        return Cause(f"{upper(case.named(interval.server))}'s process ended, in its own words: {said}")
    return None


def _near(row: Row, interval: Interval) -> bool:
    return row["time"] is None or interval.end is None or abs((interval.end - row["time"]).total_seconds()) * 1000 <= NEAR


def _quote(row: Row) -> str:
    text = row["trace"] or row["message"] or ""
    return str(text)[:160]


def paused_itself(case: Case, notice: Notice) -> Cause | None:
    """It noticed the end of the connection long after the other side had waited in vain and closed it: it was not running meanwhile."""
    other = case.counterpart(notice)
    if other is None or not other.silent or notice.silent or case.behind(notice, other)[0] < LATE:
        return None
    return _pause(case, notice.server, notice, other)


def other_paused(case: Case, notice: Notice) -> Cause | None:
    """The same, seen from the side that waited."""
    other = case.counterpart(notice)
    if other is None or not notice.silent or other.silent or case.behind(other, notice)[0] < LATE:
        return None
    return _pause(case, other.server, other, notice)


def _pause(case: Case, server: int, late: Notice, waited: Notice) -> Cause | None:
    gap = case.silences.before(server, late.at)
    if gap is None or gap.ms < case.behind(late, waited)[0]:
        return None
    rows = _during(case, gap, late.interval)
    said = "; ".join(f"{SLOW[row['kind']]} {duration(row['ms'])}" for row in rows if row["ms"] is not None)
    word = said or "a stopped process, a long garbage collection, a frozen machine"
    text = (
        f"{upper(case.named(server))} was paused ({word}): it printed nothing for {duration(gap.ms)}, from {moment(gap.since)} to "
        f"{moment(gap.until)}, and only then saw that its connection was closed"
    )
    evidence = (*(shown(row) for row in rows), {"source": gap.source, "line": gap.line}, late.evidence, waited.evidence)
    return Cause(text, evidence, (server, gap))


def _during(case: Case, gap: Gap, interval: Interval) -> list[Row]:
    """Lines at the end of a silence about what took a good part of it: a pause of the JVM, an fsync, a snapshot."""
    rows = [row for row in case.scene.slow.get(interval.index, ()) if row["time"] is not None and (row["ms"] or 0) * 3 >= gap.ms]
    return [row for row in rows if abs((row["time"] - gap.until).total_seconds()) * 1000 <= NEAR]


def other_ended(case: Case, notice: Notice) -> Cause | None:
    """The lost server's process printed nothing behind that interval."""
    other = notice.other
    if notice.side not in (LEADER, LEARNER) or other is None or not other.last:
        return None
    if other.end and notice.time and case.clocks.later(other.end, other.server, notice.time, notice.server)[0] > NEAR:
        return None  # it printed on after it was lost
    if case.counterpart(notice) is not None:
        return None  # it printed that it closed the connection itself, or saw it closed
    end = {"source": other.end_source, "line": other.end_line}
    said = _last_words(case, other)
    if said is not None:
        return Cause(said.text, (*said.evidence, end))
    later = next((i for i in case.scene.stage.intervals[other.index + 1 :] if i.server == other.server and i.process > other.process), None)
    if later is None:
        return Cause(f"{upper(case.named(other.server))} was {_KILLED}, and no later process is in it", (end,))
    begin = {"source": later.source, "line": later.line}
    return Cause(f"{upper(case.named(other.server))} was {_KILLED}, and its next process starts at {moment(later.start)}", (end, begin))


def stepped_down(case: Case, notice: Notice) -> Cause | None:
    """The leader gave up its role, and closed the connections."""
    if notice.side != LEADER or notice.other is None or notice.silent:
        return None
    for role in case.own(notice.other, ROLE):
        if case.behind(notice, role)[1] >= 0:
            return Cause(f"{upper(case.named(notice.lost))} stepped down: {reason(role)}", (role.evidence,))
    return None


def new_role(case: Case, notice: Notice) -> Cause | None:
    """The learner goes from one role to another without LOOKING: a reconfig made an observer a participant, or the reverse (QuorumPeer)."""
    after = notice.other.after if notice.side == LEARNER and notice.other is not None else None
    if after is None or notice.other is None or not after.learns or notice.silent:
        return None
    text = f"A reconfiguration changed the role of {case.named(notice.lost)}: it was {notice.other.role} and came again {after.role}"
    return Cause(text, ({"source": after.source, "line": after.line},))


def reason(role: Notice) -> str:
    """Why a leader stepped down, in its own words."""
    if role.evidence.get("says") and "not the designated leader" in str(role.evidence["says"]):
        return "a reconfiguration names another leader"
    text = role.trace.split("reason: ", 1)[-1].split("For the reason ", 1)[-1].strip()
    return text or "it says not why"


def own_reason(case: Case, notice: Notice) -> Cause | None:
    """A leader that steps down for another reason than followers it lost says so (Leader.lead): ``REASONS``."""
    if notice.side != ROLE:
        return None
    grave = case.scene.grave.get(notice.interval.index, ())
    text = next((text for word, text in REASONS if word in notice.trace or any(word in (row["trace"] or "") for row in grave)), None)
    if text is None:
        return None
    limit = case.scene.limit(notice.server, "initLimit")
    small = [row for row in grave if row["kind"] == "init_limit_too_small"]
    told = text.format(limit=f"initLimit ({duration(limit)})" if limit else "initLimit")
    return Cause(
        told + ("; they were there: initLimit is too small for the synchronization" if small else ""), tuple(shown(row) for row in small)
    )


REASONS = (
    ("designated leader", "A reconfiguration names another leader"),
    ("rolled over", "The 32-bit counter of its epoch was used up"),
    ("Waiting for a quorum of followers", "No quorum acknowledged NEWLEADER within {limit}"),
    ("Timeout while waiting for NEWLEADER", "No quorum acknowledged NEWLEADER within {limit}"),
    ("Timeout while waiting for epoch", "No quorum of followers connected within {limit}"),
)
"""A part of a leader's own words -> what they mean."""


def lost_followers(case: Case, notice: Notice) -> Cause | None:
    """A leader steps down when it has lost so many followers that no quorum is left: their causes are its cause."""
    if notice.side != ROLE or notice.time is None:
        return None
    span = 2 * (case.scene.limit(notice.server, "syncLimit") or NEAR)
    lost = [one for one in case.own(notice.interval, LEARNER) if one.at < notice.at and one.time is not None]
    recent = [one for one in lost if one.time is not None and (notice.time - one.time).total_seconds() * 1000 <= span]
    causes = [cause for one in recent if (cause := find(case, one)) is not None]
    if not causes:
        return None
    who = case.scene.name(*sorted({one.lost for one in recent if one.lost is not None}))
    evidence = tuple(one.evidence for one in recent) + tuple(item for cause in causes for item in cause.evidence)
    return Cause(f"It had lost {who}. {'; '.join(dict.fromkeys(cause.text for cause in causes))}", evidence)


def cut_off(case: Case, notice: Notice) -> Cause | None:
    """Both ends waited in vain and neither closed the connection: what lies between them failed."""
    other = case.counterpart(notice)
    if other is None or not (notice.silent and other.silent):
        return None
    alone = next((server for server in (notice.server, other.server) if len(case.cut[server]) > 1), None)
    if alone is None:
        pair = case.scene.name(notice.server, other.server)
        return Cause(f"The network between {pair}: each waited for the other in vain", (other.evidence,))
    others = case.scene.name(*case.cut[alone])
    return Cause(
        f"The network: {case.named(alone)} was cut off from {others}; it waited for them in vain, and they for it", (other.evidence,)
    )


def gave_up(case: Case, notice: Notice) -> Cause | None:
    """The other side closed the connection first, and says why."""
    other = case.counterpart(notice)
    if other is None or notice.silent or case.behind(notice, other)[1] < 0:
        return None
    if other.silent:
        return Cause(f"{upper(case.named(other.server))} had closed the connection: {other.trace}", (other.evidence,))
    if other.trace and not any(word in other.trace for word in CLOSED):
        return Cause(f"{upper(case.named(other.server))} broke off: {other.trace}", (other.evidence,))
    return None


def unreachable(case: Case, notice: Notice) -> Cause | None:
    """No connection came about: nobody listened there, or no packet got through."""
    if notice.side != LEADER or not any(word in notice.trace for word in UNREACHABLE):
        return None
    why = "nothing listened at its address" if "refused" in notice.trace else "it could not be reached"
    who = upper(case.named(notice.server))
    return Cause(f"{who} never got a connection to its leader: {why}, so that it was down, not leading yet or cut off")


def own_fault(case: Case, notice: Notice) -> Cause | None:
    """An exception that is not of the connection: it broke off by itself."""
    if notice.side not in (LEADER, LEARNER) or notice.silent or not notice.trace or any(word in notice.trace for word in CLOSED):
        return None
    return Cause(f"{upper(case.named(notice.server))} broke off by itself: {notice.trace[:160]}")


CAUSES: tuple[Finder, ...] = (
    own_words,
    own_reason,
    lost_followers,
    own_trouble,
    paused_itself,
    other_paused,
    stepped_down,
    new_role,
    other_ended,
    other_trouble,
    unreachable,
    cut_off,
    limits,
    slow,
    slow_itself,
    gave_up,
    own_fault,
)


def find(case: Case, notice: Notice) -> Cause | None:
    """The first cause that the lines show; None where none is visible."""
    return next((cause for finder in CAUSES if (cause := finder(case, notice)) is not None), None)
