"""Records that are only counted, and differ in digits alone, are grouped: what is counted does not depend on it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from zabtrace.logs import LogRead, alike, read_log
from zabtrace.source import Source

STAMP = "2026-11-21 00:18:39,719"
# what follows the stamp of a line, with a number in it; and what it counts as, by the number
CLIENTS = (
    "[myid:1] - INFO  [/10.0.{third}.{fourth}:{port}:QuorumCnxManager$Listener@493] - Received connection request /10.0.0.7:{port}",
    "[myid:1] - WARN  [LearnerHandler-/10.0.{third}.{fourth}:{port}:LearnerHandler@653] - ******* GOODBYE /10.0.0.7:{port} ********",
    "[myid:{sid}] - INFO  [NIOServerCxn.Factory:0.0.0.0/0.0.0.0:2181:NIOServerCnxnFactory@192] - Accepted socket connection from "
    "/10.0.{third}.{fourth}:{port}",
    "[myid:1] - INFO  [/10.0.{third}.{fourth}:{port}:QuorumCnxManager$Listener@493] - Nobody says this {port}",
)
# texts that say something else when a digit of theirs is another one, or of which something is taken out: some are grouped by that digit
TELLING = (
    "[myid:1] - INFO  [QuorumPeer[myid={sid}]/0.0.0.0:2181:FastLeaderElection@944] - New election. My id = {sid}, proposed zxid=0x{port}",
    "[myid:1] - INFO  [WorkerReceiver[myid=1]:FastLeaderElection@1] - Backward compatibility mode ({third} bits), server id: {sid}",
    "[myid:1] - INFO  [SyncThread:{sid}:FileTxnLog@218] - Creating new log file: log.{port}",
    "[myid:1] - INFO  [main:ManagedUtil@46] - Log{sid}j 1.2 jmx support found and enabled.",
    "[myid:1] - INFO  [main:Environment@100] - Server environment:zookeeper.version=3.8.{sid}-abc{port}, built on 2022",
    "[myid:1] - INFO  [main:o.e.j.u.log.Slf{third}jLog@1] - Logging of {port}",
    "[myid:1] - INFO  [/10.0.0.{fourth}:{port}:Learner@1] - zxid {third}x{port} it is",
)


def log(texts: tuple[str, ...], lines: int, path: Path) -> Path:
    """A log in which no line is like another."""
    path.write_text(
        "".join(
            f"{STAMP} {text.format(sid=at % 3 + 1, third=at % 50, fourth=at % 256, port=32768 + at * 7 % 28000)}\n"
            for at in range(lines)
            for text in texts
        )
    )
    return path


def tables(found: LogRead) -> tuple[object, ...]:
    return found.summary, found.sids, found.version, found.layout, found.zone, found.span, found.damage.rows(), found.remarks


@pytest.mark.parametrize("texts", [CLIENTS, CLIENTS + TELLING, TELLING])
def test_what_is_counted_does_not_depend_on_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, texts: tuple[str, ...]) -> None:
    path = log(texts, 400, tmp_path / "zookeeper.log")
    groups: list[int] = []
    known = alike.Alike.of

    def noted(self: alike.Alike, rests: object) -> object:
        found = known(self, rests)  # type: ignore[arg-type]
        groups.append(int((found[0] >= 0).sum()) if found is not None else 0)
        return found

    monkeypatch.setattr(alike.Alike, "of", noted)
    monkeypatch.setattr(alike, "FEW", 1.1)  # whatever differs: every form is looked at
    found = tables(read_log(Source(path.name, path), keep=False))
    assert sum(groups) > 400
    monkeypatch.setattr(alike, "FEW", -1.0)  # never
    assert tables(read_log(Source(path.name, path), keep=False)) == found
    assert tables(read_log(Source(path.name, path)))[:5] == found[:5]


def test_figures_of_clients(tmp_path: Path) -> None:
    """Counted by hand: 400 lines of each text, one of which is no message; the third text names each of three servers in turn."""
    found = read_log(Source("zookeeper.log", log(CLIENTS, 400, tmp_path / "zookeeper.log")), keep=False)
    assert (found.summary["understood"], found.summary["unknown"], found.summary["lines"]) == (1200, 400, 1600)
    assert found.summary["by_level"] == {"INFO": {"lines": 1200, "understood": 800}, "WARN": {"lines": 400, "understood": 400}}
    assert found.sids == Counter({1: 1200 + 134, 2: 133, 3: 133})
