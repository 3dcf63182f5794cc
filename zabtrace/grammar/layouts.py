"""The layouts of layouts.lark: how a record's first line splits into stamp, level, thread, logger and message."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, cached_property

from zabtrace.grammar import notation
from zabtrace.grammar.notation import Shape

REST = "message"


@dataclass(frozen=True)
class Layout:
    """One layout: its name and the pattern of a record's first line, with a group per field."""

    name: str
    shape: Shape

    @cached_property
    def pattern(self) -> str:
        """Matches a whole first line in both engines; the message is the group ``message``."""
        tail = "" if REST in self.shape.columns else rf"(?: (?P<{REST}>.*))?"
        return rf"\A{self.shape.pattern}{tail}\z"

    @cached_property
    def compiled(self) -> re.Pattern[str]:
        """The pattern for Python, to look at single lines."""
        return re.compile(self.pattern.replace(r"\z", r"\Z"))


@cache
def layouts() -> dict[str, Layout]:
    """All layouts by name, in the order they are preferred."""
    return {shape.kind: Layout(shape.kind, shape) for shape in notation.read("layouts.lark").shapes}
