"""Records that should be on a server's disk and are not: holes that neither a snapshot received nor purging explains.

Strategy: the chain of records (``replay.disks``) has the steps; purging removes whole logs from the front, and keeps the one that can
hold records behind the oldest snapshot kept (PurgeTxnLog, zab-semantics 7.5).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from zabtrace.checks.findings import Missing
from zabtrace.checks.scene import Scene, span
from zabtrace.replay.tree_digests import is_birth
from zabtrace.zxid import counter, epoch, make, text

KEPT = ("survived", "recovered")
"""Fates of writes that every later history has."""


def missing(scene: Scene, server: int) -> tuple[Missing, ...]:
    """What is missing in the newest copy of that server, in order."""
    own = scene.chains.filter(pl.col("server") == server)
    return (*_before_the_first(scene, server, own), *(gap for gap, _ in holes(scene, server)))


def holes(scene: Scene, server: int) -> Iterator[tuple[Missing, Mapping[str, Any]]]:
    """Holes between two records, each with the record behind it; those that a damaged place explains are left to it."""
    own = scene.chains.filter(pl.col("server") == server)
    before = own.with_columns(last_source=pl.col("source").shift(1), last_offset=pl.col("offset").shift(1))
    for row in before.filter(pl.col("step") == "hole").iter_rows(named=True):
        first = row["previous"] + 1 if epoch(row["previous"]) == epoch(row["zxid"]) else make(epoch(row["zxid"]), 1)
        elsewhere = own.filter(pl.col("zxid").is_between(first, row["zxid"] - 1)).height  # out of order, not missing
        if elsewhere < row["zxid"] - first and not _damaged(scene, row):
            why = (
                f"the record of {text(row['zxid'])} follows that of {text(row['previous'])}, and no snapshot that this server may have "
                f"received lies between them: a file between {row['last_source']} and {row['source']} is missing"
                if row["last_source"] != row["source"]
                else f"in {row['source']} the record of {text(row['zxid'])} follows that of {text(row['previous'])}"
            )
            yield Missing(first, row["zxid"] - 1, why), row


def _damaged(scene: Scene, row: Mapping[str, Any]) -> bool:
    """Does a damaged place lie between the two records?"""
    behind = (pl.col("source") == row["last_source"]) & (pl.col("offset") > row["last_offset"])
    until = pl.lit(value=True) if row["last_source"] != row["source"] else pl.col("offset") < row["offset"]
    early = (pl.col("source") == row["source"]) & (pl.col("offset") < row["offset"]) & (row["last_source"] != row["source"])
    harmful = pl.col("harm").is_in(["data", "tail"])
    return not scene.history.trace.damage.filter(harmful & ((behind & until) | early)).is_empty()


def _before_the_first(scene: Scene, server: int, own: pl.DataFrame) -> Iterator[Missing]:
    """Logs missing before the first one: no snapshot lies directly below it, and an older one shows that nothing was purged."""
    if own.is_empty():
        return
    first = own.item(0, "zxid")
    names = scene.history.trace.snapshots.filter((pl.col("server") == server) & (pl.col("copy") == 0))["zxid"].drop_nulls().to_list()
    oldest, below = min(names, default=None), max((z for z in names if z < first), default=-1)
    purged = oldest is not None and oldest >= first - 1
    if is_birth(first) or purged or below == first - 1:
        return
    why = "no snapshot is there that it could follow" if oldest is None else f"purging keeps the logs behind snapshot.{oldest:x}"
    why = f"the log begins with {text(first)}, and {why}"
    if counter(first) > 1:
        in_epoch = oldest is not None and epoch(oldest) == epoch(first)
        yield Missing((oldest or 0) + 1 if in_epoch else make(epoch(first), 1), first - 1, why)
        return
    kept = pl.col("fate").is_in(KEPT) & (pl.col("zxid") > below) & (pl.col("zxid") < first)
    known = scene.writes.filter(kept)["zxid"].sort()
    if known.len():
        yield Missing(known.item(0), known.item(-1), f"{why}, but other servers have writes between that were kept")


def sentence(gaps: tuple[Missing, ...]) -> str:
    """The ranges in a sentence."""
    return ", ".join(span(gap.first, gap.last) for gap in gaps)
