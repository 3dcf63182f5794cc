"""Writes that only text tells of, on the axis of zxids: a dotted line from the first to the last zxid, at the time of its line."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import plotly.graph_objects as go
import polars as pl

from zabtrace import wording, zxid
from zabtrace.charts.looks import FATES, Look
from zabtrace.charts.progress import Mark, Scale
from zabtrace.fates.judgement import Judgement
from zabtrace.replay.history import History


def ranges(history: History, judgement: Judgement, scale: Scale, names: wording.Names) -> Iterable[go.Scatter]:
    """One trace per fate that occurs; a range whose line has no time is left to the tables."""
    rows = [row for row in judgement.ranges.to_dicts() if row["from"] is not None and row["evidence"]]
    times = _printed(history, [_place(row) for row in rows])
    low, high = (scale.place(pl.DataFrame({"zxid": [_end(row, end) for row in rows]}, {"zxid": pl.Int64})) for end in ("from", "to"))
    spans = [(row, times.get(_place(row)), *ys) for row, *ys in zip(rows, low["y"], high["y"], strict=True)]
    for fate, look in FATES.items():
        drawn = [(row, time, *ys) for row, time, *ys in spans if time is not None and row["fate"] == fate]
        if drawn:
            yield _lines(f"{fate} (text only)", look, drawn, names)


def _end(row: dict[str, Any], end: str) -> int:
    number: int = row["from"] if row[end] is None else row[end]
    return number


def _place(row: dict[str, Any]) -> tuple[Any, Any]:
    return row["evidence"][0]["source"], row["evidence"][0]["line"]


def _printed(history: History, places: list[tuple[Any, Any]]) -> dict[tuple[Any, Any], datetime]:
    """When the lines at these places were printed."""
    wanted = pl.DataFrame(places, schema={"source": pl.String, "line": pl.Int64}, orient="row")
    lines = history.trace.lines.select("source", "line", "time").join(wanted, on=["source", "line"], how="semi").drop_nulls()
    return {(source, line): time for source, line, time in lines.iter_rows()}


def _lines(name: str, look: Look, drawn: list[Any], names: wording.Names) -> go.Scatter:
    marks = [_mark(row, names) for row, *_ in drawn]
    moments = [round(time.timestamp() * 1000) for _, time, *_ in drawn]
    return go.Scatter(
        name=name, mode="lines+markers", connectgaps=False, hoverinfo="text",
        x=[x for moment in moments for x in (moment, moment, None)], y=[y for *_, low, high in drawn for y in (low, high, None)],
        hovertext=[text for mark in marks for text in (mark.text, mark.text, "")],
        customdata=[data for mark in marks for data in (mark.data, mark.data, None)],
        line={"color": look.colour, "width": 3, "dash": "dot"}, marker={"color": look.colour, "symbol": look.shape, "size": 9},
    )  # fmt: skip


def _mark(row: dict[str, Any], names: wording.Names) -> Mark:
    last = "" if row["to"] is None else f" to {zxid.text(row['to'])}"
    heading = f"{zxid.text(row['from'])}{last} {row['fate']}, server {names.name(row['server'])}"
    return Mark(heading, row["why"] or "", tuple(wording.place(item) for item in row["evidence"]), zxid.text(row["from"]))
