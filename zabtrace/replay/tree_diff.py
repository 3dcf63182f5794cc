"""Two trees compared: nodes of one side only, nodes that differ, ghosts; and where two histories part.

Strategy: what a difference is of is a row of ASPECTS, why one means nothing a row of HARMLESS. ACL lists are compared, never their
ids, which are local to a file. Data are compared byte by byte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from zabtrace import schema
from zabtrace.evidence.trace import Trace
from zabtrace.replay.tree import Replayed
from zabtrace.replay.tree_nodes import SYSTEM, Node, is_mark
from zabtrace.replay.tree_steps import ordered
from zabtrace.zxid import text

LEFT, RIGHT = "only left", "only right"
COUNTERS = ("cversion", "pzxid")
STAT = ("czxid", "mzxid", "pzxid", "ctime", "mtime", "version", "cversion", "aversion")


@dataclass(frozen=True)
class Difference:
    """Where two histories part: the first zxid that one has and the other has not, or has with another payload."""

    zxid: int
    why: str
    left: tuple[str, int] | None
    right: tuple[str, int] | None


# ---------------------------------------------------------------- nodes
def differences(left: Replayed, right: Replayed, below: str = "/") -> pl.DataFrame:
    """schema.DIFFERENCES of two trees at or below a path, by path."""
    root = "" if below == "/" else below
    mine, other = left.tree.nodes, right.tree.nodes
    rows = []
    for path in sorted(mine.keys() | other.keys()):
        if path != root and not path.startswith(f"{root}/"):
            continue
        row = _compared(path, mine.get(path), other.get(path), left, right)
        if row is not None:
            rows.append(row)
    return schema.frame(schema.DIFFERENCES, rows)


def _compared(path: str, a: Node | None, b: Node | None, left: Replayed, right: Replayed) -> dict[str, Any] | None:
    if a is None or b is None:
        what = [RIGHT if a is None else LEFT]
    else:
        what = [name for name, differs in ASPECTS if differs(a, b, left, right)]
        if not what:
            return None
    owner = next((node.owner for node in (a, b) if node is not None and node.owner and not is_mark(node.owner)), None)
    return {
        "path": path or "/",
        "difference": ", ".join(what),
        "harmless": _harmless(path, what, a, b, left.zxid == right.zxid),
        "left": _told(a, what),
        "right": _told(b, what),
        "left_zxid": _last_change(a),
        "right_zxid": _last_change(b),
        "ephemeral_owner": owner,
    }


def _data_differs(a: Node, b: Node, left: Replayed, right: Replayed) -> bool:
    if a.data is None or b.data is None:
        return a.data is not b.data
    return a.data[2] != b.data[2] or (a.data != b.data and left.value(a) != right.value(b))


ASPECTS: tuple[tuple[str, Callable[[Node, Node, Replayed, Replayed], bool]], ...] = (
    ("data", _data_differs),
    ("acl", lambda a, b, left, right: a.acl != b.acl),
    ("owner", lambda a, b, left, right: a.owner != b.owner),
    *((name, lambda a, b, left, right, name=name: getattr(a, name) != getattr(b, name)) for name in STAT),
)
"""What a difference is of, and the test."""


def _is_empty(a: Node | None, b: Node | None) -> bool:
    return a is not None and b is not None and not (a.data or ("", 0, 0))[2] and not (b.data or ("", 0, 0))[2]


def _only_counters(what: list[str]) -> bool:
    return set(what) <= set(COUNTERS)


HARMLESS: tuple[tuple[str, Callable[[str, list[str], Node | None, Node | None, bool], bool]], ...] = (
    (
        "each server writes /zookeeper/config and the quota statistics itself, without a transaction",
        lambda path, what, a, b, same: path.startswith(SYSTEM),
    ),
    (
        "only cversion or pzxid, since its children differ: those are listed",
        lambda path, what, a, b, same: _only_counters(what) and a is not None and b is not None and a.children != b.children,
    ),
    (
        "only cversion or pzxid, at one zxid: a fuzzy snapshot was replayed (ZOOKEEPER-3125, 3249, 3145)",
        lambda path, what, a, b, same: _only_counters(what) and same,
    ),
    ("only cversion or pzxid: children came or went", lambda path, what, a, b, same: _only_counters(what)),
    (
        "null and empty data, which the digest does not tell apart either",
        lambda path, what, a, b, same: what == ["data"] and _is_empty(a, b),
    ),
)
"""Differences that are known to mean nothing by themselves: the reason, and when it holds (``same``: both trees are of one zxid)."""


def _harmless(path: str, what: list[str], a: Node | None, b: Node | None, same: bool) -> str | None:
    return next((why for why, holds in HARMLESS if holds(path, what, a, b, same)), None)


def _last_change(node: Node | None) -> int | None:
    return None if node is None else max(node.mzxid, node.pzxid)


_HEX = frozenset({"czxid", "mzxid", "pzxid"})


def _told(node: Node | None, what: list[str]) -> str | None:
    """What one side has of that which differs."""
    if node is None:
        return None
    if what[0] in (LEFT, RIGHT):
        what = ["data", "mzxid", *(["owner"] if node.owner else [])]
    return ", ".join(f"{name} {_aspect(node, name)}" for name in what)


def _aspect(node: Node, name: str) -> str:
    if name == "data":
        return "null" if node.data is None else f"of {node.data[2]} bytes"
    value = getattr(node, name)
    return text(value) if name in _HEX or name == "owner" else str(value)


# ---------------------------------------------------------------- ghosts
def ghosts(sides: tuple[Replayed, Replayed], trace: Trace, names: tuple[str, str]) -> Iterator[dict[str, Any]]:
    """Ephemeral nodes whose session is closed or in no session table, or that stand on one side only."""
    closed = dict(trace.txns.filter(pl.col("op") == "closeSession").select("session", "zxid").iter_rows())
    for side, other, name in zip(sides, reversed(sides), names, strict=True):
        for path, node in sorted(side.tree.nodes.items()):
            if not node.owner or is_mark(node.owner):
                continue
            why = _ghost(path, node, side, other, closed)
            if why:
                yield {"side": name, "path": path, "session": node.owner, "czxid": node.czxid, "why": why}


def _ghost(path: str, node: Node, side: Replayed, other: Replayed, closed: dict[int, int]) -> str | None:
    end = closed.get(node.owner)
    if end is not None and node.czxid < end <= side.zxid:
        return f"its session was closed by {text(end)}"
    # A fuzzy snapshot copies the session table first: a node from beyond its zxid may belong to a session from beyond it.
    if node.owner not in side.tree.sessions and node.czxid <= side.zxid:
        return "its session is in no session table" + (f" and was closed by {text(end)}" if end is not None else "")
    if path not in other.tree.nodes and other.zxid >= node.czxid and side.zxid <= other.zxid:
        return "it stands on this side only"
    return None


# ---------------------------------------------------------------- histories
def parting(trace: Trace, left: tuple[int, int], right: tuple[int, int]) -> Difference | None:
    """The first zxid at which the records of two copies (server, copy) differ where both can be compared, or None.

    Records that a copy never had because it was brought up to date by a snapshot (a gap in its log) are no difference.
    """
    a, b = (ordered(trace, *side).select("zxid", "payload_hash", "op", "source", "offset", "previous", "gap") for side in (left, right))
    if a.is_empty() or b.is_empty():
        return None
    found = [
        *_other_payloads(a, b),
        *((zxid, f"only the left side has it: {op}", place, None) for zxid, op, place in _missing(a, b)),
        *((zxid, f"only the right side has it: {op}", None, place) for zxid, op, place in _missing(b, a)),
    ]
    return Difference(*min(found, key=lambda row: row[0])) if found else None


def _other_payloads(a: pl.DataFrame, b: pl.DataFrame) -> Iterator[tuple[int, str, tuple[str, int] | None, tuple[str, int] | None]]:
    both = (
        a.join(b, on="zxid", suffix="_b")
        .group_by("zxid")
        .agg(pl.all().first(), same=(pl.col("payload_hash") == pl.col("payload_hash_b")).any())
    )
    for row in both.filter(~pl.col("same")).sort("zxid").head(1).iter_rows(named=True):
        why = f"both have it, with different contents: {row['op']} and {row['op_b']}"
        yield row["zxid"], why, (row["source"], row["offset"]), (row["source_b"], row["offset_b"])


def _missing(a: pl.DataFrame, b: pl.DataFrame) -> Iterator[tuple[int, str, tuple[str, int]]]:
    """The first record of ``a`` that ``b``, whose log goes on beyond it without a gap there, has not."""
    first, last = b["zxid"].min(), b["zxid"].max()
    lone = a.join(b.select("zxid").unique(), on="zxid", how="anti").filter((pl.col("zxid") > first) & (pl.col("zxid") < last)).sort("zxid")
    gaps = b.filter(pl.col("gap") & (pl.col("zxid") > pl.col("previous"))).select("previous", next="zxid")
    inside = lone.join_where(gaps, pl.col("zxid") > pl.col("previous_right"), pl.col("zxid") < pl.col("next"))
    known = lone.join(inside.select("zxid").unique(), on="zxid", how="anti").sort("zxid").head(1)
    for zxid, op, source, offset in known.select("zxid", "op", "source", "offset").iter_rows():
        yield zxid, op, (source, offset)
