"""What a log says about who wrote it: the sids in its thread names, its myid field and its own words, and the version."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from zabtrace.logs.events import Told

_THREADS = (
    r"\[myid=([0-9]+)\]",  # QuorumPeer[myid=1], WorkerReceiver[myid=1], QuorumConnectionThread-[myid=1]-3
    # the threads of the pipeline, where 0 stands for a standalone server
    r"\A(?:SyncThread|CommitProcessor|FollowerRequestProcessor|ObserverRequestProcessor):([1-9][0-9]*)\z",
    r"\AProcessThread\(sid:([1-9][0-9]*)",
)
_SPEAKING = r"myid=|sid:|\A(?:SyncThread|CommitProcessor|[A-Z][a-z]+RequestProcessor):"
_OWN_WORDS = ("server_start", "election_listener_up", "fle_new_election")
_PROPERTIES = "environment"
TELLING = (*_OWN_WORDS, _PROPERTIES)
"""The kinds whose fields tell who wrote a log."""
_VERSION = r"([0-9]+\.[0-9]+\.[0-9]+)"


def speaking(texts: pl.Series) -> pl.Series:
    """May these texts hold a thread's name that holds a sid?"""
    return texts.str.contains(_SPEAKING).fill_null(False)


def of_threads(threads: pl.Series) -> pl.Series:
    """The sid that each thread's name holds, or null."""
    rows = speaking(threads).arg_true()
    named = threads.gather(rows).alias("thread").to_frame()
    sid = named.select(pl.coalesce(pl.col("thread").str.extract(pattern) for pattern in _THREADS).cast(pl.Int64, strict=False))
    return pl.Series([None], dtype=pl.Int64).new_from_index(0, threads.len()).scatter(rows, sid.to_series())


def sids(told: Told) -> Counter[int]:
    """Sids with the number of records of a batch that show them."""
    heads = told.heads.select("my_sid", "thread_sid", "foreign", len=told.per_head(told.counts.records))
    threads = heads.filter(~pl.col("foreign")).select(pl.col("thread_sid").alias("sid"), "len")
    counts = heads.select(pl.col("my_sid").alias("sid"), "len")
    words = [frame.select(pl.col("my_sid").alias("sid"), pl.Series("len", told.counts.records[frame["line"].to_numpy()]))
             for kind in _OWN_WORDS if (frame := told.said.fields.get(kind)) is not None and "my_sid" in frame.columns]  # fmt: skip
    both = pl.concat([threads, counts, *words]).drop_nulls("sid").filter(pl.col("len") > 0)
    return Counter(dict(both.group_by("sid").agg(pl.col("len").sum()).sort("sid").iter_rows()))


def property_of(told: Told, name: str) -> str | None:
    """The last value of a system property that a server printed at its start."""
    fields = told.said.fields.get(_PROPERTIES)
    values = fields.filter(pl.col("key") == name) if fields is not None else None
    if values is None or values.is_empty():
        return None
    last = told.counts.last[values["line"].to_numpy()]
    return str(values["value"][int(np.argmax(last)) if last.any() else -1])


def version(told: Told) -> str | None:
    """The last ``zookeeper.version`` a server printed, three numbers only."""
    printed = property_of(told, "zookeeper.version")
    return pl.Series([printed], dtype=pl.String).str.extract(_VERSION)[0] if printed is not None else None
