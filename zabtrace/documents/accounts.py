"""What the elections' document says in addition: each server's account of each election, and where an outage's time went."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zabtrace import wording, zxid
from zabtrace.documents.listing import Listing
from zabtrace.incidents import told
from zabtrace.incidents.accounts import Account, Step, Tally
from zabtrace.incidents.phases import Phases
from zabtrace.replay.history import History

Document = dict[str, Any]


def detailed(document: Document, history: History) -> Document:
    """The document with ``accounts`` and ``phases`` in each of its elections."""
    of, rows = _details(history), document["elections"]
    return {**document, "elections": Listing(len(rows), lambda: ({**row, **of(row["id"])} for row in rows))}


def details(history: History) -> dict[int, Document]:
    """``accounts`` and ``phases`` of each election, by its number."""
    of = _details(history)
    return {number: of(number) for number in history.elections["election"]}


def _details(history: History) -> Callable[[int], Document]:
    """The function that tells ``accounts`` and ``phases`` of an election."""
    names = wording.Names.of(history.trace.servers)
    found = told(history)

    def of(number: int) -> Document:
        phases = found.phases.get(number)
        return {
            "accounts": [_account(account, names) for account in found.accounts.get(number, [])],
            "phases": None if phases is None else _phases(phases, names),
        }

    return of


def _phases(phases: Phases, names: wording.Names) -> Document:
    milliseconds = {f"{name}_ms": value for name, value in phases.ms.items()}
    return {"clock": names.name(phases.clock), **milliseconds, "known_ms": phases.total, "rounds": phases.rounds, "why": phases.why}


def _account(account: Account, names: wording.Names) -> Document:
    first = account.first_vote
    vote = None if first is None else {
        "round": first.round, "voted_for": names.name(first.leader), "zxid": zxid.text(first.zxid), "peer_epoch": first.peer_epoch,
        "comes_from": account.origin,
    }  # fmt: skip
    return {
        "server": names.name(account.server),
        "start": wording.moment(account.interval.start),
        "end": wording.moment(account.interval.end),
        "duration_ms": account.ms,
        "logged_ms": account.logged_ms,
        "logged_is": account.logged_is,
        "first_vote": vote,
        "steps": [_step(step, names) for step in account.steps],
        "quorum_at": wording.moment(account.quorum_at),
        "quorum_line": _place(account.quorum_line),
        "wait_ms": account.wait_ms,
        "time_outs_ms": account.took_longer,
        "unreachable": names.name(list(account.unreachable)),
        "refused": names.name(list(account.refused)),
        "tallies": [_tally(tally, names) for tally in account.tallies],
        "result": account.result,
        "why_none": account.why_none,
    }


def _place(place: tuple[str, int] | None) -> Document | None:
    return None if place is None else {"source": place[0], "line": place[1]}


def _tally(tally: Tally, names: wording.Names) -> Document:
    counted = [{"candidate": names.name(sid), "votes": votes} for sid, votes in sorted(tally.votes.items())]
    return {"time": wording.moment(tally.time), "counted": counted, "source": tally.source, "line": tally.line}


def _step(step: Step, names: wording.Names) -> Document:
    return {
        "time": wording.moment(step.time), "from": names.name(step.sender), "state": step.state, "round": step.round,
        "voted_for": names.name(step.voted_for), "did": step.did, "rules": list(step.rules),
        "forced_by": _place(step.forced_by), "source": step.source, "line": step.line,
    }  # fmt: skip
