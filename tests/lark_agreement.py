"""Holds the columns' reading of text logs against Lark's: every distinct line of the logs that are named.

    python tests/lark_agreement.py sample_logs/*/server-*/zookeeper.log

Lines that differ in decimal digits alone count as one. Prints what disagrees; the exit status is 1 where anything does.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from zabtrace.grammar import notation, reference
from zabtrace.grammar.inheritance import printing
from zabtrace.grammar.kinds import kind_of, kinds_of
from zabtrace.grammar.messages import ANYWHERE, class_of, messages
from zabtrace.grammar.notation import Shape
from zabtrace.logs import LogRead, is_foreign_line, read_log
from zabtrace.logs.layout import find_layout
from zabtrace.source import Source

NAME = "messages.lark"
GRAMMAR = messages().grammar
RULES = sorted(GRAMMAR.rules)
TRACE_HEAD = "trace_head"
OF_TRACES = {kind for shape in GRAMMAR.rules[TRACE_HEAD] for kind in kinds_of(shape.kind)}
"""Kinds that the head of a stack trace tells; that of its message may give way to it."""
HEAD = ("level", "thread", "logger", "message")
PLAIN = {
    "INT": int,
    "HEX": lambda text: (value := int(text.removeprefix("0x"), 16)) - (1 << 64 if value >> 63 else 0),
    "FLAG": lambda text: text == "true",
}
"""The decoders, in plain Python."""


def class_and_level(rule: str) -> tuple[str, str]:
    """The class and the level that a rule is named after."""
    name, _, level = rule.partition("__")
    return name.replace("_", ""), (level or "info").upper()


def rules_of(logger: str, level: str) -> list[str]:
    """The rules for a line of that class and level."""
    own = class_of(logger)
    classes = printing(own)
    return [
        rule
        for rule in RULES
        if class_and_level(rule)[0] in classes and rule.partition("__")[2] in ("", level.lower() if class_and_level(rule)[0] == own else "")
    ]


def readings(rules: list[str], text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """All that Lark reads in a text."""
    for rule in dict.fromkeys(rules):
        for one in reference.derivations(NAME, rule, text):
            yield kind_of(one.kind, dict(one.columns)), dict(one.columns)


def decoded(fields: dict[str, str], shapes: list[Shape]) -> list[dict[str, object]]:
    """The values of text fields under every shape that has these columns."""
    return [
        {name: PLAIN.get(shape.columns[name], str)(text) for name, text in fields.items()}
        for shape in shapes
        if set(shape.columns) == set(fields)
        and all(re.fullmatch(GRAMMAR.terminals[shape.columns[name]], text) for name, text in fields.items())
    ]


def agrees(rules: list[str], text: str, kind: str | None, fields: dict[str, object]) -> bool:
    """Does Lark read it so too, or, where nothing was read, nothing either?"""
    if kind is None:
        return not any(readings(rules, text))
    shapes = [shape for shape in GRAMMAR.shapes if kind in kinds_of(shape.kind)]
    return any(fields in decoded(found, shapes) for what, found in readings(rules, text) if what == kind)


def disagreements(path: Path) -> Iterator[str]:
    """Lines of a log whose head or message Lark reads in another way."""
    log = read_log(Source(path.name, path))
    rows = distinct(log)
    lines = path.read_text("utf-8", "replace").split("\n")
    layout = find_layout(lines)
    for row in rows.iter_rows(named=True):
        line, message = row["line"], row["message"].rstrip(" \t")
        fields = {name: value for name, value in values(log, row["kind"], line).items() if value is not None}
        rules, text = [*rules_of(row["logger"], row["level"]), ANYWHERE], message
        if row["kind"] in OF_TRACES and row["trace"]:  # the reason stands in the trace alone: Lark reads that too
            rules, text = [TRACE_HEAD], row["trace"].rstrip(" \t")
        if message and not agrees(rules, text, row["kind"], fields):
            yield f"{path}:{line}: {row['kind']} {fields}: {message}"
        if layout is not None and not head_agrees(layout.name, lines[line - 1].rstrip("\r"), row):
            yield f"{path}:{line}: {layout.name} {[row[name] for name in HEAD]}: {lines[line - 1]}"


def distinct(log: LogRead) -> pl.DataFrame:
    """One record of those that differ in digits alone, other programs' left out."""
    shape = pl.concat_str(pl.col(*HEAD).fill_null(""), separator="\x1f").str.replace_all("[0-9]", "0")
    return log.lines.filter(~is_foreign_line() & pl.col("message").is_not_null()).unique(shape, keep="first", maintain_order=True)


def values(log: LogRead, kind: str | None, line: int) -> dict[str, Any]:
    """The fields of a line, those of its stack trace left out."""
    if kind is None or kind not in log.fields:
        return {}
    rows = log.fields[kind].filter(pl.col("line") == line).drop("line").rows(named=True)
    return rows[0] if rows else {}


def head_agrees(layout: str, line: str, row: dict[str, Any]) -> bool:
    """Is one of the ways in which Lark cuts the line's head into fields the way that was taken?"""
    wanted = {name: row[name] for name in HEAD if row[name] is not None}
    shape = next(shape for shape in notation.read("layouts.lark").rules["layout"] if shape.kind == layout)
    if "message" not in shape.columns:  # it is what stands behind
        message = wanted.pop("message")
        line = line[: len(line) - len(message)].rstrip(" ") if message else line.rstrip(" ")
    for found in reference.derivations("layouts.lark", "layout", line):
        read = dict(found.columns)
        if found.kind == layout and {**read, "logger": read["logger"].rpartition(".")[2]}.items() >= wanted.items():
            return True
    return False


if __name__ == "__main__":
    found = [text for path in sys.argv[1:] for text in disagreements(Path(path))]
    sys.stdout.write("".join(f"{text}\n" for text in found) + f"{len(found)} lines are read in another way by Lark\n")
    sys.exit(bool(found))
