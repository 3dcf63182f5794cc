"""Lark itself on the same grammars: slow, exact, and the judge of the patterns that run over columns; it serves ``explain`` too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedInput

from zabtrace.grammar import notation


@dataclass(frozen=True)
class Derivation:
    """One way to read a line: its kind, and the text of each column."""

    kind: str
    columns: tuple[tuple[str, str], ...]


@cache
def grammar(name: str) -> Lark:
    """The grammar file in Lark, every rule of messages a start; all ways to cut a line into terminals are tried."""
    rules = list(notation.read(name).rules)
    return Lark(notation.source(name), start=rules, parser="earley", lexer="dynamic_complete", ambiguity="explicit")


def derivations(name: str, rule: str, text: str) -> list[Derivation]:
    """All ways to read ``text`` as ``rule`` of grammar ``name``; none where it does not match, several where shapes overlap."""
    try:
        tree = grammar(name).parse(text, start=rule)
    except UnexpectedInput:
        return []
    return list(dict.fromkeys(_derivation(one) for one in _unambiguous(tree)))


def _unambiguous(tree: Tree[Token]) -> Iterator[Tree[Token]]:
    if tree.data == "_ambig":
        for child in tree.children:
            if isinstance(child, Tree):
                yield from _unambiguous(child)
    else:
        yield tree


def _derivation(tree: Tree[Token]) -> Derivation:
    fields = [child for child in tree.children if isinstance(child, Tree)]
    return Derivation(str(tree.data), tuple((str(child.data).partition("__")[0], str(child.children[0])) for child in fields))
