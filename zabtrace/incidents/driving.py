"""Driving: the election machine of ``protocol.election``, fed with what one server printed while it was LOOKING, line by line.

Strategy: WorkerReceiver prints a notification when it arrives, the server's own ones too (they come back to it), and hands it to
lookForLeader in that order; so the lines are the machine's input, and the server's own votes among them show what it really did. Where
they differ from the machine's (lines are missing, or the server broke the rules) the machine goes on from the server's own vote.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from zabtrace import zxid
from zabtrace.incidents.scene import Scene
from zabtrace.protocol.election import HANDLERS, LOOKING, Looking, Notification, first_vote, message_version
from zabtrace.protocol.quorum import Config
from zabtrace.protocol.releases import NEWEST
from zabtrace.protocol.vote import Vote, decided_by, wins
from zabtrace.replay.ballots import Ballot, Notice
from zabtrace.replay.roles import Interval

DECIDED = "decided"
"""Instead of a rule: the notification came when the machine had joined a leader already."""
OLDEST_FORMAT = "3.4.5"
"""A release whose rules are those of votes without a message version."""


class Step(NamedTuple):
    """One notification, the rules of the machine that it set off (``protocol.election.REASONS``), and where the machine stands then."""

    notice: Notice
    rules: tuple[str, ...]
    proposal: Vote
    """Its proposal behind it."""
    compared: str
    """How the notified vote stood against the proposal before: better, worse, equal, weightless, or '' where they were not compared."""
    by: str | None
    """The field in which they differ: epoch, zxid or sid."""
    agreed: bool
    """A quorum of votes equal to the proposal stands behind it."""
    forced_by: Notice | None = None
    """Of the server's own vote: the notification that made it vote so. None for its first vote, and where nothing forced it."""
    foreseen: bool = True
    """Of the server's own vote: the machine had come to it."""


@dataclass
class Driven:
    """What the machine made of one LOOKING interval."""

    machine: Looking
    steps: list[Step] = field(default_factory=list)

    @property
    def reached(self) -> set[int]:
        """The candidates that it could have settled on: a quorum stood behind them, or followed them already."""
        found = {step.proposal.sid for step in self.steps if step.agreed}
        return found | ({self.machine.joined.sid} if self.machine.joined is not None else set())

    def stood_for(self, candidate: int) -> Notice | None:
        """The notification with which the quorum stood that lasted to the decision for this candidate."""
        since: Notice | None = None
        for step in self.steps:
            stands = "existing leader" in step.rules or step.agreed
            leader = self.machine.joined if "existing leader" in step.rules else step.proposal
            since = (since or step.notice) if stands and leader is not None and leader.sid == candidate else None
            if "existing leader" in step.rules:
                return since
        return since


@dataclass(frozen=True)
class Unknown(Config):
    """Voters that no configuration names: whoever speaks counts, and nobody is known to be a quorum."""

    def is_quorum(self, servers: Iterable[int]) -> bool:
        """Cannot be told."""
        return False


def vote_of(ballot: Ballot) -> Vote:
    """A printed vote in the order of votes; the format before 3.4 has no peerEpoch: the epoch of the zxid stands for it."""
    epoch = ballot.peer_epoch if ballot.peer_epoch is not None else zxid.epoch(ballot.zxid)
    return Vote(epoch, ballot.zxid, ballot.leader)


def readings(scene: Scene, looking: Interval, seen: Sequence[Notice]) -> Iterator[tuple[Config, str]]:
    """The configurations and releases that the server may have gone by, the likeliest first.

    From 3.5.0 on its own notifications name the version of its configuration; the release stands at the head of its process.
    """
    release = scene.versions.get((looking.server, looking.process))
    releases = [release] if release is not None else [NEWEST, OLDEST_FORMAT]
    known = list(scene.configs)
    own = next((scene.noticed.config_versions[n.row] for n in seen if n.sender == looking.server), None)
    if own is not None:
        known.sort(key=lambda config: (config.zxid is not None and config.zxid > own, -(config.zxid or 0)))
    for config in known or [Unknown(voters=frozenset({looking.server} | {s for n in seen for s in (n.sender, n.ballot.leader)}))]:
        for one in releases:
            yield config, one


def drive(looking: Interval, seen: Sequence[Notice], config: Config, release: str, formats: Sequence[int | None]) -> Driven:
    """Feed the machine of that configuration and release with everything the server printed in that interval.

    ``formats``: the message format version of each row of the ballots' frame, where it was printed.
    """
    own = [n for n in seen if n.sender == looking.server and n.state == LOOKING]
    begun = own or [n for n in seen if n.state == LOOKING] or list(seen)
    vote = vote_of(own[0].ballot) if own else first_vote(looking.server, 0, 0, observer=True)
    machine = Looking(looking.server, vote, [config], begun[0].ballot.round - 1 if begun else 0, release)
    driven = Driven(machine)
    reasons: dict[tuple[Vote, int], Notice | None] = {(machine.proposal, machine.round): None}
    for notice in seen:
        version = formats[notice.row]
        format_ = version if version is not None else message_version(release)
        heard = Notification(notice.sender, notice.state, notice.ballot.round, vote_of(notice.ballot), format_)
        stood = bool(driven.steps) and driven.steps[-1].agreed
        driven.steps.append(_step(machine, notice, heard, reasons, stood))
    return driven


def _step(machine: Looking, notice: Notice, heard: Notification, reasons: dict[tuple[Vote, int], Notice | None], stood: bool) -> Step:
    if machine.joined is not None or heard.state not in HANDLERS:
        return Step(notice, (DECIDED,) if machine.joined is not None else (), machine.proposal, "", None, stood)
    own = notice.sender == machine.sid and notice.state == LOOKING
    key = (heard.vote, heard.round)
    foreseen = not own or key in reasons
    if not foreseen:
        machine.proposal, machine.round = heard.vote, heard.round
    base = machine.own if heard.round > machine.round else machine.proposal
    rules = tuple(machine.receive(heard))
    reasons.setdefault((machine.proposal, machine.round), notice)
    counted = notice.state == LOOKING and "counted" in rules
    compared, by = _compared(heard.vote, base, machine.configs[0]) if counted else ("", None)
    agreed = "quorum" in rules if counted else stood
    return Step(notice, rules, machine.proposal, compared, by, agreed, reasons.get(key) if own else None, foreseen)


def _compared(heard: Vote, proposal: Vote, config: Config) -> tuple[str, str | None]:
    if heard == proposal:
        return "equal", None
    if wins(heard, proposal, config.weight(heard.sid)):
        return "better", decided_by(heard, proposal)
    return ("weightless", None) if heard > proposal else ("worse", decided_by(proposal, heard))
