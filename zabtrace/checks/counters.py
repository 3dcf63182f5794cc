"""Traces of known bugs in the counters of nodes: pzxid and cversion that stand behind those of another server, with the same nodes.

Strategy: trees of one zxid that hold the same nodes are compared; where a parent stands behind, the record that the other server's
pzxid names tells which change of its children was not counted. No data are lost, and nothing else shows it: it is ``possible`` at most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import permutations

import polars as pl

from zabtrace.checks.scene import Scene
from zabtrace.checks.traces import Trace
from zabtrace.errors import UsageError
from zabtrace.protocol.releases import among
from zabtrace.replay.tree import Replayed, tree_at
from zabtrace.replay.tree_nodes import SYSTEM, Node
from zabtrace.zxid import text

UNFIXED = "3.4.0-3.5"
"""Releases that have one of these bugs at least: where all servers are known to run later ones, no tree is replayed."""
CREATES = frozenset({"create", "create2", "createContainer", "createTTL"})
DELETES = frozenset({"delete", "deleteContainer"})
CLOSES = frozenset({"closeSession"})


def uncounted(ops: frozenset[str]) -> Callable[[Scene], Iterator[Trace]]:
    """Parents that lack one of these changes of their children, which another server has counted (3125, 3249, 3145)."""

    def find(scene: Scene) -> Iterator[Trace]:
        if scene.history.trace.folds.height or not _concerned(scene):
            return
        trees = _trees(scene)
        for server, other in permutations(trees, 2):
            mine, its = trees[server], trees[other]
            if mine.tree.nodes.keys() != its.tree.nodes.keys():
                continue
            for path, node in mine.tree.nodes.items():
                counted = its.tree.nodes[path]
                if _behind(path, node, counted) and _ops(scene, counted.pzxid) & ops:
                    yield _trace(scene, mine, path, node, counted, other)
                    break

    return find


def _concerned(scene: Scene) -> bool:
    """May some server run a release with such a bug?"""
    known = [scene.versions(server) for server in scene.disks]
    return any(not versions or any(among(version, UNFIXED) for version in versions) for versions in known)


def _trees(scene: Scene) -> dict[int, Replayed]:
    """The servers' trees at the last zxid that all of them reach; without those that cannot be replayed, or not so far back."""
    newest = {server: tree for server in sorted(scene.disks) if (tree := _tree(scene, server, None)) is not None}
    at = min((tree.tree.zxid for tree in newest.values()), default=0)
    placed = {server: tree if tree.tree.zxid == at else _tree(scene, server, at) for server, tree in newest.items()}
    return {server: tree for server, tree in placed.items() if tree is not None and tree.tree.zxid == at}


def _tree(scene: Scene, server: int, at: int | None) -> Replayed | None:
    try:
        return tree_at(scene.history.trace, server, at)
    except UsageError:  # its data cannot be replayed: the start of the server tells why
        return None


def _behind(path: str, node: Node, other: Node) -> bool:
    """Does a node of a tree stand behind in nothing but the counters of its children? Servers write /zookeeper/config themselves."""
    alike = (node.czxid, node.mzxid, node.version) == (other.czxid, other.mzxid, other.version)
    late = node.pzxid < other.pzxid and node.cversion <= other.cversion
    return alike and late and not path.startswith(SYSTEM)


def _ops(scene: Scene, zxid: int) -> set[str]:
    """What the records of a zxid do, the members of a multi included."""
    trace = scene.history.trace
    return {op for frame in (trace.txns, trace.ops) for op in frame.filter(pl.col("zxid") == zxid)["op"].unique().drop_nulls()}


def _trace(scene: Scene, mine: Replayed, path: str, node: Node, counted: Node, other: int) -> Trace:
    says = (
        f"server {mine.server} has pzxid {text(node.pzxid)} and cversion {node.cversion} at {path or '/'}, server {other} "
        f"{text(counted.pzxid)} and {counted.cversion}, and both hold the same nodes"
    )
    source = mine.base.source or scene.chains.filter(pl.col("server") == mine.server).item(-1, "source")
    return Trace(mine.server, False, says, {"source": source, "line": None, "offset": 0, "says": says})
