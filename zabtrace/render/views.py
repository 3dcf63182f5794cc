"""The answer of each command, ready for every format: its document, the rows in it, its frame, and its screen."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from zabtrace.documents import Document
from zabtrace.documents.listing import Listing
from zabtrace.render import screen
from zabtrace.render.columns import Rows


@dataclass(frozen=True)
class View:
    """``document`` holds rows under ``key``; ``frame`` the same rows as numbers and times, ``blocks`` the screen, or what makes it."""

    document: Document
    key: str
    blocks: Sequence[screen.Block] | Callable[[], Sequence[screen.Block]]
    frame: pl.DataFrame = field(default_factory=pl.DataFrame)


def text(view: View, width: int | None) -> Iterator[str]:
    """The screen, coloured for a terminal of ``width`` columns, plain where there is none."""
    blocks = view.blocks() if callable(view.blocks) else view.blocks
    return screen.plain(blocks) if width is None else screen.coloured(blocks, width)


def as_json(view: View) -> Iterator[str]:
    """The document, one row of a list per line."""
    yield "{"
    for number, (key, value) in enumerate(view.document.items()):
        yield f"{',' if number else ''}\n {json.dumps(key)}: "
        yield from _value(value)
    yield "\n}\n"


def _value(value: Any) -> Iterator[str]:
    if isinstance(value, Rows):
        lines: Iterable[str] = (text.rstrip("\n").replace("\n", ",\n  ") for text in value.ndjson())
    elif isinstance(value, Listing) or (isinstance(value, list) and any(isinstance(row, dict) for row in value)):
        lines = (json.dumps(row) for row in value)
    else:
        yield json.dumps(value)
        return
    yield "["
    for number, line in enumerate(lines):
        yield f"{',' if number else ''}\n  {line}"
    yield "\n ]"


def as_ndjson(view: View) -> Iterator[str]:
    """One row per line, as the document has them."""
    if isinstance(rows := view.document[view.key], Rows):
        yield from rows.ndjson()
        return
    for row in rows:
        yield json.dumps(row) + "\n"


def as_csv(view: View) -> Iterator[str]:
    """Rows with a heading, as the document has them; lists and members as JSON."""
    if isinstance(rows := view.document[view.key], Rows):
        yield from rows.csv()
        return
    line = io.StringIO()
    writer = csv.writer(line)
    heading: list[str] | None = None
    for row in rows:
        if heading is None:
            writer.writerow(heading := list(row))
        writer.writerow(json.dumps(row.get(key)) if isinstance(row.get(key), (list, dict)) else row.get(key) for key in heading)
        yield line.getvalue()
        line.seek(line.truncate(0))
    if heading is None:
        yield ",".join(view.frame.columns) + "\r\n"


def as_parquet(view: View) -> Iterator[bytes]:
    """The frame as a Parquet file: numbers and times as in ``schema``, not as text."""
    file = io.BytesIO()
    view.frame.write_parquet(file)
    yield file.getvalue()


FORMATS: dict[str, Callable[[View], Iterator[str] | Iterator[bytes]]] = {
    "json": as_json,
    "ndjson": as_ndjson,
    "csv": as_csv,
    "parquet": as_parquet,
}
