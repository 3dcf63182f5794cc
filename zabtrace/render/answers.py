"""The answer of each command: document, rows, frame and screen put together as a View."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import polars as pl

from zabtrace import documents, schema, wording
from zabtrace.documents import stories as told
from zabtrace.documents.accounts import detailed
from zabtrace.documents.window import Window
from zabtrace.fates.judgement import Judgement
from zabtrace.predict import Prediction
from zabtrace.render import accounts, screens, stories
from zabtrace.render.screen import Block
from zabtrace.render.views import View
from zabtrace.replay.history import History
from zabtrace.report import facts
from zabtrace.stories import story as tell

DAMAGED = ("server", "source", "line", "offset", "reason", "harm", "next_step")
LISTED = 100
"""So many damaged places are listed, worst first; ``damaged`` counts all."""


def verify(history: History, judgement: Judgement, *, every: bool, top: int | None, window: Window) -> View:
    """The verdict and the writes it rests on."""
    document = verdict(history, judgement, every=every, top=top, window=window)
    frame = documents.listed_writes(judgement, every=every, top=top, window=window)
    return View(document, "writes", screens.verify(document, top or screens.FEW), frame)


def verdict(history: History, judgement: Judgement, *, every: bool, top: int | None, window: Window) -> documents.Document:
    """The document of ``verify``: what was judged, what it was judged from, and what of that was damaged."""
    document = documents.verify(history, judgement, every=every, top=top, window=window)
    damage = history.trace.damage
    worst = damage.select(DAMAGED).sort(pl.col("harm").cast(pl.Enum(schema.HARMS)), maintain_order=True, nulls_last=True)
    places = wording.rows(worst.head(LISTED), wording.Names.of(history.trace.servers))
    return document | {"read": facts.read(history), "damage": list(places), "damaged": damage.height}


def story(history: History, judgement: Judgement, asked: str, at: datetime | None = None, top: int | None = None) -> View:
    """Everything the evidence says about a path, a zxid or a session."""
    found = tell(history, judgement, asked, at)
    document = told.told(history, judgement, found)
    return View(document, "writes", stories.told(document, top or screens.FEW), found.target.writes)


def argument(history: History, judgement: Judgement, number: int) -> View:
    """The full argument about one zxid."""
    document = told.explained(history, judgement, number)
    return View(document, "writes", stories.explained(document), judgement.writes.filter(pl.col("zxid") == number))


def elections(history: History, window: Window, *, steps: bool = False) -> View:
    """Election rounds; with ``steps`` also what each server did with each notification."""
    document = detailed(documents.elections(history, window), history)

    def blocks() -> list[Block]:
        whole = {**document, "elections": list(document["elections"])}
        return [*screens.elections(whole), *(accounts.steps(whole) if steps else [])]

    return View(document, "elections", blocks, window.narrow(history.elections))


def epochs(history: History, window: Window) -> View:
    """Leader epochs."""
    document = documents.epochs(history, window)
    return View(document, "epochs", screens.epochs(document), window.narrow(history.epochs))


def syncs(history: History, window: Window) -> View:
    """Synchronizations."""
    document = documents.syncs(history, window)
    return View(document, "syncs", screens.syncs(document), window.narrow(history.syncs))


def predict(history: History, prediction: Prediction) -> View:
    """The next starts."""
    document = documents.predict(prediction, wording.Names.of(history.trace.servers))
    return View(document, "starts", screens.predict(document))


HISTORY: dict[str, Callable[[History, Window], View]] = {"elections": elections, "epochs": epochs, "syncs": syncs}
