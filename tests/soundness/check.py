"""Compare what zabtrace says of a case with the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import combinations

from tests.soundness.ensemble import Ensemble
from tests.soundness.evidence import Shown
from tests.soundness.server import Disk, Txn
from zabtrace.fates.judgement import Judgement
from zabtrace.protocol.vote import Vote

GONE = ("lost", "truncated", "shadowed", "pending", "diverged")
KEPT = ("survived", "recovered")


def wrong(e: Ensemble, shown: Shown, judged: Judgement) -> list[str]:
    """Every label and verdict that contradicts the truth, in words."""
    by_payload = {txn.payload: txn for txn in e.truth.born}
    by_zxid: dict[int, list[Txn]] = {}
    for txn in e.truth.born:
        by_zxid.setdefault(txn.zxid, []).append(txn)
    starts = Starts(e)
    found: list[str] = []
    for row in judged.writes.iter_rows(named=True):
        same = by_zxid.get(row["zxid"], [])
        txn = by_payload.get(row["payload_hash"]) or (same[0] if len(same) == 1 else None)
        if txn is None or txn in e.truth.tainted or (len(same) > 1 and row["payload_hash"] is None):
            continue
        said = f"0x{txn.zxid:x} {row['fate']} committed={row['committed']} rule={row['rule']}"
        found += [f"{said}: {problem} | {row['why']}" for problem in _problems(e, starts, txn, row, len(same) > 1)]
    unseen = e.truth.numbered_twice and not (shown.texts >= set(e.servers) and not shown.tails)
    if judged.verdict == "nothing_lost" and not unseen and (gone := {t for t in lost(e) if t.zxid >> 32 or shows_alone(e, shown)}):
        found.append(f"nothing_lost, though {[hex(t.zxid) for t in sorted(gone)]} are")
    return found


def shows_alone(e: Ensemble, shown: Shown) -> bool:
    """Is there a trace of what a server wrote while it ran alone? Of a disk that was wiped since, other disks tell nothing."""
    if shown.texts or shown.clients or shown.earlier or shown.young or shown.times is not None or shown.twice is not None:
        return True
    disks = [e.servers[sid].disk for sid in shown.disks]
    records = (txn.zxid for disk in disks for file in disk.files for txn in file.records)
    return any(0 < zxid < 1 << 32 for zxid in (*records, *(snap.zxid for disk in disks for snap in disk.snaps)))


def narrowed(e: Ensemble, judged: Judgement) -> list[str]:
    """With --since: the verdict of what was written from there on, where a committed write of it is gone."""
    since = judged.judged_from or 0
    gone = sorted(t for t in lost(e) if t.zxid >= since)
    hidden = judged.verdict == "nothing_lost" and gone and not e.truth.numbered_twice
    return [f"nothing_lost since 0x{since:x}, though {[hex(t.zxid) for t in gone]} are"] if hidden else []


def _problems(e: Ensemble, starts: Starts, txn: Txn, row: dict[str, object], twice: bool) -> Iterable[str]:
    kept, fate = e.truth.kept(txn), row["fate"]
    committed = txn in e.truth.committed
    decided = committed or txn in e.truth.decided
    if e.truth.returned(txn) or (kept is False and starts.all_keep(txn)):
        return  # an established epoch went on without it, and now it is in force again: every label has its reasons
    if e.truth.numbered_twice:
        if (kept is False or (kept is None and lost_disk(e, txn))) and fate in KEPT:
            yield "it is gone"
        if row["committed"] == "no" and (committed or txn in e.truth.acked):
            yield "it was committed"
        return
    if kept is False and fate in KEPT:
        yield "it is gone"
    if kept and fate in GONE and not (twice and fate == "diverged") and starts.some_keep(txn):
        yield "it is kept"
    if kept is None:
        if fate in ("lost", "truncated", "shadowed") and starts.some_keep(txn):
            yield "nothing is decided yet"
        if fate == "diverged" and not twice:
            yield "nothing contradicts it"
        if fate in KEPT and not (decided or starts.all_keep(txn)):
            yield "a start may still discard it"
        if fate == "pending" and starts.some_keep(txn):
            yield "a start may still keep it"
    if row["committed"] == "yes" and not decided and not (kept is None and starts.all_keep(txn)):
        yield "it was never committed"
    if row["committed"] == "no" and (committed or txn in e.truth.acked):
        yield "it was committed"


def lost_disk(e: Ensemble, txn: Txn) -> bool:
    """Is it on no disk any more?"""
    return not any(txn in s.disk.load()[0] for s in e.servers.values())


def lost(e: Ensemble) -> set[Txn]:
    """Committed transactions that are gone."""
    gone = {t for t in e.truth.committed if not e.truth.returned(t)}
    return {t for t in gone if e.truth.kept(t) is False or (e.truth.kept(t) is None and lost_disk(e, t))}


class Starts:
    """What every quorum that can start from the final disks would keep."""

    def __init__(self, e: Ensemble) -> None:
        self.e = e
        self._found: list[frozenset[Txn]] | None = None

    def histories(self) -> list[frozenset[Txn]]:
        """The winner's history, per quorum; twice where packets are still in sockets."""
        if self._found is None:
            self._found = [h for drained in (False, True) for h in self._of({s: self._disk(s, drained) for s in self.e.servers})]
        return self._found

    def _disk(self, sid: int, drained: bool) -> Disk:
        server, disk = self.e.servers[sid], self.e.servers[sid].disk.copied()
        if drained and server.up:
            rest = [*server.pending, *server.queue, *(t for kind, t in server.inbox if kind == "proposal")]
            logged = {t for f in disk.files for t in f.records}
            for txn in rest:
                if txn not in logged:
                    disk.append(txn, fresh=False)
        return disk

    def _of(self, disks: dict[int, Disk]) -> list[frozenset[Txn]]:
        loaded = {s: d.load() for s, d in disks.items()}
        votes = {s.sid: Vote(disks[s.sid].current or 0, loaded[s.sid][1], s.sid) for s in self.e.eligible(self.e.servers.values())}
        winners = set()
        for n in range(1, len(disks) + 1):
            for chosen in combinations(sorted(disks), n):
                standing = [votes[s] for s in chosen if s in votes and self._may_stand(s, disks[s])]
                if standing and self.e.quorum(max(standing).sid, chosen):
                    winners.add(max(standing).sid)
        return [frozenset(loaded[s][0]) for s in winners]

    def _may_stand(self, sid: int, disk: Disk) -> bool:
        """Is it a voter of the configuration that it runs with, or of the next one (QuorumPeer.getCurrentAndNextConfigVoters)?"""
        return sid in self.e.configs[disk.config].voters | self.e.configs[disk.seen].voters

    def all_keep(self, txn: Txn) -> bool:
        return all(txn in h for h in self.histories())

    def some_keep(self, txn: Txn) -> bool:
        return any(txn in h for h in self.histories())


def undecided(judged: Judgement) -> Counter[str]:
    """Fates, counted."""
    return Counter({fate: n for fate, n in judged.counts.items() if n})
