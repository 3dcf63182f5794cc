"""One clock for drawing: by how much each server's stamps are shifted so that nothing is received before it was sent.

Strategy: the intervals of CLOCKS are difference constraints. Server after server is given the least shift that they allow with the
shifts before it; after the closure (shortest paths) there always is one. The first server keeps its own clock: it is the one with
which the fewest others have to be shifted. Where the clocks may have agreed nothing is shifted. This is for drawing alone: no order,
no fate and no check rests on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from math import inf

import polars as pl

from zabtrace import wording
from zabtrace.incidents import clocks
from zabtrace.incidents.scene import Scene
from zabtrace.replay.history import History

Bounds = dict[tuple[int, int], float]
"""(one, other) -> the most ms by which the shift of one may exceed that of the other."""


@dataclass(frozen=True)
class Alignment:
    """What is added to each server's stamps, in ms, where they are drawn."""

    shifts: Mapping[int, int] = field(default_factory=dict)
    """Only servers that are shifted."""
    agreed: frozenset[int] = frozenset()
    """Servers whose clocks messages compare, and that keep their own."""
    unsteady: tuple[tuple[int, int], ...] = ()
    """Pairs whose messages exclude each other: a clock was stepped or drifts. They are not used."""
    torn: bool = False
    """The bounds of several pairs exclude each other: nothing is shifted."""

    def of(self, server: int | None) -> int:
        """The shift of a server's stamps, in ms."""
        return 0 if server is None else self.shifts.get(server, 0)

    def said(self, names: wording.Names, servers: Iterable[int] = ()) -> list[str]:
        """What was shifted by how much and by what rule, in sentences. ``servers``: all that have times to be drawn."""
        told = [self._moved(names)] if self.shifts else []
        if self.torn:
            told.append("What messages tell of the servers' clocks contradicts itself: every time is drawn by its own server's clock.")
        elif self.agreed and not self.shifts:
            told.append(f"No message shows that the clocks of {_servers(self.agreed, names)} stood apart: no time is shifted.")
        alone = [] if self.torn else sorted(set(servers) - self.agreed - self.shifts.keys())
        if alone and len(set(servers)) > 1:
            told.append(f"No message tells how far off the clock of {_servers(alone, names)} stands: drawn as printed.")
        if self.unsteady:
            pairs = ", ".join(f"{names.name(one)} and {names.name(other)}" for one, other in self.unsteady)
            told.append(f"A clock was stepped or drifts: what passed between servers {pairs} is not used to align them.")
        return told

    def _moved(self, names: wording.Names) -> str:
        moved = _listed([f"server {names.name(server)} by {shift / 1000:+.3f} s" for server, shift in sorted(self.shifts.items())])
        kept = f"; the clock of {_servers(self.agreed, names)} is kept" if self.agreed else ""
        return (
            f"Drawn by one clock: the times of {moved} are shifted, the least with which nothing is received before it was sent{kept}. "
            "Evidence and tables keep their own stamps."
        )


def aligning(history: History) -> Alignment:
    """The Alignment of a History whose CLOCKS are not at hand; none where no server's log was read."""
    return Alignment() if history.terms is None else alignment(clocks.table(clocks.pair_spans(Scene(history, history.terms))))


def alignment(apart: pl.DataFrame) -> Alignment:
    """The Alignment that CLOCKS allow."""
    steady = apart.filter(pl.len().over("server", "against") == 1)
    unsteady = apart.filter(pl.len().over("server", "against") > 1).select("server", "against").unique(maintain_order=True)
    bounds, pairs = closed(_bounds(steady)), tuple(unsteady.iter_rows())
    if bounds is None:
        return Alignment(unsteady=pairs, torn=True)
    compared = sorted({server for pair in bounds for server in pair})
    orders = [[first, *(server for server in compared if server != first)] for first in compared]
    shifts = min((least(order, bounds) for order in orders), key=_cost, default={})
    moved = {server: shift for server, shift in shifts.items() if shift}
    return Alignment(moved, frozenset(compared) - moved.keys(), pairs)


def _cost(shifts: Mapping[int, int]) -> tuple[int, int]:
    return sum(shift != 0 for shift in shifts.values()), sum(map(abs, shifts.values()))


def _bounds(clocks: pl.DataFrame) -> Bounds:
    """A server whose stamps are ahead by at least ``low`` has to be shifted by at least so much less than the other."""
    rows = list(clocks.select("server", "against", "low_ms", "high_ms").iter_rows())
    least_ahead = {(one, other): float(-low) for one, other, low, _ in rows if low is not None}
    return least_ahead | {(other, one): float(high) for one, other, _, high in rows if high is not None}


def closed(bounds: Bounds) -> Bounds | None:
    """The bounds that all together allow (shortest paths, Floyd and Warshall). None where they exclude each other."""
    most, servers = dict(bounds), {server for pair in bounds for server in pair}
    for via in servers:
        for one, other in permutations(servers, 2):
            through = most.get((one, via), inf) + most.get((via, other), inf)
            if through < most.get((one, other), inf):
                most[one, other] = through
    return None if any(most[pair] + most.get(pair[::-1], inf) < 0 for pair in most) else most


def least(order: Sequence[int], bounds: Bounds) -> dict[int, int]:
    """Each server's shift, the nearest to nothing that closed bounds allow with those before it.

    >>> least([3, 1, 2], {(1, 3): 41254.0, (3, 1): -41200.0, (2, 3): 20.0, (3, 2): 15.0, (1, 2): 41269.0, (2, 1): -41180.0})
    {3: 0, 1: 41200, 2: 0}
    """
    shifts: dict[int, int] = {}
    for server in order:
        low = max((shifts[other] - bounds.get((other, server), inf) for other in shifts), default=-inf)
        high = min((shifts[other] + bounds.get((server, other), inf) for other in shifts), default=inf)
        shifts[server] = int(max(low, min(high, 0)))
    return shifts


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def _servers(numbers: Iterable[int], names: wording.Names) -> str:
    listed = [str(names.name(number)) for number in sorted(numbers)]
    return f"server{'s' if len(listed) > 1 else ''} {_listed(listed)}"
