"""What each document looks like as sentences and grids: for a terminal, or as plain text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from zabtrace import wording
from zabtrace.documents import Document, grids
from zabtrace.render.screen import Block, Grid, Sentence

FEW = 40
"""So many rows of writes and clients a screen shows unless told otherwise."""


def grid(title: str, name: str, listed: Iterable[dict[str, Any]]) -> Grid:
    """A grid with the columns that ``grids`` gives this name, and on terminals what is told below its rows."""
    rows = grids.rows(name, listed)
    groups = _writes(rows) if name == "writes" else [([row], _told(name, row)) for row in rows]
    return Grid(title, grids.COLUMNS[name], rows, grids.filled(name, rows), groups)


def _told(name: str, row: dict[str, Any]) -> list[str]:
    headings = {key: f"{heading}: " for heading, key in grids.COLUMNS[name] if key != "why"}
    return [headings.get(key, "") + wording.listed(row[key]) for key in grids.TOLD.get(name, ()) if row[key]]


def _writes(rows: list[dict[str, Any]]) -> list[tuple[list[dict[str, Any]], list[str]]]:
    """Neighbouring writes of one fate together, with the sentence and the evidence they share."""
    groups: list[tuple[list[dict[str, Any]], list[str]]] = []
    for group in grids.alike(rows):
        told = [f"{group['why']} (rule {group['rule']})" if group["rule"] else group["why"] or ""]
        told += [f"What would settle it: {group['settled_by']}"] if group["settled_by"] else []
        told += [f"{wording.place(item)}: {item.get('says') or ''}" for item in (*group["each"], *group["evidence"])]
        groups.append((group["rows"], told))
    return groups


def verdict(document: Document) -> list[Block]:
    """The banner's sentence and the counts."""
    counted = ", ".join(f"{number} {fate}" for fate, number in document["counts"].items() if number) or "none"
    flight = f" In flight: {document['in_flight']}." if document["in_flight"] else ""
    since = f" Judged from {document['judged_from']} on (--since)." if document["judged_from"] else ""
    return [
        Sentence(f"{document['verdict'].replace('_', ' ')}: {document['message']}", document["verdict"]),
        Sentence(f"Writes judged: {counted}.{flight}{since}"),
        *(Sentence(f"  {reason}") for reason in document["reasons"]),
        *([Sentence(document["read"])] if "read" in document else []),
        *_damage(document.get("damage", []), document.get("damaged", 0)),
    ]


def _damage(places: list[dict[str, Any]], damaged: int) -> list[Block]:
    """How many places of the evidence could not be read, and the first of these ``places``, which stand worst first."""
    if not places:
        return []
    worst = places[0]
    return [Sentence(f"Damage: {damaged} place{'s' * (damaged > 1)}, such as {wording.place(worst)}: {worst['reason']}", "bold yellow")]


def verify(document: Document, few: int = FEW) -> list[Block]:
    """Verdict, servers, then the writes that are listed."""
    return [
        *verdict(document),
        grid("Servers", "servers", document["servers"]),
        grid("Writes", "writes", document["writes"][:few]),
        *more(len(document["writes"]), few, "writes"),
        grid("Known from text only", "ranges", document["ranges"]),
        grid("Client writes", "clients", document["clients"][:few]),
        *more(len(document["clients"]), few, "client writes"),
    ]


def more(number: int, few: int, what: str) -> list[Block]:
    """That there are more rows than are shown, and how to see them."""
    return [Sentence(f"... and {number - few} more {what}: --top N shows N of them, --format json all.")] if number > few else []


def elections(document: Document) -> list[Block]:
    """Elections, one row each, and the windows in which no write was possible."""
    rows = document["elections"]
    return [
        *_none(rows, "No election was found: no server log shows one."),
        grid("Elections", "elections", rows),
        grid("Where the time went, in ms", "phases", [{"id": row["id"], **row["phases"]} for row in rows if row.get("phases")]),
        grid("No write was possible", "unavailable", document["unavailable"]),
    ]


def _none(rows: list[Any], text: str) -> list[Block]:
    return [] if rows else [Sentence(text)]


def epochs(document: Document) -> list[Block]:
    """Leader epochs, one row each."""
    return [*_none(document["epochs"], "No leader epoch was found."), grid("Epochs", "epochs", document["epochs"])]


def syncs(document: Document) -> list[Block]:
    """How learners were brought up to date, one row each."""
    rows = document["syncs"]
    return [*_none(rows, "No synchronization was found: no server log shows one."), grid("Synchronizations", "syncs", rows)]


def predict(document: Document) -> list[Block]:
    """Every possible start, then the disk to rebuild from."""
    blocks: list[Block] = _none(
        document["starts"], "No start can be predicted: no server's disk was read, or nothing names the voters: give zoo.cfg."
    )
    for start in document["starts"]:
        leader = "nobody leads" if start["leader"] is None else f"server {start['leader']} leads"
        blocks.append(Sentence(f"Servers {wording.listed(start['servers'])}: {leader}. {start['why']}", "bold"))
        blocks += [Sentence(f"  {key}: {span(start[key])}") for key in ("truncated", "shadowed", "returning", "committed") if start[key]]
        blocks.append(grid("", "learners", start["learners"]))
    others = [f"  Rebuilding from server {one['server']}: {one['why']}{_lacks(one)}" for one in document["choices"][1:]]
    return blocks + _rebuild(document["best_to_rebuild_from"]) + [Sentence(text) for text in others]


def _rebuild(best: dict[str, Any] | None) -> list[Block]:
    if best is None:
        return []
    return [Sentence(f"Best disk to rebuild from: server {best['server']}. {best['why']}{_lacks(best)}", "bold")]


def _lacks(choice: dict[str, Any]) -> str:
    return f" It lacks {span(choice['would_lose'])}." if choice["would_lose"] else ""


def span(zxids: list[str]) -> str:
    """Written zxids with neighbours drawn together."""
    return wording.span([int(written, 16) for written in zxids])


def events_summary(document: Document) -> list[Block]:
    """Lines per source and in all."""
    total = {**document["total"], "source": "total"}
    rows = [*document["sources"], total] if document["sources"] else []
    return [*_none(rows, "No text log was found."), grid("Lines", "lines", rows)]
