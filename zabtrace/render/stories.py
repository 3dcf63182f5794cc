"""Stories on a screen: what became of the writes, why, who held them, and everything that happened to them in one order."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from zabtrace import wording
from zabtrace.documents import Document, grids
from zabtrace.documents.stories import RECORDS
from zabtrace.render import screens
from zabtrace.render.screen import Block, Grid, Sentence

HELD = (("server", "server"), ("copy", "copy"), ("zxids", "span"), ("held", "held"), ("where", "place"), ("why", "why"))
STEPS = (("at", "at"), ("what", "what"), ("server", "server"), ("time", "time"), ("shown by", "place"), ("says", "says"))


def told(document: Document, few: int = screens.FEW) -> list[Block]:
    """The story of a path, a zxid or a session."""
    story = document["story"]
    writes = document["writes"]
    blocks: list[Block] = [Sentence(story["message"], "bold")]
    if len(writes) == 1:
        blocks += fate(writes[0])
    elif writes:
        blocks += [screens.grid("Writes", "writes", writes[:few]), *screens.more(len(writes), few, "writes")]
    blocks += [Sentence(f"{row['fate']} as part of a range known from text: {row['why']}") for row in document["ranges"]]
    return [*blocks, *_held(story), *_steps(story, few), screens.grid("Clients", "clients", document["clients"][:few])]


def explained(document: Document) -> list[Block]:
    """The argument about one zxid: what became of it, why, where it is shown, and what concerned it."""
    blocks: list[Block] = []
    for row in document["writes"]:
        blocks += fate(row)
    if not document["writes"]:
        blocks.append(Sentence(f"{document['zxid']}: no record of it was judged."))
    blocks += [Sentence(f"{row['fate']} as part of a range known from text: {row['why']}") for row in document["ranges"]]
    blocks += _held(document["story"])
    blocks.append(Grid("Records", [(name, name) for name in RECORDS], document["records"]))
    blocks.append(screens.grid("Its epoch", "epochs", document["epoch"]))
    blocks += screens.syncs(document) if document["syncs"] else []
    return [*blocks, screens.grid("Clients", "clients", document["clients"])]


def fate(row: Document) -> list[Block]:
    """One write: its fate, why, the rule, the evidence, and what would change the verdict."""
    rule = row["rule"]
    says = [Sentence(f"Rule {rule}: {row['rule_says']}")] if row["rule_says"] else []
    return [
        Sentence(f"{row['zxid']} {row['op'] or ''} {grids.paths(row)}: {row['fate']}", row["fate"]),
        Sentence(f"{row['why']} (rule {rule})" if rule else row["why"] or ""),
        Sentence(f"committed: {row['committed']}; answered: {row['acknowledged']}; at the next start: {row['at_next_start']}"),
        *says,
        screens.grid("Shown by", "proofs", row["evidence"]),
        Sentence(""),
        *(Sentence(text if text.startswith("What would") else f"What would change it: {text}") for text in row["would_change"]),
    ]


def _held(story: dict[str, Any]) -> list[Block]:
    rows = [{**row, "span": _span(row), "place": wording.place(row) if row["source"] else ""} for row in story["held"]]
    return [Grid("Who held it", HELD, rows)]


def _span(row: dict[str, Any]) -> str:
    return row["from"] if row["count"] == 1 else f"{row['from']}..{row['to']} ({row['count']})"


def _steps(story: dict[str, Any], few: int) -> list[Block]:
    rows = _folded([{**row, "place": wording.place(row) if row["source"] else ""} for row in story["steps"]])
    return [Grid("In order", STEPS, rows[: few * 2]), *screens.more(len(rows), few * 2, "steps")]


def _folded(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Records of one write in several logs as one row: who logged it; each one's place is in the JSON."""
    rows: list[dict[str, Any]] = []
    for (at, what), members in groupby(steps, key=lambda row: (row["at"], row["what"])):
        listed = list(members)
        if what != "logged" or len(listed) == 1:
            rows += listed
            continue
        servers = list(dict.fromkeys(row["server"] for row in listed))
        places = f"{listed[0]['place']} and {len(listed) - 1} more"
        rows.append({**listed[0], "at": at, "server": servers, "place": places, "says": listed[0]["says"].partition(": in the log of ")[0]})
    return rows
