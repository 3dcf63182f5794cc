"""Clients: which transaction each write of a client history became, and what became of it.

An acknowledged operation names its zxid. One without an answer is looked for among the records of its session: same kind of
operation, same path, same data, and not the record of an acknowledged one. Clocks are not used.
"""

from __future__ import annotations

from collections.abc import Callable

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


def rows(history: History, fates: pl.DataFrame, complete: bool) -> pl.DataFrame:
    """schema.CLIENTS: every write of the client histories with its outcome. ``complete``: no committed write can be unseen."""
    trace = history.trace
    writes = trace.client_ops.filter(pl.col("write"))
    fate_of: dict[int, str] = dict(fates.select("zxid", "fate").iter_rows())
    taken = set(acknowledged(trace).get_column("zxid").to_list())
    found = []
    for op in writes.sort("source", "line").iter_rows(named=True):
        answer = ANSWERS[op["outcome"]](trace, op, fate_of, taken, complete)
        found.append({"source": op["source"], "line": op["line"], "op": op["op"], "path": op["path"], **answer})
    return schema.frame(schema.CLIENTS, found)


def _answered(trace: Trace, op: dict[str, object], fate_of: dict[int, str], taken: set[int], complete: bool) -> dict[str, object]:
    zxid = op["zxid"]
    if not isinstance(zxid, int):
        return {"outcome": "happened", "zxid": None, "why": "The client was answered; its history names no zxid."}
    return _judged(zxid, fate_of.get(zxid), "The client was answered")


def _refused(trace: Trace, op: dict[str, object], fate_of: dict[int, str], taken: set[int], complete: bool) -> dict[str, object]:
    return {"outcome": "did not", "zxid": op["zxid"], "why": f"The server refused it: {op['error']}."}


def _unanswered(trace: Trace, op: dict[str, object], fate_of: dict[int, str], taken: set[int], complete: bool) -> dict[str, object]:
    candidates = _candidates(trace, op, taken)
    if not candidates and complete:
        return {
            "outcome": "did not",
            "zxid": None,
            "why": "No record of it exists, and the disks that were read hold every committed transaction.",
        }
    if not candidates:
        return {
            "outcome": "cannot tell",
            "zxid": None,
            "why": "No record of it was found, but not all disks that could hold one were read.",
        }
    zxid = candidates[0]
    if len({fate_of.get(z) for z in candidates}) > 1:
        return {"outcome": "cannot tell", "zxid": None, "why": f"{len(candidates)} records of its session fit, with different fates."}
    taken.add(zxid)
    return _judged(zxid, fate_of.get(zxid), "The client got no answer")


ANSWERS: dict[str, Callable[[Trace, dict[str, object], dict[int, str], set[int], bool], dict[str, object]]] = {
    "acknowledged": _answered,
    "refused": _refused,
    "unknown": _unanswered,
}


def _judged(zxid: int, fate: str | None, start: str) -> dict[str, object]:
    outcome = "happened" if fate in DID else "did not" if fate in DID_NOT else "cannot tell"
    return {"outcome": outcome, "zxid": zxid, "why": f"{start}; its transaction {text(zxid)} is {fate or 'not judged'}."}


def _candidates(trace: Trace, op: dict[str, object], taken: set[int]) -> list[int]:
    """zxids of records that can be this operation, ascending."""
    name, path = str(op["op"]).lower(), op["path"]
    kinds = next((ops for family, ops in FAMILIES.items() if name.startswith(family)), ())
    rows = trace.txns.filter(pl.col("op").is_in(list(kinds)) & ~pl.col("zxid").is_in(sorted(taken)) & ~pl.col("failed").fill_null(False))
    if op["session"] is not None:
        rows = rows.filter(pl.col("session") == op["session"])
    if path is not None and name != "close":
        rows = rows.filter(
            (pl.col("path") == path)
            | (pl.col("path").str.starts_with(str(path)) & pl.col("path").str.slice(len(str(path))).str.contains("^" + SEQUENCE))
        )
    rows = rows.unique(subset=["zxid"], keep="first", maintain_order=True).sort("zxid")
    if op["data"] is not None and op["session"] is not None and name.startswith(("create", "set")) and not name.startswith("setacl"):
        wanted = str(op["data"]).encode()
        rows = rows.filter(pl.col("data_len").fill_null(0) == len(wanted))
        return [
            r["zxid"] for r in rows.iter_rows(named=True) if (trace.data(r["source"], r["data_offset"], r["data_len"]) or wanted) == wanted
        ]
    return rows.get_column("zxid").to_list()
