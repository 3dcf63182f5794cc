"""Sentences and numbers of the first screen, for the page and the terminal: what was read, and what happened in what order."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import polars as pl

from zabtrace import wording, zxid
from zabtrace.documents import COUNTED
from zabtrace.evidence.gathering import UTC_ASSUMED
from zabtrace.fates.judgement import Judgement
from zabtrace.replay.history import History

MOST = 200
"""So many sentences are told; the page says how many there are."""


def read(history: History) -> str:
    """What was read: servers, disks, text logs, client histories, files not recognised."""
    trace = history.trace
    names = wording.Names.of(trace.servers)
    voters = history.config_at().voters
    servers = set(trace.servers["server"])
    logs = set(trace.sources.filter(pl.col("lines").is_not_null())["server"].drop_nulls()) & servers
    disks = set(history.disks.filter(pl.col("copy") == 0)["server"])
    listed = wording.listed([names.name(server) for server in sorted(servers, key=lambda one: (one < 0, one))])
    parts = [
        f"{len(servers & voters)} of {len(voters)} voters" if voters else f"{len(servers)} servers (no configuration names the ensemble)"
    ]
    parts += [f"servers {listed}"] if servers else []
    parts += [f"no data files of {wording.listed(_named(servers - disks, names))}"] if servers - disks else []
    parts += [f"no text log of {wording.listed(_named(servers - logs, names))}"] if servers - logs else []
    earlier = set(history.disks.filter(pl.col("copy") > 0)["server"])
    parts += [f"earlier copies of {wording.listed(_named(earlier, names))}"] if earlier else []
    parts.append(f"{trace.client_ops.height} operations that clients recorded" if trace.client_ops.height else "no client history")
    assumed = logs & set(trace.servers.filter(pl.col("timezone") == UTC_ASSUMED)["server"])
    parts += [f"log stamps of {wording.listed(_named(assumed, names))} name no zone, UTC is assumed (--timezone)"] if assumed else []
    return f"Read: {'; '.join(parts)}."


def _named(servers: set[int], names: wording.Names) -> list[Any]:
    return [names.name(server) for server in sorted(servers)]


def files(history: History) -> str:
    """How many files were read, and how much of the text was understood."""
    sources = history.trace.sources
    unrecognised = sources.filter(pl.col("kind") == "unrecognised").height
    totals = {key: sources[key].sum() or 0 for key in COUNTED}
    understood = f"{totals['understood']:,} of {totals['lines']:,} log lines understood" if totals["lines"] else "no text log"
    return f"{sources.height} files, {unrecognised} not recognised; {understood}."


def numbers(history: History, judgement: Judgement) -> list[tuple[str, str]]:
    """The key numbers: (number, what it counts)."""
    counts = judgement.counts
    gone = sum(counts[fate] for fate in ("truncated", "shadowed", "pending"))
    established = history.epochs.filter(pl.col("status") == "established").height
    longest = max((out.ms for out in history.unavailable), default=None)
    return [
        (f"{judgement.writes.height:,}", "writes judged"),
        (f"{counts['survived'] + counts['recovered']:,}", "survived or recovered"),
        (f"{gone:,}", "discarded, or will be"),
        (f"{counts['lost']:,}", "lost"),
        (f"{counts['undecided'] + counts['diverged']:,}", "undecided or diverged"),
        (f"{established}", "epochs established"),
        ("unknown" if longest is None else wording.duration(longest), "longest time without writes"),
        (f"{history.trace.damage.height}", "damaged places"),
    ]


def happened(history: History) -> list[dict[str, Any]]:
    """What happened, by time: rows ``time, what, place``. Each time is its own server's clock; without a time at the end."""
    names = wording.Names.of(history.trace.servers)
    told = [
        *_processes(history, names),
        *_outages(history, names),
        *_elections(history, names),
        *_epochs(history, names),
        *_syncs(history, names),
    ]
    return [{**row, "time": wording.moment(row["time"])} for row in sorted(told, key=_when)]


def _when(row: dict[str, Any]) -> tuple[bool, float]:
    time = row["time"]
    return (True, 0.0) if not isinstance(time, datetime) else (False, time.timestamp())


def _told(time: object, what: str, row: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"time": time, "what": what, "place": wording.place(row) if row and row.get("source") else ""}


def _processes(history: History, names: wording.Names) -> Iterator[dict[str, Any]]:
    for row in history.processes.iter_rows(named=True):
        version = f" (ZooKeeper {row['version']})" if row["version"] else ""
        yield _told(row["start"], f"Server {names.name(row['server'])} starts{version}.", row)
        yield _told(row["end"], f"Last line of server {names.name(row['server'])}'s process ({row['ended_by'] or 'no reason given'}).")


def _outages(history: History, names: wording.Names) -> Iterator[dict[str, Any]]:
    for out in history.unavailable:
        yield _told(out.start, wording.outage(out, names))


def _elections(history: History, names: wording.Names) -> Iterator[dict[str, Any]]:
    for row in history.elections.filter(pl.col("kind") != "join").iter_rows(named=True):
        who = "nobody wins" if row["leader"] is None else f"server {names.name(row['leader'])} wins"
        yield _told(row["end"], f"Election {row['election']}: {who}. {row['why'] or ''}".strip(), row)


def _epochs(history: History, names: wording.Names) -> Iterator[dict[str, Any]]:
    for row in history.epochs.filter(pl.col("status") == "established").iter_rows(named=True):
        leader = "an unknown leader" if row["leader"] is None else f"server {names.name(row['leader'])}"
        yield _told(row["established"], f"Epoch {row['epoch']} is established under {leader}.", row)
        if row["ended"] is not None:
            yield _told(row["ended"], f"Epoch {row['epoch']} ends: {row['ended_by'] or 'its leader is not heard of any more'}.")


def _syncs(history: History, names: wording.Names) -> Iterator[dict[str, Any]]:
    for row in history.syncs.filter(pl.col("mode") != "DIFF").iter_rows(named=True):
        cut = "" if row["truncated_to"] is None else f", its log cut back to {zxid.text(row['truncated_to'])}"
        yield _told(
            row["time"], f"Server {names.name(row['learner'])} is brought up to date by {row['mode']}{cut}. {row['why'] or ''}".strip(), row
        )
