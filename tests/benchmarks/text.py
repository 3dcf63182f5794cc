"""How fast text logs are read, against one pass of ripgrep with the expression of a record's head, in one run.

    python tests/benchmarks/text.py [--size 500] [--rounds 3] [--shape debug] [--folder /tmp/zabtrace-benchmark]

Needs rg, gzip and zstd. The logs of ``made_logs`` (500 MB each) are written first and removed in the end. Only ratios of one run mean
anything, and of them those of CPU time where other programs run: machines differ, and so do moments.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import made_logs
from records import ZABTRACE, Cost, least, process

HEAD = (
    r"(?-u)^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2},[0-9]{3} (\[myid:[0-9]*\] )?- "
    r"(TRACE|DEBUG|INFO|WARN|ERROR|FATAL) +\[(.*):([^:@]+)@([0-9]+)\] - "
)
COMMANDS = {
    "events --summary": ("--summary",),
    "events --kind": ("--kind", "fle_new_election"),
    "events --unknown": ("--unknown",),
    "events --raw --kind": ("--raw", "--kind", "fle_new_election"),
}
PACKED = {"gz": (("gzip", "-k"), "zcat"), "zst": (("zstd", "-q"), "zstdcat")}
"""How a log is packed and unpacked."""


def contestants(path: Path) -> Iterator[tuple[str, Callable[[], Cost]]]:
    """The peer first, then what is compared with it."""
    yield "rg -c HEAD", partial(process, "rg", "-c", HEAD, str(path))
    for name, options in COMMANDS.items():
        yield name, partial(process, *ZABTRACE, "events", *options, "-q", str(path))


def packed(path: Path, suffix: str) -> Iterator[tuple[str, Callable[[], Cost]]]:
    """The same for a packed log."""
    pack, unpack = PACKED[suffix]
    file = Path(f"{path}.{suffix}")
    subprocess.run([*pack, str(path)], check=True)
    yield f"{unpack} | rg -c HEAD", partial(process, "sh", "-c", f"{unpack} {shlex.quote(str(file))} | rg -c {shlex.quote(HEAD)}")
    yield "events --summary", partial(process, *ZABTRACE, "events", "--summary", "-q", str(file))


def compare(title: str, lines: int, runs: dict[str, Callable[[], Cost]], rounds: int) -> None:
    """Run all in turn, ``rounds`` times, and print how many times the first one's time each takes, and its lines per second of CPU."""
    found: dict[str, list[Cost]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            found[name].append(run())
    lowest = {name: least(costs) for name, costs in found.items()}
    peer = next(iter(lowest.values()))
    sys.stdout.write(f"{title}, {lines:,} lines\n")
    for name, cost in lowest.items():
        ratio = (
            f"{cost.cpu / peer.cpu:5.2f} x cpu {cost.wall / peer.wall:5.2f} x wall {lines / cost.cpu / 1e6:6.2f} million lines per s cpu"
        )
        sys.stdout.write(f"  {name:24} {cost} {ratio}\n")
    sys.stdout.flush()


def main() -> None:
    """Make each log, measure, remove it."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--size", type=int, default=500, help="MB per log")
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--shape", choices=(*made_logs.SHAPES, *PACKED), action="append")
    asked.add_argument("--folder", type=Path)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        for shape in given.shape or (*made_logs.SHAPES, *PACKED):
            path = Path(folder) / f"{shape}.log"
            made_logs.write("plain" if shape in PACKED else shape, given.size * made_logs.MB, path)
            with path.open("rb") as file:
                lines = sum(block.count(b"\n") for block in iter(partial(file.read, made_logs.PIECE), b""))
            compare(shape, lines, dict(packed(path, shape) if shape in PACKED else contestants(path)), given.rounds)
            for file_ in Path(folder).iterdir():
                file_.unlink()


if __name__ == "__main__":
    main()
