"""The screen of ``check``: the verdict, each server with its damage, the invariants, and the known bugs that fit."""

from __future__ import annotations

from typing import Any

from zabtrace import wording
from zabtrace.checks import Report
from zabtrace.documents import checks as documents
from zabtrace.render.screen import Block, Grid, Sentence
from zabtrace.render.views import View

FEW = 5
"""So many witnesses and damaged places a screen shows of each."""
STYLES = {"holds": "bold green", "violated": "bold red", "unknown": "bold yellow"}
STARTS = {True: "would start", False: "would not start", None: "cannot tell"}


def check(report: Report, names: wording.Names) -> View:
    """Document and screen."""
    document = documents.check(report, names)
    return View(document, "checks", screen(document))


def screen(document: dict[str, Any]) -> list[Block]:
    """Sentences for what must be read, grids for what is compared."""
    blocks: list[Block] = [Sentence(f"{document['verdict']}: {document['message']}", STYLES[document["verdict"]])]
    for server in document["servers"]:
        blocks += _server(server)
    rows = [{**row, "why": row["why"]} for row in document["checks"]]
    blocks.append(Grid("Checks", [("check", "check"), ("outcome", "outcome"), ("why", "why")], rows))
    blocks += _shown(document["checks"], "check") + [Sentence("")] * bool(document["bugs"])
    for bug in document["bugs"]:
        blocks.append(Sentence(f"{bug['id']} ({bug['match']}): {bug['title']}. {bug['why']}", "bold"))
    return [*blocks, *_shown(document["bugs"], "id")]


def _server(row: dict[str, Any]) -> list[Block]:
    blocks: list[Block] = [
        Sentence(f"Server {row['server']}: {STARTS[row['would_start']]}", "bold"),
        Sentence(f"  {row['why']}"),
    ]
    blocks += [Sentence(f"  damaged ({one['harm']}): {wording.place(one)}: {one['reason']}") for one in row["damage"][:FEW]]
    if len(row["damage"]) > FEW:
        blocks.append(Sentence(f"  ... and {len(row['damage']) - FEW} more damaged places: --format json lists all."))
    blocks += [Sentence(f"  missing: {gap['from']} to {gap['to']}: {gap['why']}") for gap in row["missing"][:FEW]]
    for key in ("chop", "trust_empty_snapshot"):
        if plan := row.get(key):
            blocks.append(Sentence(f"  --{key.replace('_', '-')}: {plan['why']}"))
            blocks += [Sentence(f"    {command}") for command in plan["commands"]]
    return blocks


def _shown(rows: list[dict[str, Any]], name: str) -> list[Block]:
    """The first witnesses of each row."""
    shown = [{"of": row[name], "place": wording.place(item), "says": item["says"]} for row in rows for item in row["evidence"][:FEW]]
    return [Grid("Shown by", [("of", "of"), ("place", "place"), ("says", "says")], shown)]
