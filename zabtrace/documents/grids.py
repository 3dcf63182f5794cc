"""Which columns a document's rows have where people read them, on the terminal and on the page alike.

Strategy: a grid is a row of COLUMNS, (heading, key). What a heading needs beyond the row's own keys is a function in CELLS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby
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
    "steps": _columns("time, from, state, round, voted for=voted_for, did, forced by=forced, shown by=place"),
    "votes": _columns("time, server, state, round, voted for=voted_for, zxid, peer epoch=peer_epoch, seen by=seen_by, shown by=place"),
    "unavailable": _columns("from, to, ms, clock of=clock, why"),
    "epochs": _columns(
        "epoch, leader, status, established, ended, first zxid=first_zxid, last zxid=last_zxid, writes, counter used=used, "
        "full by=rolls_over, followers, observers, ended by=ended_by"
    ),
    "syncs": _columns(
        "epoch, time, learner, leader, mode, from=learner_zxid, to=to_zxid, truncated to=truncated_to, discarded=gone, why, shown by=place"
    ),
    "phases": _columns(
        "id, clock of=clock, detection=detection_ms, closing=closing_ms, election=election_ms, discovery=discovery_ms, "
        "synchronization=synchronization_ms, first commit=first_commit_ms, why"
    ),
    "durations": _columns(
        "id, server, from=start, ms by its lines=duration_ms, ms logged=logged_ms, the logged number is=logged_is, result"
    ),
    "losses": _columns("time, server, lost, what, cause, shown by=shown_by"),
    "clocks": _columns("server, against, ahead by=ahead, shown by=shown_by"),
    "findings": _columns("what, why, shown by=shown_by"),
    "learners": _columns("server, mode, truncated to=truncated_to, why"),
    "lines": _columns("source, server, layout, lines, understood, unknown, foreign, damaged"),
    "unknown": _columns("count, level, logger, shape, first place=place"),
    "sources": _columns("source, server, copy, kind, bytes, compression, layout, lines, understood, unknown, foreign, damaged, note"),
    "damage": _columns("place, server, harm, reason, next step=next_step"),
    "proofs": _columns("place, says"),
    "sessions": _columns("session, writes, time-out=timeout, opened, closed, last record=last, first zxid=first_zxid, last zxid=last_zxid"),
    "zones": _columns("server, identified by=identified_by, version, zone of its log=timezone"),
}

TOLD = {
    "writes": ("why", "rule", "settled_by", "shown_by"),
    "ranges": ("why", "shown_by"),
    "elections": ("why",),
    "unavailable": ("why",),
    "steps": ("place",),
    "epochs": ("rolls_over", "ended_by"),
    "syncs": ("why", "place"),
    "phases": ("why",),
    "losses": ("what", "cause", "shown_by"),
    "clocks": ("shown_by",),
    "findings": ("why", "shown_by"),
    "damage": ("reason", "next_step"),
}
"""What is long and stands below its row, where the width is limited."""
SPARE = (
    "session",
    "acknowledged",
    "votes",
    "servers",
    "seen",
    "observers",
    "first_zxid",
    "round",
    "on_disk_of",
    "at_next_start",
    "kind",
    "time",
    "ended",
    "start",
)
"""Columns that a narrow terminal leaves out, in this order."""


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


ONCE = ("why", "settled_by", "rule")
"""What neighbouring writes have in common and is told once for all of them."""
CELLS: dict[str, dict[str, Callable[[Row], Any]]] = {
    "writes": {"paths": paths, "shown_by": shown_by},
    "ranges": {"shown_by": shown_by},
    "clients": {"place": wording.place},
    "elections": {"seen": lambda row: len(row["votes"])},
    "votes": {"place": wording.place},
    "epochs": {"used": used},
    "syncs": {"gone": discarded, "place": wording.place},
    "losses": {"shown_by": shown_by},
    "clocks": {"shown_by": shown_by},
    "findings": {"shown_by": shown_by},
    "unknown": {"place": wording.place},
    "damage": {"place": wording.place},
    "proofs": {"place": wording.place},
}


def rows(name: str, document_rows: Iterable[Row]) -> list[Row]:
    """Rows with the cells that CELLS adds for this grid."""
    added = CELLS.get(name, {})
    return [{**row, **{key: cell(row) for key, cell in added.items()}} for row in document_rows]


def filled(name: str, listed: list[Row]) -> list[tuple[str, str]]:
    """The columns in which some row says something, without what is told below the rows."""
    told = TOLD.get(name, ())
    return [(heading, key) for heading, key in COLUMNS[name] if key not in told and any(row[key] not in (None, "", []) for row in listed)]


def alike(writes: Iterable[Row]) -> list[Row]:
    """Neighbouring writes of one fate and one sentence, told once.

    ``rows``: each with its ``own`` evidence, its record and its client's answer for instance; ``evidence``: what all of them rest on;
    ``each``: where the own evidence lies, in a sentence per file.
    """
    groups: list[Row] = []
    for _, members in groupby(writes, key=lambda write: [write[key] for key in ("fate", "committed", *ONCE)]):
        listed = list(members)
        shared = [item for item in listed[0]["evidence"] if all(item in row["evidence"] for row in listed)]
        placed = [{**row, "own": [item for item in row["evidence"] if item not in shared]} for row in listed]
        each = [item for row in placed for item in row["own"]]
        groups.append({**{key: listed[0][key] for key in ONCE}, "rows": placed, "evidence": shared, "each": _each(each)})
    return groups


def _each(own: list[Row]) -> list[Row]:
    """Per file what it holds of each write."""
    told = []
    for source in dict.fromkeys(item["source"] for item in own):
        lines = sorted({item["line"] for item in own if item["source"] == source and item.get("line") is not None})
        says = f"of these writes: lines {wording.listed(lines)}" if lines else "the record of each of these writes, at its byte"
        told.append({"source": source, "says": says})
    return told
