"""Which records each operation of a client history can have become, and which operations share them.

Strategy: a history is taken to list every write of its sessions; what two operations can both have become is nobody's for sure, and they
are kept together as a group.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from zabtrace.clients import BARE
from zabtrace.evidence.trace import Trace
from zabtrace.fates.covering import short
from zabtrace.fates.ordering import between, bounds_of, overtaken
from zabtrace.fates.pairing import NUMBERS, PAIR, named, of_anyone, of_sessions

ACKNOWLEDGED, REFUSED = "acknowledged", "refused"
_NAMED = ("reply_zxid", "mzxid", "czxid")
"""What in the answer to a write may name its zxid: the reply's header, the stat of a set, that of a create."""


@dataclass(frozen=True)
class Matches:
    """Operations by their row ``at`` in ``ops``, and the records that each can have become."""

    ops: pl.DataFrame
    """The writes of the client histories in their order, with ``at``."""
    records: dict[int, tuple[int, ...]]
    """at -> zxids that fit an operation whose zxid is not told, ascending."""
    group: dict[int, frozenset[int]]
    """at -> the operations that share records with it, itself included; a refused one is in none."""
    failed: dict[int, int]
    """at -> zxid of the error record of just that request."""
    elsewhere: dict[int, int]
    """at -> zxid of a record of another session with that path and those data, where none of its own session fits."""
    before: dict[int, tuple[int, ...]]
    """at -> zxids of which each, if it is in force, shows that the operation was no longer under way."""

    def alone(self) -> dict[int, int]:
        """at -> zxid of operations that only one record fits, which fits nobody else."""
        claims = Counter(zxid for zxids in self.records.values() for zxid in zxids)
        return {at: z[0] for at, z in self.records.items() if len(z) == 1 and claims[z[0]] == 1}

    def answered(self) -> pl.DataFrame:
        """Answered writes with path and data whose zxid is not told, and the one record that fits: as ``answers.acknowledged``."""
        whole = pl.col("session").is_not_null() & pl.col("path").is_not_null()
        whole &= pl.col("data").is_not_null() | ~pl.col("kinds").list.contains("setData")
        found = pl.DataFrame(list(self.alone().items()), schema=PAIR, orient="row")
        ops = self.ops.filter((pl.col("outcome") == ACKNOWLEDGED) & whole).drop("zxid").join(found, on="at", maintain_order="left")
        return ops.select("zxid", "session", "path", "op", "source", "line")

    @cached_property
    def short(self) -> frozenset[int]:
        """Operations of groups with fewer records than acknowledged writes: one of these has no record among those that were read."""
        acknowledged = self.ops.filter(pl.col("outcome") == ACKNOWLEDGED).get_column("at").to_list()
        return short(self.group.values(), self.records, acknowledged)

    def unplaced(self) -> pl.DataFrame:
        """Acknowledged writes (rows of ``ops``) for which the records that were read do not suffice.

        Left out: what may be done without one (BARE), what no record is known to stand for, and what names neither session nor path to
        look for.
        """
        bare = pl.col("op").str.contains(BARE) | (pl.col("kinds").list.len() == 0)
        sought = pl.col("session").is_not_null() | pl.col("path").is_not_null()
        lacking = ~pl.col("at").is_in(list(self.records)) | pl.col("at").is_in(sorted(self.short))
        return self.ops.filter((pl.col("outcome") == ACKNOWLEDGED) & pl.col("zxid").is_null() & ~bare & sought & lacking)


def matches(trace: Trace) -> Matches:
    """Match every write of the client histories whose zxid no answer names."""
    ops = named(trace.client_ops.filter("write").sort("source", "line").with_row_index("at").with_columns(pl.col("at").cast(pl.Int64)))
    asked = ops.filter(pl.col("zxid").is_null())
    if asked.is_empty():
        return Matches(ops, {}, {}, {}, {}, {})
    known = ops.select("zxid").drop_nulls()
    logged = trace.txns.join(known, on="zxid", how="anti")
    silent = asked.filter(pl.col("session").is_null())
    own = logged.filter(pl.col("session").is_in(asked.get_column("session").drop_nulls().unique().to_list()))
    bounds = bounds_of(trace, asked)
    pairs = _hinted(between(of_sessions(trace, asked, _applied(own)), bounds), asked)
    pairs = pl.concat([pairs, of_anyone(trace, silent, _applied(_at(logged, silent)))])
    lost = asked.filter(pl.col("session").is_not_null() & (pl.col("data") != "")).join(pairs, on="at", how="anti")
    elsewhere = of_anyone(trace, lost, _applied(_at(logged, lost)))
    lists = pairs.unique().sort("at", "zxid").group_by("at", maintain_order=True).agg("zxid")
    records = {at: tuple(zxids) for at, zxids in lists.iter_rows()}
    refused = set(asked.filter(pl.col("outcome") == REFUSED).get_column("at").to_list())
    other = dict(elsewhere.sort("zxid").iter_rows())
    return Matches(ops, records, _groups(records, refused), _errors(asked, own), other, overtaken(trace, asked, bounds))


def _applied(logged: pl.DataFrame) -> pl.DataFrame:
    """Records that took effect, one per payload; of those that lie in several files the one whose data can be read."""
    good = logged.filter(~pl.col("failed").fill_null(False)).sort(pl.col("dump").fill_null(False), maintain_order=True)
    return good.unique(subset=["zxid", "payload_hash"], keep="first", maintain_order=True)


def _at(logged: pl.DataFrame, asked: pl.DataFrame) -> pl.DataFrame:
    """Records of a path that these operations name, numbered or not, and multis."""
    paths = asked.get_column("path").drop_nulls().unique().to_list()
    keys = [pl.col("path"), *(pl.col("path").str.replace(digits, "") for digits in NUMBERS)]
    return logged.filter(pl.any_horizontal(key.is_in(paths) for key in keys) | (pl.col("op") == "multi")) if paths else logged.clear()


def _errors(asked: pl.DataFrame, own: pl.DataFrame) -> dict[int, int]:
    """at -> zxid of the error record of that request: the only record of its session with that number."""
    records = own.filter(pl.col("cxid") != 0).unique(subset=["zxid"])
    single = records.filter(pl.len().over("session", "cxid") == 1).filter("failed")
    return dict(asked.drop("zxid").join(single.select("session", "cxid", "zxid"), on=["session", "cxid"]).select("at", "zxid").iter_rows())


def _hinted(pairs: pl.DataFrame, asked: pl.DataFrame) -> pl.DataFrame:
    """Where the reply or the stat of an answered operation names one of its records, that one alone."""
    answered = asked.filter(pl.col("outcome") == ACKNOWLEDGED)
    hints = pl.concat([answered.select("at", zxid=name) for name in _NAMED]).drop_nulls()
    told = pairs.join(hints, on=["at", "zxid"], how="semi")
    return pl.concat([told, pairs.join(told, on="at", how="anti")])


def _groups(records: dict[int, tuple[int, ...]], refused: set[int]) -> dict[int, frozenset[int]]:
    """Operations that share records, directly or by way of others."""
    parent = {at: at for at in records if at not in refused}

    def root(at: int) -> int:
        while parent[at] != at:
            at = parent[at] = parent[parent[at]]
        return at

    owner: dict[int, int] = {}
    for at in parent:
        for zxid in records[at]:
            parent[root(at)] = root(owner.setdefault(zxid, at))
    members: dict[int, set[int]] = defaultdict(set)
    for at in parent:
        members[root(at)].add(at)
    return {at: frozenset(members[root(at)]) for at in parent}
