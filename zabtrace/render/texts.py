"""The answers of ``explain`` and ``grammar``."""

from __future__ import annotations

import polars as pl

from zabtrace import wording
from zabtrace.documents import Document
from zabtrace.documents import texts as documents
from zabtrace.fates.judgement import Judgement
from zabtrace.logs.explaining import Explained
from zabtrace.render.screen import Lines, Sentence
from zabtrace.render.views import View
from zabtrace.replay.history import History


def grammar(words: tuple[str, ...]) -> View:
    """The shapes of messages."""
    document = documents.grammar(words)
    frame = pl.DataFrame(document["shapes"], infer_schema_length=None)
    blocks: list[Lines | Sentence] = [Lines(_grammar_lines(document))] if document["shapes"] else [Sentence("No shape holds these words.")]
    return View(document, "shapes", blocks, frame)


def _grammar_lines(document: Document) -> list[str]:
    return [_shape(row) for row in document["shapes"]]


def _shape(row: Document) -> str:
    where = ", ".join(filter(None, (row["class"], row["level"])))
    fields = f"; fields: {', '.join(row['fields'])}" if row["fields"] else ""
    head = f"{row['kind']}  ({where}; {row['versions'] or 'any release'})"
    return f"{head}\n    {wording.plain(row['sample'] or '')}\n    {row['meaning'] or ''}{fields}\n"


def explain(told: Explained, found: tuple[History, Judgement] | None) -> View:
    """What a line is taken for."""
    document = documents.explain(told, found)
    return View(document, "fields", [Lines(line + "\n" for line in _explained(document))])


def _explained(document: Document) -> list[str]:
    wrapped = [*document["wrappers"], document["layout"] or "no layout" + ("" if document["note"] else ": taken for a message")]
    told = [f"Layout: {' > '.join(wrapped)}", *(f"  {name}: {wording.plain(text)}" for name, text in document["head"].items())]
    if document["kind"]:
        told += [f"Event: {document['kind']} ({document['versions'] or 'any release'})", f"  shape: {wording.plain(document['shape'])}"]
        told += [f"  {row['name']}: {wording.plain(str(row['value']))}  ({row['meaning']})" for row in document["fields"]]
        told += [f"Meaning: {document['meaning']}"] if document["meaning"] else []
        told += [f"Sign of loss: {document['sign_of_loss']}", f"Look next: {document['next_step']}"]
    elif document["note"]:
        told.append(f"No message of ZooKeeper's: {wording.plain(document['note'])}")
    elif near := document["nearest"]:
        told += ["Event: unknown", f"  nearest: {near['kind']}, {wording.plain(near['shape'])}"]
        told += [
            f"  stops matching at column {near['column']}: expected {wording.plain(near['expected'])}",
            f"  sample: {wording.plain(near['sample'] or '')}",
        ]
    else:
        told.append("Event: unknown, and no shape begins like it")
    return told + (_here(document["here"]) if "here" in document else [])


def _here(here: Document) -> list[str]:
    places = [f"  server {row['server']}, {wording.plain(row['source'])}:{row['line']}" for row in here["places"]]
    told = [f"Here: {here['times']} records say exactly this (verdict: {here['verdict'].replace('_', ' ')})", *places]
    told += [f"  write {row['zxid']}: {row['fate']}" for row in here["writes"]]
    told += [f"  behind it in its epoch: {count} writes {fate}" for fate, count in here["beyond_in_its_epoch"].items()]
    return told
