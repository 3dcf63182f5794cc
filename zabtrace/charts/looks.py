"""What a role, a fate or a synchronization looks like: one row each, so that it is the same everywhere.

No two differ by colour alone (colours after Okabe and Ito). Text from the evidence is escaped: plotly takes it for HTML.
"""

from __future__ import annotations

import html
from dataclasses import dataclass

from zabtrace import wording


@dataclass(frozen=True)
class Look:
    """Colour, and what tells it apart without colour: a pattern (bars) or symbol (points)."""

    colour: str
    shape: str = ""


ROLES = {
    "LEADING": Look("#0072B2"),
    "FOLLOWING": Look("#8CC5E8"),
    "OBSERVING": Look("#C9B8DA", "."),
    "LOOKING": Look("#E69F00", "/"),
    "STARTING": Look("#F0E442", "-"),
    "DOWN": Look("#B5B5B5", "x"),
    "UNKNOWN": Look("#E4E4E4", "\\"),
}
FATES = {
    "recovered": Look("#009E73", "circle-open"),
    "truncated": Look("#D55E00", "triangle-down"),
    "shadowed": Look("#A04A85", "diamond-open"),
    "pending": Look("#0072B2", "square-open"),
    "undecided": Look("#8A7A00", "hexagon-open"),
    "lost": Look("#C00000", "x"),
    "diverged": Look("#000000", "cross"),
}
MODES = {"DIFF": Look("#1B6B4A", "triangle-up"), "TRUNC": Look("#D55E00", "triangle-down"), "SNAP": Look("#A04A85", "square")}
PAUSE = Look("#5A3A00", "|")
SERVER_LINES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#5A5A5A")
BAND = ("rgba(0,114,178,0.07)", "rgba(0,0,0,0)")


def said(text: object) -> str:
    """Text as plotly may show it: no markup of its own, no control characters, not longer than a screen."""
    return html.escape(wording.plain(text)[:400])
