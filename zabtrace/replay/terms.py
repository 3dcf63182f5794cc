"""Terms: who led when, and who learned from whom.

A term is one LEADING interval with the learners' intervals that belong to it (``linking`` finds them), its epoch (``numbering``) and
the synchronizations made in it. A leader whose log is missing has a term without an interval, made of what its learners say.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from zabtrace.replay.ballots import Ballot, Ballots
from zabtrace.replay.handshakes import Received, Sent
from zabtrace.replay.roles import Interval, Stage

Handshake = tuple[Received | None, Sent | None]


@dataclass(eq=False, slots=True)
class Term:
    """One server's leadership. ``interval`` is null where its log is missing; ``epoch`` where it never got or showed one."""

    leader: int
    interval: Interval | None
    epoch: int | None = None
    ballot: Ballot | None = None
    """The vote that elected it."""
    learners: list[Interval] = field(default_factory=list)
    handshakes: list[Handshake] = field(default_factory=list)
    led: bool = True
    """False where its log shows that it never entered LEADING."""


@dataclass
class Terms:
    """All terms, and the term of each interval."""

    stage: Stage
    ballots: Ballots
    all: list[Term] = field(default_factory=list)
    of: dict[int, Term] = field(default_factory=dict)
    unpaired: list[Handshake] = field(default_factory=list)
    """Synchronizations of learners whose leader nothing names."""

    def enter(self, interval: Interval, term: Term) -> None:
        """Make a learner's interval part of a term."""
        self.of[interval.index] = term
        term.learners.append(interval)
        interval.leader = term.leader
