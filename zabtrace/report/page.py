"""The page: one HTML file that needs nothing else, and that nothing in the evidence can make do anything.

Strategy: ``content`` puts rows together, the templates in ``parts`` lay them out with autoescape on. The content security policy
forbids every connection and every script but those whose hashes it names; data for scripts are JSON in blocks that are never
executed, and our scripts put text into the page as text only.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from zabtrace import __version__, charts, wording
from zabtrace.documents import grids
from zabtrace.fates.judgement import Judgement
from zabtrace.predict import Prediction
from zabtrace.replay.history import History
from zabtrace.report import story
from zabtrace.report.content import BOUND, Content, Findings, Wish, gather
from zabtrace.report.ledger import Ledger

TEMPLATE, STYLE = "page.html.j2", "page.css"
SCRIPTS = ("theme.js", "panel.js", "tables.js", "timeline.js", "spacetime.js")
VENDORED, LIBRARY = "vendored", "dataTables"
LONGEST = 2000
"""Characters of one text that the page shows."""
UNIT = 20
"""So many neighbouring writes at most stand above one sentence: more would not fit on one page of a table."""


def build(
    history: History, judgement: Judgement, prediction: Prediction | None = None, title: str | None = None, note: str | None = None
) -> str:
    """The whole page as HTML, with all sections."""
    return html(gather(Findings(history, judgement, prediction), Wish(title, note)))


def html(content: Content) -> str:
    """A report's content as one HTML page."""
    drawn = charts.CHARTS if "timeline" in content.sections else {}
    history, judgement, paused = content.drawn()
    figures = {name: charts.figure_json(name, history, judgement, paused) for name in drawn}
    incidents = charts.incidents(history, judgement) if drawn else []
    ledger = Ledger()
    for text in figures.values():
        ledger.cite_chart(json.loads(text))
    ballots = content.rows["ballots"] if "elections" in content.sections else []
    for place in (place for election in ballots for step in election["steps"] for place in step["places"]):
        ledger.cited(place)
    scripts = [*([charts.script()] if drawn else []), library(), "\n".join(file(name) for name in SCRIPTS)]
    page: str = (
        environment(ledger)
        .get_template(TEMPLATE)
        .render(
            version=__version__,
            sections=content.sections,
            style=Markup(file(STYLE)),  # noqa: S704  # our own file
            scripts=[Markup(script) for script in scripts],  # noqa: S704  # our own files, plotly's and DataTables'
            policy=policy(scripts),
            figures={name: Markup(text) for name, text in figures.items()},  # noqa: S704  # has no < left
            jumps=incidents,
            incident_block=block(incidents),
            ballot_block=block(ballots),
            panel_block=lambda: block(ledger.lines(content.history, content.wish)),
            most=story.MOST,
            bound=BOUND,
            columns=grids.COLUMNS,
            told=grids.TOLD,
            brief=[*(column for column in grids.COLUMNS["writes"] if column[1] not in grids.TOLD["writes"]), ("own evidence", "own")],
            **content.rows,
        )
    )
    return page


def file(name: str, folder: str = "parts") -> str:
    """One of our own templates, styles or scripts."""
    return resources.files("zabtrace.report").joinpath(folder, name).read_text("utf-8")


def library() -> str:
    """The script of DataTables under its licence, which wants to be in every copy (``vendored/README.md``)."""
    return f"/*!\n{file(f'{LIBRARY}.LICENSE.txt', VENDORED)}*/\n{file(f'{LIBRARY}.min.js', VENDORED)}"


def block(value: Any) -> Markup:
    """A value as JSON that can stand in a script block: no ``<`` is left in it."""
    return Markup(json.dumps(value, separators=(",", ":")).replace("<", "\\u003c"))  # noqa: S704  # has no < left


def environment(ledger: Ledger) -> Environment:
    """Templates of ``parts`` and the filters they use."""
    made = Environment(loader=FunctionLoader(file), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters["say"] = short
    made.filters["alike"] = units
    made.filters["filled"] = lambda rows, name: grids.filled(name, rows)
    made.filters["place"] = ledger.cite
    made.filters["brief"] = brief
    made.filters["cited"] = ledger.cited
    made.filters["span"] = lambda zxids: wording.span([int(written, 16) for written in zxids])
    made.filters["rows"] = lambda document_rows, name: grids.rows(name, document_rows)
    return made


def short(value: Any) -> str:
    """Any value as one line of text; of one that would fill screens, such as a path of a megabyte, the beginning and its length."""
    text = wording.listed(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text):,} characters)"


def brief(own: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Evidence of one row without its files, which stand below: ``text`` of each place, and the ``items`` that it stands for.

    >>> [one["text"] for one in brief([{"source": "a", "offset": 16}, {"source": "b", "offset": 16}, {"source": "c", "line": 7}])]
    ['byte 16 (2 files)', 'line 7']
    """
    places: dict[str, list[Mapping[str, Any]]] = {}
    for item in own:
        text = f"line {item['line']}" if item.get("line") is not None else f"byte {item.get('offset') or 0}"
        places.setdefault(text, []).append(item)
    return [{"text": text + (f" ({len(items)} files)" if items[1:] else ""), "items": items} for text, items in places.items()]


def units(writes: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Groups of ``grids.alike``, none longer than UNIT rows."""
    return [
        {**group, "rows": group["rows"][start : start + UNIT]}
        for group in grids.alike(writes)
        for start in range(0, len(group["rows"]), UNIT)
    ]


def policy(scripts: Iterable[str]) -> str:
    """The content security policy: no network, no script but these."""
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" for script in scripts)
    return f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'"
