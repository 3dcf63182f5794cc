"""What each document looks like as sentences and grids: for a terminal, or as plain text.

Strategy: a grid is a row of COLUMNS, (heading, key of the document's row); what a heading needs beyond the document's keys is
added to the row by a small function beside it.
"""

from __future__ import annotations

from typing import Any

from zabtrace import wording
from zabtrace.render.documents import Document
from zabtrace.render.screen import Block, Grid, Sentence


def _columns(written: str) -> tuple[tuple[str, str], ...]:
    """``heading=key`` or a key that is its own heading, separated by commas."""
    pairs = (part.strip().partition("=") for part in written.split(","))
    return tuple((heading, key or heading) for heading, _, key in pairs)


COLUMNS = {
    "servers": _columns("server, last zxid=last_zxid, currentEpoch=current_epoch, acceptedEpoch=accepted_epoch"),
    "writes": _columns(
        "zxid, fate, committed, answered=acknowledged, op, path=paths, time, on disk of=on_disk_of, next start=at_next_start, rule, why, "
        "shown by=shown_by"
    ),
    "ranges": _columns("fate, server, from, to, count, committed, why, shown by=shown_by"),
    "clients": _columns("place, op, path, outcome, zxid, why"),
    "elections": _columns("id, kind, round, start, ms=duration_ms, leader, epoch, decided by=decided_by, quorum, servers, votes=seen, why"),
    "unavailable": _columns("from, to, ms, clock of=clock"),
    "epochs": _columns(
        "epoch, leader, status, established, ended, first zxid=first_zxid, last zxid=last_zxid, writes, counter used=used, followers, "
        "observers, ended by=ended_by"
    ),
    "syncs": _columns(
        "epoch, time, learner, leader, mode, from=learner_zxid, to=to_zxid, truncated to=truncated_to, discarded=gone, why, shown by=place"
    ),
    "learners": _columns("server, mode, truncated to=truncated_to, why"),
    "sources": _columns("source, server, layout, lines, understood, unknown, foreign, damaged"),
}
FEW = 40
"""So many rows of writes and clients a screen shows unless told otherwise."""


def grid(title: str, name: str, rows: list[dict[str, Any]]) -> Grid:
    """A grid of the columns that COLUMNS gives this name."""
    return Grid(title, COLUMNS[name], rows)


def verdict(document: Document) -> list[Block]:
    """The banner's sentence and the counts."""
    counted = ", ".join(f"{number} {fate}" for fate, number in document["counts"].items() if number) or "no write"
    lines = [Sentence(f"{document['verdict'].replace('_', ' ')}: {document['message']}", document["verdict"])]
    lines.append(Sentence(f"Writes judged: {counted}." + (f" In flight: {document['in_flight']}." if document["in_flight"] else "")))
    lines += [Sentence(f"Judged from {document['judged_from']} on (--since).")] if document["judged_from"] else []
    return [*lines, *(Sentence(f"  {reason}") for reason in document["reasons"])]


def verify(document: Document, few: int = FEW) -> list[Block]:
    """Verdict, servers, then the writes that are listed."""
    writes = [{**row, "paths": paths(row), "shown_by": shown_by(row)} for row in document["writes"][:few]]
    ranges = [{**row, "shown_by": shown_by(row)} for row in document["ranges"]]
    clients = [{**row, "place": wording.place(row)} for row in document["clients"][:few]]
    return [
        *verdict(document),
        grid("Servers", "servers", document["servers"]),
        grid("Writes", "writes", writes),
        *_more(len(document["writes"]), few, "writes"),
        grid("Known from text only", "ranges", ranges),
        grid("Client writes without a certain answer", "clients", clients),
        *_more(len(document["clients"]), few, "client writes"),
    ]


def _more(number: int, few: int, what: str) -> list[Block]:
    return [Sentence(f"... and {number - few} more {what}: --top N shows N of them, --format json all.")] if number > few else []


def paths(row: dict[str, Any]) -> str:
    """The path of a write; of a multi, the paths of its members."""
    return wording.listed(row["path"] or [f"{member['op']} {member['path'] or ''}".strip() for member in row.get("ops") or ()])


def shown_by(row: dict[str, Any]) -> str:
    """The places of a row's evidence."""
    return ", ".join(wording.place(item) for item in row["evidence"])


def elections(document: Document) -> list[Block]:
    """Elections, one row each, and the windows without a leader."""
    rows = [{**row, "seen": len(row["votes"])} for row in document["elections"]]
    return [
        *_none(rows, "No election was found: no server log shows one."),
        grid("Elections", "elections", rows),
        grid("No write was possible", "unavailable", document["unavailable"]),
    ]


def _none(rows: list[Any], text: str) -> list[Block]:
    return [] if rows else [Sentence(text)]


def epochs(document: Document) -> list[Block]:
    """Leader epochs, one row each."""
    rows = [{**row, "used": percent(row["counter_used"])} for row in document["epochs"]]
    return [*_none(rows, "No leader epoch was found."), grid("Epochs", "epochs", rows)]


def percent(share: float | None) -> str:
    """A share of the 32-bit counter as text; what is used at all is never written as 0."""
    return "" if share is None else "0 %" if share == 0 else "< 0.01 %" if share < 0.0001 else f"{share:.2%}".replace("%", " %")


def syncs(document: Document) -> list[Block]:
    """How learners were brought up to date, one row each."""
    rows = [{**row, "gone": discarded(row["discarded"]), "place": wording.place(row)} for row in document["syncs"]]
    return [*_none(rows, "No synchronization was found: no server log shows one."), grid("Synchronizations", "syncs", rows)]


def discarded(gone: dict[str, Any] | None) -> str:
    """The discarded part of a synchronization: ``0x.. to 0x.. (12)``."""
    if gone is None:
        return ""
    bounds = " to ".join(bound or "?" for bound in (gone["from"], gone["to"]))
    return bounds if gone["count"] is None else f"{bounds} ({gone['count']})"


def predict(document: Document) -> list[Block]:
    """Every possible start, then the disk to rebuild from."""
    blocks: list[Block] = _none(document["starts"], "No start can be predicted: no server's disk was read.")
    for start in document["starts"]:
        leader = "nobody leads" if start["leader"] is None else f"server {start['leader']} leads"
        blocks.append(Sentence(f"\nServers {wording.listed(start['servers'])}: {leader}. {start['why']}", "bold"))
        blocks += [Sentence(f"  {key}: {ranges(start[key])}") for key in ("truncated", "shadowed", "returning", "committed") if start[key]]
        blocks.append(grid("", "learners", start["learners"]))
    return blocks + _rebuild(document["best_to_rebuild_from"])


def _rebuild(best: dict[str, Any] | None) -> list[Block]:
    if best is None:
        return []
    loses = f" It lacks {ranges(best['would_lose'])}." if best["would_lose"] else ""
    return [Sentence(f"Best disk to rebuild from: server {best['server']}. {best['why']}{loses}", "bold")]


def ranges(zxids: list[str]) -> str:
    """zxids as text with neighbours drawn together."""
    return wording.span([int(written, 16) for written in zxids])


def events_summary(document: Document) -> list[Block]:
    """Lines per source and in all."""
    total = {**document["total"], "source": "total"}
    rows = [*document["sources"], total] if document["sources"] else []
    return [*_none(rows, "No text log was found."), grid("Lines", "sources", rows)]
