"""Mutations of text logs: lines that are missing, added or changed.

Strategy: a server's lines are cut into looks, from LOOKING to the decision. Each function picks one by the seed among those that fit, and
returns whether there was one.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeVar

from zabtrace.protocol.releases import among
from zabtrace.protocol.vote import Vote
from zabtrace.simulate.ensemble import Ensemble
from zabtrace.simulate.journal import Said
from zabtrace.zxid import epoch

ROLES = ("leading", "following", "observing")
Some = TypeVar("Some")


@dataclass
class Look:
    """A server's lines from LOOKING to its decision: places in its list of lines, both included."""

    sid: int
    begin: int
    end: int
    leader: int
    """On whom it settled."""


def _looks(ensemble: Ensemble) -> Iterator[Look]:
    """Those that ended in leading, and those of voters that followed whom they voted for: others joined a leader."""
    for sid, lines in ensemble.lines.items():
        begin = None
        for place, said in enumerate(lines):
            if said.phrase in ("looking", "starting"):
                begin = place if said.phrase == "looking" else None
            elif said.phrase in ROLES and begin is not None:
                votes = _own(lines[begin:place], sid)
                leader = int(str(votes[-1].values["leader"])) if votes else None
                if leader is not None and said.phrase != "observing" and (leader == sid) == (said.phrase == "leading"):
                    yield Look(sid, begin, place, leader)
                begin = None


def _own(lines: Sequence[Said], sid: int) -> list[Said]:
    return [said for said in lines if said.phrase == "notification" and said.values["sid"] == sid and said.values["state"] == "LOOKING"]


def _vote(said: Said) -> Vote:
    return Vote(*(int(str(said.values[name])) for name in ("peer_epoch", "zxid", "leader")))


def _picked(found: Sequence[Some], rng: random.Random) -> Some | None:
    return rng.choice(found) if found else None


def dropped_vote(ensemble: Ensemble, rng: random.Random) -> bool:
    """Of a winner's look, the notifications of others that name it, sender by sender until no quorum is left."""
    winners = [look for look in _looks(ensemble) if look.leader == look.sid]
    return any(_drop_votes(ensemble, look) for look in rng.sample(winners, len(winners)))


def _drop_votes(ensemble: Ensemble, look: Look) -> bool:
    lines = ensemble.lines[look.sid]
    naming = [said for said in lines[look.begin : look.end] if said.phrase == "notification" and said.values["leader"] == look.sid]
    senders = sorted({int(str(said.values["sid"])) for said in naming} - {look.sid})
    for count in range(1, len(senders) + 1):
        if not ensemble.config.is_quorum([*senders[count:], look.sid]):
            gone = [said for said in naming if said.values["sid"] in senders[:count]]
            ensemble.lines[look.sid] = [said for said in lines if not any(said is one for one in gone)]
            return True
    return False


def fallen_vote(ensemble: Ensemble, rng: random.Random) -> bool:
    """Between a better vote and what follows it, the server prints its vote before again."""
    fitting = []
    for look in _looks(ensemble):
        own = _own(ensemble.lines[look.sid][look.begin : look.end], look.sid)
        fitting += [(look, before, after) for before, after in pairwise(own)
                    if before.values["round"] == after.values["round"] and _vote(after) > _vote(before)]  # fmt: skip
    picked = _picked(fitting, rng)
    if picked is None:
        return False
    look, before, after = picked
    lines = ensemble.lines[look.sid]
    place = next(number for number, said in enumerate(lines) if said is after)
    lines[place + 1 : place + 1] = [replace(before, time=after.time), replace(after)]
    return True


def invented_vote(ensemble: Ensemble, rng: random.Random) -> bool:
    """What proposed a server's new vote is missing from its log, though a quorum is still seen to agree."""
    fitting = []
    for look in _looks(ensemble):
        lines = ensemble.lines[look.sid][look.begin : look.end]
        for own in _own(lines, look.sid)[1:]:
            if own.values["leader"] == look.sid:
                continue
            at = next(number for number, said in enumerate(lines) if said is own)
            told = [said for said in lines[:at] if said.phrase == "notification" and _vote(said) == _vote(own)]
            kept = [said for said in lines if said.phrase == "notification" and not any(said is one for one in told)]
            named = {int(str(said.values["sid"])) for said in kept if said.values["leader"] == look.leader}
            if told and all(said.values["sid"] != look.sid for said in told) and ensemble.config.is_quorum(named):
                fitting.append((look, told))
    picked = _picked(fitting, rng)
    if picked is None:
        return False
    look, told = picked
    ensemble.lines[look.sid] = [said for said in ensemble.lines[look.sid] if not any(said is one for one in told)]
    return True


def better_vote(ensemble: Ensemble, rng: random.Random) -> bool:
    """At the beginning of a look that ended by votes: another voter tells of a later zxid of its own in the same round."""
    fitting = []
    for look in _looks(ensemble):
        lines = ensemble.lines[look.sid]
        heard = [said for said in lines[look.begin : look.end] if said.phrase == "notification"]
        own = _own(heard, look.sid)
        joined = any(said.values["state"] != "LOOKING" and said.values["leader"] == look.leader for said in heard)
        one_round = len({said.values["round"] for said in own}) == 1
        if not joined and one_round and lines[look.end].time - lines[look.begin].time > 202 and _vote(own[-1]).sid == look.leader:
            fitting.append((look, own))
    picked = _picked(fitting, rng)
    other = _picked(sorted(ensemble.config.voters - ({picked[0].sid} if picked else set())), rng)
    if picked is None or other is None:
        return False
    look, own = picked
    vote = _vote(own[-1])
    values = own[-1].values | {"sid": other, "leader": other, "zxid": vote.zxid + 1, "peer_epoch": vote.peer_epoch}
    lines = ensemble.lines[look.sid]
    lines.insert(look.begin + 2, Said(lines[look.begin + 1].time, "notification", values))
    return True


def _served(ensemble: Ensemble) -> list[tuple[int, int, int]]:
    """(leader, place of its quorum line, epoch) in the order of epochs."""
    found = [(sid, place, epoch(int(str(said.values["zxid"])))) for sid, lines in ensemble.lines.items()
             for place, said in enumerate(lines) if said.phrase == "quorum"]  # fmt: skip
    return sorted(found, key=lambda one: one[2])


def lonely_leader(ensemble: Ensemble, rng: random.Random) -> bool:
    """The quorum line names the leader alone; 3.4.0 to 3.4.5 name nobody."""
    fitting = [one for one in _served(ensemble) if among(ensemble.servers[one[0]].release, "3.4.6-")]
    picked = _picked(fitting, rng)
    if picked is None or ensemble.config.is_quorum([picked[0]]):
        return False
    sid, place, _ = picked
    said = ensemble.lines[sid][place]
    names = str(said.values["sids"]).strip("[] ")
    ensemble.lines[sid][place] = replace(said, values=said.values | {"sids": str(said.values["sids"]).replace(names, str(sid))})
    return True


def two_leaders(ensemble: Ensemble, rng: random.Random) -> bool:
    """A voter whose log ended before an epoch was established ends with the lines of a leader of that epoch."""
    fitting = []
    for leader, place, _ in _served(ensemble):
        said = ensemble.lines[leader][place]
        true = said.time - ensemble.servers[leader].skew
        fitting += [(sid, said) for sid in sorted(ensemble.config.voters) if ensemble.lines[sid] and sid != leader
                    and ensemble.lines[sid][-1].time - ensemble.servers[sid].skew < true]  # fmt: skip
    picked = _picked(fitting, rng)
    if picked is None:
        return False
    sid, said = picked
    time = said.time + ensemble.servers[sid].skew
    ensemble.lines[sid] += [Said(time, "leading", {}), replace(said, time=time + 1)]
    return True


def epoch_twice(ensemble: Ensemble, rng: random.Random) -> bool:
    """A leader's quorum line has the zxid of the epoch before, which another server led."""
    served = _served(ensemble)
    picked = _picked([(before, after) for before, after in pairwise(served) if before[0] != after[0]], rng)
    if picked is None:
        return False
    (old, at, _), (new, place, _) = picked
    said, zxid = ensemble.lines[new][place], ensemble.lines[old][at].values["zxid"]
    ensemble.lines[new][place] = replace(said, values=said.values | {"zxid": zxid})
    return True


def wrong_sync(ensemble: Ensemble, rng: random.Random) -> bool:
    """A leader's line puts a learner that got an empty DIFF four transactions beyond itself."""
    new = [sid for sid, server in ensemble.servers.items() if among(server.release, "3.5.0-")]
    lines = [(sid, place, said) for sid in new for place, said in enumerate(ensemble.lines[sid]) if said.phrase == "sync decision"]
    fitting = [(sid, place) for sid, place, said in lines
               if said.values["max_committed"] and said.values["peer_zxid"] == said.values["last_processed"]]  # fmt: skip
    picked = _picked(fitting, rng)
    if picked is None:
        return False
    sid, place = picked
    said = ensemble.lines[sid][place]
    ensemble.lines[sid][place] = replace(said, values=said.values | {"peer_zxid": int(str(said.values["peer_zxid"])) + 4})
    return True
