"""Clients: what became of each write of a client history, and what a read proves of it.

Strategy: an answer that names a zxid is believed; every other operation is as sure as the records that it can have become
(``fates.matching``): it happened if each way in which its records can belong to it and to the others says so. What fits several records
with different fates, or fewer records than operations, or nobody's session, is not guessed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from zabtrace import schema
from zabtrace.evidence.trace import Trace
from zabtrace.fates.matching import Matches
from zabtrace.zxid import text

DID = ("survived", "recovered")
DID_NOT = ("truncated", "shadowed", "pending", "lost")
NAMED_MOST = 3


def acknowledged(trace: Trace, sure: pl.DataFrame | None = None) -> pl.DataFrame:
    """Writes with their answer: zxid, session, path, op, source, line; the first line per zxid. ``sure``: those that were found."""
    columns = ("zxid", "session", "path", "op", "source", "line")
    told = trace.client_ops.filter(pl.col("write") & (pl.col("outcome") == "acknowledged") & pl.col("zxid").is_not_null()).select(columns)
    every = told if sure is None else pl.concat([told, sure.select(columns)])
    return every.sort("source", "line").unique(subset=["zxid"], keep="first", maintain_order=True)


def contradicted(trace: Trace) -> pl.Series:
    """zxids that a client was answered with, whose every record is of another session: the number was given out twice."""
    pairs = (
        acknowledged(trace)
        .filter(pl.col("session").is_not_null())
        .select("zxid", asked="session")
        .join(trace.txns.select("zxid", "session"), on="zxid")
    )
    return pairs.group_by("zxid").agg(same=(pl.col("asked") == pl.col("session")).any()).filter(~pl.col("same")).get_column("zxid")


@dataclass(frozen=True)
class Asked:
    """What the answers are made from: the records that operations can have become, what became of those, and what reads saw."""

    matches: Matches
    fate_of: dict[int, str]
    complete: bool
    """No committed write can be unseen."""
    reads: pl.DataFrame
    """CLIENT_OPS: answered reads."""

    @cached_property
    def claimed(self) -> frozenset[int]:
        """zxids that an operation which was not refused can have become."""
        return frozenset(zxid for at in self.matches.group for zxid in self.matches.records[at])

    @cached_property
    def lines(self) -> dict[int, str]:
        """Where an operation stands, by its row."""
        return {at: f"{source}:{line}" for at, source, line in self.matches.ops.select("at", "source", "line").iter_rows()}

    @cached_property
    def seen(self) -> dict[int, str]:
        """zxids that a read found on a znode, and where the client says so."""
        named = [self.reads.select("source", "line", zxid=name) for name in ("czxid", "mzxid")]
        return {zxid: f"{source}:{line}" for source, line, zxid in pl.concat(named).drop_nulls().iter_rows()}

    @cached_property
    def values(self) -> dict[tuple[str, str], str]:
        """Path and data that a read found, and where the client says so."""
        rows = self.reads.filter(pl.col("data") != "").drop_nulls(["path", "data"]).select("path", "data", "source", "line")
        return {(path, data): f"{source}:{line}" for path, data, source, line in rows.iter_rows()}


def rows(trace: Trace, matches: Matches, fates: pl.DataFrame, complete: bool) -> pl.DataFrame:
    """schema.CLIENTS: every write of the client histories with its outcome. ``complete``: no committed write can be unseen."""
    reads = trace.client_ops.filter(~pl.col("write") & (pl.col("outcome") == "acknowledged"))
    asked = Asked(matches, dict(fates.select("zxid", "fate").iter_rows()), complete, reads)
    found = []
    for op in matches.ops.iter_rows(named=True):
        answer = ANSWERS[op["outcome"]](asked, op)
        found.append({"source": op["source"], "line": op["line"], "op": op["op"], "path": op["path"], **answer})
    return schema.frame(schema.CLIENTS, found)


Answer = dict[str, object]


def _answered(asked: Asked, op: dict[str, Any]) -> Answer:
    if op["zxid"] is not None:
        return _judged(asked, op["zxid"], "The client was answered")
    return _looked_for(asked, op, "The client was answered without a zxid")


def _refused(asked: Asked, op: dict[str, Any]) -> Answer:
    """An error is an answer, but it may answer the second try of what an earlier one had done: libraries try again by themselves."""
    fits = [zxid for zxid in asked.matches.records.get(op["at"], ()) if zxid not in asked.claimed]
    if fits:
        why = f"The server refused it ({op['error']}), yet {_listed(fits)} no other operation: an earlier try may have been applied."
        return _open(why)
    return {"outcome": "did not", "zxid": op["zxid"], "why": f"The server refused it: {op['error']}."}


def _unanswered(asked: Asked, op: dict[str, Any]) -> Answer:
    if op["zxid"] is not None:
        return _judged(asked, op["zxid"], "The client got no answer, yet names a zxid")
    return _looked_for(asked, op, "The client got no answer")


ANSWERS: dict[str, Callable[[Asked, dict[str, Any]], Answer]] = {
    "acknowledged": _answered,
    "refused": _refused,
    "unknown": _unanswered,
}


def _looked_for(asked: Asked, op: dict[str, Any], start: str) -> Answer:
    """The outcome of an operation whose zxid nobody names."""
    at, answered = op["at"], op["outcome"] == "acknowledged"
    mine = asked.matches.records.get(at, ())
    if not mine:
        return _unrecorded(asked, op, start)
    if op["session"] is None and not (op["data"] and op["path"] is not None):
        return _open(f"{start}; {_listed(mine)}, but the history names no session to tell whose it is.")
    group = asked.matches.group[at]
    if at in asked.matches.short:
        return _open(f"{start}; {_listed(mine)}, but more writes were acknowledged than records fit them: one of them is in none.")
    zxids = sorted({zxid for other in group for zxid in asked.matches.records[other]})
    if len(group) == len(zxids) == 1:
        return _judged(asked, zxids[0], start)
    return _shared(asked, op, start, group, zxids, answered=answered)


def _shared(asked: Asked, op: dict[str, Any], start: str, group: frozenset[int], zxids: list[int], *, answered: bool) -> Answer:
    """One of several operations, or of several records: sure only where every way to give the records out says the same.

    All of them are in force: then an answered one is, and so is each where the records are as many as the operations. None of them is: then
    none of the operations is, unless its own record may not have been read.
    """
    others = ", ".join(asked.lines[at] for at in sorted(group - {op["at"]})[:NAMED_MOST])
    shared = f"{start}; {_listed(zxids)}" + (f", which may also be the operation of {others}" if others else "")
    fates = {asked.fate_of.get(zxid) for zxid in zxids}
    if fates <= set(DID) and (answered or len(group) == len(zxids) > 1):
        return {"outcome": "happened", "zxid": None, "why": f"{shared}; all of them are in force."}
    if fates <= set(DID_NOT) and (answered or asked.complete or len(group) <= len(zxids)):
        return {"outcome": "did not", "zxid": None, "why": f"{shared}; none of them is in force."}
    return _open(f"{shared}: which of them it is cannot be told.")


def _listed(zxids: list[int] | tuple[int, ...]) -> str:
    named = ", ".join(text(zxid) for zxid in zxids[:NAMED_MOST]) + (", ..." if len(zxids) > NAMED_MOST else "")
    return f"1 record fits ({named})" if len(zxids) == 1 else f"{len(zxids)} records fit ({named})"


def _open(why: str) -> Answer:
    return {"outcome": "cannot tell", "zxid": None, "why": why}


def _unrecorded(asked: Asked, op: dict[str, Any], start: str) -> Answer:
    """No record of its session fits: it did not happen, if none can be missing and nothing else speaks for it."""
    failed, other = asked.matches.failed.get(op["at"]), asked.matches.elsewhere.get(op["at"])
    if failed is not None and op["outcome"] != "acknowledged":
        return {"outcome": "did not", "zxid": failed, "why": f"{start}; the server refused it: {text(failed)} is its error record."}
    if other is not None:
        return _open(f"{start}, and no record of its session fits it, but {text(other)} of another session does, by path and data.")
    read = asked.values.get((op["path"], op["data"]))
    if read is not None:
        return _open(f"{start}, and no record that was read fits it, yet a client read that value: {read}.")
    if op["outcome"] == "acknowledged":
        return _open(f"{start}, and no record that was read fits it.")
    if not asked.complete:
        return _open("No record of it was found, but not all disks that could hold one were read.")
    after = next((zxid for zxid in asked.matches.before.get(op["at"], ()) if asked.fate_of.get(zxid) in DID), None)
    if after is None:
        return _open("No record of it was found, but nothing shows that it was not still under way when the disks were copied.")
    why = f"No record of it exists, the disks that were read hold every committed transaction, and clients had gone on to {text(after)}."
    return {"outcome": "did not", "zxid": None, "why": why}


def _judged(asked: Asked, zxid: int, start: str) -> Answer:
    fate = asked.fate_of.get(zxid)
    outcome = "happened" if fate in DID else "did not" if fate in DID_NOT else "cannot tell"
    seen = f" A client read it: {asked.seen[zxid]}." if zxid in asked.seen else ""
    return {"outcome": outcome, "zxid": zxid, "why": f"{start}; its transaction {text(zxid)} is {fate or 'not judged'}.{seen}"}
