"""Charts of a History. The only package that knows plotly; every chart is a function in CHARTS that returns a figure."""

from __future__ import annotations

from collections.abc import Callable

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from zabtrace.charts.details import incidents
from zabtrace.charts.timeline import clocks_apart, timeline
from zabtrace.fates.judgement import Judgement
from zabtrace.replay.history import History

__all__ = ["CHARTS", "clocks_apart", "figure_json", "incidents", "script", "timeline"]

CHARTS: dict[str, Callable[[History, Judgement], go.Figure]] = {"timeline": timeline}


def script() -> str:
    """plotly's own JavaScript, to be inlined."""
    return str(get_plotlyjs())


def figure_json(name: str, history: History, judgement: Judgement) -> str:
    """A chart as JSON that can stand in a script block: no ``<`` is left in it."""
    return str(CHARTS[name](history, judgement).to_json()).replace("<", "\\u003c")
