"""One lane per server: its roles, pauses, elections won and synchronizations.

Strategy: a few intervals are bars with patterns; many are one thick line per role with gaps, which a browser draws at once.
A time of which nothing was read is drawn as unknown, never left blank as if nothing had happened.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import plotly.graph_objects as go
import polars as pl

from zabtrace import wording
from zabtrace.charts.aligning import SHIFT
from zabtrace.charts.looks import MODES, PAUSE, ROLES, Look, said
from zabtrace.charts.progress import POINTS, Mark, milliseconds, points
from zabtrace.replay.history import History

BARS = 600
"""So many intervals are drawn as bars."""
INTERVALS = 5000
PAUSES = ("jvm_pause", "txnlog_fsync_slow")
"""Kinds of lines that tell of a pause just before them, with its ``ms``."""


def servers(history: History) -> list[int]:
    """The servers of the evidence and the voters it names, the lowest sid first."""
    known = {*history.trace.servers["server"], *history.roles["server"], *history.config_at().voters}
    return sorted(known, key=lambda server: (server < 0, abs(server)))


def lane(server: int, names: wording.Names) -> str:
    """What a server's lane is called."""
    return said(f"server {names.name(server)}")


def roles(history: History, names: wording.Names) -> Iterable[go.Bar | go.Scatter]:
    """One trace per role that occurs; the text of a bar is the epoch a leader served in."""
    shown = history.roles.filter(pl.col("start").is_not_null() & pl.col("end").is_not_null()).head(INTERVALS)
    shown = pl.concat([shown, _unread(history, shown)], how="diagonal")
    for role, look in ROLES.items():
        rows = shown.filter(pl.col("role") == role)
        if rows.height:
            yield _bars(role, look, rows, names) if shown.height <= BARS else _line(role, look, rows, names)


def _unread(history: History, shown: pl.DataFrame) -> pl.DataFrame:
    """Servers without a line that tells their role, over all the time that others tell of."""
    silent = [server for server in servers(history) if server not in set(shown["server"])]
    span = {"role": "UNKNOWN", "start": shown["start"].min(), "end": shown["end"].max()}
    rows = [{"server": server, **span} for server in silent] if shown.height else []
    return pl.DataFrame(rows, schema={name: shown.schema[name] for name in ("server", "role", "start", "end")})


def _bars(role: str, look: Look, df: pl.DataFrame, names: wording.Names) -> go.Bar:
    rows = df.to_dicts()
    marks = [_role(row, names) for row in rows]
    return go.Bar(
        name=role, orientation="h", base=milliseconds(df["start"]), x=_lengths(df), y=[lane(row["server"], names) for row in rows],
        text=[_epoch_of(row) for row in rows], textposition="inside", insidetextanchor="middle", constraintext="none", textangle=0,
        hovertext=[mark.text for mark in marks], hoverinfo="text", customdata=[mark.data for mark in marks], width=0.62,
        marker=_filled(look),
    )  # fmt: skip


def _lengths(df: pl.DataFrame) -> list[float]:
    """Milliseconds; an interval of no length is still drawn."""
    lasted: list[float] = (df["end"].to_physical() - df["start"].to_physical()).clip(lower_bound=1).cast(pl.Float64).to_list()
    return lasted


def _filled(look: Look) -> dict[str, Any]:
    return {"color": look.colour, "pattern": {"shape": look.shape, "fgcolor": "rgba(0,0,0,0.45)", "size": 6}, "line": {"width": 0}}


def _line(role: str, look: Look, df: pl.DataFrame, names: wording.Names) -> go.Scatter:
    """All intervals of a role as one line: start, end, gap."""
    x, y, texts, data = [], [], [], []
    for row, start, end in zip(df.to_dicts(), milliseconds(df["start"]), milliseconds(df["end"]), strict=True):
        mark, name = _role(row, names), lane(row["server"], names)
        x += [start, end, None]
        y += [name, name, None]
        texts += [mark.text, mark.text, ""]
        data += [mark.data, mark.data, None]
    return go.Scatter(
        name=role, mode="lines", x=x, y=y, hovertext=texts, hoverinfo="text", customdata=data, connectgaps=False,
        line={"color": look.colour, "width": 18, "dash": "solid"},
    )  # fmt: skip


def _epoch_of(row: Mapping[str, Any]) -> str:
    return f"e{row['epoch']}" if row["role"] == "LEADING" and row["epoch"] is not None else ""


def _role(row: Mapping[str, Any], names: wording.Names) -> Mark:
    parts = [_lasted(row)]
    if row["leader"] is not None and row["role"] in ("FOLLOWING", "OBSERVING"):
        parts.append(f"leader {names.name(row['leader'])}")
    if row["epoch"] is not None:
        parts.append(f"epoch {row['epoch']}")
    ends = [{"source": row[f"{end}source"], "line": row[f"{end}line"]} for end in ("", "end_") if row[f"{end}source"]]
    parts += [] if ends else ["no line tells what it was"]
    return Mark(f"server {names.name(row['server'])} {row['role']}", ", ".join(parts), tuple(wording.place(end) for end in ends))


def _lasted(row: Mapping[str, Any]) -> str:
    """From when to when, by the server's own clock."""
    ahead = timedelta(milliseconds=row.get(SHIFT) or 0)
    own = " to ".join(str(wording.moment(row[end] - ahead)) for end in ("start", "end"))
    return f"{own} by its own clock" if ahead else own


def silences(paused: pl.DataFrame | None, names: wording.Names) -> Iterable[go.Bar]:
    """Times in which a server printed nothing and was given up by others (PAUSES)."""
    if paused is not None and paused.height:
        rows = paused.head(POINTS).to_dicts()
        marks = [_silence(row, names) for row in rows]
        yield go.Bar(
            name="printed nothing: paused", orientation="h", base=milliseconds(paused["start"].head(POINTS)),
            x=[float(_ms(row)) for row in rows], y=[lane(row["server"], names) for row in rows], width=0.3, marker=_filled(PAUSE),
            hovertext=[mark.text for mark in marks], hoverinfo="text", customdata=[mark.data for mark in marks],
        )  # fmt: skip


def _silence(row: Mapping[str, Any], names: wording.Names) -> Mark:
    said = f"It printed nothing for {wording.duration(_ms(row))}, and only then saw that others had given it up."
    return Mark(f"server {names.name(row['server'])} was paused", said, (wording.place(row),))


def _ms(row: Mapping[str, Any]) -> int:
    lasted: timedelta = row["end"] - row["start"]
    return round(lasted.total_seconds() * 1000)


def pauses(history: History, names: wording.Names) -> Iterable[go.Bar]:
    """Pauses that a server itself reported: the time before the line, as long as the line says."""
    found = history.trace.events(*PAUSES).filter(pl.col("ms").is_not_null() & pl.col("time").is_not_null()).head(POINTS)
    rows = found.to_dicts()
    if rows:
        marks = [
            Mark(f"server {names.name(row['server'])} paused for {row['ms']} ms", row["message"], (wording.place(row),)) for row in rows
        ]
        yield go.Bar(
            name="pause", orientation="h", base=[end - row["ms"] for end, row in zip(milliseconds(found["time"]), rows, strict=True)],
            x=[float(row["ms"]) for row in rows], y=[lane(row["server"], names) for row in rows], width=0.3, marker=_filled(PAUSE),
            hovertext=[mark.text for mark in marks], hoverinfo="text", customdata=[mark.data for mark in marks],
        )  # fmt: skip


def elections(history: History, names: wording.Names) -> Iterable[go.Scatter]:
    """A star on the winner's lane where a vote ended."""
    ended = pl.col("leader").is_not_null() & pl.col("end").is_not_null() & pl.col("kind").is_in(["vote", "handover"])
    won = history.elections.filter(ended).head(POINTS)
    rows = won.to_dicts()
    if rows:
        marks = [
            Mark(f"election {row['election']}: server {names.name(row['leader'])} wins", row["why"] or "", (wording.place(row),))
            for row in rows
        ]
        lanes = [lane(row["leader"], names) for row in rows]
        yield points("elected", Look("#111111", "star"), milliseconds(won["end"]), lanes, marks, size=13, meta="ink")


def syncs(history: History, names: wording.Names) -> Iterable[go.Scatter]:
    """A symbol on the learner's lane for each synchronization, by mode."""
    timed = history.syncs.filter(pl.col("time").is_not_null())
    for mode, look in MODES.items():
        found = timed.filter(pl.col("mode").str.starts_with(mode)).head(POINTS)
        rows = found.to_dicts()
        if rows:
            marks = [
                Mark(f"{row['mode']} from server {names.name(row['leader'])}", row["why"] or "", (wording.place(row),)) for row in rows
            ]
            yield points(f"sync {mode}", look, milliseconds(found["time"]), [lane(row["learner"], names) for row in rows], marks)


def until(history: History) -> list[datetime]:
    """First and last moment that any role tells of; empty without roles."""
    ends = (history.roles["start"].min(), history.roles["end"].max())
    return [time for time in ends if isinstance(time, datetime)]
