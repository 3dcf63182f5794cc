"""What checks conclude: outcomes of invariants, matches of known bugs, and how each server would start."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Witness = dict[str, Any]
"""An item of evidence: source, line or offset, says."""
HOLDS, VIOLATED, UNKNOWN = "holds", "violated", "unknown"
WITNESSES = 20
"""So many are named per finding; ``why`` counts all."""


@dataclass(frozen=True)
class Finding:
    """The outcome of one check."""

    outcome: str
    why: str
    evidence: tuple[Witness, ...] = ()
    settled_by: str | None = None
    """What would settle an unknown."""


@dataclass(frozen=True)
class Checked:
    """A check with its outcome; ``invariant`` is its name in Zab's specification."""

    check: str
    invariant: str
    finding: Finding


@dataclass(frozen=True)
class Match:
    """A known bug whose signature fits: ``yes``, or ``possible`` where something else leaves the same trace."""

    id: str
    match: str
    title: str
    why: str
    evidence: tuple[Witness, ...] = ()


@dataclass(frozen=True)
class Missing:
    """Records that should be there, and that purging does not explain (zxids, both included)."""

    first: int
    last: int
    why: str


@dataclass(frozen=True)
class Plan:
    """What chopping or trusting an empty snapshot would do to one server; zabtrace itself does neither."""

    why: str
    records: int = 0
    first: int | None = None
    last: int | None = None
    only_here: int = 0
    """How many of those records lie on no other server's newest disk."""
    committed: int = 0
    commands: tuple[str, ...] = ()


@dataclass(frozen=True)
class ServerCheck:
    """The data files of one server."""

    server: int
    would_start: bool | None
    why: str
    version: str
    snapshot: str | None = None
    last_zxid: int | None = None
    damage: tuple[dict[str, Any], ...] = ()
    missing: tuple[Missing, ...] = ()
    chop: Plan | None = None
    trust: Plan | None = None


@dataclass(frozen=True)
class Report:
    """Everything ``check`` says."""

    servers: tuple[ServerCheck, ...] = ()
    checks: tuple[Checked, ...] = ()
    bugs: tuple[Match, ...] = ()

    @property
    def verdict(self) -> str:
        """holds, violated or unknown, over everything."""
        damaged = any(row["harm"] == "data" for one in self.servers for row in one.damage)
        outcomes = {checked.finding.outcome for checked in self.checks}
        starts = [one.would_start for one in self.servers]
        if damaged or VIOLATED in outcomes or False in starts:
            return VIOLATED
        gaps = any(one.missing for one in self.servers)
        return UNKNOWN if gaps or UNKNOWN in outcomes or None in starts or not starts else HOLDS

    @property
    def message(self) -> str:
        """Why, in one line."""
        refusing = [str(one.server) for one in self.servers if one.would_start is False]
        damaged = sum(row["harm"] == "data" for one in self.servers for row in one.damage)
        broken = [c.check for c in self.checks if c.finding.outcome == VIOLATED]
        parts = [f"server {', '.join(refusing)} would not start"] if refusing else []
        parts += [f"{damaged} damaged place{'s' * (damaged > 1)} in data files"] if damaged else []
        parts += [f"what does not hold: {', '.join(broken)}"] if broken else []
        if parts:
            return "; ".join(parts) + "."
        if self.verdict == HOLDS:
            return "The data files are sound, every server would start, and every check holds."
        return _open(self)


def _open(report: Report) -> str:
    silent = [str(one.server) for one in report.servers if one.would_start is None]
    unknown = [c.check for c in report.checks if c.finding.outcome == UNKNOWN]
    gaps = [str(one.server) for one in report.servers if one.missing]
    parts = [f"cannot tell whether server {', '.join(silent)} would start"] if silent else []
    parts += [f"files of server {', '.join(gaps)} are missing"] if gaps else []
    parts += [f"cannot tell: {', '.join(unknown)}"] if unknown else []
    return "Nothing wrong was found, but " + ("; ".join(parts) or "no server's data were read") + "."


def settled(violations: Iterable[tuple[str, Witness]], told: str, held: str, lacking: str | None) -> Finding:
    """violated with its witnesses; else unknown where evidence is ``lacking``; else holds.

    ``told`` is a format of the number of violations and the first one's sentence.
    """
    found = list(violations)
    if found:
        return Finding(VIOLATED, told.format(count=len(found), first=found[0][0]), few(witness for _, witness in found))
    if lacking:
        return Finding(UNKNOWN, f"Nothing read speaks against it, but {lacking}", settled_by=lacking)
    return Finding(HOLDS, held)


def few(witnesses: Iterable[Witness]) -> tuple[Witness, ...]:
    """The first witnesses, none of them twice."""
    kept: list[Witness] = []
    for witness in witnesses:
        if witness not in kept:
            kept.append(witness)
        if len(kept) == WITNESSES:
            break
    return tuple(kept)


@dataclass(frozen=True)
class Question:
    """What was asked beside the evidence."""

    version: str | None = None
    chop: int | None = None
    trust_empty: bool = False
