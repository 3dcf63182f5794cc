"""3.4's and 3.5's older elections: LeaderElection (electionAlg 0) and AuthFastLeaderElection (1, and 2 with challenges); gone in 3.6.0.

Strategy: pure rules. None of them knows peerEpoch or a quorum verifier: votes are compared by zxid, then server id, and heads are counted,
whatever groups and weights are configured. They print no votes, so that logs show who won, not how.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

RELEASES = "3.4.0-3.4, 3.5.0-3.5"
AUTH_FINALIZE_WAIT_MS = 100
"""AuthFastLeaderElection.finalizeWait; a challenge (electionAlg 2) only proves the sender's address, it decides nothing."""
ASK_AGAIN_MS = 1000
"""LeaderElection asks every voter anew each second, and waits up to ANSWER_MS for each answer."""
ANSWER_MS = 200


class OldVote(NamedTuple):
    """A vote in the order in which its fields are compared."""

    zxid: int
    sid: int


def wins(new: OldVote, current: OldVote) -> bool:
    """AuthFastLeaderElection.totalOrderPredicate.

    >>> wins(OldVote(8, 2), OldVote(8, 1)), wins(OldVote(7, 4), OldVote(8, 2))
    (True, False)
    """
    return new > current


def majority(count: int, voters: Collection[int]) -> bool:
    """More than half of the voters, by head (termPredicate; LeaderElection: "this doesn't use a quorum verifier")."""
    return count > len(voters) // 2


def agreed(votes: Mapping[int, OldVote], proposal: OldVote, voters: Collection[int]) -> bool:
    """AuthFastLeaderElection.termPredicate: do enough servers vote for this candidate with this zxid? Rounds are not looked at."""
    return majority(sum(vote == proposal for vote in votes.values()), voters)


@dataclass(frozen=True)
class Tally:
    """What one server makes of one round of answers: whom it votes for next (None: itself), and who is elected."""

    vote: OldVote | None
    elected: OldVote | None


def tally(answers: Mapping[int, OldVote], voters: Collection[int]) -> Tally:
    """LeaderElection.countVotes: ``answers`` are the present votes of the servers that answered, by who answered.

    A vote for a server that did not answer counts for nothing; a candidate's zxid is the largest that anyone has heard of it.

    >>> tally({1: OldVote(8, 1), 2: OldVote(8, 2), 4: OldVote(7, 4)}, range(5))
    Tally(vote=OldVote(zxid=8, sid=2), elected=None)
    >>> tally({1: OldVote(8, 2), 2: OldVote(8, 2), 4: OldVote(7, 2)}, range(5)).elected
    OldVote(zxid=8, sid=2)
    """
    valid = [vote for vote in answers.values() if vote.sid in answers]
    if not valid:
        return Tally(None, None)
    highest = {vote.sid: max(other.zxid for other in valid if other.sid == vote.sid) for vote in valid}
    counted = Counter(OldVote(highest[vote.sid], vote.sid) for vote in valid)
    leading = [vote for vote, count in counted.items() if majority(count, voters)]
    return Tally(max(counted), leading[0] if leading else None)


def elect(votes: Mapping[int, OldVote], voters: Collection[int]) -> int | None:
    """Who is elected where these servers look and all answer each other: the best vote, once everybody has taken it over.

    >>> elect({1: OldVote(8, 1), 2: OldVote(8, 2), 4: OldVote(7, 4)}, range(1, 6))
    2
    """
    present = dict(votes)
    for _ in range(2):
        found = tally(present, voters)
        if found.elected is not None:
            return found.elected.sid
        present = {sid: found.vote or vote for sid, vote in present.items()}
    return None
