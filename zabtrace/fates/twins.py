"""One zxid, several transactions: a row for each payload, where an epoch's number was given out twice.

Strategy: rows are made per zxid, for nearly all have one payload; the few others are taken apart at the end. What a row says of
places and answers is then of its own payload: a client's answer belongs to the record of its session, else to a transaction of
which no record was read.
"""

from __future__ import annotations

import polars as pl

from zabtrace import schema
from zabtrace.fates.case import Case

KEY = ("zxid", "payload_hash")
RECORD = ("op", "path", "session", "cxid", "time", "source", "offset", "copy", "failed")
"""What a row takes from the record of its payload."""
ANSWER = {"op": "acked_op", "path": "acked_path", "session": "acked_session"}


def one_per_payload(case: Case, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows, those of a ``contradicted`` zxid split: one per payload that was read, and one for an answered one that was not."""
    several = rows.filter("contradicted")
    if several.is_empty():
        return rows
    split = _recorded(case, several)
    return pl.concat([rows.filter(~pl.col("contradicted")), split, _unrecorded(several, split)], how="diagonal_relaxed").sort("zxid")


def _recorded(case: Case, several: pl.DataFrame) -> pl.DataFrame:
    good = case.history.trace.txns.filter(pl.col("checksum_ok").fill_null(True)).join(several, on="zxid", how="semi").sort("copy", "server")
    records = good.group_by(KEY, maintain_order=True).agg(pl.col(name).first() for name in RECORD)
    newest = case.chains.join(case.newest, on=["server", "copy"], how="semi").join(several, on="zxid", how="semi")
    places = newest.group_by(KEY).agg(on_disk_of=pl.col("server").unique().sort())
    holders = newest.group_by("zxid").agg(holders=pl.col("server").unique())
    shared = several.drop("payload_hash", *RECORD, "on_disk_of")
    rows = records.join(shared, on="zxid").join(places, on=KEY, how="left").join(holders, on="zxid", how="left")
    none = pl.lit([], dtype=pl.List(schema.INT))
    held, seen, absent = (pl.col(name).fill_null(none) for name in ("on_disk_of", "holders", "absent_from"))
    mine = pl.col("acked_session").is_null() | (pl.col("acked_session") == pl.col("session"))
    return rows.with_columns(
        on_disk_of=held, absent_from=absent.list.set_union(seen).list.set_difference(held).list.sort(), acked=pl.col("acked") & mine
    ).drop("holders")


def _unrecorded(several: pl.DataFrame, split: pl.DataFrame) -> pl.DataFrame:
    """Answered transactions whose zxid only bears records of other sessions."""
    found = split.filter("acked").get_column("zxid").unique()
    rows = several.filter(pl.col("acked") & ~pl.col("zxid").is_in(found.to_list()))
    empty = [pl.lit(None, dtype=rows.schema[name]).alias(name) for name in ("payload_hash", *RECORD)]
    holders = pl.concat_list("on_disk_of", "absent_from").list.unique().list.sort()
    emptied = rows.with_columns(holders.alias("absent_from"), pl.lit([], dtype=pl.List(schema.INT)).alias("on_disk_of"))
    return emptied.with_columns(empty).with_columns(pl.col(asked).alias(name) for name, asked in ANSWER.items())
