"""Mutations of data files: records that are missing, moved, changed or repeated, and epoch files that were never written.

Strategy: disks are changed as lists, before they become bytes; checksums and digests stay those of a server that wrote it so, except
where the digest itself is what is changed.
"""

from __future__ import annotations

import random
from itertools import pairwise

from zabtrace.simulate.disk import LogFile, Txn
from zabtrace.simulate.ensemble import BEGIN_MS, Ensemble
from zabtrace.zxid import epoch


def _logs(ensemble: Ensemble) -> dict[int, list[LogFile]]:
    return {sid: server.disk.files for sid, server in ensemble.servers.items() if server.disk.files}


def _pairs(files: list[LogFile]) -> set[tuple[Txn, Txn]]:
    """Two neighbouring creates of one epoch in the middle of a file."""
    inner = [pair for file in files for pair in pairwise(file.records[1:-1])]
    return {(one, other) for one, other in inner if one.op == other.op == "create" and epoch(one.zxid) == epoch(other.zxid)}


def _middles(ensemble: Ensemble) -> list[tuple[Txn, Txn]]:
    """Such neighbours that every log holds so."""
    found = [_pairs(files) for files in _logs(ensemble).values()]
    return sorted(set.intersection(*found)) if found else []


def swapped(ensemble: Ensemble, rng: random.Random) -> bool:
    """Two neighbours change places in every log; what they store of the tree would tell of it too, and is left out."""
    pairs = _middles(ensemble)
    if not pairs:
        return False
    first, second = rng.choice(pairs)
    for files in _logs(ensemble).values():
        for file in files:
            if first in file.records:
                at = file.records.index(first)
                file.records[at : at + 2] = [second._replace(digest=None), first._replace(digest=None)]
    return True


def cut(ensemble: Ensemble, rng: random.Random) -> bool:
    """One log lacks a record that a start would replay; its later ones store no digests, which would tell of it too.

    A server that was sent a snapshot or was truncated is left alone: it may have such a hole by known bugs.
    """
    fitting = []
    for sid, files in _logs(ensemble).items():
        base = max((snap.zxid for snap in ensemble.servers[sid].disk.snaps), default=0)
        if not any(said.phrase in ("learner snap", "learner trunc") for said in ensemble.lines[sid]):
            fitting += [(sid, pair[0]) for pair in sorted(_pairs(files)) if pair[0].zxid > base]
    if not fitting:
        return False
    sid, gone = rng.choice(fitting)
    for file in _logs(ensemble)[sid]:
        file.records = [txn._replace(digest=None) if txn.zxid > gone.zxid else txn for txn in file.records if txn != gone]
    return True


def changed(ensemble: Ensemble, rng: random.Random) -> bool:
    """One log has another client's request under a zxid: its number among the session's requests differs."""
    pairs = _middles(ensemble)
    if not pairs:
        return False
    other = rng.choice(pairs)[0]
    _replaced(_logs(ensemble)[rng.choice(sorted(_logs(ensemble)))], other, other._replace(cxid=other.cxid + 1000))
    return True


def damaged(ensemble: Ensemble, rng: random.Random) -> bool:
    """A record that a start reads no longer has its checksum."""
    pairs = _middles(ensemble)
    if not pairs:
        return False
    bad = rng.choice(pairs)[0]
    for file in _logs(ensemble)[rng.choice(sorted(_logs(ensemble)))]:
        file.damaged = bad.zxid if bad in file.records else None
    return True


def wrong_digest(ensemble: Ensemble, rng: random.Random) -> bool:
    """One record of one log stores another digest."""
    fitting = [(sid, txn) for sid, files in _logs(ensemble).items() for file in files for txn in file.records if txn.digest is not None]
    if not fitting:
        return False
    sid, txn = rng.choice(fitting)
    _replaced(_logs(ensemble)[sid], txn, txn._replace(digest=(txn.digest or 0) ^ 0x5A5A))
    return True


def late(ensemble: Ensemble, rng: random.Random) -> bool:
    """A record that was never committed stands behind the first one of the next epoch, in a log that a snapshot has overtaken."""
    fitting = []
    for sid, files in _logs(ensemble).items():
        base = max((snap.zxid for snap in ensemble.servers[sid].disk.snaps), default=0)
        every = [txn for file in files for txn in file.records]
        fitting += [(sid, *pair) for pair in pairwise(every) if epoch(pair[0].zxid) < epoch(pair[1].zxid) and pair[0].op == "create"
                    and pair[1].zxid <= base]  # fmt: skip
    if not fitting:
        return False
    sid, old, new = rng.choice(sorted(fitting))
    late = old._replace(zxid=old.zxid + 1, cxid=old.cxid + 1, path=f"/w{old.zxid + 1:x}", data=b"written late", digest=None)
    for file in _logs(ensemble)[sid]:
        if new in file.records:
            at = file.records.index(new)
            file.records[at : at + 1] = [new, late]
            file.records[at + 2 :] = [txn._replace(digest=None) for txn in file.records[at + 2 :]]
    return True


def skipped_epoch(ensemble: Ensemble, rng: random.Random) -> bool:
    """A server's currentEpoch stayed behind its own last record."""
    fitting = [
        server for server in ensemble.servers.values()
        if server.disk.records and epoch(server.disk.records[-1].zxid) > max(1, *(epoch(snap.zxid) for snap in server.disk.snaps))
    ]  # fmt: skip
    if not fitting:
        return False
    server = rng.choice(fitting)
    server.disk.current = epoch(server.disk.records[-1].zxid) - 1
    return True


def lost(ensemble: Ensemble, rng: random.Random) -> bool:
    """Clients were told of a write behind the last one of an epoch that has a later one: it is in no log."""
    every = {txn for server in ensemble.servers.values() for txn in server.disk.records}
    newest = max((epoch(txn.zxid) for txn in every), default=0)
    ends = [max(group) for number in range(1, newest) if (group := [txn for txn in every if epoch(txn.zxid) == number])]
    fitting = [txn for txn in ends if txn.op == "create"]
    if not fitting:
        return False
    end = rng.choice(fitting)
    gone = end._replace(zxid=end.zxid + 1, cxid=end.cxid + 1, path=f"/w{end.zxid + 1:x}", data=b"told, then gone")
    ensemble.acknowledged.append((end.time - BEGIN_MS + 2, gone))
    return True


def _replaced(files: list[LogFile], txn: Txn, by: Txn) -> None:
    for file in files:
        file.records = [by if one == txn else one for one in file.records]
