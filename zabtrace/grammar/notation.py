"""Reads the notation of layouts.lark and messages.lark: flat Lark rules, a sample line (``//>``) above every alternative, and above
that the releases that print it (``//@``).

Strategy: the files are real Lark grammars, but of a shape so plain that a line scanner reads a thousand alternatives in
milliseconds, where Lark's own loader takes seconds. ``reference`` loads the same text into Lark; the tests compare both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files

from zabtrace.errors import ZabtraceError

_TOKEN = re.compile(r'\s*(?:(?P<literal>"(?:\\.|[^"\\])*")|->\s*(?P<alias>[a-z_0-9]+)|(?P<name>[A-Za-z_0-9]+))')
_TERMINAL = re.compile(r"([A-Z_0-9]+):\s*/(.*)/$")
_FIELD = re.compile(r"([a-z_0-9]+):\s*([A-Z_0-9]+)$")
_ALTERNATIVE = re.compile(r"(?:([a-z_0-9]+):|\|)(.*)$")
FREE = "TEXT"
"""The terminal that takes the rest of a message, whatever it is."""
_GROUP = re.compile(r"(\\.|\[(?:\\.|[^\]\\])*\])|\((?!\?)")
"""A group of a terminal; an escaped character or a class is the first group of this pattern."""
_META = re.compile(r"([\\.+*?()|\[\]{}^$])")


class GrammarError(ZabtraceError):
    """A grammar file does not follow the notation; names file, line and what was expected."""


@dataclass(frozen=True)
class Hole:
    """A terminal inside an alternative; ``column`` is null where no field rule names it."""

    terminal: str
    pattern: str
    column: str | None = None


@dataclass(frozen=True)
class Shape:
    """One alternative: its rule, its alias, literals and holes in order, and the sample lines above it."""

    rule: str
    kind: str
    parts: tuple[str | Hole, ...]
    samples: tuple[str, ...]
    line: int
    versions: str | None = None
    """The releases that print it in these words, where the grammar says so (``//@``)."""

    @cached_property
    def prefix(self) -> str:
        """The literal it begins with, up to the first hole."""
        return self.parts[0] if self.parts and isinstance(self.parts[0], str) else ""

    @cached_property
    def literal(self) -> str | None:
        """The whole text, where it has no hole."""
        return "".join(map(str, self.parts)) if all(isinstance(part, str) for part in self.parts) else None

    @cached_property
    def fixed(self) -> int:
        """Characters of fixed text."""
        return sum(len(part) for part in self.parts if isinstance(part, str))

    @cached_property
    def rank(self) -> tuple[int, bool, int]:
        """Shapes of lower rank are tried first: more fixed text, then no free text, then more columns."""
        free = any(isinstance(part, Hole) and part.terminal == FREE for part in self.parts)
        return -self.fixed, free, -len(self.columns)

    @cached_property
    def columns(self) -> dict[str, str]:
        """Column names with the terminal that decodes them."""
        return {part.column: part.terminal for part in self.parts if isinstance(part, Hole) and part.column}

    @cached_property
    def pattern(self) -> str:
        """A regular expression for Python's and Rust's engines alike, not anchored; a group per column."""
        return pattern_of(self.parts)


@dataclass(frozen=True)
class Grammar:
    """All shapes of a grammar file in file order."""

    name: str
    shapes: tuple[Shape, ...]
    terminals: dict[str, str]

    @cached_property
    def rules(self) -> dict[str, tuple[Shape, ...]]:
        """Shapes by rule name."""
        names = dict.fromkeys(shape.rule for shape in self.shapes)
        return {name: tuple(shape for shape in self.shapes if shape.rule == name) for name in names}


def pattern_of(parts: tuple[str | Hole, ...]) -> str:
    """These parts of an alternative as a pattern."""
    return "".join(escaped(part) if isinstance(part, str) else _group(part) for part in parts)


def escaped(text: str) -> str:
    """``text`` as a pattern that matches it alone, in both engines."""
    return _META.sub(r"\\\1", text).replace("\t", r"\t")


def _group(hole: Hole) -> str:
    pattern = _uncaptured(hole.pattern)
    return f"(?P<{hole.column}>{pattern})" if hole.column else f"(?:{pattern})"


@cache
def _uncaptured(pattern: str) -> str:
    """``pattern`` with groups that keep nothing: what is kept costs as much as all the rest.

    >>> _uncaptured("(a|b)?[(]")
    '(?:a|b)?[(]'
    """
    return _GROUP.sub(lambda found: found[1] or "(?:", pattern)


def source(name: str) -> str:
    """The text of a grammar file that travels with the package."""
    return files("zabtrace.grammars").joinpath(name).read_text(encoding="utf-8")


def read(name: str) -> Grammar:
    """The grammar ``name``. Raises GrammarError with file and line."""
    return parse(source(name), name)


def parse(text: str, name: str = "grammar") -> Grammar:
    """The grammar of ``text``. Raises GrammarError with file and line.

    >>> parse('INT: /[0-9]+/\\nms: INT\\n//> out: 4\\nleader: "out: " ms -> timeout').shapes[0].pattern
    'out: (?P<ms>[0-9]+)'
    """
    terminals: dict[str, str] = {}
    columns: dict[str, Hole] = {}
    shapes: list[Shape] = []
    samples: list[str] = []
    versions: str | None = None
    for number, line in _lines(text):
        if line.startswith("//>"):
            samples.append(line[3:].removeprefix(" ").replace("\\t", "\t"))
        elif line.startswith("//@ "):
            versions = line[4:]
        elif found := _TERMINAL.match(line):
            terminals[found[1]] = found[2].replace("\\/", "/")
        elif (found := _FIELD.match(line)) and found[2] in terminals:
            columns[found[1]] = Hole(found[2], terminals[found[2]], found[1].partition("__")[0])
        elif found := _ALTERNATIVE.match(line):
            rule = found[1] or (shapes[-1].rule if shapes else "")
            kind, parts = _alternative(found[2], terminals, columns, f"{name}, line {number}")
            shapes.append(Shape(rule, kind, parts, tuple(samples), number, versions))
            samples, versions = [], None
        elif not line.startswith("//"):
            raise GrammarError(f"{name}, line {number}: {line!r} is no terminal, field rule or alternative.")
    return Grammar(name, tuple(shapes), terminals)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, line.strip()


def _alternative(text: str, terminals: dict[str, str], columns: dict[str, Hole], where: str) -> tuple[str, tuple[str | Hole, ...]]:
    kind, parts, at = "", [], 0
    while at < len(text) and (found := _TOKEN.match(text, at)):
        at = found.end()
        name = found["name"]
        if found["literal"]:
            parts.append(json.loads(found["literal"]))
        elif found["alias"]:
            kind = found["alias"]
        elif name in terminals:
            parts.append(Hole(name, terminals[name]))
        elif name in columns:
            parts.append(columns[name])
        else:
            raise GrammarError(f"{where}: {name} is neither a terminal nor a field rule above this line.")
    if at < len(text.rstrip()) or not kind:
        raise GrammarError(f"{where}: expected literals, fields and an alias (-> kind), found {text[at:]!r}.")
    return kind, tuple(parts)
