"""Who held which write, in each saved copy of each server.

Strategy: per copy the zxids asked for are joined with the records below and above them; what stands there says whether the
record is there, is certainly not, or may be hidden in what was not logged. Neighbouring zxids of one answer are one row.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from zabtrace import schema
from zabtrace.replay.disks import COPY, chains
from zabtrace.replay.history import History
from zabtrace.replay.learned import learned
from zabtrace.zxid import text

IN_FORCE, HIDDEN, COVERED, ABSENT, UNKNOWN = "in force", "hidden", "covered", "absent", "unknown"
WHYS = {
    "in force": "Its record is in the log and in force.",
    "hidden": "Its record is in the log, but a history received from another server hides it ({hidden_by}).",
    "covered": "Its record is in the log, and the snapshot {covered_by} includes it.",
    "passed": "The log goes from {below} to {above}, without it.",
    "received": "Between {below} and {above} the server received a snapshot: it may hold it.",
    "missing": "Between {below} and {above} records are missing.",
    "ended": "The history ends at {last}, below it.",
    "based": "The log ends at {below}; the snapshot {base} may hold it.",
    "early": "The log begins at {above}, above it; the snapshot {base} may hold it.",
    "begun": "The log begins at {above}, above it, and no snapshot reaches it.",
    "damaged": "The log ends at {below} or is damaged there: it may have held more.",
    "bare": "No record and no snapshot reaches it.",
}
MEANS = {
    "in force": IN_FORCE, "hidden": HIDDEN, "covered": COVERED, "passed": ABSENT, "ended": ABSENT, "received": UNKNOWN,
    "missing": UNKNOWN, "based": UNKNOWN, "early": UNKNOWN, "begun": UNKNOWN, "damaged": UNKNOWN, "bare": ABSENT,
}  # fmt: skip
BETWEEN = {"epoch": "passed", "import": "received"}
"""What the step over a zxid says (``replay.disks``); any other step leaves it open."""


def held(history: History, zxids: pl.Series) -> pl.DataFrame:
    """schema.HELD for these zxids (ascending), per server and copy."""
    if zxids.is_empty():
        return schema.frame(schema.HELD)
    chain = chains(history.trace, *learned(history)).sort("zxid")
    damaged = set(history.trace.damage.filter(pl.col("harm") == "data").select(COPY).iter_rows())
    rows: list[dict[str, Any]] = []
    for disk in history.disks.iter_rows(named=True):
        own = chain.filter((pl.col("server") == disk["server"]) & (pl.col("copy") == disk["copy"]))
        rows += _runs(disk, zxids, own, (disk["server"], disk["copy"]) in damaged)
    return schema.frame(schema.HELD, rows)


def _runs(disk: dict[str, Any], zxids: pl.Series, own: pl.DataFrame, damaged: bool) -> Iterator[dict[str, Any]]:
    """One row per run of zxids of which the copy says the same."""
    said = _said(disk, zxids, own, damaged)
    same = pl.struct("case", "source", "hidden_by", "covered_by").rle_id()
    runs = said.group_by(same.alias("run"), maintain_order=True).agg(
        pl.col("zxid").min().alias("from"),
        pl.col("zxid").max().alias("to"),
        pl.len().alias("count"),
        pl.exclude("zxid").first(),
    )
    for run in runs.iter_rows(named=True):
        words = {name: text(value) if isinstance(value, int) else "" for name, value in run.items()}
        words |= {"last": _text(disk["last_zxid"]), "base": _text(disk["base_zxid"])}
        yield {
            "server": disk["server"],
            "copy": disk["copy"],
            "source": run["source"] or disk["base_source"],
            "held": MEANS[run["case"]],
            "why": WHYS[run["case"]].format(**words),
            **{key: run[key] for key in ("from", "to", "count", "offset")},
        }


def _text(value: int | None) -> str:
    return "nothing" if value is None else text(value)


def _said(disk: dict[str, Any], zxids: pl.Series, own: pl.DataFrame, damaged: bool) -> pl.DataFrame:
    """Per zxid the case (a key of WHYS) with its record and its neighbours' zxids."""
    keys = zxids.alias("zxid").to_frame()
    record = own.unique("zxid", keep="first", maintain_order=True).select("zxid", "source", "offset", "hidden_by", "covered_by")
    around = keys.join(record, on="zxid", how="left", maintain_order="left")
    around = around.join_asof(own.select(zxid="zxid", below="zxid"), on="zxid", strategy="backward")
    above = own.unique("zxid", keep="first", maintain_order=True).select(zxid="zxid", above="zxid", step="step", previous="previous")
    around = around.join_asof(above, on="zxid", strategy="forward")
    return around.with_columns(case=_case(disk, damaged))


def _case(disk: dict[str, Any], damaged: bool) -> pl.Expr:
    """The first that applies."""
    last, base = disk["last_zxid"], disk["base_zxid"]
    z, below, above = pl.col("zxid"), pl.col("below"), pl.col("above")
    based = pl.lit(base is not None) & (z <= (base if base is not None else 0))
    adjacent = pl.col("previous") == below
    step = pl.col("step").replace_strict(BETWEEN, default="missing", return_dtype=pl.String)
    between = pl.when(adjacent).then(step).otherwise(pl.lit("missing"))
    return (
        pl.when(pl.col("source").is_not_null() & pl.col("hidden_by").is_not_null())
        .then(pl.lit("hidden"))
        .when(pl.col("source").is_not_null() & pl.col("covered_by").is_not_null())
        .then(pl.lit("covered"))
        .when(pl.col("source").is_not_null())
        .then(pl.lit("in force"))
        .when(below.is_not_null() & above.is_not_null())
        .then(between)
        .when(below.is_null() & above.is_not_null())
        .then(pl.when(based).then(pl.lit("early")).otherwise(pl.lit("begun")))
        .when(based)
        .then(pl.lit("based"))
        .when(pl.lit(damaged))
        .then(pl.lit("damaged"))
        .otherwise(pl.lit("bare" if last is None else "ended"))
    )
