"""What a log says about who wrote it: the sids in its thread names, its myid field and its own words, and the version."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import polars as pl

_THREADS = (
    r"\[myid=([0-9]+)\]",  # QuorumPeer[myid=1], WorkerReceiver[myid=1], QuorumConnectionThread-[myid=1]-3
    # the threads of the pipeline, where 0 stands for a standalone server
    r"\A(?:SyncThread|CommitProcessor|FollowerRequestProcessor|ObserverRequestProcessor):([1-9][0-9]*)\z",
    r"\AProcessThread\(sid:([1-9][0-9]*)",
)
_OWN_WORDS = ("server_start", "election_listener_up", "fle_new_election")
_VERSION = r"([0-9]+\.[0-9]+\.[0-9]+)"


def sids(records: pl.DataFrame, fields: Mapping[str, pl.DataFrame]) -> Counter[int]:
    """Sids with the number of records that show them (records: thread, my_sid, foreign; fields per kind)."""
    threads = records.filter(~pl.col("foreign")).group_by("thread").len()
    shown = pl.coalesce(pl.col("thread").str.extract(pattern) for pattern in _THREADS).cast(pl.Int64, strict=False).alias("sid")
    words = [fields[kind]["my_sid"] for kind in _OWN_WORDS if kind in fields and "my_sid" in fields[kind].columns]
    counted = pl.concat([records["my_sid"], *words]).value_counts(name="len").rename({"my_sid": "sid"})
    both = pl.concat([threads.select(shown, pl.col("len").cast(pl.Int64)), counted.select("sid", pl.col("len").cast(pl.Int64))])
    return Counter(dict(both.drop_nulls("sid").group_by("sid").agg(pl.col("len").sum()).sort("sid").iter_rows()))


def version(fields: Mapping[str, pl.DataFrame]) -> str | None:
    """The last ``zookeeper.version`` a server printed, three numbers only."""
    if "environment" not in fields:
        return None
    found = fields["environment"].filter(pl.col("key") == "zookeeper.version")["value"].str.extract(_VERSION).drop_nulls()
    return str(found[-1]) if found.len() else None
