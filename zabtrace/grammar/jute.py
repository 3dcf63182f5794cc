"""Jute's record notation (``grammars/jute.lark``): the shapes of ZooKeeper's binary records.

Strategy: a record is a tuple of fields; a type is the name of a primitive, a ``Vector``, or another ``Record``. References to
other records are resolved while reading, so that a record must stand below those it uses, as in ZooKeeper's own file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, TypeAlias

from zabtrace.errors import ZabtraceError

if TYPE_CHECKING:
    from lark import Lark

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
    modules: Any = _parser().parse(text)
    for module in modules.children:
        for block in module.children[1:]:
            name, *fields = block.children
            known[str(name)] = Record(str(name), tuple(_field(field, known) for field in fields))
    return known


@cache
def records() -> Mapping[str, Record]:
    """ZooKeeper's records: ``grammars/records.jute``."""
    return parse(notation("records.jute"))


def notation(name: str) -> str:
    """The text of a file in ``grammars``."""
    return (files("zabtrace.grammars") / name).read_text(encoding="utf-8")


@cache
def _parser() -> Lark:
    from lark import Lark

    return Lark(notation("jute.lark"), parser="lalr", maybe_placeholders=False)


def _field(tree: Any, known: Mapping[str, Record]) -> Field:
    kind, name = tree.children
    return Field(str(name), _type(kind, known))


def _type(written: Any, known: Mapping[str, Record]) -> Type:
    """A token, or the tree of a vector."""
    if not isinstance(written, str):
        return Vector(_type(written.children[0], known))
    return str(written) if written in PRIMITIVES else _above(written, known, getattr(written, "line", 0))


def _above(written: str, known: Mapping[str, Record], line: int) -> Record:
    """The record of that name, with or without its module."""
    name = written.rpartition(".")[2]
    if name not in known:
        raise NotationError(f"Line {line}: no record {name!r} stands above. Known: {', '.join(known)}.")
    return known[name]
