"""The lane chart of terminals: one row of letters per server, one letter per stretch of time.

Strategy: a letter is the role that filled most of its stretch, but an election is never hidden by what stood around it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from zabtrace import wording
from zabtrace.charts.aligning import aligned
from zabtrace.incidents.alignment import Alignment
from zabtrace.render.screen import Block, Chart, Span
from zabtrace.replay.history import History

SCREEN = 80
"""Names and letters of a row: a terminal cuts off what is longer, and the end of the story with it."""
HEAD = 24
"""Longest name of a lane."""
LETTERS = {
    "LEADING": ("L", "bold blue"),
    "FOLLOWING": ("f", "cyan"),
    "OBSERVING": ("o", "magenta"),
    "LOOKING": ("E", "bold yellow"),
    "STARTING": ("s", "dim yellow"),
    "DOWN": (".", "dim"),
    "UNKNOWN": ("?", "dim"),
}
"""Letter and style of each role."""
SAID = "L leads, f follows, o observes, E elects, s starts, . down, ? unknown"
OWN_CLOCKS = Alignment()
NOTHING = (" ", "")
BARS = "no writes"
"""Name of the lane below all servers."""
BARRED = ("x", "bold red")


def blocks(given: History, how: Alignment = OWN_CLOCKS) -> list[Block]:
    """The chart, times brought to one clock, and a sentence where they had to be; nothing where no line tells a role."""
    history = aligned(given, how)
    roles = history.roles.filter(pl.col("start").is_not_null() & pl.col("end").is_not_null())
    if roles.is_empty():
        return []
    moments = [moment for moment in (roles["start"].min(), roles["end"].max()) if isinstance(moment, datetime)]
    start, end = moments[0], moments[-1]
    names = wording.Names.of(history.trace.servers)
    named = {server: _named(server, names) for server in sorted(set(roles["server"]))}
    head = max(map(len, [*named.values(), *([BARS] if history.unavailable else [])]))
    width = SCREEN - head - 2
    cells = _cells(roles, start, end, width)
    lanes = [(name, _lane(cells, server, width)) for server, name in named.items()]
    if history.unavailable:
        lanes.append((BARS, _barred(history, start, end, width)))
    rows = [[(f"{name.ljust(head)}  ", ""), *spans] for name, spans in lanes]
    stretch = wording.duration(round((end - start) / width / timedelta(milliseconds=1)))
    left, right = wording.moment(start) or "", wording.moment(end) or ""
    axis = " " * (head + 2) + left + right.rjust(width - len(left))
    said = [SAID, f"x no write was possible; one letter: {stretch}", *(how.said(names, roles["server"]) if how.shifts else ())]
    return [Chart("Timeline", [*rows, [(axis, "dim")], *([(line, "dim")] for line in said)])]


def _named(server: int, names: wording.Names) -> str:
    name = wording.plain(f"server {names.name(server)}")
    return name if len(name) <= HEAD else f"{name[: HEAD - 1]}…"


def _cells(roles: pl.DataFrame, start: datetime, end: datetime, width: int) -> pl.DataFrame:
    """server, cell, role: what each cell of each lane shows."""
    whole = max((end - start) // timedelta(milliseconds=1), 1)
    # In whole numbers: a time is counted in parts of which `whole` make a cell.
    begun, ended = ((pl.col(name) - start).dt.total_milliseconds() * width for name in ("start", "end"))
    touched = roles.select("server", "role", begun.alias("begun"), ended.alias("ended"))
    reach = pl.int_ranges(pl.col("begun") // whole, pl.col("ended") // whole + 1).alias("cell")
    each = touched.with_columns(reach).explode("cell").filter(pl.col("cell") < width)
    inside = pl.min_horizontal("ended", (pl.col("cell") + 1) * whole) - pl.max_horizontal("begun", pl.col("cell") * whole)
    filled = each.with_columns(inside.alias("part")).group_by("server", "cell", "role").agg(pl.col("part").sum())
    first = (pl.col("role") == "LOOKING") & (pl.col("part") > 0)
    return filled.sort(first, "part", "role", descending=[True, True, False]).unique(["server", "cell"], keep="first", maintain_order=True)


def _lane(cells: pl.DataFrame, server: int, width: int) -> list[Span]:
    shown = dict(cells.filter(pl.col("server") == server).select("cell", "role").iter_rows())
    return _joined([LETTERS[shown[cell]] if cell in shown else NOTHING for cell in range(width)])


def _barred(history: History, start: datetime, end: datetime, width: int) -> list[Span]:
    """The windows in which no write was possible."""
    cell = (end - start) / width or timedelta(milliseconds=1)
    windows = [(out.start, out.end or end) for out in history.unavailable]
    timed = [(low, high) for low, high in windows if isinstance(low, datetime) and isinstance(high, datetime)]
    reach = [(max((low - start) // cell, 0), min((high - start) // cell, width - 1)) for low, high in timed]
    barred = {number for low, high in reach for number in range(low, high + 1)}
    return _joined([BARRED if number in barred else NOTHING for number in range(width)])


def _joined(letters: list[Span]) -> list[Span]:
    """Neighbours of one style as one span."""
    spans: list[Span] = []
    for text, style in letters:
        if spans and spans[-1][1] == style:
            spans[-1] = (spans[-1][0] + text, style)
        else:
            spans.append((text, style))
    return spans
