"""The scene of an incident: the history with its terms, and lines by the interval they were printed in, found once and kept."""

from __future__ import annotations

import re
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple, overload

import polars as pl

from zabtrace.protocol.quorum import Config
from zabtrace.replay.contests import Election, contests
from zabtrace.replay.history import History
from zabtrace.replay.positions import placed
from zabtrace.replay.reasons import listed
from zabtrace.replay.roles import Interval, Stage
from zabtrace.replay.settings import Settings, limit, settings
from zabtrace.replay.terms import Terms

SLOW = ("txnlog_fsync_slow", "jvm_pause", "snapshot_taken")
GRAVE = ("jvm_exit", "server_exit", "server_exit_abnormal", "severe_error", "init_limit_too_small")
GRAVE_WORDS = (
    "OutOfMemoryError", "No space left on device", "Read-only file system", "Input/output error", "Disk quota exceeded",
    "Timeout while waiting for epoch", "Timeout while waiting for NEWLEADER",
)  # fmt: skip
"""Words of the JVM, the operating system and Leader.lead that no message's shape holds: they stand in stack traces."""
Evidence = dict[str, Any]
Row = dict[str, Any]


class End(NamedTuple):
    """A line, where it stands, and its stamp."""

    server: int
    at: int
    time: datetime
    source: str | None
    line: int | None


class Supporters(NamedTuple):
    """A leader's quorum line: where it stands, and whom it names, one set per configuration (two while a reconfig is in flight)."""

    end: End
    sets: tuple[frozenset[int], ...]
    said: str


class Times(Sequence[datetime | None]):
    """Stamps of many lines as numbers of 8 bytes; a datetime is made of each that is asked for."""

    def __init__(self, stamps: pl.Series) -> None:
        """Of a column of schema.LINES: ms since 1970, in UTC; null where a line has none."""
        self._stamps = numbers(stamps.dt.epoch("ms").fill_null(_NONE))

    def __len__(self) -> int:
        return len(self._stamps)

    @overload
    def __getitem__(self, row: int) -> datetime | None: ...
    @overload
    def __getitem__(self, row: slice) -> Sequence[datetime | None]: ...
    def __getitem__(self, row: int | slice) -> datetime | Sequence[datetime | None] | None:
        if isinstance(row, slice):
            return [self[place] for place in range(*row.indices(len(self)))]
        stamp = self._stamps[row]
        return None if stamp == _NONE else _EPOCH + timedelta(milliseconds=stamp)


_NONE, _EPOCH = -(1 << 63), datetime(1970, 1, 1, tzinfo=UTC)


def numbers(column: pl.Series) -> array[int]:
    """A column of numbers without nulls in 8 bytes each, which Python reads as fast as a list."""
    return array("q", column.cast(pl.Int64).to_numpy().tobytes())


class Noticed(NamedTuple):
    """What the notifications' lines tell beside the votes, by the row of ``Ballots.rows``."""

    times: Times
    sources: Sequence[str]
    lines: Sequence[int]
    config_versions: Sequence[int | None]
    """n.config version: of the sender's configuration (3.5.0+)."""
    format_versions: Sequence[int | None]


@dataclass(frozen=True)
class Scene:
    """What the parts of an incident are told from."""

    history: History
    terms: Terms

    @property
    def stage(self) -> Stage:
        """The trace, cut into intervals."""
        return self.terms.stage

    @cached_property
    def noticed(self) -> Noticed:
        """The notifications' lines: elections ask for them row by row."""
        found = self.terms.ballots
        times, lines = Times(found.rows["time"]), numbers(found.rows["line"])
        return Noticed(times, found.sources, lines, found.config_versions, found.format_versions)

    @cached_property
    def elections(self) -> list[Election]:
        """All elections, numbered in order."""
        return contests(self.stage, self.terms)

    def name(self, *servers: int) -> str:
        """'server 1', 'servers 1 and 2'."""
        return listed(servers, self.stage.labels)

    def by_interval(self, kinds: Iterable[str], *columns: str) -> Iterator[tuple[int, list[Row]]]:
        """Lines of these kinds, one interval after the other; none is kept."""
        for number, rows in groupby(self.stage.each(kinds, *columns), key=itemgetter("interval")):
            yield number, list(rows)

    def per_interval(self, kinds: Iterable[str], *columns: str) -> Mapping[int, list[Row]]:
        """Lines of these kinds by interval, in order."""
        return self.stage.by_interval(kinds, *columns)

    @cached_property
    def supporters(self) -> dict[int, Supporters]:
        """The first quorum line of each leader's interval."""
        found: dict[int, Supporters] = {}
        for row in self.stage.each(["quorum_supported"], "sids", "message"):
            if row["time"] is not None and row["interval"] not in found:
                found[row["interval"]] = Supporters(_end(row), sets_of(row["sids"]), row["message"])
        return found

    @cached_property
    def slow(self) -> Mapping[int, list[Row]]:
        """Lines about how long something took, or for how long the JVM stood still, by interval."""
        return self.per_interval(SLOW, "ms", "message", "trace")

    @cached_property
    def grave(self) -> dict[int, list[Row]]:
        """Lines about memory, disks, exits and limits that were too small, by interval, in order."""
        words = pl.any_horizontal(pl.col(name).str.contains_any(list(GRAVE_WORDS)) for name in ("trace", "message")).fill_null(value=False)
        loud = pl.col("level").is_null() | pl.col("level").is_in(["WARN", "ERROR", "FATAL"])
        wanted = pl.col("server").is_not_null() & (pl.col("kind").is_in(GRAVE) | (loud & words))
        said = self.stage.lines.trace.held.search(wanted)
        found: dict[int, list[Row]] = defaultdict(list)
        for row in self.stage.within(placed(said)).drop_nulls("interval").to_dicts():
            found[row["interval"]].append(row)
        return found

    @cached_property
    def snapshots_received(self) -> dict[int, Row]:
        """The line with which a learner began to receive a snapshot, by interval."""
        return {number: rows[0] for number, rows in self.per_interval(["learner_snap"], "message").items()}

    @cached_property
    def ended_by(self) -> dict[tuple[int, int], str]:
        """What ended each process (PROCESSES)."""
        return {
            (server, process): said for server, process, said in self.history.processes.select("server", "process", "ended_by").iter_rows()
        }

    @cached_property
    def settings(self) -> Settings:
        """Configured values per server."""
        return settings(self.history.trace)

    def limit(self, server: int, key: str) -> int | None:
        """syncLimit or initLimit of a server in ms, where its configuration gives it."""
        return limit(self.settings, server, key)

    @property
    def oracle(self) -> bool:
        """Is an oracle configured (3.8+)? With one, half of the voters may do."""
        return any("oraclePath" in values for values in self.settings.values())

    @cached_property
    def versions(self) -> dict[tuple[int, int], str]:
        """ZooKeeper version of each process that printed one."""
        processes = self.history.processes.drop_nulls("version")
        return {(server, process): version for server, process, version in processes.select("server", "process", "version").iter_rows()}

    @cached_property
    def configs(self) -> tuple[Config, ...]:
        """The configurations that name voters, oldest first."""
        return tuple(config for config in self.history.configs if config.voters)


def sets_of(text: str | None) -> tuple[frozenset[int], ...]:
    """The sids of a quorum line or a step-down: '1,3', '[1, 3]', or two lists while a reconfig is in flight.

    >>> sets_of("[1, 2],[2, 3]") == (frozenset({1, 2}), frozenset({2, 3}))
    True
    """
    lists = re.findall(r"\[([-0-9, ]*)\]", text or "") or [text or ""]
    return tuple(frozenset(int(number) for number in re.findall(r"-?[0-9]{1,19}", part)) for part in lists)


def _end(row: Row) -> End:
    return End(row["server"], row["at"], row["time"], row["source"], row["line"])


def end_of(row: Row) -> End | None:
    """Where a row of ``Stage.rows`` stands; null where it has no stamp."""
    return None if row["time"] is None else _end(row)


def began(interval: Interval | None) -> End | None:
    """The line that began an interval."""
    if interval is None or interval.start is None:
        return None
    return End(interval.server, interval.at, interval.start, interval.source, interval.line)


def shown(row: Row, says: str | None = None) -> Evidence:
    """A line as evidence; ``says`` is a literal part of it, by default its message."""
    return {"source": row["source"], "line": row["line"], "says": says if says is not None else row.get("message")}
