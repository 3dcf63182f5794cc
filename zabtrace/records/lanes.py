"""Chains of records followed in many places at once, and yet exactly as one after the other.

Strategy: where a record ends the next one begins, so a file is a chain that one loop could follow. Here it is cut into lanes. Near
the beginning of each lane a position that looks like a record is guessed, and all lanes move on together, one gather per step.
A guess proves nothing, but a lane whose start is right and that ends just where the next one starts proves that start too; the first
lane starts at a known record. Where a lane leaps over the next start, that start was wrong: the chain is followed one by one
from there to the next start it meets. ``one_by_one`` is the specification; the result never depends on the guesses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from zabtrace.records.columns import Bytes, Flags, Ints

SMALL = 2 << 20
"""Bytes below which one loop is as fast."""
LANE = 1 << 14
"""Least bytes of a lane."""
LANES = 1 << 11
WINDOWS = (1 << 9, 1 << 11)
"""Bytes at the beginning of a lane in which a record is looked for, few first; a lane without one belongs to the lane before it."""


@dataclass(frozen=True)
class Links:
    """How one record of a file leads to the next.

    ``one`` and ``many`` say the same, for one position and for an array: where the next record begins, or -1 where no record is.
    ``mark`` is a byte and its distance from every start; ``looks_right`` says which of the positions so found are worth a guess.
    """

    buffer: Bytes
    one: Callable[[int], int]
    many: Callable[[Ints], Ints]
    mark: tuple[int, int]
    looks_right: Callable[[Ints], Flags]


def follow(links: Links, begin: int, end: int) -> tuple[Ints, int]:
    """Starts of the records from ``begin`` on that lie before ``end``, and where the chain stops: a start behind ``end``, or no record."""
    if end - begin < SMALL:
        found, stop = one_by_one(links, begin, end)
        return np.array(found, dtype=np.int64), stop
    starts = _guess(links, begin, end)
    return _proved(links, starts, _walk(links, starts, end), end)


def one_by_one(links: Links, at: int, end: int) -> tuple[list[int], int]:
    """What ``follow`` gives, by the loop that it must agree with."""
    found: list[int] = []
    step = links.one
    while at < end and (following := step(at)) >= 0:
        found.append(at)
        at = following
    return found, at


@dataclass(frozen=True)
class _Lanes:
    """Where each lane came by, one row per step (-1: it was at its end), where it stopped, and whether it stopped at no record."""

    steps: Ints
    stop: Ints
    broken: Flags


def _guess(links: Links, begin: int, end: int) -> Ints:
    """``begin``, and for each later lane the first position in its window that looks like a record."""
    size = max(LANE, (end - begin) // LANES)
    lanes = (min(end, links.buffer.size) - begin) // size
    distance, byte = links.mark
    every = links.buffer[begin : begin + lanes * size].reshape(lanes, size)
    starts, missing = np.full(max(lanes, 1), -1), np.arange(1, lanes)
    for window in WINDOWS:
        which, place = np.nonzero(every[missing, :window] == byte)
        found = begin + missing[which] * size + place - distance
        right = np.flatnonzero(links.looks_right(found))
        lane, first = np.unique(missing[which[right]], return_index=True)
        starts[lane] = found[right[first]]
        missing = missing[starts[missing] < 0]
    starts[0] = begin
    return starts[starts >= 0]


def _walk(links: Links, starts: Ints, end: int) -> _Lanes:
    limit = np.append(starts[1:], end)
    stop, broken, steps = starts.copy(), np.zeros(starts.size, dtype=np.bool_), []
    lane, at = np.arange(starts.size), starts
    while lane.size:
        following = links.many(at)
        steps.append(at if lane.size == starts.size else _spread(starts.size, lane, at))
        going = following < limit[lane]
        if not going.all() or following.min() < 0:
            found = following >= 0
            steps[-1] = _spread(starts.size, lane[found], at[found])
            stop[lane] = np.where(found, following, at)
            broken[lane] = ~found
            going &= found
            lane, following = lane[going], following[going]
        at = following
    return _Lanes(np.stack(steps), stop, broken)


def _spread(lanes: int, lane: Ints, at: Ints) -> Ints:
    row = np.full(lanes, -1, dtype=np.int64)
    row[lane] = at
    return row


def _proved(links: Links, starts: Ints, lanes: _Lanes, end: int) -> tuple[Ints, int]:
    """The chain from the first lane on: lanes that close, and steps one by one where a start was wrong."""
    closes = np.append(lanes.stop[:-1] == starts[1:], False) & ~lanes.broken
    open_ends = np.flatnonzero(~closes)
    pieces: list[Ints] = []
    lane = 0
    while True:
        last = int(open_ends[np.searchsorted(open_ends, lane)])
        inside = lanes.steps[:, lane : last + 1].T
        pieces.append(inside[inside >= 0])
        at = int(lanes.stop[last])
        if lanes.broken[last] or at >= end:
            break
        between, at, lane = _to_next_start(links, starts, at, end)
        pieces.append(np.array(between, dtype=np.int64))
        if lane == starts.size or starts[lane] != at:
            break
    return np.concatenate(pieces), at


def _to_next_start(links: Links, starts: Ints, at: int, end: int) -> tuple[list[int], int, int]:
    """Follow the chain from ``at`` until it meets the start of a lane: the records on the way, where it is then, and that lane."""
    found: list[int] = []
    lane = int(np.searchsorted(starts, at))
    while lane < starts.size and starts[lane] != at:
        more, reached = one_by_one(links, at, int(starts[lane]))
        found += more
        if reached < starts[lane]:
            return found, reached, starts.size
        at = reached
        lane = int(np.searchsorted(starts, at))
    if lane == starts.size:
        more, at = one_by_one(links, at, end)
        found += more
    return found, at, lane
