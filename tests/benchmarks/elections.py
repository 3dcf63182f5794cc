"""How much elections cost: a flapping ensemble's logs, told and held against the protocol, beside a fifth of them in the same run.

    python tests/benchmarks/elections.py [--notifications 200000] [--folder /tmp/zabtrace-elections]

Replay is linear in notifications: five times the lines may cost five times the processor time, less what a start costs.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from election_lines import flapping, saved

ZABTRACE = [sys.executable, "-c", "import sys; from zabtrace.cli import main; main()"]
SERVERS = 5
PER_ELECTION = SERVERS * (2 * SERVERS - 1)
"""Notifications that ``flapping`` prints per election, over all servers."""


def cost(*command: str) -> tuple[float, float]:
    """CPU seconds of a process, its children's included, and its memory in MB."""
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"{command[3:]} failed")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def made(folder: Path, notifications: int) -> list[str]:
    """The evidence: a folder per server."""
    shutil.rmtree(folder, ignore_errors=True)
    saved(folder, flapping(SERVERS, notifications // PER_ELECTION))
    return [str(path) for path in sorted(folder.glob("server-*"))]


def main() -> None:
    """Print one line per command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--notifications", type=int, default=200_000)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "zabtrace-elections")
    asked = parser.parse_args()
    whole, fifth = made(asked.folder / "whole", asked.notifications), made(asked.folder / "fifth", asked.notifications // 5)
    for command in ("elections", "incidents"):
        part, all_of_it = (cost(*ZABTRACE, command, "--format", "json", *folders) for folders in (fifth, whole))
        told = [f"{seconds:5.1f} s cpu {memory:5.0f} MB" for seconds, memory in (part, all_of_it)]
        sys.stdout.write(f"{command:9}  a fifth: {told[0]}  all: {told[1]}  x{all_of_it[0] / part[0]:.1f}\n")


if __name__ == "__main__":
    main()
