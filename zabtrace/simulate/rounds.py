"""The steps, round by round: which election each belongs to, who won it, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from zabtrace.protocol.quorum import Config
from zabtrace.protocol.vote import Vote, decided_by
from zabtrace.simulate import journal
from zabtrace.simulate.journal import Step

OF_ROUNDS = (journal.NOTIFICATION, journal.CHANGE, journal.QUORUM, journal.DECISION)


@dataclass
class Round:
    """One election: its round, its steps, the first vote of each server, and on whom they settled."""

    number: int
    steps: list[Step] = field(default_factory=list)
    firsts: dict[int, Vote] = field(default_factory=dict)
    decided: dict[int, int] = field(default_factory=dict)
    """Server -> its leader."""
    joined: bool = False
    """Somebody found an existing leader."""
    led: bool = False

    @property
    def leader(self) -> int | None:
        """The server that decided to lead; who only joins finds one."""
        own = [server for server, leader in self.decided.items() if server == leader]
        return own[0] if own else next(iter(self.decided.values()), None) if self.joined else None


def rounds(steps: Sequence[Step]) -> list[Round]:
    """The elections in the order in which they begin. A server that joins a later round takes part in that one from then on."""
    found: list[Round] = []
    part: dict[int, Round] = {}
    for step in steps:
        if step.kind not in OF_ROUNDS or step.server is None:
            continue
        if step.kind == journal.CHANGE:
            part[step.server] = _taken(found, part.get(step.server), step)
        election = part.get(step.server)
        if election is None or (step.kind == journal.NOTIFICATION and _late(election, step)):
            continue
        election.steps.append(step)
        if step.kind == journal.DECISION:
            election.decided[step.server] = step.facts["leader"]
            election.joined |= step.facts["joined"]
    return found


def _late(election: Round, step: Step) -> bool:
    """A vote of another round reached a server that had decided: it belongs to none of its elections."""
    return step.server in election.decided and step.facts["round"] != election.number


def _taken(found: list[Round], present: Round | None, step: Step) -> Round:
    """The election that a vote is cast in."""
    assert step.server is not None  # noqa: S101 (the caller looked)
    number, first = step.facts["round"], step.facts["because"] == "own vote"
    if not first and present is not None and present.number == number:
        return present
    fitting = [one for one in found if one.number == number and not one.decided and not (first and step.server in one.firsts)]
    election = fitting[-1] if fitting else Round(number)
    if not fitting:
        found.append(election)
    own = step.facts["vote"] if first else (present.firsts.get(step.server) if present else None)
    if own is not None and own.sid == step.server:
        election.firsts[step.server] = own
    return election


def why(election: Round, config: Config) -> str:
    """Who won and by which field over whom; or why nobody did."""
    leader = election.leader
    if leader is None:
        return f"Nobody wins round {election.number}: {_listed(election.firsts)} came to no quorum of the voters {_listed(config.voters)}."
    if election.joined and leader not in election.firsts:
        return f"{_listed(election.decided)} found leader {leader}, whom a quorum follows already."
    over = {server: decided_by(election.firsts[leader], vote) for server, vote in election.firsts.items() if server != leader}
    reasons = [f"by {_words(name)} over {_listed(s for s, by in over.items() if by == name)}" for name in ("epoch", "zxid", "sid")
               if name in over.values()]  # fmt: skip
    agreed = sorted(server for server, chosen in election.decided.items() if chosen == leader and server in config.voters)
    beaten = ", ".join(reasons) if reasons else "alone"
    return (
        f"Server {leader} wins round {election.number}: {beaten}; {_listed(agreed)} of the voters {_listed(config.voters)} settled on it."
    )


def _words(name: str) -> str:
    return "server id" if name == "sid" else name


def _listed(sids: Iterable[int]) -> str:
    return ", ".join(str(sid) for sid in sorted(sids))
