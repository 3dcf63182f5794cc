"""The account of what happened: one Step per notification, change of vote, quorum, decision, promise, synchronization, write and crash."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

NOTIFICATION, CHANGE, QUORUM, DECISION = "notification", "change", "quorum", "decision"
DISCOVERY, EPOCH, SYNC, TRUNCATION, SERVING = "discovery", "epoch", "sync", "truncation", "serving"
LIFE, LOSS, WRITE, COMMIT, SNAPSHOT, ORDER = "life", "loss", "write", "commit", "snapshot", "order"
"""Kinds of steps; ``order`` is a statement of the scenario."""


@dataclass(frozen=True)
class Step:
    """One thing that happened on one server (None: the scenario's doing). ``facts`` hold the numbers that ``text`` tells."""

    time: int
    server: int | None
    kind: str
    text: str
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass
class Said:
    """One line that a server printed: the phrase's name, and its fields."""

    time: int
    phrase: str
    values: dict[str, object]
    thread: dict[str, object] = field(default_factory=dict)
    """What the thread's name holds besides the server's own numbers."""
