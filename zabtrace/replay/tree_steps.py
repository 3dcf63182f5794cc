"""The records of one copy as the steps of a replay, in the order in which a server applies them.

Strategy: columns until the last moment: members of multis become steps of their own before the record that holds them, failed
multis and errors none, so that the loop over steps decides nothing.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import polars as pl

from zabtrace.evidence.trace import Trace
from zabtrace.records import opcodes
from zabtrace.replay.tree_nodes import Step
from zabtrace.replay.tree_rules import Rules
from zabtrace.zxid import counter_of, epoch_of

SLICE = 50_000
PLACE = ("server", "copy", "source", "offset")
_BODY = ("path", "data_offset", "data_len", "version", "parent_cversion", "ephemeral", "ttl", "acl")
_HEAD = ("zxid", "time", "session")
COLUMNS = ("type", *_HEAD, *_BODY, "paths", "timeout", "source", "offset", "digest")
NONE = 0
"""Type of a step that changes nothing."""


def ordered(trace: Trace, server: int, copy: int) -> pl.DataFrame:
    """The whole records of a copy in file order with ``previous`` and ``gap``: something is missing before it, or it goes back.

    Order as FileTxnLog's iterator: files by the number in their name, records as they lie there. A record logged again after a sync
    that was broken off stays where it lies first: applying it twice changes nothing more.
    """
    mine = (pl.col("server") == server) & (pl.col("copy") == copy)
    names = trace.txn_files.filter(mine).select("source", "name_zxid")
    previous = pl.col("zxid").shift(1)
    next_one = (pl.col("zxid") == previous + 1) | (pl.col("zxid") == previous)
    new_epoch = (epoch_of("zxid") > epoch_of(previous)) & (counter_of("zxid") == 1)
    return (
        trace.txns.filter(mine & pl.col("checksum_ok").fill_null(True))
        .join(names, on="source", how="left", maintain_order="left")
        .sort("name_zxid", "source", "offset", maintain_order=True)
        .unique(subset=["zxid", "payload_hash"], keep="first", maintain_order=True)
        .with_columns(previous=previous, gap=~(next_one | new_epoch).fill_null(True))
        .with_row_index("row")
    )


def steps(records: pl.DataFrame, ops: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """COLUMNS of the records (of ``ordered``) and of the members of their multis; the record's own step comes last, with its digest."""
    places = records.filter(pl.col("op") == "multi").select("server", "copy", "source", "offset", "row", "time", "session", "failed")
    members = ops.join(places, on=list(PLACE), how="inner").filter(~pl.col("failed"))
    refused = pl.when(~pl.col("type").is_in(list(rules.members))).then(pl.col("index")).min().over("row")
    members = members.filter(refused.is_null() | (pl.col("index") < refused))
    whole = records.with_columns(
        index=pl.lit(1 << 40, dtype=pl.Int64),
        type=pl.when(pl.col("failed") | (pl.col("type") == opcodes.MULTI)).then(pl.lit(NONE)).otherwise("type"),
    )
    joined = pl.concat([members.drop("failed"), whole], how="diagonal").sort("row", "index")
    return joined.with_columns(pl.col("time").dt.epoch("ms").fill_null(0)).select(COLUMNS)


def each(table: pl.DataFrame) -> Iterator[tuple[Step, str, int, int | None]]:
    """Every step with the place of its record and the stored digest (null for members)."""
    for part in table.iter_slices(SLICE):
        columns = [series.to_list() for series in part.get_columns()]
        for (
            kind,
            zxid,
            time,
            session,
            path,
            at,
            size,
            version,
            cversion,
            ephemeral,
            ttl,
            acl,
            paths,
            timeout,
            source,
            offset,
            digest,
        ) in zip(*columns, strict=True):
            data = None if at is None else (source, at, size)
            step = Step(kind, zxid, time, session, path, data, version, cversion, ephemeral, ttl, acl, paths, timeout)
            yield step, source, offset, digest


@contextmanager
def uncollected() -> Iterator[None]:
    """Without Python's collector of cycles: a tree has none, and walking millions of live nodes again and again finds nothing."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
