"""The documents of ``tree``, ``history``, ``sessions``, ``top`` and ``diff``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import polars as pl

from zabtrace import schema, wording, zxid
from zabtrace.documents import FORMAT, Document
from zabtrace.evidence.trace import Trace
from zabtrace.replay import tree_diff, tree_history, tree_sessions, tree_top
from zabtrace.replay.tree import Replayed

KNOWN = ("zxid", "payload_hash", "fate", "why")
SPARE_CHANGE = ("payload_hash",)
TOP = {
    "largest": "Largest znodes",
    "subtrees": "Largest subtrees",
    "children": "Most children",
    "written": "Most written",
    "growth": "Growth",
    "errors": "Errors by session",
}
"""The parts of ``top`` and their titles."""


def about(replayed: Replayed, names: wording.Names) -> Document:
    """Whose tree it is, of which zxid, made from what, and what speaks against it."""
    return {
        "server": names.name(replayed.server),
        "copy": replayed.copy,
        "zxid": zxid.text(replayed.zxid),
        "nodes": len(replayed.tree.nodes),
        "base": replayed.base.source,
        "base_zxid": zxid.text(replayed.base.zxid),
        "records": replayed.records,
        "rules_of": replayed.release or None,
        "digest": replayed.digest,
        "remarks": list(replayed.remarks),
    }


def with_values(replayed: Replayed, nodes: pl.DataFrame) -> pl.DataFrame:
    """schema.TREE with the data as text."""
    held = [replayed.tree.nodes["" if path == "/" else path] for path in nodes["path"]]
    return nodes.with_columns(pl.Series("value", [tree_history.shown(replayed.value(node)) for node in held], dtype=pl.String))


# ---------------------------------------------------------------- history
def judged_changes(changes: pl.DataFrame, writes: pl.DataFrame) -> pl.DataFrame:
    """schema.CHANGES with the fate of each write."""
    fates = writes.select(KNOWN).unique(["zxid", "payload_hash"], keep="first")
    joined = changes.drop("fate", "why").join(fates, on=["zxid", "payload_hash"], how="left", maintain_order="left", nulls_equal=True)
    return schema.conform(schema.CHANGES, joined)


def history(trace: Trace, path: str, changes: pl.DataFrame, hidden: int, *, values: bool) -> Document:
    """Every change of a path."""
    names = wording.Names.of(trace.servers)
    dropped = [*SPARE_CHANGE, *([] if values else ["old_value", "new_value"])]
    return {"format": FORMAT, "path": path, "changes": list(wording.rows(changes.drop(dropped), names)), "hidden": hidden}


# ---------------------------------------------------------------- sessions
def sessions(trace: Trace, writes: pl.DataFrame, wanted: frozenset[int]) -> tuple[Document, pl.DataFrame]:
    """All sessions, or those that some servers created."""
    found = tree_sessions.sessions(trace, writes)
    shown = found.filter(pl.col("server").is_in(list(wanted))) if wanted else found
    counted = dict(found.group_by("state").len().sort("state").iter_rows())
    rows = list(wording.rows(shown, wording.Names.of(trace.servers)))
    return {"format": FORMAT, "counts": counted, "sessions": rows, "hidden": found.height - shown.height}, shown


# ---------------------------------------------------------------- top
def top(trace: Trace, replayed: Replayed, earlier: Replayed | None, few: int) -> tuple[Document, dict[str, pl.DataFrame]]:
    """The first rows of each part of TOP."""
    names = wording.Names.of(trace.servers)
    records = tree_top.in_logs(trace, replayed)
    frames = {
        "largest": tree_top.largest(replayed),
        "subtrees": tree_top.subtrees(replayed),
        "children": tree_top.children(replayed),
        "written": tree_top.written(trace, records),
        "growth": tree_top.growth(earlier, replayed) if earlier else pl.DataFrame(schema=tree_top.SUBTREE),
        "errors": tree_top.errors(trace),
    }
    shown = {key: df.head(few) for key, df in frames.items()}
    parts = {key: list(wording.rows(df, names)) for key, df in shown.items()}
    since = about(earlier, names) if earlier else None
    return {"format": FORMAT, "tree": about(replayed, names), "grown_since": since, "counted": _counted(records), **parts}, shown


def _counted(records: pl.DataFrame) -> Document:
    """Which records the part ``written`` was counted over: those in the server's own logs."""
    bounds = [zxid.text(bound) for bound in records["zxid"].sort().gather([0, -1])] if records.height else [None, None]
    return {"records": records.height, "from": bounds[0], "to": bounds[1]}


# ---------------------------------------------------------------- diff
@dataclass(frozen=True)
class Sides:
    """Two trees and what they are called."""

    left: Replayed
    right: Replayed
    names: tuple[str, str]
    histories: bool
    """Both are trees of servers, whose records can be compared too."""


def diff(trace: Trace, sides: Sides, rows: pl.DataFrame) -> Document:
    """Where two trees, and the histories behind them, differ; ``nodes`` holds the harmless ones too, with the reason."""
    names = wording.Names.of(trace.servers)
    harmless = rows["harmless"].is_not_null().sum()
    return {
        "format": FORMAT,
        "left": {"name": sides.names[0], **about(sides.left, names)},
        "right": {"name": sides.names[1], **about(sides.right, names)},
        "same": rows.height == harmless,
        "counts": _counts(rows),
        "first_difference": _parting(trace, sides),
        "ghosts": _ghosts(trace, sides),
        "nodes": list(wording.rows(rows, names)),
    }


def _counts(rows: pl.DataFrame) -> dict[str, int]:
    """Nodes only left, only right, different, and different in a way that means nothing."""
    open_rows = rows.filter(pl.col("harmless").is_null())
    one_sided = {side: open_rows.filter(pl.col("difference") == side).height for side in (tree_diff.LEFT, tree_diff.RIGHT)}
    return {
        "only_left": one_sided[tree_diff.LEFT],
        "only_right": one_sided[tree_diff.RIGHT],
        "different": open_rows.height - sum(one_sided.values()),
        "harmless": rows.height - open_rows.height,
    }


def _parting(trace: Trace, sides: Sides) -> Document | None:
    if not sides.histories:
        return None
    found = tree_diff.parting(trace, (sides.left.server, sides.left.copy), (sides.right.server, sides.right.copy))
    if found is None:
        return None
    places = [place for place in (found.left, found.right) if place is not None]
    evidence = [{"source": source, "offset": offset, "says": "the record"} for source, offset in places]
    return {"zxid": zxid.text(found.zxid), "why": found.why, "evidence": evidence}


def _ghosts(trace: Trace, sides: Sides) -> list[Document]:
    found: Iterable[dict[str, Any]] = tree_diff.ghosts((sides.left, sides.right), trace, sides.names)
    return [{**row, "session": zxid.text(row["session"]), "czxid": zxid.text(row["czxid"])} for row in found]
