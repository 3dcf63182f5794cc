"""What the next start would do: who wins, who is brought up to date how, and which records go.

Drives the protocol's rules with the newest disks: the order of votes, the synchronization table, and which records the winner's
history lacks. Only sets of servers whose disks were read are tried.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import polars as pl

from zabtrace.fates import judge
from zabtrace.fates.labels import absences
from zabtrace.protocol.quorum import Config
from zabtrace.protocol.sync import COMMITTED_LOG, SNAPSHOT_SIZE_FACTOR, Position, decide
from zabtrace.protocol.vote import Vote, decided_by
from zabtrace.replay.disks import chains
from zabtrace.replay.history import History
from zabtrace.replay.learned import learned
from zabtrace.zxid import text

MOST_VOTERS = 7
"""With more voters only the start of all of them is predicted, and what --start names."""


@dataclass(frozen=True)
class Learner:
    """How one server would be brought up to date (zxids as numbers)."""

    server: int
    mode: str
    truncated_to: int | None
    why: str


@dataclass(frozen=True)
class Start:
    """One set of servers that starts together. ``leader`` is None where they are no quorum."""

    servers: tuple[int, ...]
    leader: int | None
    why: str
    learners: tuple[Learner, ...] = ()
    truncated: tuple[int, ...] = ()
    shadowed: tuple[int, ...] = ()
    returning: tuple[int, ...] = ()
    committed: tuple[int, ...] = ()

    @property
    def discarded(self) -> tuple[int, ...]:
        """Truncated and shadowed together."""
        return tuple(sorted({*self.truncated, *self.shadowed}))


@dataclass(frozen=True)
class Rebuild:
    """The disk that is the best to rebuild the ensemble from, and what it lacks."""

    server: int
    why: str
    would_lose: tuple[int, ...] = ()


@dataclass(frozen=True)
class Prediction:
    """Every start that the servers at hand allow, the largest last."""

    starts: tuple[Start, ...] = ()
    best_to_rebuild_from: Rebuild | None = None


@dataclass(frozen=True)
class _Disk:
    """The newest disk of one server, as a start sees it."""

    server: int
    vote: Vote
    live: frozenset[int]
    replayed: tuple[int, ...]
    """zxids that a start replays into memory, ascending: they fill the committed log."""
    returning: frozenset[int]
    lacks: frozenset[int]
    """zxids that lie live on some other disk and that this one's history passes over or ends before."""
    version: str | None
    disk_log_from: int | None


def predict(history: History, start: tuple[int, ...] | None = None) -> Prediction:
    """Predict the next start of the servers whose newest disks were read, or of ``start`` alone."""
    disks = _disks(history)
    config = history.config_at()
    if not disks or not config.voters:
        return Prediction()
    known = judge(history).writes
    committed = frozenset(known.filter(pl.col("committed") == "yes").get_column("zxid").to_list())
    sets = [start] if start else _sets(sorted(disks), config)
    return Prediction(tuple(_start(servers, disks, config, committed) for servers in sets), _rebuild(disks, config, committed))


def _sets(servers: Sequence[int], config: Config) -> list[tuple[int, ...]]:
    sizes = range(1, len(servers) + 1) if len(servers) <= MOST_VOTERS else [len(servers)]
    every = [some for size in sizes for some in combinations(servers, size)]
    return [some for some in every if config.is_quorum(some)] or [tuple(servers)]


# ---------------------------------------------------------------- the disks
def _disks(history: History) -> dict[int, _Disk]:
    """The newest disks; servers with several copies of unproved order are left out."""
    newest = history.disks.filter(
        (pl.col("copy") == 0) & pl.col("last_zxid").is_not_null() & ~pl.col("server").is_in(list(history.trace.unordered))
    )
    rows = chains(history.trace, *learned(history)).filter(pl.col("copy") == 0)
    every = rows.filter(pl.col("hidden_by").is_null()).get_column("zxid").unique()
    versions = dict(history.trace.servers.select("server", "version").iter_rows())
    return {
        row["server"]: _disk(row, rows.filter(pl.col("server") == row["server"]), every, history, versions)
        for row in newest.iter_rows(named=True)
    }


def _disk(row: Mapping[str, int], own: pl.DataFrame, every: pl.Series, history: History, versions: Mapping[int, str | None]) -> _Disk:
    base = row["base_zxid"] if row["base_zxid"] is not None else -1
    newest = pl.DataFrame({"server": [row["server"]], "copy": [0]}, schema={"server": pl.Int64, "copy": pl.Int64})
    passed = absences(every, own, newest, history.disks.with_columns(current_epoch=pl.lit(1 << 31, dtype=pl.Int64)))
    lacks = passed.filter(pl.col("absent_from").list.len() > 0).get_column("zxid").to_list()
    return _Disk(
        server=row["server"],
        vote=Vote(row["current_epoch"] or 0, row["last_zxid"], row["server"]),
        live=frozenset(own.filter(pl.col("hidden_by").is_null()).get_column("zxid").to_list()),
        replayed=tuple(own.filter(pl.col("zxid") > base).get_column("zxid").tail(COMMITTED_LOG).to_list()),
        returning=frozenset(own.filter(pl.col("hidden_by").is_not_null() & (pl.col("zxid") > base)).get_column("zxid").to_list()),
        lacks=frozenset(lacks),
        version=versions.get(row["server"]),
        disk_log_from=_sendable_from(row["server"], history),
    )


def _sendable_from(server: int, history: History) -> int | None:
    """First zxid from which this server's log files are small enough to be sent as a DIFF (ZKDatabase.getProposalsFromTxnLog)."""
    snapshots = history.trace.snapshots.filter((pl.col("server") == server) & (pl.col("copy") == 0)).sort("zxid")
    limit = SNAPSHOT_SIZE_FACTOR * snapshots.item(-1, "bytes") if snapshots.height else 0.0
    files = history.trace.txn_files.filter((pl.col("server") == server) & (pl.col("copy") == 0)).sort("name_zxid", descending=True)
    sendable = files.with_columns(total=pl.col("bytes").cum_sum()).filter(pl.col("total") <= limit)
    return sendable.item(-1, "first_zxid") if sendable.height else None


# ---------------------------------------------------------------- one start
def _start(servers: Sequence[int], disks: Mapping[int, _Disk], config: Config, committed: frozenset[int]) -> Start:
    present = [disks[s] for s in servers if s in disks]
    eligible = [d for d in present if d.server in config.voters and config.weight(d.server)]
    if not config.is_quorum(d.server for d in present) or not eligible:
        absent = sorted(set(servers) - disks.keys())
        return Start(tuple(servers), None, "They are no quorum of the voters" + (f"; no disk of {absent} was read." if absent else "."))
    leader = max(eligible, key=lambda d: d.vote)
    learners = tuple(_learner(d, leader) for d in present if d.server != leader.server)
    gone = {learner.server: disks[learner.server].live & leader.lacks for learner in learners}
    cut = sorted({z for learner in learners if "TRUNC" in learner.mode for z in gone[learner.server]})
    hidden = sorted({z for learner in learners if "TRUNC" not in learner.mode for z in gone[learner.server]})
    return Start(
        tuple(servers),
        leader.server,
        _why(leader, eligible),
        learners,
        tuple(cut),
        tuple(hidden),
        tuple(sorted(leader.returning)),
        tuple(sorted({*cut, *hidden} & committed)),
    )


def _why(leader: _Disk, eligible: Sequence[_Disk]) -> str:
    others = [d for d in eligible if d.server != leader.server]
    if not others:
        return f"Server {leader.server} is the only voter that starts."
    best = max(others, key=lambda d: d.vote)
    return (
        f"Server {leader.server} wins by {decided_by(leader.vote, best.vote)}: epoch {leader.vote.peer_epoch}, {text(leader.vote.zxid)} "
        f"against epoch {best.vote.peer_epoch}, {text(best.vote.zxid)} of server {best.server}."
    )


def _learner(disk: _Disk, leader: _Disk) -> Learner:
    reaches = leader.disk_log_from is not None and leader.disk_log_from <= disk.vote.zxid
    sync = decide(Position(disk.vote.zxid, leader.vote.zxid, sorted(leader.replayed), reaches), leader.version)
    return Learner(disk.server, sync.mode, sync.truncated_to, f"Server {disk.server} ends at {text(disk.vote.zxid)}: {sync.why}.")


def _rebuild(disks: Mapping[int, _Disk], config: Config, committed: frozenset[int]) -> Rebuild:
    """The voter's disk that lacks the fewest committed writes, then the fewest writes at all, then the one that would win."""
    every = frozenset().union(*(d.live for d in disks.values()))
    voters = [d for d in disks.values() if d.server in config.voters] or list(disks.values())
    best = min(voters, key=lambda d: (len(d.lacks & every & committed), len(d.lacks & every), -d.vote.peer_epoch, -d.vote.zxid))
    lost = tuple(sorted(best.lacks & every))
    why = f"No disk lacks fewer committed writes; its history ends at {text(best.vote.zxid)} in epoch {best.vote.peer_epoch}."
    return Rebuild(best.server, why, lost)
