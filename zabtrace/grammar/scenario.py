"""Scenarios of ``simulate``, parsed by ``grammars/scenario.lark`` one line at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedInput

from zabtrace.errors import UsageError


@dataclass(frozen=True)
class Statement:
    """One statement: its verb (the alternative's alias), its words by terminal, and the groups of servers that it names."""

    line: int
    text: str
    verb: str
    words: dict[str, list[str]] = field(default_factory=dict)
    who: tuple[tuple[str, ...], ...] = ()
    ms: int = 0

    def numbers(self, terminal: str) -> list[int]:
        """The words of a terminal as numbers."""
        return [int(word) for word in self.words.get(terminal, [])]

    def word(self, terminal: str) -> str | None:
        """The word of a terminal, None where it was left out."""
        return next(iter(self.words.get(terminal, [])), None)


@cache
def _parser() -> Lark:
    return Lark(files("zabtrace.grammars").joinpath("scenario.lark").read_text("utf-8"), start="line", parser="earley")


def parse(text: str) -> list[Statement]:
    """The statements of a scenario. Raises UsageError with line, column and what could have stood there.

    >>> [(s.verb, s.who, s.ms) for s in parse("crash leader  # now\\n\\nwait 2 s")]
    [('crash', (('leader',),), 0), ('wait', (), 2000)]
    """
    lines = ((number, line.partition("#")[0].strip()) for number, line in enumerate(text.split("\n"), 1))
    return [_statement(number, line) for number, line in lines if line]


def _statement(number: int, line: str) -> Statement:
    try:
        tree = _parser().parse(line)
    except UnexpectedInput as error:
        column = error.column if error.column > 0 else len(line) + 1
        names = getattr(error, "allowed", None) or getattr(error, "expected", None) or ()
        wanted = f"expected {', '.join(sorted(names))}" if names else "it ends too early"
        raise UsageError(f"line {number} of the scenario, column {column}: {wanted}, in {line!r}.") from error
    words: dict[str, list[str]] = {}
    for child in tree.children:
        if isinstance(child, Token):
            words.setdefault(child.type, []).append(str(child))
    who = tuple(tuple(map(str, child.children)) for child in tree.children if isinstance(child, Tree) and child.data == "who")
    return Statement(number, line, str(tree.data), words, who, sum(_ms(child) for child in tree.find_data("duration")))


def _ms(duration: Tree[Token]) -> int:
    number, unit = map(str, duration.children)
    return int(number) * (1000 if unit == "s" else 1)
