"""Damage on purpose: what can be changed in what the servers of a correct run left, and which check is meant to find it.

Strategy: a mutation is a function that changes lines or disks of the ensemble, or the bytes of files, and says whether it found a place for
it; ``MUTATIONS`` names what catches it. The run itself stays correct: what is written is not what happened.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from zabtrace.errors import UsageError
from zabtrace.simulate import evidence, misprints, misrecords
from zabtrace.simulate.ensemble import Ensemble
from zabtrace.simulate.evidence import Left

Change = Callable[[Ensemble, random.Random], bool]


@dataclass(frozen=True)
class Mutation:
    """One mutation. ``caught_by`` are names of checks, ``damage``, findings of ``incidents``, and verdicts."""

    name: str
    what: str
    caught_by: frozenset[str]
    needs: str
    """What a run must have for it."""
    change: Change
    fits: frozenset[str] = frozenset()
    """Known bugs that leave the same trace: releases that have them match."""


def _row(name: str, what: str, caught_by: str, needs: str, change: Change, fits: str = "") -> Mutation:
    return Mutation(name, what, frozenset(caught_by.split("; ")), needs, change, frozenset(fits.split()))


A_VOTE, RECORDS = "an election decided by votes", "two writes in one epoch that every server logged"
MUTATIONS: tuple[Mutation, ...] = (
    _row("a dropped vote", "the votes that gave the winner its quorum are missing from its log",
         "a decision without a quorum of votes", A_VOTE, misprints.dropped_vote),
    _row("a fallen vote", "a server goes back to a vote that loses",
         "a vote against the order", "a server that changed its vote", misprints.fallen_vote),
    _row("an invented vote", "a server votes for somebody whom nobody had proposed to it",
         "a vote that nobody proposed", "a server that changed its vote", misprints.invented_vote),
    _row("a better vote", "a server hears a better vote in time and passes it over",
         "a better vote was passed over", A_VOTE, misprints.better_vote),
    _row("a lonely leader", "a leader serves with its own acknowledgement alone",
         "a leader without a quorum", "an established epoch", misprints.lonely_leader),
    _row("two leaders", "a server that was not there claims the epoch of another",
         "one leader per epoch", "a server that was down when an epoch was established", misprints.two_leaders),
    _row("an epoch twice", "a leader takes the number of the epoch before",
         "one leader per epoch; an epoch that is not larger", "two epochs of different leaders", misprints.epoch_twice),
    _row("a wrong synchronization", "a learner beyond its leader gets a DIFF",
         "a synchronization that the table does not give", "a learner of 3.5 or newer that stands with its leader", misprints.wrong_sync),
    _row("swapped records", "two writes lie in the wrong order in every log",
         "zxids rise within an epoch", RECORDS, misrecords.swapped),
    _row("a cut record", "a write is missing in the middle of one log",
         "no hole in the logs", RECORDS, misrecords.cut, "ZOOKEEPER-2418 ZOOKEEPER-4925"),
    _row("a changed record", "one server holds another write under the same zxid",
         "one write per zxid; diverged", RECORDS, misrecords.changed),
    _row("a damaged record", "a byte of a record in the middle of a log is another one",
         "damage", RECORDS, misrecords.damaged),
    _row("a wrong digest", "a record stores the digest of another tree",
         "stored digests match the replay", "a write that a server of 3.6 or newer logged", misrecords.wrong_digest),
    _row("a late record", "a record of an old epoch stands behind those of a new one",
         "epochs never fall", "a log with writes of two epochs below a snapshot", misrecords.late, "ZOOKEEPER-4712"),
    _row("a skipped epoch", "a server that took part in an epoch never wrote its number down",
         "epoch files match the data", "a server with writes, but no snapshot, of a later epoch than the first", misrecords.skipped_epoch,
         "ZOOKEEPER-1653"),
    _row("a lost write", "clients were told of a write that is in no log",
         "committed writes are kept; lost", "an epoch with writes, and a later one", misrecords.lost),
)  # fmt: skip


def named(names: Sequence[str]) -> list[Mutation]:
    """The mutations of these names. Raises UsageError with the names there are."""
    known = {one.name: one for one in MUTATIONS}
    wrong = [name for name in names if name not in known]
    if wrong:
        raise UsageError(f"there is no mutation {wrong[0]!r}. There are: {', '.join(known)}.")
    return [known[name] for name in names]


def left(chosen: Sequence[Mutation], ensemble: Ensemble, unknown: frozenset[int], seed: int) -> Left:
    """The files of the servers with these mutations. Raises UsageError where one finds no place for it in this run."""
    rng = random.Random(seed)  # noqa: S311 (a simulation that its seed repeats)
    for one in chosen:
        if not one.change(ensemble, rng):
            raise UsageError(f"nothing in this run can be changed to {one.name!r}: it needs {one.needs}.")
    return evidence.left(ensemble, unknown)
