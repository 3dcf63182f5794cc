"""The report as Markdown, for a post-mortem: the same content as the page, in the same order, with tables cut to what one reads."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from zabtrace import wording
from zabtrace.documents import grids
from zabtrace.report.content import Content

ROWS = 100
"""Rows of a table at most; what is left out is counted."""
SPECIAL = re.compile(r"([\\`*_\[\]|#~!(){}])")
Rows = Mapping[str, Any]


def escaped(value: Any) -> str:
    """Any value as text that no Markdown renderer takes for markup or HTML.

    >>> escaped("<b>a|b</b>")
    '&lt;b&gt;a\\\\|b&lt;/b&gt;'
    """
    text = SPECIAL.sub(r"\\\1", wording.listed(value))
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def markdown(content: Content) -> Iterator[str]:
    """The whole report, line by line."""
    rows = content.rows
    verdict = rows["verdict"]
    yield f"# {escaped(rows['title'])}\n\n**{escaped(verdict['verdict'].replace('_', ' '))}: {escaped(verdict['message'])}**\n\n"
    counted = [f"{number} {fate}" for fate, number in verdict["counts"].items() if number]
    first = f"Writes judged: {', '.join(counted) or 'none'}."
    sentences = [first, rows["from_text"], *rows["advice"], *rows["outages"], rows["read"], rows["note"], *verdict["reasons"]]
    yield from (f"- {escaped(sentence)}\n" for sentence in sentences if sentence)
    if rows["hidden"]:
        yield f"- {rows['hidden']} rows are hidden by --server, --from or --to; verdict and counts are of everything read.\n"
    for name, heading in content.sections.items():
        if name in SECTIONS:
            yield f"\n## {escaped(heading)}\n\n"
            yield from SECTIONS[name](rows)


def _table(name: str, listed: list[dict[str, Any]], columns: Iterable[tuple[str, str]] | None = None) -> Iterator[str]:
    """A table with the columns in which some row says something, evidence included."""
    cells = grids.rows(name, listed[:ROWS])
    wanted = columns or grids.COLUMNS[name]
    shown = [(heading, key) for heading, key in wanted if any(row.get(key) not in (None, "", []) for row in cells)]
    if not shown:
        yield "None.\n"
        return
    yield f"| {' | '.join(escaped(heading) for heading, _ in shown)} |\n|{' --- |' * len(shown)}\n"
    yield from (f"| {' | '.join(escaped(row.get(key)) for _, key in shown)} |\n" for row in cells)
    if len(listed) > ROWS:
        yield f"\nThe first {ROWS} of {len(listed)} rows.\n"


def _happened(rows: Rows) -> Iterator[str]:
    for row in rows["happened"][:ROWS]:
        place = f" ({escaped(row['place'])})" if row["place"] else ""
        clock = f" (clock of {escaped(row['clock'])})" if rows["shifted"] and row["clock"] is not None else ""
        yield f"- {row['time'] or 'time unknown'}{clock} {escaped(row['what'])}{place}\n"
    if len(rows["happened"]) > ROWS:
        yield f"- The first {ROWS} of {len(rows['happened'])} sentences.\n"


def _elections(rows: Rows) -> Iterator[str]:
    yield from _table("elections", rows["elections"])
    for name, heading in (("phases", "Where the time went, in ms"), ("durations", "How long each server was looking for a leader")):
        if rows[name]:
            yield f"\n{heading}:\n\n"
            yield from _table(name, rows[name])


def _writes(rows: Rows) -> Iterator[str]:
    yield from _table("writes", rows["verdict"]["writes"])
    if rows["verdict"]["ranges"]:
        yield "\nKnown from text only:\n\n"
        yield from _table("ranges", rows["verdict"]["ranges"])


def _files(rows: Rows) -> Iterator[str]:
    yield from _table("servers", rows["verdict"]["servers"])
    if rows["check"]:
        yield f"\n{escaped(rows['check']['message'])}\n\n"
        yield from _table("checks", rows["check"]["checks"], [("check", "check"), ("outcome", "outcome"), ("why", "why")])
    yield "\nDamage:\n\n"
    yield from _table("damage", rows["damage"])


def _incidents(rows: Rows) -> Iterator[str]:
    found = rows["incidents"]
    if not found:
        yield "Not looked for.\n"
        return
    keys = ("time", "server", "lost", "what", "cause")
    yield from _table("losses", found["losses"], [(key, key) for key in keys])
    yield "\nClocks:\n\n"
    yield from _table("clocks", found["clocks"], [(key, key) for key in ("server", "against", "least", "most")])


def _bugs(rows: Rows) -> Iterator[str]:
    yield from _table("bugs", rows["check"]["bugs"] if rows["check"] else [], [(key, key) for key in ("id", "match", "title", "why")])


def _method(rows: Rows) -> Iterator[str]:
    yield f"{escaped(rows['files'])}\n\n"
    yield from _table("sources", rows["sources"])


SECTIONS: dict[str, Callable[[Rows], Iterator[str]]] = {
    "happened": _happened,
    "elections": _elections,
    "epochs": lambda rows: _table("epochs", rows["epochs"]),
    "writes": _writes,
    "syncs": lambda rows: _table("syncs", rows["syncs"]),
    "files": _files,
    "clients": lambda rows: _table("clients", rows["verdict"]["clients"]),
    "incidents": _incidents,
    "bugs": _bugs,
    "method": _method,
}
"""Every section but the timeline, which is a picture."""
