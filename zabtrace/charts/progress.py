"""zxids over time: what each log holds, how fast it grew, and the writes that did not plainly survive.

Strategy: a line has at most POINTS points and a rate at most BINS bins, however long the history; around incidents (``details``) the
same is drawn again from every record. A mark keeps its evidence in ``customdata``: (heading, sentence, places).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import plotly.graph_objects as go
import polars as pl

from zabtrace import schema, wording, zxid
from zabtrace.charts.looks import FATES, SERVER_LINES, Look, said
from zabtrace.fates.judgement import Judgement
from zabtrace.replay.history import History

POINTS = 2000
"""Points per line at most: more cannot be told apart on a screen."""
BINS = 240


@dataclass(frozen=True)
class Scale:
    """The zxid axis: counters, epoch above epoch, without the gaps between them."""

    bases: dict[int, tuple[int, int]]
    """epoch -> (height at which it begins, counter that stands there)."""

    @classmethod
    def of(cls, history: History, judgement: Judgement) -> Scale:
        """The scale on which all zxids of the records and of the verdict fit."""
        told = [judgement.ranges.select(zxid=end) for end in ("from", "to")]
        seen = pl.concat([history.trace.txns.select("zxid"), judgement.writes.select("zxid"), *told]).drop_nulls()
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


def timed(history: History) -> pl.DataFrame:
    """The records of the newest disks whose time a calendar has; ``n``: how many one stands for, itself included (Trace.folds)."""
    found = history.trace.txns.lazy().filter((pl.col("copy") == 0) & pl.col("time").to_physical().is_between(*schema.CALENDAR)).select(
        "server", "zxid", "time", "source", "offset"
    ).collect()  # fmt: skip
    if found.filter(pl.col("zxid").diff().over("server") <= 0).height:  # a learner that was interrupted logs the same records again
        found = found.unique(["server", "zxid"], keep="first", maintain_order=True)
    folds = history.trace.folds.select("source", "offset", "skipped")
    if folds.is_empty():
        return found.select("server", "zxid", "time", n=pl.lit(1, pl.UInt32))
    joined = found.join(folds, on=["source", "offset"], how="left", maintain_order="left")
    return joined.select("server", "zxid", "time", n=(pl.col("skipped").fill_null(0) + 1).cast(pl.UInt32))


def progress(records: pl.DataFrame, names: wording.Names, scale: Scale) -> Iterable[go.Scatter]:
    """What each newest disk holds, over the time of the records; lines of later servers are thinner, so that all are seen."""
    servers = sorted(records["server"].unique())
    step = min(3.0, 8 / max(len(servers), 1))
    for number, server in enumerate(servers):
        line = scale.place(thinned(records.filter(pl.col("server") == server).select("zxid", "time")))
        yield go.Scatter(
            name=said(f"log of {names.name(server)}"), mode="lines", x=milliseconds(line["time"]), y=line["y"].to_list(),
            hovertext=wording.hexadecimal(line["zxid"]).to_list(), hoverinfo="text+name",
            customdata=[[zxid, f"in the log of server {said(names.name(server))}", [], zxid] for zxid in wording.hexadecimal(line["zxid"])],
            line={"color": SERVER_LINES[number % len(SERVER_LINES)], "width": 2 + step * (len(servers) - 1 - number), "shape": "hv"},
        )  # fmt: skip


def milliseconds(times: pl.Series) -> list[int]:
    """Times as ms since 1970: shorter than text, and plotly's own unit."""
    return times.to_physical().to_list()


def thinned(df: pl.DataFrame, points: int = POINTS) -> pl.DataFrame:
    """At most ``points`` rows, evenly taken, the last one among them."""
    every = math.ceil(df.height / (points - 1)) or 1
    rows = pl.int_range(pl.len())
    return df.filter((rows % every == 0) | (rows == pl.len() - 1))


def rate(records: pl.DataFrame) -> Iterable[go.Scatter]:
    """Writes per second: in each bin as many as the fullest log has, so that a write in several logs counts once."""
    bins = binned(records)
    if bins is not None:
        width, table = bins
        yield go.Scatter(
            name="writes per second", mode="lines", x=table["bin"].to_list(), y=(table["records"] * 1000 / width).to_list(),
            line={"color": "#5A7D9A", "width": 1, "shape": "hv"}, fill="tozeroy", hoverinfo="x+y+name",
        )  # fmt: skip


def binned(records: pl.DataFrame) -> tuple[int, pl.DataFrame] | None:
    """(width in ms, rows ``bin, records``); bins without a record are there as zeros. None without records."""
    times = records["time"].to_physical()
    low, high = times.min(), times.max()
    if not isinstance(low, int) or not isinstance(high, int):
        return None
    width = max(math.ceil((high - low + 1) / BINS), 10)
    start = (pl.col("time").to_physical() - low) // width * width + low
    number = pl.col("n").sum() if "n" in records.columns else pl.len()
    counted = (
        records.group_by(start.alias("bin"), "server").agg(number.alias("n")).group_by("bin").agg(pl.col("n").max().alias("records"))
    )
    every = pl.DataFrame({"bin": range(low, high + width + 1, width)}, schema={"bin": pl.Int64})
    return width, every.join(counted, on="bin", how="left").fill_null(0).sort("bin")


def fates(judgement: Judgement, scale: Scale) -> Iterable[go.Scatter]:
    """Every write that did not plainly survive, at its time and zxid, with a symbol of its fate."""
    found = judgement.writes.filter(pl.col("time").to_physical().is_between(*schema.CALENDAR) & (pl.col("fate") != "survived"))
    for fate, look in FATES.items():
        chosen = found.filter(pl.col("fate") == fate)
        rows = scale.place(thinned(chosen, POINTS // 4)).to_dicts()
        if rows:
            yield points(
                f"{fate} ({chosen.height})", look, [_ms(row["time"]) for row in rows], [row["y"] for row in rows],
                [_write(row, fate) for row in rows], edge=2,
            )  # fmt: skip


def _ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)


def _write(row: dict[str, Any], fate: str) -> Mark:
    heading = f"{zxid.text(row['zxid'])} {fate}"
    sentence = f"{row['op'] or ''} {row['path'] or ''}: {row['why'] or ''}"
    return Mark(heading, sentence, tuple(wording.place(item) for item in row["evidence"] or ()), zxid.text(row["zxid"]))


@dataclass(frozen=True)
class Mark:
    """What a mark says when pointed at, and the evidence that is shown when it is clicked."""

    heading: str
    sentence: str = ""
    places: tuple[str, ...] = ()
    zxid: str | None = None

    @property
    def text(self) -> str:
        """For plotly, which takes it for HTML."""
        return "<br>".join(filter(None, (f"<b>{said(self.heading)}</b>", said(self.sentence))))

    @property
    def data(self) -> list[Any]:
        """For the panel, which takes it for text."""
        return [wording.plain(self.heading), wording.plain(self.sentence)[:2000], list(self.places[:20]), self.zxid]


def points(name: str, look: Look, times: list[Any], ys: list[Any], marks: list[Mark], **more: Any) -> go.Scatter:
    """Marks of one look."""
    line = {"width": more.pop("edge", 1), "color": look.colour}
    marker = {"color": look.colour, "symbol": look.shape, "size": more.pop("size", 11), "line": line}
    return go.Scatter(
        name=name, mode="markers", x=times, y=ys, hovertext=[mark.text for mark in marks], hoverinfo="text",
        customdata=[mark.data for mark in marks], marker=marker, **more,
    )  # fmt: skip
