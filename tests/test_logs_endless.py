"""Lines whose end never comes, of wrappers that cut long ones: they are handed out in pieces, so that memory does not follow the file."""

from __future__ import annotations

import json

import polars as pl
import pytest

from zabtrace.grammar.layouts import wrappers
from zabtrace.logs.separated import Separated
from zabtrace.logs.structured import Json
from zabtrace.logs.text import LINES, LONGEST
from zabtrace.logs.wrappers import Prefix, Step

PIECE = "y" * 2000
STEPS = {
    "cri": (lambda: Prefix(next(one for one in wrappers() if one.name == "cri")), f"2026-11-20T23:59:29.494512345Z stdout P {PIECE}"),
    "docker": (Json, json.dumps({"log": PIECE, "stream": "stdout", "time": "2026-11-20T23:59:29.494512345Z"})),
}


@pytest.mark.parametrize("name", STEPS)
def test_pieces_of_an_endless_line(name: str) -> None:
    make, line = STEPS[name]
    step: Step = make()
    block = pl.DataFrame([(line, number, 1, None, 0) for number in range(1, 201)], schema=LINES, orient="row")
    found = pl.concat([*(step.peel(block) for _ in range(20)), step.rest()])
    texts = found["text"]
    assert texts.str.len_bytes().max() < LONGEST + 200 * len(PIECE)
    assert texts.str.count_matches("y").sum() == 20 * 200 * len(PIECE)
    assert found["weight"].sum() == 20 * 200


@pytest.mark.parametrize(("step", "line"), [(Separated(), 'x,"' + PIECE), (Json(), '{"a": "' + PIECE)], ids=["csv", "json"])
def test_rows_and_objects_that_never_end(step: Step, line: str) -> None:
    first = pl.DataFrame([("time,message" if isinstance(step, Separated) else "{", 1, 1, None, 0)], schema=LINES, orient="row")
    step.peel(first)
    long = pl.DataFrame([(line if number == 2 else PIECE * 100, number, 1, None, 0) for number in range(2, 40)], schema=LINES, orient="row")
    assert step.peel(long).height > 0, "what is held has a bound, in characters too"
    assert step.peel(long).height + step.rest().height > 0
