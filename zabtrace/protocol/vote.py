"""The order of votes (FastLeaderElection.totalOrderPredicate, 3.4 to 3.9): peerEpoch, then zxid, then server id; larger wins."""

from __future__ import annotations

from typing import NamedTuple

FIELD_NAMES = {"peer_epoch": "epoch", "zxid": "zxid", "sid": "sid"}
FIELD_WORDS = {"epoch": "epoch", "zxid": "zxid", "sid": "server id"}
"""The same in sentences."""
NO_DATABASE = -1
"""zxid of a server whose database is empty and which may not create one (3.6.0+): its votes and acknowledgements count for nobody."""


class Vote(NamedTuple):
    """A vote in the order in which its fields are compared."""

    peer_epoch: int
    zxid: int
    sid: int


def wins(new: Vote, current: Vote, weight: int = 1) -> bool:
    """Does ``new`` replace ``current``? A candidate of weight 0 never does.

    >>> wins(Vote(1, 8, 2), Vote(1, 8, 1)), wins(Vote(1, 7, 4), Vote(1, 8, 2))
    (True, False)
    """
    return weight != 0 and new > current


def decided_by(winner: Vote, other: Vote) -> str:
    """The first field in which the winner's vote beats the other: epoch, zxid or sid."""
    return next(FIELD_NAMES[name] for name, mine, its in zip(Vote._fields, winner, other, strict=True) if mine != its)
