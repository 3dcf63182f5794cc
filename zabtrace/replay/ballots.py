"""Ballots: every vote notification, sorted by who cast it and who saw it in which interval.

A notification tells (leader, zxid, round, peerEpoch) of its sender (FastLeaderElection.Notification). From a LOOKING sender that votes
for itself it is that server's own history end; otherwise it describes the candidate. A server also prints the votes it casts itself.
"""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import polars as pl

from zabtrace.grammar.kinds import NOTIFICATIONS
from zabtrace.protocol.vote import Vote
from zabtrace.replay.roles import Interval, Stage

_FIELDS = ("sid", "state", "leader", "round", "zxid", "peer_epoch")
_KEPT = ("server", "at", "interval", "time", "source", "line", "message", *_FIELDS, "my_state", "config_version", "format_version")
"""Columns of ``Ballots.frame``: of flapping ensembles there are more notifications than anything else."""


class Ballot(NamedTuple):
    """What a notification says."""

    round: int
    leader: int
    zxid: int
    peer_epoch: int | None

    @property
    def choice(self) -> tuple[int, int, int]:
        """What stays the same after the election: peerEpoch becomes the new one after the sync (updateElectionVote)."""
        return self.round, self.leader, self.zxid

    def agrees(self, other: Ballot | None) -> bool:
        """Can both be votes of one election? peerEpoch counts where both were cast while LOOKING (else it is null)."""
        if other is None or self.choice != other.choice:
            return False
        return self.peer_epoch is None or other.peer_epoch is None or self.peer_epoch == other.peer_epoch


class Notice(NamedTuple):
    """One notification as one server saw it."""

    at: int
    sender: int
    state: str
    ballot: Ballot
    row: int


def _at(notice: Notice) -> int:
    return notice.at


@dataclass
class Ballots:
    """All notifications: ``frame`` has one row each, with ``row`` and the ``interval`` of the server that printed it."""

    frame: pl.DataFrame
    heard: dict[int, list[Notice]] = field(default_factory=lambda: defaultdict(list))
    """interval -> what its server saw in it, its own votes included."""
    received: dict[tuple[int, int], list[Notice]] = field(default_factory=lambda: defaultdict(list))
    """(who saw it, LOOKING sender) -> notices in order."""

    @cached_property
    def recast(self) -> frozenset[tuple[int, Ballot]]:
        """(server, vote) that a server cast in several LOOKING intervals, in another process maybe: which one others saw is open."""
        own = self.frame.filter((pl.col("server") == pl.col("sid")) & (pl.col("state") == "LOOKING"))
        counted = own.group_by("sid", "round", "leader", "zxid", "peer_epoch").agg(pl.col("interval").n_unique().alias("intervals"))
        return frozenset((sid, Ballot(*vote)) for sid, *vote in counted.filter(pl.col("intervals") > 1).drop("intervals").iter_rows())

    def own(self, interval: Interval) -> list[Ballot]:
        """The votes that a LOOKING server cast, as it printed them itself."""
        return [n.ballot for n in self.cast(interval)]

    def cast(self, interval: Interval) -> list[Notice]:
        """The same, with where they stand."""
        return [n for n in self.heard.get(interval.index, ()) if n.sender == interval.server and n.state == "LOOKING"]

    def arrived(self, viewer: int, sender: int, since: int, until: int) -> list[Notice]:
        """What ``viewer`` saw of a LOOKING ``sender`` from ``since`` up to ``until`` (places in the viewer's log)."""
        notices = self.received.get((viewer, sender), [])
        return notices[bisect_left(notices, since, key=_at) : bisect_left(notices, until, key=_at)]

    def others(self, interval: Interval, *states: str) -> list[Notice]:
        """What it heard from others in these states."""
        return [n for n in self.heard.get(interval.index, ()) if n.sender != interval.server and n.state in states]


def ballots(stage: Stage) -> Ballots:
    """Read all notifications; those that are printed across a change of state belong to the state they name."""
    seen = stage.events(*NOTIFICATIONS, only=_KEPT).filter(pl.col("interval").is_not_null()).select(_KEPT)
    seen = seen.with_columns(pl.Series("interval", _placed(stage, seen), dtype=pl.Int64)).with_row_index("row")
    found = Ballots(seen)
    complete = seen.drop_nulls(["sid", "state", "leader", "round", "zxid"])
    alike: dict[Ballot, Ballot] = {}  # each vote is printed by every server, and again by who is asked
    for server, at, interval, row, sid, state, leader, number, zxid, epoch in complete.select(
        "server", "at", "interval", "row", *_FIELDS
    ).iter_rows():
        ballot = Ballot(number, leader, zxid, epoch)
        notice = Notice(at, sid, sys.intern(state), alike.setdefault(ballot, ballot), row)
        found.heard[interval].append(notice)
        if state == "LOOKING":
            found.received[server, sid].append(notice)
    return found


def _placed(stage: Stage, seen: pl.DataFrame) -> list[int]:
    """The interval of each notification: the neighbour's where only its role is the one the line names (my state)."""
    places = seen.select("interval", "at", "my_state").iter_rows()
    return [_fitting(stage.intervals[number], at, state).index for number, at, state in places]


def _fitting(interval: Interval, at: int, state: str | None) -> Interval:
    """A new process is LOOKING before it says so, and a role ends before the next one is printed; other threads may print late."""
    if state is None or interval.role == state:
        return interval
    near = [other for other in (interval.after, interval.before) if other is not None and other.role == state]
    return min(near, key=lambda other: max(other.at - at, at - other.end_at), default=interval)


def first_vote(found: Ballots, interval: Interval) -> Vote | None:
    """A LOOKING server's first vote, for itself, as it printed it."""
    for ballot in found.own(interval):
        if ballot.leader == interval.server and ballot.peer_epoch is not None:
            return Vote(ballot.peer_epoch, ballot.zxid, interval.server)
    return None
