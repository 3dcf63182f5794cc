"""Losses: who lost whom and when, and the probable cause beside each."""

from __future__ import annotations

from typing import Any

import polars as pl

from zabtrace import schema
from zabtrace.incidents.case import Case, Cause
from zabtrace.incidents.causes import find
from zabtrace.incidents.clocks import Clocks
from zabtrace.incidents.notices import LEADER, LEARNER, PROCESS, ROLE, Notice, notices
from zabtrace.incidents.scene import Scene
from zabtrace.incidents.silence import Gap, Silences

PART = 2000
"""So many losses are told at a time: their sentences and evidence are held as columns, not as objects."""
PAUSE = ("server", "start", "end", "source", "line")
WHAT = {
    LEADER: "{server} lost its leader, {lost}",
    LEARNER: "the leader, {server}, lost {lost}",
    ROLE: "{server} stepped down from leading",
    PROCESS: "the process of {server} ended",
}


def losses(scene: Scene, clocks: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """LOSSES, by the stamp of whoever noticed, and the PAUSES that are the cause of some of them."""
    found = notices(scene)
    case = Case(scene, Clocks(clocks), found, Silences(scene.history.trace.held))
    frames, paused = [schema.frame(schema.LOSSES)], dict[tuple[int, Gap], None]()
    for first in range(0, len(found), PART):
        causes = [(notice, find(case, notice)) for notice in found[first : first + PART]]
        frames.append(schema.frame(schema.LOSSES, [_row(case, notice, cause) for notice, cause in causes]))
        paused |= dict.fromkeys(cause.paused for _, cause in causes if cause is not None and cause.paused is not None)
    table = pl.concat(frames).sort("time", maintain_order=True, nulls_last=True)
    return table, schema.frame(schema.PAUSES, [dict(zip(PAUSE, (server, *gap), strict=True)) for server, gap in paused])


def _row(case: Case, notice: Notice, cause: Cause | None) -> dict[str, Any]:
    lost = "a server that no line names" if notice.lost is None else case.scene.name(notice.lost)
    what = WHAT[notice.side].format(server=case.scene.name(notice.server), lost=lost)
    trace = f": {notice.trace.strip()}" if notice.trace and notice.side in (LEADER, LEARNER) else ""
    evidence = [notice.evidence, *(cause.evidence if cause is not None else ())]
    return {
        "time": notice.time, "server": notice.server, "lost": notice.lost, "what": what[:1].upper() + what[1:] + trace,
        "cause": cause.text if cause is not None else None, "evidence": [e for i, e in enumerate(evidence) if e not in evidence[:i]],
    }  # fmt: skip
