"""The document of ``check``: how each server would start, the invariants, and the known bugs that fit."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from zabtrace import wording, zxid
from zabtrace.checks import Report
from zabtrace.checks.findings import Checked, Match, Missing, Plan, ServerCheck, Witness

FORMAT = 1


def check(report: Report, names: wording.Names) -> dict[str, Any]:
    """Servers, checks and bugs, and the verdict over all of them."""
    return {
        "format": FORMAT,
        "verdict": report.verdict,
        "message": _named(report.message, names),
        "servers": [_server(one, names) for one in report.servers],
        "checks": [_checked(one, names) for one in report.checks],
        "bugs": [_match(one, names) for one in report.bugs],
    }


SERVERS = re.compile(r"\b(servers? )(-?\d+(?:, -?\d+)*)")


def _named(told: str | None, names: wording.Names) -> str | None:
    """A sentence with the labels of servers whose sid is not known, in place of their numbers."""

    def label(match: re.Match[str]) -> str:
        return match[1] + ", ".join(str(names.name(int(number))) for number in match[2].split(", "))

    return None if told is None else SERVERS.sub(label, told)


def _zxid(number: int | None) -> str | None:
    return None if number is None else zxid.text(number)


def _server(one: ServerCheck, names: wording.Names) -> dict[str, Any]:
    plans = {"chop": one.chop, "trust_empty_snapshot": one.trust}
    return {
        "server": names.name(one.server),
        "would_start": one.would_start,
        "why": one.why,
        "zookeeper_version": one.version,
        "snapshot": one.snapshot,
        "last_zxid": _zxid(one.last_zxid),
        "damage": [{**row, "zxid": _zxid(row["zxid"])} for row in one.damage],
        "missing": [_missing(gap) for gap in one.missing],
        **{key: _plan(plan) for key, plan in plans.items() if plan is not None},
    }


def _missing(gap: Missing) -> dict[str, Any]:
    return {"from": _zxid(gap.first), "to": _zxid(gap.last), "why": gap.why}


def _plan(plan: Plan) -> dict[str, Any]:
    return {
        "why": plan.why,
        "records": plan.records,
        "from": _zxid(plan.first),
        "to": _zxid(plan.last),
        "only_here": plan.only_here,
        "committed": plan.committed,
        "commands": list(plan.commands),
    }


def _checked(one: Checked, names: wording.Names) -> dict[str, Any]:
    found = one.finding
    return {
        "check": one.check,
        "outcome": found.outcome,
        "why": _named(found.why, names),
        "settled_by": _named(found.settled_by, names),
        "invariant": one.invariant,
        "evidence": _evidence(found.evidence),
    }


def _match(one: Match, names: wording.Names) -> dict[str, Any]:
    return {"id": one.id, "match": one.match, "title": one.title, "why": _named(one.why, names), "evidence": _evidence(one.evidence)}


def _evidence(witnesses: Iterable[Witness]) -> list[dict[str, Any]]:
    return [wording.spoken(item) for item in witnesses]
