"""Replay: what happened, rebuilt from the evidence. ``replay`` turns a Trace into a History."""

from __future__ import annotations

from zabtrace.evidence.trace import Trace
from zabtrace.replay.ballots import ballots
from zabtrace.replay.configs import configs
from zabtrace.replay.disks import disks
from zabtrace.replay.epochs import Scene, epochs
from zabtrace.replay.history import History
from zabtrace.replay.outages import outages
from zabtrace.replay.processes import processes, spans
from zabtrace.replay.roles import stage, table
from zabtrace.replay.rounds import rounds
from zabtrace.replay.syncs import syncs
from zabtrace.replay.terms import terms

__all__ = ["replay"]


def replay(trace: Trace) -> History:
    """The History of a Trace: text and disks together. Any part of the evidence may be missing; nothing is raised, nothing guessed."""
    bounds = spans(trace)
    scenes = stage(trace, bounds)
    votes = ballots(scenes)
    linked = terms(scenes, votes)
    members = configs(trace)
    saved = disks(trace)
    contests = rounds(scenes, linked, members)
    return History(
        trace=trace,
        configs=members,
        processes=processes(trace, bounds),
        roles=table(scenes.intervals),
        votes=contests.votes,
        elections=contests.elections,
        epochs=epochs(Scene(trace, scenes, linked, members, saved)),
        syncs=syncs(trace, linked),
        disks=saved,
        unavailable=outages(scenes, linked),
    )
