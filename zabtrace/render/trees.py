"""The answers of ``tree``, ``history``, ``sessions``, ``top`` and ``diff`` as Views."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from zabtrace import wording
from zabtrace.documents import FORMAT, Document, trees
from zabtrace.documents.window import Window
from zabtrace.evidence.trace import Trace
from zabtrace.render.columns import Rows
from zabtrace.render.screen import Block, Grid, Lines, Sentence
from zabtrace.render.views import View
from zabtrace.replay.tree import DIFFERS, MATCHES, UNPROVED, Replayed

SHOWN = ("path", "kind", "data_len", "version", "children", "czxid", "mzxid", "pzxid", "ephemeral_owner", "acl")
PROVED = {
    MATCHES: "the digest that its last record stored proves it",
    DIFFERS: "it does NOT match the digest that its last record stored: this is not the tree its leader had",
    UNPROVED: "no stored digest to compare it with",
}
VALUES = ("old_value", "new_value")
VALUE_SHOWN = 100
"""Characters of a value on a screen; JSON has all of it."""
CHANGES = ("zxid", "time", "op", "path", "session", "client", "old_len", "new_len", "version", "fate", "on")
SESSIONS = ("session", "server", "state", "timeout", "created", "ended", "client", "ephemerals", "left", "why")
DIFFERENCES = ("path", "difference", "left", "right", "left_zxid", "right_zxid", "harmless")
GHOSTS = ("side", "path", "session", "czxid", "why")


def told(tree: Document) -> list[Block]:
    """What a tree is of and made from, and what speaks against it."""
    base = tree["base"] or "the empty tree of a fresh database"
    copy = f" (copy {tree['copy']})" if tree["copy"] else ""
    made = f"{base} and {tree['records']} records" if tree["rules_of"] else f"{base} as stored"
    return [
        Sentence(
            f"Server {tree['server']}{copy} at {tree['zxid']}: {tree['nodes']} znodes, from {made}; {PROVED[tree['digest']]}.", "bold"
        ),
        *(Sentence(f"Beware: {remark}", "bold yellow") for remark in tree["remarks"]),
    ]


def tree(trace: Trace, replayed: Replayed, path: str, *, values: bool) -> View:
    """The replayed tree at or below a path."""
    names = wording.Names.of(trace.servers)
    nodes = replayed.frame(path)
    nodes = trees.with_values(replayed, nodes) if values else nodes.drop("value")
    document = {"format": FORMAT, **trees.about(replayed, names), "path": path, "znodes": Rows(nodes, names)}
    cut = nodes.with_columns(pl.col("value").str.head(VALUE_SHOWN)) if values else nodes
    listing = Lines(Rows(cut, names).lines((*SHOWN, *(["value"] if values else []))))
    below = [Sentence(f"It has no znode {path}.")] if nodes.is_empty() else [listing]
    return View(document, "znodes", [*told(document), *below], nodes)


def _grid(title: str, rows: Sequence[Document], keys: Sequence[str]) -> Grid:
    """The columns in which some row says something."""
    filled = [key for key in keys if any(row.get(key) not in (None, "", []) for row in rows)]
    return Grid(title, [(key.replace("_", " "), key) for key in filled], rows)


def history(trace: Trace, path: str, changes: pl.DataFrame, window: Window, *, values: bool) -> View:
    """Every change of a path with the fate of the write."""
    shown = window.narrow(changes)
    document = trees.history(trace, path, shown, changes.height - shown.height, values=values)
    keys = (*CHANGES, *(VALUES if values else ()))
    title = f"Changes of {wording.plain(path)}"
    rows = [row | {key: (row[key] or "")[:VALUE_SHOWN] for key in VALUES if key in row} for row in document["changes"]]
    blocks = [_grid(title, rows, keys)] if rows else [Sentence(f"No record that was read changes {path}.")]
    return View(document, "changes", blocks, shown)


def sessions(trace: Trace, writes: pl.DataFrame, wanted: frozenset[int]) -> View:
    """Sessions and their ephemerals."""
    document, shown = trees.sessions(trace, writes, wanted)
    counted = ", ".join(f"{number} {state}" for state, number in document["counts"].items()) or "none"
    return View(document, "sessions", [Sentence(f"Sessions: {counted}."), _grid("Sessions", document["sessions"], SESSIONS)], shown)


def top(trace: Trace, replayed: Replayed, earlier: Replayed | None, few: int, by: str | None) -> View:
    """What is large, grew, was written most, or failed."""
    document, frames = trees.top(trace, replayed, earlier, few)
    since = document["grown_since"]
    growth = f"Growth since {since['zxid']}" if since else "Growth"
    titles = {**trees.TOP, "growth": growth, "written": f"{trees.TOP['written']} ({_counted(document)})"}
    parts = [by] if by else list(trees.TOP)
    grids = [_grid(titles[part], document[part], frames[part].columns) for part in parts]
    return View(document, by or "largest", [*told(document["tree"]), *grids], frames[by or "largest"])


def _counted(document: Document) -> str:
    counted = document["counted"]
    span = f", {counted['from']} to {counted['to']}" if counted["records"] else ""
    return f"in the {counted['records']} records of this server's own logs{span}; what it received as a snapshot is not counted"


def diff(trace: Trace, sides: trees.Sides, rows: pl.DataFrame, *, every: bool) -> View:
    """Two trees compared; differences that mean nothing are on the screen only on request."""
    document = trees.diff(trace, sides, rows)
    shown = [row for row in document["nodes"] if every or row["harmless"] is None]
    blocks = [*told(document["left"]), *told(document["right"]), Sentence(_sum(document)), *_parted(document, sides)]
    blocks += [_grid("Differences", shown, DIFFERENCES), _grid("Ephemeral ghosts", document["ghosts"], GHOSTS)]
    return View(document, "nodes", blocks, rows)


def _sum(document: Document) -> str:
    counts = document["counts"]
    harmless = f" {counts['harmless']} more differ in a way that is known to mean nothing (--all lists them)." if counts["harmless"] else ""
    if document["same"]:
        doubtful = any(document[side]["remarks"] or document[side]["digest"] == DIFFERS for side in ("left", "right"))
        return f"The trees are the same{', as far as they could be rebuilt' if doubtful else ''}.{harmless}"
    return (
        f"{counts['only_left']} znodes only in {document['left']['name']}, {counts['only_right']} only in {document['right']['name']}, "
        f"{counts['different']} different.{harmless}"
    )


def _parted(document: Document, sides: trees.Sides) -> list[Block]:
    first = document["first_difference"]
    if first is None:
        return [Sentence("Their records agree wherever both logs can be compared.")] if sides.histories else []
    places = ", ".join(wording.place(item) for item in first["evidence"])
    return [Sentence(f"Their histories part at {first['zxid']}: {first['why']} ({places}).")]
