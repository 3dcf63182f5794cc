"""Logs that are there twice: a copy, an earlier state of the same file, or the same records written to two files.

Strategy: of bytes, one log begins with all of another; of records, nearly all of one stand in the other, at the same time and in the
same words (a server that logs to its console and to a file). The shorter one is not read, and says so: an event counts once.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import permutations

from zabtrace.evidence.entry import Entry
from zabtrace.source import Source

START = 1 << 12
"""Bytes that are compared before whole files are."""
TWIN = 0.9
"""Share of its records that must stand in another log."""
ALIKE = ("time", "thread", "message")


def without_repeats(logs: list[Entry]) -> None:
    """Mark each log that another one begins with."""
    alike: dict[bytes, list[Entry]] = defaultdict(list)
    for entry in logs:
        if head := entry.source.head(START):
            alike[head].append(entry)
    for head, found in alike.items():
        shorter = [entry for other, entries in alike.items() if len(other) < len(head) and head.startswith(other) for entry in entries]
        _mark_repeats([*found, *shorter])


def without_twins(logs: list[Entry]) -> list[Entry]:
    """The logs of one server without those whose records stand in another one."""
    for entry, other in permutations(logs, 2):
        if not (entry.repeated or other.repeated) and _is_twin(entry, other):
            entry.twin = other
            entry.notes.append(f"left out: its records stand in {other.source.name} too")
    return [entry for entry in logs if not entry.repeated]


def _mark_repeats(alike: list[Entry]) -> None:
    """Compare logs that begin alike with the longest one; of equal ones the first is kept."""
    sizes = {id(entry): sum(map(len, entry.source.blocks())) for entry in alike} if len(alike) > 1 else {}
    rest = sorted(alike, key=lambda entry: -sizes.get(id(entry), 0))
    for at, longer in enumerate(rest):
        for entry in rest[at + 1 :]:
            if not (entry.repeated or longer.repeated) and _begins_with(longer.source, entry.source):
                entry.twin = longer
                entry.notes.append(f"not read: {longer.source.name} begins with all of it")


def _begins_with(longer: Source, shorter: Source) -> bool:
    """Are the bytes of ``shorter`` the first ones of ``longer``?"""
    theirs = longer.blocks()
    held = b""
    for block in shorter.blocks():
        while len(held) < len(block) and (more := next(theirs, b"")):
            held += more
        if not held.startswith(block):
            return False
        held = held[len(block) :]
    return True


def _is_twin(entry: Entry, other: Entry) -> bool:
    """Do nearly all records of ``entry`` stand in ``other``, which is no shorter?"""
    if entry.log is None or other.log is None:
        return False
    times, other_times = (found.held.columns("time")["time"].drop_nulls() for found in (entry.log, other.log))
    if not 0 < times.len() <= other_times.len() or times.min() > other_times.max() or times.max() < other_times.min():  # type: ignore[operator]
        return False
    mine, theirs = (found.held.columns(*ALIKE).drop_nulls("time") for found in (entry.log, other.log))
    return mine.join(theirs.unique(), on=ALIKE, how="semi", nulls_equal=True).height >= TWIN * mine.height
