"""A small incident, written by hand, for the tests of what is shown: leader 3 dies with two writes nobody else has, 2 takes over.

Names carry what terminals and browsers must not obey.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from zabtrace import schema
from zabtrace.evidence.trace import Trace
from zabtrace.fates.judgement import Judgement
from zabtrace.held import Plain
from zabtrace.predict import Learner, Prediction, Rebuild, Start
from zabtrace.protocol.quorum import Config
from zabtrace.replay.history import History, Outage
from zabtrace.replay.votes import Given

HOSTILE = "/a<script>alert(1)</script>[bold]\x1b[31m\u202eb"
START = datetime(2026, 11, 21, 0, 9, 49, 857000, UTC)


def at(seconds: float) -> datetime:
    """A moment of the incident."""
    return START + timedelta(seconds=seconds)


def _record(server: int, zxid: int, second: float, **more: object) -> dict[str, object]:
    place = {"server": server, "copy": 0, "source": f"server-{server}/log.100000001", "offset": 16 + (zxid & 0xFFFF) * 100}
    return {
        **place,
        "zxid": zxid,
        "time": at(second),
        "session": 0x300002267B80000,
        "cxid": zxid & 0xFF,
        "op": "create",
        "path": "/pay",
        **more,
    }


def trace() -> Trace:
    """The evidence: three servers with a log each, and one whose sid is not known."""
    records = [_record(server, 0x100000001 + n, n / 2) for server in (1, 2, 3) for n in range(6)]
    records += [_record(3, 0x100000007 + n, 3 + n, copy=1, path=HOSTILE, data_len=4, checksum_ok=True) for n in range(2)]
    records += [_record(server, 0x200000001, 9, op="multi", path=None, session=-2, digest=-1) for server in (1, 2, 3)]
    lines = [
        {
            "server": 1,
            "source": "server-1/zookeeper.log",
            "order": 0,
            "line": 1,
            "time": at(0),
            "level": "INFO",
            "logger": "QuorumPeer",
            "thread": "main",
            "kind": "looking",
            "message": "LOOKING",
            "continued": 0,
        },
        {
            "server": 1,
            "source": "server-1/zookeeper.log",
            "order": 0,
            "line": 2,
            "time": at(1),
            "level": "WARN",
            "logger": "Odd",
            "thread": "main",
            "kind": None,
            "message": "[myid:1] 17 things at 0x5 \x1b[31m",
            "continued": 3,
        },
        {
            "server": 1,
            "source": "server-1/zookeeper.log",
            "order": 0,
            "line": 6,
            "time": at(2),
            "level": "WARN",
            "logger": "Odd",
            "thread": "main",
            "kind": None,
            "message": "[myid:1] 18 things at 0x6 \x1b[31m",
            "continued": 0,
        },
    ]
    return Trace(
        servers=schema.frame(schema.SERVERS, [{"server": s, "label": str(s)} for s in (1, 2, 3)] + [{"server": -1, "label": "zk-<b>x"}]),
        sources=schema.frame(
            schema.SOURCES,
            [
                {
                    "source": "server-1/zookeeper.log",
                    "server": 1,
                    "kind": "server log",
                    "bytes": 99,
                    "lines": 7,
                    "understood": 1,
                    "unknown": 5,
                    "foreign": 1,
                    "damaged": 0,
                    "layout": "logback console",
                },
                {"source": "server-3/log.100000001", "server": 3, "copy": 0, "kind": "transaction log", "bytes": 900},
                {"source": "x\x1b[2J<img src=x onerror=alert(1)>", "kind": "unrecognised", "bytes": 3},
            ],
        ),
        held=Plain(schema.frame(schema.LINES, lines)),
        levels=schema.frame(
            schema.LEVELS,
            [
                {"source": "server-1/zookeeper.log", "server": 1, "level": "INFO", "lines": 1, "understood": 1},
                {"source": "server-1/zookeeper.log", "server": 1, "level": "WARN", "lines": 5, "understood": 0},
            ],
        ),
        txns=schema.frame(schema.TXNS, records),
        ops=schema.frame(
            schema.TXN_OPS,
            [
                {
                    "server": s,
                    "copy": 0,
                    "source": f"server-{s}/log.100000001",
                    "offset": 116,
                    "zxid": 0x200000001,
                    "index": n,
                    "op": op,
                    "path": path,
                }
                for s in (1, 2, 3)
                for n, (op, path) in enumerate([("create", "/m"), ("delete", "/n")])
            ],
        ),
        damage=schema.frame(
            schema.DAMAGE,
            [
                {
                    "server": 3,
                    "source": "server-3/log.100000001",
                    "offset": 700,
                    "reason": "torn <b>tail</b>",
                    "harm": "tail",
                    "next_step": "nothing",
                },
            ],
        ),
        client_ops=schema.frame(
            schema.CLIENT_OPS,
            [
                {"source": "history.jsonl", "line": 1, "op": "create", "path": "/pay", "outcome": "acknowledged", "write": True},
                {"source": "history.jsonl", "line": 2, "op": "create", "path": HOSTILE, "outcome": "unknown", "write": True},
            ],
        ),
    )


def history() -> History:
    """What replay makes of it."""
    roles = [
        (1, "FOLLOWING", 0, 5, 3, 1),
        (1, "LOOKING", 5, 7, None, None),
        (1, "FOLLOWING", 7, 20, 2, 2),
        (2, "FOLLOWING", 0, 5, 3, 1),
        (2, "LOOKING", 5, 7, None, None),
        (2, "LEADING", 7, 20, 2, 2),
        (3, "LEADING", 0, 5, 3, 1),
        (3, "DOWN", 5, 12, None, None),
        (3, "FOLLOWING", 12, 20, 2, 2),
        (-1, "UNKNOWN", 0, 20, None, None),
    ]
    log = {"source": "server-2/zookeeper.log", "line": 5}
    return History(
        trace=trace(),
        configs=(Config(voters=frozenset({1, 2, 3})),),
        roles=schema.frame(
            schema.ROLES,
            [
                {"server": s, "process": 1, "role": r, "start": at(a), "end": at(b), "leader": leader, "epoch": e, **log}
                for s, r, a, b, leader, e in roles
            ],
        ),
        elections=schema.frame(
            schema.ELECTIONS,
            [
                {
                    "election": 1,
                    "round": 2,
                    "start": at(5),
                    "end": at(7.25),
                    "leader": 2,
                    "epoch": 2,
                    "kind": "vote",
                    "decided_by": "sid",
                    "quorum": [1, 2],
                    "servers": [1, 2],
                    "logged_ms": [{"server": 1, "ms": 254}],
                    "why": "sid 2 beats 1 <i>",
                    **log,
                },
            ],
        ),
        cast=Given(schema.frame(
            schema.VOTES,
            [
                {
                    "election": 1,
                    "time": at(5.1 + n),
                    "server": 2,
                    "state": "LOOKING",
                    "round": 2,
                    "voted_for": 2,
                    "zxid": 0x100000006,
                    "peer_epoch": 1,
                    "seen_by": seen,
                    **log,
                }
                for n, seen in enumerate((1, 2))
            ],
        )),
        epochs=schema.frame(
            schema.EPOCHS,
            [
                {
                    "epoch": 1,
                    "leader": 3,
                    "status": "established",
                    "established": at(0),
                    "ended": at(5),
                    "first_zxid": 0x100000001,
                    "last_zxid": 0x100000008,
                    "writes": 8,
                    "followers": [1, 2],
                    "observers": [],
                    "ended_by": "killed",
                    **log,
                },
                {
                    "epoch": 2,
                    "leader": 2,
                    "status": "established",
                    "established": at(7.3),
                    "ended": at(20),
                    "first_zxid": 0x200000001,
                    "last_zxid": 0x280000000,
                    "writes": 1,
                    "followers": [1, 3],
                    "observers": [-1],
                    **log,
                },
            ],
        ),
        syncs=schema.frame(
            schema.SYNCS,
            [
                {
                    "time": at(12.5),
                    "learner": 3,
                    "leader": 2,
                    "epoch": 2,
                    "mode": "TRUNC",
                    "learner_zxid": 0x100000008,
                    "to_zxid": 0x100000006,
                    "truncated_to": 0x100000006,
                    "discarded_from": 0x100000007,
                    "discarded_to": 0x100000008,
                    "discarded_count": 2,
                    "why": "cut",
                    **log,
                },
                {
                    "time": at(0.1),
                    "learner": 1,
                    "leader": 3,
                    "epoch": 1,
                    "mode": "DIFF",
                    "learner_zxid": 0,
                    "to_zxid": 0,
                    "why": "empty",
                    **log,
                },
            ],
        ),
        unavailable=(Outage(at(5), at(7.3), 2300, 1),),
    )


def judgement() -> Judgement:
    """What became of the writes: seven survived, two were truncated."""
    proof = [
        {"source": "server-3/zookeeper.log", "line": 312, "says": "[myid:3] Truncating log <b>"},
        {"source": "before:server-3/log.100000001", "offset": 716, "says": "its record"},
    ]
    kept = [
        {"zxid": z, "fate": "survived", "committed": "yes", "op": "create", "path": "/pay", "time": at(1), "why": "kept"}
        for z in range(0x100000001, 0x100000007)
    ]
    multi = {
        "zxid": 0x200000001,
        "fate": "survived",
        "committed": "yes",
        "op": "multi",
        "path": None,
        "time": at(9),
        "session": -2,
        "ops": [{"op": "create", "path": "/m"}, {"op": "delete", "path": "/n"}],
    }
    cut = [
        {
            "zxid": z,
            "fate": "truncated",
            "committed": "no",
            "rule": "N1",
            "acknowledged": "no",
            "op": "create",
            "path": HOSTILE,
            "session": 0x300002267B80000,
            "cxid": 1,
            "time": at(3),
            "on_disk_of": [],
            "absent_from": [1, -1],
            "at_next_start": "discarded",
            "why": "discarded by epoch 2",
            "evidence": proof,
        }
        for z in (0x100000007, 0x100000008)
    ]
    return Judgement(
        verdict="nothing_lost",
        writes=schema.frame(schema.WRITES, [*kept, *cut, multi]),
        ranges=schema.frame(
            schema.RANGES, [{"fate": "truncated", "server": -1, "from": 0x100000009, "to": None, "committed": "unknown", "why": "text"}]
        ),
        clients=schema.frame(
            schema.CLIENTS,
            [
                {
                    "source": "history.jsonl",
                    "line": 1,
                    "op": "create",
                    "path": "/pay",
                    "outcome": "happened",
                    "zxid": 0x100000001,
                    "why": "its record",
                },
                {
                    "source": "history.jsonl",
                    "line": 2,
                    "op": "create",
                    "path": HOSTILE,
                    "outcome": "did not",
                    "zxid": 0x100000007,
                    "why": "truncated",
                },
            ],
        ),
        message="No committed write was lost; 2 writes that never committed were discarded (3 of 3 servers).",
        reasons=("no text log of <2>",),
        servers=(
            {"server": 1, "last_zxid": 0x200000001, "current_epoch": 2, "accepted_epoch": 2},
            {"server": -1, "last_zxid": None, "current_epoch": None, "accepted_epoch": None},
        ),
    )


def prediction() -> Prediction:
    """The next start of all three."""
    learner = Learner(3, "TRUNC", 0x100000006, "its log is longer")
    start = Start((1, 2, 3), 2, "epoch 2 beats epoch 1", (learner,), truncated=(0x100000007, 0x100000008))
    return Prediction((start,), (Rebuild(2, "it has everything", (0x100000007,)), Rebuild(1, "it lacks more", (0x100000007, 0x100000008))))
