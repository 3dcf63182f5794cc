"""Sessions: who created them, how they ended, and which ephemeral nodes they left.

Strategy: createSession and closeSession records of all copies, each counted once, with what became of them: a closeSession that
did not survive closed nothing. A closeSession with cxid 0 was made by the leader when the time-out had passed (the client's own
requests count from 1). Sessions older than the logs are known from the snapshots' session tables.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from zabtrace import schema
from zabtrace.evidence.trace import Trace
from zabtrace.records import read_snapshot
from zabtrace.replay.tree import owners, tree_at
from zabtrace.replay.tree_clients import clients
from zabtrace.replay.tree_nodes import Tree
from zabtrace.zxid import text

IN_FORCE = ("survived", "recovered")
GONE = ("truncated", "shadowed", "lost")
CREATOR_BITS = 56


def creator(session: int) -> int:
    """The server that gave a session its id: the high byte (SessionTrackerImpl.initializeNextSessionId).

    >>> creator(0x300001B95500000)
    3
    """
    return session >> CREATOR_BITS & 0xFF


def sessions(trace: Trace, fates: pl.DataFrame) -> pl.DataFrame:
    """schema.SESSIONS, by id. ``fates``: zxid, payload_hash and fate of every write."""
    records = _records(trace, fates)
    opened = _one_each(records.filter(pl.col("op") == "createSession"), keep="first")
    closed = _one_each(records.filter(pl.col("op") == "closeSession"), keep="last")
    held = _in_snapshots(trace)
    addresses = dict(clients(trace).iter_rows())
    made = _ephemerals(trace)
    newest = _newest(trace)
    left = owners(newest) if newest else {}
    rows = []
    for session in sorted({*opened, *closed, *held, *made, *left}):
        create, close = opened.get(session), closed.get(session)
        state, why = _state(create, close, None if newest is None else session in newest.sessions)
        table = held.get(session, {})
        rows.append(
            {
                "session": session, "server": creator(session), "state": state, "why": why, "client": addresses.get(session),
                "timeout": create["timeout"] if create else table.get("timeout"),
                "created_zxid": create and create["zxid"], "created": create and create["time"],
                "ended_zxid": close and close["zxid"], "ended": close and close["time"],
                "ephemerals": made.get(session, []), "left": left.get(session, []),
                "source": create["source"] if create else table.get("source"), "offset": create and create["offset"],
            }
        )  # fmt: skip
    return schema.frame(schema.SESSIONS, rows)


def _records(trace: Trace, fates: pl.DataFrame) -> pl.DataFrame:
    """The session records, each once, with its fate."""
    named = trace.txns.filter(pl.col("op").is_in(["createSession", "closeSession"]) & pl.col("checksum_ok").fill_null(True))
    once = named.sort("copy", "server", "source", "offset").unique(subset=["zxid", "payload_hash"], keep="first", maintain_order=True)
    judged = fates.select("zxid", "payload_hash", "fate")
    return once.join(judged, on=["zxid", "payload_hash"], how="left").sort("zxid", maintain_order=True)


def _one_each(records: pl.DataFrame, keep: str) -> dict[int, dict[str, Any]]:
    """One record of each session: one in force before one that is not."""
    ranked = records.with_columns(force=pl.col("fate").is_in(IN_FORCE).fill_null(False))
    rows = ranked.sort("force", "zxid", descending=[True, keep == "last"], maintain_order=True).unique("session", keep="first")
    return {row["session"]: row for row in rows.iter_rows(named=True)}


def _state(create: dict[str, Any] | None, close: dict[str, Any] | None, held: bool | None) -> tuple[str, str]:
    """State and why; ``held``: the newest tree has the session in its table, None where no server's newest files were read."""
    if create is not None and create["fate"] in GONE:
        return "discarded", f"Its createSession {text(create['zxid'])} is {create['fate']}."
    if close is None and held is None:
        return "undecided", "Its closeSession is in nothing that was read, and no newest tree was that would show it open."
    if close is None and not held:
        return "undecided", "The newest tree has no such session, and its closeSession is in no log that was read."
    if close is None:
        return "open", "It is in the newest tree's session table: no closeSession of it was read."
    record = f"closeSession {text(close['zxid'])}"
    if close["fate"] in GONE:
        return "open", f"Its {record} is {close['fate']}: it closed nothing."
    if close["fate"] not in IN_FORCE:
        return "undecided", f"Its {record} is {close['fate'] or 'not judged'}."
    if close["cxid"] == 0:
        return "expired", f"{record} has cxid 0: the leader made it when the time-out had passed."
    return "closed", f"{record} is its client's request {close['cxid']}."


def _in_snapshots(trace: Trace) -> dict[int, dict[str, Any]]:
    """Sessions in the oldest and the newest valid snapshot of each newest copy: those in between are in the logs."""
    valid = trace.snapshots.filter(pl.col("valid") & (pl.col("copy") == 0)).sort("zxid")
    ends = valid.group_by("server", maintain_order=True).agg(pl.col("source").first().alias("a"), pl.col("source").last().alias("b"))
    found: dict[int, dict[str, Any]] = {}
    for source in dict.fromkeys(name for pair in ends.select("a", "b").iter_rows() for name in pair):
        for row in read_snapshot(trace.files[source]).sessions.iter_rows(named=True):
            found.setdefault(row["session"], {"timeout": row["timeout"], "source": source})
    return found


def _ephemerals(trace: Trace) -> dict[int, list[str]]:
    """The ephemeral nodes that each session created, in the order of their zxids."""
    whole = trace.txns.filter(~pl.col("failed").fill_null(False))
    single = whole.filter("ephemeral").select("session", "zxid", "path")
    multis = whole.select("source", "offset", "session")
    members = trace.ops.filter("ephemeral").join(multis, on=["source", "offset"]).select("session", "zxid", "path")
    made = pl.concat([single, members]).unique().sort("zxid", "path").group_by("session").agg(pl.col("path").unique(maintain_order=True))
    return dict(made.iter_rows())


def _newest(trace: Trace) -> Tree | None:
    """The tree of the server that is furthest."""
    ends = pl.concat([trace.txns.select("server", "copy", "zxid"), trace.snapshots.filter("valid").select("server", "copy", "zxid")])
    newest = ends.filter(pl.col("copy") == 0).sort("zxid", "server", descending=[True, False], nulls_last=True)
    return tree_at(trace, newest["server"][0]).tree if newest.height else None
