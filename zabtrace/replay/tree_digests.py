"""Every stored digest against the tree that replay computes (DigestCalculator version 2, 3.6.0 and newer).

Strategy: the records of a copy fall into runs that a base can carry: a run begins with a snapshot, ends where records are missing,
and begins anew at the snapshot that lies in the gap (a SNAP leaves the log untouched and a snapshot behind). Where no snapshot
carries a run, its digests are not compared, and counted as such. A fuzzy base is whole from its bound on; what differs before
the first match behind it is not the data's fault. Each snapshot's own nodes are compared too, with the digest of their zxid.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import polars as pl

from zabtrace import schema
from zabtrace.evidence.trace import Trace
from zabtrace.replay.tree_base import Base, Store, bases, load
from zabtrace.replay.tree_nodes import Tree
from zabtrace.replay.tree_rules import Rules, rules_of
from zabtrace.replay.tree_steps import each, ordered, steps, uncollected
from zabtrace.zxid import UNSIGNED, counter, epoch

ASCII = "paths encoded in ASCII, as Java before 18 does under a C or POSIX locale"
WINDOW = 4096
"""Records behind a fuzzy snapshot's bound within which some stored digest must match."""


@dataclass
class Digests:
    """What comparing gave: rows of schema.DIGESTS, how many digests matched or not, and how many no base could carry."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    compared: int = 0
    unchecked: int = 0

    @property
    def frame(self) -> pl.DataFrame:
        """The mismatches."""
        return schema.frame(schema.DIGESTS, self.rows)


@dataclass(frozen=True)
class _Run:
    """Rows [begin, end) of the records, carried by a base, or by none."""

    begin: int
    end: int
    base: Base | None


def digest_mismatches(trace: Trace) -> pl.DataFrame:
    """schema.DIGESTS: stored digests that differ from the replayed tree.

    One row where a series of differences begins (``count``: how many stored digests in it differ); ``explained_by`` is null where
    nothing explains it: the data are not what their leader had.
    """
    return digests(trace).frame


def digests(trace: Trace) -> Digests:
    """Compare every stored digest of every copy."""
    found = Digests()
    versions = dict(trace.servers.select("server", "version").iter_rows())
    stored = trace.txns.filter(pl.col("digest").is_not_null()).select("server", "copy").unique().sort("server", "copy")
    with uncollected():
        for server, copy in stored.iter_rows():
            _copy(found, trace, server, copy, rules_of(versions.get(server)))
    return found


def _copy(found: Digests, trace: Trace, server: int, copy: int, rules: Rules) -> None:
    records = ordered(trace, server, copy)
    ops = trace.ops.filter((pl.col("server") == server) & (pl.col("copy") == copy))
    snapshots = bases(trace, server, copy)
    sections = _sections(trace, server, copy)
    place = {"server": server, "copy": copy}
    for run in runs(records, snapshots):
        part = records[run.begin : run.end]
        if run.base is None:
            found.unchecked += part["digest"].drop_nulls().len()
            continue
        _run(found, Replay(Store(trace), run.base, rules, steps(part, ops, rules)), sections, place)
    _snapshots(found, trace, records, ops, rules, place)


# ---------------------------------------------------------------- runs
def runs(records: pl.DataFrame, snapshots: list[Base]) -> Iterator[_Run]:
    """The runs of records and the base of each."""
    for begin, end in pairwise([*_breaks(records, snapshots), records.height]):
        yield from _carried(records, begin, end, snapshots)


def _breaks(records: pl.DataFrame, snapshots: list[Base]) -> list[int]:
    """Rows where a run begins: the first, behind gaps, and where an epoch begins with a snapshot between it and the one before."""
    zxids, previous = records["zxid"], records["previous"]
    named = pl.Series([base.zxid for base in snapshots], dtype=pl.Int64)
    jumps = records.filter(pl.col("gap") | (pl.col("zxid") != pl.col("previous") + 1))
    crossed = [
        row for row, gap in jumps.select("row", "gap").iter_rows()
        if gap or ((named > previous[row]) & (named < zxids[row])).any()
    ]  # fmt: skip
    return [0, *crossed] if records.height else []


def _carried(records: pl.DataFrame, begin: int, end: int, snapshots: list[Base]) -> Iterator[_Run]:
    """One run, without its beginning where only a later snapshot can carry it."""
    first, before = records["zxid"][begin], records["previous"][begin]
    base = base_before(first, before, snapshots)
    if base is not None:
        yield _Run(begin, end, base)
        return
    zxids = records["zxid"][begin:end]
    inside = next((s for s in snapshots if first <= s.zxid < zxids[-1] and s.zxid in zxids), None)
    if inside is None:
        yield _Run(begin, end, None)
        return
    start = begin + int((zxids <= inside.zxid).sum())
    yield _Run(begin, start, None)
    yield _Run(start, end, inside)


def base_before(first: int, before: int | None, snapshots: list[Base]) -> Base | None:
    """The base that carries a run whose first record is ``first`` and follows ``before`` in the file (None: the log begins)."""
    new_epoch = counter(first) == 1
    between = [s for s in snapshots if s.zxid < first and (before is None or s.zxid > before)]
    if between and (between[-1].zxid == first - 1 or new_epoch):
        return between[-1]
    return Base() if before is None and not between and is_birth(first) else None


def is_birth(first: int) -> bool:
    """Is it the first record of an ensemble's (or standalone server's) life, before which the tree is empty? 3.4 writes no snapshot.0."""
    return counter(first) == 1 and epoch(first) <= 1


# ---------------------------------------------------------------- comparing
@dataclass
class Replay:
    """A tree that is replayed from a base, step by step; ``history`` is made anew for another charset."""

    store: Store
    base: Base
    rules: Rules
    table: pl.DataFrame
    charset: str = "utf-8"

    def compared(self) -> Iterator[tuple[Tree, str, int, int, int]]:
        """The tree after each record with a digest, with source, offset, zxid and the stored digest."""
        tree = load(self.store, self.base, self.rules, digests=True, charset=self.charset)
        apply = tree.apply
        for step, source, offset, digest in each(self.table):
            apply(step)
            if digest is not None:
                yield tree, source, offset, step.zxid, digest

    def in_ascii(self) -> Replay | None:
        """The same in ASCII, where some path is not."""
        other = self.table["path"].drop_nulls().str.contains("[^\x00-\x7f]").any()
        return Replay(self.store, self.base, self.rules, self.table, "ascii") if other and self.charset != "ascii" else None


def _run(found: Digests, replay: Replay, sections: dict[int, list[tuple[str, int]]], place: dict[str, Any]) -> None:
    """Compare the digests of a run, and of the snapshots taken in it."""
    compared, rows = _differences(replay, sections)
    if rows and (other := replay.in_ascii()) is not None and not _differences(other, sections)[1]:
        rows = [{**row, "explained_by": ASCII} for row in rows]
    found.compared += compared
    found.rows += [{**place, **row} for row in rows]


def _differences(replay: Replay, sections: dict[int, list[tuple[str, int]]]) -> tuple[int, list[dict[str, Any]]]:
    rows: list[dict[str, Any]] = []
    open_row: dict[str, Any] | None = None
    whole = replay.base.bound == replay.base.zxid
    compared = 0
    for tree, source, offset, zxid, stored in replay.compared():
        compared += 1
        if (tree.total - stored) & UNSIGNED == 0:
            if open_row is not None and not whole:
                rows.pop()  # the base was fuzzy: what it lacked or had too early is replayed now
            open_row, whole = None, True
        elif open_row is None:
            open_row = _row(source, offset, zxid, stored, tree.digest)
            rows.append(open_row)
        else:
            open_row["count"] += 1
        if open_row is None and zxid in sections:
            rows += [_row(name, None, zxid, digest, tree.digest) for name, digest in sections[zxid] if digest != tree.digest]
    return compared, rows


def _row(source: str, offset: int | None, zxid: int, stored: int, computed: int) -> dict[str, Any]:
    return {"source": source, "offset": offset, "zxid": zxid, "stored": stored, "computed": computed, "count": 1, "explained_by": None}


def _sections(trace: Trace, server: int, copy: int) -> dict[int, list[tuple[str, int]]]:
    """The digest sections of snapshots by the zxid they speak of; 0 says nothing, and below its file's zxid a server ignores it."""
    mine = trace.snapshots.filter(
        (pl.col("server") == server) & (pl.col("copy") == copy) & pl.col("valid")
        & (pl.col("digest_zxid") > 0) & (pl.col("digest_zxid") >= pl.col("zxid"))
    )  # fmt: skip
    told: dict[int, list[tuple[str, int]]] = {}
    for zxid, source, digest in mine.select("digest_zxid", "source", "digest").iter_rows():
        told.setdefault(zxid, []).append((source, digest))
    return told


# ---------------------------------------------------------------- snapshots
def _snapshots(found: Digests, trace: Trace, records: pl.DataFrame, ops: pl.DataFrame, rules: Rules, place: dict[str, Any]) -> None:
    """Snapshots whose nodes give no stored digest, neither as they are nor after the records of their fuzzy window."""
    found_bases = bases(trace, place["server"], place["copy"])
    named = pl.col("zxid").is_in([base.zxid for base in found_bases]) & pl.col("digest").is_not_null()
    told = dict(pl.concat([part.filter(named).select("zxid", "digest") for part in (trace.txns, records)]).iter_rows())
    sums = dict(trace.snapshots.select("source", "tree_digest").iter_rows())
    for base in found_bases:
        expected = told.get(base.zxid)
        if expected is None or expected == sums[base.source]:
            continue
        row = _unmatched(trace, base, records, ops, rules)
        if row is not None:
            found.rows.append({**place, **row})


def _unmatched(trace: Trace, base: Base, records: pl.DataFrame, ops: pl.DataFrame, rules: Rules) -> dict[str, Any] | None:
    """The first difference behind the bound of a snapshot after which no digest matches; None where one does, or none is left."""
    later = records.filter(pl.col("zxid") > base.zxid)
    if later.is_empty() or later["zxid"][0] != base.zxid + 1:
        return None
    stop = later.filter(pl.col("gap"))["row"]
    whole = later.filter(pl.col("row") < stop[0]) if stop.len() else later
    behind = whole.filter(pl.col("zxid") >= base.bound).head(WINDOW)
    if behind.is_empty():
        return None
    table = steps(whole.filter(pl.col("row") <= behind["row"][-1]), ops, rules)
    missed: dict[str, Any] | None = None
    for tree, _, _, zxid, stored in Replay(Store(trace), base, rules, table).compared():
        if stored == tree.digest and zxid >= base.bound:
            return None
        if missed is None and zxid >= base.bound:
            missed = _row(base.source or "", None, zxid, stored, tree.digest)
    return missed
