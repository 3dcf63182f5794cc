"""What the next start would do: who wins, who is brought up to date how, and which records go."""

from __future__ import annotations

from dataclasses import dataclass

from zabtrace.replay.history import History


@dataclass(frozen=True)
class Learner:
    """How one server would be brought up to date (zxids as numbers)."""

    server: int
    mode: str
    truncated_to: int | None
    why: str


@dataclass(frozen=True)
class Start:
    """One set of servers that starts together. ``leader`` is None where they are no quorum."""

    servers: tuple[int, ...]
    leader: int | None
    why: str
    learners: tuple[Learner, ...] = ()
    truncated: tuple[int, ...] = ()
    shadowed: tuple[int, ...] = ()
    returning: tuple[int, ...] = ()
    committed: tuple[int, ...] = ()

    @property
    def discarded(self) -> tuple[int, ...]:
        """Truncated and shadowed together."""
        return tuple(sorted({*self.truncated, *self.shadowed}))


@dataclass(frozen=True)
class Rebuild:
    """The disk that is the best to rebuild the ensemble from, and what it lacks."""

    server: int
    why: str
    would_lose: tuple[int, ...] = ()


@dataclass(frozen=True)
class Prediction:
    """Every start that the servers at hand allow."""

    starts: tuple[Start, ...] = ()
    best_to_rebuild_from: Rebuild | None = None


def predict(history: History, start: tuple[int, ...] | None = None) -> Prediction:
    """Predict the next start of the servers whose newest disks were read, or of ``start`` alone."""
    return Prediction()
