"""Jute's record notation (``grammars/jute.lark``): the shapes of ZooKeeper's binary records.

Strategy: a record is a tuple of fields; a type is the name of a primitive, a ``Vector``, or another ``Record``. References to
other records are resolved while reading, so that a record must stand below those it uses, as in ZooKeeper's own file. What Lark
says of our own file is kept between runs (``kept``): nearly every command needs it, and Lark takes longer than a small log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, TypeAlias

from zabtrace.errors import ZabtraceError
from zabtrace.grammar.kept import kept

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
    return _records(_classes(text))


@cache
def records() -> Mapping[str, Record]:
    """ZooKeeper's records: ``grammars/records.jute``."""
    text = notation("records.jute")
    return _records(kept("records", f"{notation('jute.lark')}{text}", lambda: _classes(text)))


def notation(name: str) -> str:
    """The text of a file in ``grammars``."""
    return (files("zabtrace.grammars") / name).read_text(encoding="utf-8")


# ---------------------------------------------------------------- text to lists
@cache
def _parser() -> Lark:
    from lark import Lark

    return Lark(notation("jute.lark"), parser="lalr", maybe_placeholders=False)


def _classes(text: str) -> list[Any]:
    """The classes as JSON has them: name, and of each field its type (in a list: a vector of it), name and line."""
    modules: Any = _parser().parse(text)
    blocks = [block.children for module in modules.children for block in module.children[1:]]
    return [[str(name), [_listed(*field.children) for field in fields]] for name, *fields in blocks]


def _listed(kind: Any, name: Any) -> list[Any]:
    return [_written(kind), str(name), name.line]


def _written(kind: Any) -> Any:
    """A token, or the tree of a vector."""
    return str(kind) if isinstance(kind, str) else [_written(kind.children[0])]


# ---------------------------------------------------------------- lists to records
def _records(classes: list[Any]) -> dict[str, Record]:
    known: dict[str, Record] = {}
    for name, fields in classes:
        known[name] = Record(name, tuple(Field(called, _type(kind, known, line)) for kind, called, line in fields))
    return known


def _type(written: Any, known: Mapping[str, Record], line: int) -> Type:
    if isinstance(written, list):
        return Vector(_type(written[0], known, line))
    return str(written) if written in PRIMITIVES else _above(written, known, line)


def _above(written: str, known: Mapping[str, Record], line: int) -> Record:
    """The record of that name, with or without its module."""
    name = written.rpartition(".")[2]
    if name not in known:
        raise NotationError(f"Line {line}: no record {name!r} stands above. Known: {', '.join(known)}.")
    return known[name]
