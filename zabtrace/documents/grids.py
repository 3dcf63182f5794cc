"""Which columns a document's rows have where people read them, on the terminal and on the page alike.

Strategy: a grid is a row of COLUMNS, (heading, key). What a heading needs beyond the row's own keys is a function in CELLS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from zabtrace import wording

Row = dict[str, Any]


def _columns(written: str) -> tuple[tuple[str, str], ...]:
    """``heading=key`` or a key that is its own heading, separated by commas."""
    pairs = (part.strip().partition("=") for part in written.split(","))
    return tuple((heading, key or heading) for heading, _, key in pairs)


COLUMNS = {
    "servers": _columns("server, last zxid=last_zxid, currentEpoch=current_epoch, acceptedEpoch=accepted_epoch"),
    "writes": _columns(
        "zxid, fate, committed, answered=acknowledged, op, path=paths, session, time, on disk of=on_disk_of, next start=at_next_start, "
        "rule, why, shown by=shown_by"
    ),
    "ranges": _columns("fate, server, from, to, count, committed, why, shown by=shown_by"),
    "clients": _columns("place, op, path, outcome, zxid, why"),
    "elections": _columns("id, kind, round, start, ms=duration_ms, leader, epoch, decided by=decided_by, quorum, servers, votes=seen, why"),
    "votes": _columns("time, server, state, round, voted for=voted_for, zxid, peer epoch=peer_epoch, seen by=seen_by, shown by=place"),
    "unavailable": _columns("from, to, ms, clock of=clock"),
    "epochs": _columns(
        "epoch, leader, status, established, ended, first zxid=first_zxid, last zxid=last_zxid, writes, counter used=used, followers, "
        "observers, ended by=ended_by"
    ),
    "syncs": _columns(
        "epoch, time, learner, leader, mode, from=learner_zxid, to=to_zxid, truncated to=truncated_to, discarded=gone, why, shown by=place"
    ),
    "learners": _columns("server, mode, truncated to=truncated_to, why"),
    "lines": _columns("source, server, layout, lines, understood, unknown, foreign, damaged"),
    "unknown": _columns("count, level, logger, shape, first place=place"),
    "sources": _columns("source, server, copy, kind, bytes, compression, layout, lines, understood, unknown, foreign, damaged, note"),
    "damage": _columns("place, server, harm, reason, next step=next_step"),
    "proofs": _columns("place, says"),
}


def paths(row: Row) -> str:
    """The path of a write; of a multi, its members."""
    members = [f"{member['op']} {member['path'] or ''}".strip() for member in row.get("ops") or ()]
    return wording.listed(row["path"] if row["path"] is not None else members)


def shown_by(row: Row) -> str:
    """The places of a row's evidence."""
    return ", ".join(wording.place(item) for item in row["evidence"])


def discarded(row: Row) -> str:
    """What a synchronization discarded: ``0x.. to 0x.. (12)``."""
    gone = row["discarded"]
    if gone is None:
        return ""
    bounds = " to ".join(bound or "?" for bound in (gone["from"], gone["to"]))
    return bounds if gone["count"] is None else f"{bounds} ({gone['count']})"


def used(row: Row) -> str:
    """The used share of the 32-bit counter; what is used at all is never written as 0."""
    share = row.get("counter_used")
    return "" if share is None else "0 %" if share == 0 else "< 0.01 %" if share < 0.0001 else f"{share * 100:.2f} %"


CELLS: dict[str, dict[str, Callable[[Row], Any]]] = {
    "writes": {"paths": paths, "shown_by": shown_by},
    "ranges": {"shown_by": shown_by},
    "clients": {"place": wording.place},
    "elections": {"seen": lambda row: len(row["votes"])},
    "votes": {"place": wording.place},
    "epochs": {"used": used},
    "syncs": {"gone": discarded, "place": wording.place},
    "unknown": {"place": wording.place},
    "damage": {"place": wording.place},
    "proofs": {"place": wording.place},
}


def rows(name: str, document_rows: Iterable[Row]) -> list[Row]:
    """Rows with the cells that CELLS adds for this grid."""
    added = CELLS.get(name, {})
    return [{**row, **{key: cell(row) for key, cell in added.items()}} for row in document_rows]
