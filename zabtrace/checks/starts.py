"""How each server would start with its data files, and where other releases would do otherwise."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import polars as pl

from zabtrace.checks import layout, plans
from zabtrace.checks.findings import Question, ServerCheck
from zabtrace.checks.folders import files_of
from zabtrace.checks.missing import missing
from zabtrace.checks.scene import Scene
from zabtrace.protocol import logreading, releases, startup
from zabtrace.zxid import text

ALLOWED = (("updatingEpoch", "3.4.14"),)
"""Files that only an older line writes, with its last release."""
HARMFUL = ("tail", "data")


def servers(scene: Scene, asked: Question) -> tuple[ServerCheck, ...]:
    """One row for each server that the evidence names, in order."""
    known = scene.history.trace.servers.sort("server")
    return tuple(_server(scene, row, asked) for row in known.iter_rows(named=True))


def _server(scene: Scene, row: Mapping[str, Any], asked: Question) -> ServerCheck:
    server, trace = row["server"], scene.history.trace
    version, known_by = _version(scene, row, asked)
    wrong = layout.misplaced(scene, server) if releases.among(version, layout.LOOKS) else None
    if wrong is not None:
        damage, gaps = _damage(trace.damage, server), missing(scene, server)
        return ServerCheck(server, False if wrong.certain else None, f"{known_by} {wrong.why}", version, damage=damage, missing=gaps)
    unknown = _not_told(scene, server)
    if unknown:
        return ServerCheck(server, None, unknown, version)
    files = files_of(trace, server)
    start = startup.start(files, version)
    return ServerCheck(
        server, start.would_start, " ".join(part for part in (known_by, _sentence(start), _elsewhere(files, version, start)) if part),
        version, _source(scene, server, start.snapshot), start.last_zxid, _damage(trace.damage, server), missing(scene, server),
        plans.chop(scene, server, asked.chop) if asked.chop is not None else None,
        plans.trust(scene, server, files, version) if asked.trust_empty else None,
    )  # fmt: skip


def _source(scene: Scene, server: int, loaded: startup.SnapshotFile | None) -> str | None:
    """The snapshot that is loaded, by its name in the evidence."""
    if loaded is None:
        return None
    here = (pl.col("server") == server) & (pl.col("copy") == 0) & pl.col("valid") & (pl.col("zxid") == loaded.zxid)
    return str(scene.history.trace.snapshots.filter(here).item(-1, "source"))


def _not_told(scene: Scene, server: int) -> str | None:
    """Why nothing can be said about this server's start, or None."""
    if server not in scene.disks:
        return "No data file of this server was read: give its dataDir (and dataLogDir)."
    if server in scene.history.trace.unordered:
        return "Several copies of its data were given, and nothing proves which is the newest: name the older ones with --before."
    disk = scene.disks[server]
    elsewhere = scene.history.trace.settings.filter((pl.col("server") == server) & (pl.col("key") == "dataLogDir"))
    if not disk["records"] and elsewhere.height and not _has_logs(scene, server):
        return "zoo.cfg names a dataLogDir, and no transaction log of this server was read: give that folder too."
    return None


def _has_logs(scene: Scene, server: int) -> bool:
    return not scene.history.trace.txn_files.filter((pl.col("server") == server) & (pl.col("copy") == 0)).is_empty()


def _version(scene: Scene, row: Mapping[str, Any], asked: Question) -> tuple[str, str]:
    """The release to start, and what tells it."""
    if row["version"]:
        return row["version"], f"{row['version']} (its log)"
    if asked.version:
        return asked.version, f"{asked.version} (--zookeeper-version)"
    markers = scene.history.trace.epoch_files.filter((pl.col("server") == row["server"]) & (pl.col("copy") == 0))["name"].to_list()
    newest = next((release for name, release in ALLOWED if name in markers), releases.NEWEST)
    return newest, f"{newest} (the newest release these files allow: no log and no --zookeeper-version tells it)"


def _sentence(start: startup.Start) -> str:
    begins = {True: "starts", False: "refuses to start", None: "cannot be predicted"}[start.would_start]
    parts = [f"{begins}{': ' + start.message.removesuffix('.') if start.message else ''}."]
    if start.snapshot is not None:
        passed = ", ".join(s.name for s in start.passed_over)
        parts.append(f"It loads {start.snapshot.name}" + (f", having passed over {passed}." if passed else "."))
    if start.would_start and start.last_zxid is not None:
        parts.append(f"Its history ends at {text(start.last_zxid)}.")
    parts += [f"{s.file} ends for it at byte {s.offset}." for s in start.stops if s.action == logreading.ENDS]
    return " ".join(parts)


def _elsewhere(files: startup.Files, version: str, chosen: startup.Start) -> str:
    """Releases that would do otherwise with the same files."""
    others: dict[tuple[Any, ...], set[str]] = defaultdict(set)
    for release in releases.RELEASES:
        if release == version:
            continue
        start = startup.start(files, release)
        if (start.would_start, start.last_zxid) != (chosen.would_start, chosen.last_zxid):
            others[start.would_start, start.last_zxid, start.message].add(release)
    told = [f"{releases.spans(found)} {_briefly(*outcome)}" for outcome, found in others.items()]
    return f"Other releases differ: {'; '.join(told)}." if told else ""


def _briefly(would_start: bool | None, last: int | None, message: str) -> str:
    if would_start:
        return f"start, up to {text(last or 0)}"
    return f"refuse ({message})" if would_start is False else f"cannot be predicted ({message})"


def _damage(damage: pl.DataFrame, server: int) -> tuple[dict[str, Any], ...]:
    """Damage to the newest copy's data files; what is only listed elsewhere has no harm."""
    found = damage.filter((pl.col("server") == server) & (pl.col("copy") == 0) & pl.col("harm").is_in(HARMFUL))
    return tuple(found.select("source", "offset", "reason", "zxid", "harm", "next_step").iter_rows(named=True))
