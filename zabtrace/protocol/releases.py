"""Releases of ZooKeeper and ranges of them: which release has a rule, a fix or a bug is a line of text in a table.

A range is ``first-last``, both included; a last one of two numbers means the whole line, a missing one every later release:
``"3.5.10-3.5, 3.6.3-3.6, 3.7.1-"``.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import groupby

LINES = {"3.4": 14, "3.5": 10, "3.6": 4, "3.7": 2, "3.8": 6, "3.9": 5}
"""The last release of each line that these tables were checked against."""
RELEASES = tuple(f"{line}.{patch}" for line, last in LINES.items() for patch in range(last + 1))
NEWEST = RELEASES[-1]
EVERY = "3.4.0-"


@cache
def number(version: str) -> tuple[int, ...]:
    """A version as numbers that compare; what follows them is left out.

    >>> number("3.9.3-c26634f34490bb0ea7a09cc51e05ede3b4e320ee"), number("3.5")
    ((3, 9, 3), (3, 5))
    """
    found = re.match(r"\d{1,9}(?:\.\d{1,9})*", version)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


@cache
def among(version: str, ranges: str) -> bool:
    """Is this release in one of the ranges?

    >>> among("3.5.10", "3.5.10-3.5, 3.7.1-"), among("3.6.4", "3.5.10-3.5, 3.7.1-"), among("3.9.5", "3.5.10-3.5, 3.7.1-")
    (True, False, True)
    """
    release = number(version)
    for written in ranges.split(","):
        first, _, last = written.strip().partition("-")
        top = number(last)
        if number(first) <= release and (not last or release[: len(top)] <= top):
            return True
    return False


def spans(versions: set[str]) -> str:
    """Releases drawn together where they follow each other in RELEASES: ``3.4.0 to 3.9.2, 3.9.5``.

    >>> spans({"3.9.4", "3.9.5", "3.4.0"})
    '3.4.0, 3.9.4 and newer'
    """
    runs: list[str] = []
    for chosen, run in groupby(RELEASES, key=versions.__contains__):
        listed = list(run)
        if chosen:
            later = "and newer" if listed[-1] == NEWEST else f"to {listed[-1]}"
            runs.append(listed[0] if len(listed) == 1 and listed[0] != NEWEST else f"{listed[0]} {later}")
    return ", ".join(runs)
