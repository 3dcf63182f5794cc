"""Reasons: why an election ended as it did, in one sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from zabtrace import zxid
from zabtrace.protocol.quorum import Config
from zabtrace.protocol.vote import Vote
from zabtrace.replay.handshakes import Sent

NO_EPOCH = -1
"""peerEpoch of a vote of the algorithms that know none (electionAlg 0 to 2, up to 3.5)."""


@dataclass(frozen=True)
class Facts:
    """What the sentence about an election is made of."""

    kind: str
    round: int | None
    leader: int | None
    epoch: int | None
    decided_by: str | None
    winner: Vote | None
    rival: Vote | None
    quorum: tuple[int, ...]
    servers: tuple[int, ...]
    config: Config
    candidate: int | None
    ends: tuple[str, ...]
    failed: bool
    """Its leader's log shows no quorum behind it."""
    labels: Mapping[int, str] = field(default_factory=dict)
    """Names of servers whose sid is not known."""

    @property
    def name(self) -> str:
        """What to call the leader."""
        return self.labels.get(self.leader, str(self.leader)) if self.leader is not None else "nobody"

    def listed(self, servers: Iterable[int]) -> str:
        """``listed`` with the names of this election."""
        return listed(servers, self.labels)


def listed(servers: Iterable[int], labels: Mapping[int, str] = MappingProxyType({})) -> str:
    """Servers by name: 'server 1', 'servers 1, 2 and 3', 'nobody'; by label where the sid is not known."""
    names = [labels.get(server, str(server)) for server in sorted(servers)]
    if not names:
        return "nobody"
    return f"server {names[0]}" if len(names) == 1 else f"servers {', '.join(names[:-1])} and {names[-1]}"


def election(facts: Facts) -> str:
    """Why it ended as it did."""
    if facts.kind == "handover":
        return f"Server {facts.name} took over without a vote: a reconfiguration named it the new leader{_epoch(facts)}."
    if facts.kind == "join":
        shown = f", as {facts.listed(facts.quorum)} told it" if facts.quorum else ""
        return f"{_upper(facts.listed(facts.servers))} joined the existing leader {facts.name}{_epoch(facts, ' of')}{shown}."
    if facts.kind == "unknown":
        leader = "a leader that no line names" if facts.leader is None else f"server {facts.name}{_epoch(facts, ' of')}"
        return f"{_upper(facts.listed(facts.servers))} came to follow {leader}: {UNSEEN}."
    if facts.leader is None:
        return _nobody(facts)
    return f"{_won(facts)}; {_agreement(facts)}{'; it established no epoch' if facts.failed else ''}."


UNSEEN = "whether it took part in its election or joined it later, the log of the leader would show"


def _won(facts: Facts) -> str:
    head = f"Server {facts.name} won" + (f" round {facts.round}" if facts.round is not None else "")
    mine, its = facts.winner, facts.rival
    if facts.decided_by is None or mine is None:
        return f"{head}; the logs do not show the first votes it was compared with"
    if its is None:
        return f"{head} alone, with {_position(mine)}"
    if facts.decided_by == "sid":
        return f"{head} by server id: its {_position(mine)} equals {facts.listed([its.sid])}'s, and {mine.sid} is larger"
    return f"{head} by {facts.decided_by}: its {_position(mine)} beats {facts.listed([its.sid])}'s {_position(its)}"


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _position(vote: Vote) -> str:
    return zxid.text(vote.zxid) + (f" of epoch {vote.peer_epoch}" if vote.peer_epoch != NO_EPOCH else "")


def _agreement(facts: Facts) -> str:
    config = facts.config
    verb = "agreed" if len(facts.quorum) > 1 else "is all that is seen to agree"
    if config.is_quorum(facts.quorum):
        kind = "groups and weights" if config.groups else f"{len(config.voters)} voters"
        be = "are" if len(facts.quorum) > 1 else "is"
        return f"{facts.listed(facts.quorum)} {be} a quorum of {kind}"
    return f"{facts.listed(facts.quorum)} {verb}" + ("; no configuration names the voters" if not config.voters else "")


def _epoch(facts: Facts, word: str = "; it established") -> str:
    return f"{word} epoch {facts.epoch}" if facts.epoch is not None else ""


def _nobody(facts: Facts) -> str:
    who, config = facts.listed(facts.servers), facts.config
    be = "were" if len(facts.servers) > 1 else "was"
    if "refused" in facts.ends:
        whom = facts.listed([facts.candidate]) if facts.candidate is not None else "a server that no configuration names"
        return f"{_upper(who)} settled on {whom}, but nothing listened at its address: it did not lead then, or no longer."
    if facts.candidate is not None and facts.candidate not in facts.servers and "went on" in facts.ends:
        return f"{_upper(who)} settled on {facts.listed([facts.candidate])}, whose log does not show it leading then."
    if "went on" in facts.ends:
        return f"{_upper(who)} began to follow a leader that no line names."
    few = f"{who} {be} no quorum of {len(config.voters)} voters" if config.voters and not config.is_quorum(facts.servers) else ""
    because = f": {few}" if few else ""
    ending = "then it looked anew" if "looked anew" in facts.ends else "then the log or the process ends"
    return f"No leader was elected while {who} {be} looking{because}; {ending}."


def synchronization(mode: str | None, leader: Sent | None, stood: int | None, kept: int | None, target: int | None) -> str:
    """Why a learner got a DIFF, TRUNC or SNAP: the rule of LearnerHandler.syncFollower that applied, with its numbers."""
    place = zxid.text(stood) if stood is not None else "an unknown zxid"
    if leader is None:
        to = f" to {zxid.text(target)}" if target is not None else ""
        more = ", or what followed the cut" if mode == "TRUNC" else ""
        return f"The learner, at {place}, says it got a {mode}{to}; no line of its leader says why{more}."
    number, text = next(((n, text) for n, applies, text in SYNC_RULES if applies(mode, leader)), (0, UNCLEAR))
    facts = {"place": place, "kept": _zxid(kept), "min": _zxid(leader.min_committed), "max": _zxid(leader.max_committed),
             "walked": leader.walked or "committedLog", "base": _zxid(leader.snapshot)}  # fmt: skip
    # 3.4 has fewer rules (no log on disk, TRUNC across epochs) and prints no lastProcessedZxid
    rule = f" (rule {number} of syncFollower)" if number and leader.last_processed is not None else ""
    return f"{mode or 'Synchronized'}: {text.format(**facts)}{rule}."


def _zxid(number: int | None) -> str:
    return zxid.text(number) if number is not None else "unknown"


def _in_log(sent: Sent) -> bool:
    ends = sent.min_committed, sent.peer_zxid, sent.max_committed
    return None not in ends and ends[0] <= ends[1] <= ends[2]  # type: ignore[operator]


def _below(sent: Sent) -> bool:
    return sent.peer_zxid is not None and sent.min_committed is not None and sent.peer_zxid < sent.min_committed


def _equal(sent: Sent) -> bool:
    return sent.equal or (sent.peer_zxid is not None and sent.peer_zxid == sent.last_processed)


UNCLEAR = "the learner stood at {place}; the leader's lines do not show which rule applied"
SYNC_RULES: tuple[tuple[int, Callable[[str | None, Sent], bool], str], ...] = (
    (1, lambda mode, s: mode == "SNAP" and s.forced, "the leader is set to send snapshots always"),
    (4, lambda mode, s: mode == "SNAP" and s.refused,
     "the learner's {place} is of another epoch and not in the leader's history, which has entries of a newer epoch behind it: "
     "no TRUNC across epochs, so the snapshot {base}; its log records stay on its disk"),
    (2, lambda mode, s: mode == "DIFF" and _equal(s), "the learner's {place} is the leader's last zxid: nothing to send"),
    (3, lambda mode, _: mode == "TRUNC",
     "the learner's {place} is beyond the leader's committedLog, which ends at {max}: it is cut to {kept}"),
    (4, lambda mode, _: mode == "TRUNC+DIFF",
     "the learner's {place} is not in the leader's committedLog {min}..{max}: it is cut to {kept} and sent what follows"),
    (4, lambda mode, s: mode == "DIFF" and _in_log(s),
     "the learner's {place} is in the leader's committedLog {min}..{max}: what follows is sent"),
    (5, lambda mode, s: mode == "DIFF" and _below(s),
     "the learner's {place} is below the leader's committedLog {min}..{max}: what follows is sent from the {walked}"),
    (0, lambda mode, _: mode == "DIFF", "the learner's {place} is followed by what the leader's {walked} {min}..{max} holds"),
    (5, lambda mode, s: mode == "SNAP" and _below(s),
     "the learner's {place} is below the leader's committedLog {min}..{max}, and no log on disk serves: the snapshot {base}"),
    (6, lambda mode, _: mode == "SNAP",
     "the learner's {place} fits no rule for a DIFF or TRUNC with committedLog {min}..{max}: the snapshot {base}"),
)  # fmt: skip
"""LearnerHandler.syncFollower (3.5 to 3.9), number and condition of its rules; the first that fits what was printed explains the choice."""
