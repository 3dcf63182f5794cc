"""What two last resorts would lose: chopping the logs at a zxid, and trusting an empty snapshot. Nothing is changed here."""

from __future__ import annotations

import shlex

import polars as pl

from zabtrace.checks.findings import Plan
from zabtrace.checks.folders import own_name
from zabtrace.checks.scene import Scene, span
from zabtrace.protocol import startup
from zabtrace.protocol.releases import among
from zabtrace.replay.tree_digests import is_birth
from zabtrace.zxid import text

CHOPPER = "java -cp 'LIB/*' org.apache.zookeeper.server.util.LogChopper {at} {file} {file}.chopped"
"""ZooKeeper's LogChopper writes a copy up to and including the zxid; LIB is the folder of ZooKeeper's jars."""
TRUSTING = "SERVER_JVMFLAGS=-Dzookeeper.snapshot.trust.empty=true zkServer.sh start"


def chop(scene: Scene, server: int, at: int) -> Plan:
    """What a server loses when its logs are chopped behind ``at``."""
    own = scene.chains.filter(pl.col("server") == server)
    gone = own.filter(pl.col("zxid") > at)["zxid"].unique().sort()
    newer = _snapshots_above(scene, server, at)
    kept = f" {', '.join(newer)} still hold what was written up to them: set them aside too, or it stays." if newer else ""
    if gone.is_empty():
        return Plan(f"No record of its logs lies behind {text(at)}: chopping removes nothing.{kept}")
    others = scene.live.filter(pl.col("server") != server)["zxid"]
    only, committed = gone.filter(~gone.is_in(others.implode())), gone.filter(gone.is_in(scene.committed.implode()))
    first, last = gone.item(0), gone.item(-1)
    why = (
        f"Chopping at {text(at)} removes {gone.len()} records, {span(first, last)}: {only.len()} of them lie on no other server that was "
        f"read, {committed.len()} are committed.{kept}"
    )
    return Plan(why, gone.len(), first, last, only.len(), committed.len(), _chop_commands(scene, server, at))


def _snapshots_above(scene: Scene, server: int, at: int) -> list[str]:
    here = (pl.col("server") == server) & (pl.col("copy") == 0) & (pl.col("zxid") > at)
    return scene.history.trace.snapshots.filter(here).sort("zxid")["source"].to_list()


def _chop_commands(scene: Scene, server: int, at: int) -> tuple[str, ...]:
    """The official tool on the file that holds the zxid, and the files behind it, which go as a whole."""
    own = scene.chains.filter(pl.col("server") == server)
    behind = own.filter(pl.col("zxid") > at)["source"].unique()
    holding = own.filter((pl.col("zxid") == at) & pl.col("source").is_in(behind.implode()))["source"].to_list()
    partly = own.filter(pl.col("zxid") <= at)["source"].unique()
    whole = behind.filter(~behind.is_in(partly.implode())).sort().to_list()
    commands = [CHOPPER.format(at=text(at), file=shlex.quote(own_name(file))) for file in holding[:1]]
    if not holding and behind.is_in(partly.implode()).any():
        commands.append(f"# LogChopper refuses: no file holds a record {text(at)} with others behind it; name the last record to keep")
    return (*commands, *(f"mv {shlex.quote(own_name(file))} ELSEWHERE/" for file in whole))


def trust(scene: Scene, server: int, files: startup.Files, version: str) -> Plan:
    """What a server would lack that is told to trust an empty snapshot."""
    usual, trusting = startup.start(files, version), startup.start(files, version, trust_empty=True)
    if usual.snapshot is not None or not files.logs:
        return Plan("A snapshot is loaded (or there are no logs): trusting an empty one changes nothing.")
    if not trusting.would_start:
        known = "" if among(version, "3.5.6-") else f" {version} does not know the property."
        return Plan(f"It would not start all the same: {trusting.message}.{known}")
    own = scene.chains.filter(pl.col("server") == server)
    first = own["zxid"].min()
    if not isinstance(first, int) or is_birth(first):
        return Plan("Its logs begin with the first transaction: replaying them from an empty tree loses nothing.", commands=(TRUSTING,))
    known_before = scene.writes.filter(pl.col("zxid") < first)
    committed = known_before.filter(pl.col("committed") == "yes").height
    why = (
        f"Everything written before {text(first)} would be lost on this server: it starts from an empty tree. "
        f"{known_before.height} such writes are known from other files, {committed} of them committed; how many there were cannot be told."
    )
    low = known_before["zxid"].min()
    return Plan(why, known_before.height, low if isinstance(low, int) else None, first - 1, 0, committed, (TRUSTING,))
