"""Charts of a History. The only module that knows plotly; every chart is a function in CHARTS that returns a figure's JSON.

Strategy: what a role or a fate looks like is one row of a table, so that colour, pattern and symbol are the same everywhere and
no two differ by colour alone (colours after Okabe and Ito). Text from the evidence is escaped: plotly takes it for HTML.
"""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import plotly.graph_objects as go
import polars as pl
from plotly.offline import get_plotlyjs
from plotly.subplots import make_subplots

from zabtrace import wording, zxid
from zabtrace.fates.judgement import Judgement
from zabtrace.replay.history import History

POINTS = 2000
"""Points per line at most: more cannot be told apart on a screen."""
INTERVALS = 5000


@dataclass(frozen=True)
class Look:
    """Colour, and what tells it apart without colour: a pattern (bars) or symbol (points)."""

    colour: str
    shape: str = ""


ROLES = {
    "LEADING": Look("#0072B2"),
    "FOLLOWING": Look("#8CC5E8"),
    "OBSERVING": Look("#C9B8DA", "."),
    "LOOKING": Look("#E69F00", "/"),
    "STARTING": Look("#F0E442", "-"),
    "DOWN": Look("#B5B5B5", "x"),
    "UNKNOWN": Look("#E4E4E4", "\\"),
}
FATES = {
    "recovered": Look("#009E73", "circle-open"),
    "truncated": Look("#D55E00", "triangle-down"),
    "shadowed": Look("#A04A85", "diamond-open"),
    "pending": Look("#0072B2", "square-open"),
    "undecided": Look("#8A7A00", "hexagon-open"),
    "lost": Look("#C00000", "x"),
    "diverged": Look("#000000", "cross"),
}
MODES = {"DIFF": Look("#1B6B4A", "triangle-up"), "TRUNC": Look("#D55E00", "triangle-down"), "SNAP": Look("#A04A85", "square")}
SERVER_LINES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#5A5A5A")
BAND = ("rgba(0,114,178,0.07)", "rgba(0,0,0,0)")


def script() -> str:
    """plotly's own JavaScript, to be inlined."""
    return str(get_plotlyjs())


def said(text: object) -> str:
    """Text as plotly may show it: no markup of its own, no control characters, not longer than a screen."""
    return html.escape(wording.plain(text)[:400])


def timeline(history: History, judgement: Judgement) -> go.Figure:
    """Roles of each server in a lane, above the zxids that each one logged; times as the servers' own clocks told them."""
    names = wording.Names.of(history.trace.servers)
    lanes = _lanes(history, names)
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.09, row_heights=[0.42, 0.58])
    traces = [*_roles(history, names), *_elections(history, names), *_syncs(history, names)]
    figure.add_traces(traces, rows=[1] * len(traces), cols=[1] * len(traces))
    scale = Scale.of(history, judgement)
    progress = [*_progress(history, names, scale), *_fates(judgement, scale)]
    figure.add_traces(progress, rows=[2] * len(progress), cols=[1] * len(progress))
    _epoch_bands(figure, history)
    _laid_out(figure, lanes, scale)
    if clocks_apart(history) is not None:  # one axis would show two specks with nothing between them
        figure.update_xaxes(matches=None, showticklabels=True)
        figure.update_shapes(yref="y domain")
    return figure


def clocks_apart(history: History) -> str | None:
    """A sentence where no record's time lies within the time of the logs: then their clocks or zones differ."""
    logs = [time for time in (history.roles["start"].min(), history.roles["end"].max()) if isinstance(time, datetime)]
    times = history.trace.txns.filter(pl.col("time").to_physical().is_between(*wording.CALENDAR))["time"]
    records = [time for time in (times.min(), times.max()) if isinstance(time, datetime)]
    if len(logs) < 2 or len(records) < 2 or (records[0] <= logs[1] and logs[0] <= records[1]):
        return None
    return (
        f"The logs tell of {wording.moment(logs[0])} to {wording.moment(logs[1])}, the records were written from "
        f"{wording.moment(records[0])} to {wording.moment(records[1])}: --timezone tells in which zone the log stamps are."
    )


def _lanes(history: History, names: wording.Names) -> list[str]:
    """One lane per server of the evidence, the lowest sid on top."""
    known = {*history.trace.servers["server"], *history.roles["server"]}
    return [lane(server, names) for server in sorted(known, key=lambda server: (server < 0, abs(server)))]


def lane(server: int, names: wording.Names) -> str:
    """What a server's lane is called."""
    return said(f"server {names.name(server)}")


def _roles(history: History, names: wording.Names) -> Iterable[go.Bar]:
    """One bar trace per role that occurs; a bar is one interval, its text the epoch a leader served in."""
    shown = history.roles.filter(pl.col("start").is_not_null() & pl.col("end").is_not_null()).head(INTERVALS)
    for role, look in ROLES.items():
        rows = shown.filter(pl.col("role") == role).to_dicts()
        if rows:
            yield go.Bar(
                name=role, orientation="h", base=[row["start"] for row in rows], x=[_length(row) for row in rows],
                y=[lane(row["server"], names) for row in rows], text=[_epoch_of(row) for row in rows], textposition="inside",
                insidetextanchor="middle", constraintext="none", textangle=0,
                hovertext=[_role_says(row, names) for row in rows], hoverinfo="text", width=0.62, marker=_bar(look),
            )  # fmt: skip


def _bar(look: Look) -> dict[str, Any]:
    return {"color": look.colour, "pattern": {"shape": look.shape, "fgcolor": "rgba(0,0,0,0.45)", "size": 6}, "line": {"width": 0}}


def _length(row: dict[str, Any]) -> float:
    """Milliseconds; an interval of no length is still drawn."""
    return max(float((row["end"] - row["start"]) / timedelta(milliseconds=1)), 1.0)


def _epoch_of(row: dict[str, Any]) -> str:
    return f"e{row['epoch']}" if row["role"] == "LEADING" and row["epoch"] is not None else ""


def _role_says(row: dict[str, Any], names: wording.Names) -> str:
    parts = [
        f"<b>server {said(names.name(row['server']))} {row['role']}</b>",
        f"{wording.moment(row['start'])} to {wording.moment(row['end'])}",
    ]
    if row["leader"] is not None and row["role"] in ("FOLLOWING", "OBSERVING"):
        parts.append(f"leader {said(names.name(row['leader']))}")
    if row["epoch"] is not None:
        parts.append(f"epoch {row['epoch']}")
    return "<br>".join([*parts, said(wording.place(row))])


def _points(name: str, look: Look, times: list[Any], ys: list[Any], texts: list[str], **more: Any) -> go.Scatter:
    marker = {
        "color": look.colour,
        "symbol": look.shape,
        "size": more.pop("size", 11),
        "line": {"width": more.pop("edge", 1), "color": look.colour},
    }
    return go.Scatter(name=name, mode="markers", x=times, y=ys, hovertext=texts, hoverinfo="text", marker=marker, **more)


def _elections(history: History, names: wording.Names) -> Iterable[go.Scatter]:
    """A star on the winner's lane where a vote ended."""
    won = (
        history.elections.filter(pl.col("leader").is_not_null() & pl.col("end").is_not_null() & (pl.col("kind") != "join"))
        .head(POINTS)
        .to_dicts()
    )
    if won:
        texts = [
            f"<b>election {row['election']}: server {said(names.name(row['leader']))} wins</b><br>{said(row['why'] or '')}" for row in won
        ]
        yield _points(
            "elected", Look("#111111", "star"), [row["end"] for row in won], [lane(row["leader"], names) for row in won], texts, size=13
        )


def _syncs(history: History, names: wording.Names) -> Iterable[go.Scatter]:
    """A symbol on the learner's lane for each synchronization, by mode."""
    timed = history.syncs.filter(pl.col("time").is_not_null())
    for mode, look in MODES.items():
        rows = timed.filter(pl.col("mode").str.starts_with(mode)).head(POINTS).to_dicts()
        if rows:
            texts = [
                f"<b>{said(row['mode'])} from server {said(names.name(row['leader']))}</b><br>{said(row['why'] or '')}" for row in rows
            ]
            yield _points(f"sync {mode}", look, [row["time"] for row in rows], [lane(row["learner"], names) for row in rows], texts)


def _epoch_bands(figure: go.Figure, history: History) -> None:
    """Each established epoch as a band over both charts, named at the top."""
    spans = history.epochs.filter((pl.col("status") == "established") & pl.col("established").is_not_null() & pl.col("ended").is_not_null())
    for number, row in enumerate(spans.tail(100).iter_rows(named=True)):
        x = {"x0": row["established"], "x1": row["ended"], "xref": "x", "yref": "paper", "y0": 0, "y1": 1}
        figure.add_shape(type="rect", layer="below", line={"width": 0.5, "color": "rgba(0,0,0,0.35)"}, fillcolor=BAND[number % 2], **x)
        figure.add_annotation(
            x=row["established"], xref="x", y=1, yref="paper", xanchor="left", yanchor="bottom",
            text=f"epoch {row['epoch']}", showarrow=False, font={"size": 11},
        )  # fmt: skip


@dataclass(frozen=True)
class Scale:
    """The zxid axis: counters, epoch above epoch, without the gaps between them."""

    bases: dict[int, tuple[int, int]]
    """epoch -> (height at which it begins, counter that stands there)."""

    @classmethod
    def of(cls, history: History, judgement: Judgement) -> Scale:
        """The scale on which all zxids of the records and of the verdict fit."""
        seen = pl.concat([history.trace.txns.select("zxid"), judgement.writes.select("zxid")]).drop_nulls()
        spans = (
            seen.select(zxid.epoch_of("zxid").alias("epoch"), zxid.counter_of("zxid").alias("counter"))
            .group_by("epoch").agg(pl.col("counter").min().alias("low"), pl.col("counter").max().alias("high")).sort("epoch")
        )  # fmt: skip
        bases: dict[int, tuple[int, int]] = {}
        height = 0
        for epoch, low, high in spans.iter_rows():
            bases[epoch] = (height, low)
            height += high - low + 1 + max(1, (high - low) // 20)
        return cls(bases)

    def place(self, df: pl.DataFrame) -> pl.DataFrame:
        """``df`` with the height of each zxid as column ``y``."""
        table = {"epoch": list(self.bases), "base": [b for b, _ in self.bases.values()], "low": [low for _, low in self.bases.values()]}
        bases = pl.DataFrame(table, schema={"epoch": pl.Int64, "base": pl.Int64, "low": pl.Int64})
        joined = df.with_columns(zxid.epoch_of("zxid").alias("epoch")).join(bases, on="epoch", how="left", maintain_order="left")
        return joined.with_columns((pl.col("base") + zxid.counter_of("zxid") - pl.col("low")).alias("y"))

    def ticks(self) -> dict[str, Any]:
        """Where each epoch begins, as zxid; at most twenty of them."""
        every = math.ceil(len(self.bases) / 20) or 1
        chosen = list(self.bases.items())[::every]
        return {"tickvals": [base for _, (base, _) in chosen], "ticktext": [zxid.text(zxid.make(epoch, low)) for epoch, (_, low) in chosen]}


def _progress(history: History, names: wording.Names, scale: Scale) -> Iterable[go.Scatter]:
    """What each newest disk holds, over the time of the records; lines of later servers are thinner, so that all are seen."""
    timed = history.trace.txns.filter((pl.col("copy") == 0) & pl.col("time").to_physical().is_between(*wording.CALENDAR))
    servers = sorted(timed["server"].unique())
    step = min(3.0, 8 / max(len(servers), 1))
    for number, server in enumerate(servers):
        line = _thinned(scale.place(timed.filter(pl.col("server") == server).select("zxid", "time")))
        yield go.Scatter(
            name=said(f"log of {names.name(server)}"), mode="lines", x=line["time"].to_list(), y=line["y"].to_list(),
            hovertext=wording.hexadecimal(line["zxid"]).to_list(), hoverinfo="text+name",
            line={"color": SERVER_LINES[number % len(SERVER_LINES)], "width": 2 + step * (len(servers) - 1 - number), "shape": "hv"},
        )  # fmt: skip


def _thinned(df: pl.DataFrame) -> pl.DataFrame:
    """At most POINTS rows, evenly taken, the last one among them."""
    every = math.ceil(df.height / (POINTS - 1)) or 1
    rows = pl.int_range(pl.len())
    return df.filter((rows % every == 0) | (rows == pl.len() - 1))


def _fates(judgement: Judgement, scale: Scale) -> Iterable[go.Scatter]:
    """Every write that did not plainly survive, at its time and zxid, with a symbol of its fate."""
    timed = judgement.writes.filter(pl.col("time").to_physical().is_between(*wording.CALENDAR))
    for fate, look in FATES.items():
        chosen = timed.filter(pl.col("fate") == fate)
        rows = _thinned(scale.place(chosen)).to_dicts()
        if rows:
            texts = [
                f"<b>{zxid.text(row['zxid'])} {fate}</b><br>{said(row['op'] or '')} {said(row['path'] or '')}<br>{said(row['why'] or '')}"
                for row in rows
            ]
            yield _points(f"{fate} ({chosen.height})", look, [row["time"] for row in rows], [row["y"] for row in rows], texts, edge=2)


def _laid_out(figure: go.Figure, lanes: list[str], scale: Scale) -> None:
    figure.update_layout(
        template="plotly_white", barmode="overlay", bargap=0.2, height=430 + 46 * max(len(lanes), 2),
        margin={"l": 8, "r": 8, "t": 56, "b": 8},
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0, "font": {"size": 12}, "itemwidth": 30},
        hoverlabel={"align": "left"}, font={"family": "system-ui, sans-serif", "size": 12, "color": "#1f2933"},
    )  # fmt: skip
    figure.update_yaxes(row=1, col=1, categoryorder="array", categoryarray=lanes[::-1], range=[-0.5, len(lanes) - 0.5], automargin=True)
    figure.update_yaxes(row=2, col=1, automargin=True, title=None, **scale.ticks())
    figure.update_xaxes(type="date", showgrid=True, tickformatstops=None)
    figure.update_xaxes(row=2, col=1, automargin=True)


CHARTS: dict[str, Callable[[History, Judgement], go.Figure]] = {"timeline": timeline}


def figure_json(name: str, history: History, judgement: Judgement) -> str:
    """A chart as JSON that can stand in a script block: no ``<`` is left in it."""
    return str(CHARTS[name](history, judgement).to_json()).replace("<", "\\u003c")
