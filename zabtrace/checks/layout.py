"""Files in the wrong folder: with a dataLogDir of its own, logs belong there, and snapshots into dataDir.

Strategy: a server looks at both folders before it reads anything (FileTxnSnapLog.checkLogDir, checkSnapDir, 3.4.12+, 3.5.4+), and
refuses to start where one has the other's files. In the evidence dataDir's folder is that of the epoch files. Where all lies in one
folder, it may have been put together when it was copied: then only the server's own disk can tell.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import polars as pl

from zabtrace.checks.scene import Scene

LOOKS = "3.4.12-3.4, 3.5.4-"
"""Releases that look at the folders; older ones read what they find where they look for it."""
LOGS_IN_DATA_DIR = "Snapshot directory has log files. Check if dataLogDir and dataDir configuration is correct."
SNAPSHOTS_IN_LOG_DIR = "Log directory has snapshot files. Check if dataLogDir and dataDir configuration is correct."


class Misplaced(NamedTuple):
    """What is in the wrong folder. ``certain``: both folders are in the evidence, so that nothing was put together."""

    certain: bool
    why: str


def misplaced(scene: Scene, server: int) -> Misplaced | None:
    """Logs in dataDir or snapshots in dataLogDir; None where all is in its place, or one folder is configured for both."""
    named = _configured(scene, server)
    if named is None:
        return None
    trace = scene.history.trace
    here = pl.col("server") == server
    if server not in trace.unordered:
        here &= pl.col("copy") == 0
    homes = _folders(trace.epoch_files.filter(here))
    logs, snapshots = _folders(trace.txn_files.filter(here)), _folders(trace.snapshots.filter(here))
    every = homes | logs | snapshots
    known = all(any(_is(folder, name) for folder in every) for name in named)
    if server in trace.unordered and not known:
        return None  # copies from two times look alike
    if logs & homes:
        return _told(LOGS_IN_DATA_DIR, f"{', '.join(sorted(logs & homes))} has logs beside the epoch files", len(every) > 1)
    if homes and snapshots - homes:
        return _told(SNAPSHOTS_IN_LOG_DIR, f"{', '.join(sorted(snapshots - homes))} has snapshots", len(every) > 1)
    return None


def _told(message: str, where: str, certain: bool) -> Misplaced:
    if certain:
        return Misplaced(True, f"{message} ({where}, and zoo.cfg names a dataLogDir of its own)")
    return Misplaced(
        False,
        f"zoo.cfg names a dataLogDir of its own, and {where}: if they lie so on the server it refuses to start ({message}); look there, "
        "for they may have been put together when they were copied.",
    )


def _configured(scene: Scene, server: int) -> tuple[str, str] | None:
    """dataDir and dataLogDir, where the configuration names two different folders."""
    own = scene.history.trace.settings.filter((pl.col("server") == server) & pl.col("key").is_in(["dataDir", "dataLogDir"]))
    named = {key: value.rstrip("/") for key, value in own.select("key", "value").drop_nulls().iter_rows()}
    data, log = named.get("dataDir"), named.get("dataLogDir")
    return None if data is None or log is None or data == log else (data, log)


def _is(folder: str, name: str) -> bool:
    """Is this folder of the evidence the configured one, by its last part?"""
    return re.split(r"[/\\]", folder)[-2:-1] == re.split(r"[/\\]", name)[-1:]


def _folders(files: pl.DataFrame) -> set[str]:
    return {re.sub(r"[/\\]?[^/\\]*$", "", source) or "." for source in files["source"].drop_nulls().to_list()}
