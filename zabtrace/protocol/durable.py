"""In which order a learner makes things durable when NEWLEADER comes (Learner.syncWithLeader), as a table by version.

The order decides what a crash leaves: a currentEpoch file ahead of the history that belongs to it (ZOOKEEPER-4643), or a NEWLEADER
acknowledged before the transactions of the DIFF are on disk (ZOOKEEPER-3911, 4646). Only the last two orders are safe.
"""

from __future__ import annotations

from dataclasses import dataclass

SNAPSHOT, CURRENT_EPOCH, LOG, LOG_COMMITTED, QUEUE, ACK, UPTODATE = (
    "snapshot",
    "currentEpoch",
    "log",
    "log committed",
    "queue",
    "ack",
    "uptodate",
)
"""Steps: ``log`` writes and syncs the transactions received before NEWLEADER, ``queue`` hands them to the sync thread, which writes later;
``log committed`` writes those whose COMMIT was received too. ``snapshot`` is taken after SNAP and TRUNC only."""


@dataclass(frozen=True)
class Order:
    """One version group's order of steps; ``since`` are the first releases of it, per release line."""

    name: str
    since: tuple[tuple[int, int, int], ...]
    steps: tuple[str, ...]

    @property
    def safe(self) -> bool:
        """Is the leader's history durable before currentEpoch and before the acknowledgement?"""
        logged = next(i for i, step in enumerate(self.steps) if step.startswith("log"))
        return logged < self.steps.index(CURRENT_EPOCH) < self.steps.index(ACK)


ORDERS: tuple[Order, ...] = (
    Order("logged after UPTODATE", ((3, 4, 0), (3, 5, 0), (3, 6, 0)), (SNAPSHOT, CURRENT_EPOCH, ACK, UPTODATE, LOG)),
    Order(
        "queued after currentEpoch",
        ((3, 5, 10), (3, 6, 3), (3, 7, 0), (3, 8, 0), (3, 9, 0)),
        (SNAPSHOT, CURRENT_EPOCH, QUEUE, ACK, UPTODATE, LOG),
    ),
    Order("logged before currentEpoch", ((3, 8, 5), (3, 9, 2)), (SNAPSHOT, LOG, CURRENT_EPOCH, ACK, UPTODATE)),
    Order(
        "committed ones logged before currentEpoch", ((3, 9, 3), (3, 10, 0)), (SNAPSHOT, LOG_COMMITTED, CURRENT_EPOCH, ACK, UPTODATE, LOG)
    ),
)


def order_of(version: str | None) -> Order | None:
    """The order that a release uses; None where the version is not known.

    >>> order_of("3.8.4").name, order_of("3.9.3").safe
    ('queued after currentEpoch', True)
    """
    if version is None:
        return None
    release = tuple(int(part) for part in version.split(".")[:3])
    line = [(since, order) for order in ORDERS for since in order.since if since[:2] == release[:2] and since <= release]
    return max(line, key=lambda found: found[0])[1] if line else ORDERS[-1] if release >= (3, 10, 0) else None
