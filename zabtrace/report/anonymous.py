"""The same findings without names: znode paths, data, addresses, hosts and files under substitutes; zxids, times and sids as they are.

Strategy: what may stay is listed, everything else goes. Columns and keys in PATHS hold paths: each part gets its substitute, whatever
it says. All other text keeps the words that zabtrace and ZooKeeper themselves say (string literals of the grammar and of our own
modules), numbers and times; paths, addresses and every other word in it get theirs. The same word always gets the same substitute.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

import polars as pl

PATHS = frozenset({"path", "paths", "source", "end_source", "base_source", "snapshot", "place", "places"})
"""Columns and keys whose text is a path or the name of a file."""
WORDS = frozenset({"host", "data", "client", "acl", "address", "label", "value"})
"""Columns and keys whose text is nobody's but the owner's: every word in it goes."""
KEPT = frozenset(
    {
        "verdict",
        "kind",
        "op",
        "fate",
        "rule",
        "role",
        "state",
        "mode",
        "harm",
        "outcome",
        "match",
        "id",
        "timezone",
        "layout",
        "compression",
    }
)
SKIPPED = frozenset({"files", "terms", "configs", "fields"})
"""Members of the findings that no face of the report shows."""
OWN_FILES = re.compile(
    r"(?:log|snapshot)\.[0-9a-f]+(?:\.(?:gz|snappy))?|version-2|currentEpoch|acceptedEpoch|updatingEpoch|myid|zoo\.cfg(?:\.dynamic\S*)?|zookeeper"
    r"|(?:before:)?(?:server|zookeeper)-?\d*(?:\.(?:log|out))?(?:\.\d+)?"
)
ADDRESS = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]*\d\.\d)|(?<![\w:])(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{1,4}(?![\w:])")
TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?Z?|(?<![\w:])\d\d:\d\d:\d\d(?![\w:])")
PATH = re.compile(r"(?<![\w/])(?:/[^\s/,;:'\"()\[\]{}]+)+|[^\s,;:'\"()\[\]{}/]+(?:/[^\s/,;:'\"()\[\]{}]+)+")
WORD = re.compile(r"[^\W\d_](?:[\w$]*)|\d+[^\W\d_]\w*|[^\x00-\x7f]+")
NUMBER = re.compile(r"0x[0-9a-fA-F]+|\d+(?:ms|s)|\d+[a-f][0-9a-f]*|e\d+")
"""What stays though no word: zxids, sessions, durations, epochs."""
FRACTION = re.compile(r"\d+/(?:0x[0-9a-fA-F]+|\d+)")


@cache
def vocabulary() -> frozenset[str]:
    """Every word that the grammar of messages and our own sentences have, in lower case."""
    grammar = resources.files("zabtrace.grammars").joinpath("messages.lark").read_text("utf-8")
    literals = [part for line in grammar.splitlines() if not line.startswith("//") for part in re.findall(r'"((?:[^"\\]|\\.)*)"', line)]
    package = resources.files("zabtrace")
    modules = [one for one in _walk(package) if one.name.endswith(".py")]
    literals += [text for one in modules for text in _literals(ast.parse(one.read_text("utf-8")))]
    return frozenset(word.lower() for text in literals for word in WORD.findall(text))


def _walk(folder: Any) -> list[Any]:
    return [file for one in folder.iterdir() for file in (_walk(one) if one.is_dir() and one.name != "report" else [one])]


def _literals(module: ast.Module) -> list[str]:
    constants = (node.value for node in ast.walk(module) if isinstance(node, ast.Constant))
    return [value for value in constants if isinstance(value, str)]


@dataclass
class Disguise:
    """Substitutes in the order in which words were first met: ``p1`` for a part of a path, ``a1`` for an address, ``w1`` for a word."""

    known: dict[str, str] = field(default_factory=dict)

    def word(self, text: str, sign: str = "w") -> str:
        """The substitute of one word; the same for the same word wherever it stands."""
        return self.known.setdefault(text, f"{sign}{len(self.known) + 1}")

    def path(self, text: str) -> str:
        """A path, part by part; names that ZooKeeper itself gives to files stay.

        >>> Disguise().path("/pay/alice/pay")
        '/p1/p2/p1'
        """
        return "/".join(part if not part or OWN_FILES.fullmatch(part) else self.word(part, "p") for part in text.split("/"))

    def place(self, text: str) -> str:
        """``source:line`` or ``source at byte 7``."""
        name, number = re.fullmatch(r"(.*?)((?::\d+| at byte \d+)?)", text, re.DOTALL).groups()  # type: ignore[union-attr]
        return self.path(name) + str(number)

    def all(self, text: str) -> str:
        """Text of which every word goes."""
        return WORD.sub(lambda match: self.word(match[0]), ADDRESS.sub(lambda match: self.word(match[0], "a"), text))

    def text(self, text: str) -> str:
        """A sentence or a line of a log."""
        return "".join(self._piece(piece) for piece in re.split(f"({TIME.pattern})", text))

    def _piece(self, text: str) -> str:
        if TIME.fullmatch(text):
            return text
        hidden = ADDRESS.sub(lambda match: f"\x00{self.word(match[0], 'a')}\x00", text)
        hidden = PATH.sub(self._path_in_text, hidden)
        parts = hidden.split("\x00")
        return "".join(part if number % 2 else WORD.sub(self._own, part) for number, part in enumerate(parts))

    def _path_in_text(self, match: re.Match[str]) -> str:
        return match[0] if "\x00" in match[0] or FRACTION.fullmatch(match[0]) else f"\x00{self.path(match[0])}\x00"

    def _own(self, match: re.Match[str]) -> str:
        word = match[0]
        return word if word.lower() in vocabulary() or NUMBER.fullmatch(word) else self.word(word)

    # ------------------------------------------------------------ tables and documents
    def of(self, value: Any, key: str = "") -> Any:
        """Any table, document or text, member by member."""
        if isinstance(value, str):
            return self._rule(key)(value)
        if isinstance(value, pl.DataFrame):
            return self.frame(value)
        if isinstance(value, Mapping):
            return {name: self.of(one, str(name)) for name, one in value.items()}
        if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
            return type(value)(self.of(one, key) for one in value)
        if is_dataclass(value) and not isinstance(value, type):
            return replace(
                value, **{one.name: self.of(getattr(value, one.name), one.name) for one in fields(value) if one.name not in SKIPPED}
            )
        return value

    def _rule(self, key: str) -> Any:
        if key in KEPT:
            return str
        return self.place if key in ("place", "places") else self.path if key in PATHS else self.all if key in WORDS else self.text

    def frame(self, df: pl.DataFrame) -> pl.DataFrame:
        """A table, each text once."""
        return df.with_columns(self._column(series) for series in df.get_columns() if series.name not in KEPT)

    def _column(self, series: pl.Series) -> pl.Series:
        if series.dtype == pl.String:
            texts = series.unique(maintain_order=True).drop_nulls().to_list()
            rule = self._rule(series.name)
            return series.replace_strict(texts, [rule(text) for text in texts], default=None, return_dtype=pl.String) if texts else series
        if isinstance(series.dtype, pl.List) and series.dtype.inner not in (pl.Int64, pl.UInt64):
            return pl.Series(
                series.name, [None if one is None else self.of(one.to_list(), series.name) for one in series], dtype=series.dtype
            )
        return series
