"""What a log says about who wrote it: the sids in its thread names, its myid field and its own words, and the version."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import polars as pl

# QuorumPeer[myid=1], WorkerReceiver[myid=1], QuorumConnectionThread-[myid=1]-3; the numbers of the pipeline's threads are 0 in a standalone server
_THREAD = r"\[myid=([0-9]+)\]|\A(?:SyncThread|CommitProcessor|FollowerRequestProcessor|ObserverRequestProcessor):([1-9][0-9]*)\z|\AProcessThread\(sid:([1-9][0-9]*)"
_OWN_WORDS = ("server_start", "election_listener_up", "fle_new_election")
_VERSION = r"([0-9]+\.[0-9]+\.[0-9]+)"


def sids(records: pl.DataFrame, fields: Mapping[str, pl.DataFrame]) -> Counter[int]:
    """Sids with the number of records that show them (records: thread, my_sid, foreign; fields per kind)."""
    threads = records.filter(~pl.col("foreign")).group_by("thread").len()
    named = threads.with_columns(pl.coalesce(pl.col("thread").str.extract(_THREAD, group) for group in (1, 2, 3)).cast(pl.Int64, strict=False).alias("sid"))
    shown = [named.select("sid", pl.col("len").cast(pl.Int64)), records.group_by(pl.col("my_sid").alias("sid")).agg(pl.len().cast(pl.Int64))]
    for kind in _OWN_WORDS:
        if kind in fields and "my_sid" in fields[kind].columns:
            shown.append(fields[kind].group_by(pl.col("my_sid").alias("sid")).agg(pl.len().cast(pl.Int64)))
    summed = pl.concat(shown).drop_nulls("sid").group_by("sid").agg(pl.col("len").sum())
    return Counter(dict(summed.sort("sid").iter_rows()))


def version(fields: Mapping[str, pl.DataFrame]) -> str | None:
    """The last ``zookeeper.version`` a server printed, three numbers only."""
    if "environment" not in fields:
        return None
    found = fields["environment"].filter(pl.col("key") == "zookeeper.version")["value"].str.extract(_VERSION).drop_nulls()
    return str(found[-1]) if found.len() else None
