"""What happened to the writes of a story, in one order: asked for, made, logged, saved, synchronized, discarded.

Strategy: each function of STEPS_OF yields rows of one kind, placed in the history by a zxid: a write by its own, a
synchronization or the beginning of an epoch by the first zxid of that epoch, an epoch's end by its last. At one place the order is
that of STEPS_OF, then by server. Clocks order nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import polars as pl

from zabtrace import schema, wording, zxid
from zabtrace.fates.judgement import Judgement
from zabtrace.records.snapshot import read_snapshot
from zabtrace.replay.history import History
from zabtrace.stories.target import Target
from zabtrace.zxid import text

Row = dict[str, Any]
MOST_LINES = 200
"""Log lines that merely name what was asked for: so many are told, the first ones."""


def steps(history: History, judgement: Judgement, target: Target) -> pl.DataFrame:
    """schema.STEPS in the order of the history; what nothing places stands last."""
    found = [{**row, "kind": kind} for kind, of in enumerate(STEPS_OF) for row in of(history, judgement, target)]
    table = schema.frame(schema.STEPS, found).with_columns(pl.Series("kind", [row["kind"] for row in found], dtype=pl.Int64))
    ordered = table.sort("at", "kind", "server", "source", "line", "offset", nulls_last=True, maintain_order=True)
    return ordered.drop("kind")


def _ops(history: History, judgement: Judgement, target: Target) -> Iterator[Row]:
    """What clients asked for and were told; a read is placed by the zxid in its reply."""
    matched = {(row[0], row[1]): row[2] for row in judgement.clients.select("source", "line", "zxid").iter_rows()}
    for op in target.ops.iter_rows(named=True):
        number = op["zxid"] if op["zxid"] is not None else matched.get((op["source"], op["line"]))
        at = number if number is not None else op["reply_zxid"]
        answer = ANSWERS[op["outcome"]].format(error=op["error"] or "no answer")
        seen = f" It saw version {op['version']} of {text(op['mzxid'])}." if not op["write"] and op["mzxid"] is not None else ""
        says = f"{op['client'] or 'A client'} asked: {op['op']} {op['path'] or ''}".rstrip() + f"; {answer}.{seen}"
        what = "asked" if op["write"] else "seen"
        yield {"at": at, "time": op["start"], "what": what, "says": says, "source": op["source"], "line": op["line"]}


ANSWERS = {"acknowledged": "acknowledged", "refused": "refused ({error})", "unknown": "no certain answer ({error})"}


def _records(history: History, judgement: Judgement, target: Target) -> Iterator[Row]:
    """The records of these writes, in each copy."""
    rows = history.trace.txns.filter(pl.col("zxid").is_in(target.zxids.to_list())).sort("zxid", "server", "copy")
    for row in rows.iter_rows(named=True):
        size = "" if row["data_len"] is None else f", {row['data_len']} bytes"
        broken = "" if row["checksum_ok"] is not False else "; its checksum is wrong"
        says = f"{row['op']} {row['path'] or ''}".rstrip() + f"{size}: in the log of {_copy(row['copy'])}{broken}."
        yield {"at": row["zxid"], "time": row["time"], "what": "logged", "says": says, **_of(row)}


def _copy(copy: int | None) -> str:
    return "the newest copy" if not copy else f"an earlier copy ({copy} before the newest)"


def _of(row: Row) -> Row:
    return {key: row.get(key) for key in ("server", "source", "line", "offset")}


def _snapshots(history: History, judgement: Judgement, target: Target) -> Iterator[Row]:
    """What the newest valid snapshot of each copy says of the znodes concerned: state a server had applied."""
    paths = sorted({target.asked} if target.kind == "path" else set(target.writes.get_column("path").drop_nulls().to_list()))
    if not paths or target.kind == "session" or target.writes.is_empty():
        return
    newest = history.trace.snapshots.filter(pl.col("valid")).sort("zxid").group_by("server", "copy", maintain_order=True).last()
    for saved in newest.sort("server", "copy").iter_rows(named=True):
        file = history.trace.files.get(saved["source"])
        if file is None or saved["zxid"] < target.zxids.min():
            continue
        nodes = read_snapshot(file, znodes=True).znodes.filter(pl.col("path").is_in(paths))
        yield from (_znode(saved, node) for node in nodes.iter_rows(named=True))
        missing = [path for path in paths if path not in set(nodes.get_column("path"))]
        yield from (_saved(saved, None, f"{path} is not in the snapshot {text(saved['zxid'])}.") for path in missing)


def _znode(saved: Row, node: Row) -> Row:
    state = f"version {node['version']}, changed by {text(node['mzxid'])}, created by {text(node['czxid'])}"
    return _saved(saved, node["offset"], f"{node['path']} is in the snapshot {text(saved['zxid'])}: {state}.")


def _saved(saved: Row, offset: int | None, says: str) -> Row:
    return {"at": saved["zxid"], "what": "snapshot", "says": says, **_of(saved), "offset": offset or 0}


def _epochs(history: History, judgement: Judgement, target: Target) -> Iterator[Row]:
    """Beginning and end of the writes' epochs, and the beginning of the next established one."""
    own = {zxid.epoch(number) for number in target.zxids}
    established = history.epochs.filter(pl.col("status") == "established").get_column("epoch").to_list()
    following = {min((e for e in established if e > mine), default=mine) for mine in own}
    for row in history.epochs.filter(pl.col("epoch").is_in(sorted(own | following))).iter_rows(named=True):
        leader = "an unknown leader" if row["leader"] is None else f"leader {_name(history, row['leader'])}"
        said = {"server": row["leader"], **{key: row[key] for key in ("source", "line")}}
        begun = f"Epoch {row['epoch']} of {leader} was {row['status']}."
        yield {"at": zxid.make(row["epoch"], 0), "time": row["established"], "what": "established", "says": begun, **said}
        if row["epoch"] in own and row["ended_by"]:
            end = {"at": zxid.make(row["epoch"], zxid.COUNTER_MASK), "time": row["ended"], "server": row["leader"]}
            yield {**end, "what": "ended", "says": f"Epoch {row['epoch']} ended: {row['ended_by']}."}


def _name(history: History, server: int) -> Any:
    return wording.Names.of(history.trace.servers).name(server)


def _syncs(history: History, judgement: Judgement, target: Target) -> Iterator[Row]:
    """Synchronizations that carried a learner over these writes, or took them from it."""
    for row in history.syncs.iter_rows(named=True):
        gone, got = _gone(row, target.zxids), _got(row, target.zxids)
        epoch = row["epoch"] if row["epoch"] is not None else zxid.epoch(row["to_zxid"] or 0)
        late = row["to_zxid"] is not None and zxid.epoch(row["to_zxid"]) == epoch and not row["before_writes"]
        place = {"at": row["to_zxid"] if late else zxid.make(epoch, 0), "time": row["time"], "server": row["learner"]}
        place |= {key: row[key] for key in ("source", "line")}
        if len(gone):
            yield {**place, "what": "discarded", "says": f"{wording.span(gone.to_list())} went from its history. {row['why']}"}
        elif len(got):
            yield {**place, "what": "synced", "says": f"It was brought up to {text(row['to_zxid'])} by {row['mode']}. {row['why']}"}


def _gone(row: Row, zxids: pl.Series) -> pl.Series:
    """Which of them the learner had to give up: named by the synchronization, or above what it was cut to."""
    low = row["discarded_from"] if row["discarded_from"] is not None else None if row["truncated_to"] is None else row["truncated_to"] + 1
    high = row["discarded_to"] if row["discarded_to"] is not None else row["learner_zxid"]
    return zxids.clear() if low is None or high is None else zxids.filter(zxids.is_between(low, high))


def _got(row: Row, zxids: pl.Series) -> pl.Series:
    if row["learner_zxid"] is None or row["to_zxid"] is None:
        return zxids.clear()
    return zxids.filter(zxids.is_between(row["learner_zxid"], row["to_zxid"], closed="right"))


NAMING = ("zxid", "expected_zxid", "peer_zxid", "leader_zxid", "db_zxid", "min_committed", "max_committed", "last_processed")


def _lines(history: History, judgement: Judgement, target: Target) -> Iterator[Row]:
    """Log lines that name the zxid or the session."""
    if target.number is None:
        return
    names = NAMING if target.kind == "zxid" else ("session",)
    kinds = [kind for kind, fields in history.trace.fields.items() if any(name in fields.columns for name in names)]
    if not kinds:
        return
    lines = history.trace.events(*kinds).filter(pl.any_horizontal((pl.col(name) == target.number).fill_null(False) for name in names))
    at = target.number if target.kind == "zxid" else None
    for row in lines.head(MOST_LINES).iter_rows(named=True):
        yield {"at": at, "time": row["time"], "what": "said", "says": row["message"], **_of(row)}


STEPS_OF: tuple[Callable[[History, Judgement, Target], Iterator[Row]], ...] = (_ops, _epochs, _syncs, _records, _lines, _snapshots)
"""In the order in which they happen at one place of the history."""
