"""What a log says about who wrote it: the sids in its thread names, its myid field and its own words, and the version."""

from __future__ import annotations

from collections import Counter

import polars as pl

from zabtrace.logs.events import Told

_THREADS = (
    r"\[myid=([0-9]+)\]",  # QuorumPeer[myid=1], WorkerReceiver[myid=1], QuorumConnectionThread-[myid=1]-3
    # the threads of the pipeline, where 0 stands for a standalone server
    r"\A(?:SyncThread|CommitProcessor|FollowerRequestProcessor|ObserverRequestProcessor):([1-9][0-9]*)\z",
    r"\AProcessThread\(sid:([1-9][0-9]*)",
)
_OWN_WORDS = ("server_start", "election_listener_up", "fle_new_election")
_VERSION = r"([0-9]+\.[0-9]+\.[0-9]+)"


def of_thread() -> pl.Expr:
    """The sid that the column ``thread`` names, or null."""
    return pl.coalesce(pl.col("thread").str.extract(pattern) for pattern in _THREADS).cast(pl.Int64, strict=False)


def sids(told: Told) -> Counter[int]:
    """Sids with the number of records of a batch that show them."""
    records = told.rests.select("thread", "my_sid", "foreign").with_columns(pl.Series("len", told.records()))
    threads = records.filter(~pl.col("foreign")).group_by("thread").agg(pl.col("len").sum()).select(of_thread().alias("sid"), "len")
    counts = records.select(pl.col("my_sid").alias("sid"), "len")
    words = [counts[told.said.fields[kind]["line"].to_numpy()].with_columns(told.said.fields[kind]["my_sid"].alias("sid"))
             for kind in _OWN_WORDS if kind in told.said.fields and "my_sid" in told.said.fields[kind].columns]  # fmt: skip
    both = pl.concat([threads, counts, *words]).drop_nulls("sid").filter(pl.col("len") > 0)
    return Counter(dict(both.group_by("sid").agg(pl.col("len").sum()).sort("sid").iter_rows()))


def property_of(told: Told, name: str) -> str | None:
    """The last value of a system property that a server printed at its start."""
    fields = told.said.fields.get("environment")
    if fields is None:
        return None
    codes = fields.filter(pl.col("key") == name)
    if codes.is_empty():
        return None
    rows = pl.Series(told.rows.code).is_in(codes["line"].implode()).arg_true()
    last = told.rows.code[rows[-1]] if rows.len() else codes["line"][-1]
    return str(codes.filter(pl.col("line") == int(last))["value"][0])


def version(told: Told) -> str | None:
    """The last ``zookeeper.version`` a server printed, three numbers only."""
    printed = property_of(told, "zookeeper.version")
    return pl.Series([printed], dtype=pl.String).str.extract(_VERSION)[0] if printed is not None else None
