"""Replay: what happened, rebuilt from the evidence. ``replay`` turns a Trace into a History."""

from __future__ import annotations

from zabtrace.evidence.trace import Trace
from zabtrace.replay.ballots import ballots
from zabtrace.replay.configs import configs
from zabtrace.replay.disks import disks
from zabtrace.replay.epochs import Scene, epochs
from zabtrace.replay.history import History
from zabtrace.replay.linking import linked
from zabtrace.replay.outages import outages
from zabtrace.replay.positions import Lines
from zabtrace.replay.processes import processes, spans
from zabtrace.replay.roles import stage, table
from zabtrace.replay.rounds import rounds
from zabtrace.replay.syncs import syncs

__all__ = ["replay"]


def replay(trace: Trace) -> History:
    """The History of a Trace: text and disks together. Any part of the evidence may be missing; nothing is raised, nothing guessed."""
    lines = Lines(trace)
    bounds = spans(lines)
    scenes = stage(lines, bounds)
    votes = ballots(scenes)
    terms = linked(scenes, votes)
    members = configs(trace)
    saved = disks(trace)
    contests = rounds(scenes, terms, members)
    return History(
        trace=trace,
        configs=members,
        processes=processes(lines, bounds),
        roles=table(scenes.intervals),
        cast=contests.votes,
        elections=contests.elections,
        epochs=epochs(Scene(trace, scenes, terms, members, saved)),
        syncs=syncs(trace, terms),
        disks=saved,
        unavailable=outages(scenes, terms, members),
        terms=terms,
    )
