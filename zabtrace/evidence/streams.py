"""Records of transaction logs and znodes of snapshots, file by file and part by part: listings need no more memory for larger files.

Strategy: which of several saved states a file belongs to is told by their contents; only where a server has several are its files
read for that, and only what tells it is kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import polars as pl

from zabtrace import schema
from zabtrace.evidence import dumped
from zabtrace.evidence.copies import number_copies, states
from zabtrace.evidence.entry import Entry
from zabtrace.evidence.kinds import SNAPSHOT, SNAPSHOT_DUMP, TXN_DUMP, TXN_LOG
from zabtrace.evidence.trace import Trace
from zabtrace.records import TxnLog, TxnLogRead, read_snapshot, read_znodes

TELLING = ("zxid", "payload_hash")
"""Columns of TXNS that tell two saved states apart."""


def settle_copies(entries: list[Entry]) -> None:
    """Set ``copy`` of every data file."""
    several = {server for server, count in Counter(state.server for state in states(entries)).items() if count > 1}
    for entry in entries:
        if entry.server in several and entry.kind == TXN_LOG:
            entry.txns = _telling(entry)
        elif entry.server in several and entry.kind == SNAPSHOT:
            entry.snapshot = read_snapshot(entry.source, digest=False)
    number_copies(entries)


def _telling(entry: Entry) -> TxnLogRead:
    log = TxnLog(entry.source)
    parts = [part.txns.select(TELLING) for part in log]
    txns = pl.concat(parts) if parts else schema.frame(schema.TXNS).select(TELLING)
    return TxnLogRead(txns, schema.frame(schema.TXN_OPS), log.file(), log.damage())


def records(entries: list[Entry], head: Trace) -> Iterator[Trace]:
    """``head``, and it with the records of each part of each log in turn; behind the last part of a log with what is damaged in it.

    ``payload_hash`` is null: nothing that is listed needs it.
    """
    yield head
    for entry in entries:
        if entry.kind == TXN_LOG:
            log = TxnLog(entry.source, hashed=False)
            for part in log:
                yield replace(head, txns=_placed(schema.TXNS, part.txns, entry), ops=_placed(schema.TXN_OPS, part.ops, entry))
            yield replace(head, damage=_placed(schema.DAMAGE, log.damage(), entry))
        elif entry.kind == TXN_DUMP:
            yield from dumped.parts(entry, head)


def znodes(entries: list[Entry]) -> Iterator[pl.DataFrame]:
    """An empty ZNODES, and that of each part of each snapshot in turn."""
    yield schema.frame(schema.ZNODES)
    for entry in entries:
        if entry.kind == SNAPSHOT:
            yield from (_placed(schema.ZNODES, part, entry) for part in read_znodes(entry.source))
        elif entry.kind == SNAPSHOT_DUMP:
            yield dumped.znodes(entry)


def _placed(table: tuple[schema.Column, ...], df: pl.DataFrame, entry: Entry) -> pl.DataFrame:
    return schema.conform(table, df, server=entry.server, copy=entry.copy)
