"""The invariants of Zab that saved evidence can settle: one function each, and its row in CHECKS.

Strategy: the properties of Zab's TLA+ specification, asked over tables: the records in force on each server's newest disk, who led which
epoch, and which writes are known to be committed. A check is violated with its witnesses, holds, or is unknown and names what would
settle it; evidence that is missing never makes it hold.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl

from zabtrace.checks.findings import UNKNOWN, VIOLATED, Checked, Finding, Witness, few, settled
from zabtrace.checks.messages import messages_in_order
from zabtrace.checks.missing import doubtful, holes, missing, sentence
from zabtrace.checks.scene import Scene, line, listed, record, span
from zabtrace.replay.tree_digests import digests
from zabtrace.zxid import epoch, text

Found = tuple[str, Witness]
_TOLD = "{first} ({count} found)."


# ---------------------------------------------------------------- leaders
def one_leader(scene: Scene) -> Finding:
    """Per epoch one server printed that a quorum supports it as leader (Leader.lead)."""
    lines = scene.history.trace.events("quorum_supported").filter(pl.col("zxid").is_not_null())
    per_epoch: dict[int, dict[int, Witness]] = defaultdict(dict)
    for row in lines.iter_rows(named=True):
        per_epoch[epoch(row["zxid"])].setdefault(row["server"], line(row))
    found = [
        (f"epoch {number} has the leaders {', '.join(map(str, sorted(leaders)))}", witness)
        for number, leaders in sorted(per_epoch.items())
        if len(leaders) > 1
        for witness in leaders.values()
    ]
    established = scene.history.epochs.filter(pl.col("status") == "established")["epoch"].to_list()
    silent = [str(number) for number in established if number not in per_epoch]
    lacking = f"no log of the leader of epoch {', '.join(silent)} says so: give the servers' text logs." if silent else None
    if scene.history.alone:
        return settled(found, _TOLD, "A standalone server has no leader.", None)
    return settled(found, _TOLD, f"Each of the {len(established)} established epochs has one leader.", lacking or _no_epoch(established))


def _no_epoch(established: list[int]) -> str | None:
    return None if established else "no epoch was established: nothing shows a leader with a quorum."


# ---------------------------------------------------------------- histories
def _told(row: dict[str, Any]) -> str:
    return (
        f"server {row['server']} has {text(row['zxid'])} in force, server {row['passer']} goes on to {text(row['beyond'])} without it, and "
        f"both took part in epoch {row['entered']}"
    )


def _witness(row: dict[str, Any]) -> Witness:
    return record(row, f"the record of {text(row['zxid'])} on server {row['server']}, which server {row['passer']} does not have")


def prefix_consistency(scene: Scene) -> Finding:
    """The effective histories of any two servers agree position by position, over the range that both know."""
    found = [(_told(row), _witness(row)) for row in scene.disagreements]
    return settled(found, _TOLD, "The histories in force agree wherever two servers know them.", scene.lacking())


def integrity(scene: Scene) -> Finding:
    """What a follower has, its leader proposed: a leader's own history does not pass over a record of the epoch it led."""
    found = [(_told(row), _witness(row)) for row in scene.disagreements if scene.led.get(row["epoch"]) == row["passer"]]
    return settled(found, _TOLD, "No record in force is unknown to the leader of its epoch.", scene.lacking())


def agreement(scene: Scene) -> Finding:
    """Of two committed writes on two servers, one of the servers has both."""
    known = set(scene.committed.to_list())
    rows = [row for row in scene.disagreements if row["zxid"] in known]
    both = {(row["server"], row["passer"]) for row in rows}
    found = [(_told(row), _witness(row)) for row in rows if (row["passer"], row["server"]) in both]
    return settled(found, _TOLD, "No two servers have committed writes that the other one lacks.", scene.lacking())


def uniqueness(scene: Scene) -> Finding:
    """One zxid has one payload, in every copy. A request that could not be read repeats the zxid before it (error -5): no second write."""
    txns = scene.history.trace.txns.filter(pl.col("checksum_ok") & ~((pl.col("op") == "error") & (pl.col("error") == -5)).fill_null(False))
    twice = txns.group_by("zxid").agg(pl.col("payload_hash").n_unique().alias("payloads")).filter(pl.col("payloads") > 1)
    rows = txns.join(twice, on="zxid", how="semi").unique(["zxid", "payload_hash"], keep="first", maintain_order=True).sort("zxid")
    found = [
        (f"{text(row['zxid'])} stands for different writes", record(row, f"{row['op']} {row['path'] or ''} under {text(row['zxid'])}"))
        for row in rows.iter_rows(named=True)
    ]
    return settled(found, "{first} ({count} records).", "Every zxid stands for one write, on all disks and copies.", scene.lacking())


# ---------------------------------------------------------------- order
def _backward(scene: Scene) -> list[dict[str, Any]]:
    """Records that stand behind a larger zxid in their server's log (repeats of a record are dropped before)."""
    return list(scene.every_chain.filter(pl.col("step") == "back").iter_rows(named=True))


def _behind(row: dict[str, Any]) -> Found:
    told = f"on server {row['server']} the record of {text(row['zxid'])} stands behind that of {text(row['previous'])}"
    return told, record(row, f"the record of {text(row['zxid'])}, behind {text(row['previous'])}")


def local_order(scene: Scene) -> Finding:
    """Within an epoch the zxids of each log rise, and all logs together have every counter between the first and the last."""
    found = [_behind(row) for row in _backward(scene) if epoch(row["zxid"]) == epoch(row["previous"])]
    return settled(found, _TOLD, "Within each epoch the zxids rise, one by one.", _never_seen(scene) or scene.lacking())


def _never_seen(scene: Scene) -> str | None:
    """Counters between the first and the last of an epoch that no log has."""
    folded = scene.history.trace.folded.select("zxid", "skipped")
    numbers = scene.every_chain.select("zxid", "epoch").unique().join(folded, on="zxid", how="left").sort("zxid")
    below = pl.col("zxid") - pl.col("skipped").fill_null(0) - 1
    gaps = numbers.with_columns(previous=pl.col("zxid").shift(1).over("epoch")).filter(below > pl.col("previous"))
    ranges = [span(row["previous"] + 1, row["zxid"] - 1) for row in gaps.head(3).iter_rows(named=True)]
    return f"no log that was read has {', '.join(ranges)}: the log files of another server would tell." if ranges else None


def global_order(scene: Scene) -> Finding:
    """In each log the epochs never fall: a late flush of an old epoch's records is the usual cause (ZOOKEEPER-4712)."""
    found = [_behind(row) for row in _backward(scene) if epoch(row["zxid"]) < epoch(row["previous"])]
    return settled(found, _TOLD, "In no log do records of an older epoch follow those of a newer one.", scene.lacking())


def total_order(scene: Scene) -> Finding:
    """Any two writes stand in the same order on all servers that have both."""
    found = []
    for row in _backward(scene):
        pair = scene.chains.filter(pl.col("zxid").is_in([row["zxid"], row["previous"]]) & (pl.col("server") != row["server"]))
        places = {(one["server"], one["zxid"]): one["position"] for one in pair.iter_rows(named=True)}
        others = [s for s, z in places if z == row["previous"] and places.get((s, row["zxid"]), places[s, z]) < places[s, z]]
        if others:
            told, witness = _behind(row)
            found.append((f"{told}, on {listed(others)} before it", witness))
    return settled(found, _TOLD, "No two servers have two writes in different order.", scene.lacking())


def consecutive(scene: Scene) -> Finding:
    """Nothing is missing in what a start replays, nor elsewhere in the logs: a hole above the snapshot is lost on that server."""
    found: list[Found] = []
    for server in sorted(scene.disks):
        base = scene.disks[server]["base_zxid"]
        for gap, row in holes(scene, server):
            if gap.first > (base if base is not None else -1):
                told = f"server {server} lacks {span(gap.first, gap.last)}, above its snapshot"
                found.append((told, record(row, f"{text(row['zxid'])} follows {text(row['previous'])}")))
    gaps = {server: missing(scene, server) for server in sorted(scene.disks)}
    named = [f"server {server} lacks {sentence(gap)}" for server, gap in gaps.items() if gap]
    open_ = [told for server in sorted(scene.disks) for told in doubtful(scene, server)]
    lacking = f"no snapshot explains why {', '.join(open_)} is not in the log: it may have been purged." if open_ else scene.lacking()
    lacking = f"files are missing: {'; '.join(named)}. Look for them on the server and in backups." if named else lacking
    return settled(found, _TOLD, "The logs have no hole that a received snapshot or purging does not explain.", lacking)


# ---------------------------------------------------------------- commitment
def primary_integrity(scene: Scene) -> Finding:
    """Whatever was committed before an epoch is in the initial history of its leader: no committed write is lost."""
    lost = scene.writes.filter(pl.col("fate") == "lost").sort("zxid")
    if lost.height:
        witnesses = few(item for items in lost["evidence"].to_list() for item in items)
        named = span(lost.item(0, "zxid"), lost.item(-1, "zxid"))
        number = scene.history.trace.stands_for(lost)
        return Finding(VIOLATED, f"{number} committed writes are not in a later epoch's history: {named}.", witnesses)
    if scene.reasons:
        told = " ".join(scene.reasons)
        return Finding(UNKNOWN, f"No committed write is known to be lost, but: {told}", settled_by=f"zabtrace verify: {scene.reasons[0]}")
    return settled([], _TOLD, "Every committed write is in the history of each later epoch.", scene.lacking())


# ---------------------------------------------------------------- epoch files
def epoch_files(scene: Scene) -> Finding:
    """The epoch of the last zxid is at most currentEpoch, and that at most acceptedEpoch (QuorumPeer.loadDataBase)."""
    found, absent = [], []
    for server, disk in sorted(scene.disks.items()):
        last, current, accepted = disk["last_zxid"], disk["current_epoch"], disk["accepted_epoch"]
        files = scene.history.trace.epoch_files.filter((pl.col("server") == server) & (pl.col("copy") == 0) & pl.col("epoch").is_not_null())
        places = {row["name"]: row for row in files.iter_rows(named=True)}
        if (current is None or accepted is None) and not scene.history.alone:
            absent.append(server)
        if current is not None and last is not None and epoch(last) > current:
            told = f"server {server}: currentEpoch is {current}, its last zxid {text(last)} is of epoch {epoch(last)}"
            found.append((told, _file(places["currentEpoch"])))
        if current is not None and accepted is not None and accepted < current:
            found.append((f"server {server}: acceptedEpoch {accepted} is below currentEpoch {current}", _file(places["acceptedEpoch"])))
    lacking = f"the epoch files of {listed(absent)} were not read." if absent else scene.lacking() if scene.unread else None
    return settled(found, _TOLD, "On every disk the last zxid's epoch is at most currentEpoch, and that at most acceptedEpoch.", lacking)


def _file(row: dict[str, Any]) -> Witness:
    return {"source": row["source"], "line": None, "offset": 0, "says": f"{row['name']} is {row['epoch']}"}


# ---------------------------------------------------------------- digests
TOO_LONG = "The history is too long to replay every record of it at once."


def stored_digests(scene: Scene) -> Finding | None:
    """Every digest that a record or snapshot stores is that of the replayed tree (DigestCalculator, 3.6.0+)."""
    trace = scene.history.trace
    if trace.txns["digest"].null_count() == trace.txns.height:
        return None
    if trace.folds.height:
        return Finding(UNKNOWN, TOO_LONG, settled_by="zabtrace check, given the logs of one server and fewer of them")
    compared = digests(trace)
    rows = compared.frame.filter(pl.col("explained_by").is_null())
    found = [(_digest_told(row), _digest_witness(row)) for row in rows.iter_rows(named=True)]
    carried = f"of {compared.compared + compared.unchecked} stored digests {compared.unchecked} lie where no snapshot carries the replay."
    held = f"Each of {compared.compared} stored digests is that of the replayed tree."
    return settled(found, _TOLD, held, carried if compared.unchecked else None)


def _digest_told(row: dict[str, Any]) -> str:
    where = "a snapshot" if row["offset"] is None else f"the record of {text(row['zxid'])}"
    return f"on server {row['server']} {where} stores digest {text(row['stored'])}, the replayed tree has {text(row['computed'])}"


def _digest_witness(row: dict[str, Any]) -> Witness:
    says = f"digest {text(row['stored'])} at {text(row['zxid'])}; {row['count']} differ from here on"
    return {"source": row["source"], "line": None, "offset": row["offset"] or 0, "says": says}


# ---------------------------------------------------------------- the table
@dataclass(frozen=True)
class Check:
    """A check: what it says in words, the specification's name of the property, and its function (None: nothing to check)."""

    name: str
    invariant: str
    ask: Callable[[Scene], Finding | None]


CHECKS = (
    Check("one leader per epoch", "Leadership", one_leader),
    Check("histories agree", "PrefixConsistency", prefix_consistency),
    Check("one write per zxid", "uniqueness", uniqueness),
    Check("zxids rise within an epoch", "LocalPrimaryOrder", local_order),
    Check("epochs never fall", "GlobalPrimaryOrder", global_order),
    Check("one order everywhere", "TotalOrder", total_order),
    Check("leaders know what followers have", "Integrity", integrity),
    Check("committed writes agree", "Agreement", agreement),
    Check("committed writes are kept", "PrimaryIntegrity", primary_integrity),
    Check("no hole in the logs", "continuity", consecutive),
    Check("messages come in order", "messageIllegal", messages_in_order),
    Check("epoch files match the data", "epoch files", epoch_files),
    Check("stored digests match the replay", "digests", stored_digests),
)


def examine(scene: Scene) -> tuple[Checked, ...]:
    """Every check with its outcome, in the order of CHECKS; a check that has nothing to look at is left out."""
    asked = ((check, check.ask(scene)) for check in CHECKS)
    return tuple(Checked(check.name, check.invariant, finding) for check, finding in asked if finding is not None)
