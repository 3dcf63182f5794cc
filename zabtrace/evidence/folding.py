"""Which records of a long history have to be looked at: the ends of stretches that nothing tells apart, and all that is named.

Strategy: the zxids are cut wherever a log begins, ends or jumps, at every number that any evidence names, and where two logs hold
different payloads. Between two cuts lie consecutive zxids, held as a whole or not at all by each log, and no rule of replay or fates
compares a zxid with anything inside: what is true of the first and the last of them is true of all. Those two stay, the others are
folded: counted, and left out. ``Trace.folds`` says behind which record how many are missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from zabtrace.records.columns import Flags, Ints
from zabtrace.records.outline import Columns, Outline, Stretch

LEAST = 3
"""Fewer consecutive records have nothing between their ends."""


@dataclass(frozen=True)
class Kept:
    """What stays of one log: per record its offset, the length of its payload, and how many were left out directly before it."""

    offset: Ints
    length: Ints
    skipped: Ints


@dataclass(frozen=True)
class Folded:
    """What stays of each log, and per stretch that was folded the last zxid left out and how many records of each op code were."""

    kept: tuple[Kept, ...]
    types: dict[int, dict[int, int]]


@dataclass(frozen=True)
class _Pieces:
    """Records between two cuts, one row each: log, stretch in it, first row there, how many, first zxid."""

    log: Ints
    stretch: Ints
    begin: Ints
    size: Ints
    zxid: Ints


def fold(logs: Sequence[Outline], named: Ints, opened: Iterable[tuple[int, int]] = ()) -> Folded:
    """Fold the records of ``logs``; those with a zxid that is ``named``, or in a range (both ends included) that is ``opened``, stay."""
    ranges = list(opened)
    marks = np.unique(np.concatenate([named, *(np.array([first, last + 1]) for first, last in ranges)]).astype(np.int64))
    runs = _runs(logs)
    pieces = _cut(logs, runs, np.concatenate([marks, named + 1]))
    different = _differences(logs, pieces)
    if different.size:
        marks = np.concatenate([marks, different])
        pieces = _cut(logs, runs, np.concatenate([marks, named + 1, different + 1]))
    folded = (pieces.size >= LEAST) & ~_inside(pieces.zxid, ranges)
    return Folded(_kept(logs, pieces, folded), _types(logs, pieces, folded))


def _runs(logs: Sequence[Outline]) -> _Pieces:
    """Sound records of consecutive zxids, one behind the other; a record that is not sound is a run of its own."""
    found: list[tuple[Ints, ...]] = [_no_rows()]
    for log, outline in enumerate(logs):
        for number, stretch in enumerate(outline.stretches):
            zxid, sound = stretch.columns.zxid, stretch.columns.sound
            begin = np.append(0, np.flatnonzero((np.diff(zxid) != 1) | ~sound[1:] | ~sound[:-1]) + 1)
            size = np.diff(np.append(begin, zxid.size))
            found.append((np.full(begin.size, log), np.full(begin.size, number), begin, size, zxid[begin]))
    return _Pieces(*(np.concatenate(part) for part in zip(*found, strict=True)))


def _no_rows() -> tuple[Ints, ...]:
    return tuple(np.zeros(0, np.int64) for _ in range(5))


def _cut(logs: Sequence[Outline], runs: _Pieces, marks: Ints) -> _Pieces:
    """The runs, cut before every mark and wherever another run begins or ends."""
    cuts = np.unique(np.concatenate([marks, runs.zxid, runs.zxid + runs.size]))
    first, last = np.searchsorted(cuts, runs.zxid, "right"), np.searchsorted(cuts, runs.zxid + runs.size, "left")
    inner = np.maximum(last - first, 0)
    run = np.repeat(np.arange(runs.zxid.size), inner + 1)
    place = np.arange(run.size) - np.repeat(np.cumsum(inner + 1) - (inner + 1), inner + 1)
    zxid = np.where(place == 0, runs.zxid[run], cuts[np.minimum(first[run] + place - 1, max(cuts.size - 1, 0))] if cuts.size else 0)
    stop = np.where(np.append(run[1:] == run[:-1], False), np.append(zxid[1:], 0), (runs.zxid + runs.size)[run])
    return _Pieces(runs.log[run], runs.stretch[run], runs.begin[run] + zxid - runs.zxid[run], stop - zxid, zxid)


def _groups(pieces: _Pieces) -> Iterable[Ints]:
    """The pieces of the same zxids, by their rows; all of a group are of one size, for all are cut at the same zxids."""
    order = np.argsort(pieces.zxid, kind="stable")
    edges = np.flatnonzero(np.diff(pieces.zxid[order])) + 1
    return np.split(order, edges) if order.size else ()


def _columns(logs: Sequence[Outline], pieces: _Pieces, row: int) -> Columns:
    begin = int(pieces.begin[row])
    stretch: Stretch = logs[pieces.log[row]].stretches[pieces.stretch[row]]
    return stretch.columns[begin : begin + int(pieces.size[row])]


def _differences(logs: Sequence[Outline], pieces: _Pieces) -> Ints:
    """zxids under which two logs hold different payloads, as far as they lie in stretches that could be folded."""
    found: list[Ints] = [np.zeros(0, np.int64)]
    for rows in _groups(pieces):
        if rows.size < 2 or pieces.size[rows[0]] < LEAST:
            continue
        first, *others = (_columns(logs, pieces, row) for row in rows)
        apart = (other for other in others if _address(first.payload_hash) != _address(other.payload_hash))
        found += [first.zxid[first.payload_hash != other.payload_hash] for other in apart]
    return np.unique(np.concatenate(found))


def _address(column: npt.NDArray[np.uint64]) -> int:
    """Where a column lies in memory: shared outlines are views of one array."""
    return int(column.__array_interface__["data"][0])


def _inside(zxid: Ints, ranges: Sequence[tuple[int, int]]) -> Flags:
    """Which zxids lie in one of the ranges, which do not overlap."""
    first, last = (np.array(sorted(ends), dtype=np.int64) for ends in zip(*ranges, strict=True)) if ranges else (_no_rows()[0],) * 2
    place = np.searchsorted(first, zxid, "right") - 1
    return np.asarray((place >= 0) & (zxid <= last[np.maximum(place, 0)])) if first.size else np.zeros(zxid.size, dtype=np.bool_)


def _kept(logs: Sequence[Outline], pieces: _Pieces, folded: Flags) -> tuple[Kept, ...]:
    """Both ends of folded pieces, and all rows of the others."""
    count = np.where(folded, 2, pieces.size)
    piece = np.repeat(np.arange(count.size), count)
    place = np.arange(piece.size) - np.repeat(np.cumsum(count) - count, count)
    row = pieces.begin[piece] + np.where(folded[piece], place * (pieces.size[piece] - 1), place)
    skipped = np.where(folded[piece] & (place == 1), pieces.size[piece] - 2, 0)
    log, stretch = pieces.log[piece], pieces.stretch[piece]
    return tuple(
        _of_log(outline, stretch[mine], row[mine], skipped[mine]) for outline, mine in zip(logs, _each(log, len(logs)), strict=True)
    )


def _each(log: Ints, logs: int) -> list[slice]:
    """Where the rows of each log stand: they are in the order of the logs."""
    edges = np.searchsorted(log, np.arange(logs + 1))
    return [slice(int(begin), int(end)) for begin, end in pairwise(edges)]


def _of_log(outline: Outline, stretch: Ints, row: Ints, skipped: Ints) -> Kept:
    offset, length = np.zeros(row.size, np.int64), np.zeros(row.size, np.int64)
    for number, mine in enumerate(_each(stretch, len(outline.stretches))):
        held = outline.stretches[number]
        offset[mine] = held.columns.offset[row[mine]] + held.shift
        length[mine] = held.columns.length[row[mine]]
    return Kept(offset, length, skipped)


def _types(logs: Sequence[Outline], pieces: _Pieces, folded: Flags) -> dict[int, dict[int, int]]:
    """Op codes of the records that were left out, once per zxid, by the last zxid of the piece."""
    found: dict[int, dict[int, int]] = {}
    for rows in _groups(pieces):
        if folded[rows[0]]:
            kinds, counts = np.unique(_columns(logs, pieces, rows[0]).type[1:-1], return_counts=True)
            found[int(pieces.zxid[rows[0]] + pieces.size[rows[0]] - 1)] = dict(zip(kinds.tolist(), counts.tolist(), strict=True))
    return found
