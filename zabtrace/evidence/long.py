"""Long histories: more records than can be held at once. Their outlines are read, and only what has to be looked at is decoded.

Strategy: ``folding`` chooses the records that stay; everything that names a zxid (text, snapshots, client histories, what is asked
for) is given to it, and the records of sessions whose clients were heard. Any range can be unfolded later.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
import polars as pl

from zabtrace import schema
from zabtrace.evidence.entry import Entry
from zabtrace.evidence.folding import Folded, Kept, fold
from zabtrace.evidence.kinds import TXN_LOG
from zabtrace.evidence.trace import Trace
from zabtrace.records import opcodes
from zabtrace.records.columns import Ints
from zabtrace.records.outline import Outline
from zabtrace.records.txnlog import records_at
from zabtrace.source import Source

POINTS = 10_000
"""So many zxids at least, evenly spread, stay where a long history is drawn."""
NEAR = 512
"""So many records on both sides of the end of an epoch stay there: more than a server's committed log holds (ZKDatabase, 500)."""
ROOM = 1_000_000
"""So many records, over all servers, that not all of them hold, are unfolded there."""
SESSIONS = 1_000
"""So many sessions, the busiest ones, are counted."""
WHOLE = 3_000_000
"""So many records, over all servers, are held where more is asked than what became of them."""
FOLD_FROM = 32 << 20
"""Bytes of transaction logs, their padding left out, from which a history is long."""
BLOCK = 1 << 20
RECONFIG, CREATE_SESSION = (next(op.code for op in opcodes.OPS if op.name == name) for name in ("reconfig", "createSession"))
AROUND = (-1, 0, 1)
"""A zxid that is named stays with its neighbours: a rule may ask for what lies directly below or above it."""
TABLES = (schema.TXNS, schema.TXN_OPS, schema.FOLDS)
PLACE = ("server", "copy", "line", "offset")


@dataclass(frozen=True)
class Tables:
    """TXNS, TXN_OPS and FOLDS."""

    txns: pl.DataFrame
    ops: pl.DataFrame
    folds: pl.DataFrame


@dataclass(frozen=True)
class Log:
    """A transaction log, whose it is, and its outline."""

    source: Source
    server: int | None
    copy: int | None
    outline: Outline


@dataclass(frozen=True)
class Long:
    """All logs of a long history, and the zxids that are named."""

    logs: tuple[Log, ...]
    named: Ints
    opened: tuple[tuple[int, int], ...] = ()
    """Ranges of zxids (both ends included) in which nothing is left out."""

    @classmethod
    def of(cls, entries: Sequence[Entry], trace: Trace, asked: Sequence[int]) -> Long:
        """The logs whose outlines were read; ``trace`` is all else that was, ``asked`` are zxids that stay whoever names them."""
        logs = tuple(Log(e.source, e.server, e.copy, e.outline) for e in entries if e.outline is not None)
        return cls(logs, named(trace, [log.outline for log in logs], np.array(asked, dtype=np.int64)))

    def tables(self) -> Tables:
        """What stays."""
        folded = fold([log.outline for log in self.logs], self.named, self.opened)
        parts = [_decoded(log, kept, folded) for log, kept in zip(self.logs, folded.kept, strict=True)]
        every = [Tables(*map(schema.frame, TABLES)), *parts]
        return Tables(*(pl.concat([getattr(part, name) for part in every]) for name in ("txns", "ops", "folds")))

    def unfolded(self, trace: Trace, ranges: Iterable[tuple[int, int]]) -> Trace:
        """``trace`` with these ranges opened too."""
        long = replace(self, opened=(*self.opened, *ranges))
        found = long.tables()
        return replace(trace, txns=found.txns, ops=found.ops, folds=found.folds, long=long)

    def detailed(self, trace: Trace) -> Trace:
        """``trace`` with enough records to draw it and to foretell a start: all, where they can be held; else points all along, those
        around the ends of epochs, the first of each kind, the first and last of each session, and those that some servers lack.
        """
        if sum(stretch.columns.size for log in self.logs for stretch in log.outline.stretches) <= WHOLE:
            return replace(self.unfolded(trace, [(-1 << 63, (1 << 63) - 2)]), long=None)
        marks = [self.named, *_points(self.logs), *_ends(self.logs), *(_values(self.sessions, name) for name in ("first", "last"))]
        marks += _first_of_each_kind(self.logs)
        thin = replace(self, named=np.unique(np.concatenate(marks))).unfolded(trace, ())
        room, chosen = ROOM // max(len({log.server for log in self.logs}), 1), list[tuple[int, int]]()
        for first, last in uneven(thin):
            room -= last - first + 1
            if room >= 0:
                chosen.append((first, last))
        return thin.long.unfolded(thin, chosen) if thin.long is not None and chosen else thin

    @cached_property
    def created(self) -> pl.DataFrame:
        """Every creation of a session in these logs, those that were left out too: session, zxid."""
        columns = [stretch.columns for log in self.logs for stretch in log.outline.stretches]
        made = [pl.DataFrame({"session": c.session, "zxid": c.zxid}).filter(pl.Series(c.type == CREATE_SESSION)) for c in columns]
        return pl.concat([pl.DataFrame(schema={"session": pl.Int64, "zxid": pl.Int64}), *made]).unique()

    @cached_property
    def sessions(self) -> pl.DataFrame:
        """The busiest sessions: session, records (as many as the server has of it whose newest logs have most), first and last zxid."""
        servers = sorted({log.server for log in self.logs if log.copy == 0 and log.server is not None})
        counted = [_sessions([log for log in self.logs if log.copy == 0 and log.server == server]) for server in servers]
        of_all = pl.concat([_sessions([]), *counted]).group_by("session").agg(pl.max("records"), pl.min("first"), pl.max("last"))
        return of_all.sort("records", "session", descending=[True, False]).head(SESSIONS)


def uneven(trace: Trace) -> list[tuple[int, int]]:
    """Ranges of zxids that were left out and that the newest logs of some servers lack."""
    newest = trace.folds.filter(pl.col("copy") == 0)
    servers = trace.txn_files.filter(pl.col("copy") == 0).get_column("server").n_unique()
    held = newest.group_by("zxid").agg(pl.col("server").n_unique(), pl.col("skipped").first()).filter(pl.col("server") < servers)
    return [(zxid - skipped, zxid - 1) for zxid, skipped in held.select("zxid", "skipped").sort("zxid").iter_rows()]


def worth_folding(entries: Sequence[Entry]) -> bool:
    """Are the records many, and can every question be answered from a part of them?

    A client's operation without a session and without a zxid may be any record: then all of them are looked at.
    """
    anyone = any(
        entry.clients.ops.filter(
            pl.col("write") & (pl.col("outcome") != "refused") & pl.col("zxid").is_null() & pl.col("session").is_null()
        ).height
        for entry in entries
        if entry.clients is not None
    )
    return not anyone and sum(_written(entry.source) for entry in entries if entry.kind == TXN_LOG) >= FOLD_FROM


def _written(source: Source) -> int:
    """Bytes up to the padding at the end; of a compressed file or a member of an archive all."""
    if source.compression is not None or source.stored is not None:
        return source.size
    data = source.buffer()
    end = len(data)
    while end > 0 and not bytes(data[max(0, end - BLOCK) : end]).strip(b"\0"):
        end -= BLOCK
    return max(end, 0)


def named(trace: Trace, logs: Sequence[Outline], asked: Ints) -> Ints:
    """Every number of the evidence that can be a zxid, and the zxids of records that are looked at whatever they hold."""
    found = np.unique(np.concatenate([asked.astype(np.int64), *_numbers(trace), *_of_interest(trace, logs), *_last_committed(trace, logs)]))
    return np.unique(np.concatenate([found + step for step in AROUND]))


def _numbers(trace: Trace) -> Iterator[Ints]:
    """Every integer of what was read beside the records: more than the zxids, which only costs a few records that stay."""
    told = [*trace.fields.values(), *(trace.audit.fields.values() if trace.audit is not None else ())]
    for df in (*told, trace.snapshots, trace.client_ops, trace.members, trace.txn_files, trace.facts):
        yield from (_values(df, name) for name, dtype in df.schema.items() if dtype == schema.INT and name not in PLACE)


def _values(df: pl.DataFrame, name: str) -> Ints:
    return df.get_column(name).drop_nulls().to_numpy()


def _points(logs: Sequence[Log]) -> Iterator[Ints]:
    """zxids at even distances, the same in all logs."""
    sizes = Counter[tuple[int | None, int | None]]()
    for log in logs:
        sizes[log.server, log.copy] += sum(stretch.columns.size for stretch in log.outline.stretches)
    distance = max(max(sizes.values(), default=0) // POINTS, 1)
    for log in logs:
        yield from (zxid[zxid % distance == 0] for zxid in (stretch.columns.zxid for stretch in log.outline.stretches))


def _ends(logs: Sequence[Log]) -> Iterator[Ints]:
    """The zxids around the first and the last one of each epoch in each log."""
    for log in logs:
        spans: dict[int, list[int]] = defaultdict(list)
        for zxid in (stretch.columns.zxid for stretch in log.outline.stretches):
            edges = np.append(0, np.flatnonzero(np.diff(zxid >> 32)) + 1)
            for begin, end in pairwise([*edges.tolist(), zxid.size]):
                spans[int(zxid[begin]) >> 32] += [int(zxid[begin]), int(zxid[end - 1])]
        for found in spans.values():
            yield from (np.arange(min(found), min(found) + NEAR), np.arange(max(found) - NEAR, max(found)) + 1)


def _first_of_each_kind(logs: Sequence[Log]) -> Iterator[Ints]:
    """The zxid of the first record of each op code in each part of a log: releases differ in those that they can read."""
    for columns in (stretch.columns for log in logs for stretch in log.outline.stretches):
        yield columns.zxid[np.unique(columns.type, return_index=True)[1]]


def _sessions(logs: Sequence[Log]) -> pl.DataFrame:
    """Per session: how many records these logs have of it, and the first and the last zxid."""
    parts = [stretch.columns for log in logs for stretch in log.outline.stretches]
    counted = [
        pl.DataFrame({"session": part.session, "zxid": part.zxid})
        .group_by("session")
        .agg(records=pl.len().cast(pl.Int64), first=pl.col("zxid").min(), last=pl.col("zxid").max())
        for part in parts
    ]
    empty = pl.DataFrame(schema={"session": pl.Int64, "records": pl.Int64, "first": pl.Int64, "last": pl.Int64})
    return pl.concat([empty, *counted]).group_by("session").agg(pl.sum("records"), pl.min("first"), pl.max("last"))


def _of_interest(trace: Trace, logs: Iterable[Outline]) -> Iterator[Ints]:
    """zxids of reconfigurations, and of the records of sessions that a client history names."""
    sessions = np.unique(_values(trace.client_ops, "session"))
    for columns in (stretch.columns for log in logs for stretch in log.stretches):
        yield columns.zxid[columns.type == RECONFIG]
        if sessions.size:
            yield columns.zxid[np.isin(columns.session, sessions)]


def _last_committed(trace: Trace, logs: Sequence[Outline]) -> Iterator[Ints]:
    """Per log and epoch the last creation of a session that a server says it has committed: what is below is committed too."""
    told = trace.fields.get("session_committed")
    sessions = np.unique(_values(told, "session")) if told is not None else np.zeros(0, np.int64)
    for columns in (stretch.columns for log in logs for stretch in log.stretches if sessions.size):
        zxid = np.sort(columns.zxid[(columns.type == CREATE_SESSION) & np.isin(columns.session, sessions)])
        yield zxid[np.append(np.diff(zxid >> 32) > 0, True)[: zxid.size]]


def _decoded(log: Log, kept: Kept, folded: Folded) -> Tables:
    """The records of one log that stay, as tables."""
    place = {"server": log.server, "copy": log.copy, "source": log.source.name}
    if not kept.offset.size:
        return Tables(*map(schema.frame, TABLES))
    part = records_at(log.source, kept.offset, kept.length)
    counted = part.txns.select("offset", "zxid").with_columns(skipped=pl.Series(kept.skipped)).filter(pl.col("skipped") > 0)
    ops = [
        [{"op": opcodes.name(code), "count": count} for code, count in folded.types[zxid].items()] for zxid in counted.get_column("zxid")
    ]
    folds = counted.with_columns(pl.Series("ops", ops, dtype=schema.types(schema.FOLDS)["ops"]))
    return Tables(*(schema.conform(table, df, **place) for table, df in zip(TABLES, (part.txns, part.ops, folds), strict=True)))
