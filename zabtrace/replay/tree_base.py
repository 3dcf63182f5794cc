"""Where a replay begins: the snapshots of one copy, which of them are usable, and loading one into a tree.

Strategy: a snapshot named z holds every transaction up to z, and an arbitrary part of those up to its ``bound``, which were applied
while it was written (FileTxnSnapLog.save, fuzzy). ``bound`` is the largest zxid seen in its nodes or in its digest section; a
delete or setACL beyond that leaves no trace, which only a stored digest can exclude. From the bound on the replay is exact.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from zabtrace.evidence.trace import Trace
from zabtrace.records import read_snapshot
from zabtrace.records.snapshot import stored_bytes
from zabtrace.replay.tree_nodes import OPEN, STAT_COLUMNS, Tree, newborn, node_of
from zabtrace.replay.tree_rules import Rules

OPEN_ID = -1


@dataclass(frozen=True)
class Base:
    """A snapshot to begin with; without ``source`` the empty tree of a fresh database."""

    zxid: int = 0
    source: str | None = None
    bound: int = 0
    """From this zxid on the replayed tree is whole."""


@dataclass
class Store:
    """The bytes of data files, each opened once."""

    trace: Trace
    held: dict[str, memoryview] = field(default_factory=dict)

    def read(self, source: str, offset: int, length: int) -> memoryview:
        """Bytes of a log, or of an uncompressed snapshot; empty where the file is not at hand."""
        if source not in self.held:
            found = self.trace.files.get(source)
            self.held[source] = memoryview(b"") if found is None else stored_bytes(found)
        return self.held[source][offset : offset + length]


def bases(trace: Trace, server: int, copy: int) -> list[Base]:
    """The valid snapshots of a copy whose names tell a zxid, oldest first."""
    mine = trace.snapshots.filter((pl.col("server") == server) & (pl.col("copy") == copy) & pl.col("valid") & pl.col("zxid").is_not_null())
    bound = pl.max_horizontal("zxid", "max_zxid", "digest_zxid")
    return [Base(*row) for row in mine.sort("zxid", "source").select("zxid", "source", bound.alias("bound")).iter_rows()]


def load(store: Store, base: Base, rules: Rules, *, digests: bool = False, charset: str = "utf-8") -> Tree:
    """The tree of a base."""
    read = store.read if digests else None
    if base.source is None:
        return newborn(rules, read, charset)
    found = read_snapshot(store.trace.files[base.source], znodes=True)
    tree = Tree(rules, read, charset)
    tree.sessions = dict(found.sessions.select("session", "timeout").iter_rows())
    tree.zxid = base.zxid
    lists = {OPEN_ID: OPEN, **dict(found.acls.select("acl_id", "acl").iter_rows())}
    for path, at, size, acl, *stat in found.znodes.select("path", "data_offset", "data_len", "acl_id", *STAT_COLUMNS).iter_rows():
        name = "" if path == "/" else path
        parent = tree.nodes.get(name.rpartition("/")[0]) if name else None
        tree.put(name, node_of(stat, lists.get(acl), None if at is None else (base.source, at, size), parent))
    return tree
