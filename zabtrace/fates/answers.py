"""Clients: which transaction each write of a client history became, and what became of it.

Strategy: an answer that names a zxid is believed. Every other operation is looked for among the records of its session: the same
kind of operation, path (or numbered path, or member of a multi) and data, and not the record of an answered one. A session's requests are
processed in the order in which they were sent (PrepRequestProcessor, one queue), so that an operation that began after another one
was answered has a larger zxid, and one that was given up before the next began a smaller one: that is the only use of clocks, and they
are of one client. What fits several records with different fates, or nobody's session, is not guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from zabtrace import schema
from zabtrace.evidence.trace import Trace
from zabtrace.replay.history import History
from zabtrace.zxid import text

FAMILIES: dict[str, tuple[str, ...]] = {
    "create": ("create", "create2", "createTTL", "createContainer"),
    "set": ("setData",),
    "delete": ("delete",),
    "setacl": ("setACL",),
    "multi": ("multi",),
    "transaction": ("multi",),
    "reconfig": ("reconfig",),
    "close": ("closeSession",),
}
"""What a client calls an operation (in lower case), and the records it can become."""
SEQUENCE = r"\d{10}$"
LARGEST = (1 << 63) - 1
DID = ("survived", "recovered")
DID_NOT = ("truncated", "shadowed", "pending", "lost")


def acknowledged(trace: Trace) -> pl.DataFrame:
    """Writes with their answer: zxid, session, path, op, source, line; the first line per zxid."""
    return (
        trace.client_ops.filter(pl.col("write") & (pl.col("outcome") == "acknowledged") & pl.col("zxid").is_not_null())
        .select("zxid", "session", "path", "op", "source", "line")
        .sort("source", "line")
        .unique(subset=["zxid"], keep="first", maintain_order=True)
    )


def contradicted(trace: Trace) -> pl.Series:
    """zxids that a client was answered with, whose every record is of another session: the number was given out twice."""
    pairs = (
        acknowledged(trace)
        .filter(pl.col("session").is_not_null())
        .select("zxid", asked="session")
        .join(trace.txns.select("zxid", "session"), on="zxid")
    )
    return pairs.group_by("zxid").agg(same=(pl.col("asked") == pl.col("session")).any()).filter(~pl.col("same")).get_column("zxid")


@dataclass
class Asked:
    """What the answers are made from: the records that open operations can have become, by session, and who is known already."""

    trace: Trace
    fate_of: dict[int, str]
    complete: bool
    """No committed write can be unseen."""
    records: Mapping[int | None, pl.DataFrame]
    """Records of TXNS that no answer names, per session of an open operation (None: all); ``inside``: paths of a multi's members."""
    answered: Mapping[int | None, pl.DataFrame]
    """Per session, the answered writes that name their zxid: zxid, start, end."""
    taken: set[int] = field(default_factory=set)
    """Records that an open operation was found to be."""
    seen: dict[int, str] = field(default_factory=dict)
    """zxids that a read found on a znode, and where the client says so."""


def rows(history: History, fates: pl.DataFrame, complete: bool) -> pl.DataFrame:
    """schema.CLIENTS: every write of the client histories with its outcome. ``complete``: no committed write can be unseen."""
    writes = history.trace.client_ops.filter(pl.col("write"))
    asked = _asked(history.trace, writes, fates, complete)
    found = []
    for op in writes.sort("source", "line").iter_rows(named=True):
        answer = ANSWERS[op["outcome"]](asked, op)
        found.append({"source": op["source"], "line": op["line"], "op": op["op"], "path": op["path"], **answer})
    return schema.frame(schema.CLIENTS, found)


def _asked(trace: Trace, writes: pl.DataFrame, fates: pl.DataFrame, complete: bool) -> Asked:
    known = writes.filter((pl.col("outcome") == "acknowledged") & pl.col("zxid").is_not_null()).select("session", "zxid", "start", "end")
    open_ = writes.filter((pl.col("outcome") == "unknown") | ((pl.col("outcome") == "acknowledged") & pl.col("zxid").is_null()))
    mine = pl.col("session").is_in(open_.get_column("session").drop_nulls().unique().to_list())
    anyone = pl.lit(open_.get_column("session").null_count() > 0)
    records = trace.txns.filter((mine | anyone) & ~pl.col("failed").fill_null(False))
    records = (
        records.join(known.select("zxid"), on="zxid", how="anti").unique(subset=["zxid"], keep="first", maintain_order=True).sort("zxid")
    )
    members = trace.ops.join(records.select("zxid"), on="zxid", how="semi").group_by("zxid").agg(inside=pl.col("path").drop_nulls())
    reads = trace.client_ops.filter(~pl.col("write") & (pl.col("outcome") == "acknowledged"))
    seen = {
        zxid: f"{source}:{line}"
        for name in ("czxid", "mzxid")
        for zxid, source, line in reads.filter(pl.col(name).is_not_null()).select(name, "source", "line").iter_rows()
    }
    whole = records.join(members, on="zxid", how="left", maintain_order="left")
    return Asked(
        trace,
        dict(fates.select("zxid", "fate").iter_rows()),
        complete,
        {None: whole, **_by_session(whole)},
        _by_session(known),
        seen=seen,
    )


def _by_session(rows: pl.DataFrame) -> dict[int | None, pl.DataFrame]:
    return {session: of for (session,), of in rows.partition_by("session", as_dict=True).items() if session is not None}


Answer = dict[str, object]


def _answered(asked: Asked, op: dict[str, Any]) -> Answer:
    if op["zxid"] is not None:
        return _judged(asked, op["zxid"], "The client was answered")
    return _looked_for(asked, op, "The client was answered without a zxid", answered=True)


def _refused(asked: Asked, op: dict[str, Any]) -> Answer:
    return {"outcome": "did not", "zxid": op["zxid"], "why": f"The server refused it: {op['error']}."}


def _unanswered(asked: Asked, op: dict[str, Any]) -> Answer:
    return _looked_for(asked, op, "The client got no answer", answered=False)


ANSWERS: dict[str, Callable[[Asked, dict[str, Any]], Answer]] = {
    "acknowledged": _answered,
    "refused": _refused,
    "unknown": _unanswered,
}


def _looked_for(asked: Asked, op: dict[str, Any], start: str, *, answered: bool) -> Answer:
    """The outcome of an operation whose zxid nobody names."""
    candidates = _candidates(asked, op)
    if not candidates:
        return _unrecorded(asked, start, answered)
    fates = {asked.fate_of.get(zxid) for zxid in candidates}
    if op["session"] is None and not _only_one(asked, op, candidates):
        return _open(f"{start}; {_records(len(candidates))}, but the history names no session to tell whose it is.")
    if len(fates) > 1:
        listed = ", ".join(text(zxid) for zxid in candidates[:3])
        return _open(f"{start}; {_records(len(candidates))} ({listed}), with different fates.")
    asked.taken.add(candidates[0])
    return _judged(asked, candidates[0], start)


def _records(number: int) -> str:
    return "1 record fits" if number == 1 else f"{number} records fit"


def _open(why: str) -> Answer:
    return {"outcome": "cannot tell", "zxid": None, "why": why}


def _unrecorded(asked: Asked, start: str, answered: bool) -> Answer:
    if answered:
        return _open(f"{start}, and no record that was read fits it.")
    if asked.complete:
        why = "No record of it exists, and the disks that were read hold every committed transaction."
        return {"outcome": "did not", "zxid": None, "why": why}
    return _open("No record of it was found, but not all disks that could hold one were read.")


def _only_one(asked: Asked, op: dict[str, Any], candidates: list[int]) -> bool:
    """Without a session: one record, with the data asked for, which no other operation of any history asks for."""
    if not op["data"] or op["path"] is None or len(candidates) != 1:
        return False
    return asked.trace.client_ops.filter((pl.col("path") == op["path"]) & (pl.col("data") == op["data"]) & pl.col("write")).height == 1


def _judged(asked: Asked, zxid: int, start: str) -> Answer:
    fate = asked.fate_of.get(zxid)
    outcome = "happened" if fate in DID else "did not" if fate in DID_NOT else "cannot tell"
    seen = f" A client read it: {asked.seen[zxid]}." if zxid in asked.seen else ""
    return {"outcome": outcome, "zxid": zxid, "why": f"{start}; its transaction {text(zxid)} is {fate or 'not judged'}.{seen}"}


def _candidates(asked: Asked, op: dict[str, Any]) -> list[int]:
    """zxids of records that can be this operation, ascending."""
    name = op["op"].lower()
    kinds = next((ops for family, ops in FAMILIES.items() if name.startswith(family)), ())
    low, high = _bounds(asked, op)
    between = (pl.col("zxid") > low) & (pl.col("zxid") < high) & ~pl.col("zxid").is_in(sorted(asked.taken))
    if op["session"] not in asked.records:
        return []
    rows = asked.records[op["session"]].filter(pl.col("op").is_in(list(kinds)) & between)
    if op["path"] is not None and name != "close":
        rows = rows.filter(_at(str(op["path"])))
    if op["data"] is None or not name.startswith(("create", "set")) or name.startswith("setacl"):
        return rows.get_column("zxid").to_list()
    wanted = op["data"].encode("utf-8", "surrogatepass")
    rows = rows.filter(pl.col("data_len").fill_null(0) == len(wanted))
    return [row["zxid"] for row in rows.iter_rows(named=True) if _data(asked.trace, row, wanted) == wanted]


def _at(path: str) -> pl.Expr:
    """Is it a write of this path, of a sequential znode of that name, or a multi with such a member?"""
    numbered = pl.col("path").str.starts_with(path) & pl.col("path").str.slice(len(path)).str.contains("^" + SEQUENCE)
    return ((pl.col("path") == path) | numbered | pl.col("inside").list.contains(path)).fill_null(False)


def _data(trace: Trace, row: dict[str, Any], otherwise: bytes) -> bytes:
    """The data of a record; where its file is not at hand the length has to do."""
    found = trace.data(row["source"], row["data_offset"], row["data_len"])
    return otherwise if found is None else found


def _bounds(asked: Asked, op: dict[str, Any]) -> tuple[int, int]:
    """Between which answered writes of its session it was sent: their zxids, both excluded."""
    own = asked.answered.get(op["session"])
    if own is None:
        return -1, LARGEST
    low = None if op["start"] is None else own.filter(pl.col("end") < op["start"]).get_column("zxid").max()
    high = None if op["end"] is None else own.filter(pl.col("start") > op["end"]).get_column("zxid").min()
    return low if isinstance(low, int) else -1, high if isinstance(high, int) else LARGEST
