"""Accounts: an election as each server saw it, notification by notification: what it did with each, and what forced a change of vote.

Strategy: ``driving`` feeds the election machine with what the server printed, and each of its steps becomes one of the account, in words:
the rules are the machine's, a change of vote names the notification that forced it. Whether a server did what the machine does is asked
in ``conformance``.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from zabtrace import zxid
from zabtrace.incidents import driving
from zabtrace.incidents.driving import DECIDED, Driven
from zabtrace.incidents.leaderless import IGNORED, UNCHALLENGED, why_none
from zabtrace.incidents.scene import Scene
from zabtrace.protocol.election import LOOKING
from zabtrace.protocol.vote import FIELD_WORDS, decided_by
from zabtrace.replay.ballots import Ballot, Notice
from zabtrace.replay.roles import Interval
from zabtrace.replay.rounds import TOOK

SHORT, LONG = 100, 1000
"""ms by which the logged duration may fall short of the lines', or exceed it: it begins a little before the LOOKING line."""
MEMORY = "its database in memory, brought forward by what its log holds beyond it (3.4.12+, 3.5.4+)"


class Step(NamedTuple):
    """One notification, and what the server did with it."""

    time: datetime | None
    sender: int
    state: str
    round: int
    voted_for: int
    did: str
    source: str
    line: int
    rules: tuple[str, ...] = ()
    """Rows of ``protocol.election.REASONS``."""
    forced_by: tuple[str, int] | None = None
    """Of a changed vote: file and line of the notification that forced it."""


class Tally(NamedTuple):
    """One count of LeaderElection (electionAlg 0, up to 3.5): votes per candidate."""

    time: datetime | None
    votes: dict[int, int]
    source: str
    line: int


@dataclass
class Account:
    """One server's LOOKING interval in an election."""

    server: int
    interval: Interval
    first_vote: Ballot | None = None
    steps: list[Step] = field(default_factory=list)
    quorum_at: datetime | None = None
    """When the quorum of equal votes stood (or of followers of a leader) that lasted until it decided."""
    quorum_line: tuple[str, int] | None = None
    result: str = ""
    logged_ms: int | None = None
    took_longer: list[int] = field(default_factory=list)
    """The notification time-outs that it announced, in ms: each doubles the one before."""
    unreachable: tuple[int, ...] = ()
    """Servers to which it could open no channel."""
    refused: tuple[int, ...] = ()
    """Those of them at whose address nothing listened."""
    tallies: list[Tally] = field(default_factory=list)
    """What the legacy algorithm 0 counted, each time it asked all."""
    why_none: str | None = None
    """Why no leader was found in it; null where one was."""

    @property
    def origin(self) -> str | None:
        """Where the numbers of its first vote come from (FastLeaderElection.getInitLastLoggedZxid, getPeerEpoch)."""
        if self.first_vote is None:
            return None
        if self.first_vote.zxid == 0:
            return "an empty database"
        at_start = self.interval.before is None or self.interval.before.role == "STARTING"
        head = "its newest snapshot and the records behind it, as loaded at its start" if at_start else MEMORY
        bare = "; counter 0: it had its leader's epoch, but no transaction of it" if zxid.counter(self.first_vote.zxid) == 0 else ""
        return f"zxid: {head}{bare}; peerEpoch: its currentEpoch"

    @property
    def ms(self) -> int | None:
        """How long it was LOOKING, by its lines."""
        begin, end = self.interval.start, self.interval.end
        return None if begin is None or end is None else round((end - begin).total_seconds() * 1000)

    @property
    def wait_ms(self) -> int | None:
        """From the quorum to the decision: finalizeWait, 200 ms, where it decided by votes."""
        end = self.interval.end
        return None if self.quorum_at is None or end is None else round((end - self.quorum_at).total_seconds() * 1000)

    @property
    def logged_is(self) -> str | None:
        """What is to be thought of LEADER ELECTION TOOK."""
        if self.logged_ms is None or self.ms is None:
            return None
        if self.logged_ms < self.ms - SHORT:
            return "too short: up to 3.5 it is measured from the end of the election (QuorumPeer, Leader.lead)"
        return "too long: it counts from another moment" if self.logged_ms > self.ms + LONG else "as the lines show"


class Accounts(Mapping[int, list[Account]]):
    """Per election (its number in ELECTIONS) the account of each server that was LOOKING in it, made when it is asked for."""

    def __init__(self, scene: Scene) -> None:
        self._scene, self._lines = scene, _Lines.of(scene)
        self._numbered = {election.number: election for election in scene.elections}

    def __len__(self) -> int:
        return len(self._numbered)

    def __iter__(self) -> Iterator[int]:
        return iter(self._numbered)

    def __getitem__(self, number: int) -> list[Account]:
        looking = sorted(self._numbered[number].looking, key=lambda i: (i.server, i.at))
        return [_account(self._scene, interval, self._lines) for interval in looking]


@dataclass(frozen=True)
class _Lines:
    """What else servers print about elections, by interval."""

    took: dict[int, int | None]
    waits: Mapping[int, list[dict[str, Any]]]
    failed: Mapping[int, list[dict[str, Any]]]
    ignored: Mapping[int, list[dict[str, Any]]]
    tallies: dict[int, list[Tally]]

    @classmethod
    def of(cls, scene: Scene) -> _Lines:
        """Of a scene."""
        return cls(
            {row["interval"]: row["ms"] for row in scene.stage.each(TOOK, "ms")},
            scene.per_interval(["fle_notification_timeout"], "ms"),
            scene.per_interval(["peer_connect_failed"], "sid", "trace"),
            scene.per_interval([UNCHALLENGED, *(kind for kind, _ in IGNORED)]),
            tallies(scene),
        )


def tallies(scene: Scene) -> dict[int, list[Tally]]:
    """The counts of the legacy algorithm 0 by interval, in order; its log names one candidate per line."""
    found: dict[int, list[Tally]] = defaultdict(list)
    for row in scene.stage.each(["le_tally", "le_tally_entry"], "leader", "message"):
        if row["kind"] == "le_tally":
            found[row["interval"]].append(Tally(row["time"], {}, row["source"], row["line"]))
        elif found[row["interval"]] and row["leader"] is not None and (count := re.search(r"-> ([0-9]{1,6})$", row["message"] or "")):
            found[row["interval"]][-1].votes[row["leader"]] = int(count[1])
    return found


def _account(scene: Scene, looking: Interval, lines: _Lines) -> Account:
    seen = scene.terms.ballots.heard.get(looking.index, [])
    after = looking.after
    account = Account(looking.server, looking, result=_result(scene, looking))
    account.first_vote = next((n.ballot for n in seen if n.sender == looking.server and n.state == LOOKING), None)
    config, release = next(driving.readings(scene, looking, seen))
    driven = driving.drive(looking, seen, config, release, scene.noticed.format_versions)
    account.steps = [_told(scene, step, looking.server) for step in _with_casts(driven)]
    candidate = None if after is None else after.server if after.role == "LEADING" else after.leader if after.learns else None
    stood = driven.stood_for(candidate) if candidate is not None else None
    if stood is not None:
        account.quorum_at, account.quorum_line = _since(looking, scene.noticed.times[stood.row]), _place(scene, stood)
    failed = lines.failed.get(looking.index, ())
    account.logged_ms = lines.took.get(after.index) if after is not None else None
    account.took_longer = [row["ms"] for row in lines.waits.get(looking.index, ()) if row["ms"] is not None]
    account.unreachable = _sids(failed)
    account.refused = _sids([row for row in failed if "refused" in (row["trace"] or "")])
    account.tallies = lines.tallies.get(looking.index, [])
    account.why_none = why_none(scene, account, driven, Counter(row["kind"] for row in lines.ignored.get(looking.index, ())))
    return account


def _since(looking: Interval, time: datetime | None) -> datetime | None:
    """What arrived before a server was LOOKING waits in its queue until it is."""
    return max(time, looking.start) if time is not None and looking.start is not None else time


def _sids(rows: Any) -> tuple[int, ...]:
    return tuple(sorted({row["sid"] for row in rows if row["sid"] is not None}))


def _place(scene: Scene, notice: Notice) -> tuple[str, int]:
    return scene.noticed.sources[notice.row], scene.noticed.lines[notice.row]


def _with_casts(driven: Driven) -> list[tuple[driving.Step, Ballot | None]]:
    """Each step, and of the server's own votes the one that it cast before."""
    found: list[tuple[driving.Step, Ballot | None]] = []
    cast: Ballot | None = None
    for step in driven.steps:
        found.append((step, cast))
        if step.notice.sender == driven.machine.sid and step.notice.state == LOOKING:
            cast = step.notice.ballot
    return found


def _told(scene: Scene, told: tuple[driving.Step, Ballot | None], own: int) -> Step:
    step, cast = told
    notice, noticed = step.notice, scene.noticed
    did = _own(step, cast) if notice.sender == own and notice.state == LOOKING else _others(step)
    did += f"; a quorum agrees on {step.proposal.sid}" if "quorum" in step.rules else ""
    forced = _place(scene, step.forced_by) if step.forced_by is not None and cast is not None and cast != notice.ballot else None
    return Step(
        noticed.times[notice.row], notice.sender, notice.state, notice.ballot.round, notice.ballot.leader, did,
        noticed.sources[notice.row], noticed.lines[notice.row], step.rules, forced,
    )  # fmt: skip


def _own(step: driving.Step, cast: Ballot | None) -> str:
    """Its own vote, as it cast it."""
    now = step.notice.ballot
    if cast is None:
        return "its first vote"
    if cast == now:
        return "its vote again"
    unforced = "" if step.foreseen else ", which no notification that it printed forced"
    if cast.round != now.round:
        return f"its vote in round {now.round}{unforced}"
    mine, its = driving.vote_of(now), driving.vote_of(cast)
    return f"changed its vote to {now.leader}" + (f" by {FIELD_WORDS[decided_by(mine, its)]}" if mine != its else "") + unforced


def _others(step: driving.Step) -> str:
    """What it did with another server's notification."""
    ballot, joins = step.notice.ballot, "existing leader" in step.rules
    if step.notice.state in ("FOLLOWING", "LEADING") and "counted" in step.rules:
        says = "says that it leads" if step.notice.state == "LEADING" else f"says that {ballot.leader} leads"
        return f"{says}; with it a quorum follows {ballot.leader}: joined" if joins else says
    head = f"a higher round: it goes on in round {ballot.round}, and " if "later round" in step.rules else ""
    told = next((text for rule, text in DID.items() if rule in step.rules), "not understood")
    if "counted" in step.rules:
        told = COMPARED[step.compared].format(by=FIELD_WORDS.get(step.by or "", ""))
    return head + told.format(round=ballot.round)


DID = {
    "sender is no voter": "not counted: its sender or its candidate has no vote",
    "earlier round": "ignored: round {round} is over",
    "no database": "ignored: one of the two has no database (zxid -1)",
    "observer": "not counted: an observer",
    DECIDED: "came when it had joined a leader already",
}
"""Rules that end with a notification, in words."""
COMPARED = {
    "better": "taken over: better by {by}",
    "equal": "counted: it agrees",
    "worse": "counted, not taken: worse by {by}",
    "weightless": "not taken: its candidate has weight 0",
    "": "counted",
}
"""How a notified vote compares with the server's proposal, in words."""


def _result(scene: Scene, looking: Interval) -> str:
    """How it ended."""
    after = looking.after
    if after is None:
        return "the log or the process ends"
    if after.role == "LOOKING":
        return "looked anew"
    if after.learns:
        return f"{after.role} {scene.name(after.leader)}" if after.leader is not None else f"{after.role} a leader that no line names"
    return after.role
