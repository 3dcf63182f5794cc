"""How long ``zabtrace --help`` takes, beside Python that imports click and nothing else, in one run.

    python tests/benchmarks/start.py [--rounds 10]
"""

from __future__ import annotations

import argparse
import sys

from records import ZABTRACE, compare, process


def main() -> None:
    """Measure."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--rounds", type=int, default=10)
    contestants = {
        "zabtrace --help": lambda: process(*ZABTRACE, "--help"),
        "python -c 'import click'": lambda: process(sys.executable, "-c", "import click"),
    }
    compare("start", contestants, asked.parse_args().rounds)


if __name__ == "__main__":
    main()
