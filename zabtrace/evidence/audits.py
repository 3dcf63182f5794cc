"""Audit logs (3.6 and newer): who asked for what, from where; apart from the servers' own logs.

Strategy: their records are LINES of the kind ``audit``, kept apart from the lines that replay reads: an audit log tells nothing of
elections, and a server of which only the audit log was read counts as one whose log was not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import polars as pl

from zabtrace import schema
from zabtrace.evidence import kinds
from zabtrace.evidence.entry import Entry
from zabtrace.evidence.trace import Trace
from zabtrace.held import Plain

KIND = "audit"


def read(entries: Iterable[Entry], keep: bool = True) -> None:
    """Read audit logs; without ``keep`` their lines are only counted."""
    from zabtrace.logs import read_log  # what lists records needs no reader of texts

    for entry in entries:
        if entry.kind == kinds.AUDIT_LOG:
            entry.audit = read_log(entry.source, entry.zone, keep=keep)


def lines(entries: Iterable[Entry]) -> Trace:
    """A Trace of nothing but the records of audit logs and their fields."""
    found = [entry for entry in entries if entry.audit is not None]
    if not found:
        return Trace()
    records = [schema.conform(schema.LINES, entry.audit.lines, server=entry.server, order=0) for entry in found if entry.audit]
    fields = [_fields(entry) for entry in found if entry.audit and KIND in entry.audit.fields]
    return Trace(held=Plain(pl.concat(records), {KIND: pl.concat(fields, how="diagonal")} if fields else {}))


def _fields(entry: Entry) -> pl.DataFrame:
    place = [pl.lit(entry.server, dtype=schema.INT).alias("server"), pl.lit(entry.source.name).alias("source")]
    assert entry.audit is not None  # noqa: S101 (asked for by the caller)
    return entry.audit.fields[KIND].select(*place, pl.all().exclude("server", "source"))


def parts(entries: Iterable[Entry], head: Trace) -> Iterator[Trace]:
    """``head`` with the records of each batch of each audit log in turn."""
    from zabtrace.logs import log_parts, read_log

    for entry in entries:
        if entry.kind == kinds.AUDIT_LOG:
            log = read_log(entry.source, entry.zone, keep=False)
            for frame, fields, _ in log_parts(entry.source, log):
                place = [pl.lit(entry.server, dtype=schema.INT).alias("server"), pl.lit(entry.source.name).alias("source")]
                placed = {kind: told.select(*place, pl.all().exclude("server", "source")) for kind, told in fields.items()}
                yield replace(head, held=Plain(schema.conform(schema.LINES, frame, server=entry.server, order=0), placed))


def joined(trace: Trace) -> Trace:
    """``trace`` with the records of audit logs among its lines, for listings."""
    audit = trace.audit
    if audit is None or audit.lines.is_empty():
        return trace
    fields = dict(trace.fields)
    for kind, told in audit.fields.items():
        fields[kind] = pl.concat([fields[kind], told], how="diagonal") if kind in fields else told
    lines_ = pl.concat([trace.lines, audit.lines]).sort("server", "order", "source", "line", nulls_last=True)
    return replace(trace, held=Plain(lines_, fields))
