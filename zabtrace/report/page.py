"""The page: one HTML file that needs nothing else, and that nothing in the evidence can make do anything.

Strategy: Python puts rows together, the template lays them out with autoescape on. The content security policy forbids every
connection and every script but the two whose hashes it names; chart data are JSON in a block that is never executed.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from importlib import resources
from itertools import groupby
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from zabtrace import __version__, charts, documents, wording
from zabtrace.documents import grids
from zabtrace.fates.judgement import Judgement
from zabtrace.predict import Prediction
from zabtrace.replay.history import History
from zabtrace.report import facts

BOUND = 1000
"""Rows of a table that the page holds; it says how many there are."""
ONCE = ("why", "settled_by", "rule")
"""What neighbouring writes have in common and is told once for all of them."""
TEMPLATE, STYLE, SCRIPT = "page.html.j2", "page.css", "page.js"


def build(
    history: History, judgement: Judgement, prediction: Prediction | None = None, title: str | None = None, note: str | None = None
) -> str:
    """The whole page as HTML."""
    scripts = [charts.script(), _file(SCRIPT)]
    html: str = _template().render(
        title=title or "What became of the writes",
        note=note,
        version=__version__,
        style=Markup(_file(STYLE)),  # noqa: S704  # our own file
        scripts=[Markup(script) for script in scripts],  # noqa: S704  # our own file and plotly's
        policy=_policy(scripts),
        charts={name: Markup(charts.figure_json(name, history, judgement)) for name in charts.CHARTS},  # noqa: S704  # has no < left
        verdict=documents.verify(history, judgement),
        read=facts.read(history),
        files=facts.files(history),
        numbers=facts.numbers(history, judgement),
        outages=[wording.outage(out, wording.Names.of(history.trace.servers)) for out in history.unavailable],
        happened=facts.happened(history),
        most=facts.MOST,
        bound=BOUND,
        columns=grids.COLUMNS,
        brief=[*(column for column in grids.COLUMNS["writes"] if column[1] not in (*ONCE, "shown_by")), ("record at byte", "own")],
        **_tables(history, judgement, prediction),
    )
    return html


def _file(name: str) -> str:
    return resources.files("zabtrace.report").joinpath(name).read_text("utf-8")


def _template() -> Any:
    environment = Environment(
        loader=DictLoader({TEMPLATE: _file(TEMPLATE)}), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["say"] = wording.listed
    environment.filters["alike"] = alike
    environment.filters["filled"] = _filled
    environment.filters["place"] = wording.place
    environment.filters["span"] = lambda zxids: wording.span([int(written, 16) for written in zxids])
    environment.filters["rows"] = lambda document_rows, name: grids.rows(name, document_rows)
    return environment.get_template(TEMPLATE)


def _filled(columns: Iterable[tuple[str, str]], rows: list[dict[str, Any]], told: tuple[str, ...]) -> list[tuple[str, str]]:
    """The columns in which some row says something, without those told in a line of their own."""
    return [(heading, key) for heading, key in columns if key not in told and any(row[key] not in (None, "", []) for row in rows)]


def alike(writes: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Neighbouring writes of one fate, told once: their common sentence and evidence, and of each one the place of its record."""
    groups: list[dict[str, Any]] = []
    for _, members in groupby(writes, key=_sameness):
        rows = list(members)
        shared = [item for item in rows[0]["evidence"] if all(item in row["evidence"] for row in rows)]
        own = [[item for item in row["evidence"] if item not in shared] for row in rows]
        sources = dict.fromkeys(item["source"] for items in own for item in items)
        told = [{"source": source, "says": "the record of each of these writes, at its byte"} for source in sources]
        placed = [{**row, "own": [item["offset"] for item in items]} for row, items in zip(rows, own, strict=True)]
        groups.append({**{key: rows[0][key] for key in ONCE}, "rows": placed, "evidence": [*told, *shared]})
    return groups


def _sameness(write: dict[str, Any]) -> tuple[Any, ...]:
    return (*(write[key] for key in ("fate", "committed", *ONCE)), [item for item in write["evidence"] if "offset" not in item])


def _policy(scripts: Iterable[str]) -> str:
    """The content security policy: no network, no script but these."""
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" for script in scripts)
    return f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'"


def _tables(history: History, judgement: Judgement, prediction: Prediction | None) -> dict[str, Any]:
    """The documents behind the tables, and the frames of the evidence as rows."""
    names = wording.Names.of(history.trace.servers)
    trace = history.trace
    return {
        "elections": documents.elections(history),
        "epochs": documents.epochs(history),
        "syncs": documents.syncs(history),
        "prediction": None if prediction is None else documents.predict(prediction, names),
        "damage": list(wording.rows(trace.damage, names)),
        "sources": list(wording.rows(trace.sources, names)),
        "unknown": list(wording.rows(documents.unknown_shapes(trace.lines).head(BOUND), names)),
    }
