"""Which discarded transactions were never committed: N1 of zab-semantics 7.2, and which unseen ones can be excluded.

Strategy: at the end of epoch f, each voter that is *read across* it had of f what its log (or its first vote afterwards) shows,
and not more. A transaction above the end of so many of them that the rest is no quorum was never committed. Since that set only
grows with the zxid, the answer for one end is one number.

A disk that was put back to an older state looks like that of a follower that lagged. A server's own log tells them apart: its votes
fall. Of the voters whose log was not read, one may be such a disk: a conclusion that needs every one of them to be none is not drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import polars as pl

from zabtrace.grammar.kinds import NOTIFICATIONS
from zabtrace.protocol.quorum import Config
from zabtrace.replay.history import History
from zabtrace.replay.positions import placed, within
from zabtrace.zxid import counter, counter_of, epoch, epoch_of, make


@dataclass(frozen=True)
class End:
    """The end of an epoch, as the voters show it."""

    epoch: int
    successor: int
    tops: dict[int, int]
    """Voters read across the end, and the last zxid of the epoch or before that each of them had."""
    missing: tuple[int, ...]
    """Voters that were not read across it: not read, cut without an earlier copy, or wiped."""
    never_above: int | None
    """Transactions of the epoch above this one were never committed; None: cannot be told, and an unseen loss is not excluded."""
    voters_known: bool


@dataclass(frozen=True)
class Readings:
    """The chains of all copies, and what the servers' own lines say of their positions; each looked up once."""

    history: History
    chains: pl.DataFrame

    @cached_property
    def of(self) -> dict[int, pl.DataFrame]:
        """The chains per server."""
        return {key[0]: rows for key, rows in self.chains.partition_by("server", as_dict=True).items()}

    @cached_property
    def votes(self) -> pl.DataFrame:
        """Each server's first vote of every LOOKING interval, for itself."""
        return self.history.trace.events("fle_new_election").drop_nulls("zxid").select("server", "time", "zxid")

    @cached_property
    def own_votes(self) -> pl.DataFrame:
        """The notifications that servers printed of their own votes for themselves while LOOKING."""
        own = (pl.col("sid") == pl.col("server")) & (pl.col("leader") == pl.col("server")) & (pl.col("state") == "LOOKING")
        return self.history.trace.events(*NOTIFICATIONS).filter(own & pl.col("peer_epoch").is_not_null())

    @cached_property
    def served(self) -> pl.DataFrame:
        """server, at, lived: where each server began to serve in which epoch."""
        order = self.history.trace.lines.select("source", "order").unique(subset=["source"])
        roles = self.history.roles.drop_nulls("epoch").join(order, on="source", how="left")
        return placed(roles).select("server", "at", "served", lived="epoch")

    @cached_property
    def fallen(self) -> Mapping[int, int]:
        """Server -> the last place in its logs where its vote fell behind its own earlier words: a wiped disk, or one put back."""
        places = placed(self.history.trace.events("fle_new_election", "snapshot_start", "learner_trunc", "learner_snap"))
        votes = {key[0]: _falls(rows) for key, rows in places.partition_by("server", as_dict=True).items()}
        lived = self.served.select("server", "at", pl.col("lived").cum_max().over("server"))
        voted = within(placed(self.own_votes.drop("role", "epoch")), lived, "lived")
        # currentEpoch is written before the server serves in an epoch, and never falls (Learner.syncWithLeader)
        behind = voted.filter((pl.col("peer_epoch").diff().over("server") < 0) | (pl.col("peer_epoch") < pl.col("lived")))
        epochs = dict(behind.group_by("server").agg(pl.col("at").max()).iter_rows())
        found = {server: max(votes.get(server) or -1, epochs.get(server, -1)) for server in votes.keys() | epochs.keys()}
        return {server: at for server, at in found.items() if at >= 0}

    def whole(self, server: int, f: int) -> bool:
        """Has its disk kept all that it had of ``f``, as far as its votes tell? So it has where it served in ``f`` only after they fell."""
        last = self.fallen.get(server)
        own = (pl.col("server") == server) & (pl.col("lived") == f) & pl.col("served").is_not_null()
        return last is None or self.served.filter(own & (pl.col("at") > last)).height > 0


def _falls(rows: pl.DataFrame) -> int | None:
    """The last vote (its ``at``) that lies behind an earlier position, without a TRUNC or SNAP between.

    epoch<<32 is a leader's position in memory only: after a restart it votes with its last record (ZKDatabase.loadDataBase).
    """
    top, found = -1, None
    for kind, zxid, at in rows.select("kind", "zxid", "at").iter_rows():
        if zxid is None or kind in ("learner_trunc", "learner_snap"):
            top = -1
        elif kind == "fle_new_election" and zxid < top:
            top, found = zxid, at
        elif counter(zxid):
            top = max(top, zxid)
    return found


def end_of(read: Readings, f: int, successor: int) -> End:
    """What the voters in force at the end of ``f`` had when ``successor`` began."""
    history = read.history
    last = read.chains.filter(epoch_of("zxid") == f).get_column("zxid").max()
    configs = rules(history, last if isinstance(last, int) else make(f, 0))
    voters = frozenset().union(*(config.voters for config in configs))
    tops: dict[int, int] = {}
    for server in sorted(voters):
        top = _top(read, server, f, successor)
        if top is not None:
            tops[server] = top
    missing = tuple(sorted(voters - tops.keys()))
    silent = frozenset(server for server in tops if not _told(history, server, f))
    return End(f, successor, tops, missing, _never_above_any(configs, tops, silent), bool(voters))


def _never_above_any(configs: Sequence[Config], tops: Mapping[int, int], silent: frozenset[int]) -> int | None:
    """``never_above`` where each of the configurations may have been in force."""
    found = [never_above(c, {s: top for s, top in tops.items() if s in c.voters}, silent & c.voters) for c in configs]
    known = [top for top in found if top is not None]
    return max(known, default=None) if len(known) == len(found) else None


def never_above(config: Config, tops: Mapping[int, int], silent: frozenset[int]) -> int | None:
    """The lowest zxid above which the voters that can have acknowledged anything, one of the ``silent`` included, are no quorum.

    >>> config = Config(voters=frozenset({1, 2, 3}))
    >>> never_above(config, {1: 7, 2: 7, 3: 9}, frozenset()), never_above(config, {1: 7, 2: 7, 3: 9}, frozenset({1, 2, 3}))
    (7, 9)
    """
    for top in sorted(set(tops.values())):
        below = frozenset(server for server, end in tops.items() if end <= top)
        if config.blocks(below) and all(config.blocks(below - {one}) for one in below & silent):
            return top
    return None


def _told(history: History, server: int, f: int) -> bool:
    """Does its own log tell of the server in ``f`` or before? Then a disk that was put back shows, for its votes fall."""
    return bool(history.roles.filter((pl.col("server") == server) & (pl.col("epoch") <= f)).height)


def _top(read: Readings, server: int, f: int, successor: int) -> int | None:
    """Last zxid that the server held when it left ``f``, or None where it was not read across that end."""
    if not read.whole(server, f):
        return None
    own = read.of.get(server, read.chains.clear())
    seen = _named_in(read, own, server, f)
    shown = [_copy_top(read.history, own, server, copy, f, successor) for copy in own.get_column("copy").unique().to_list()]
    known = [top for top in shown if top is not None] + _first_votes(read, server, f, successor)
    return max([*known, *seen]) if known else None


def _copy_top(history: History, own: pl.DataFrame, server: int, copy: int, f: int, successor: int) -> int | None:
    """From one copy that begins before the end of ``f`` and has reached the successor: the last record up to ``f``."""
    rows = own.filter(pl.col("copy") == copy)
    before = rows.filter(epoch_of("zxid") <= f).get_column("zxid")
    disk = history.disks.filter((pl.col("server") == server) & (pl.col("copy") == copy))
    current = disk.get_column("current_epoch").to_list()
    reached = rows.filter(epoch_of("zxid") >= successor).height or (current and current[0] is not None and current[0] >= successor)
    if before.is_empty() or not reached:
        return None
    top = int(str(before.max()))
    cut = _cut(history, server, copy, top, f, successor)
    return None if cut and not _seen_before_cut(history, own, server, copy, f, successor) else top


def _cut(history: History, server: int, copy: int, top: int, f: int, successor: int) -> bool:
    """Was this log cut at the end of ``f``: a TRUNC is logged, or the file ends right behind its last record?"""
    told = history.syncs.filter(
        (pl.col("learner") == server)
        & pl.col("mode").str.contains("TRUNC")
        & (pl.col("epoch") >= successor)
        & (epoch_of("truncated_to") <= f)
    )
    files = history.trace.txn_files.filter(
        (pl.col("server") == server) & (pl.col("copy") == copy) & (pl.col("ending") == "unpadded") & (pl.col("last_zxid") == top)
    )
    return bool(told.height or files.height)


def _seen_before_cut(history: History, own: pl.DataFrame, server: int, copy: int, f: int, successor: int) -> bool:
    """Is what was cut known: from a copy that was saved between ``f`` and the cut, or from the position that the leader logged?

    A copy that had accepted no later epoch may be older than the end of ``f``: it does not show all that was cut.
    """
    left = history.disks.filter((pl.col("server") == server) & (pl.col("copy") > copy) & (pl.col("accepted_epoch") > f))
    older = own.join(left, on=["server", "copy"], how="semi").filter(epoch_of("zxid") == f)
    told = history.syncs.filter(
        (pl.col("learner") == server)
        & pl.col("mode").str.contains("TRUNC")
        & (pl.col("epoch") >= successor)
        & (epoch_of("learner_zxid") == f)
    )
    return bool(older.height or told.height)


def _named_in(read: Readings, own: pl.DataFrame, server: int, f: int) -> list[int]:
    """Every zxid of ``f`` that the server is known to have held: records in any copy, snapshots, positions and votes in text."""
    named = (
        (own, "server", "zxid"),
        (read.history.trace.snapshots, "server", "zxid"),
        (read.history.syncs, "learner", "learner_zxid"),
        (read.votes, "server", "zxid"),
    )
    held = [rows.filter((pl.col(who) == server) & (epoch_of(what) == f)).get_column(what).max() for rows, who, what in named]
    return [z for z in held if isinstance(z, int)]


def _first_votes(read: Readings, server: int, f: int, successor: int) -> list[int]:
    """The server's first vote for itself after it left ``f``, where it names a zxid of ``f``, or shows that it had none of ``f``."""
    roles = read.history.roles.filter(pl.col("server") == server)
    served = roles.filter(pl.col("epoch") == f).get_column("end").max()
    later = roles.filter(pl.col("epoch") >= successor).get_column("start").min()
    if served is None or later is None or not covers_tail(read.history, server):
        return []
    between = (pl.col("server") == server) & (pl.col("time") >= served) & (pl.col("time") <= later)
    # below f it ended where it stood before f, if its disk still had the currentEpoch of f: then it was not wiped
    kept = read.own_votes.filter(between & (pl.col("peer_epoch") >= f)).height > 0
    return [z for z in read.votes.filter(between).head(1).get_column("zxid").to_list() if epoch(z) == f or (kept and epoch(z) < f)]


def first_tops(read: Readings, f: int, successor: int) -> dict[int, int]:
    """Per voter, its first vote for itself after ``f``: where its history ended. Voters without one are left out."""
    votes = {server: _first_votes(read, server, f, successor) for server in sorted(read.history.config_at(make(f, 0)).voters)}
    return {server: found[0] for server, found in votes.items() if found}


def rules(history: History, zxid: int | None = None) -> list[Config]:
    """Configurations that may be in force at ``zxid`` (None: now): the last one that a server saved as such, and those proposed since.

    A server saves a proposal as ``.next``, and under its version once it is committed (QuorumPeer.setLastSeenQuorumVerifier and
    processReconfig).
    """
    final = history.trace.members.filter(~pl.col("source").str.ends_with(".next")).get_column("config_zxid").unique().to_list()
    known = [c for c in history.configs if c.zxid is None or zxid is None or c.zxid <= zxid] or [history.config_at(zxid)]
    last = max((number for number, config in enumerate(known) if config.zxid in final), default=0)
    return known[last:]


def without_log(history: History) -> pl.DataFrame:
    """Copies (server, copy) of servers that have accepted an epoch, where no log file was read at all: they lie elsewhere (dataLogDir)."""
    if history.trace.txn_files.height:
        return history.disks.select("server", "copy").clear()
    served = history.disks.filter(pl.max_horizontal("current_epoch", "accepted_epoch").fill_null(0) > 0)
    return served.select("server", "copy")


def covers_tail(history: History, server: int) -> bool:
    """Does a vote of this version name the end of the log, uncommitted tail included (3.4.12+, 3.5.4+, 3.6+; ZOOKEEPER-2845)?"""
    version = history.trace.servers.filter(pl.col("server") == server).get_column("version").to_list()
    parts = [int(p) for p in (version[0] or "").split(".")[:3] if p.isdigit()] if version else []
    first_fixed = {(3, 4): 12, (3, 5): 4}
    return len(parts) == 3 and parts[2] >= first_fixed.get((parts[0], parts[1]), 0)


def ends(read: Readings, epochs: Sequence[int], since: int | None) -> list[End]:
    """Every epoch end that the verdict rests on: between established epochs, and the one before a log that begins with counter 1.

    Of epochs between two known ones nothing may be left: their writes too were discarded at the end of the first one.
    """
    first = read.chains.filter((pl.col("step") == "first") & (epoch_of("zxid") > 0)).get_column("zxid").min()
    found = [end_of(read, f, e) for f, e in pairwise(epochs) if since is None or e - 1 >= epoch(since)]
    if epochs and (unproved := _unproved(read, epochs[-1])) is not None:
        found.append(end_of(read, epochs[-1], unproved))
    if isinstance(first, int) and epochs and first == make(epochs[0], 1) and epochs[0] > max(epoch(since or 0), 1):
        found.insert(0, _beginning(read, epochs[0]))
    return found


def _unproved(read: Readings, newest: int) -> int | None:
    """An epoch after the newest proved one that may have been established: its currentEpoch and the disks not read are a quorum."""
    config = read.history.config_at()
    known = read.history.disks.filter((pl.col("copy") == 0) & pl.col("current_epoch").is_not_null()).select("server", "current_epoch")
    beyond = {server: e for server, e in known.iter_rows() if e > newest}
    unread = config.voters - set(known.get_column("server").to_list())
    return max(beyond.values()) if beyond and config.is_quorum(unread | beyond.keys()) else None


def _beginning(read: Readings, e: int) -> End:
    """The end before the first known epoch: voters that still have the empty snapshot of their first start had nothing before it.

    A wiped one has it too; that is why one of them may be silent. One whose log begins within an epoch was sent a snapshot: it was wiped or
    new, or files of it are missing.
    """
    end = end_of(read, e - 1, e)
    snapshots = read.history.trace.snapshots
    empty = snapshots.filter(pl.col("valid") & (pl.col("zxid") == 0) & (pl.col("copy") == 0)).get_column("server")
    config = read.history.config_at(make(e, 0))
    sent = read.history.disks.filter((pl.col("copy") == 0) & (counter_of("first_record") != 1)).get_column("server")
    other = {*sent.to_list(), *without_log(read.history).get_column("server").to_list()}
    tops = {**dict.fromkeys(sorted(config.voters & set(empty.to_list()) - other), 0), **end.tops}
    missing = tuple(sorted(config.voters - tops.keys()))
    return End(e - 1, e, tops, missing, never_above(config, tops, frozenset(tops)), bool(config.voters))
