"""Lines of zoo.cfg and of dynamic configurations, parsed by ``grammars/config.lark``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lark import Lark, Token, Tree
    from lark.exceptions import UnexpectedInput


@dataclass(frozen=True)
class Member:
    """``server.<sid>``: the first address of a member; ports are None where not given, role None where not said.

    ``addresses`` are all of them, where there are several; ``client`` is what stands behind the semicolon: address and port for clients.
    """

    sid: int
    host: str
    quorum_port: int | None
    election_port: int | None
    role: str | None
    addresses: tuple[str, ...] = ()
    client: tuple[str | None, int] | None = None


@dataclass(frozen=True)
class Group:
    """``group.<number>``: the members of a group of a hierarchical quorum."""

    number: int
    sids: tuple[int, ...]


@dataclass(frozen=True)
class Weight:
    """``weight.<sid>``."""

    sid: int
    weight: int


@dataclass(frozen=True)
class Setting:
    """Any other key."""

    key: str
    value: str


Line = Member | Group | Weight | Setting


class ConfigLineError(ValueError):
    """A line that ZooKeeper would refuse; says at which column, and what could have stood there."""


@cache
def _parser() -> Lark:
    from lark import Lark

    return Lark(files("zabtrace.grammars").joinpath("config.lark").read_text("utf-8"), start="line", parser="lalr")


def parse_line(text: str) -> Line:
    """One logical line, neither blank nor a comment. Raises ConfigLineError.

    >>> parse_line("server.4=zk4:2888:3888:observer;2181")
    Member(sid=4, host='zk4', quorum_port=2888, election_port=3888, role='observer', addresses=(), client=(None, 2181))
    """
    from lark.exceptions import UnexpectedInput

    try:
        tree = _parser().parse(text.strip(" \t\f\r\n"))
    except UnexpectedInput as error:
        column = error.column if error.column > 0 else len(text) + 1
        raise ConfigLineError(f"column {column}: expected {', '.join(_expected(error))}") from error
    return READERS[str(tree.data)](tree)


def _expected(error: UnexpectedInput) -> list[str]:
    """Names of the terminals that could have stood there; UnexpectedToken and UnexpectedCharacters keep them in different places."""
    names = getattr(error, "accepts", None) or getattr(error, "expected", None) or getattr(error, "allowed", None)
    return sorted(names or ["another character"])


def _tokens(tree: Tree[Token], kind: str) -> list[str]:
    from lark import Token

    return [str(child) for child in tree.children if isinstance(child, Token) and child.type == kind]


def _member(tree: Tree[Token]) -> Member:
    addresses = [_address(child) for child in tree.children if child is not None and not isinstance(child, str)]
    host, quorum_port, election_port = addresses[0]
    roles = [role.lower() for part in tree.iter_subtrees() for role in _tokens(part, "ROLE")]
    named = tuple(":".join(str(part) for part in address if part is not None) for address in addresses) if len(addresses) > 1 else ()
    client = [_client(written) for written in _tokens(tree, "CLIENT")]
    sid = int(_tokens(tree, "SID")[0])
    return Member(sid, host, quorum_port, election_port, roles[-1] if roles else None, named, client[0] if client else None)


def _address(tree: Tree[Token]) -> tuple[str, int | None, int | None]:
    quorum_port, election_port = [*map(int, _tokens(tree, "PORT")), None][:2]
    return _tokens(tree, "HOST")[0].strip("[]"), quorum_port, election_port


def _client(written: str) -> tuple[str | None, int]:
    """``[host:]port``."""
    host, _, port = written.rpartition(":")
    return host.strip("[]") or None, int(port)


def _group(tree: Tree[Token]) -> Group:
    number, *sids = map(int, _tokens(tree, "SID"))
    return Group(number, tuple(sids))


def _weight(tree: Tree[Token]) -> Weight:
    return Weight(int(_tokens(tree, "SID")[0]), int(_tokens(tree, "NUMBER")[0]))


def _setting(tree: Tree[Token]) -> Setting:
    return Setting(_tokens(tree, "KEY")[0], "".join(_tokens(tree, "VALUE")))


READERS: dict[str, Callable[[Tree[Token]], Line]] = {
    "server": _member,
    "group": _group,
    "weight": _weight,
    "setting": _setting,
}
