"""Events by the interval they were printed in, for those who ask for one interval after the other.

Strategy: events stay columns; dictionaries are made of a stretch of them at a time, and those of the stretches asked for last stay.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

STRETCH = 512
"""Events of which dictionaries are made at once."""
READY = 16
"""Stretches that stay: whoever follows several servers asks in as many places."""


class ByInterval(Mapping[int, list[dict[str, Any]]]):
    """interval -> its events as dictionaries, in order."""

    def __init__(self, events: pl.DataFrame) -> None:
        self._events = events if events["interval"].is_sorted() else events.sort("interval", maintain_order=True)
        self._intervals: memoryview[int] = self._events["interval"].rechunk().to_numpy().data
        self._ready: dict[int, list[dict[str, Any]]] = {}

    def __getitem__(self, interval: int) -> list[dict[str, Any]]:
        begin = bisect_left(self._intervals, interval)
        end = bisect_right(self._intervals, interval, lo=begin)
        if begin == end:
            raise KeyError(interval)
        return [self._row(place) for place in range(begin, end)]

    def __iter__(self) -> Iterator[int]:
        return iter(self._events["interval"].unique(maintain_order=True))

    def __len__(self) -> int:
        return self._events["interval"].n_unique()

    def _row(self, place: int) -> dict[str, Any]:
        stretch, behind = divmod(place, STRETCH)
        made = self._ready.get(stretch)
        if made is None:
            if len(self._ready) >= READY:
                self._ready.clear()
            made = self._ready[stretch] = self._events.slice(stretch * STRETCH, STRETCH).to_dicts()
        return made[behind]
