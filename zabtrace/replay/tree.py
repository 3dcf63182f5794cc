"""The tree of a server at any zxid: the nearest usable snapshot, and the records above it in file order.

Strategy: every snapshot that may carry the replay is asked what speaks against it (fuzzy beyond the zxid asked for, records
missing in between); the newest without doubts is taken, else the one with the fewest, and the doubts are told. Where the
last record carries a digest, the tree is compared with it: a match proves it, save ACL lists and what lies below /zookeeper.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from zabtrace import schema
from zabtrace.errors import UsageError
from zabtrace.evidence.trace import Trace
from zabtrace.records import opcodes
from zabtrace.replay.tree_base import Base, Store, bases, load
from zabtrace.replay.tree_digests import digest_mismatches, is_birth
from zabtrace.replay.tree_nodes import STAT, SYSTEM, Node, Tree, is_mark, kind
from zabtrace.replay.tree_rules import rules_of
from zabtrace.replay.tree_steps import NONE, each, ordered, steps, uncollected
from zabtrace.zxid import counter, epoch, signed, text

__all__ = ["Replayed", "digest_mismatches", "snapshot_tree", "tree_at"]

TTL_BITS = (1 << 40) - 1
MATCHES, DIFFERS, UNPROVED = "matches", "differs", "none"


@dataclass(frozen=True)
class Replayed:
    """A tree, how it was made, and how far it can be trusted."""

    tree: Tree
    store: Store
    server: int
    copy: int
    base: Base
    records: int
    """Records that were replayed above the base."""
    release: str
    digest: str = UNPROVED
    """matches, differs or none: the tree against the digest that the last record stored."""
    remarks: tuple[str, ...] = ()
    """What speaks against the tree being the one that this server had."""

    @property
    def zxid(self) -> int:
        """The last zxid in it."""
        return self.tree.zxid

    def value(self, node: Node) -> bytes | None:
        """The data of a node."""
        return None if node.data is None else bytes(self.store.read(*node.data))

    def frame(self, below: str = "/") -> pl.DataFrame:
        """schema.TREE of the nodes at or below a path, by path; without values."""
        root = "" if below == "/" else below
        chosen = sorted((path, node) for path, node in self.tree.nodes.items() if path == root or path.startswith(f"{root}/"))
        return schema.frame(schema.TREE, (_row(path, node, self.server, self.copy) for path, node in chosen))


def _row(path: str, node: Node, server: int, copy: int) -> dict[str, object]:
    source, offset, size = node.data or (None, None, None)
    held = source or None
    what = kind(node.owner)
    return {
        "server": server, "copy": copy, "path": path or "/", "kind": what, "data_len": size, "version": node.version,
        "cversion": node.cversion, "aversion": node.aversion, "children": node.children, "czxid": node.czxid, "mzxid": node.mzxid,
        "pzxid": node.pzxid, "ctime": node.ctime, "mtime": node.mtime, "ephemeral_owner": node.owner,
        "ttl": node.owner & TTL_BITS if what == "ttl" else None, "acl": node.acl, "source": held, "data_offset": offset if held else None,
    }  # fmt: skip


def tree_at(trace: Trace, server: int, zxid: int | None = None, copy: int = 0) -> Replayed:
    """The tree of a server's copy after all its records up to ``zxid`` (None: all). Raises UsageError where it has no data at all."""
    records, snapshots = ordered(trace, server, copy), bases(trace, server, copy)
    if records.is_empty() and not snapshots:
        raise UsageError(
            f"{_copy_name(trace, server, copy)} has no data files that can be replayed: no valid snapshot and no record."
            f"{_elsewhere(trace, server, copy)}"
        )
    at = _last(records, snapshots) if zxid is None else zxid
    base, remarks = _choose(records, snapshots, at)
    version = dict(trace.servers.select("server", "version").iter_rows()).get(server)
    rules, store = rules_of(version), Store(trace)
    replayed = records.filter((pl.col("zxid") > base.zxid) & (pl.col("zxid") <= at))
    ops = trace.ops.filter((pl.col("server") == server) & (pl.col("copy") == copy))
    digest = _digest_of(records, base)
    with uncollected():
        tree = load(store, base, rules)
        for step, _, _, stored in each(steps(replayed, ops, rules)):
            tree.apply(step)
            digest = stored if stored is not None or step.type != NONE else digest
    remarks += _printed(replayed) + _damaged(replayed) + _end(trace, records, tree.zxid, at, server, copy)
    proof = UNPROVED if digest is None else MATCHES if digest in _sums(tree, store) else DIFFERS
    return Replayed(tree, store, server, copy, base, replayed.height, ".".join(map(str, rules.release)), proof, tuple(remarks))


def snapshot_tree(trace: Trace, source: str) -> Replayed:
    """The nodes of one snapshot file as they are, without any replay. Raises UsageError where it is no readable snapshot."""
    found = trace.snapshots.filter(pl.col("source") == source)
    if found.is_empty() or source not in trace.files:
        raise UsageError(f"{source} is no snapshot of the evidence.")
    row = found.row(0, named=True)
    base = Base(row["zxid"] or 0, source, max(row["zxid"] or 0, row["max_zxid"] or 0, row["digest_zxid"] or 0))
    store = Store(trace)
    remarks = [] if row["valid"] else [f"{source} is damaged: {row['reason']}. What stands before the damage is shown."]
    if base.bound > base.zxid:
        remarks.append(f"{source} is fuzzy: it holds a part of what came after {text(base.zxid)}, up to {text(base.bound)}.")
    return Replayed(load(store, base, rules_of(None)), store, row["server"], row["copy"] or 0, base, 0, "", UNPROVED, tuple(remarks))


def _elsewhere(trace: Trace, server: int, copy: int) -> str:
    """Which other copies of that server hold records."""
    mine = trace.txns.filter((pl.col("server") == server) & (pl.col("copy") != copy))
    held = mine.group_by("copy").agg(pl.col("dump").fill_null(False).all()).sort("copy").rows()
    listed = ", ".join(f"{number} (printed by a tool of ZooKeeper)" if printed else str(number) for number, printed in held)
    return f" Records of it are in copies {listed}: choose one with --copy." if listed else ""


def _printed(replayed: pl.DataFrame) -> list[str]:
    """What a dump is good for, where the tree was made of one."""
    if not replayed["dump"].fill_null(False).any():
        return []
    return ["Records are those that ZooKeeper's own tool printed: it shows neither damage nor what it left out."]


def _copy_name(trace: Trace, server: int, copy: int) -> str:
    label = dict(trace.servers.select("server", "label").iter_rows()).get(server, str(server))
    return f"Server {label}" if copy == 0 else f"Copy {copy} of server {label}"


def _last(records: pl.DataFrame, snapshots: list[Base]) -> int:
    """The last zxid that the copy tells of."""
    ends = [snapshots[-1].zxid] if snapshots else []
    highest = records["zxid"].max()
    return max([*ends, *([highest] if isinstance(highest, int) else [])])


# ---------------------------------------------------------------- the base
def _choose(records: pl.DataFrame, snapshots: list[Base], at: int) -> tuple[Base, list[str]]:
    """The newest base without doubts, else the one with the fewest; with its doubts."""
    candidates = [base for base in reversed(snapshots) if base.zxid <= at]
    first = records["zxid"][0] if records.height else None
    if not candidates and (first is None or first > at):
        oldest = min(base.zxid for base in snapshots) if snapshots else first
        raise UsageError(f"Nothing as old as {text(at)} is left: the data begin at {text(oldest or 0)}.")
    if not candidates or (first is not None and is_birth(first)):
        candidates.append(Base())
    best: tuple[Base, list[str]] | None = None
    for base in candidates:
        doubts = _doubts(records, base, at)
        if best is None or len(doubts) < len(best[1]):
            best = base, doubts
        if not doubts:
            break
    if best is None:
        raise UsageError("There is no snapshot and no record to begin with.")
    return best


def _doubts(records: pl.DataFrame, base: Base, at: int) -> list[str]:
    """What speaks against replaying from this base up to ``at``."""
    found = []
    if base.bound > at:
        found.append(
            f"{base.source} is fuzzy: it was written while transactions up to {text(base.bound)} were applied, and holds an unknown part "
            f"of those above {text(at)}."
        )
    above = records.filter((pl.col("zxid") > base.zxid) & (pl.col("zxid") <= at))
    if above.is_empty():
        return found
    first = above["zxid"][0]
    begins = "the empty tree" if base.source is None else base.source
    joined = is_birth(first) if base.source is None else first == base.zxid + 1 or (counter(first) == 1 and epoch(first) > epoch(base.zxid))
    if not joined:
        found.append(f"No snapshot joins the records: between {begins} ({text(base.zxid)}) and {text(first)} they are missing.")
    gaps = above.tail(-1).filter("gap")
    found += [
        f"Records are missing between {text(before)} and {text(after)}." for before, after in gaps.select("previous", "zxid").iter_rows()
    ]
    return found


def _damaged(replayed: pl.DataFrame) -> list[str]:
    """Records whose effect is not known."""
    unknown = replayed.filter(~pl.col("type").is_in(list(opcodes.BY_CODE)))
    return [f"The effect of {text(zxid)} is not known: its type is {op}." for zxid, op in unknown.select("zxid", "op").iter_rows()]


def _end(trace: Trace, records: pl.DataFrame, reached: int, at: int, server: int, copy: int) -> list[str]:
    """What is to say where the tree ends before the zxid asked for."""
    if reached >= at:
        return []
    later = records.filter(pl.col("zxid") > at)
    name = _copy_name(trace, server, copy)
    if later.is_empty():
        return [f"{name} has nothing above {text(reached)}: this is its last state, not that of {text(at)}."]
    if later["gap"][0]:
        return [f"{name} has no record between {text(reached)} and {text(later['zxid'][0])}: it never had the state of {text(at)} on disk."]
    return []


def _digest_of(records: pl.DataFrame, base: Base) -> int | None:
    """The digest that the record of a base's zxid stored, where the base holds nothing of what came after it."""
    found = records.filter((pl.col("zxid") == base.zxid) & pl.col("digest").is_not_null())
    return int(found["digest"][0]) if found.height and base.bound == base.zxid else None


def _sums(tree: Tree, store: Store) -> Iterator[int]:
    """The digest of all nodes, computed at once; then with paths in ASCII, as Java before 18 encodes them under a C locale."""
    yield _sum(tree, store, "utf-8")
    if not all(map(str.isascii, tree.nodes)):
        yield _sum(tree, store, "ascii")


def _sum(tree: Tree, store: Store, charset: str) -> int:
    total = 0
    for path, node in tree.nodes.items():
        if not path.startswith(SYSTEM):
            crc = zlib.crc32(path.encode(charset, "replace"))
            crc = crc if node.data is None else zlib.crc32(store.read(*node.data), crc)
            stat = (node.czxid, node.mzxid, node.pzxid, node.ctime, node.mtime, node.version, node.cversion, node.aversion, node.owner)
            total += zlib.crc32(STAT.pack(*stat), crc)
    return signed(total)


def owners(tree: Tree) -> dict[int, list[str]]:
    """The ephemeral nodes of each session, by path."""
    found: dict[int, list[str]] = {}
    for path, node in sorted(tree.nodes.items()):
        if node.owner and not is_mark(node.owner):
            found.setdefault(node.owner, []).append(path or "/")
    return found
