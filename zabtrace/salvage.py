"""The content of the writes that did not survive, and whether each still fits the tree that did.

Strategy: one row per record and member of a multi, in the order of zxids, with the data as they stand in the log. The rows are
then tried in that order on the present tree of one server, in memory: a write fits where its znode is as it was before the write.
What fits changes what the next one finds; what does not says why. Nothing is ever applied anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import polars as pl

from zabtrace import schema
from zabtrace.errors import UsageError
from zabtrace.fates.judgement import Judgement
from zabtrace.replay.history import History
from zabtrace.replay.tree import Replayed, tree_at
from zabtrace.replay.tree_nodes import Tree, is_mark
from zabtrace.zxid import text

Row = dict[str, Any]
KEPT = ("survived", "recovered")
CREATES = ("create", "create2", "createContainer", "createTTL")
CLIENT_OPS = {"create": "create", "set": "setData", "delete": "delete", "setacl": "setACL"}
"""What a client calls an operation, in lower case, and what ZooKeeper calls the record it becomes."""
RECORD, CLIENT, NONE, NOT_READ = "record", "client", "none", "not read"
BARE = ("createSession", "closeSession", "error")
"""Operations that carry no content."""
EMPTY: Row = dict.fromkeys(column.name for column in schema.SALVAGED)


@dataclass(frozen=True)
class Salvage:
    """What was found, and the tree it was compared with."""

    rows: pl.DataFrame
    """schema.SALVAGED by zxid and index."""
    ranges: pl.DataFrame
    """schema.RANGES: writes known from text alone, whose content nothing shows."""
    compared_with: str
    """The tree, in words."""
    remarks: tuple[str, ...] = ()
    """What speaks against that tree."""


def salvage(history: History, judgement: Judgement, against: int | None = None) -> Salvage:
    """The writes that are neither survived nor recovered; ``against`` names the server whose tree they are tried on.

    Raises UsageError where that server's tree cannot be replayed.
    """
    gone = judgement.writes.filter(~pl.col("fate").is_in(KEPT)).sort("zxid")
    rows = list(_rows(history, gone))
    replayed = _present(history, against) if rows else None
    if replayed is None:
        why = "There is nothing to compare." if not rows else "No server's tree could be replayed, so nothing could be compared."
        unsure = [{**row, "conflicts": ["There is no tree to compare it with."]} for row in rows]
        return Salvage(schema.frame(schema.SALVAGED, unsure), judgement.ranges, why)
    tried = list(_tried(rows, replayed))
    label = dict(history.trace.servers.select("server", "label").iter_rows()).get(replayed.server, str(replayed.server))
    words = f"Compared with the tree of server {label} at {text(replayed.zxid)} (stored digest: {replayed.digest})."
    return Salvage(schema.frame(schema.SALVAGED, tried), judgement.ranges, words, replayed.remarks)


# ---------------------------------------------------------------- content
def _rows(history: History, gone: pl.DataFrame) -> Iterator[Row]:
    """Every payload of these zxids, members in the place of their multi; what has no record is taken from the clients."""
    trace = history.trace
    good = trace.txns.filter(pl.col("checksum_ok").fill_null(True)).sort("copy", "server", "source", "offset")
    records = good.join(gone.select("zxid", "fate", "committed").unique("zxid"), on="zxid", how="inner", maintain_order="left")
    records = records.unique(["zxid", "payload_hash"], keep="first", maintain_order=True).sort("zxid", maintain_order=True)
    for record in records.iter_rows(named=True):
        yield from _of_record(history, record)
    unrecorded = gone.join(records.select("zxid"), on="zxid", how="anti").unique("zxid", keep="first", maintain_order=True)
    for write in unrecorded.iter_rows(named=True):
        yield _of_client(history, write)


def _of_record(history: History, record: Row) -> Iterator[Row]:
    if record["op"] != "multi":
        yield _content(history, record)
        return
    place = (pl.col("source") == record["source"]) & (pl.col("offset") == record["offset"])
    head = {key: record[key] for key in ("fate", "committed", "session", "cxid", "time", "failed")}
    for member in history.trace.ops.filter(place).sort("index").iter_rows(named=True):
        yield _content(history, {**member, **head})


def _content(history: History, record: Row) -> Row:
    """A row of SALVAGED from a row of TXNS or TXN_OPS."""
    data = history.trace.data(record["source"], record["data_offset"], record["data_len"])
    missing = record["data_len"] is not None and (data is None or len(data) != record["data_len"])
    bare = record["op"] in BARE or record["failed"]
    content = NONE if bare else NOT_READ if missing else RECORD
    return {**record, "data": None if missing or bare else data, "content": content}


def _of_client(history: History, write: Row) -> Row:
    """A write of which no record was read: what a client says that it asked for, where one does."""
    asked = history.trace.client_ops.filter((pl.col("zxid") == write["zxid"]) & pl.col("write"))
    if asked.is_empty():
        return {**EMPTY, **write, "content": NOT_READ}
    op = asked.row(0, named=True)
    data = None if op["data"] is None else op["data"].encode("utf-8", "surrogatepass")
    content = CLIENT if op["op"].lower() in CLIENT_OPS else NOT_READ
    size = None if data is None else len(data)
    named = {"op": CLIENT_OPS.get(op["op"].lower(), op["op"]), "path": op["path"], "version": op["version"] if content == CLIENT else None}
    return {**EMPTY, **write, **named, "data": data, "data_len": size, "content": content, "source": op["source"], "line": op["line"]}


# ---------------------------------------------------------------- the present tree
def _present(history: History, against: int | None) -> Replayed | None:
    """The tree of the server whose disk is the furthest, by currentEpoch, then by last zxid; or of the one that is named."""
    if against is not None:
        return tree_at(history.trace, against)
    disks = history.disks.filter((pl.col("copy") == 0) & pl.col("last_zxid").is_not_null())
    for server in disks.sort("current_epoch", "last_zxid", "server", descending=[True, True, False], nulls_last=True).get_column("server"):
        try:
            return tree_at(history.trace, server)
        except UsageError:  # this disk holds nothing to replay: the next one is asked
            continue
    return None


@dataclass
class State:
    """A znode as the rows tried so far leave it; ``changed`` is the zxid that last changed its data on the present tree."""

    version: int = 0
    aversion: int = 0
    children: int = 0
    changed: int | None = None
    created: int | None = None
    ephemeral: bool = False


@dataclass
class Trial:
    """The present tree with what fitted so far laid over it; None in ``over`` is a znode that is gone."""

    tree: Tree
    server: int
    over: dict[str, State | None] = field(default_factory=dict)

    def state(self, path: str) -> State | None:
        """The znode as it would be found now."""
        if path in self.over:
            return self.over[path]
        node = self.tree.nodes.get("" if path == "/" else path)
        if node is None:
            return None
        ephemeral = bool(node.owner) and not is_mark(node.owner)
        return State(node.version, node.aversion, node.children, node.mzxid, node.czxid, ephemeral)

    def counted(self, path: str, by: int) -> None:
        """One child more or less below the parent of ``path``."""
        parent = path.rpartition("/")[0] or "/"
        if (state := self.state(parent)) is not None:
            self.over[parent] = State(state.version, state.aversion, state.children + by, state.changed, state.created, state.ephemeral)


def _tried(rows: list[Row], replayed: Replayed) -> Iterator[Row]:
    """The rows with ``expected_version`` and ``conflicts``; members of a multi fit together or not at all."""
    trial = Trial(replayed.tree, replayed.server)
    for _, members in _by_zxid(rows):
        before = dict(trial.over) if len(members) > 1 else trial.over
        found = [_one(trial, row) for row in members]
        if len({(row.get("source"), row.get("offset")) for row in members}) > 1:
            found = [{**row, "conflicts": [*row["conflicts"], "Another transaction has the same zxid."]} for row in found]
        if any(row["conflicts"] for row in found):
            trial.over = before
            found = [row if row["conflicts"] else {**row, "conflicts": ["Another part of its multi does not fit."]} for row in found]
        yield from found


def _by_zxid(rows: list[Row]) -> Iterator[tuple[int, list[Row]]]:
    ordered = sorted(rows, key=lambda row: (row["zxid"], -1 if row.get("index") is None else row["index"]))
    return ((number, list(of)) for number, of in groupby(ordered, key=lambda row: row["zxid"]))


def _one(trial: Trial, row: Row) -> Row:
    """Try one operation; where it fits, the trial goes on with it done. What has no content cannot be done again, so nothing goes on."""
    handler = HANDLERS.get(row["op"])
    if handler is None or row["path"] is None or row.get("failed") or row.get("content") == NOT_READ:
        return {**row, "expected_version": None, "conflicts": []}
    expected, conflicts = handler(trial, row)
    return {**row, "expected_version": expected, "conflicts": list(conflicts)}


Tried = tuple[int | None, list[str]]


def _create(trial: Trial, row: Row) -> Tried:
    state, parent = trial.state(row["path"]), trial.state(row["path"].rpartition("/")[0] or "/")
    if state is not None:
        same = state.created == row["zxid"]
        return None, ["It is in that tree already." if same else f"The path exists: created by {_named(state.created)}."]
    if parent is None:
        return None, ["Its parent is not in that tree."]
    if parent.ephemeral:
        return None, ["Its parent is ephemeral there: it can have no children."]
    trial.over[row["path"]] = State()
    trial.counted(row["path"], 1)
    return None, []


def _set(trial: Trial, row: Row) -> Tried:
    expected = None if row["version"] is None else row["version"] - 1
    state = trial.state(row["path"])
    conflicts = _differs(state, row, expected, None if state is None else state.version)
    if state is not None and not conflicts:
        trial.over[row["path"]] = State(row["version"], state.aversion, state.children, None, state.created, state.ephemeral)
    return expected, conflicts


def _set_acl(trial: Trial, row: Row) -> Tried:
    expected = None if row["version"] is None else row["version"] - 1
    state = trial.state(row["path"])
    if state is None:
        return expected, ["The path is not in that tree."]
    if expected is None or state.aversion != expected:
        return expected, [f"Its ACL version is {state.aversion} there, it was {_number(expected)} before this write."]
    trial.over[row["path"]] = State(state.version, row["version"], state.children, state.changed, state.created, state.ephemeral)
    return expected, []


def _delete(trial: Trial, row: Row) -> Tried:
    """A delete does not say which version it removed: the version found is expected, where nothing changed the znode since."""
    state = trial.state(row["path"])
    if state is None:
        return None, ["The path is not in that tree: it is gone already."]
    conflicts = _differs(state, row, state.version, state.version)
    if state.children:
        conflicts.append(f"It has {state.children} children there.")
    if not conflicts:
        trial.over[row["path"]] = None
        trial.counted(row["path"], -1)
    return state.version, conflicts


def _check(trial: Trial, row: Row) -> Tried:
    state = trial.state(row["path"])
    return row["version"], _differs(state, row, row["version"], None if state is None else state.version)


def _differs(state: State | None, row: Row, expected: int | None, found: int | None) -> list[str]:
    """Why a znode is not as it was before the write."""
    if state is None:
        return ["The path is not in that tree."]
    if state.changed is not None and state.changed == row["zxid"]:
        return ["It is in that tree already."]
    if state.changed is not None and state.changed > row["zxid"]:
        return [f"The path was changed since, by {text(state.changed)}: its version is {found} there."]
    if expected is None or found != expected:
        return [f"Its version is {found} there, it was {_number(expected)} before this write."]
    return []


def _number(version: int | None) -> str:
    return "not known" if version is None else str(version)


def _named(number: int | None) -> str:
    return "a write that is salvaged here too" if number is None else text(number)


HANDLERS = {
    **dict.fromkeys(CREATES, _create),
    "setData": _set,
    "setACL": _set_acl,
    "delete": _delete,
    "deleteContainer": _delete,
    "check": _check,
}
"""What can be tried on a tree; sessions, failed requests and configurations cannot be asked for again."""
