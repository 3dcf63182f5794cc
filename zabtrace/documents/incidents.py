"""The document of ``incidents``: losses with their causes, clocks, and what does not fit the protocol."""

from __future__ import annotations

from typing import Any

from zabtrace import wording
from zabtrace.documents.listing import Listing
from zabtrace.documents.window import Window
from zabtrace.incidents import Incidents

FORMAT = 1


def incidents(found: Incidents, names: wording.Names, window: Window) -> dict[str, Any]:
    """Losses in the window; clocks and findings whole, for they belong to no moment."""
    shown = window.narrow(found.losses)
    return {
        "format": FORMAT,
        "losses": Listing(shown.height, lambda: wording.rows(shown, names)),
        "clocks": [_clock(row) for row in wording.rows(found.clocks, names)],
        "findings": list(wording.rows(found.findings, names)),
        "hidden": found.losses.height - shown.height,
    }


def _clock(row: dict[str, Any]) -> dict[str, Any]:
    """``offset_ms``: the stamps of ``server`` less those of ``against``, at least and at most; null: not bounded."""
    return {
        **{key: row[key] for key in ("server", "against")},
        "offset_ms": [row["low_ms"], row["high_ms"]],
        **{key: row[key] for key in ("since", "until", "evidence")},
    }
