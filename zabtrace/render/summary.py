"""The first screen: verdict, servers, epochs, elections, damage, in a few lines."""

from __future__ import annotations

from dataclasses import replace

from zabtrace import documents, wording
from zabtrace.fates.judgement import Judgement
from zabtrace.incidents.alignment import Alignment, aligning
from zabtrace.render import lanes, screens
from zabtrace.render.screen import Block, Grid, Sentence
from zabtrace.replay.history import History
from zabtrace.report import facts

LAST = 5
"""So many elections and epochs are listed, the newest ones."""


def blocks(history: History, judgement: Judgement, how: Alignment | None = None) -> list[Block]:
    """The summary of everything read; ``how`` its times are brought to one clock, where that is known already."""
    verified = documents.verify(history, judgement)
    return [
        *screens.verdict(verified),
        *_from_text(judgement),
        *_unavailable(history),
        *lanes.blocks(history, how or aligning(history)),
        screens.grid("Servers", "servers", verified["servers"]),
        *_newest(screens.epochs(documents.epochs(history)), "epochs"),
        *_newest(screens.elections(documents.elections(history)), "elections"),
        *_damage(history),
        Sentence(facts.read(history)),
        Sentence(f"Files: {facts.files(history)}"),
    ]


def _from_text(judgement: Judgement) -> list[Block]:
    told = facts.from_text(judgement)
    return [Sentence(told)] if told else []


def _newest(found: list[Block], what: str) -> list[Block]:
    """The last rows of the first grid."""
    kept = next(block for block in found if isinstance(block, Grid))
    sentences: list[Block] = [block for block in found if isinstance(block, Sentence)]
    hidden = len(kept.rows) - LAST
    earlier: list[Block] = [Sentence(f"... and {hidden} earlier {what}: zabtrace {what}")] if hidden > 0 else []
    columns = [pair for pair in kept.columns if pair[1] not in ("first_zxid", "observers", "seen", "servers", "rolls_over")]
    brief = [pair for pair in kept.brief if pair in columns]
    shown = replace(kept, rows=kept.rows[-LAST:], groups=kept.groups[-LAST:], columns=columns, brief=brief)
    return [*sentences, shown, *earlier]


def _unavailable(history: History) -> list[Block]:
    names = wording.Names.of(history.trace.servers)
    return [Sentence(wording.outage(out, names)) for out in history.unavailable]


def _damage(history: History) -> list[Block]:
    damage = history.trace.damage
    if damage.is_empty():
        return []
    counted = ", ".join(f"{number} {harm or 'unknown'}" for harm, number in damage.group_by("harm").len().sort("harm").iter_rows())
    first = damage.row(0, named=True)
    return [Sentence(f"Damage: {damage.height} places ({counted}). First: {wording.place(first)}: {first['reason']}", "bold yellow")]
