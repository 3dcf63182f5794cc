"""The case of a loss: what causes are looked for in.

Strategy: a notice knows the intervals of both sides; the case joins the two notices of one connection, and compares stamps of two servers
as far as CLOCKS allows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from zabtrace.incidents.clocks import Clocks
from zabtrace.incidents.notices import LEADER, LEARNER, Notice
from zabtrace.incidents.scene import Evidence, Scene
from zabtrace.incidents.silence import Gap, Silences
from zabtrace.replay.roles import Interval

NEAR = 3000
"""What a server prints within so many ms of a loss may have to do with it."""


class Cause(NamedTuple):
    """A sentence, and the lines beside the notice's own that show it."""

    text: str
    evidence: tuple[Evidence, ...] = ()
    paused: tuple[int, Gap] | None = None
    """The server that was paused, and the time in which it printed nothing, where that is the cause."""


@dataclass(frozen=True)
class Case:
    """What causes are looked for in."""

    scene: Scene
    clocks: Clocks
    notices: list[Notice]
    silences: Silences
    _ends: dict[tuple[int, int], Notice] = field(default_factory=dict)
    _own: dict[tuple[int, str], list[Notice]] = field(default_factory=dict)
    cut: dict[int, set[int]] = field(default_factory=dict)
    """From whom each server was cut off: both waited for the other in vain."""

    def __post_init__(self) -> None:
        for notice in self.notices:
            self._own.setdefault((notice.interval.index, notice.side), []).append(notice)
            if notice.other is not None and notice.side in (LEADER, LEARNER):
                self._ends.setdefault((notice.interval.index, notice.other.index), notice)
        for notice in self.notices:
            other = self.counterpart(notice)
            if notice.silent and other is not None and other.silent:
                self.cut.setdefault(notice.server, set()).add(other.server)

    def counterpart(self, notice: Notice) -> Notice | None:
        """The notice at the other end of the same connection: of the lost server, about the one that lost it."""
        if notice.other is None or notice.side not in (LEADER, LEARNER):
            return None
        return self._ends.get((notice.other.index, notice.interval.index))

    def own(self, interval: Interval, side: str) -> list[Notice]:
        """Notices of this side that a server printed in this interval."""
        return self._own.get((interval.index, side), [])

    def behind(self, one: Notice, other: Notice) -> tuple[float, float]:
        """By how many ms ``one`` was printed later than ``other``: at least and at most."""
        if one.time is None or other.time is None:
            return float("-inf"), float("inf")
        return self.clocks.later(one.time, one.server, other.time, other.server)

    def named(self, server: int | None) -> str:
        """'server 1'."""
        return "the learner" if server is None else self.scene.name(server)


Finder = Callable[[Case, Notice], Cause | None]


def upper(text: str) -> str:
    """With a capital letter."""
    return text[:1].upper() + text[1:]
