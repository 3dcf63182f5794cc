"""Time: what happens next, in ms since the simulation began.

Strategy: one heap of (time, number, action); equal times keep the order in which they were planned, so that everything follows from the
seed. What only waits for something that may never come (a resent vote) is ``idle``: the ensemble is at rest when nothing else is left.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

Action = Callable[[], None]


@dataclass
class Planned:
    """One action; None once it is called off."""

    action: Action | None
    idle: bool


class Agenda:
    """Actions in the order of their times."""

    def __init__(self) -> None:
        self.now = 0
        self._heap: list[tuple[int, int, Planned]] = []
        self._numbers = count()
        self._busy = 0

    def plan(self, delay: int, action: Action, *, idle: bool = False) -> Planned:
        """Do it ``delay`` ms from now."""
        planned = Planned(action, idle)
        heapq.heappush(self._heap, (self.now + delay, next(self._numbers), planned))
        self._busy += not idle
        return planned

    def call_off(self, planned: Planned) -> None:
        """Do it no more."""
        self._busy -= planned.action is not None and not planned.idle
        planned.action = None

    def run(self, until: int) -> None:
        """Do all that comes up to that time, and let it pass."""
        while self._heap and self._heap[0][0] <= until:
            self._next()
        self.now = max(self.now, until)

    def rest(self, until: int) -> None:
        """Do all that comes until nothing but idle waiting is left, or until that time."""
        while self._busy and self._heap[0][0] <= until:
            self._next()

    def step(self, until: int) -> bool:
        """Do the next thing, busy or idle, if it comes up to that time."""
        if not self._heap or self._heap[0][0] > until:
            return False
        self._next()
        return True

    def _next(self) -> None:
        time, _, planned = heapq.heappop(self._heap)
        self.now = time
        if (action := planned.action) is not None:
            self.call_off(planned)
            action()
