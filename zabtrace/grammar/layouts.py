"""The layouts of layouts.lark: how a record's first line splits into stamp, level, thread, logger and message.

The same file holds what other programs wrap around a line (``wrappers``), and lines that belong to no record (``raw``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, cached_property

from zabtrace.grammar import notation
from zabtrace.grammar.notation import Hole, Shape, pattern_of

REST = "message"
FILE = "layouts.lark"
CALLER = ("@", "AT", "] -")
"""What the head of the stock layouts ends with: the caller's source line."""


@dataclass(frozen=True)
class Layout:
    """One layout: its name and the pattern of a record's first line, with a group per field."""

    name: str
    shape: Shape

    @cached_property
    def pattern(self) -> str:
        """Matches a whole first line in both engines; the message is the group ``message``."""
        return rf"\A{self.shape.pattern}{self._tail}\z"

    @property
    def _tail(self) -> str:
        return "" if REST in self.shape.columns else rf"(?: (?P<{REST}>.*))?"

    @cached_property
    def compiled(self) -> re.Pattern[str]:
        """The pattern for Python, to look at single lines."""
        return re.compile(self.pattern.replace(r"\z", r"\Z"))

    @property
    def stamped(self) -> bool:
        """Does a stamp begin its lines?"""
        return "time" in self.shape.columns

    @cached_property
    def rest(self) -> str:
        """Matches what stands behind the stamp (all of the line, where it has none)."""
        return rf"\A{pattern_of(self._behind_stamp)}{self._tail}\z"

    @cached_property
    def head(self) -> str | None:
        """Matches what stands between the stamp and the caller's source line, in layouts that print it last in their head."""
        parts = self._behind_stamp
        names = tuple(part.terminal if isinstance(part, Hole) else part for part in parts[-len(CALLER) :])
        return rf"\A{pattern_of(parts[: -len(CALLER)])}\z" if names == CALLER else None

    @property
    def _behind_stamp(self) -> tuple[str | Hole, ...]:
        parts = self.shape.parts
        at = next((at for at, part in enumerate(parts) if isinstance(part, Hole) and part.column == "time"), -1)
        return parts[at + 1 :]


@dataclass(frozen=True)
class Wrapper:
    """What another program puts in front of a line; its pattern has the groups outer, origin, part and line."""

    name: str
    pattern: str

    @cached_property
    def compiled(self) -> re.Pattern[str]:
        """The pattern for Python."""
        return re.compile(self.pattern.replace(r"\z", r"\Z"))


def _shapes(rule: str) -> tuple[Shape, ...]:
    return notation.read(FILE).rules[rule]


@cache
def layouts() -> dict[str, Layout]:
    """All layouts by name, in the order they are preferred."""
    return {shape.kind: Layout(shape.kind, shape) for shape in _shapes("layout")}


@cache
def caller_end() -> str:
    """Matches the end of a head of the stock layouts: the caller's source line."""
    return f"@(?:{notation.read(FILE).terminals[CALLER[1]]})" + notation.escaped(CALLER[2])


@cache
def wrappers() -> tuple[Wrapper, ...]:
    """All wrappers, in the order they are preferred."""
    empty = ("(?P<line>.+)", "(?P<line>.*)")  # Lark knows no empty terminal, but an empty line may be wrapped
    return tuple(Wrapper(shape.kind, rf"\A{shape.pattern.replace(*empty)}\z") for shape in _shapes("wrapper"))


def raw_kind(line: str) -> str | None:
    """What prints such a line, where it is one that belongs to no record."""
    return next((shape.kind for shape in _shapes("raw") if re.match(rf"(?:{shape.pattern})\Z", line)), None)


@cache
def raw() -> str:
    """Matches lines that belong to no record."""
    return rf"\A(?:{'|'.join(shape.pattern for shape in _shapes('raw'))})\z"
