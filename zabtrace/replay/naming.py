"""Naming: whom a learner follows, by the address it printed or by the votes it saw."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from zabtrace.evidence.trace import Trace
from zabtrace.replay.ballots import Ballot, Ballots, Notice
from zabtrace.replay.roles import Interval, Stage

_ADDRESSED = ("leader_connected", "leader_disconnected", "observer_observing", "leader_connect_failed")
_HOST = re.compile(r"^([^/\s]*)/?\[?([^\]/\s]*?)\]?:(\d+)")


def named_by_votes(found: Ballots, interval: Interval) -> int | None:
    """Whom a learner follows by its votes: a leader it heard from while LOOKING, else the candidate of its own last vote."""
    ballot = deciding(found, interval)
    return ballot.leader if ballot is not None else None


def deciding(found: Ballots, interval: Interval) -> Ballot | None:
    """The vote by which a LOOKING server became what ``interval`` says (FastLeaderElection.lookForLeader): what came last decided.

    It joined a leader whose own LEADING it had heard (checkLeader), or settled on the vote that it cast last; an observer casts none,
    and goes by the best one of the newest round. What followers alone say may be of a leader that is gone.
    """
    looking = interval.before
    if looking is None or looking.role != "LOOKING":
        return None
    elected, joined = _elected(found, looking), _joined(found, looking)
    if elected is not None and (joined is None or elected.ballot.leader == joined.ballot.leader or elected.at > joined.at):
        return elected.ballot
    told = joined or _followed(found, looking)
    return told.ballot._replace(peer_epoch=None) if told is not None else None


def _elected(found: Ballots, looking: Interval) -> Notice | None:
    """The vote for another that was its last; where it printed none of its own, the best vote that it heard in the newest round."""
    own = found.cast(looking)
    if own:
        return next((n for n in reversed(own) if n.ballot.leader != looking.server), None)
    heard = [n for n in found.others(looking, "LOOKING") if n.ballot.leader != looking.server]
    return max(heard, default=None, key=lambda n: (n.ballot.round, n.ballot.peer_epoch or 0, n.ballot.zxid, n.ballot.leader, n.at))


def _joined(found: Ballots, looking: Interval) -> Notice | None:
    """The last word about a leader that said itself that it leads."""
    leaders: set[int] = set()
    last: Notice | None = None
    for notice in found.others(looking, "FOLLOWING", "LEADING"):
        if notice.state == "LEADING" and notice.sender == notice.ballot.leader:
            leaders.add(notice.sender)
        last = notice if notice.ballot.leader in leaders else last
    return last


def _followed(found: Ballots, looking: Interval) -> Notice | None:
    """Where nobody else was looking: the leader that all followers name, whose own word is missing."""
    followed = found.others(looking, "FOLLOWING")
    alone = not found.others(looking, "LOOKING") and len({n.ballot.leader for n in followed}) == 1
    return followed[0] if alone else None


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
        for row in stage.each(["follower_info"], "sid", "spec"):
            if row["sid"] is not None and (match := re.match(r"^(.+?):(\d+):\d+:", row["spec"] or "")):
                self._sids[match[1].split("/")[-1], int(match[2])].add(row["sid"])
        self._named: dict[int, int] = {}
        for row in stage.each(_ADDRESSED, "sid", "address"):
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
