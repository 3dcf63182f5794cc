"""The older elections of 3.4 and 3.5 (electionAlg 0 to 2), by the rules of ``protocol.legacy``.

Strategy: LeaderElection (0) asks every voter for its present vote, counts heads, takes the best vote over, and asks again a second later.
AuthFastLeaderElection (1, 2) is told like FastLeaderElection over votes without an epoch, heads counted, with its shorter wait; its
challenges decide nothing. Neither prints votes: 0 prints its tallies, 1 and 2 that they passed.
"""

from __future__ import annotations

from collections import Counter

from zabtrace.protocol import legacy
from zabtrace.protocol.election import FOLLOWING, LEADING, LOOKING, OBSERVING
from zabtrace.protocol.legacy import OldVote
from zabtrace.protocol.quorum import Config
from zabtrace.protocol.vote import Vote, decided_by
from zabtrace.simulate import journal
from zabtrace.simulate.core import Setup
from zabtrace.simulate.electing import Electing
from zabtrace.simulate.server import Server
from zabtrace.zxid import text

ASKING, FAST = 0, 3
"""electionAlg of LeaderElection, and of FastLeaderElection."""
FAST_ONLY = frozenset({"new election", "notification", "time out", "election port"})
"""Phrases of FastLeaderElection and its connections."""
FOLLOWER_SLEEPS_MS = 100
NO_EPOCH = 0


class OldElecting(Electing):
    """Looking for a leader by the algorithm that is configured."""

    def __init__(self, setup: Setup, seed: int) -> None:
        super().__init__(setup, seed)
        self._present: dict[int, OldVote] = {}
        """The vote of each server that looks by algorithm 0."""
        if setup.algorithm != FAST:
            self.electorate = Config(None, setup.voters)
            self.finalize_wait = legacy.AUTH_FINALIZE_WAIT_MS

    def say(self, server: Server, phrase: str, values: dict[str, object] | None = None, **thread: object) -> None:
        """What an older election does not print is left out."""
        if self.setup.algorithm == FAST or phrase not in FAST_ONLY:
            super().say(server, phrase, values, **thread)

    def vote_epoch(self, server: Server) -> int:
        """The epoch that a first vote names: the older elections know none."""
        return super().vote_epoch(server) if self.setup.algorithm == FAST else NO_EPOCH

    def look(self, server: Server) -> None:
        """Enter LOOKING."""
        if self.setup.algorithm == ASKING:
            self._look(server)
            return
        super().look(server)
        if self.setup.algorithm != FAST:
            self.say(server, "old tally begins")

    # ---------------------------------------------------------------- electionAlg 0
    def _look(self, server: Server) -> None:
        server.look()
        looking = [other.round for other in self.servers.values() if other.state == LOOKING and other is not server]
        server.round = max(looking, default=1 + max(other.round for other in self.servers.values()))
        server.state = LOOKING
        own = self._present[server.sid] = OldVote(server.last, server.sid)
        self.say(server, "looking")
        self.note(server, journal.CHANGE, f"looks for a leader, votes for {_told(own)}", round=server.round, vote=_vote(own),
                  because="own vote")  # fmt: skip
        since = self.now
        self._ask(server, since)

    def _ask(self, server: Server, since: int) -> None:
        """Ask one voter after the other; one that does not answer is waited for."""
        least, most = self.setup.delay
        spent = sum(self.rng.randint(2 * least, 2 * most) if self._answer(server, sid) else legacy.ANSWER_MS for sid in self.config.voters)
        self.later(server, spent, lambda: self._count(server, since))

    def _answer(self, server: Server, sid: int) -> OldVote | None:
        """What a voter's responder tells (QuorumPeer.ResponderThread); None where no answer comes."""
        other = self.servers[sid]
        if other is not server and (not self.reaches(server, other) or other.paused):
            return None
        if other.state == LOOKING:
            return self._present[sid]
        leader = sid if other.state == LEADING else other.leader
        return OldVote(other.last, leader) if other.state in (LEADING, FOLLOWING) and leader is not None else None

    def _count(self, server: Server, since: int) -> None:
        """LeaderElection.countVotes, and what follows from it."""
        if server.state != LOOKING:
            return
        answers = {sid: vote for sid in sorted(self.config.voters) if (vote := self._answer(server, sid)) is not None}
        for sid, vote in answers.items():
            other = self.servers[sid]
            self.note(server, journal.NOTIFICATION, f"is told by {sid} ({other.state}) that it votes for {_told(vote)}", sender=sid,
                      sent=self.now, vote=_vote(vote), round=server.round, state=other.state)  # fmt: skip
        self._print_tally(server, answers)
        found = legacy.tally(answers, self.config.voters)
        self._turn(server, found.elected or found.vote or OldVote(server.last, server.sid))
        if found.elected is None:
            self.later(server, legacy.ASK_AGAIN_MS, lambda: self._ask(server, since) if server.state == LOOKING else None, idle=True)
            return
        agreed = [sid for sid, vote in answers.items() if vote.sid == found.elected.sid]
        told = f"counts {len(agreed)} votes for {found.elected.sid}, more than half of {len(self.config.voters)} voters"
        self.note(server, journal.QUORUM, told, agreed=agreed, vote=_vote(found.elected), round=server.round)
        self._settle(server, found.elected, since)

    def _print_tally(self, server: Server, answers: dict[int, OldVote]) -> None:
        counted = Counter(vote.sid for vote in answers.values() if vote.sid in answers)
        self.say(server, "tally")
        for sid, count in sorted(counted.items()):
            self.say(server, "tally entry", {"leader": sid, "count": count})

    def _turn(self, server: Server, vote: OldVote) -> None:
        before, self._present[server.sid] = self._present[server.sid], vote
        if before.sid != vote.sid:
            by = decided_by(_vote(vote), _vote(before)) if vote > before else "round"
            self.note(server, journal.CHANGE, f"votes for {_told(vote)}", round=server.round, vote=_vote(vote), because=by)

    def _settle(self, server: Server, vote: OldVote, since: int) -> None:
        leads = vote.sid == server.sid and not server.observer
        joined = self.servers[vote.sid].state == LEADING
        server.vote, server.leader = _vote(vote), vote.sid
        server.state = OBSERVING if server.observer else LEADING if leads else FOLLOWING
        self.note(server, journal.DECISION, f"is {server.state}, leader {vote.sid}", leader=vote.sid, state=server.state,
                  round=server.round, joined=joined, vote=server.vote)  # fmt: skip
        took = self.now - since
        self.later(server, FOLLOWER_SLEEPS_MS if server.state == FOLLOWING else 0, lambda: self.take_role(server, took))


def _told(vote: OldVote) -> str:
    return f"{vote.sid} ({text(vote.zxid)})"


def _vote(vote: OldVote) -> Vote:
    return Vote(NO_EPOCH, vote.zxid, vote.sid)
