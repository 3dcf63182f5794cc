"""Processes: each server's lines, cut where a new process of it begins to print.

Strategy: a process begins with QuorumPeerConfig's "Reading configuration from", or with "Starting quorum peer" where that line is
missing. A log that begins in the middle holds a process too. What ended a process is told by its own last words, if it had any.
"""

from __future__ import annotations

import polars as pl

from zabtrace import schema
from zabtrace.replay.positions import Lines, placed, within

STARTS = ("config_reading", "server_start", "standalone_start")
LAST_WORDS = ("jvm_exit", "quorum_peer_exit", "server_exit")
CUT_OFF = "no line: killed or cut off"
STILL_RUNNING = "no line: the log ends here"
_ACTIVE = ("state_", "fle_", "learner_", "sync_", "quorum_", "peer_", "follower_", "leader_", "snapshot_", "newleader", "uptodate")
_VERSION = r"(\d+\.\d+\.\d+)"


def _begins() -> pl.Expr:
    """Is this the first line of a process? In standalone mode the configuration is read twice (ZooKeeperServerMain)."""
    start = pl.when(pl.col("kind").is_in(STARTS)).then(pl.col("kind"))
    previous = start.forward_fill().shift(1).over("server")
    reading = (pl.col("kind") == "config_reading") & ~pl.col("other")
    starting = pl.col("kind").is_in(STARTS[1:]) & previous.ne_missing("config_reading")
    return ((reading & previous.ne_missing("standalone_start")) | starting).fill_null(value=False)


def spans(lines: Lines) -> pl.DataFrame:
    """One row per process: its bounds, with ``at`` and ``end_at`` of its first and last line; ``whole``: its start was seen.

    Lines above the first start are a process of their own if anything happened in them, else they belong to it.
    """
    held, columns = lines.trace.held, ("server", "source", "order", "line", "time", "kind")
    # ZKConfig and QuorumHierarchical print the same words about files of their own
    reading = lines.events("config_reading", only=("logger",))
    others = reading.filter(~pl.col("logger").fill_null("QuorumPeerConfig").str.ends_with("QuorumPeerConfig"))
    places = {server: others.filter(pl.col("server") == server)["at"].to_list() for server in held.servers()}
    none = _spans(schema.frame(schema.LINES).select(columns), [])
    return pl.concat([none, *(_spans(held.columns(*columns, server=server), at) for server, at in places.items())])


def _spans(columns: pl.DataFrame, others: list[int]) -> pl.DataFrame:
    """Of the lines of one server; ``others`` are places of lines that read another file than its configuration."""
    found = placed(columns)
    active = [kind for kind in found["kind"].drop_nulls().unique() if kind.startswith(_ACTIVE)]
    act = pl.col("kind").is_in(active).fill_null(value=False)
    found = found.with_columns(act.alias("active"), pl.col("at").is_in(others).alias("other"))
    found = found.with_columns(_begins().alias("begins"))
    found = found.with_columns(pl.col("begins").cum_sum().over("server").cast(pl.Int64).alias("process"))
    headless = ((pl.col("process") == 0) & pl.col("active")).any().over("server") | (pl.col("process").max().over("server") == 0)
    found = found.with_columns(pl.when(headless).then(pl.col("process") + 1).otherwise(pl.max_horizontal("process", 1)).alias("process"))
    first = {name: pl.col(name).first() for name in ("source", "line", "at")}
    return (
        found.group_by("server", "process", maintain_order=True)
        .agg(
            **first,
            start=pl.col("time").drop_nulls().first(),
            end=pl.col("time").drop_nulls().last(),
            end_source=pl.col("source").last(),
            end_line=pl.col("line").last(),
            end_at=pl.col("at").last(),
            whole=pl.col("begins").any(),
        )
        .sort("server", "process")
    )


def processes(lines: Lines, found: pl.DataFrame) -> pl.DataFrame:
    """PROCESSES from ``spans``: with the version each one printed (3.4 prints it after its first election) and what ended it."""
    banner = within(lines.events("environment").filter(pl.col("key") == "zookeeper.version"), found, "process")
    versions = banner.group_by("server", "process").agg(pl.col("value").str.extract(_VERSION).drop_nulls().first().alias("version"))
    words = within(lines.events(*LAST_WORDS), found, "process")
    ended = words.group_by("server", "process").agg(pl.col("message").first().alias("said"))
    last = pl.col("process") == pl.col("process").max().over("server")
    silent = pl.when(last).then(pl.lit(STILL_RUNNING)).otherwise(pl.lit(CUT_OFF))
    keys = ["server", "process"]
    joined = found.join(versions, on=keys, how="left").join(ended, on=keys, how="left").sort(keys)
    return schema.conform(schema.PROCESSES, joined.with_columns(pl.coalesce("said", silent).alias("ended_by")))
