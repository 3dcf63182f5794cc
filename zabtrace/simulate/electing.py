"""Elections: notifications between servers, each running the machine of ``protocol.election``.

Strategy: FastLeaderElection.lookForLeader over links with delays. A server waits for notifications, longer each time; once a quorum
agrees it waits finalizeWait for a better vote. What reaches a server that has decided already is answered with its vote.
"""

from __future__ import annotations

from zabtrace.protocol.election import (
    FINALIZE_WAIT_MS,
    FIRST_TIMEOUT_MS,
    FOLLOWING,
    LEADING,
    LOOKING,
    OBSERVING,
    REASONS,
    Looking,
    Notification,
    first_vote,
    message_version,
    next_timeout,
)
from zabtrace.protocol.vote import Vote, decided_by, wins
from zabtrace.simulate import journal
from zabtrace.simulate.core import Core, Setup
from zabtrace.simulate.server import Ballot, Server
from zabtrace.zxid import text

JOINS_ROUND = "joins round {round}"


def told(vote: Vote) -> str:
    """A vote in words."""
    return f"{vote.sid} (epoch {vote.peer_epoch}, {text(vote.zxid)})" if vote.sid >= 0 else "nobody"


class Electing(Core):
    """Looking for a leader."""

    def __init__(self, setup: Setup, seed: int) -> None:
        super().__init__(setup, seed)
        self.electorate = self.config
        """Whose votes are counted, and how."""
        self.finalize_wait = FINALIZE_WAIT_MS

    def vote_epoch(self, server: Server) -> int:
        """The epoch that a first vote names."""
        return server.disk.current or 0

    def look(self, server: Server) -> None:
        """Enter LOOKING: the next round, the own vote, told to every voter."""
        server.look()
        server.state = LOOKING
        own = first_vote(server.sid, server.last, self.vote_epoch(server), server.observer)
        looking = Looking(server.sid, own, [self.electorate], server.round, server.release)
        server.ballot = Ballot(looking, self.now, FIRST_TIMEOUT_MS)
        self.say(server, "looking")
        self.say(server, "new election", {"my_sid": server.sid, "zxid": own.zxid})
        self.note(server, journal.CHANGE, f"looks for a leader in round {looking.round}, votes for {told(own)}", round=looking.round,
                  vote=own, because="own vote")  # fmt: skip
        self._tell_all(server)
        self._wait(server)

    def _tell_all(self, server: Server) -> None:
        for sid in sorted(self.config.voters):
            self._tell(server, self.servers[sid])

    def _tell(self, server: Server, other: Server) -> None:
        """Send the present vote, as a server that looks or one that has decided."""
        if server.ballot is not None:
            heard = server.ballot.looking.notification()
        elif server.vote is not None:
            heard = Notification(server.sid, server.state, server.round, server.vote, message_version(server.release))
        else:
            return
        sent = self.now
        if other.up:
            self.send(server, other, lambda: self._hear(other, heard, sent))

    def _wait(self, server: Server) -> None:
        """Wait for the next notification, or for a better vote once a quorum agrees."""
        ballot = server.ballot
        if ballot is None:
            return
        ballot.token += 1
        token, action = ballot.token, self._decide if ballot.finalizing else self._time_out
        delay = self.finalize_wait if ballot.finalizing else ballot.wait
        self.later(server, delay, lambda: action(server) if server.ballot is ballot and ballot.token == token else None,
                   idle=not ballot.finalizing)  # fmt: skip

    def _time_out(self, server: Server) -> None:
        assert server.ballot is not None  # noqa: S101 (the timer asked)
        server.ballot.wait = next_timeout(server.ballot.wait)
        self.say(server, "time out", {"ms": server.ballot.wait})
        self._tell_all(server)
        self._wait(server)

    # ---------------------------------------------------------------- notifications
    def _hear(self, server: Server, heard: Notification, sent: int) -> None:
        if heard.sender not in self.config.voters:
            self._tell(server, self.servers[heard.sender])  # WorkerReceiver: who is no voter gets an answer and is not heard
            return
        self._print(server, heard)
        ballot = server.ballot
        if ballot is None:
            self.note(server, journal.NOTIFICATION, self._heard(heard, "it has decided: it answers with its own vote"),
                      sender=heard.sender, sent=sent, vote=heard.vote, round=heard.round, state=heard.state)  # fmt: skip
            if heard.state == LOOKING and heard.sender != server.sid:
                self._tell(server, self.servers[heard.sender])
            return
        self._weigh(server, ballot, heard, sent)
        if heard.state == LOOKING and heard.round < ballot.looking.round and heard.sender != server.sid:
            self._tell(server, self.servers[heard.sender])

    def _weigh(self, server: Server, ballot: Ballot, heard: Notification, sent: int) -> None:
        looking = ballot.looking
        facts = {"sender": heard.sender, "sent": sent, "vote": heard.vote, "round": heard.round, "state": heard.state}
        if ballot.finalizing and not looking.better(heard):
            self.note(server, journal.NOTIFICATION, self._heard(heard, "it has a quorum and this is no better vote: dropped"), **facts)
            self._wait(server)
            return
        ballot.finalizing = False
        before, round_ = looking.proposal, looking.round
        rules = looking.receive(heard)
        self.note(server, journal.NOTIFICATION, self._heard(heard, "; ".join(REASONS[rule] for rule in rules)), rules=rules, **facts)
        if looking.joined is not None:
            self._decide(server)
            return
        if (looking.proposal, looking.round) != (before, round_):
            self._changed(server, ballot, before, round_)
        if "quorum" in rules:
            ballot.finalizing = True
            self.say(server, "old tally passed")
            agreed = sorted(s for s, other in looking.recvset.items() if other.vote == looking.proposal and other.round == looking.round)
            self.note(server, journal.QUORUM, f"has equal votes of {', '.join(map(str, agreed))}, a quorum: it waits "
                      f"{self.finalize_wait} ms for a better one", agreed=agreed, vote=looking.proposal, round=looking.round)  # fmt: skip
        self._wait(server)

    def _changed(self, server: Server, ballot: Ballot, before: Vote, round_: int) -> None:
        looking = ballot.looking
        joins = looking.round != round_
        base = looking.own if joins else before
        beats = decided_by(looking.proposal, base) if wins(looking.proposal, base) else None
        because = beats or "round"
        why = " and ".join([*([JOINS_ROUND.format(round=looking.round)] if joins else []), *([f"larger {beats}"] if beats else [])])
        self.note(server, journal.CHANGE, f"votes for {told(looking.proposal)}: {why}", round=looking.round, vote=looking.proposal,
                  because=because)  # fmt: skip
        self._tell_all(server)

    def _heard(self, heard: Notification, why: str) -> str:
        return f"hears that {heard.sender} ({heard.state}, round {heard.round}) votes for {told(heard.vote)}: {why}"

    def _print(self, server: Server, heard: Notification) -> None:
        self.say(server, "notification", {
            "sid": heard.sender, "state": heard.state, "leader": heard.vote.sid, "round": heard.round, "peer_epoch": heard.vote.peer_epoch,
            "zxid": heard.vote.zxid, "my_state": server.state, "format_version": heard.version, "config_version": 0,
        })  # fmt: skip

    # ---------------------------------------------------------------- decisions
    def _decide(self, server: Server) -> None:
        ballot = server.ballot
        assert ballot is not None  # noqa: S101 (only a server that looks decides)
        outcome = ballot.looking.decide()
        assert outcome is not None  # noqa: S101 (asked for once a quorum agrees)
        vote = ballot.looking.joined or ballot.looking.proposal
        server.vote, server.round, server.leader, server.ballot = vote, ballot.looking.round, vote.sid, None
        server.state = OBSERVING if server.observer else LEADING if outcome == LEADING else FOLLOWING
        how = "a quorum follows it already" if ballot.looking.joined else "no better vote came"
        self.note(server, journal.DECISION, f"is {server.state}, leader {vote.sid}: {how}", leader=vote.sid, state=server.state,
                  round=server.round, joined=ballot.looking.joined is not None, vote=vote)  # fmt: skip
        self.take_role(server, self.now - ballot.since)
