"""The screen of ``check``: the verdict, each server with its damage, the invariants, and the known bugs that fit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from zabtrace import wording
from zabtrace.checks import Report
from zabtrace.documents import checks as documents
from zabtrace.render.screen import Block, Grid, Sentence
from zabtrace.render.views import View

FEW = 5
"""So many witnesses and damaged places a screen shows of each."""
STYLES = {"holds": "bold green", "violated": "bold red", "unknown": "bold yellow"}
PLANS = ("chop", "trust_empty_snapshot")
STARTS = {True: "would start", False: "would not start", None: "cannot tell"}


def check(report: Report, names: wording.Names) -> View:
    """Document and screen."""
    document = documents.check(report, names)
    return View(document, "checks", screen(document))


def rows(report: Report, names: wording.Names) -> View:
    """Everything that was found as rows of one shape (ROW): each server's start, damage, gaps and plans, each check, each bug that fits."""
    found = list(_rows(documents.check(report, names)))
    as_text = [row | {"server": None if row["server"] is None else str(row["server"])} for row in found]
    return View({"rows": found}, "rows", [], pl.DataFrame(as_text, schema=ROW))


ROW: dict[str, Any] = {
    "what": pl.String, "name": pl.String, "server": pl.String, "outcome": pl.String, "zxid": pl.String, "to": pl.String, "why": pl.String,
    "evidence": pl.List(pl.Struct({"source": pl.String, "line": pl.Int64, "offset": pl.Int64, "says": pl.String})),
}  # fmt: skip
"""``what`` is start, damage, missing, plan, check or bug; a gap reaches from ``zxid`` to ``to``, others name the last good zxid."""


def _rows(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for server in document["servers"]:
        of = {"server": server["server"]}
        yield _row("start", of, outcome=STARTS[server["would_start"]], zxid=server["last_zxid"], why=server["why"])
        for one in server["damage"]:
            place = {"source": one["source"], "line": None, "offset": one["offset"], "says": one["reason"]}
            yield _row("damage", of, outcome=one["harm"], zxid=one["zxid"], why=one["reason"], evidence=[place])
        for gap in server["missing"]:
            yield _row("missing", of, outcome="missing", zxid=gap["from"], to=gap["to"], why=gap["why"])
        for name in PLANS:
            if plan := server.get(name):
                yield _row("plan", of, name=name, why=" ".join([plan["why"], *plan["commands"]]))
    for one in document["checks"]:
        yield _row("check", {"name": one["check"]}, outcome=one["outcome"], why=one["why"], evidence=one["evidence"])
    for bug in document["bugs"]:
        yield _row("bug", {"name": bug["id"]}, outcome=bug["match"], why=f"{bug['title']}. {bug['why']}", evidence=bug["evidence"])


def _row(what: str, of: dict[str, Any], **more: Any) -> dict[str, Any]:
    given = {"what": what, **of, **more}
    evidence = [{key: item.get(key) for key in ("source", "line", "offset", "says")} for item in given.get("evidence", [])]
    return {name: given.get(name) for name in ROW} | {"evidence": evidence}


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
    for key in PLANS:
        if plan := row.get(key):
            blocks.append(Sentence(f"  --{key.replace('_', '-')}: {plan['why']}"))
            blocks += [Sentence(f"    {command}") for command in plan["commands"]]
    return blocks


def _shown(rows: list[dict[str, Any]], name: str) -> list[Block]:
    """The first witnesses of each row."""
    shown = [{"of": row[name], "place": wording.place(item), "says": item["says"]} for row in rows for item in row["evidence"][:FEW]]
    return [Grid("Shown by", [("of", "of"), ("place", "place"), ("says", "says")], shown)]
