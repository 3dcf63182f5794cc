"""Physical lines to records: a line the layout matches begins one, the lines behind it belong to it.

Strategy: the layout's pattern runs over the column of a block. What it does not match is tried with the other layouts if it
begins with a stamp (an upgrade changes the layout in the middle of a file), is damaged if it shows the tail of a record's
head, and continues the record above otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from zabtrace import schema
from zabtrace.grammar.layouts import Layout, layouts
from zabtrace.logs.loggers import is_foreign

_STAMP = r"\A\[?[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:"
_CUT_HEAD = r"@[0-9]+\](?:\[[^\]]*\])? - "
_CUT_VOTE = r"\A[^\t]*(?:\(n\.(?:leader|zxid|round|state|sid|peerE[pP]och)\)|n\.(?:leader|round|peerEpoch):[-0x])"
_UNREADABLE = "[\\x00\ufffd]"
RECORD = {"line": pl.Int64, **dict.fromkeys(("stamp", "level", "thread", "logger", "myid", "message"), pl.String)}
CONTINUED = {"owner": pl.Int64, "trace": pl.String, "continued": pl.Int64}


@dataclass(frozen=True)
class Records:
    """Of one block: its records, its continuation lines summed up per record, how many lines are foreign and which are damaged."""

    records: pl.DataFrame
    continued: pl.DataFrame
    foreign: int
    damaged: list[int]


def split(lines: pl.DataFrame, layout: Layout | None, owner: int | None) -> Records:
    """Records of a block of lines (line, text); ``owner`` is the line of the record that the block's first lines continue."""
    records = _records(lines, layout)
    others = _without(lines, records)
    spoiled = others.filter(_damaged(layout))
    starts = records.select("line", pl.col("line").alias("owner"))
    before = pl.lit(owner, dtype=pl.Int64)
    owned = _without(others, spoiled).join_asof(starts, on="line", strategy="backward").with_columns(pl.col("owner").fill_null(before))
    foreign = owned["owner"].null_count()
    return Records(records, _summed(owned.drop_nulls("owner").rename({"text": "trace"}), pl.len()), foreign, spoiled["line"].to_list())


def _summed(lines: pl.DataFrame, size: pl.Expr) -> pl.DataFrame:
    return lines.group_by("owner", maintain_order=True).agg(pl.col("trace").first(), size.cast(pl.Int64).alias("continued"))


def _without(lines: pl.DataFrame, taken: pl.DataFrame) -> pl.DataFrame:
    return lines.join(taken.select("line"), on="line", how="anti", maintain_order="left") if taken.height else lines


def _damaged(layout: Layout | None) -> pl.Expr:
    """Lines that hold bytes no log holds, or the rear part of a record's first line (two processes wrote into one file)."""
    text = pl.col("text").str
    unreadable = text.contains(_UNREADABLE)
    return unreadable if layout is None else unreadable | text.contains(_CUT_HEAD) | text.contains(_CUT_VOTE)


def _records(lines: pl.DataFrame, layout: Layout | None) -> pl.DataFrame:
    if layout is None:
        return pl.DataFrame(schema=RECORD)
    found = [_matched(lines, layout)]
    rest = _without(lines, found[0]).filter(pl.col("text").str.contains(_STAMP))
    for other in layouts().values():
        if rest.height and other.name != layout.name:
            found.append(_matched(rest, other))
            rest = _without(rest, found[-1])
    return pl.concat(found).sort("line") if len(found) > 1 else found[0]


def _matched(lines: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    groups = pl.col("text").str.extract_groups(layout.pattern).alias("found")
    named = lines.select("line", groups).unnest("found").drop_nulls("time").rename({"time": "stamp"})
    columns = [pl.col(name) if name in named.columns else pl.lit(None, dtype=dtype).alias(name) for name, dtype in RECORD.items()]
    return named.select(columns).with_columns(pl.col("message").fill_null(""))


def finished(records: pl.DataFrame, continued: pl.DataFrame, zone: str) -> pl.DataFrame:
    """Records with their time in UTC, the last part of the logger, the sid of the myid field, ``foreign``, ``trace`` and ``continued``."""
    names = records["logger"].unique().drop_nulls().to_list()
    foreign = pl.Series([name for name in names if is_foreign(name)], dtype=pl.String)
    columns = (
        "line", _time(zone), "level", "thread",
        pl.col("logger").str.split(".").list.last(),
        pl.col("myid").str.extract(r":([0-9]+)\]").cast(pl.Int64, strict=False).alias("my_sid"),
        "message",
        pl.col("logger").is_in(foreign.implode()).fill_null(False).alias("foreign"),
    )  # fmt: skip
    whole = _summed(continued, pl.col("continued").sum())
    joined = records.select(columns).join(whole, left_on="line", right_on="owner", how="left", maintain_order="left")
    return joined.with_columns(pl.col("continued").fill_null(0))


def _time(zone: str) -> pl.Expr:
    plain = pl.col("stamp").str.replace("T", " ", literal=True).str.replace(".", ",", literal=True)
    local = plain.str.to_datetime("%Y-%m-%d %H:%M:%S,%3f", time_unit="ms", strict=False)
    # An hour that occurs twice is taken for the earlier one; one that a clock change leaves out cannot have been printed.
    zoned = local.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return zoned.dt.convert_time_zone("UTC").cast(schema.TIME).alias("time")
