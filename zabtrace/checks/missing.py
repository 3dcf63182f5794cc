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
from zabtrace.protocol.releases import among
from zabtrace.replay.tree_digests import is_birth
from zabtrace.zxid import counter, epoch, make, text

KEPT = ("survived", "recovered")
"""Fates of writes that every later history has."""


NAMES_EXACTLY = "3.5.5-"
"""Releases that name a received snapshot after the last zxid it holds."""


def missing(scene: Scene, server: int) -> tuple[Missing, ...]:
    """What is missing in the newest copy of that server, in order."""
    own = scene.chains.filter(pl.col("server") == server)
    return (*_before_the_first(scene, server, own), *(gap for gap, _ in holes(scene, server)))


def holes(scene: Scene, server: int) -> Iterator[tuple[Missing, Mapping[str, Any]]]:
    """Holes between two records that nothing explains, each with the record behind it."""
    for row in _jumps(scene, server):
        if row["step"] == "hole" or _nothing_received(scene, server, row):
            yield Missing(row["first"], row["zxid"] - 1, _why(scene, row)), row


def doubtful(scene: Scene, server: int) -> list[str]:
    """Jumps that only a snapshot could explain which is not there, and may have been purged."""
    jumps = [row for row in _jumps(scene, server) if row["step"] != "hole" and not _nothing_received(scene, server, row)]
    return [f"{span(row['first'], row['zxid'] - 1)} of server {server}" for row in jumps]


def _jumps(scene: Scene, server: int) -> Iterator[dict[str, Any]]:
    """Records with others missing before them (from ``first`` on), which no snapshot directly below them and no text explains."""
    own = scene.chains.filter(pl.col("server") == server)
    before = own.with_columns(last_source=pl.col("source").shift(1), last_offset=pl.col("offset").shift(1))
    inexact = (pl.col("step") == "import") & (pl.col("import_zxid") != pl.col("zxid") - 1)
    for row in before.filter((pl.col("step") == "hole") | inexact).iter_rows(named=True):
        first = row["previous"] + 1 if epoch(row["previous"]) == row["epoch"] else make(row["epoch"], 1)
        below = own.filter(pl.col("zxid").is_between(first, row["zxid"] - 1)).unique(subset=["zxid"])
        elsewhere = scene.history.trace.stands_for(below)  # out of order, not missing
        told = row["step"] == "import" and scene.received_snapshot(server, row["epoch"])
        if elsewhere < row["zxid"] - first and not told and not _damaged(scene, row, "data"):
            yield {**row, "first": first}


def _nothing_received(scene: Scene, server: int, row: Mapping[str, Any]) -> bool:
    """Is a received snapshot excluded: none was purged, and the release writes nothing again that a snapshot holds?

    3.4 and 3.5.0 to 3.5.4 name the snapshot after a later zxid than it is sent for (zab-semantics 4.3).
    """
    kept = scene.history.trace.snapshots.filter((pl.col("server") == server) & (pl.col("copy") == 0))["zxid"].min()
    known = scene.versions(server)
    return isinstance(kept, int) and kept <= row["previous"] and bool(known) and all(among(v, NAMES_EXACTLY) for v in known)


def _why(scene: Scene, row: Mapping[str, Any]) -> str:
    follows = f"the record of {text(row['zxid'])} follows that of {text(row['previous'])}"
    if row["last_source"] == row["source"]:
        return f"in {row['source']} {follows}"
    torn = f"; {row['last_source']} ends with a torn record" if _damaged(scene, row, "tail") else ""
    none = "no snapshot that this server may have received lies between them"
    return f"{follows}, and {none}: between {row['last_source']} and {row['source']} something is missing{torn}"


def _damaged(scene: Scene, row: Mapping[str, Any], harm: str) -> bool:
    """Does a damaged place lie between the two records?"""
    apart = row["last_source"] != row["source"]
    behind = (pl.col("source") == row["last_source"]) & (pl.col("offset") > row["last_offset"])
    until = (pl.col("source") == row["source"]) & (pl.col("offset") < row["offset"])
    return not scene.history.trace.damage.filter((pl.col("harm") == harm) & (behind | until if apart else behind & until)).is_empty()


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
