"""Lines that begin no record are looked up together where they stand one below the other: what is read does not depend on it."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from zabtrace.logs import LogRead, others, read_log
from zabtrace.source import Source

RECORDS = (
    b"2026-11-21 00:18:39,719 [myid:1] - WARN  [QuorumPeer[myid=1](plain=0.0.0.0:2181):Follower@128] - Exception when following the leader",
    b"2026-11-21 00:18:39,719 [myid:1] - INFO  [main:Learner@1] - Nobody says this",
)
BELOW = (
    b"java.net.SocketTimeoutException: Read timed out", b"\tat java.base/java.net.Socket.read(Socket.java:1099)",
    b"\tat org.apache.jute.BinaryInputArchive.readInt(BinaryInputArchive.java:96)", b"", b"\tat a.B.c(D.java:1)\r", b"Caused by: x\r",
    b"x" + RECORDS[0], b"x2026-11-21 ::::::::,719 [myid:1] - INFO  [main:Learner@1] - no stamp", b"\0\0\tat a.B.c(D.java:1)", b"a\xffb",
    b"Starting zookeeper ... STARTED", b"OpenJDK 64-Bit Server VM warning: x", b"@1] - the end of a record", b"2026-11-21 00:18:39,719",
)  # fmt: skip


def log(seed: int) -> bytes:
    """Traces that repeat, with lines of all sorts between."""
    chance = random.Random(seed)
    traces = [chance.choices(BELOW, k=chance.randint(1, 6)) for _ in range(4)]
    lines = [line for _ in range(40) for line in (chance.choice(RECORDS), *(chance.choice(traces) if chance.random() < 0.8 else ()))]
    return b"\n".join(lines) + b"\n" * chance.randint(0, 1)


def tables(found: LogRead) -> tuple[object, ...]:
    fields = {kind: frame.rows() for kind, frame in found.fields.items()}
    return found.summary, found.sids, found.damage.rows(), found.lines.rows(), fields


@pytest.mark.parametrize("keep", [True, False], ids=["kept", "counted"])
@pytest.mark.parametrize("seed", range(8))
def test_runs_are_their_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, keep: bool) -> None:
    path = tmp_path / "zookeeper.log"
    path.write_bytes(log(seed))
    source = Source(path.name, path)
    monkeypatch.setattr("zabtrace.logs.read.BLOCK", 900)
    together: list[int] = []
    known = others._follows

    def noted(*given: object) -> object:
        follows = known(*given)  # type: ignore[arg-type]
        together.append(int(follows.sum()))
        return follows

    monkeypatch.setattr(others, "_follows", noted)
    found = tables(read_log(source, keep=keep))
    assert sum(together) > 20
    monkeypatch.setattr(others, "_follows", lambda block, rows: np.zeros(len(rows), np.bool_))
    assert tables(read_log(source, keep=keep)) == found
    assert found[0]["lines"] == len(log(seed).splitlines())  # type: ignore[index]


def test_lines_of_a_trace_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "zookeeper.log"
    path.write_bytes(b"\n".join([RECORDS[0], *BELOW[:3]] * 5 + [RECORDS[1]]) + b"\n")
    found = read_log(Source(path.name, path))
    assert found.lines["continued"].to_list() == [3] * 5 + [0]
    assert found.lines["trace"].to_list() == [BELOW[0].decode()] * 5 + [None]
    assert (found.summary["understood"], found.summary["unknown"]) == (20, 1)
