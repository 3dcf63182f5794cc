"""Damage on purpose: what can be changed in the files of a correct run, and which check is meant to find it.

Strategy: each mutation is a function that changes files by name and says whether it found a place for it; ``MUTATIONS`` names what
catches it. The run itself stays correct: what is written is not what happened.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from zabtrace.errors import UsageError
from zabtrace.simulate.ensemble import Ensemble
from zabtrace.simulate.evidence import Left

Change = Callable[[Ensemble, Left, random.Random], bool]


@dataclass(frozen=True)
class Mutation:
    """One mutation; ``caught_by`` are names of checks, rules or verdicts."""

    name: str
    what: str
    caught_by: frozenset[str]
    change: Change
    needs: str
    """What a run must have for it."""


MUTATIONS: tuple[Mutation, ...] = ()


def named(names: Sequence[str]) -> list[Mutation]:
    """The mutations of these names. Raises UsageError with the names there are."""
    known = {one.name: one for one in MUTATIONS}
    wrong = [name for name in names if name not in known]
    if wrong:
        raise UsageError(f"there is no mutation {wrong[0]!r}. There are: {', '.join(known)}.")
    return [known[name] for name in names]


def apply(chosen: Sequence[Mutation], ensemble: Ensemble, left: Left, seed: int) -> None:
    """Change the files. Raises UsageError where a mutation finds no place for it in this run."""
    rng = random.Random(seed)  # noqa: S311 (a simulation that its seed repeats)
    for one in chosen:
        if not one.change(ensemble, left, rng):
            raise UsageError(f"there is nothing in this run that could be changed to {one.name!r}: {one.needs}.")
