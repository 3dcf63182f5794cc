"""The page of ``simulate``: each election message by message, in the same drawing as in reports, and every step as a table."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from zabtrace import __version__, wording
from zabtrace.report.ledger import Ledger
from zabtrace.report.page import block, environment, file, policy
from zabtrace.simulate import journal
from zabtrace.simulate.ensemble import BEGIN_MS, Ensemble
from zabtrace.simulate.rounds import OF_ROUNDS, Round, rounds, why

TEMPLATE = "simulation.html.j2"
SCRIPTS = ("theme.js", "panel.js", "spacetime.js")
KINDS = {journal.NOTIFICATION: "vote", journal.CHANGE: "change", journal.QUORUM: "quorum", journal.DECISION: "decision"}


def page(document: dict[str, Any], ensemble: Ensemble) -> str:
    """One HTML file that needs nothing else."""
    scripts = ["\n".join(file(name) for name in SCRIPTS)]
    drawn = [_drawn(number, one, ensemble) for number, one in enumerate(rounds(ensemble.steps), 1)]
    made: str = environment(Ledger()).get_template(TEMPLATE).render(
        version=__version__, document=document, ballots=drawn, style=Markup(file("page.css")),  # noqa: S704  # our own file
        scripts=[Markup(script) for script in scripts],  # noqa: S704  # our own files
        policy=policy(scripts), ballot_block=block(drawn), panel_block=block({"places": {}, "evidence": ""}),
    )  # fmt: skip
    return made


def _drawn(number: int, election: Round, ensemble: Ensemble) -> dict[str, Any]:
    """An election as the drawing wants it, times in ms since 1970."""
    servers = sorted({sid for step in election.steps for sid in (step.server, step.facts.get("sender")) if sid is not None})
    return {
        "id": number,
        "title": f"Election {number}: {why(election, ensemble.config)}",
        "servers": [str(server) for server in servers],
        "steps": [_step(step) for step in election.steps if step.kind in OF_ROUNDS and step.facts.get("sender") != step.server],
    }


def _step(step: journal.Step) -> dict[str, Any]:
    """A step; a notification begins where it was sent."""
    told = {"kind": KINDS[step.kind], "time": BEGIN_MS + step.time, "clock": BEGIN_MS + step.time, "server": str(step.server), "places": [],
            "text": wording.plain(f"server {step.server} {step.text}")}  # fmt: skip
    if step.kind == journal.NOTIFICATION:
        told |= {"sender": str(step.facts["sender"]), "sent": BEGIN_MS + step.facts["sent"]}
    return told
