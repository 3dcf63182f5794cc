"""The page: one HTML file that needs nothing else, and that nothing in the evidence can make do anything.

Strategy: Python puts rows together, the template lays them out with autoescape on. The content security policy forbids every
connection and every script but the two whose hashes it names; chart data are JSON in a block that is never executed.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from importlib import resources
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
        apart=charts.clocks_apart(history),
        happened=facts.happened(history),
        most=facts.MOST,
        bound=BOUND,
        columns=grids.COLUMNS,
        told=grids.TOLD,
        brief=[*(column for column in grids.COLUMNS["writes"] if column[1] not in grids.TOLD["writes"]), ("record at byte", "own")],
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
    environment.filters["alike"] = grids.alike
    environment.filters["filled"] = lambda rows, name: grids.filled(name, rows)
    environment.filters["place"] = wording.place
    environment.filters["span"] = lambda zxids: wording.span([int(written, 16) for written in zxids])
    environment.filters["rows"] = lambda document_rows, name: grids.rows(name, document_rows)
    return environment.get_template(TEMPLATE)


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
