"""All histories of the small ensemble behind the same evidence: a label is owed where they agree on it.

``python -m tests.soundness.brute [SAMPLE [OUTCOME]]`` judges so many pieces of evidence of each kind (all, where fewer exist), prints every
label that one of its histories contradicts, and the share of the owed labels that were left undecided.
"""

from __future__ import annotations

import random
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations
from types import SimpleNamespace

from tests.soundness.check import GONE, KEPT
from tests.soundness.evidence import Shown, trace
from tests.soundness.server import Disk, LogFile, Snap, Txn
from tests.soundness.small import CONFIG, SERVERS, Bounds, Host, State, reachable
from zabtrace.fates import Judgement, judge
from zabtrace.replay import replay

Key = tuple[object, ...]
BOUNDS = (Bounds(2, 2, 1), Bounds(2, 2, 1, early=True))
KINDS: dict[str, tuple[tuple[int, ...], bool]] = {
    "all disks": (SERVERS, False),
    "all disks, clients": (SERVERS, True),
    **{f"disks of {a} and {b}": ((a, b), False) for a, b in combinations(SERVERS, 2)},
    **{f"disks of {a} and {b}, clients": ((a, b), True) for a, b in combinations(SERVERS, 2)},
    "disk of 3": ((3,), False),
}
"""Which disks are shown, and whether clients tell what was answered."""


@dataclass(frozen=True)
class Truth:
    """What one history says of one write: in force for good, gone for good, or neither; and whether it was committed."""

    place: str
    committed: bool


def truths(state: State) -> dict[int, Truth]:
    """Of every write."""
    votes = {s: (h.current, h.last, s) for s, h in zip(SERVERS, state.hosts, strict=True)}
    starts = [frozenset(state.host(max(q, key=votes.__getitem__)).history) for n in (2, 3) for q in combinations(SERVERS, n)]
    return {zxid: Truth(_place(state, zxid, born, starts), zxid in state.committed) for zxid, born in state.born}


def _place(state: State, zxid: int, born: int, starts: Iterable[frozenset[int]]) -> str:
    later = [zxid in history for epoch, history in state.established[born:] if epoch > zxid >> 32]  # wiped disks give numbers out twice
    held = [zxid in history for history in starts]
    anywhere = any(zxid in host.history for host in state.hosts)
    if (later and all(later)) or (not later and (all(held) or (anywhere and zxid in state.committed))):
        return "kept"
    return "open" if any(held) else "gone"


def evidence(state: State, shown: Iterable[int], clients: bool) -> Key:
    """What an operator has of it: two states with the same key cannot be told apart."""
    disks = tuple((s, h.files, tuple(name for name, _ in h.snaps), h.current, h.accepted) for s in shown for h in [state.host(s)])
    return disks, state.committed if clients else None


def judged(state: State, shown: tuple[int, ...], clients: bool) -> Judgement:
    """By zabtrace, from the tables of that evidence."""
    servers = {s: SimpleNamespace(sid=s, version="3.9.4", observer=False, disk=_disk(state.host(s))) for s in SERVERS}
    answered = {Txn(z, z): 0 for z in state.committed} if clients else {}
    case = SimpleNamespace(
        servers=servers, configs=[CONFIG], lines={}, earlier=[], young={}, renamed={}, truth=SimpleNamespace(acked=answered)
    )  # fmt: skip
    return judge(replay(trace(case, Shown("small", frozenset(shown), frozenset(), clients=clients))))  # type: ignore[arg-type]


def _disk(host: Host) -> Disk:
    files = [LogFile(f[0], [Txn(z, z) for z in f]) for f in host.files]
    snaps = [Snap(name, tuple(Txn(z, z) for z in history)) for name, history in host.snaps]
    return Disk(files, snaps, host.current, host.accepted)


def compared(groups: dict[Key, list[State]], chosen: Iterable[Key], shown: tuple[int, ...], clients: bool) -> Iterator[tuple[str, str]]:
    """For every label ('wrong', 'missed', 'given', 'not owed') and what it is about."""
    for key in chosen:
        states = groups[key]
        verdict = judged(states[0], shown, clients)
        of = [truths(state) for state in states]
        for zxid, fate, committed in verdict.writes.select("zxid", "fate", "committed").iter_rows():
            told = [t[zxid] for t in of]
            places, commits = {t.place for t in told}, {t.committed or t.place == "kept" for t in told}
            owed = places <= {"kept"} or places == {"gone"}
            said = f"0x{zxid:x} {fate} committed={committed}, and it is {sorted(places)}, {commits}: {key}"
            misplaced = (fate in KEPT and places != {"kept"}) or (fate in GONE and places != {"gone"})
            belied = (committed == "yes" and commits != {True}) or (committed == "no" and any(t.committed for t in told))
            yield "wrong" if misplaced or belied else "given" if fate != "undecided" else "missed" if owed else "not owed", said
        if verdict.verdict == "nothing_lost" and any(t.place == "gone" and t.committed for each in of for t in each.values()):
            yield "wrong", f"nothing_lost: {key}"


def main(sample: int, verbose: str = "", bounds: Iterable[Bounds] = BOUNDS) -> int:
    """Compare, and print; ``verbose`` is an outcome whose labels are printed too."""
    every = set().union(*(reachable(bound) for bound in bounds))
    wrong = 0
    for kind, (shown, clients) in KINDS.items():
        groups: dict[Key, list[State]] = defaultdict(list)
        for state in every:
            groups[evidence(state, shown, clients)].append(state)
        keys = sorted(groups, key=repr)
        found: Counter[str] = Counter()
        for outcome, said in compared(groups, random.Random(kind).sample(keys, min(sample, len(keys))), shown, clients):
            found[outcome] += 1
            if outcome in ("wrong", verbose):
                sys.stdout.write(f"{outcome.upper()} {kind}: {said}\n")
        owed = found["given"] + found["missed"]
        share = 100 * found["missed"] / max(owed, 1)
        sys.stdout.write(f"{kind}: {owed} owed labels, {share:.1f} % left undecided; {found['not owed']} not owed\n")
        wrong += found["wrong"]
    sys.stdout.write(f"{wrong} wrong labels; {len(every)} states\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 300, *sys.argv[2:]))
