"""Conformance: where a server decided otherwise than the protocol does with what that server logged.

Strategy: each rule is one function, ``RULES`` lists them; it feeds the tables of ``protocol`` with the lines of one server and yields a
finding for each decision they do not reach. A rule speaks only where the lines it needs are there, and takes the reading that suits the
server best: the configuration may be the one in force or a newer one, and what came within finalizeWait may have come too late.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise

from zabtrace import zxid
from zabtrace.incidents.accounts import tallies
from zabtrace.incidents.driving import Driven, drive, readings, vote_of
from zabtrace.incidents.findings import Finding
from zabtrace.incidents.scene import Evidence, Scene, shown
from zabtrace.incidents.syncing import sync_modes
from zabtrace.protocol.election import FINALIZE_WAIT_MS, LOOKING
from zabtrace.protocol.quorum import Config
from zabtrace.protocol.vote import wins
from zabtrace.replay.ballots import Ballot, Notice, first_vote
from zabtrace.replay.numbering import at_least, not_rising
from zabtrace.replay.roles import Interval
from zabtrace.replay.terms import Term


def findings(scene: Scene) -> Iterator[Finding]:
    """What every rule finds."""
    for rule in RULES:
        yield from rule(scene)


def elections(scene: Scene) -> Iterator[Finding]:
    """Votes and decisions of each server that was LOOKING: by the rules that name what is wrong, else by the machine as a whole."""
    for interval in scene.stage.of("LOOKING"):
        seen = scene.terms.ballots.heard.get(interval.index)
        if seen and interval.index in scene.stage.voting:
            found = [one for rule in ELECTION_RULES for one in rule(scene, interval, seen)]
            yield from found or model(scene, interval, seen)


def _own(interval: Interval, seen: Iterable[Notice]) -> list[Notice]:
    return [n for n in seen if n.sender == interval.server and n.state == LOOKING]


def _line(scene: Scene, notice: Notice) -> Evidence:
    source, line = scene.noticed.sources[notice.row], scene.noticed.lines[notice.row]
    return {"source": source, "line": line, "says": scene.history.trace.held.message(source, line)}


def told(ballot: Ballot) -> str:
    """A ballot in words."""
    epoch = "" if ballot.peer_epoch is None else f" of epoch {ballot.peer_epoch}"
    return f"{ballot.leader} with {zxid.text(ballot.zxid)}{epoch} in round {ballot.round}"


def votes_rise(scene: Scene, interval: Interval, seen: Sequence[Notice]) -> Iterator[Finding]:
    """In a round a server changes to better votes only; in a higher round it takes none that loses against its own first vote."""
    own = _own(interval, seen)
    for before, after in pairwise(own):
        if before.ballot == after.ballot or own[0].ballot.leader != interval.server:
            continue
        found = _fall(scene, own[0].ballot, before.ballot, after.ballot)
        if found is not None:
            why = f"Server {interval.server} voted for {told(before.ballot)}, then for {told(after.ballot)}: {found}."
            yield Finding("a vote against the order", why, (_line(scene, before), _line(scene, after)))


def _fall(scene: Scene, first: Ballot, before: Ballot, after: Ballot) -> str | None:
    """What is wrong with a change of vote; None where nothing is."""
    if after.round < before.round:
        return "a round never falls while a server is looking"
    base = first if after.round > before.round else before
    mine, new = vote_of(base), vote_of(after)
    if new == mine or any(wins(new, mine, config.weight(new.sid)) for config in scene.configs or (Config(),)):
        return None
    return "the second loses against " + ("the first" if base is before else "its own first vote") + " (epoch, then zxid, then server id)"


def _heard_whole(interval: Interval) -> bool:
    """Is in the logs what it heard up to its LOOKING line? A process hears from its start on, and is LOOKING before it prints it.

    Where a log begins in between, that is not known; what a server hears while it follows or leads it does not count later.
    """
    before = interval.before
    return before is not None and (before.before is not None or before.role not in ("UNKNOWN", "LOOKING"))


def votes_are_heard(scene: Scene, interval: Interval, seen: Sequence[Notice]) -> Iterator[Finding]:
    """A server votes for another only after a notification proposed that vote (lookForLeader adopts, it never invents)."""
    if not _heard_whole(interval):
        return
    heard: set[tuple[int, int, int | None]] = set()
    for notice in seen:
        vote = (notice.ballot.leader, notice.ballot.zxid, notice.ballot.peer_epoch)
        own = notice.sender == interval.server and notice.state == LOOKING
        if own and notice.ballot.leader != interval.server and vote not in heard:
            why = f"Server {interval.server} voted for {told(notice.ballot)}, which no notification that it printed had proposed."
            yield Finding("a vote that nobody proposed", why, (_line(scene, notice),))
        heard.add(vote)


def _candidate(interval: Interval) -> int | None:
    """Whom a server settled on."""
    after = interval.after
    if after is None:
        return None
    return after.server if after.role == "LEADING" else after.leader if after.learns else None


def decisions_have_quorums(scene: Scene, interval: Interval, seen: Sequence[Notice]) -> Iterator[Finding]:
    """A server decides when a quorum of the voters names its candidate: by votes of its round, or as the leader they follow already."""
    candidate = _candidate(interval)
    if candidate is None or not scene.configs or scene.oracle or not _heard_whole(interval):
        return
    named = {n.sender for n in seen if n.ballot.leader == candidate}
    if not _quorum(scene, named):
        why = (
            f"Server {interval.server} settled on {candidate}, but of the notifications it printed only those of "
            f"{scene.name(*named)} name it: that is no quorum of the voters {_listed(scene.configs[-1].voters)}."
        )
        yield Finding("a decision without a quorum of votes", why, (_decision(interval), *(_line(scene, n) for n in seen[-3:])))


def _decision(interval: Interval) -> Evidence:
    """The line with which a LOOKING interval ended."""
    after = interval.after
    place = (after.source, after.line) if after is not None else (interval.source, interval.line)
    return {"source": place[0], "line": place[1]}


def _quorum(scene: Scene, servers: Iterable[int]) -> bool:
    """Is this a quorum of any configuration that may have been in force?"""
    chosen = frozenset(servers)
    return any(config.is_quorum(chosen) for config in scene.configs)


def _listed(servers: Iterable[int]) -> str:
    return ", ".join(str(server) for server in sorted(servers))


def winners_are_best(scene: Scene, interval: Interval, seen: Sequence[Notice]) -> Iterator[Finding]:
    """No better vote of the same round was there when a server decided by votes; what came within finalizeWait may have been missed."""
    own, candidate = _own(interval, seen), _candidate(interval)
    if not own or candidate is None or own[-1].ballot.leader != candidate or interval.end is None:
        return
    if _joined(scene, interval, seen, candidate):
        return
    final = vote_of(own[-1].ballot)
    for notice in seen:
        if notice.state != LOOKING or notice.ballot.round != own[-1].ballot.round:
            continue
        new = vote_of(notice.ballot)
        if new <= final or not all(wins(new, final, c.weight(new.sid)) for c in scene.configs) or not _valid(scene, notice):
            continue
        if _waited(scene, notice, interval) > FINALIZE_WAIT_MS:
            better = f"though it had seen a better vote, for {told(notice.ballot)}"
            why = f"Server {interval.server} settled on {told(own[-1].ballot)}, {better}."
            yield Finding("a better vote was passed over", why, (_line(scene, notice), _line(scene, own[-1])))
            break


def _waited(scene: Scene, notice: Notice, interval: Interval) -> float:
    """ms from a notification to the decision, by the server's own clock."""
    time = scene.noticed.times[notice.row]
    return (interval.end - time).total_seconds() * 1000 if time is not None and interval.end is not None else 0.0


def _joined(scene: Scene, interval: Interval, seen: Iterable[Notice], candidate: int) -> bool:
    """Could it join a leader that a quorum follows already? Then votes do not matter."""
    names = {n.sender for n in seen if n.state in ("FOLLOWING", "LEADING") and n.ballot.leader == candidate and n.sender != interval.server}
    return bool(names) and (not scene.configs or _quorum(scene, names | {interval.server}))


def _valid(scene: Scene, notice: Notice) -> bool:
    """Only voters' votes for voters count (validVoter)."""
    return not scene.configs or all(notice.sender in config.voters and notice.ballot.leader in config.voters for config in scene.configs)


def model(scene: Scene, interval: Interval, seen: Sequence[Notice]) -> Iterator[Finding]:
    """The machine, fed with what a server printed, casts the votes that the server cast and can settle on whom it settled on.

    Asked where the beginning of the interval is in the logs and the voters are known; it must fail for every configuration and release
    that the server may have gone by.
    """
    if not _heard_whole(interval) or not scene.configs or scene.oracle:
        return
    first: Driven | None = None
    candidate = _candidate(interval)
    for config, release in readings(scene, interval, seen):
        driven = drive(interval, seen, config, release, scene.noticed.format_versions)
        unforeseen = [step for step in driven.steps if not step.foreseen]
        if not unforeseen and (candidate is None or candidate in driven.reached):
            return
        first = first or driven
    if first is not None:
        yield _unlike(scene, interval, first, candidate)


def _unlike(scene: Scene, interval: Interval, driven: Driven, candidate: int | None) -> Finding:
    unforeseen = next((step for step in driven.steps if not step.foreseen), None)
    if unforeseen is not None:
        why = (
            f"Server {interval.server} voted for {told(unforeseen.notice.ballot)}; what it had printed before forces no such vote "
            "(FastLeaderElection.lookForLeader)."
        )
        return Finding("a vote that the model does not cast", why, (_line(scene, unforeseen.notice),))
    reached = f"only {scene.name(*driven.reached)} can be settled on" if driven.reached else "nobody can be settled on yet"
    why = f"Server {interval.server} settled on {candidate}, but by the notifications that it printed {reached}."
    last = [_line(scene, step.notice) for step in driven.steps[-3:]]
    return Finding("a decision that the model does not reach", why, (_decision(interval), *last))


def tallies_decide(scene: Scene) -> Iterator[Finding]:
    """The legacy algorithm 0 settles on a candidate that more than half of all voters, by head count, voted for in its last tally."""
    counted = tallies(scene) if scene.configs else {}
    for number, found in counted.items():
        interval = scene.stage.intervals[number]
        candidate = _candidate(interval)
        if interval.role != "LOOKING" or candidate is None or not found[-1].votes:
            continue
        votes, voters = found[-1].votes.get(candidate, 0), min(len(config.voters) for config in scene.configs)
        if votes * 2 <= voters:
            why = f"Server {interval.server} settled on {candidate} with {votes} votes of {voters} voters in its last tally."
            place = {"source": found[-1].source, "line": found[-1].line, "says": "Election tally:"}
            yield Finding("a decision without a quorum of votes", why, (place, _decision(interval)))


def leaders_have_quorums(scene: Scene) -> Iterator[Finding]:
    """A leader begins to serve when a quorum of the voters acknowledged NEWLEADER."""
    if not scene.configs or scene.oracle:
        return
    for number, quorum in scene.supporters.items():
        if quorum.sets and not all(_quorum(scene, servers) for servers in quorum.sets):
            leader = scene.stage.intervals[number].server
            names = "; ".join(_listed(servers) for servers in quorum.sets)
            why = f"Server {leader} began to lead with {names}, which is no quorum of the voters {_listed(scene.configs[-1].voters)}."
            yield Finding("a leader without a quorum", why, ({"source": quorum.end.source, "line": quorum.end.line, "says": quorum.said},))


def epochs_rise(scene: Scene) -> Iterator[Finding]:
    """Each new leader's epoch is larger than every epoch that it, or one of its followers, was in or voted with before."""
    for pair in not_rising(scene.terms):
        before, term = (scene.terms.of[interval.index] for interval in pair)
        why = (
            f"Server {pair[0].server} was in epoch {at_least(before)} of leader {before.leader}, and later in epoch {term.epoch} of "
            f"leader {term.leader}: a new leader's epoch is larger than every one before, unless a quorum lost its acceptedEpoch "
            "(disks wiped or put back to an older state)."
        )
        places = (_quorum_line(scene, one) or _began(own) for one, own in zip((before, term), pair, strict=True))
        yield Finding("an epoch that is not larger", why, tuple(places))


def disks_keep_their_epoch(scene: Scene) -> Iterator[Finding]:
    """A server that has served in an epoch has written it to currentEpoch, and votes with no smaller one (QuorumPeer.setCurrentEpoch)."""
    served: dict[int, tuple[int, Interval]] = {}
    for interval in scene.stage.intervals:
        term = scene.terms.of.get(interval.index)
        told = interval.uptodate_at is not None or (interval.role == "LEADING" and interval.served_at is not None)
        if term is not None and told:
            served[interval.server] = at_least(term), interval
        vote = first_vote(scene.terms.ballots, interval) if interval.role == "LOOKING" else None
        epoch, before = served.get(interval.server, (0, interval))
        if vote is not None and vote.peer_epoch < epoch:
            why = (
                f"Server {interval.server} was in epoch {epoch}, and later voted with epoch {vote.peer_epoch} and {zxid.text(vote.zxid)}: "
                "its data were wiped or put back to an older state. What it had acknowledged is left on other disks only."
            )
            yield Finding("a disk that went back", why, (_began(before), _began(interval)))
            del served[interval.server]


def members_run_in_the_ensemble(scene: Scene) -> Iterator[Finding]:
    """A server that has served in an epoch starts standalone: ZooKeeperServerMain goes on in that epoch, and answers by itself."""
    for row in scene.stage.each(["standalone_start"], "message"):
        served = [i for i in scene.stage.intervals if i.server == row["server"] and i.at < row["at"] and i.served_at is not None]
        if served:
            why = (
                f"Server {row['server']} had been a member of the ensemble, and then started standalone over the same data (a zoo.cfg "
                "without servers): what it wrote there no other server has, and the ensemble may have given the same zxids to other writes."
            )
            yield Finding("a member ran standalone", why, (_began(served[-1]), shown(row)))


def _began(interval: Interval) -> Evidence:
    return {"source": interval.source, "line": interval.line}


def _quorum_line(scene: Scene, term: Term) -> Evidence:
    quorum = scene.supporters.get(term.interval.index) if term.interval is not None else None
    return {} if quorum is None else {"source": quorum.end.source, "line": quorum.end.line, "says": quorum.said}


ElectionRule = Callable[[Scene, Interval, Sequence[Notice]], Iterator[Finding]]
ELECTION_RULES: tuple[ElectionRule, ...] = (votes_rise, votes_are_heard, decisions_have_quorums, winners_are_best)
"""What is said of one server's election, where one of them names what is wrong."""
Rule = Callable[[Scene], Iterator[Finding]]
RULES: tuple[Rule, ...] = (
    elections,
    tallies_decide,
    leaders_have_quorums,
    epochs_rise,
    disks_keep_their_epoch,
    members_run_in_the_ensemble,
    sync_modes,
)
