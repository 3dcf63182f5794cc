"""From a finished ensemble to the Trace an operator's files would give, with parts of it hidden."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

import polars as pl

from tests.soundness.ensemble import Ensemble
from tests.soundness.server import Disk
from zabtrace import schema
from zabtrace.evidence.copies import OLDER, older
from zabtrace.evidence.trace import Trace
from zabtrace.held import Plain

if TYPE_CHECKING:
    from zabtrace.evidence.copies import State

START = datetime(2024, 5, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Shown:
    """What is shown: per server its disk and its text, which earlier moments, and the clients."""

    kind: str
    disks: frozenset[int]
    texts: frozenset[int]
    snapshots: bool = True
    clients: bool = True
    earlier: bool = False
    tails: frozenset[int] = frozenset()
    """Servers whose text begins in the middle: rotated logs are missing."""
    young: bool = False
    """Some disks were copied while the ensemble ran, before the others."""
    lost_file: int | None = None
    """Seed by which one log file of one server is left out."""
    records: bool = True
    """Are there log files?"""
    clocks: bool = True
    """Do the lines have a time?"""
    times: int | None = None
    """Seed by which the one copy of each disk is of this moment or that."""
    twice: int | None = None
    """Seed by which servers have a second copy, from an earlier moment, and only their contents can put the two in order."""


def hidings(e: Ensemble, rng: random.Random) -> list[Shown]:
    """One of each kind of hiding."""
    every = frozenset(e.servers)
    some = frozenset(s for s in every if rng.random() < 0.7)
    one = every - {rng.choice(sorted(every))}
    none: frozenset[int] = frozenset()
    return [
        Shown("everything", every, every, earlier=True),
        Shown("disks only", every, none, clients=False),
        Shown("disks and clients", every, none),
        Shown("all but one server", one, one, clients=rng.random() < 0.5),
        Shown("all but one server, disks only", one, none, clients=False),
        Shown("some servers", some, some, clients=rng.random() < 0.5, earlier=rng.random() < 0.5),
        Shown("some disks", some, none, clients=rng.random() < 0.5, earlier=rng.random() < 0.5),
        Shown("text only", none, every, clients=rng.random() < 0.5),
        Shown("some disks, other texts", some, every - some, clients=False),
        Shown("no snapshots", every, every, snapshots=False, clients=False),
        Shown("no snapshots, disks only", every, none, snapshots=False, clients=False),
        Shown("tails of texts", every, every, tails=every, clients=False),
        Shown("copied one after the other", every, every if rng.random() < 0.5 else none, young=True, clients=rng.random() < 0.5),
        Shown("a log file missing", every, every if rng.random() < 0.5 else none, lost_file=rng.randrange(1 << 30), clients=False),
        Shown("snapshots only", every, every if rng.random() < 0.5 else none, records=False, clients=rng.random() < 0.5),
        Shown("no clocks", every, every, clocks=False, clients=False),
        Shown("earlier copies", some, none, earlier=True, clients=rng.random() < 0.5),
        Shown("copied at different times", every, none, times=rng.randrange(1 << 30), clients=rng.random() < 0.5),
        Shown(
            "copies without an order",
            every,
            every if rng.random() < 0.3 else none,
            twice=rng.randrange(1 << 30),
            clients=rng.random() < 0.5,
        ),
    ]


def _of_different_times(e: Ensemble, sids: list[int], rng: random.Random) -> dict[int, Disk]:
    """A disk of any moment for each server, one of them as it was at the end: what all show of an earlier time was true then."""
    drawn = {sid: rng.choice([*(moment[sid] for moment in e.earlier if sid in moment), e.servers[sid].disk]) for sid in sids}
    changed = [sid for sid in sids if drawn[sid] != e.servers[sid].disk]
    if changed and any(all(drawn[sid] == moment.get(sid) for sid in sids) for moment in e.earlier):
        drawn[changed[0]] = e.servers[changed[0]].disk
    return drawn


def trace(e: Ensemble, shown: Shown) -> Trace:
    """The tables. Records, snapshots and lines carry made-up places that are consistent with each other."""
    tables = _Tables(e, shown)
    twice = random.Random(shown.twice)
    drawn = {} if shown.times is None else _of_different_times(e, sorted(shown.disks), random.Random(shown.times))
    for sid in sorted(shown.disks):
        newest = e.young.get(sid, e.servers[sid].disk) if shown.young else e.servers[sid].disk
        newest = drawn.get(sid, newest)
        if shown.twice is not None and (held := [moment[sid] for moment in e.earlier if sid in moment]) and twice.random() < 0.7:
            tables.two(sid, newest, twice.choice(held))
            continue
        tables.disk(sid, 0, newest, f"server-{sid}")
        if shown.earlier:
            for copy, (number, moment) in enumerate(reversed(list(enumerate(e.earlier))), 1):
                for name in names(e, sid):
                    if name in moment:
                        tables.disk(name, copy, moment[name], f"before:{number}/server-{name}")
    for name in sorted({name for sid in shown.texts for name in names(e, sid)}):
        tables.text(name)
    if shown.clients:
        tables.clients()
    if shown.lost_file is not None and tables.files:
        gone = random.Random(shown.lost_file).choice(tables.files)["source"]
        tables.files = [f for f in tables.files if f["source"] != gone]
        tables.txns = [t for t in tables.txns if t["source"] != gone]
    return tables.trace()


def names(e: Ensemble, sid: int) -> list[int]:
    """All ids that a server had, the present one first: its old lines and the old copies of its disk bear the old ones."""
    found = [sid]
    while found[-1] in e.renamed:
        found.append(e.renamed[found[-1]])
    return found


class Contents:
    """What evidence.copies asks of a saved state, told by a disk of the model."""

    def __init__(self, disk: Disk) -> None:
        records = [t for f in disk.files for t in f.records]
        self.epochs = (disk.accepted, disk.current)
        self.records = pl.DataFrame(records, schema={"zxid": pl.Int64, "payload_hash": pl.UInt64}, orient="row").unique()
        self.snapshots = {snap.zxid for snap in disk.snaps}
        self.top = max([*(t.zxid for t in records), *self.snapshots], default=None)
        self.files = {f"log.{f.name:x}": (f.records[-1].zxid, f.ending) for f in disk.files if f.records}


class _Tables:
    def __init__(self, e: Ensemble, shown: Shown) -> None:
        self.e, self.shown = e, shown
        self.version = next(server.version for server in e.servers.values())
        self.txns: list[dict[str, object]] = []
        self.files: list[dict[str, object]] = []
        self.snapshots: list[dict[str, object]] = []
        self.epochs: list[dict[str, object]] = []
        self.lines: list[dict[str, object]] = []
        self.fields: dict[str, list[dict[str, object]]] = {}
        self.ops: list[dict[str, object]] = []
        self.unordered: list[int] = []

    def disk(self, sid: int, copy: int, disk: Disk, root: str) -> None:
        folder = f"{root}/data/version-2"
        for file in disk.files if self.shown.records else []:
            place = {"server": sid, "copy": copy, "source": f"{folder}/log.{file.name:x}"}
            for i, txn in enumerate(file.records):
                self.txns.append(
                    {**place, "offset": 16 + 100 * i, "zxid": txn.zxid, "session": txn.payload, "cxid": 1, "type": 1, "op": "create",
                     "path": f"/n{txn.payload}", "failed": False, "checksum_ok": True, "payload_hash": txn.payload, "time": START,
                     "digest_version": 2 if self.version >= "3.6" else None}
                )  # fmt: skip
            zxids = [t.zxid for t in file.records]
            self.files.append(
                {**place, "name_zxid": file.name, "first_zxid": zxids[0] if zxids else None, "last_zxid": zxids[-1] if zxids else None,
                 "records": len(zxids), "end": 16 + 100 * len(zxids), "bytes": 65536, "ending": file.ending}
            )  # fmt: skip
        for snap in disk.snaps if self.shown.snapshots else []:
            self.snapshots.append(
                {"server": sid, "copy": copy, "source": f"{folder}/snapshot.{snap.zxid:x}", "zxid": snap.zxid, "valid": True, "bytes": 500,
                 "max_zxid": max((t.zxid for t in snap.history), default=0)}
            )  # fmt: skip
        for name, value in (("currentEpoch", disk.current), ("acceptedEpoch", disk.accepted)):
            if value is not None:
                self.epochs.append({"server": sid, "copy": copy, "source": f"{folder}/{name}", "name": name, "epoch": value})

    def two(self, sid: int, newest: Disk, earlier: Disk) -> None:
        """Two copies of a server, in the order that their contents prove, if they prove one (evidence.copies)."""
        found = older(cast("State", Contents(newest)), cast("State", Contents(earlier)))
        if found is None:
            self.unordered.append(sid)
        for copy, (root, disk) in enumerate([("late", newest), ("early", earlier)][:: -1 if found == OLDER else 1]):
            self.disk(sid, copy, disk, f"{root}/server-{sid}")

    def text(self, sid: int) -> None:
        source = f"server-{sid}/zookeeper.log"
        said = self.e.lines[sid]
        first = len(said) // 2 if sid in self.shown.tails else 0
        for number, line in list(enumerate(said, 1))[first:]:
            stamp = START + timedelta(milliseconds=line.at) if self.shown.clocks else None
            self.lines.append(
                {"server": sid, "source": source, "order": 0, "line": number, "time": stamp, "level": "INFO", "thread": line.thread,
                 "logger": "QuorumPeer", "kind": line.kind, "message": line.message, "continued": 0}
            )  # fmt: skip
            self.fields.setdefault(line.kind, []).append({"server": sid, "source": source, "line": number, **line.fields})

    def clients(self) -> None:
        for number, txn in enumerate(sorted(self.e.truth.acked), 1):
            self.ops.append(
                {"source": "history.jsonl", "line": number, "client": "c", "session": txn.payload, "op": "create", "path": f"/n{txn.payload}",  # noqa: E501
                 "outcome": "acknowledged", "zxid": txn.zxid, "reply_zxid": txn.zxid, "write": True}
            )  # fmt: skip

    def _members(self, sid: int) -> list[dict[str, object]]:
        """What the configuration files of a server say: the static one, and the dynamic ones that it saved."""
        disk = self.e.servers[sid].disk
        numbers = sorted({0, disk.config, disk.seen} if disk is not None else {0})
        ends = {n: f".dynamic.{c.zxid:x}" if n <= disk.config else ".dynamic.next" for n, c in enumerate(self.e.configs) if c.zxid and disk}
        return [
            {"server": sid, "copy": 0, "source": f"server-{sid}/zoo.cfg" + ends.get(n, ""), "sid": s,
             "config_zxid": config.zxid, "role": "participant" if s in config.voters else "observer", "host": f"127.0.0.{s}",
             "quorum_port": 2888, "election_port": 3888, "group": config.groups.get(s), "weight": config.weights.get(s, 1)}
            for n in numbers for config in [self.e.configs[n]] for s in sorted(config.voters | config.observers)
        ]  # fmt: skip

    def trace(self) -> Trace:
        e, shown = self.e, self.shown
        seen: Iterable[int] = sorted(shown.disks | shown.texts)
        members = [row for sid in seen for row in self._members(sid)]
        told = {name for sid in shown.texts for name in names(e, sid)}
        known = sorted({name for sid in seen for name in names(e, sid)})
        return Trace(
            servers=schema.frame(
                schema.SERVERS,
                [{"server": s, "label": str(s), "version": self.version if s in told else None} for s in known],
            ),
            held=Plain(schema.frame(schema.LINES, self.lines), {kind: _fields(rows) for kind, rows in self.fields.items()}),
            txns=schema.frame(schema.TXNS, self.txns),
            txn_files=schema.frame(schema.TXN_FILES, self.files),
            snapshots=schema.frame(schema.SNAPSHOTS, self.snapshots),
            epoch_files=schema.frame(schema.EPOCH_FILES, self.epochs),
            members=schema.frame(schema.MEMBERS, members),
            client_ops=schema.frame(schema.CLIENT_OPS, self.ops),
            unordered=tuple(self.unordered),
        )


def _fields(rows: list[dict[str, object]]) -> object:
    wanted = {name for row in rows for name in row}
    columns = (*schema.LINES[:2], schema.LINES[3], *schema.FIELDS)
    return schema.frame([c for c in columns if c.name in wanted], rows)
