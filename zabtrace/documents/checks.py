"""The document of ``check``: how each server would start, the invariants, and the known bugs that fit."""

from __future__ import annotations

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
        "message": report.message,
        "servers": [_server(one, names) for one in report.servers],
        "checks": [_checked(one) for one in report.checks],
        "bugs": [_match(one) for one in report.bugs],
    }


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


def _checked(one: Checked) -> dict[str, Any]:
    found = one.finding
    return {
        "check": one.check,
        "outcome": found.outcome,
        "why": found.why,
        "settled_by": found.settled_by,
        "invariant": one.invariant,
        "evidence": _evidence(found.evidence),
    }


def _match(one: Match) -> dict[str, Any]:
    return {"id": one.id, "match": one.match, "title": one.title, "why": one.why, "evidence": _evidence(one.evidence)}


def _evidence(witnesses: Iterable[Witness]) -> list[dict[str, Any]]:
    return [wording.spoken(item) for item in witnesses]
