"""Roles: what each server was, interval by interval, from its state lines and the bounds of its processes.

Strategy: ``stage`` cuts each server's lines into intervals and can say of any event in which interval it was printed. Who was
followed, and in which epoch, is filled in by ``leaders``; ``table`` writes the result as ROLES.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import pairwise
from typing import Any

import polars as pl

from zabtrace import schema
from zabtrace.grammar.kinds import NOTIFICATIONS
from zabtrace.replay.lookup import ByInterval
from zabtrace.replay.positions import Lines, within

STATES = {
    "state_looking": "LOOKING", "state_following": "FOLLOWING", "state_leading": "LEADING", "state_observing": "OBSERVING",
    "quorum_supported": "LEADING",
}  # fmt: skip
"""The line that begins a role. Only a leader prints that it has a quorum: it counts where the state line before it is lost."""
LEARNERS = ("FOLLOWING", "OBSERVING")
SHOWN_BY = {
    "sync_decision": "LEADING",
    "learner_diff": "FOLLOWING", "learner_trunc": "FOLLOWING", "learner_snap": "FOLLOWING", "uptodate": "FOLLOWING",
}  # fmt: skip
"""What a log that begins in the middle shows its server to have been."""


_BASE = ("server", "interval", "kind", "at", "time", "source", "line")


@dataclass(eq=False, slots=True)
class Interval:
    """One server in one role. ``at`` and ``end_at`` are its first line and the first line behind it."""

    index: int
    server: int
    process: int
    role: str
    start: datetime | None
    end: datetime | None
    at: int
    end_at: int
    source: str | None
    line: int | None
    end_source: str | None
    end_line: int | None
    last: bool = False
    """The process printed nothing behind it."""
    leader: int | None = None
    epoch: int | None = None
    served: datetime | None = None
    served_at: int | None = None
    uptodate_at: int | None = None
    """Where a learner says that it is up to date; null in 3.4, where ``served`` is when its sync began."""
    before: Interval | None = field(default=None, repr=False)
    """The interval before it in the same process."""
    after: Interval | None = field(default=None, repr=False)

    @property
    def learns(self) -> bool:
        """Does it follow or observe somebody?"""
        return self.role in LEARNERS


@dataclass(frozen=True)
class Stage:
    """The trace, cut into intervals."""

    lines: Lines
    spans: pl.DataFrame
    intervals: tuple[Interval, ...]

    @cached_property
    def _bounds(self) -> pl.DataFrame:
        rows = [{"server": i.server, "at": i.at, "interval": i.index, "role": i.role} for i in self.intervals]
        return pl.DataFrame(rows, schema={"server": pl.Int64, "at": pl.Int64, "interval": pl.Int64, "role": pl.String})

    def events(self, *kinds: str, only: Collection[str] | None = None, server: int | None = None) -> pl.DataFrame:
        """Events of these kinds with ``at`` and the number of the ``interval`` in which they were printed.

        ``only``: these fields; ``server``: its own.
        """
        return self.within(self.lines.events(*kinds, only=only, server=server).drop("role", strict=False))

    def within(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Lines that have ``at``, with the ``interval`` in which they were printed and its ``role``."""
        return within(rows, self._bounds, "interval", "role")

    @cached_property
    def labels(self) -> dict[int, str]:
        """What to call servers whose sid is not known (negative numbers)."""
        unknown = self.lines.trace.servers.filter(pl.col("server") < 0)
        return dict(unknown.select("server", "label").iter_rows())

    @cached_property
    def voting(self) -> frozenset[int]:
        """Intervals in which FastLeaderElection, which prints its votes, was at work."""
        parts = (self.events("fle_new_election", *NOTIFICATIONS, only=(), server=server) for server in self.lines.trace.held.servers())
        return frozenset(interval for part in parts for interval in part["interval"].drop_nulls().unique())

    @cached_property
    def refused(self) -> frozenset[int]:
        """Intervals in which a learner found nobody listening at its leader's address."""
        return frozenset(row["interval"] for row in self.each(["leader_connect_failed"], "trace") if "refused" in (row["trace"] or ""))

    @cached_property
    def stored_epochs(self) -> dict[int, int]:
        """currentEpoch in the newest copy of each server whose copies' order is known."""
        copies = self.lines.trace.epoch_files.filter(pl.col("copy").fill_null(0) == 0).drop_nulls("epoch")
        files = copies.filter(pl.col("name") == "currentEpoch")
        ordered = files.filter(~pl.col("server").is_in(self.lines.trace.unordered))
        return dict(ordered.select("server", "epoch").iter_rows())

    def rows(self, kinds: Iterable[str], *columns: str) -> list[dict[str, Any]]:
        """``events`` as dictionaries of place, interval and ``columns``, in order per server; what no interval holds is left out."""
        return list(self.each(kinds, *columns))

    def each(self, kinds: Iterable[str], *columns: str) -> Iterator[dict[str, Any]]:
        """``rows``, one at a time."""
        yield from self._told(kinds, columns).iter_rows(named=True)

    def by_interval(self, kinds: Iterable[str], *columns: str) -> ByInterval:
        """``rows`` by interval, made when they are asked for."""
        return ByInterval(self._told(kinds, columns))

    def _told(self, kinds: Iterable[str], columns: Collection[str]) -> pl.DataFrame:
        return self.events(*kinds, only=columns).drop_nulls("interval").select(*_BASE, *columns)

    def of(self, *roles: str) -> list[Interval]:
        """The intervals of these roles, in order per server."""
        return [interval for interval in self.intervals if interval.role in roles]


def stage(lines: Lines, spans: pl.DataFrame) -> Stage:
    """Cut the lines into intervals; ``spans`` are the processes."""
    states = within(lines.events(*STATES), spans, "process")
    changes: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for row in states.select("server", "process", "kind", "time", "source", "line", "at").iter_rows(named=True):
        changes.setdefault((row["server"], row["process"]), []).append(row)
    heads = _heads(lines, spans)
    found: list[Interval] = []
    processes = spans.sort("server", "process").to_dicts()
    for index, process in enumerate(processes):
        key = (process["server"], process["process"])
        if index and processes[index - 1]["server"] == process["server"]:
            found.append(_down(processes[index - 1], process))
        found += _cut(process, changes.get(key, []), heads.get(key, "UNKNOWN"))
    for number, interval in enumerate(found):
        interval.index = number
    return Stage(lines, spans, tuple(found))


def _cut(process: dict[str, Any], changes: list[dict[str, Any]], head: str) -> list[Interval]:
    """The intervals of one process: what it was before its first state line, then one per state line."""
    role = "STARTING" if process["whole"] else head
    marks = [{**process, "role": role, "time": process["start"]}] if not changes or changes[0]["at"] > process["at"] else []
    for change in changes:
        if change["kind"] != "quorum_supported" or not marks or marks[-1]["role"] != "LEADING":
            marks.append({**change, "role": STATES[change["kind"]]})
    ends = [*marks[1:], {"at": process["end_at"] + 1, "time": process["end"], "source": process["end_source"], "line": process["end_line"]}]
    intervals = [
        Interval(0, process["server"], process["process"], mark["role"], mark["time"], end["time"], mark["at"], end["at"],
                 mark["source"], mark["line"], end["source"], end["line"], last=end is ends[-1])
        for mark, end in zip(marks, ends, strict=True)
    ]  # fmt: skip
    for earlier, later in pairwise(intervals):
        earlier.after, later.before = later, earlier
    return intervals


def _down(ended: dict[str, Any], begun: dict[str, Any]) -> Interval:
    return Interval(
        0, begun["server"], ended["process"], "DOWN", ended["end"], begun["start"], ended["end_at"] + 1, begun["at"],
        ended["end_source"], ended["end_line"], begun["source"], begun["line"],
    )  # fmt: skip


def _heads(lines: Lines, spans: pl.DataFrame) -> dict[tuple[int, int], str]:
    """What a process whose start is not in the logs was at first, as the first telling line shows."""
    kinds = (*NOTIFICATIONS, *SHOWN_BY)
    cut = spans.filter(~pl.col("whole"))
    if cut.is_empty():
        return {}
    placed = within(lines.events(*kinds, only=("my_state",)), spans, "process")
    told = placed.join(cut.select("server", "process"), on=["server", "process"])
    shown = pl.coalesce(pl.col("my_state"), pl.col("kind").replace_strict(SHOWN_BY, default=None, return_dtype=pl.String))
    first = told.with_columns(shown.alias("shown")).drop_nulls("shown").group_by("server", "process", maintain_order=True).first()
    return {(server, process): role for server, process, role in first.select("server", "process", "shown").iter_rows()}


def table(intervals: Iterable[Interval]) -> pl.DataFrame:
    """ROLES."""
    names = [column.name for column in schema.ROLES]
    return schema.frame(schema.ROLES, [{name: getattr(interval, name) for name in names} for interval in intervals])
