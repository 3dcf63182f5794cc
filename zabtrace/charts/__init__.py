"""Charts of a History. The only package that knows plotly; every chart is a function in CHARTS that returns a figure."""

from __future__ import annotations

from collections.abc import Callable

import plotly.graph_objects as go
import polars as pl
from plotly.offline import get_plotlyjs

from zabtrace.charts.details import incidents
from zabtrace.charts.timeline import clocks_apart, timeline
from zabtrace.fates.judgement import Judgement
from zabtrace.replay.history import History

__all__ = ["CHARTS", "clocks_apart", "figure_json", "incidents", "script", "timeline"]

CHARTS: dict[str, Callable[[History, Judgement, pl.DataFrame | None], go.Figure]] = {"timeline": timeline}


def script() -> str:
    """plotly's own JavaScript, to be inlined."""
    return str(get_plotlyjs())


def figure_json(name: str, history: History, judgement: Judgement, paused: pl.DataFrame | None = None) -> str:
    """A chart as JSON that can stand in a script block: no ``<`` is left in it. ``paused``: the table of that name, where it is known."""
    return str(CHARTS[name](history, judgement, paused).to_json()).replace("<", "\\u003c")
