"""FastLeaderElection as a machine without clocks or sockets (FastLeaderElection.lookForLeader, 3.4 to 3.9).

Strategy: ``Looking`` is one server in one LOOKING interval. ``receive`` takes a notification and returns the rules that it set off, by
name; ``decide`` is what the server does when finalizeWait has passed without a better vote. Which notification arrives when, and
what a time-out resends, is the caller's: replay feeds what a log shows, ``simulate`` what its network delivers. Where releases differ,
``EQUALITIES`` and ``JOINS`` say how.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from zabtrace.protocol.quorum import Config
from zabtrace.protocol.releases import EVERY, NEWEST, among
from zabtrace.protocol.vote import NO_DATABASE, Vote, wins

FINALIZE_WAIT_MS = 200
FIRST_TIMEOUT_MS = 200
LONGEST_TIMEOUT_MS = 60_000
"""finalizeWait, and the bounds between which the wait for notifications doubles (from 3.6: fastleader.{min,max}NotificationInterval)."""
LOOKING, FOLLOWING, LEADING, OBSERVING = "LOOKING", "FOLLOWING", "LEADING", "OBSERVING"

REASONS = {
    "sender is no voter": "its sender or its candidate is no voter",
    "later round": "its round is later: the server joins that round and starts over",
    "earlier round": "its round is over: ignored",
    "no database": "one of the two has no database: ignored",
    "better vote": "its candidate beats the server's own: adopted",
    "counted": "counted",
    "observer": "observers do not elect",
    "quorum": "a quorum agrees",
    "existing leader": "a quorum follows a leader already",
}
"""Rules that a notification sets off, in words."""


NO_VOTE = -(1 << 63)
"""Leader, zxid and epoch in the vote of an observer, which is no voter (FastLeaderElection.getInitId)."""


class Ballot(NamedTuple):
    """A vote as it is remembered: with the round it was cast in, the state of who cast it, and the version of the message."""

    vote: Vote
    round: int
    state: str = LOOKING
    version: int = 2


class Notification(NamedTuple):
    """What one server tells another: its state, its round, and its vote. ``version``: 0 before 3.4.6, 1 in 3.4, 2 from 3.5.0."""

    sender: int
    state: str
    round: int
    vote: Vote
    version: int = 2


def message_version(release: str) -> int:
    """The message format of a release.

    >>> message_version("3.4.5"), message_version("3.4.6"), message_version("3.9.4")
    (0, 1, 2)
    """
    return 2 if among(release, "3.5.0-") else 1 if among(release, "3.4.6-3.4") else 0


def first_vote(sid: int, zxid: int, epoch: int, observer: bool = False) -> Vote:
    """What a server votes when it begins to look: for itself; an observer for nobody.

    >>> first_vote(2, 8, 1)
    Vote(peer_epoch=1, zxid=8, sid=2)
    """
    return Vote(NO_VOTE, NO_VOTE, NO_VOTE) if observer else Vote(epoch, zxid, sid)


def _all_fields(one: Ballot, other: Ballot) -> bool:
    return one.vote == other.vote and one.round == other.round


def _leader_and_epoch(one: Ballot, other: Ballot) -> bool:
    """Where exactly one of the two comes from a release that sends no version, only the leader is compared."""
    if (one.version > 0) != (other.version > 0):
        return one.vote.sid == other.vote.sid
    return (one.vote.sid, one.vote.peer_epoch) == (other.vote.sid, other.vote.peer_epoch)


EQUALITIES: tuple[tuple[str, Callable[[Ballot, Ballot], bool]], ...] = (
    ("3.4.6-3.4, 3.5.5-3.5, 3.6.0-", _leader_and_epoch),
    (EVERY, _all_fields),
)
"""When two votes of servers that follow or lead are equal, by release (Vote.equals; ZOOKEEPER-1732 and 1818 are the row of all fields)."""


@dataclass(frozen=True)
class Join:
    """How a vote from a server that follows or leads is filed with those of the round."""

    releases: str
    state_kept: bool
    """Kept with its state (3.6.0+), else as if it were LOOKING: then all four fields are compared."""


JOINS = (Join("3.6.0-", True), Join(EVERY, False))
"""FastLeaderElection.lookForLeader, cases FOLLOWING and LEADING of the server's own round."""


def equal(one: Ballot, other: Ballot, release: str = NEWEST) -> bool:
    """Do two votes count for the same leader? Votes of a LOOKING server are compared in all fields."""
    if LOOKING in (one.state, other.state):
        return _all_fields(one, other)
    return next(rule for releases, rule in EQUALITIES if among(release, releases))(one, other)


@dataclass
class Looking:
    """One server that looks for a leader. ``configs``: the configuration in force, and the next one while a reconfig is in flight."""

    sid: int
    own: Vote
    configs: Sequence[Config]
    round: int = 0
    release: str = NEWEST
    proposal: Vote = field(init=False)
    recvset: dict[int, Ballot] = field(default_factory=dict)
    outofelection: dict[int, Ballot] = field(default_factory=dict)
    joined: Vote | None = None
    """The existing leader that it found."""

    def __post_init__(self) -> None:
        self.round += 1
        self.proposal = self.own

    def receive(self, heard: Notification) -> list[str]:
        """Handle a notification; the names of the rules (REASONS) that it set off, in order."""
        if not any(heard.sender in c.voters for c in self.configs) or not any(heard.vote.sid in c.voters for c in self.configs):
            return ["sender is no voter"]
        return HANDLERS[heard.state](self, heard)

    def decide(self) -> str | None:
        """LEADING or FOLLOWING once a quorum agrees, None before."""
        if self.joined is not None:
            return LEADING if self.joined.sid == self.sid else FOLLOWING
        if not self._agreed():
            return None
        return LEADING if self.proposal.sid == self.sid else FOLLOWING

    def notification(self) -> Notification:
        """What it tells the others now."""
        return Notification(self.sid, LOOKING, self.round, self.proposal, message_version(self.release))

    def better(self, heard: Notification) -> bool:
        """Does this one end finalizeWait? It is then received; any other that comes meanwhile is dropped."""
        return wins(heard.vote, self.proposal, self._weight(heard.vote.sid))

    def _agreed(self) -> bool:
        return self._quorum(self.recvset, Ballot(self.proposal, self.round))

    def _quorum(self, votes: Mapping[int, Ballot], ballot: Ballot) -> bool:
        same = {sid for sid, other in votes.items() if equal(other, ballot, self.release)}
        return all(config.is_quorum(same) for config in self.configs)

    def _weight(self, sid: int) -> int:
        return self.configs[0].weight(sid) if self.configs else 1

    def _looking(self, heard: Notification) -> list[str]:
        rules = []
        if NO_DATABASE in (heard.vote.zxid, self.own.zxid) and among(self.release, "3.6.0-"):
            return ["no database"]
        if heard.round < self.round:
            return ["earlier round"]
        if heard.round > self.round:
            self.round = heard.round
            self.recvset.clear()
            self.proposal = heard.vote if wins(heard.vote, self.own, self._weight(heard.vote.sid)) else self.own
            rules.append("later round")
        elif wins(heard.vote, self.proposal, self._weight(heard.vote.sid)):
            self.proposal = heard.vote
            rules.append("better vote")
        self.recvset[heard.sender] = Ballot(heard.vote, heard.round, LOOKING, heard.version)
        return [*rules, "counted", *(["quorum"] if self._agreed() else [])]

    def _settled(self, heard: Notification) -> list[str]:
        """From a FOLLOWING or LEADING sender: is there a leader already that a quorum follows and that says so itself?

        In the server's own round its LOOKING votes count too; else only those of servers that have decided.
        """
        ballot = Ballot(heard.vote, heard.round, heard.state, heard.version)
        if heard.round == self.round and self._agree_in_round(heard, ballot):
            return self._join(heard)
        self.outofelection[heard.sender] = ballot
        if self._quorum(self.outofelection, ballot) and self._leads(self.outofelection, heard.vote.sid, heard.round):
            return self._join(heard)
        return ["counted"]

    def _agree_in_round(self, heard: Notification, ballot: Ballot) -> bool:
        keeps = next(join for join in JOINS if among(self.release, join.releases)).state_kept
        self.recvset[heard.sender] = ballot._replace(version=0) if keeps else ballot._replace(state=LOOKING)
        leaders = self.recvset if keeps else self.outofelection
        return self._quorum(self.recvset, ballot) and self._leads(leaders, heard.vote.sid, heard.round)

    def _join(self, heard: Notification) -> list[str]:
        self.round, self.joined = heard.round, heard.vote
        return ["counted", "existing leader"]

    def _leads(self, votes: Mapping[int, Ballot], leader: int, round_: int) -> bool:
        """FastLeaderElection.checkLeader: the leader itself was heard LEADING; where it is this server, the round must be its own."""
        if leader == self.sid:
            return self.round == round_
        return leader in votes and votes[leader].state == LEADING


def _observing(_: Looking, __: Notification) -> list[str]:
    return ["observer"]


HANDLERS: dict[str, Callable[[Looking, Notification], list[str]]] = {
    LOOKING: Looking._looking,
    FOLLOWING: Looking._settled,
    LEADING: Looking._settled,
    OBSERVING: _observing,
}
"""What is done with a notification, by the state of its sender."""


def next_timeout(wait_ms: int) -> int:
    """How long the next wait for a notification is.

    >>> next_timeout(400), next_timeout(50_000)
    (800, 60000)
    """
    return min(wait_ms * 2, LONGEST_TIMEOUT_MS)


class Step(NamedTuple):
    """One change of mind: in which exchange, who, for whom, and the first rule that forced it."""

    exchange: int
    server: int
    voted_for: int
    because: str


def elect(votes: Mapping[int, Vote], config: Config) -> tuple[int | None, list[Step]]:
    """Let these servers look for a leader over a network that loses nothing, in exchanges; the leader, or None, and each step.

    >>> votes = {1: Vote(1, 8, 1), 2: Vote(1, 8, 2), 4: Vote(1, 7, 4)}
    >>> leader, steps = elect(votes, Config(voters=frozenset({1, 2, 3, 4, 5})))
    >>> leader, [(s.server, s.voted_for, s.because) for s in steps if s.exchange == 2]
    (2, [(1, 2, 'better vote'), (4, 1, 'better vote'), (4, 2, 'better vote')])
    """
    servers = {sid: Looking(sid, vote, [config]) for sid, vote in sorted(votes.items())}
    steps = [Step(1, sid, sid, "own vote") for sid in servers]
    told = [server.notification() for server in servers.values()]
    exchange = 1
    while told:
        exchange += 1
        changed: list[Notification] = []
        for server in servers.values():
            before = server.proposal
            for heard in told:
                was = server.proposal
                rules = server.receive(heard)
                if server.proposal != was:
                    steps.append(Step(exchange, server.sid, server.proposal.sid, rules[0]))
            if server.proposal != before:
                changed.append(server.notification())
        told = changed
    outcomes = {sid: server.decide() for sid, server in servers.items()}
    leaders = [sid for sid, outcome in outcomes.items() if outcome == LEADING]
    return (leaders[0] if leaders else None), steps
