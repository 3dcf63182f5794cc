"""Jute's record notation, read by Lark from ``grammars/jute.lark``: the shapes of ZooKeeper's binary records.

Strategy: a record is a tuple of fields; a type is the name of a primitive, a ``Vector``, or another ``Record``. References to
other records are resolved while reading, so that a record must stand below those it uses, as in ZooKeeper's own file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, TypeAlias

from lark import Lark, Token, Tree

from zabtrace.errors import ZabtraceError

PRIMITIVES = ("boolean", "byte", "int", "long", "float", "double", "ustring", "buffer")


class NotationError(ZabtraceError):
    """The jute text names a type that stands nowhere above."""


@dataclass(frozen=True)
class Vector:
    """``vector<item>``."""

    item: Type


@dataclass(frozen=True)
class Field:
    """One field of a record."""

    name: str
    type: Type


@dataclass(frozen=True)
class Record:
    """A jute class: its name without the module, and its fields in order."""

    name: str
    fields: tuple[Field, ...]


Type: TypeAlias = str | Vector | Record


def parse(text: str) -> dict[str, Record]:
    """The records of a jute text by class name. Raises NotationError for unknown types, lark's errors for broken notation.

    >>> parse("module m { class Id { ustring scheme; } }")["Id"].fields
    (Field(name='scheme', type='ustring'),)
    """
    known: dict[str, Record] = {}
    for module in _parser().parse(text).children:
        for block in _trees(module):
            name, *fields = block.children
            known[str(name)] = Record(str(name), tuple(_field(field, known) for field in fields))
    return known


@cache
def records() -> Mapping[str, Record]:
    """ZooKeeper's records: ``grammars/records.jute``."""
    return parse((files("zabtrace.grammars") / "records.jute").read_text(encoding="utf-8"))


@cache
def _parser() -> Lark:
    grammar = (files("zabtrace.grammars") / "jute.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", maybe_placeholders=False)


def _trees(tree: Any) -> list[Tree[Token]]:
    return [child for child in tree.children if isinstance(child, Tree)]


def _field(tree: Any, known: Mapping[str, Record]) -> Field:
    kind, name = tree.children
    return Field(str(name), _type(kind, known))


def _type(written: Any, known: Mapping[str, Record]) -> Type:
    if isinstance(written, Tree):
        return Vector(_type(written.children[0], known))
    if written.type == "PRIMITIVE":
        return str(written)
    name = str(written).rpartition(".")[2]
    if name not in known:
        raise NotationError(f"Line {written.line}: no record {name!r} stands above. Known: {', '.join(known)}.")
    return known[name]
