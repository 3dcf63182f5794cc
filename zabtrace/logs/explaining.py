"""One line taken apart: what is wrapped around it, its layout, its shape and fields, or where the nearest shape stops matching."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from zabtrace.grammar.kinds import kind_of
from zabtrace.grammar.layouts import Layout, raw_kind
from zabtrace.grammar.meanings import trace_meaning
from zabtrace.grammar.messages import Messages, class_of, messages
from zabtrace.grammar.notation import Hole, Shape, pattern_of
from zabtrace.logs.layout import find_layout
from zabtrace.logs.loggers import is_foreign
from zabtrace.logs.rests import CANONICAL, CANONICAL_NAME
from zabtrace.logs.wrappers import Peeler, find_wrappers

HEAD = ("time", "level", "thread", "logger", "myid")
FRAME = re.compile(r"\s+(at [A-Za-z_$][^(]*\(|\.\.\. [0-9]+ (more|common frames))")
THROWN = re.compile(r"(Caused by: |\s*Suppressed: )?([a-z0-9_]+\.)+[A-Z][A-Za-z0-9_$]*(Exception|Error)(:|\Z)")
CUT = re.compile(r"@[0-9]+\](?:\[[^\]]*\])? - ")
TELLING = 5
"""So many characters alike at least make a shape near."""
PRINTERS = {
    "slf4j": "SLF4J before logging starts", "log4j": "log4j before logging starts", "zkserver": "zkServer.sh", "purged_file": "PurgeTask",
    "jvm": "the JVM", "bitnami_script": "the image's shell scripts", "killed": "the shell: the process was killed (by the kernel?)",
}  # fmt: skip


@dataclass(frozen=True)
class Near:
    """The shape that matches most of a message: how many of its characters, and what the shape expects behind them."""

    shape: Shape
    column: int
    expected: str


@dataclass(frozen=True)
class Explained:
    """What a line is taken for."""

    wrappers: tuple[str, ...]
    layout: str | None
    head: dict[str, str]
    message: str
    offset: int
    """Where in the line the message begins."""
    shape: Shape | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    near: Near | None = None
    note: str | None = None
    """What else it is, where it is no message of ZooKeeper's: whose line, or which part of a record."""

    @property
    def kind(self) -> str | None:
        """The kind of the event, or None where no shape fits."""
        return kind_of(self.shape.kind, self.fields) if self.shape is not None else None


def explain(line: str, pattern: str | None = None) -> Explained:
    """Take a line apart; a line without a layout is taken for a message. Raises UsageError for a wrong pattern."""
    peeler = Peeler(find_wrappers([line], pattern))
    bare = next(iter(peeler.bare([line])), "")
    layout = find_layout([bare])
    head, message = _parts(bare, layout)
    names = tuple(step.name for step in peeler.steps)
    offset = max(line.rfind(message), 0) if message else len(line)
    found_layout = layout.name if layout else CANONICAL_NAME if CANONICAL in bare else None
    if "logger" in head and is_foreign(head["logger"]):
        whose = f"a record of another program in the same JVM: its logger is {head['logger']}"
        return Explained(names, found_layout, head, message, offset, note=whose)
    table = messages()
    text = message.rstrip(" \t")
    for shape in _shapes(table, head):
        if found := re.match(rf"(?:{shape.pattern})\Z", text) if shape.literal is None else (shape.literal.rstrip() == text or None):
            fields = found.groupdict() if isinstance(found, re.Match) else {}
            return Explained(names, found_layout, head, message, offset, shape, _decoded(shape, fields))
    note = _note(message) if not head else None
    near = _nearest(_shapes(table, head), text) if note is None else None
    return Explained(names, found_layout, head, message, offset, near=near, note=note)


def _parts(bare: str, layout: Layout | None) -> tuple[dict[str, str], str]:
    if CANONICAL in bare:
        parts = bare.split(CANONICAL, 5)
        return {name: part for name, part in zip(HEAD, parts, strict=False) if part}, parts[-1]
    found = layout.compiled.match(bare) if layout is not None else None
    if found is None:
        return {}, bare
    groups = {name: text for name, text in found.groupdict().items() if text is not None}
    return {name: groups[name] for name in HEAD if name in groups}, groups.get("message", "")


def _shapes(table: Messages, head: dict[str, str]) -> list[Shape]:
    """The shapes a line of that class may have; without a class all of them."""
    if "logger" in head and class_of(head["logger"]) and table.knows(head["logger"]):
        return table.shapes_for(head["logger"], head.get("level"))
    return sorted((shape for shape in table.grammar.shapes if shape.fixed), key=lambda shape: shape.rank)


def _note(message: str) -> str | None:
    """What a line without a head is that is no message: a part of a record, or a line of no record."""
    if CUT.search(message):
        return "the end of a record whose beginning is gone: it was cut off, or written over"
    if FRAME.match(message):
        return "a line of a stack trace: it belongs to the record above it"
    if (printer := raw_kind(message)) is not None:
        return f"a line that belongs to no record, printed by {PRINTERS.get(printer, printer)}"
    if THROWN.match(message):
        meaning = trace_meaning(message)
        return f"the head of a stack trace{': ' + meaning if meaning else ''}; it belongs to the record above it"
    return None


def _decoded(shape: Shape, texts: dict[str, str]) -> dict[str, Any]:
    """The values of the fields, as the tables hold them."""
    from zabtrace.grammar.decode import decoded

    if not texts:
        return {}
    frame = pl.DataFrame({name: [text] for name, text in texts.items()}, schema=dict.fromkeys(texts, pl.String))
    return frame.select(decoded(name, shape.columns[name]) for name in texts).row(0, named=True)


def _nearest(shapes: list[Shape], text: str) -> Near | None:
    best: Near | None = None
    for shape in shapes:
        reached, expected = _reached(shape, text)
        if reached >= TELLING and (best is None or reached > best.column):
            best = Near(shape, reached, expected)
    return best


def _reached(shape: Shape, text: str) -> tuple[int, str]:
    """How many characters of ``text`` the shape matches, and what it expects there. Free text alone matches nothing."""
    reached, expected = 0, ""
    for size, part in enumerate(shape.parts, 1):
        found = re.match(pattern_of(shape.parts[:size]), text)
        if found is None:
            same = 0
            if isinstance(part, str):
                same = next(
                    (at for at, (a, b) in enumerate(zip(part, text[reached:], strict=False)) if a != b), min(len(part), len(text) - reached)
                )
                return reached + same, repr(part[same:])
            return reached, _hole(part)
        if isinstance(part, Hole) and size == 1:
            return 0, ""
        reached, expected = found.end(), "the end of the message"
    return reached, expected


def _hole(part: Hole) -> str:
    return f"{part.column or part.terminal} ({part.terminal})"
