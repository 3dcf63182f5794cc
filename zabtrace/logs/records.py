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
_CUT_HEAD = r"@[0-9]+\](?:\[[^\]]*\])? - |\A[^\t]*(?:\(n\.(?:leader|zxid|round|state|sid|peerE[pP]och)\)|n\.(?:leader|round|peerEpoch):[-0x])"
_UNREADABLE = "[\\x00\ufffd]"
RECORD = {"line": pl.Int64, "stamp": pl.String, "level": pl.String, "thread": pl.String, "logger": pl.String, "myid": pl.String, "message": pl.String}


@dataclass(frozen=True)
class Records:
    """Of one block: records, continuation lines summed up per record (owner, trace, continued), and the numbers of the other lines."""

    records: pl.DataFrame
    continued: pl.DataFrame
    foreign: pl.Series
    damaged: pl.Series


def split(lines: pl.DataFrame, layout: Layout | None, owner: int | None) -> Records:
    """Records of a block of lines (line, text); ``owner`` is the line of the record that the block's first lines continue."""
    records = _records(lines, layout)
    others = lines.join(records.select("line"), on="line", how="anti", maintain_order="left")
    spoiled = others.filter(_damaged(layout))
    plain = others.join(spoiled.select("line"), on="line", how="anti", maintain_order="left") if spoiled.height else others
    starts = records.select("line", pl.col("line").alias("owner"))
    owned = plain.join_asof(starts, on="line", strategy="backward").with_columns(pl.col("owner").fill_null(pl.lit(owner, dtype=pl.Int64)))
    continued = owned.drop_nulls("owner").group_by("owner", maintain_order=True).agg(pl.col("text").first().alias("trace"), pl.len().cast(pl.Int64).alias("continued"))
    return Records(records, continued, owned.filter(pl.col("owner").is_null())["line"], spoiled["line"])


def _damaged(layout: Layout | None) -> pl.Expr:
    """Lines that hold bytes no log holds, or the rear part of a record's first line (two processes wrote into one file)."""
    unreadable = pl.col("text").str.contains(_UNREADABLE)
    return unreadable | pl.col("text").str.contains(_CUT_HEAD) if layout is not None else unreadable


def _records(lines: pl.DataFrame, layout: Layout | None) -> pl.DataFrame:
    if layout is None:
        return pl.DataFrame(schema=RECORD)
    found = [_matched(lines, layout)]
    rest = lines.join(found[0].select("line"), on="line", how="anti", maintain_order="left").filter(pl.col("text").str.contains(_STAMP))
    for other in layouts().values():
        if rest.height and other.name != layout.name:
            found.append(_matched(rest, other))
            rest = rest.join(found[-1].select("line"), on="line", how="anti", maintain_order="left")
    return pl.concat(found).sort("line") if len(found) > 1 else found[0]


def _matched(lines: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    groups = lines.select("line", pl.col("text").str.extract_groups(layout.pattern).alias("found")).unnest("found").drop_nulls("time")
    named = groups.rename({"time": "stamp"}).with_columns(pl.col("message").fill_null(""))
    return named.select(pl.col(name) if name in named.columns else pl.lit(None, dtype=dtype).alias(name) for name, dtype in RECORD.items())


def finished(records: pl.DataFrame, zone: str) -> pl.DataFrame:
    """Records with their time in UTC, the last part of the logger as ``logger``, the sid the myid field holds, and ``foreign``."""
    full = pl.col("logger")
    names = records["logger"].unique().drop_nulls()
    foreign = names.filter(pl.Series([is_foreign(name) for name in names], dtype=pl.Boolean)) if names.len() else names
    return records.select(
        "line", _time(zone), "level", "thread",
        full.str.split(".").list.last(),
        pl.col("myid").str.extract(r":([0-9]+)\]").cast(pl.Int64, strict=False).alias("my_sid"),
        "message",
        full.is_in(foreign.implode()).alias("foreign"),
    )  # fmt: skip


def _time(zone: str) -> pl.Expr:
    plain = pl.col("stamp").str.replace("T", " ", literal=True).str.replace(".", ",", literal=True)
    local = plain.str.to_datetime("%Y-%m-%d %H:%M:%S,%3f", time_unit="ms", strict=False)
    # An hour that occurs twice is taken for the earlier one; one that a clock change leaves out cannot have been printed.
    return local.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null").dt.convert_time_zone("UTC").cast(schema.TIME).alias("time")
