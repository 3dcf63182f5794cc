"""Traces of known bugs that snapshots and replayed trees hold: parts of writes, and ephemeral nodes that nobody owns.

Strategy: a snapshot is asked only where a record or its own numbers make it doubtful, for reading its nodes costs as much as the file is
long; trees are replayed only where there are ephemeral nodes at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from zabtrace.checks.scene import Scene, listed
from zabtrace.checks.traces import Trace
from zabtrace.errors import UsageError
from zabtrace.replay.tree import Replayed, owners, snapshot_tree, tree_at
from zabtrace.replay.tree_digests import is_birth
from zabtrace.replay.tree_nodes import Node
from zabtrace.zxid import text

Nodes = Mapping[str, Node]


def _whole_file(row: Mapping[str, Any], says: str) -> dict[str, Any]:
    return {"source": row["source"], "line": None, "offset": 0, "says": says}


def beyond_the_log(scene: Scene) -> Iterator[Trace]:
    """A snapshot holds parts of writes behind the end of all logs: a learner's fuzzy copy, and its process ended too early (3104)."""
    ends = dict(scene.chains.group_by("server").agg(pl.col("zxid").max()).iter_rows())
    newer = scene.history.trace.snapshots.filter((pl.col("copy") == 0) & pl.col("valid") & (pl.col("max_zxid") > pl.col("zxid")))
    for row in newer.sort("server", "zxid").iter_rows(named=True):
        if row["max_zxid"] > ends.get(row["server"], 0):
            says = f"server {row['server']}: {row['source']} holds {text(row['max_zxid'])}, and no log has it"
            yield Trace(row["server"], False, says, _whole_file(row, says))


def half_a_multi(scene: Scene) -> Iterator[Trace]:
    """A snapshot is named after a multi and lacks a part of it: replay goes on behind it (3127)."""
    trace = scene.history.trace
    multis = trace.txns.filter((pl.col("op") == "multi") & ~pl.col("failed").fill_null(value=False)).select("zxid").unique()
    named = trace.snapshots.filter((pl.col("copy") == 0) & pl.col("valid")).join(multis, on="zxid", how="semi")
    for row in named.sort("server", "zxid").iter_rows(named=True):
        members = trace.ops.filter(pl.col("zxid") == row["zxid"]).unique(["index"]).sort("index")
        nodes = snapshot_tree(trace, row["source"]).tree.nodes
        for op, path in members.select("op", "path").iter_rows():
            if path is not None and _lacks(nodes, op, path, row["zxid"]):
                says = f"server {row['server']}: {row['source']} is named after a multi, and lacks its {op} of {path}"
                yield Trace(row["server"], True, says, _whole_file(row, says))
                break


def _lacks(nodes: Nodes, op: str, path: str, zxid: int) -> bool:
    """Was this member not applied? What a later write may have undone does not count."""
    node, parent = nodes.get(path), nodes.get(path.rsplit("/", 1)[0])
    if op == "setData":
        return node is not None and node.mzxid < zxid
    return op.startswith("create") and node is None and parent is not None and parent.pzxid < zxid


def ownerless(scene: Scene) -> Iterator[Trace]:
    """An ephemeral node of a session that its server does not know, and that another server does not have (5010).

    A folded history, of which records are only counted, has no tree.
    """
    trace = scene.history.trace
    if trace.folds.height:
        return
    whole = all(is_birth(disk["first_record"]) for disk in scene.disks.values() if disk["first_record"] is not None)
    if whole and not trace.txns["ephemeral"].any() and not trace.ops["ephemeral"].any():
        return
    trees = {server: tree for server in sorted(scene.disks) if (tree := _tree(scene, server)) is not None}
    for server, mine in trees.items():
        for session, paths in sorted(owners(mine.tree).items()):
            without = [other for other, its in trees.items() if its.tree.zxid >= mine.tree.zxid and paths[0] not in its.tree.nodes]
            if session not in mine.tree.sessions and without:
                says = f"server {server} has {paths[0]} of session {text(session)}, which is in no session table; {listed(without)} lack it"
                source = mine.base.source or scene.chains.filter(pl.col("server") == server).item(-1, "source")
                yield Trace(server, False, says, {"source": source, "line": None, "offset": 0, "says": says})


def _tree(scene: Scene, server: int) -> Replayed | None:
    """The newest tree of a server; None where its data cannot be replayed, which the start of the server tells."""
    try:
        return tree_at(scene.history.trace, server)
    except UsageError:
        return None
