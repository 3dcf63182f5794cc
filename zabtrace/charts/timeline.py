"""The timeline: lanes of the servers, zxids, and the write rate, one above the other over one axis of time."""

from __future__ import annotations

from datetime import datetime

import plotly.graph_objects as go
import polars as pl
from plotly.subplots import make_subplots

from zabtrace import schema, wording
from zabtrace.charts import lanes, progress
from zabtrace.charts.looks import BAND
from zabtrace.charts.ranges import ranges
from zabtrace.fates.judgement import Judgement
from zabtrace.replay.history import History

BANDS = 60
"""So many epochs at most are drawn as bands, the newest."""


def timeline(history: History, judgement: Judgement, paused: pl.DataFrame | None = None) -> go.Figure:
    """Roles of each server in a lane, above the zxids that each one logged; times as given (``aligning``: on one clock)."""
    names = wording.Names.of(history.trace.servers)
    shown = [lanes.lane(server, names) for server in lanes.servers(history)]
    figure = make_subplots(rows=3, cols=1, shared_xaxes=True, vertical_spacing=0.06, row_heights=[0.38, 0.46, 0.16])
    scale, records = progress.Scale.of(history, judgement), progress.timed(history)
    panels = (
        [
            *lanes.roles(history, names),
            *lanes.silences(paused, names),
            *lanes.pauses(history, names),
            *lanes.elections(history, names),
            *lanes.syncs(history, names),
        ],
        [*progress.progress(records, names, scale), *progress.fates(judgement, scale), *ranges(history, judgement, scale, names)],
        list(progress.rate(records)),
    )
    for row, traces in enumerate(panels, 1):
        figure.add_traces(traces, rows=[row] * len(traces), cols=[1] * len(traces))
    _epoch_bands(figure, history)
    _laid_out(figure, shown, scale)
    if clocks_apart(history) is not None:  # one axis would show two specks with nothing between them
        figure.update_xaxes(row=1, col=1, matches=None, showticklabels=True)
        figure.update_shapes(yref="y domain")
    return figure


def clocks_apart(history: History) -> str | None:
    """A sentence where no record's time lies within the time of the logs: then their clocks or zones differ."""
    logs = lanes.until(history)
    times = history.trace.txns.filter(pl.col("time").to_physical().is_between(*schema.CALENDAR))["time"]
    records = [time for time in (times.min(), times.max()) if isinstance(time, datetime)]
    if len(logs) < 2 or len(records) < 2 or (records[0] <= logs[1] and logs[0] <= records[1]):
        return None
    return (
        f"The logs tell of {wording.moment(logs[0])} to {wording.moment(logs[1])}, the records were written from "
        f"{wording.moment(records[0])} to {wording.moment(records[1])}: --timezone tells in which zone the log stamps are."
    )


def _epoch_bands(figure: go.Figure, history: History) -> None:
    """Each established epoch as a band over the charts, named at the top."""
    spans = history.epochs.filter((pl.col("status") == "established") & pl.col("established").is_not_null() & pl.col("ended").is_not_null())
    for number, row in enumerate(spans.tail(BANDS).iter_rows(named=True)):
        x = {"x0": row["established"], "x1": row["ended"], "xref": "x", "yref": "paper", "y0": 0, "y1": 1}
        figure.add_shape(type="rect", layer="below", line={"width": 0.5, "color": "rgba(128,128,128,0.6)"}, fillcolor=BAND[number % 2], **x)
        if spans.height <= BANDS // 2:
            figure.add_annotation(
                x=row["established"], xref="x", y=1, yref="paper", xanchor="left", yanchor="bottom",
                text=f"epoch {row['epoch']}", showarrow=False, font={"size": 11},
            )  # fmt: skip


def _laid_out(figure: go.Figure, shown: list[str], scale: progress.Scale) -> None:
    figure.update_layout(
        template="plotly_white", barmode="overlay", bargap=0.2, height=500 + 46 * max(len(shown), 2), hovermode="closest",
        margin={"l": 8, "r": 8, "t": 56, "b": 8}, dragmode="zoom",
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0, "font": {"size": 12}, "itemwidth": 30},
        hoverlabel={"align": "left"}, font={"family": "system-ui, sans-serif", "size": 12, "color": "#1f2933"},
    )  # fmt: skip
    figure.update_yaxes(row=1, col=1, categoryorder="array", categoryarray=shown[::-1], range=[-0.5, len(shown) - 0.5], automargin=True)
    figure.update_yaxes(row=2, col=1, automargin=True, title=None, **scale.ticks())
    figure.update_yaxes(row=3, col=1, automargin=True, title={"text": "writes/s"}, rangemode="tozero", nticks=4)
    figure.update_xaxes(type="date", showgrid=True, tickformatstops=None)
    figure.update_xaxes(row=3, col=1, automargin=True)
