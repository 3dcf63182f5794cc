"""Configurations: who had a vote, from the server lists in zoo.cfg and its dynamic files.

Strategy: each file is one opinion about the configuration of its version (config_zxid; null: static). Where opinions differ the newest
copies count, then the majority. The servers list decides who observes; peerType only repeats it (QuorumPeerConfig falls back to the list).
"""

from __future__ import annotations

from collections import Counter

import polars as pl

from zabtrace.evidence.trace import Trace
from zabtrace.protocol.quorum import Config
from zabtrace.zxid import epoch_of

Opinion = frozenset[tuple[int, bool, int | None, int]]


def configs(trace: Trace) -> tuple[Config, ...]:
    """The configurations in the order of their zxid, the static one first."""
    members = trace.members.drop_nulls("sid")
    if members.is_empty():
        return _alone(trace)
    versions = sorted(members["config_zxid"].unique().to_list(), key=lambda version: -1 if version is None else version)
    return tuple(_config(version, members.filter(pl.col("config_zxid").eq_missing(version))) for version in versions)


def _alone(trace: Trace) -> tuple[Config, ...]:
    """A standalone server as the only voter, else nothing: its log says so, or its zoo.cfg names neither servers nor a dynamic file.

    Data of an ensemble (epoch files, anything of an epoch above 0: QuorumPeerMain writes epochs, ZooKeeperServerMain none) show a former
    member; whom it voted with is not known then.
    """
    known = trace.servers.get_column("server").unique().to_list()
    keys = set(trace.settings.get_column("key").to_list())
    says_so = trace.events("standalone_start").height > 0 or ("dataDir" in keys and "dynamicConfigFile" not in keys)
    of_ensemble = any(
        (table.height > 0 and (table.select(epoch_of("zxid").max()).item() or 0) > 0) for table in (trace.txns, trace.snapshots)
    )
    if len(known) != 1 or not says_so or of_ensemble or trace.epoch_files.height:
        return ()
    return (Config(voters=frozenset(known)),)


def _config(version: int | None, members: pl.DataFrame) -> Config:
    newest = members.filter(pl.col("copy").fill_null(0) == pl.col("copy").fill_null(0).min())
    opinions: Counter[Opinion] = Counter()
    for _, rows in newest.group_by("server", "copy", "source", maintain_order=True):
        opinions[_opinion(rows)] += 1
    chosen = max(opinions, key=lambda opinion: (opinions[opinion], -len(opinion), sorted(sid for sid, *_ in opinion)))
    return Config(
        zxid=version,
        voters=frozenset(sid for sid, observes, _, _ in chosen if not observes),
        observers=frozenset(sid for sid, observes, _, _ in chosen if observes),
        weights={sid: weight for sid, _, _, weight in chosen},
        groups={sid: group for sid, _, group, _ in chosen if group is not None},
    )


def _opinion(rows: pl.DataFrame) -> Opinion:
    columns = rows.select("sid", pl.col("role") == "observer", "group", pl.col("weight").fill_null(1))
    return frozenset((sid, bool(observes), group, weight) for sid, observes, group, weight in columns.iter_rows())
