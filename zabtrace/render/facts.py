"""The answer of ``answers``: facts that servers told when they were asked by four-letter words."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from zabtrace import wording
from zabtrace.documents import FORMAT
from zabtrace.documents.window import Window
from zabtrace.evidence.trace import Trace
from zabtrace.render.columns import Rows
from zabtrace.render.screen import Lines, Sentence
from zabtrace.render.views import View

SHOWN = ("server", "key", "value", "zxid", "session", "address", "timeout", "since", "source", "line")
ASKED = "asked"
"""Shown where any answer has a time in front of it."""
EMPTY = "No answer to a four-letter word is there to show."


def facts(trace: Trace, window: Window, keys: Sequence[str] = ()) -> View:
    """FACTS in the order of their files; ``keys`` narrows them to some."""
    chosen = window.narrow(trace.facts)
    if keys:
        chosen = chosen.filter(pl.col("key").is_in(list(keys)))
    names = wording.Names.of(trace.servers)
    shown = SHOWN if chosen[ASKED].is_null().all() else (*SHOWN[:-2], ASKED, *SHOWN[-2:])
    blocks = [Lines(Rows(chosen, names).lines(shown))] if chosen.height else [Sentence(EMPTY)]
    document = {"format": FORMAT, "facts": Rows(chosen, names), "hidden": trace.facts.height - chosen.height}
    return View(document, "facts", blocks, chosen)
