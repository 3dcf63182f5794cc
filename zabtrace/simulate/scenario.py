"""What is asked for: numbers or statements, played on an ensemble.

Strategy: numbers become statements, so that there is one way to play. Statements that describe (servers, version, delays, disks) come
before the first that acts; ``ACTS`` and ``SETTINGS`` hold one function per verb.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from zabtrace.errors import UsageError
from zabtrace.grammar.scenario import Statement
from zabtrace.protocol import legacy
from zabtrace.protocol.releases import LINES, NEWEST, among, number
from zabtrace.simulate import journal, tree
from zabtrace.simulate.core import Setup
from zabtrace.simulate.disk import Disk, LogFile, Snap, Txn
from zabtrace.simulate.ensemble import BEGIN_MS, DIGESTS, Ensemble
from zabtrace.simulate.old_electing import FAST
from zabtrace.simulate.server import Server
from zabtrace.zxid import counter, epoch, make

MOST_SERVERS, MOST_WRITES, LONGEST_WAIT_MS = 100, 2_000, 3_600_000
KEPT = 2_000
"""Records of a disk that its log holds at most, more than a leader keeps in memory; what is below stands behind a snapshot."""
FIELDS = {"tickTime": "tick", "initLimit": "init_limit", "syncLimit": "sync_limit"}


@dataclass
class Asked:
    """What was read: the ensemble's setup, the disks given, and the statements that act."""

    setup: Setup
    disks: dict[int, tuple[int, int, list[int]]] = field(default_factory=dict)
    """sid -> currentEpoch, acceptedEpoch, last zxid of each epoch."""
    skews: dict[int, int] = field(default_factory=dict)
    slow: dict[tuple[int, int], int] = field(default_factory=dict)
    acts: list[Statement] = field(default_factory=list)
    unknown: frozenset[int] = frozenset()
    """Servers of which nothing is known: they never start."""

    @property
    def mutations(self) -> list[str]:
        """Names of what is to be changed in the files, in order."""
        return [str(act.word("NAME")) for act in self.acts if act.verb == "mutate"]


# ---------------------------------------------------------------- numbers
def from_numbers(starts: Sequence[tuple[int, int, int]], total: int | None, down: Sequence[int], version: str | None) -> Asked:
    """An election of servers given as (sid, epoch, zxid), of voters 1 to ``total`` or of those named. Raises UsageError."""
    given = [sid for sid, _, _ in starts]
    twice = sorted({sid for sid in given if given.count(sid) > 1} | (set(given) & set(down)))
    if twice:
        raise UsageError(f"server {twice[0]} is given twice.")
    voters = frozenset([*given, *down, *(range(1, total + 1) if total else ())])
    if total is not None and len(voters) > total:
        raise UsageError(f"{len(voters)} servers are named, but --voters says {total}: {', '.join(map(str, sorted(voters)))}.")
    if len(voters) > MOST_SERVERS:
        raise UsageError(f"{len(voters)} voters are more than the {MOST_SERVERS} that are simulated.")
    asked = Asked(Setup(voters, release=_known(version) if version else NEWEST), unknown=voters - set(given))
    for sid, current, zxid in starts:
        last = zxid if zxid >> 32 else make(current, zxid)
        asked.disks[sid] = (current, max(current, epoch(last)), [last] if counter(last) else [])
    who = (tuple(str(sid) for sid in sorted(given)),)
    asked.acts = [Statement(0, f"start {' '.join(who[0])}", "start", who=who), Statement(0, "rest", "rest")]
    return asked


def _known(release: str) -> str:
    """A release of which the model has rules. Raises UsageError."""
    if ".".join(map(str, number(release)[:2])) not in LINES or len(number(release)) != 3:
        raise UsageError(f"{release!r} is no release that the model knows: 3.4.0 to {NEWEST}, for example 3.8.4.")
    return release


# ---------------------------------------------------------------- statements that describe
def from_statements(statements: Iterable[Statement]) -> Asked:
    """A scenario. Raises UsageError where a statement comes too late or names what is not there."""
    given = list(statements)
    sids = {sid for one in given if one.verb in ("servers", "observers") for sid in one.numbers("SID")}
    voters = frozenset(sid for one in given if one.verb == "servers" for sid in one.numbers("SID"))
    if not voters or len(sids) > MOST_SERVERS:
        raise UsageError(f"a scenario names its voters, at most {MOST_SERVERS} servers: servers 1 2 3")
    asked = Asked(Setup(voters, frozenset(sids) - voters))
    for one in given:
        if one.verb in SETTINGS:
            if asked.acts:
                raise UsageError(f"line {one.line} of the scenario: {one.text!r} comes too late: put it above {asked.acts[0].text!r}.")
            SETTINGS[one.verb](asked, one)
        elif one.verb in ACTS:
            asked.acts.append(one)
    _known_algorithm(asked.setup)
    for one in asked.acts:
        _members(asked, one, [sid for group in one.who for sid in group if sid.isdigit()])
    return asked


def _members(asked: Asked, one: Statement, sids: Iterable[int | str]) -> None:
    strangers = [sid for sid in sids if int(sid) not in asked.setup.voters | asked.setup.observers]
    if strangers:
        raise UsageError(f"line {one.line} of the scenario: server {strangers[0]} is neither in servers nor in observers.")


def _set(asked: Asked, **fields: Any) -> None:
    asked.setup = replace(asked.setup, **fields)


def _version(asked: Asked, one: Statement) -> None:
    release = _known(str(one.word("VERSION")))
    sids = one.numbers("SID")
    _members(asked, one, sids)
    _set(asked, **({"releases": asked.setup.releases | dict.fromkeys(sids, release)} if sids else {"release": release}))


def _setting(asked: Asked, one: Statement) -> None:
    value = one.numbers("NUMBER")[0]
    if value == 0:
        raise UsageError(f"line {one.line} of the scenario: {one.word('SETTING')} is at least 1.")
    _set(asked, **{FIELDS[str(one.word("SETTING"))]: value})


def _algorithm(asked: Asked, one: Statement) -> None:
    _set(asked, algorithm=one.numbers("NUMBER")[0])
    if not asked.setup.algorithm <= FAST:
        raise UsageError(f"line {one.line} of the scenario: electionAlg is 0, 1, 2 or 3.")


def _known_algorithm(setup: Setup) -> None:
    """Raise UsageError where a release has not the election that is asked for."""
    new = [release for release in (setup.release, *setup.releases.values()) if not among(release, legacy.RELEASES)]
    if setup.algorithm != FAST and new:
        raise UsageError(f"electionAlg {setup.algorithm} is gone since 3.6.0, and {new[0]} is to run: say version 3.4.14, for example.")


def _group(asked: Asked, one: Statement) -> None:
    group, *sids = one.numbers("SID")
    _members(asked, one, sids)
    if twice := asked.setup.groups.keys() & set(sids):
        raise UsageError(f"line {one.line} of the scenario: server {min(twice)} is in a group already.")
    _set(asked, groups=asked.setup.groups | dict.fromkeys(sids, group))


def _weight(asked: Asked, one: Statement) -> None:
    _members(asked, one, one.numbers("SID"))
    _set(asked, weights=asked.setup.weights | {one.numbers("SID")[0]: one.numbers("NUMBER")[0]})


def _delay(asked: Asked, one: Statement) -> None:
    least, most = one.numbers("NUMBER")
    if least > most:
        raise UsageError(f"line {one.line} of the scenario: the least delay is larger than the most.")
    _set(asked, delay=(least, most))


def _disk(asked: Asked, one: Statement) -> None:
    sid = one.numbers("SID")[0]
    _members(asked, one, [sid])
    current, *accepted = one.numbers("NUMBER")
    ends = sorted(_zxid(word) for word in one.words["ZXID"])
    ends = [end for end in ends if counter(end)]
    asked.disks[sid] = (current, accepted[0] if accepted else max([current, *map(epoch, ends)]), ends)


def _zxid(word: str) -> int:
    high, slash, low = word.partition("/")
    return make(int(high), int(low)) if slash else int(word, 16)


def _slow(asked: Asked, one: Statement) -> None:
    low, high = sorted(one.numbers("SID"))
    _members(asked, one, [low, high])
    asked.slow[low, high] = one.ms


def _clock(asked: Asked, one: Statement) -> None:
    _members(asked, one, one.numbers("SID"))
    asked.skews[one.numbers("SID")[0]] = one.ms if one.word("DIRECTION") == "ahead" else -one.ms


SETTINGS: dict[str, Callable[[Asked, Statement], None]] = {
    "servers": lambda asked, one: None,
    "observers": lambda asked, one: None,
    "group": _group,
    "weight": _weight,
    "version": _version,
    "setting": _setting,
    "algorithm": _algorithm,
    "force": lambda asked, one: _set(asked, force_snapshot=True),
    "delay": _delay,
    "slow": _slow,
    "clock": _clock,
    "disk": _disk,
}
"""What stands above the first statement that acts."""


# ---------------------------------------------------------------- disks
def disk(current: int, accepted: int, ends: Sequence[int], digests: bool) -> Disk:
    """A disk with the records 1 to n of each epoch, as every server with those numbers has them."""
    made = Disk(snaps=[Snap(0, ())], current=current, accepted=accepted)
    growing = tree.Growing()
    for end in ends:
        first = max(counter(end) - KEPT, 0)
        if first:
            growing, made.snaps, made.files = tree.Growing(), [Snap(make(epoch(end), first), ())], []
        records = []
        for place in range(first + 1, counter(end) + 1):
            txn = _record(make(epoch(end), place), growing.creations)
            digest = growing.add(txn)
            records.append(txn._replace(digest=digest) if digests else txn)
        made.files.append(LogFile(records[0].zxid, records))
    return made


def _record(zxid: int, made: int) -> Txn:
    """Record ``zxid`` of a disk that is given: a session at the beginning of an epoch, creates behind it."""
    opens = counter(zxid) == 1
    session = (1 << 56) | epoch(zxid)
    at = BEGIN_MS - 3_600_000 + epoch(zxid) * 60_000 + counter(zxid)
    if opens:
        return Txn(zxid, "createSession", session, 0, at)
    return Txn(zxid, "create", session, counter(zxid) - 1, at, f"/w{zxid:x}", f"value of 0x{zxid:x}".encode(), made + 1)


# ---------------------------------------------------------------- statements that act
def play(asked: Asked, seed: int = 0) -> Ensemble:
    """Play it: everything follows from the statements and the seed."""
    ensemble = Ensemble(asked.setup, seed)
    ensemble.slow = dict(asked.slow)
    for sid, (current, accepted, ends) in asked.disks.items():
        server = ensemble.servers[sid]
        server.disk = disk(current, accepted, ends, ensemble.is_of(server, DIGESTS))
    for sid, skew in asked.skews.items():
        ensemble.servers[sid].skew = skew
    for act in asked.acts:
        ensemble.note(None, journal.ORDER, act.text)
        ACTS[act.verb](ensemble, act)
    return ensemble


def _who(ensemble: Ensemble, act: Statement, group: int = 0) -> list[Server]:
    """The servers that a statement names. Raises UsageError where it says leader and there is none."""
    named = act.who[group]
    term = ensemble.leading()
    if named == ("all",):
        return list(ensemble.servers.values())
    if named[0] in ("leader", "followers"):
        if term is None:
            raise UsageError(f"line {act.line} of the scenario: {act.text!r}: nobody leads then. Put 'rest' above it, or name servers.")
        return [term.leader] if named[0] == "leader" else [link.learner for link in term.links if link.alive]
    return [ensemble.servers[int(sid)] for sid in named]


def _each(do: Callable[[Ensemble, Server], None]) -> Callable[[Ensemble, Statement], None]:
    def act(ensemble: Ensemble, one: Statement) -> None:
        for server in _who(ensemble, one):
            do(ensemble, server)

    return act


def _crash(ensemble: Ensemble, act: Statement) -> None:
    for server in _who(ensemble, act):
        ensemble.stop(server, torn=act.word("TORN") is not None)


def _write(ensemble: Ensemble, act: Statement) -> None:
    count, on = act.numbers("NUMBER")[0], act.numbers("SID")
    ensemble.asked += count
    if ensemble.asked > MOST_WRITES:
        raise UsageError(f"line {act.line} of the scenario: more than {MOST_WRITES} writes; a scenario has at most that many.")
    for _ in range(count):
        ensemble.write(ensemble.servers[on[0]] if on else None)
        ensemble.run(ensemble.rng.randint(1, 5))


def _wait(ensemble: Ensemble, act: Statement) -> None:
    if act.ms > LONGEST_WAIT_MS:
        raise UsageError(f"line {act.line} of the scenario: at most {LONGEST_WAIT_MS // 1000} s are waited at a time.")
    ensemble.run(act.ms)


def _snapshot(ensemble: Ensemble, server: Server) -> None:
    if server.up and not server.paused:
        ensemble.take_snapshot(server)
        server.fresh_log = True


def _wipe(ensemble: Ensemble, server: Server) -> None:
    if server.up:
        raise UsageError(f"server {server.sid} runs: crash it before its disk is wiped.")
    ensemble.wipe(server)


ACTS: dict[str, Callable[[Ensemble, Statement], None]] = {
    "start": lambda ensemble, act: ensemble.start(*_who(ensemble, act)),
    "crash": _crash,
    "pause": _each(lambda ensemble, server: ensemble.pause(server) if server.up and not server.paused else None),
    "resume": _each(lambda ensemble, server: ensemble.resume(server) if server.paused else None),
    "cut": lambda ensemble, act: ensemble.separate([s.sid for s in _who(ensemble, act)], [s.sid for s in _who(ensemble, act, 1)]),
    "heal": lambda ensemble, act: ensemble.heal(),
    "wipe": _each(_wipe),
    "snapshot": _each(_snapshot),
    "write": _write,
    "wait": _wait,
    "rest": lambda ensemble, act: ensemble.rest(),
    "mutate": lambda ensemble, act: None,
}
"""What each verb does; ``mutate`` changes the files that are written in the end."""
