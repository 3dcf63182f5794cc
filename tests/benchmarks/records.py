"""How fast transaction logs and snapshots are read, against ZooKeeper's own tools and against one pass of Adler-32, in one run.

    python tests/benchmarks/records.py [--txns 1000000] [--znodes 500000] [--rounds 3] [--folder /tmp/zabtrace-benchmark]

Needs java and the jars of Debian's libzookeeper-java. Only ratios of one run mean anything: machines differ, and so do moments.
"""

from __future__ import annotations

import argparse
import mmap
import os
import resource
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import made_records

JARS = ":".join(
    found
    for name in (
        "zookeeper",
        "zookeeper-jute",
        "slf4j-api",
        "slf4j-nop",
        "commons-cli",
        "netty-*",
        "log4j-1.2",
        "snappy-java",
        "metrics-core",
    )
    for found in map(str, Path("/usr/share/java").glob(f"{name}.jar"))
)
JAVA = ["java", "-cp", JARS]
ZABTRACE = [sys.executable, "-c", "import sys; from zabtrace.cli import main; main()"]
REPLAY = """
import sys
from zabtrace.evidence import gather
from zabtrace.replay.tree_digests import digests
trace = gather([sys.argv[1]])
found = digests(trace)
stored = trace.txns["digest"].drop_nulls().len()
sys.exit(bool(found.rows or found.unchecked or found.compared != stored))
"""
"""Replay a log into a tree; fails unless every stored digest was compared and matched."""
COMPILED = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""zabtrace as installed: its modules are compiled once, in the first run, which does not count."""


@dataclass(frozen=True)
class Cost:
    """Seconds of the clock and of all processors, and the most memory, in MB."""

    wall: float
    cpu: float
    memory: float

    def __str__(self) -> str:
        return f"{self.wall:7.2f} s wall {self.cpu:7.2f} s cpu {self.memory:6.0f} MB"


def process(*command: str) -> Cost:
    """A whole process, its output thrown away."""
    begin = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=COMPILED)
    _, status, used = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"failed with {status}: {' '.join(command)}")
    return Cost(time.perf_counter() - begin, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def inside(work: Callable[[], object]) -> Cost:
    """A call in this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Cost(time.perf_counter() - wall, time.process_time() - cpu, memory)


def least(costs: list[Cost]) -> Cost:
    """The least of each figure: what else the machine does meanwhile only adds to it."""
    return Cost(*(min(getattr(cost, name) for cost in costs) for name in ("wall", "cpu", "memory")))


def adler(path: Path) -> None:
    """One pass of zlib over the mapped file."""
    with path.open("rb") as file:
        zlib.adler32(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def compare(title: str, contestants: dict[str, Callable[[], Cost]], rounds: int) -> None:
    """Run all contestants in turn, ``rounds`` times after a first that does not count, and print how many times the last one each takes."""
    for run in contestants.values():
        run()
    found: dict[str, list[Cost]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            found[name].append(run())
    lowest = {name: least(costs) for name, costs in found.items()}
    *_, last = lowest.values()
    sys.stdout.write(f"{title}\n")
    for name, cost in lowest.items():
        ratio = f"{cost.wall / last.wall:6.1f} x wall {cost.cpu / last.cpu:6.1f} x cpu {cost.memory / last.memory:5.1f} x memory"
        sys.stdout.write(f"  {name:34} {cost} {ratio}\n")


def main() -> None:
    """Make the files that are missing, and measure."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--txns", type=int, default=1_000_000)
    asked.add_argument("--znodes", type=int, default=500_000)
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--folder", type=Path, default=Path("/tmp/zabtrace-benchmark"))  # noqa: S108
    given = asked.parse_args()
    log, snapshot = given.folder / f"t{given.txns}" / "log.100000001", given.folder / f"z{given.znodes}" / "snapshot.100000001"
    for path, make, count in ((log, made_records.write_log, given.txns), (snapshot, made_records.write_snapshot, given.znodes)):
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f"{path.name}.part")
            make(part, count)
            part.rename(path)

    from zabtrace.records import TxnLog, read_snapshot
    from zabtrace.source import Source

    out = str(given.folder / "out.parquet")
    compare(
        f"transaction log, {given.txns} records, cold processes",
        {
            "TxnLogToolkit -d": lambda: process(*JAVA, "org.apache.zookeeper.server.persistence.TxnLogToolkit", "-d", str(log)),
            "zabtrace txns --format parquet": lambda: process(*ZABTRACE, "txns", str(log), "--format", "parquet", "-o", out),
        },
        given.rounds,
    )
    compare(
        f"transaction log, {given.txns} records, replayed into a tree",
        {"every stored digest verified": lambda: process(sys.executable, "-c", REPLAY, str(log))},
        1,
    )
    compare(
        f"snapshot, {given.znodes} znodes, cold processes",
        {
            "SnapshotFormatter": lambda: process(*JAVA, "org.apache.zookeeper.server.SnapshotFormatter", str(snapshot)),
            "zabtrace tree --snapshots": lambda: process(*ZABTRACE, "tree", "--snapshots", str(snapshot), "--format", "parquet", "-o", out),
        },
        given.rounds,
    )
    # Last, for a child counts the memory of the process that started it.
    compare(
        f"transaction log, {given.txns} records, in this process",
        {
            "all columns, checksums verified": lambda: inside(lambda: [part.txns.height for part in TxnLog(Source(log.name, log))]),
            "one zlib.adler32": lambda: inside(lambda: adler(log)),
        },
        given.rounds,
    )
    compare(
        f"snapshot, {given.znodes} znodes, in this process",
        {
            "all columns, seals verified": lambda: inside(
                lambda: read_snapshot(Source(snapshot.name, snapshot), znodes=True, digest=False)
            ),
            "and the tree's digest": lambda: inside(lambda: read_snapshot(Source(snapshot.name, snapshot), znodes=True)),
            "one zlib.adler32": lambda: inside(lambda: adler(snapshot)),
        },
        given.rounds,
    )


if __name__ == "__main__":
    main()
