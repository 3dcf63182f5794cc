"""Discovery: how a would-be leader finds its epoch (Leader.getEpochToPropose, Leader.waitForEpochAck, Learner.registerWithLeader).

Pure rules: the epoch proposed, a learner's answer to it, and whether that answer counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from zabtrace.protocol.quorum import Config
from zabtrace.protocol.releases import NEWEST, among
from zabtrace.protocol.vote import NO_DATABASE

ALREADY_ACCEPTED = -1
"""currentEpoch in the ACKEPOCH of a learner that had accepted this epoch before: "does not count"."""


class Summary(NamedTuple):
    """StateSummary in the order in which it is compared: currentEpoch, last zxid."""

    current_epoch: int
    last_zxid: int


def proposed(accepted: Iterable[int]) -> int:
    """The epoch of LEADERINFO: above every acceptedEpoch heard of, the leader's own included.

    >>> proposed([1, 3, 2])
    4
    """
    return max(accepted) + 1


def answer(epoch: int, accepted: int, own: Summary) -> Summary | None:
    """ACKEPOCH to LEADERINFO; None: "Leaders epoch is less than accepted epoch", the learner leaves.

    >>> answer(2, 1, Summary(1, 7)), answer(2, 2, Summary(1, 7)).current_epoch, answer(2, 3, Summary(1, 7))
    (Summary(current_epoch=1, last_zxid=7), -1, None)
    """
    if epoch < accepted:
        return None
    return own if epoch > accepted else Summary(ALREADY_ACCEPTED, own.last_zxid)


def ahead(ack: Summary, leader: Summary) -> bool:
    """Is the learner ahead of the leader, which then lets it go ("Follower is ahead of the leader")?"""
    return ack.current_epoch != ALREADY_ACCEPTED and ack > leader


def counts(ack: Summary, leader: Summary, release: str = NEWEST) -> bool:
    """Does this ACKEPOCH count towards the quorum that lets the leader write its currentEpoch? From 3.6.0 on not without a database."""
    if ack.last_zxid == NO_DATABASE and among(release, "3.6.0-"):
        return False
    return ack.current_epoch != ALREADY_ACCEPTED and not ahead(ack, leader)


@dataclass
class Discovery:
    """One leader's attempt: who connected, the epoch once it is fixed, and who acknowledged it.

    ``config`` is the one in force: a reconfig in flight does not count here. The epoch is fixed when a quorum that includes the leader
    has connected; who comes later gets the same one.
    """

    leader: int
    config: Config
    accepted: dict[int, int] = field(default_factory=dict)
    acknowledged: set[int] = field(default_factory=set)
    epoch: int | None = None

    def connect(self, sid: int, accepted: int) -> int | None:
        """FOLLOWERINFO (or the leader's own acceptedEpoch): the epoch to send, None while it is not fixed."""
        if self.epoch is None:
            self.accepted[sid] = accepted
            if self.leader in self.accepted and self.config.is_quorum(self.accepted):
                self.epoch = proposed(self.accepted.values())
        return self.epoch

    def acknowledge(self, sid: int) -> bool:
        """An ACKEPOCH that counts; True once a quorum that includes the leader has acknowledged."""
        self.acknowledged.add(sid)
        return self.leader in self.acknowledged and self.config.is_quorum(self.acknowledged)
