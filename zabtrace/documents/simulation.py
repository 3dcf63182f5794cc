"""The document of ``simulate``: rounds with their votes, what followed, and every step in order."""

from __future__ import annotations

from typing import Any

from zabtrace.documents import FORMAT
from zabtrace.protocol.vote import Vote
from zabtrace.simulate import journal
from zabtrace.simulate.ensemble import Ensemble
from zabtrace.simulate.mutations import Mutation
from zabtrace.simulate.rounds import Round, rounds, why
from zabtrace.simulate.scenario import KEPT
from zabtrace.zxid import text

ASSUMED = (
    "A server given by numbers is taken to have the records 1 to its zxid of that zxid's epoch, and none of an earlier one; "
    f"its log holds the last {KEPT}."
)


def simulation(ensemble: Ensemble, seed: int, mutations: list[Mutation], *, numbers: bool) -> dict[str, Any]:
    """``leader`` and ``why`` are of the last election that anyone decided, else of the last one."""
    elections = rounds(ensemble.steps)
    decided = [election for election in elections if election.leader is not None]
    last = (decided or elections)[-1] if elections else None
    of = {id(step): number for number, election in enumerate(elections, 1) for step in election.steps}
    return {
        "format": FORMAT,
        "leader": last.leader if last is not None else None,
        "why": why(last, ensemble.config) if last is not None else "No server was started.",
        "seed": seed,
        "version": ensemble.setup.release,
        "voters": sorted(ensemble.setup.voters),
        "observers": sorted(ensemble.setup.observers),
        "assumed": [ASSUMED] if numbers else [],
        "rounds": [_round(number, election, ensemble) for number, election in enumerate(elections, 1)],
        "epochs": [{"epoch": step.facts["epoch"], "leader": step.server, "quorum": step.facts["quorum"], "ms": step.time}
                   for step in _kind(ensemble, journal.SERVING) if "quorum" in step.facts],
        "syncs": [_sync(step) for step in _kind(ensemble, journal.SYNC)],
        "truncations": [{"server": step.server, "truncated_to": text(step.facts["to"]), "gone": [text(z) for z in step.facts["gone"]],
                         "ms": step.time} for step in _kind(ensemble, journal.TRUNCATION)],
        "mutations": [{"mutation": one.name, "what": one.what, "caught_by": sorted(one.caught_by | one.fits)} for one in mutations],
        "steps": [{"ms": step.time, "server": step.server, "election": of.get(id(step)), "kind": step.kind, "what": step.text}
                  for step in ensemble.steps],
    }  # fmt: skip


def _kind(ensemble: Ensemble, kind: str) -> list[journal.Step]:
    return [step for step in ensemble.steps if step.kind == kind]


def _round(number: int, election: Round, ensemble: Ensemble) -> dict[str, Any]:
    changes = [step for step in election.steps if step.kind == journal.CHANGE]
    return {
        "election": number,
        "round": election.number,
        "leader": election.leader,
        "why": why(election, ensemble.config),
        "votes": [
            {"server": step.server, **_vote(step.facts["vote"]), "because": step.facts["because"], "ms": step.time}
            for step in changes
        ],
        "decisions": [{"server": step.server, "state": step.facts["state"], "leader": step.facts["leader"], "ms": step.time}
                      for step in election.steps if step.kind == journal.DECISION],
    }  # fmt: skip


def _vote(vote: Vote) -> dict[str, Any]:
    """An observer's first vote names nobody."""
    nobody = vote.sid < 0
    return {"voted_for": None if nobody else vote.sid, "peer_epoch": None if nobody else vote.peer_epoch,
            "zxid": None if nobody else text(vote.zxid)}  # fmt: skip


def _sync(step: journal.Step) -> dict[str, Any]:
    cut = step.facts["truncated_to"]
    return {"epoch": step.facts["epoch"], "leader": step.server, "learner": step.facts["learner"], "mode": step.facts["mode"],
            "learner_zxid": text(step.facts["peer"]), "truncated_to": None if cut is None else text(cut), "why": step.facts["why"],
            "ms": step.time}  # fmt: skip
