"""What ``incidents`` looks like: its view, and its screen."""

from __future__ import annotations

from typing import Any

from zabtrace import documents, wording
from zabtrace.documents import incidents as document_of
from zabtrace.documents.window import Window
from zabtrace.incidents import Incidents
from zabtrace.render.screen import Block, Sentence
from zabtrace.render.screens import grid
from zabtrace.render.views import View


def view(found: Incidents, names: wording.Names, window: Window) -> View:
    """The answer of the command."""
    document = document_of.incidents(found, names, window)
    return View(document, "losses", lambda: screen(document), window.narrow(found.losses))


def screen(document: documents.Document) -> list[Block]:
    """Losses, clocks and findings, one grid each; what is empty says so in a sentence."""
    losses, findings = document["losses"], document["findings"]
    return [
        *([] if losses else [Sentence("No server is seen to have lost another.")]),
        grid("Losses", "losses", [{**row, "cause": row["cause"] or "no cause visible"} for row in losses]),
        grid("Clocks", "clocks", [_between(row) for row in document["clocks"]]),
        *([] if findings else [Sentence("Nothing in the logs was found to contradict the protocol or the clocks.")]),
        grid("Findings", "findings", findings),
    ]


def _between(row: dict[str, Any]) -> dict[str, Any]:
    """A clock's interval in words; of two servers that no message joins it follows from the intervals of others."""
    low, high = ("?" if bound is None else f"{bound / 1000:+.3f} s" for bound in row["offset_ms"])
    return {**row, "ahead": f"{low} to {high}" + ("" if row["evidence"] else ", by way of other servers")}
