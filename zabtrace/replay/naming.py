"""Naming: whom a learner follows, by the address it printed or by the votes it saw."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from zabtrace.evidence.trace import Trace
from zabtrace.replay.ballots import Ballot, Ballots
from zabtrace.replay.roles import Interval, Stage

_ADDRESSED = ("leader_connected", "leader_disconnected", "observer_observing")
_HOST = re.compile(r"^([^/\s]*)/?\[?([^\]/\s]*?)\]?:(\d+)")


def named_by_votes(found: Ballots, interval: Interval) -> int | None:
    """Whom a learner follows by its votes: a leader it heard from while LOOKING, else the candidate of its own last vote."""
    ballot = deciding(found, interval)
    return ballot.leader if ballot is not None else None


def deciding(found: Ballots, interval: Interval) -> Ballot | None:
    """The vote by which a LOOKING server became what ``interval`` says (FastLeaderElection.lookForLeader)."""
    looking = interval.before
    if looking is None or looking.role != "LOOKING":
        return None
    own = [ballot for ballot in found.own(looking) if ballot.leader != interval.server]
    led = [n.ballot for n in found.others(looking, "LEADING") if n.sender == n.ballot.leader]
    if own and (not led or own[-1].leader == led[-1].leader):
        return own[-1]
    followed = [n.ballot for n in found.others(looking, "FOLLOWING")]
    told = led[-1:] or (followed[:1] if len({ballot.leader for ballot in followed}) == 1 else [])
    return told[0]._replace(peer_epoch=None) if told else None


def winning(found: Ballots, interval: Interval) -> Ballot | None:
    looking = interval.before
    if looking is None or looking.role != "LOOKING":
        return None
    return next((ballot for ballot in reversed(found.own(looking)) if ballot.leader == interval.server), None)


class Addresses:
    """Whose address is this? From the configurations, and from what leaders print of their learners."""

    def __init__(self, stage: Stage) -> None:
        self._sids: dict[tuple[str, int], set[int]] = defaultdict(set)
        for sid, host, port in _members(stage.lines.trace):
            self._sids[host, port].add(sid)
        for row in stage.rows(["follower_info"], "sid", "spec"):
            if row["sid"] is not None and (match := re.match(r"^(.+?):(\d+):\d+:", row["spec"] or "")):
                self._sids[match[1].split("/")[-1], int(match[2])].add(row["sid"])
        self._named: dict[int, int] = {}
        for row in stage.rows(_ADDRESSED, "sid", "address"):
            named: int | None = row["sid"] if row["sid"] is not None else self._sid(row["address"])
            if named is not None:
                self._named.setdefault(row["interval"], named)

    def _sid(self, address: str | None) -> int | None:
        match = _HOST.match(address or "")
        if match is None:
            return None
        port = int(match[3])
        sids = set().union(*(self._sids.get((host, port), ()) for host in (match[1], match[2]) if host))
        return sids.pop() if len(sids) == 1 else None

    def leader(self, interval: Interval) -> int | None:
        """The leader whose address this learner printed."""
        return self._named.get(interval.index)


def _members(trace: Trace) -> Iterable[tuple[int, str, int]]:
    return trace.members.select("sid", "host", "quorum_port").drop_nulls().unique().iter_rows()


def met_followers(found: Ballots, interval: Interval) -> bool:
    """Did it learn of its leader from servers that followed it already? Else it elected it, and was in no earlier part of that term."""
    looking = interval.before
    if looking is None or looking.role != "LOOKING":
        return False
    return any(n.ballot.leader == interval.leader for n in found.others(looking, "FOLLOWING", "LEADING"))
