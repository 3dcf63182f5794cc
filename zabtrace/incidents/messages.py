"""Messages between servers of which both ends were printed: a line before it was sent, and a line after it was received.

Strategy: one function per kind of message yields those of one term; ``SIGNS`` lists them. A vote is matched to the LOOKING interval it
was cast in by its content and by the term that both ends belong to: the same vote may have been cast by another process whose log
is missing. The line before is as early as it must be to hold whatever the threads did: a server's own "Notification" line may come
after others have received the vote, LOOKING may not (FastLeaderElection.lookForLeader comes behind it).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from zabtrace.incidents.scene import End, Scene, Supporters, began, end_of
from zabtrace.replay.ballots import Ballots
from zabtrace.replay.handshakes import Received, Sent
from zabtrace.replay.roles import Interval
from zabtrace.replay.terms import Term

_MARKS = ("leader_connected", "newleader", "uptodate")


@dataclass(frozen=True, slots=True)
class Message:
    """Something that one server did before another could do what it printed."""

    what: str
    sent: End
    received: End

    @property
    def ms(self) -> int:
        """How long it took by both clocks: an upper bound of the receiver's clock less the sender's."""
        return round((self.received.time - self.sent.time).total_seconds() * 1000)


Marks = dict[tuple[int, str], End]
"""(interval, kind) -> the first such line in it."""


def messages(scene: Scene) -> Iterator[Message]:
    """All messages of which both ends were printed."""
    marks = _marks(scene)
    for term in scene.terms.all:
        for sign in SIGNS:
            yield from sign(scene, term, marks)


def _marks(scene: Scene) -> Marks:
    marks: Marks = {}
    for row in scene.stage.each(_MARKS):
        if (end := end_of(row)) is not None:
            marks.setdefault((row["interval"], row["kind"]), end)
    return marks


def _message(what: str, sent: End | None, received: End | None) -> Iterable[Message]:
    return () if sent is None or received is None or sent.server == received.server else (Message(what, sent, received),)


def votes(scene: Scene, term: Term, _: Marks) -> Iterator[Message]:
    """A vote, from LOOKING to whoever of the same term printed it first."""
    members = [interval for interval in (term.interval, *term.learners) if interval is not None]
    found = scene.terms.ballots
    cast: dict[tuple[int, object], Interval] = {}
    for member in members:
        if (looking := member.before) is not None and looking.role == "LOOKING":
            for ballot in found.own(looking):
                cast.setdefault((looking.server, ballot), looking)
    noticed, begun = scene.noticed, {looking: began(looking) for looking in cast.values()}
    for receiver in _viewers(members, found, cast):
        met: set[Interval] = set()
        for notice in found.heard.get(receiver.index, ()):
            looking = cast.get((notice.sender, notice.ballot)) if notice.state == "LOOKING" else None
            if looking is not None and looking not in met and (notice.sender, notice.ballot) not in found.recast:
                met.add(looking)
                time, source, line = noticed.times[notice.row], noticed.sources[notice.row], noticed.lines[notice.row]
                seen = None if time is None else End(receiver.server, notice.at, time, source, line)
                yield from _message("a vote", begun[looking], seen)


def _viewers(members: Sequence[Interval], found: Ballots, cast: Mapping[tuple[int, object], object]) -> Iterator[Interval]:
    """The intervals in which members saw such votes, but those of a member that saw one both while LOOKING and later.

    The sender may have come twice with one vote, first in a process whose log is missing.
    """
    for member in members:
        parts = [part for part in (member.before, member) if part is not None]
        seen = [
            {
                key
                for n in found.heard.get(part.index, ())
                if n.state == "LOOKING" and (key := (n.sender, n.ballot)) in cast and n.sender != member.server
            }
            for part in parts
        ]
        if len(parts) < 2 or not seen[0] & seen[1]:
            yield from parts


def introductions(_: Scene, term: Term, marks: Marks) -> Iterator[Message]:
    """A learner's FOLLOWERINFO, from its FOLLOWING (3.6+: connected) to the leader's decision how to synchronize it."""
    for learner, leader in term.handshakes:
        if learner is not None and leader is not None:
            mark = marks.get((learner.interval.index, "leader_connected")) or began(learner.interval)
            yield from _message("a learner's introduction", mark, _side(leader))


def decisions(_: Scene, term: Term, __: Marks) -> Iterator[Message]:
    """The first packet of a synchronization, from the leader's decision to the learner's line about its mode."""
    for learner, leader in term.handshakes:
        if learner is not None and leader is not None:
            yield from _message("a synchronization", _side(leader), _side(learner))


def _side(side: Sent | Received) -> End | None:
    return None if side.time is None else End(side.interval.server, side.at, side.time, side.source, side.line)


def acknowledgements(scene: Scene, term: Term, marks: Marks) -> Iterator[Message]:
    """The ACK of NEWLEADER, from the learner's line about NEWLEADER to the leader's quorum, for those whom the leader names there.

    Whom it synchronized only behind that line it names for an earlier process, the log of which is missing.
    """
    quorum = _quorum(scene, term)
    late = {mine.interval.index for mine, sent in term.handshakes if mine is not None and sent is not None and sent.established}
    for server in sorted(frozenset().union(*quorum.sets)) if quorum is not None else ():
        first = min((i for i in term.learners if i.server == server), key=lambda i: i.at, default=None)
        if first is not None and first.index not in late and quorum is not None:
            yield from _message("an ACK of NEWLEADER", marks.get((first.index, "newleader")), quorum.end)


def starts(scene: Scene, term: Term, marks: Marks) -> Iterator[Message]:
    """UPTODATE, from the leader's quorum to the learner: no learner gets it before (LearnerHandler.run; 3.5+ print it)."""
    quorum = _quorum(scene, term)
    for learner in term.learners if quorum is not None else ():
        yield from _message("UPTODATE", quorum.end if quorum is not None else None, marks.get((learner.index, "uptodate")))


def _quorum(scene: Scene, term: Term) -> Supporters | None:
    return scene.supporters.get(term.interval.index) if term.interval is not None else None


Sign = Callable[[Scene, Term, Marks], Iterator[Message]]
SIGNS: tuple[Sign, ...] = (votes, introductions, decisions, acknowledgements, starts)
