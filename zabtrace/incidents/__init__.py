"""Incidents: who lost whom and why, how far apart the clocks stood, and where the evidence does not fit the protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from zabtrace import schema
from zabtrace.incidents import clocks, conformance
from zabtrace.incidents.accounts import Account, Accounts
from zabtrace.incidents.losses import losses
from zabtrace.incidents.phases import Phases, phases
from zabtrace.incidents.scene import Scene
from zabtrace.replay.history import History

__all__ = ["Incidents", "Told", "incidents", "told"]


@dataclass(frozen=True)
class Incidents:
    """What was noticed, one frame per table of ``schema``."""

    losses: pl.DataFrame = field(default_factory=lambda: schema.frame(schema.LOSSES))
    clocks: pl.DataFrame = field(default_factory=lambda: schema.frame(schema.CLOCKS))
    pauses: pl.DataFrame = field(default_factory=lambda: schema.frame(schema.PAUSES))
    findings: pl.DataFrame = field(default_factory=lambda: schema.frame(schema.FINDINGS))


def incidents(history: History) -> Incidents:
    """Losses, clocks and findings of a History; empty where no server's log was read."""
    if history.terms is None:
        return Incidents()
    scene = Scene(history, history.terms)
    spans = clocks.pair_spans(scene)
    found = [*conformance.findings(scene), *clocks.findings(scene, spans)]
    apart = clocks.table(spans)
    lost, paused = losses(scene, apart)
    return Incidents(lost, apart, paused, schema.frame(schema.FINDINGS, [one._asdict() for one in found]))


@dataclass(frozen=True)
class Told:
    """Elections in detail, by their number in ELECTIONS; accounts are made when they are asked for."""

    accounts: Mapping[int, list[Account]] = field(default_factory=dict)
    phases: dict[int, Phases] = field(default_factory=dict)


def told(history: History) -> Told:
    """Each server's account of each election, and where the time of each outage went; empty where no server's log was read."""
    if history.terms is None:
        return Told()
    scene = Scene(history, history.terms)
    return Told(Accounts(scene), phases(scene, clocks.table(clocks.pair_spans(scene))))
