"""Accounts: an election as each server saw it, notification by notification: what it did with each, and what forced a change of vote.

Strategy: a small interpreter walks through what one server printed while it was LOOKING, with the state that
FastLeaderElection.lookForLeader keeps (round, proposal, votes received, votes of those who have a leader), and notes a step per line. The
server's own votes tell what it really did; the steps say why. Conformance is checked elsewhere: a step never corrects a line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from zabtrace import zxid
from zabtrace.incidents.scene import Scene, order_of
from zabtrace.protocol.quorum import Config
from zabtrace.protocol.vote import decided_by, wins
from zabtrace.replay.ballots import Ballot, Notice
from zabtrace.replay.contests import Election, contests
from zabtrace.replay.roles import Interval
from zabtrace.replay.rounds import TOOK

SHORT, LONG = 100, 1000
"""ms by which the logged duration may fall short of the lines', or exceed it: it begins a little before the LOOKING line."""


MEMORY = "its database in memory, brought forward by what its log holds beyond it (3.4.12+, 3.5.4+)"
IGNORED = (
    ("vote_ignored_sender_unknown", "of servers that are no members of its configuration (mixed membership)"),
    ("vote_ignored_leader_unknown", "for servers that are no members of its configuration (mixed membership)"),
    ("vote_ignored_zxid_minus1", "of servers without a database (zxid -1)"),
    ("vote_ignored_own_zxid_minus1", "because its own database is missing (zxid -1)"),
    ("notification_old_format", "in an older message format"),
    ("notification_malformed", "in a message format that it could not read"),
    ("notification_short", "that were too short to be read"),
)
"""A line about notifications that did not count, and which those were."""


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


@dataclass
class Account:
    """One server's LOOKING interval in an election."""

    server: int
    interval: Interval
    first_vote: Ballot | None = None
    steps: list[Step] = field(default_factory=list)
    quorum_at: datetime | None = None
    """When the votes that it had seen made a quorum for what it decided in the end."""
    result: str = ""
    logged_ms: int | None = None
    took_longer: list[int] = field(default_factory=list)
    """The notification time-outs that it announced, in ms: each doubles the one before."""
    unreachable: tuple[int, ...] = ()
    """Servers to which it could open no channel."""
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


@dataclass
class _Memory:
    """What lookForLeader keeps."""

    round: int | None = None
    first: Ballot | None = None
    cast: Ballot | None = None
    """Its own vote as last printed; ``proposal`` may be ahead of it."""
    proposal: Ballot | None = None
    votes: dict[int, Ballot] = field(default_factory=dict)
    settled: dict[int, Ballot] = field(default_factory=dict)


def accounts(scene: Scene) -> dict[int, list[Account]]:
    """Per election (its number in ELECTIONS) the account of each server that was LOOKING in it."""
    took = {row["interval"]: row["ms"] for row in scene.stage.rows(TOOK, "ms")}
    waits = scene.per_interval(["fle_notification_timeout"], "ms")
    failed = scene.per_interval(["peer_connect_failed"], "sid")
    ignored = scene.per_interval([kind for kind, _ in IGNORED])
    found: dict[int, list[Account]] = {}
    for election in contests(scene.stage, scene.terms):
        told = [_account(scene, election, looking) for looking in sorted(election.looking, key=lambda i: (i.server, i.at))]
        for account in told:
            number, after = account.interval.index, account.interval.after
            account.logged_ms = took.get(after.index) if after is not None else None
            account.took_longer = [row["ms"] for row in waits.get(number, ()) if row["ms"] is not None]
            account.unreachable = tuple(sorted({row["sid"] for row in failed.get(number, ()) if row["sid"] is not None}))
            account.why_none = _why_none(scene, account, [row["kind"] for row in ignored.get(number, ())])
        found[election.number] = told
    return found


def _account(scene: Scene, election: Election, looking: Interval) -> Account:
    seen = scene.terms.ballots.heard.get(looking.index, [])
    account = Account(looking.server, looking, result=_result(scene, looking))
    config = _config(scene, election)
    first = next((n.ballot for n in seen if n.sender == looking.server and n.state == "LOOKING"), None)
    account.first_vote = first  # cast before anything is read, though others' votes may be printed before it
    memory = _Memory(None if first is None else first.round, first, None, first)
    candidate = None if looking.after is None else looking.server if looking.after.role == "LEADING" else looking.after.leader
    for notice, (time, source, line) in zip(seen, _places(scene, seen), strict=True):
        did = _step(memory, looking.server, notice, config)
        account.steps.append(Step(time, notice.sender, notice.state, notice.ballot.round, notice.ballot.leader, did, source, line))
        if account.quorum_at is None and candidate is not None and _agreed(memory, looking.server, candidate, config):
            account.quorum_at = time
    return account


def _why_none(scene: Scene, account: Account, ignored: list[str]) -> str | None:
    """Why it found no leader: what it ignored, whom it did not hear, or votes that were split."""
    after = account.interval.after
    if after is not None and after.role in ("LEADING", "FOLLOWING", "OBSERVING"):
        return None
    heard = {step.sender for step in account.steps if step.sender != account.server and "not counted" not in step.did}
    config = scene.configs[-1] if scene.configs else Config()
    parts = [f"it ignored notifications {what}" for kind, what in IGNORED if kind in ignored]
    if account.unreachable:
        parts.append(f"it could open no channel to {scene.name(*account.unreachable)}")
    if not heard:
        parts.append("it heard from nobody")
    elif config.voters and not config.is_quorum(heard | {account.server}):
        parts.append(f"it heard from {scene.name(*heard)} only: with itself no quorum of {len(config.voters)} voters")
    else:
        last = {step.sender: step.voted_for for step in account.steps if step.state == "LOOKING"}
        parts += [f"the votes were split between {scene.name(*set(last.values()))}"] if len(set(last.values())) > 1 else []
    if account.took_longer:
        parts.append(f"its waits doubled up to {max(account.took_longer)} ms")
    ends = "the log or the process ends while it is looking" if after is None else "it looked anew"
    return "; ".join([*parts, ends])


def _places(scene: Scene, seen: list[Notice]) -> Iterator[tuple[datetime | None, str, int]]:
    rows = scene.terms.ballots.frame[[notice.row for notice in seen]]
    return iter(rows.select("time", "source", "line").rows())


def _config(scene: Scene, election: Election) -> Config:
    """The configuration in force at the vote that decided; the oldest where nothing decided."""
    ballot = election.term.ballot if election.term is not None else None
    below = [c for c in scene.configs if c.zxid is None or (ballot is not None and c.zxid <= ballot.zxid)]
    return below[-1] if below else scene.configs[0] if scene.configs else Config()


def _agreed(memory: _Memory, own: int, candidate: int, config: Config) -> bool:
    by_votes = {sid for sid, ballot in memory.votes.items() if ballot == memory.proposal} if memory.proposal else set()
    if memory.proposal is not None and memory.proposal.leader == candidate and config.is_quorum(by_votes | {own}):
        return True
    return config.is_quorum({sid for sid, ballot in memory.settled.items() if ballot.leader == candidate})


def _step(memory: _Memory, own: int, notice: Notice, config: Config) -> str:
    """What lookForLeader does with a notification, in words; ``memory`` is brought up to date."""
    if (
        config.voters
        and notice.state != "OBSERVING"
        and not {notice.sender, notice.ballot.leader} <= config.voters
        and notice.sender != own
    ):
        return "not counted: its sender or its candidate has no vote"
    if notice.state == "LOOKING":
        return _own(memory, notice) if notice.sender == own else _vote(memory, notice, config)
    if notice.state in ("FOLLOWING", "LEADING"):
        memory.settled[notice.sender] = notice.ballot
        return f"says that {notice.ballot.leader} leads" if notice.state == "FOLLOWING" else "says that it leads"
    return "not counted: an observer"


def _own(memory: _Memory, notice: Notice) -> str:
    """Its own vote, as it cast it."""
    before, now = memory.cast, notice.ballot
    memory.cast = now
    if before is None:
        memory.votes.setdefault(notice.sender, now)
        return "its first vote"
    memory.votes[notice.sender], memory.proposal = now, now
    if before == now:
        return "its vote again"
    if before.round != now.round:
        return f"its vote in round {now.round}"
    mine, its = order_of(now), order_of(before)
    return f"changed its vote to {now.leader}" + (f" by {RULE[decided_by(mine, its)]}" if mine and its and mine != its else "")


RULE = {"epoch": "epoch", "zxid": "zxid", "sid": "server id"}


def _vote(memory: _Memory, notice: Notice, config: Config) -> str:
    """Another LOOKING server's vote."""
    ballot = notice.ballot
    if memory.round is not None and ballot.round < memory.round:
        return f"ignored: round {ballot.round} is over"
    higher = memory.round is not None and ballot.round > memory.round
    if higher:
        memory.votes = {}
        memory.proposal = memory.first._replace(round=ballot.round) if memory.first is not None else None
    memory.round = ballot.round
    memory.votes[notice.sender] = ballot
    head = f"a higher round: it goes on in round {ballot.round}, and " if higher else ""
    return head + _compared(memory, ballot, config)


def _compared(memory: _Memory, ballot: Ballot, config: Config) -> str:
    new, current = order_of(ballot), order_of(memory.proposal) if memory.proposal is not None else None
    if memory.proposal is None or new is None or current is None:
        return "counted"
    if new == current:
        return "counted: it agrees"
    if wins(new, current, config.weight(ballot.leader)):
        memory.proposal = ballot
        return f"taken over: better by {RULE[decided_by(new, current)]}"
    return "not taken: its candidate has weight 0" if new > current else f"counted, not taken: worse by {RULE[decided_by(current, new)]}"


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
