"""What ``simulate`` looks like: a sentence, then every step, round by round."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from zabtrace.render.screen import Block, Grid, Sentence
from zabtrace.render.views import View

STEPS = (("ms", "ms"), ("server", "server"), ("step", "kind"), ("what", "what"))
SYNCS = (("epoch", "epoch"), ("learner", "learner"), ("leader", "leader"), ("mode", "mode"), ("from", "learner_zxid"),
         ("truncated to", "truncated_to"), ("why", "why"))  # fmt: skip
MUTATIONS = (("mutation", "mutation"), ("what", "what"), ("caught by", "caught_by"))


def view(document: dict[str, Any]) -> View:
    """The answer of the command."""
    return View(document, "rounds", screen(document))


def screen(document: dict[str, Any]) -> list[Block]:
    """The result first; then what happened, one grid per stretch of an election."""
    return [
        Sentence(document["why"]),
        *(Sentence(sentence) for sentence in document["assumed"]),
        *_stretches(document),
        Grid("Synchronizations", SYNCS, document["syncs"]),
        Grid("Changed in what is written", MUTATIONS, document["mutations"]),
    ]


def _stretches(document: dict[str, Any]) -> list[Block]:
    """A heading where the first step of an election comes; everything stays where it happened, in the order of time."""
    current = 0
    titled = []
    for step in document["steps"]:
        current = max(current, step["election"] or 0)
        titled.append((current, step))
    rounds = {row["election"]: row["round"] for row in document["rounds"]}
    return [
        Grid("Before any election" if number == 0 else f"Election {number}, round {rounds[number]}", STEPS, [step for _, step in steps])
        for number, steps in groupby(titled, key=lambda pair: pair[0])
    ]
