"""What the next start would do: who wins, who is brought up to date how, and which records go.

Drives the protocol's rules with the newest disks: the order of votes, the synchronization table, and which records the winner's
history lacks. Only sets of servers whose disks were read are tried. A leader keeps in memory what it committed, and loses it when it is
restarted: then only the records behind its newest snapshot come back. So a learner that comes to an epoch which a quorum is in already is
brought up to date from that memory, as long as the leader runs; what a restart of all would make of it stands beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import polars as pl

from zabtrace.fates import judge
from zabtrace.fates.cuts import cuts, established
from zabtrace.fates.labels import absences, discarded_by
from zabtrace.protocol.quorum import Config
from zabtrace.protocol.sync import COMMITTED_LOG, SNAPSHOT_SIZE_FACTOR, Position, Sync, decide
from zabtrace.protocol.vote import FIELD_WORDS, Vote, decided_by
from zabtrace.replay.disks import chains
from zabtrace.replay.history import History
from zabtrace.replay.learned import learned
from zabtrace.zxid import epoch_of, make, text

MOST_VOTERS = 7
"""With more voters only the start of all of them is predicted, and what --start names."""

OLDEST = "3.4.14"
"""A release of the oldest line, whose table of synchronizations is another one."""


DISCARDED = ("pending", "shadowed", "truncated")
"""Fates of writes that a later epoch went on without, other than what was lost."""


@dataclass(frozen=True)
class Learner:
    """How one server would be brought up to date (zxids as numbers)."""

    server: int
    mode: str
    truncated_to: int | None
    why: str
    after_restart: Sync | None = None
    """What is sent where the leader is restarted first; None where that makes no difference."""
    after_quorum: Sync | None = None
    """What is sent where it comes when the others have established the new epoch; None where that makes no difference."""


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
    committed: tuple[int, ...] = ()
    """Those of them that are known to be committed."""
    brings_back: tuple[int, ...] = ()
    """What lies live on it though a later epoch went on without it, and that is not known to be committed."""


@dataclass(frozen=True)
class Prediction:
    """Every start that the servers at hand allow, the largest last; what rebuilding from each disk would lose, the best one first."""

    starts: tuple[Start, ...] = ()
    choices: tuple[Rebuild, ...] = ()

    @property
    def best_to_rebuild_from(self) -> Rebuild | None:
        """The first choice."""
        return self.choices[0] if self.choices else None


@dataclass(frozen=True)
class _Disk:
    """The newest disk of one server, as a start sees it."""

    server: int
    vote: Vote
    live: frozenset[int]
    replayed: tuple[int, ...]
    """zxids that a start replays into memory, ascending: they fill the committed log."""
    memory: tuple[int, ...]
    """The last zxids of its history: what the committed log of a server that has not been restarted holds."""
    returning: frozenset[int]
    lacks: frozenset[int]
    """zxids that lie live on some other disk, and that this one's history passes over, ends before, or discarded with its epoch."""
    version: str | None
    disk_log_from: int | None
    logged: tuple[int, ...]
    """zxids in its log files from ``disk_log_from`` on, hidden ones too: a leader sends them as they lie."""


def predict(history: History, start: tuple[int, ...] | None = None, version: str | None = None) -> Prediction:
    """Predict the next start of the servers whose newest disks were read, or of ``start`` alone; ``version``: where no log tells it."""
    disks = _disks(history, version)
    config = history.config_at()
    if not disks or not config.voters:
        return Prediction()
    known = judge(history).writes
    committed = frozenset(known.filter(pl.col("committed") == "yes").get_column("zxid").to_list())
    dead = frozenset(known.filter(pl.col("fate").is_in(DISCARDED)).get_column("zxid").to_list()) - committed
    sets = [start] if start else _sets(sorted(disks), config)
    return Prediction(tuple(_start(servers, disks, config, committed) for servers in sets), _choices(disks, config, committed, dead))


def _sets(servers: Sequence[int], config: Config) -> list[tuple[int, ...]]:
    sizes = range(1, len(servers) + 1) if len(servers) <= MOST_VOTERS else [len(servers)]
    every = [some for size in sizes for some in combinations(servers, size)]
    return [some for some in every if config.is_quorum(some)] or [tuple(servers)]


# ---------------------------------------------------------------- the disks
def _disks(history: History, version: str | None) -> dict[int, _Disk]:
    """The newest disks; servers with several copies of unproved order are left out."""
    newest = history.disks.filter(
        (pl.col("copy") == 0) & pl.col("last_zxid").is_not_null() & ~pl.col("server").is_in(list(history.trace.unordered))
    )
    every_copy = chains(history.trace, *learned(history))
    rows = every_copy.filter(pl.col("copy") == 0)
    live = rows.filter(pl.col("hidden_by").is_null()).select("zxid").unique().with_columns(epoch=epoch_of("zxid"))
    every = live.with_columns(discarded_by=discarded_by(cuts(history, every_copy, established(history))))
    versions = {server: own or version for server, own in history.trace.servers.select("server", "version").iter_rows()}
    return {
        row["server"]: _disk(row, rows.filter(pl.col("server") == row["server"]), every, history, versions)
        for row in newest.iter_rows(named=True)
    }


def _disk(row: Mapping[str, int], own: pl.DataFrame, every: pl.DataFrame, history: History, versions: Mapping[int, str | None]) -> _Disk:
    base = row["base_zxid"] if row["base_zxid"] is not None else -1
    newest = pl.DataFrame({"server": [row["server"]], "copy": [0]}, schema={"server": pl.Int64, "copy": pl.Int64})
    passed = absences(every.get_column("zxid"), own, newest, history.disks.with_columns(current_epoch=pl.lit(1 << 31, dtype=pl.Int64)))
    sendable = _sendable_from(row["server"], history)
    lacks = passed.filter(pl.col("absent_from").list.len() > 0).get_column("zxid").to_list()
    live = frozenset(own.filter(pl.col("hidden_by").is_null()).get_column("zxid").to_list())
    # what it has received in a snapshot is no record of its own: of that its epoch tells
    left = every.filter(pl.col("discarded_by") <= (row["current_epoch"] or 0)).get_column("zxid").to_list()
    return _Disk(
        server=row["server"],
        vote=Vote(row["current_epoch"] or 0, row["last_zxid"], row["server"]),
        live=live,
        replayed=_newest(own.filter(pl.col("zxid") > base), history),
        memory=_newest(own.filter(pl.col("hidden_by").is_null()).unique("zxid").sort("zxid"), history),
        returning=frozenset(own.filter(pl.col("hidden_by").is_not_null() & (pl.col("zxid") > base)).get_column("zxid").to_list()),
        lacks=frozenset(lacks) | (frozenset(left) - live),
        version=versions.get(row["server"]),
        disk_log_from=sendable,
        logged=tuple(own.filter(pl.col("zxid") >= sendable).get_column("zxid").unique().sort().to_list()) if sendable is not None else (),
    )


def _newest(records: pl.DataFrame, history: History) -> tuple[int, ...]:
    """The zxids of the records that a committed log holds, in their order; those that a long history only counts count too."""
    counted = records.select("zxid").join(
        history.trace.folded.select("zxid", "skipped").unique("zxid"), on="zxid", how="left", maintain_order="left"
    )
    skipped = pl.col("skipped").fill_null(0)
    behind = (skipped + 1).reverse().cum_sum().reverse() - skipped - 1
    return tuple(counted.filter(behind < COMMITTED_LOG).get_column("zxid").to_list())


def _sendable_from(server: int, history: History) -> int | None:
    """First zxid from which this server's log files are small enough to be sent as a DIFF (ZKDatabase.getProposalsFromTxnLog).

    The file that holds the learner's zxid is open by then and does not count: FileTxnIterator.getStorageSize sums those behind it.
    """
    here = (pl.col("server") == server) & (pl.col("copy") == 0)
    snapshots = history.trace.snapshots.filter(here).sort("zxid")
    limit = int(SNAPSHOT_SIZE_FACTOR * snapshots.item(-1, "bytes")) if snapshots.height else 0
    files = history.trace.txn_files.filter(here & (pl.col("records") > 0)).sort("name_zxid", descending=True)
    behind = files.with_columns(behind=pl.col("bytes").cum_sum() - pl.col("bytes"))
    sendable = behind.filter(pl.col("behind") <= limit) if limit else behind
    return sendable.item(-1, "first_zxid") if sendable.height else None


# ---------------------------------------------------------------- one start
def _start(servers: Sequence[int], disks: Mapping[int, _Disk], config: Config, committed: frozenset[int]) -> Start:
    present = [disks[s] for s in servers if s in disks]
    eligible = [d for d in present if d.server in config.voters and config.weight(d.server)]
    if not config.is_quorum(d.server for d in present) or not eligible:
        absent = sorted(set(servers) - disks.keys())
        return Start(tuple(servers), None, "They are no quorum of the voters" + (f"; no disk of {absent} was read." if absent else "."))
    leader = max(eligible, key=lambda d: d.vote)
    settled = config.is_quorum(d.server for d in present if d.vote.peer_epoch == leader.vote.peer_epoch)
    others = [d for d in present if d.server != leader.server]
    last = {d.server for d in others if config.is_quorum(other.server for other in present if other is not d)}
    learners = tuple(_learner(d, leader, settled, d.server in last) for d in others)
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
        return "No other voter starts."
    best = max(others, key=lambda d: d.vote)
    field = FIELD_WORDS[decided_by(leader.vote, best.vote)]
    return (
        f"Server {leader.server} wins by {field}: epoch {leader.vote.peer_epoch}, {text(leader.vote.zxid)} "
        f"against epoch {best.vote.peer_epoch}, {text(best.vote.zxid)} of server {best.server}."
    )


def _learner(disk: _Disk, leader: _Disk, settled: bool, last: bool) -> Learner:
    """How this server is brought up to date.

    ``settled``: a quorum is in the leader's epoch, which may be running; ``last``: the others are a quorum without it, so that it may come
    when they have established the new epoch.
    """
    restarted, running = _sync(disk, leader, leader.replayed), _sync(disk, leader, leader.memory, epoch=leader.vote.peer_epoch)
    behind = _sync(disk, leader, leader.replayed, epoch=leader.vote.peer_epoch + 1)
    ends = f"Server {disk.server} ends at {text(disk.vote.zxid)}"
    older = _in_3_4(disk, leader, running) if leader.version is None else ""
    late = behind if last and _differ(behind, restarted) else None
    later = "" if late is None else f" Where the others have established the new epoch when it comes, it gets a {late.mode}: {late.why}."
    if not settled or disk.vote.peer_epoch >= leader.vote.peer_epoch or not _differ(running, restarted):
        return Learner(disk.server, restarted.mode, restarted.truncated_to, f"{ends}: {restarted.why}.{later}{older}", after_quorum=late)
    why = (
        f"{ends}: {running.why}, as long as a leader of epoch {leader.vote.peer_epoch} runs and keeps it in memory; where all are "
        f"restarted it gets a {restarted.mode}: {restarted.why}.{later}{older}"
    )
    return Learner(disk.server, running.mode, running.truncated_to, why, restarted, late)


def _differ(one: Sync, other: Sync) -> bool:
    return (one.mode, one.truncated_to) != (other.mode, other.truncated_to)


def _in_3_4(disk: _Disk, leader: _Disk, newer: Sync) -> str:
    """What the oldest table gives, where nothing tells the release and it differs."""
    old = _sync(disk, leader, leader.memory, OLDEST, leader.vote.peer_epoch)
    told = f" No log tells the release: a running 3.4 leader would send {old.mode}; --zookeeper-version settles it."
    return told if _differ(old, newer) else ""


def _sync(disk: _Disk, leader: _Disk, log: Sequence[int], version: str | None = None, epoch: int = 0) -> Sync:
    """The table of synchronizations, for a leader whose committed log holds ``log``; ``epoch``: the one that it has established already.

    From its quorum on a leader's last processed zxid is counter 0 of its epoch, or what it has written in it (Leader.startZkServer).
    """
    reaches = leader.disk_log_from is not None and leader.disk_log_from <= disk.vote.zxid
    last = max(leader.vote.zxid, make(epoch, 0))
    return decide(Position(disk.vote.zxid, last, sorted(log), reaches, leader.logged), version or leader.version)


def _choices(disks: Mapping[int, _Disk], config: Config, committed: frozenset[int], dead: frozenset[int]) -> tuple[Rebuild, ...]:
    """The voters' disks: by the number of committed writes they lack, then of all writes, then the one that would win."""
    every = frozenset().union(*(d.live for d in disks.values()))
    voters = [d for d in disks.values() if d.server in config.voters] or list(disks.values())
    ranked = sorted(voters, key=lambda d: (len(d.lacks & every & committed), len(d.lacks & every), -d.vote.peer_epoch, -d.vote.zxid))
    return tuple(_rebuild(disk, every, committed, dead, disk is ranked[0]) for disk in ranked)


def _rebuild(disk: _Disk, every: frozenset[int], committed: frozenset[int], dead: frozenset[int], best: bool) -> Rebuild:
    lost, back = tuple(sorted(disk.lacks & every)), tuple(sorted(disk.live & dead))
    gone = tuple(z for z in lost if z in committed)
    head = "No disk lacks fewer committed writes; its" if best else f"It lacks {len(lost)} writes, {len(gone)} of them committed; its"
    why = f"{head} history ends at {text(disk.vote.zxid)} in epoch {disk.vote.peer_epoch}."
    if back:
        why += f" It would bring back {len(back)} writes that a later epoch went on without, and that may never have been committed."
    return Rebuild(disk.server, why, lost, gone, back)
