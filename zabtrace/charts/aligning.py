"""A History and a Judgement as they are drawn: every time brought to one clock (``incidents.alignment``).

Strategy: each time is shifted as the clock is that it was read from: that of the server which printed the line, or, for a record, that
of the leader which made it (PrepRequestProcessor stamps transactions; all servers log the leader's stamp).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from zabtrace import schema, zxid
from zabtrace.fates.judgement import Judgement
from zabtrace.held import Plain
from zabtrace.incidents.alignment import Alignment
from zabtrace.replay.history import History, Outage
from zabtrace.replay.votes import Given

SHIFT = "shift"
"""Column of ROLES and VOTES as they are drawn: by how many ms their times are shifted."""


def aligned(history: History, how: Alignment) -> History:
    """The History with all times that are drawn on one clock."""
    if not how.shifts:
        return history
    trace = history.trace
    lines = trace.lines.with_columns(_moved("time", _by("server", how.shifts)))
    return replace(
        history,
        trace=replace(trace, held=Plain(lines, trace.fields), txns=by_leader(trace.txns, history, how)),
        roles=_shifted(history.roles, "server", how, "start", "end"),
        cast=Given(_shifted(history.votes, "seen_by", how, "time")),
        epochs=_shifted(history.epochs, "leader", how, "established", "ended").drop(SHIFT),
        elections=by_printer(history.elections, history, how, "start", "end"),
        syncs=by_printer(history.syncs, history, how, "time"),
        unavailable=tuple(_outage(out, how) for out in history.unavailable),
    )


def paused(pauses: pl.DataFrame, how: Alignment) -> pl.DataFrame:
    """PAUSES with their times on one clock."""
    return _shifted(pauses, "server", how, "start", "end") if how.shifts else pauses


def judged(judgement: Judgement, history: History, how: Alignment) -> Judgement:
    """The Judgement with the stamps of its writes on the same clock."""
    return replace(judgement, writes=by_leader(judgement.writes, history, how)) if how.shifts else judgement


def by_leader(records: pl.DataFrame, history: History, how: Alignment) -> pl.DataFrame:
    """Records (``zxid, time``), each shifted as the clock of its epoch's leader is."""
    shifts = {epoch: how.of(leader) for epoch, leader in history.epochs.select("epoch", "leader").iter_rows()}
    return records.with_columns(_moved("time", zxid.epoch_of("zxid").replace_strict(shifts, default=0, return_dtype=pl.Int64)))


def by_printer(rows: pl.DataFrame, history: History, how: Alignment, *columns: str) -> pl.DataFrame:
    """Rows that name a line, shifted as the clock of the server is that printed it."""
    return rows.with_columns(
        _moved(name, pl.Series([how.of(server) for server in printers(rows, history)], dtype=pl.Int64)) for name in columns
    )


def printers(rows: pl.DataFrame, history: History) -> list[int | None]:
    """Who printed the line that each row names (``source, line``)."""
    named = rows.select("source", "line").unique()
    lines = history.trace.lines.select("source", "line", "server").join(named, on=["source", "line"], how="semi")
    who = {(source, line): server for source, line, server in lines.iter_rows()}
    return [who.get(place) for place in rows.select("source", "line").iter_rows()]


def _shifted(rows: pl.DataFrame, server: str, how: Alignment, *columns: str) -> pl.DataFrame:
    return rows.with_columns(_by(server, how.shifts).alias(SHIFT)).with_columns(_moved(name, pl.col(SHIFT)) for name in columns)


def _by(server: str, shifts: Mapping[int, int]) -> pl.Expr:
    return pl.col(server).replace_strict(shifts, default=0, return_dtype=pl.Int64)


def _moved(column: str, ms: Any) -> pl.Expr:
    """In whole numbers: any 64 bits can stand in a record, and what no calendar has stays what it is."""
    whole = pl.col(column).to_physical()
    moved: pl.Expr = (whole + ms).cast(schema.TIME).alias(column)
    return moved


def _outage(out: Outage, how: Alignment) -> Outage:
    step = timedelta(milliseconds=how.of(out.clock))
    moved = [time + step if isinstance(time, datetime) else time for time in (out.start, out.end)]
    return replace(out, start=moved[0], end=moved[1])
