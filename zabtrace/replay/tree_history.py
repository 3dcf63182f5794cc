"""Every change of a znode: who made it, when, and what it was before and after.

Strategy: each copy's records are walked in the runs that a base can carry, so that the state before the first record of a run is that
of its snapshot; where no snapshot carries a run it is not known. A record that several servers hold is one change. An ephemeral
node that goes with its session is a change by closeSession, whether its record lists the node (3.6) or not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from zabtrace import schema
from zabtrace.evidence.trace import Trace
from zabtrace.records import opcodes, read_snapshot
from zabtrace.replay.tree_base import Base, Store, bases
from zabtrace.replay.tree_clients import clients
from zabtrace.replay.tree_digests import runs
from zabtrace.replay.tree_nodes import Data, Step
from zabtrace.replay.tree_rules import rules_of
from zabtrace.replay.tree_steps import each, ordered, steps

VALUE_LIMIT = 1 << 20
"""Bytes of a value that are shown; what is longer is cut, and says so."""
CHANGES = {
    "create": "created", "create2": "created", "createContainer": "created", "createTTL": "created", "setData": "changed",
    "reconfig": "changed", "setACL": "acl", "delete": "deleted", "deleteContainer": "deleted", "closeSession": "deleted",
}  # fmt: skip


@dataclass
class _State:
    """A node as the walk knows it."""

    owner: int
    data: Data


def shown(raw: bytes | None) -> str | None:
    """Data as text; bytes that are no UTF-8 as ``\\xNN``, cut behind VALUE_LIMIT bytes.

    >>> shown(b"v1"), shown(b"\\xff\\x00"), shown(None)
    ('v1', '\\\\xff\\x00', None)
    """
    if raw is None:
        return None
    text = raw[:VALUE_LIMIT].decode("utf-8", "backslashreplace")
    return text if len(raw) <= VALUE_LIMIT else f"{text}... ({len(raw)} bytes)"


def changes(trace: Trace, path: str, *, below: bool = False, values: bool = False) -> pl.DataFrame:
    """schema.CHANGES of a path (``below``: of what lies below it too), by zxid; fates are not filled in."""
    store, rows = Store(trace), []
    copies = pl.concat([trace.txns.select("server", "copy"), trace.snapshots.select("server", "copy")]).drop_nulls().unique()
    for copy, server in copies.select("copy", "server").sort("copy", "server").iter_rows():
        rows += _of_copy(trace, store, server, copy, _Wanted(path, below), values)
    found = schema.frame(schema.CHANGES, rows).drop("client", "on", "payload_hash")
    places = trace.txns.select("source", "offset", "payload_hash")
    known = found.join(places, on=["source", "offset"], how="left", maintain_order="left")
    once = known.unique(subset=["zxid", "payload_hash", "path", "op", "change"], keep="first", maintain_order=True)
    joined = once.join(_holders(trace), on=["zxid", "payload_hash"], how="left").join(clients(trace), on="session", how="left")
    nobody = pl.lit([], dtype=pl.List(pl.Int64))
    return schema.conform(schema.CHANGES, joined.with_columns(pl.col("on").fill_null(nobody))).sort(
        "zxid", "payload_hash", maintain_order=True
    )


def _holders(trace: Trace) -> pl.DataFrame:
    """Which servers' newest copies hold a record."""
    newest = (pl.col("copy") == 0) | pl.col("server").is_in(list(trace.unordered))
    return trace.txns.filter(newest).group_by("zxid", "payload_hash").agg(on=pl.col("server").unique().sort())


@dataclass(frozen=True)
class _Wanted:
    path: str
    below: bool

    def __contains__(self, path: str) -> bool:
        return path == self.path or (self.below and path.startswith(self.prefix))

    @property
    def prefix(self) -> str:
        return "/" if self.path == "/" else f"{self.path}/"

    def expression(self) -> pl.Expr:
        """Column expression: the path is wanted."""
        same = pl.col("path") == self.path
        return same | pl.col("path").str.starts_with(self.prefix) if self.below else same


def _of_copy(trace: Trace, store: Store, server: int, copy: int, wanted: _Wanted, values: bool) -> list[dict[str, Any]]:
    """The changes that the records of one copy made."""
    records = ordered(trace, server, copy)
    ops = trace.ops.filter((pl.col("server") == server) & (pl.col("copy") == copy) & wanted.expression())
    rules = rules_of(None)
    rows: list[dict[str, Any]] = []
    for run in runs(records, bases(trace, server, copy)):
        part = records[run.begin : run.end]
        multis = part.join(ops.select("source", "offset").unique(), on=["source", "offset"], how="semi")["row"]
        kept = part.filter(wanted.expression() | (pl.col("type") == opcodes.CLOSE_SESSION) | pl.col("row").is_in(multis.implode()))
        states = _states(store, run.base, wanted)
        for step, source, offset, _ in each(steps(kept, ops, rules)):
            for path, row in _apply(step, states, wanted):
                place = {"server": server, "copy": copy, "source": source, "offset": offset, "path": path}
                rows.append(row | place | _time(step) | (_values(store, row) if values else {}))
    return rows


def _states(store: Store, base: Base | None, wanted: _Wanted) -> dict[str, _State]:
    """The wanted nodes of a base; of a fuzzy one only what its zxid covers."""
    if base is None or base.source is None:
        return {}
    nodes = read_snapshot(store.trace.files[base.source], znodes=True).znodes
    known = nodes.filter(wanted.expression() & (pl.col("mzxid") <= base.zxid))
    return {
        path: _State(owner, None if at is None else (base.source, at, size))
        for path, owner, at, size in known.select("path", "ephemeral_owner", "data_offset", "data_len").iter_rows()
    }


def _apply(step: Step, states: dict[str, _State], wanted: _Wanted) -> list[tuple[str, dict[str, Any]]]:
    """The changes of one step, and the states after it."""
    if step.type not in opcodes.BY_CODE or (op := opcodes.BY_CODE[step.type].name) not in CHANGES:
        return []
    if op == "closeSession":
        gone = {path for path in step.paths or () if path in wanted}
        gone |= {path for path, state in states.items() if state.owner == step.session}
        return [(path, _change(step, op, states.pop(path, None), None)) for path in sorted(gone)]
    path = step.path or ""
    if path not in wanted:
        return []
    before = states.get(path)
    if CHANGES[op] == "deleted":
        states.pop(path, None)
        return [(path, _change(step, op, before, None))]
    data = step.data if CHANGES[op] != "acl" else before.data if before else None
    owner = step.session if step.ephemeral else 0
    states[path] = after = _State(owner if CHANGES[op] == "created" else before.owner if before else 0, data)
    return [(path, _change(step, op, before, after))]


def _change(step: Step, op: str, before: _State | None, after: _State | None) -> dict[str, Any]:
    old, new = before.data if before else None, after.data if after else None
    version = 0 if CHANGES[op] == "created" else step.version
    return {
        "zxid": step.zxid, "op": op, "change": CHANGES[op], "session": step.session, "version": version,
        "old_len": old[2] if old else None, "new_len": new[2] if new else None, "old": old, "new": new,
    }  # fmt: skip


def _time(step: Step) -> dict[str, Any]:
    return {"time": step.time}


def _values(store: Store, row: dict[str, Any]) -> dict[str, Any]:
    """The data before and after."""
    return {f"{key}_value": shown(bytes(store.read(*row[key])) if row[key] else None) for key in ("old", "new")}
