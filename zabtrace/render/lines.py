"""The answers of ``events``: log lines batch by batch, the messages that no shape matches, and how many lines were understood."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from zabtrace import documents, wording
from zabtrace.documents.window import Window
from zabtrace.evidence.trace import Trace
from zabtrace.render import screens
from zabtrace.render.columns import Rows
from zabtrace.render.fields import as_object, with_fields
from zabtrace.render.screen import Lines, Sentence
from zabtrace.render.views import View

SHOWN = ("server", "time", "level", "logger", "kind", "fields", "message", "source", "line")
UNKNOWN_SHOWN = ("count", "level", "logger", "shape", "source", "line")
EMPTY = "No log line is there to show."
UNDERSTOOD = "Every message was understood."
Narrow = Callable[[Trace], pl.DataFrame]
"""The lines of a part that were asked for."""


@dataclass
class Chosen:
    """The lines that were asked for, part by part, to be gone through once; ``hidden`` counts those that were not, so far."""

    parts: Iterable[Trace]
    narrow: Narrow
    fields: Callable[[list[str]], pl.Expr] | None = None
    """How their fields are written, null where they are not wanted."""
    hidden: int = 0

    def __iter__(self) -> Iterator[pl.DataFrame]:
        for part in self.parts:
            shown = self.narrow(part)
            self.hidden += part.left_out + part.lines.height - shown.height
            if shown.height:
                yield shown if self.fields is None else with_fields(shown, part, self.fields)


@dataclass(frozen=True)
class Parts(Rows):
    """Rows of LINES that come in parts, to be written once."""

    frames: Iterable[pl.DataFrame] = field(default=())

    def ndjson(self) -> Iterator[str]:
        """One JSON object per line, some lines at a time."""
        for frame in self.frames:
            yield from Rows(frame, self.names).ndjson()

    def lines(self, columns: Sequence[str]) -> Iterator[str]:
        """These columns as text; a sentence where there is no row."""
        empty = True
        for frame in self.frames:
            yield from Rows(frame, self.names).lines(columns)
            empty = False
        if empty:
            yield EMPTY + "\n"


def none(head: Trace) -> pl.DataFrame:
    """No lines, with the columns that a listing has."""
    return with_fields(head.lines.clear(), head, as_object)


def part(lines: pl.DataFrame, trace: Trace) -> View:
    """Some lines as a part of a listing."""
    names = wording.Names.of(trace.servers)
    return View({"format": documents.FORMAT, "events": Rows(lines, names)}, "events", [], lines)


def listing(chosen: Chosen, head: Trace) -> View:
    """All lines, written as they come."""
    document: documents.Document = {"format": documents.FORMAT}
    rows = Parts(head.lines.clear(), wording.Names.of(head.servers), _counted(chosen, document))
    document |= {"events": rows, "hidden": 0}
    return View(document, "events", [Lines(rows.lines(SHOWN))])


def _counted(chosen: Chosen, document: dict[str, Any]) -> Iterator[pl.DataFrame]:
    """The parts; behind the last one the document, of which ``hidden`` is written last, has the count."""
    yield from chosen
    document["hidden"] = chosen.hidden


def unknown(chosen: Chosen, head: Trace) -> View:
    """Messages that no shape matches, counted by logger and shape."""
    counted = documents.unknown_shapes(head.lines.clear())
    for frame in chosen:
        counted = documents.united_shapes([counted, documents.unknown_shapes(frame)])
    rows = Rows(counted, wording.Names.of(head.servers))
    blocks = [Lines(rows.lines(UNKNOWN_SHOWN))] if counted.height else [Sentence(UNDERSTOOD)]
    return View({"format": documents.FORMAT, "unknown": rows, "hidden": chosen.hidden}, "unknown", blocks, counted)


def summary(trace: Trace, window: Window) -> View:
    """Lines understood and not, per log."""
    document = documents.events_summary(trace, window)
    logs = trace.sources.filter(pl.col("lines").is_not_null())
    return View(document, "sources", screens.events_summary(document), window.narrow(logs))
