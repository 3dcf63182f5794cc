"""Leaderless: why a server that was LOOKING found no leader.

Strategy: ``REASONS`` is asked from the top, and every reason that the lines show is told: what was ignored, whom the server did not reach
or hear, votes that were split or never made a quorum, and how its waits doubled. How the interval ended comes last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zabtrace.incidents.driving import Driven
from zabtrace.incidents.scene import Scene
from zabtrace.protocol.election import LOOKING
from zabtrace.protocol.quorum import Config

if TYPE_CHECKING:
    from zabtrace.incidents.accounts import Account

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
UNCHALLENGED = "auth_fle_problem"
"""A line of the legacy algorithms 1 and 2 about a datagram that could not be sent or checked."""
FOUND = ("LEADING", "FOLLOWING", "OBSERVING")


@dataclass(frozen=True)
class Case:
    """What reasons are looked for in."""

    scene: Scene
    account: Account
    driven: Driven
    ignored: Counter[str]

    @property
    def config(self) -> Config:
        """The configuration that the server went by."""
        return self.driven.machine.configs[0]

    @property
    def heard(self) -> set[int]:
        """Others whose notifications counted."""
        return {step.notice.sender for step in self.driven.steps if "counted" in step.rules} - {self.account.server}

    @property
    def votes(self) -> dict[int, int]:
        """The last candidate of each server that was LOOKING too."""
        counted = (step for step in self.driven.steps if step.notice.state == LOOKING and "counted" in step.rules)
        return {step.notice.sender: step.notice.ballot.leader for step in counted}


def why_none(scene: Scene, account: Account, driven: Driven, ignored: Counter[str]) -> str | None:
    """Why it found no leader; None where it found one. ``ignored``: how many lines of IGNORED and UNCHALLENGED it printed."""
    after = account.interval.after
    if after is not None and after.role in FOUND:
        return None
    case = Case(scene, account, driven, ignored)
    ends = "the log or the process ends while it is looking" if after is None else "it looked anew"
    return "; ".join([*(told for reason in REASONS if (told := reason(case)) is not None), ends])


def not_counted(case: Case) -> str | None:
    """Lines about notifications that it ignored; else those that the machine ignores."""
    told = [f"it ignored {case.ignored[kind]} notifications {what}" for kind, what in IGNORED if case.ignored[kind]]
    strangers = {step.notice.sender for step in case.driven.steps if "sender is no voter" in step.rules} - {case.account.server}
    if strangers and not told and case.account.server in case.config.voters:
        told.append(f"notifications of {case.scene.name(*strangers)} did not count: sender or candidate has no vote (mixed membership)")
    return "; ".join(told) or None


def not_challenged(case: Case) -> str | None:
    """The legacy algorithms 1 and 2, which print no votes."""
    number = case.ignored[UNCHALLENGED]
    return f"{number} datagrams could not be sent or checked (electionAlg 1 or 2: addresses and challenges)" if number else None


def not_reached(case: Case) -> str | None:
    """Servers to which no connection came about."""
    refused, others = case.account.refused, set(case.account.unreachable) - set(case.account.refused)
    told = [f"{case.scene.name(*refused)} refused the connection: nothing listened there"] if refused else []
    told += [f"it could open no channel to {case.scene.name(*others)}"] if others else []
    return "; ".join(told) or None


def not_heard(case: Case) -> str | None:
    """Too few voters spoke; the legacy algorithms do not print who did."""
    if not case.driven.steps:
        return "no vote is in its log"
    if not case.heard:
        return "it heard from nobody"
    voters, here = case.config.voters, case.heard | {case.account.server}
    if case.scene.configs and not case.config.is_quorum(here):
        return f"it heard from {case.scene.name(*case.heard)} only: with itself no quorum of {len(voters)} voters"
    return None


def split(case: Case) -> str | None:
    """Enough spoke, but not for one candidate."""
    candidates = set(case.votes.values())
    if not case.scene.configs or not case.config.is_quorum(case.heard | {case.account.server}) or case.driven.reached:
        return None
    if len(candidates) > 1:
        return f"the votes were split between {case.scene.name(*candidates)}"
    leaders = {step.notice.ballot.leader for step in case.driven.steps if step.notice.state in ("FOLLOWING", "LEADING")}
    return f"no quorum of those that have a leader says the same, and that leader itself: {case.scene.name(*leaders)}" if leaders else None


def undone(case: Case) -> str | None:
    """A quorum stood, and yet nothing came of it."""
    reached = case.driven.reached
    return f"a quorum stood for {case.scene.name(*reached)}, and the decision is not in its log" if reached else None


def waited(case: Case) -> str | None:
    """Time-outs."""
    longest = max(case.account.took_longer, default=None)
    return None if longest is None else f"its waits doubled up to {longest} ms"


Reason = Callable[[Case], str | None]
REASONS: tuple[Reason, ...] = (not_counted, not_challenged, not_reached, not_heard, split, undone, waited)
