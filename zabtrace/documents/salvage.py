"""The rows of ``salvage``: data as text where they are text, else in base64; what only text logs tell has bounds, not content."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from zabtrace import wording
from zabtrace.documents import FORMAT, Document
from zabtrace.replay.history import History
from zabtrace.salvage import CLIENT, HANDLERS, NOT_READ, RECORD, Salvage

PLAIN = ("\t", "\n", "\r")


def salvage(history: History, found: Salvage) -> Document:
    """Every write with its content; those known as a range alone stand last."""
    names = wording.Names.of(history.trace.servers)
    rows = [*_writes(found, names), *_ranges(found, names)]
    document: Document = {"format": FORMAT, "compared_with": found.compared_with, "remarks": list(found.remarks)}
    return document | {"writes": rows, "fit": sum(row["fits"] is True for row in rows), "hidden": 0}


def _writes(found: Salvage, names: wording.Names) -> Iterator[Document]:
    data = found.rows.get_column("data").to_list()
    for row, raw in zip(wording.rows(found.rows.drop("data"), names), data, strict=True):
        value, encoding = encoded(raw)
        fits = not row["conflicts"] if row["content"] in (RECORD, CLIENT) and row["op"] in HANDLERS else None
        head = {key: row.pop(key) for key in ("zxid", "index", "fate", "committed", "op", "path")}
        yield {**head, "data": value, "encoding": encoding, **row, "fits": fits}


def encoded(data: bytes | None) -> tuple[str | None, str | None]:
    """Data for JSON and how they are written: ``utf-8`` where they are text without control characters, else ``base64``.

    >>> encoded(b"caf\\xc3\\xa9"), encoded(b"\\x00\\x01"), encoded(b""), encoded(None)
    (('café', 'utf-8'), ('AAE=', 'base64'), ('', 'utf-8'), (None, None))
    """
    if data is None:
        return None, None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return base64.b64encode(data).decode(), "base64"
    if all(character in PLAIN or not wording.CONTROL.match(character) for character in text):
        return text, "utf-8"
    return base64.b64encode(data).decode(), "base64"


def _ranges(found: Salvage, names: wording.Names) -> Iterator[Document]:
    keys = ("fate", "committed", "server", "from", "to", "count", "why")
    for row in wording.rows(found.ranges, names):
        told: dict[str, Any] = {key: row[key] for key in keys}
        yield {"zxid": None, **told, "data": None, "encoding": None, "content": NOT_READ, "conflicts": [], "fits": None}
