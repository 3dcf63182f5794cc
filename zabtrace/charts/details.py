"""Incidents: where to look, and every record around the worst of them for the moment when somebody does.

Strategy: outages, votes, and synchronizations that discarded something, merged where they touch. The timeline itself is thinned
(``progress``); ``lines`` of an incident are not, and are drawn only when it is chosen.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import polars as pl

from zabtrace import wording, zxid
from zabtrace.charts import progress
from zabtrace.charts.looks import said
from zabtrace.fates.judgement import Judgement
from zabtrace.replay.history import History

MOST = 200
DETAILED = 20
"""So many incidents have every record around them, the longest ones."""
RECORDS = 2000
"""Records per server in one incident."""
AROUND = 0.25
"""Share of an incident's length that is shown on both sides of it, and at least a second."""


def incidents(history: History, judgement: Judgement) -> list[dict[str, Any]]:
    """``title, from, to`` (ms since 1970) and ``lines`` per server, in order of time."""
    found = _merged(sorted(_spans(history), key=lambda span: span[0]))[:MOST]
    longest = {span[0] for span in sorted(found, key=lambda span: span[0] - span[1])[:DETAILED]}
    records, names = progress.timed(history), wording.Names.of(history.trace.servers)
    thin = records.height > progress.POINTS
    scale = progress.Scale.of(history, judgement)
    rows = []
    for start, end, title in found:
        margin = max((end - start) * AROUND, timedelta(seconds=1))
        lines = _lines(records, start - margin, end + margin, names, scale) if thin and start in longest else []
        rows.append({"title": title, "from": _ms(start - margin), "to": _ms(end + margin), "lines": lines})
    return rows


def _ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)


def _spans(history: History) -> list[tuple[datetime, datetime, str]]:
    names = wording.Names.of(history.trace.servers)
    spans: list[tuple[Any, Any, str]] = [(out.start, out.end, f"no writes for {wording.duration(out.ms)}") for out in history.unavailable]
    votes = history.elections.filter(pl.col("kind") == "vote").select("start", "end", "election", "leader")
    spans += [
        (start, end, f"election {number}" + ("" if leader is None else f", {names.name(leader)} wins"))
        for start, end, number, leader in votes.iter_rows()
    ]
    gone = history.syncs.filter(pl.col("discarded_from").is_not_null() | pl.col("truncated_to").is_not_null())
    spans += [
        (row["time"], row["time"], f"server {names.name(row['learner'])}: {row['mode']}" + _to(row)) for row in gone.iter_rows(named=True)
    ]
    return [span for span in spans if isinstance(span[0], datetime) and isinstance(span[1], datetime)]


def _to(row: dict[str, Any]) -> str:
    return "" if row["truncated_to"] is None else f" to {zxid.text(row['truncated_to'])}"


def _merged(spans: list[tuple[datetime, datetime, str]]) -> list[tuple[datetime, datetime, str]]:
    """Spans that touch, as one."""
    merged: list[tuple[datetime, datetime, str]] = []
    for start, end, title in spans:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]), f"{merged[-1][2]}; {title}")
        else:
            merged.append((start, end, title))
    return [(start, end, wording.plain(title)[:120]) for start, end, title in merged]


def _lines(records: pl.DataFrame, low: datetime, high: datetime, names: wording.Names, scale: progress.Scale) -> list[dict[str, Any]]:
    near = records.filter(pl.col("time").is_between(low, high))
    lines = []
    for server in sorted(near["server"].unique()):
        line = scale.place(progress.thinned(near.filter(pl.col("server") == server).select("zxid", "time"), RECORDS))
        name = said(f"log of {names.name(server)}")
        lines.append({"name": name, "x": progress.milliseconds(line["time"]), "y": line["y"].to_list()})
    return lines
