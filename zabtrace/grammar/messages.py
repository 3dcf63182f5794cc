"""Matches columns of messages against messages.lark: which event a line is, and the fields it carries.

Strategy: a line is only compared with shapes that can match. Its logger names the rules, its first characters rule out most of
their shapes; both have few distinct values, so that is decided once per pair and not per line. Lines with the same
candidates are then matched together, one regular expression per candidate, until none is left.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import polars as pl

from zabtrace import schema
from zabtrace.grammar import notation
from zabtrace.grammar.decode import decoded
from zabtrace.grammar.notation import Shape

HEAD = 12
"""Characters of a message that choose its candidates."""
ANYWHERE = "anywhere"
TRACE = "trace_head"
_TYPES = schema.types(schema.FIELDS)


@dataclass(frozen=True)
class Events:
    """What a column of messages was taken for: a kind per row (null: unknown), and per kind ``line`` and its fields."""

    kinds: pl.Series
    fields: dict[str, pl.DataFrame]


@dataclass(frozen=True)
class _Hit:
    """Rows that one shape took: their row numbers, and their fields where it has any."""

    shape: Shape
    rows: pl.Series
    fields: pl.DataFrame | None


class Messages:
    """The shapes of messages.lark, found by class, level and first characters."""

    def __init__(self, grammar: notation.Grammar) -> None:
        self.grammar = grammar
        self._rules: dict[str, list[Shape]] = defaultdict(list)
        for shape in sorted(grammar.shapes, key=lambda shape: -shape.fixed):
            self._rules[shape.rule.replace("_", "") if "__" not in shape.rule else _level_rule(shape.rule)].append(shape)
        self._candidates: dict[tuple[str | None, str | None, str], tuple[Shape, ...]] = {}

    def knows(self, logger: str) -> bool:
        """Is there a rule for the class?"""
        return class_of(logger) in self._rules

    def shapes_for(self, logger: str | None, level: str | None) -> list[Shape]:
        """The shapes a line of that class and level may have, in the order they are tried. A line without a logger may have any of one class."""
        name = class_of(logger or "")
        own = self._rules.get(name, []) + self._rules.get(f"{name}__{(level or '').lower()}", [])
        return sorted(own, key=lambda shape: -shape.fixed) + self._rules[ANYWHERE]

    def candidates(self, logger: str | None, level: str | None, head: str) -> tuple[Shape, ...]:
        """Those of them that begin as ``head`` does (the first HEAD characters of a message)."""
        key = (logger, level, head)
        if key not in self._candidates:
            self._candidates[key] = tuple(shape for shape in self._ordered(logger, level) if head.startswith(shape.prefix.rstrip()[:HEAD]))
        return self._candidates[key]

    @cache  # noqa: B019 - one instance lives as long as the process
    def _ordered(self, logger: str | None, level: str | None) -> list[Shape]:
        return self.shapes_for(logger, level)

    def match(self, lines: pl.DataFrame) -> Events:
        """Take each row of ``lines`` (line, level, logger, message) for an event; rows keep their order."""
        table = lines.select(
            pl.col("line"), "logger", "level",
            pl.col("message").str.strip_chars_end(" \t").alias("message"),
        ).with_row_index("row").with_columns(pl.col("message").str.head(HEAD).alias("head"))  # fmt: skip
        return _events(lines.height, list(self._hits(table)))

    def match_traces(self, lines: pl.DataFrame) -> Events:
        """Take each row of ``lines`` (line, message: the first line of a stack trace) for an event of rule ``trace_head``."""
        table = lines.with_row_index("row")
        shapes = tuple(self._rules.get(TRACE.replace("_", ""), ()))
        return _events(lines.height, list(_tried(table, shapes)))

    def _hits(self, table: pl.DataFrame) -> Iterator[_Hit]:
        keys = table.select("logger", "level", "head").unique(maintain_order=True)
        choices: dict[tuple[Shape, ...], int] = {}
        numbers = [choices.setdefault(self.candidates(*key), len(choices)) for key in keys.iter_rows()]
        keyed = keys.with_columns(pl.Series("choice", numbers, dtype=pl.Int64))
        joined = table.join(keyed, on=["logger", "level", "head"], nulls_equal=True, maintain_order="left")
        shapes = list(choices)
        for (choice,), part in joined.partition_by("choice", as_dict=True).items():
            yield from _tried(part, shapes[choice])


def _tried(part: pl.DataFrame, shapes: tuple[Shape, ...]) -> Iterator[_Hit]:
    for shape in shapes:
        if part.is_empty():
            return
        hit, part = _matched(part, shape)
        if hit.rows.len():
            yield hit


def _matched(part: pl.DataFrame, shape: Shape) -> tuple[_Hit, pl.DataFrame]:
    """Split ``part`` into the rows that ``shape`` takes, with its fields decoded, and the others."""
    message = pl.col("message")
    if not shape.columns:
        test = message == shape.literal.rstrip() if shape.literal is not None else message.str.contains(_anchored(shape))
        taken = part.filter(test)
        return _Hit(shape, taken["row"], None), part.filter(~test) if taken.height else part
    groups = part.select("row", "line", message.str.extract_groups(_anchored(shape)).alias("found")).unnest("found")
    test = pl.col(next(iter(shape.columns))).is_not_null()
    taken = groups.filter(test)
    fields = taken.select(pl.col("line"), *(decoded(name, terminal) for name, terminal in shape.columns.items()))
    return _Hit(shape, taken["row"], fields), part.filter(groups.select(~test).to_series()) if taken.height else part


def _anchored(shape: Shape) -> str:
    return rf"\A(?:{shape.pattern})\z"


def _events(height: int, hits: list[_Hit]) -> Events:
    kinds = pl.DataFrame({"row": pl.Series([], dtype=pl.UInt32), "kind": pl.Series([], dtype=pl.String)})
    if hits:
        kinds = pl.concat([pl.DataFrame({"row": hit.rows}).with_columns(pl.lit(hit.shape.kind).alias("kind")) for hit in hits])
    rows = pl.DataFrame({"row": pl.int_range(height, dtype=pl.UInt32, eager=True)})
    ordered = rows.join(kinds.with_columns(pl.col("row").cast(pl.UInt32)), on="row", how="left", maintain_order="left")
    return Events(ordered["kind"], _fields(hits))


def _fields(hits: list[_Hit]) -> dict[str, pl.DataFrame]:
    found: dict[str, list[pl.DataFrame]] = defaultdict(list)
    for hit in hits:
        if hit.fields is not None:
            found[hit.shape.kind].append(hit.fields)
    return {kind: merged(frames) for kind, frames in found.items()}


def merged(frames: list[pl.DataFrame]) -> pl.DataFrame:
    """Field frames of one kind as one, its columns in the order of schema.FIELDS, sorted by line."""
    joined = pl.concat(frames, how="diagonal")
    order = ["line", *(name for name in _TYPES if name in joined.columns)]
    return joined.select(order).sort("line")


def class_of(logger: str) -> str:
    """The class a rule is named after: the last part of the logger, without inner classes, in lower case.

    >>> class_of("o.a.z.s.q.FastLeaderElection$Messenger$WorkerReceiver")
    'fastleaderelection'
    """
    return logger.rpartition(".")[2].partition("$")[0].lower()


def _level_rule(rule: str) -> str:
    name, _, level = rule.partition("__")
    return f"{name.replace('_', '')}__{level}"


@cache
def messages() -> Messages:
    """The shapes of messages.lark, read once."""
    return Messages(notation.read("messages.lark"))
