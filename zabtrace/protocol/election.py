"""FastLeaderElection as a machine without clocks or sockets (FastLeaderElection.lookForLeader, 3.4.6 to 3.9).

Strategy: ``Looking`` is one server in one LOOKING interval. ``receive`` takes a notification and returns the rules that it set off, by
name; ``decide`` is what the server does when finalizeWait has passed without a better vote. Which notification arrives when, and
what a time-out resends, is the caller's: replay feeds what a log shows, ``simulate`` what its network delivers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from zabtrace.protocol.quorum import Config
from zabtrace.protocol.vote import Vote, wins

FINALIZE_WAIT_MS = 200
FIRST_TIMEOUT_MS = 200
LONGEST_TIMEOUT_MS = 60_000
"""finalizeWait, and the bounds between which the wait for notifications doubles (from 3.6: fastleader.{min,max}NotificationInterval)."""
LOOKING, FOLLOWING, LEADING, OBSERVING = "LOOKING", "FOLLOWING", "LEADING", "OBSERVING"

REASONS = {
    "sender is no voter": "its sender or its candidate is no voter",
    "later round": "its round is later: the server joins that round and starts over",
    "earlier round": "its round is over: ignored",
    "better vote": "its candidate beats the server's own: adopted",
    "counted": "counted",
    "observer": "observers do not elect",
    "quorum": "a quorum agrees",
    "existing leader": "a quorum follows a leader already",
}
"""Rules that a notification sets off, in words."""


class Ballot(NamedTuple):
    """A vote with the round it was cast in."""

    vote: Vote
    round: int


class Notification(NamedTuple):
    """What one server tells another: its state, its round, and its vote."""

    sender: int
    state: str
    round: int
    vote: Vote


@dataclass
class Looking:
    """One server that looks for a leader. ``configs``: the configuration in force, and the next one while a reconfig is in flight."""

    sid: int
    own: Vote
    configs: Sequence[Config]
    round: int = 0
    proposal: Vote = field(init=False)
    recvset: dict[int, Ballot] = field(default_factory=dict)
    outofelection: dict[int, tuple[str, Ballot]] = field(default_factory=dict)
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
        return Notification(self.sid, LOOKING, self.round, self.proposal)

    def _agreed(self) -> bool:
        mine = Ballot(self.proposal, self.round)
        same = {sid for sid, ballot in self.recvset.items() if ballot == mine}
        return all(config.is_quorum(same) for config in self.configs)

    def _weight(self, sid: int) -> int:
        return self.configs[0].weight(sid) if self.configs else 1

    def _looking(self, heard: Notification) -> list[str]:
        rules = []
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
        self.recvset[heard.sender] = Ballot(heard.vote, heard.round)
        return [*rules, "counted", *(["quorum"] if self._agreed() else [])]

    def _settled(self, heard: Notification) -> list[str]:
        """From a FOLLOWING or LEADING sender: is there a leader already that a quorum follows and that says so itself?"""
        ballot = Ballot(heard.vote, heard.round)
        if heard.round == self.round:
            self.recvset[heard.sender] = ballot
        self.outofelection[heard.sender] = (heard.state, ballot)
        same = {
            sid
            for sid, (_, other) in self.outofelection.items()
            if (other.vote.sid, other.vote.peer_epoch) == (heard.vote.sid, heard.vote.peer_epoch)
        }
        if all(config.is_quorum(same) for config in self.configs) and self._leads(heard.vote.sid, heard.round):
            self.round, self.joined = heard.round, heard.vote
            return ["counted", "existing leader"]
        return ["counted"]

    def _leads(self, leader: int, round_: int) -> bool:
        """FastLeaderElection.checkLeader: the leader itself was heard LEADING; where it is this server, the round must be its own."""
        if leader == self.sid:
            return self.round == round_
        return self.outofelection.get(leader, ("", None))[0] == LEADING


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
