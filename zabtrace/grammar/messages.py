"""Matches columns of messages against messages.lark: which event a line is, and the fields it carries.

Strategy: a line is only compared with shapes that can match. Its logger names the rules, its first characters rule out most of
their shapes; both have few distinct values, so that is decided once per pair and not per line. Lines with the same
candidates are then matched together, one regular expression per candidate, until none is left.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from zabtrace.grammar import notation
from zabtrace.grammar.decode import decoded
from zabtrace.grammar.inheritance import printing
from zabtrace.grammar.kinds import SPLITS, kinds_of
from zabtrace.grammar.notation import Shape
from zabtrace.held import merged

HEAD = 12
"""Characters of a message that choose its candidates; digits count as one, so that sids and zxids do not make them many."""
_DIGIT = "[0-9a-f]"
REMEMBERED = 100_000
"""Heads whose candidates are kept: a file of noise must not fill the memory."""
ANYWHERE = "anywhere"
TRACE = "tracehead"
DENSE = 1 << 22
"""Keys up to which distinct ones are marked in a table instead of sorted."""
Ints: TypeAlias = npt.NDArray[np.int64]
Speaker: TypeAlias = tuple[str | None, str | None]
"""Logger and level."""


@dataclass(frozen=True)
class Events:
    """What a column of messages was taken for: a kind per row (null: unknown), and per kind ``line`` and its fields."""

    kinds: pl.Series
    fields: dict[str, pl.DataFrame]


@dataclass(frozen=True)
class _Hit:
    """Rows that one shape took: their row numbers, and their fields where it has any."""

    kind: str
    rows: pl.Series
    fields: pl.DataFrame | None = None


class Messages:
    """The shapes of messages.lark, found by class, level and first characters."""

    def __init__(self, grammar: notation.Grammar) -> None:
        self.grammar = grammar
        self._rules: dict[str, list[Shape]] = defaultdict(list)
        for shape in sorted(grammar.shapes, key=lambda shape: shape.rank):
            name, mark, level = shape.rule.partition("__")
            self._rules[name.replace("_", "") + mark + level].append(shape)
        self._ordered: dict[tuple[str | None, str | None], list[Shape]] = {}
        self._heads: dict[tuple[str | None, str | None], defaultdict[str, list[int]]] = {}
        self._candidates: dict[tuple[str | None, str | None, str], tuple[Shape, ...]] = {}

    @cached_property
    def kinds(self) -> frozenset[str]:
        """Every kind that a message may be."""
        return frozenset(kind for shape in self.grammar.shapes for kind in kinds_of(shape.kind))

    def knows(self, logger: str) -> bool:
        """Is there a rule for the class, or for one that prints with its logger?"""
        return any(name in self._rules for name in printing(class_of(logger)))

    def shapes_for(self, logger: str | None, level: str | None) -> list[Shape]:
        """The shapes a line of that class and level may have, in the order they are tried."""
        if (logger, level) not in self._ordered:
            class_ = class_of(logger or "")
            bound = f"{class_}__{(level or '').lower()}"  # such a rule is all free text: no other class's lines may reach it
            own = [shape for name in (*printing(class_), bound) for shape in self._rules.get(name, [])]
            self._ordered[logger, level] = sorted(own, key=lambda shape: shape.rank) + self._rules[ANYWHERE]
        return self._ordered[logger, level]

    def candidates(self, logger: str | None, level: str | None, head: str) -> tuple[Shape, ...]:
        """Those of them that begin as ``head`` does (the first HEAD characters of a message, its digits as 0)."""
        key = (logger, level, head)
        found = self._candidates.get(key)
        if found is None:
            if len(self._candidates) >= REMEMBERED:
                self._candidates.clear()
            numbered = self._numbered(logger, level)
            fit = sorted(number for size in range(len(head) + 1) for number in numbered.get(head[:size], ()))
            found = self._candidates[key] = tuple(self.shapes_for(logger, level)[number] for number in fit)
        return found

    def _numbered(self, logger: str | None, level: str | None) -> dict[str, list[int]]:
        """The places of those shapes in their order, by how they begin."""
        if (logger, level) not in self._heads:
            heads: defaultdict[str, list[int]] = defaultdict(list)
            for number, shape in enumerate(self.shapes_for(logger, level)):
                heads[beginning(shape.prefix.rstrip())].append(number)
            self._heads[logger, level] = heads  # only when it is whole: logs are read by several threads
        return self._heads[logger, level]

    def match(self, lines: pl.DataFrame, wanted: Collection[str] | None = None) -> Events:
        """Take each row of ``lines`` (line, level, logger, message) for an event; rows keep their order.

        Fields are read of the kinds in ``wanted`` only; None: of all.
        """
        return self.match_spoken(lines["line"], lines["message"], *numbered(lines["logger"], lines["level"]), wanted)

    def match_spoken(
        self, line: pl.Series, message: pl.Series, speakers: Sequence[Speaker], spoken: Ints, wanted: Collection[str] | None = None
    ) -> Events:
        """The same for a column of messages; ``spoken`` says which of the ``speakers`` (logger, level) printed each."""
        texts = message.str.strip_chars_end(" \t")
        heads, by_head = _coded(texts.str.head(HEAD))
        begins = [beginning(head or "") for head in heads]
        keys, back = _numbered(spoken.astype(np.int64) * len(heads) + by_head, len(speakers) * len(heads))
        choices: dict[tuple[Shape, ...], int] = {}
        chosen = [choices.setdefault(self.candidates(*speakers[key // len(heads)], begins[key % len(heads)]), len(choices)) for key in keys]
        choice = np.array(chosen, np.uint16 if len(choices) < 1 << 16 else np.int64)[back]
        order = np.argsort(choice, kind="stable")
        table = pl.DataFrame({"row": np.arange(len(order), dtype=np.uint32), "line": line, "message": texts})[order]
        ends = np.cumsum(np.bincount(choice, minlength=len(choices))).tolist()
        hits = (_tried(table[begin:end], shapes, wanted) for shapes, begin, end in zip(choices, [0, *ends], ends, strict=False) if shapes)
        return _events(len(order), [hit for found in hits for hit in found])

    def match_traces(self, traces: pl.DataFrame) -> Events:
        """Take each row of ``traces`` (line, message: the first line of a stack trace) for an event of the rule ``trace_head``.

        Kinds without a field have a frame too, of the lines alone: the line's own kind stays that of its message.
        """
        table = traces.with_row_index("row")
        hits = [
            _Hit(hit.kind, hit.rows, hit.fields if hit.fields is not None else traces[hit.rows].select("line"))
            for hit in _tried(table, tuple(self._rules[TRACE]))
        ]
        return _events(traces.height, hits)


def numbered(loggers: pl.Series, levels: pl.Series) -> tuple[list[Speaker], Ints]:
    """The pairs of a logger and a level, and the number of each row's."""
    (names, by_name), (marks, by_mark) = _coded(loggers), _coded(levels)
    return [(name, mark) for name in names for mark in marks], by_name * len(marks) + by_mark


def _coded(texts: pl.Series) -> tuple[list[str | None], Ints]:
    """The distinct texts of a column, and the number of each row's."""
    column: Any = texts.to_arrow()
    encoded = column.dictionary_encode(null_encoding="encode")
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy().astype(np.int64)


def _numbered(keys: Ints, size: int) -> tuple[list[int], Ints]:
    """The distinct keys (all below ``size``), ascending, and the place of each row's among them."""
    if size > DENSE:
        distinct, back = np.unique(keys, return_inverse=True)
        return distinct.tolist(), back
    seen = np.zeros(size, np.bool_)
    seen[keys] = True
    return np.flatnonzero(seen).tolist(), (np.cumsum(seen) - 1)[keys]


def _tried(part: pl.DataFrame, shapes: tuple[Shape, ...], wanted: Collection[str] | None = None) -> Iterator[_Hit]:
    for shape in shapes:
        if part.is_empty():
            return
        hit, part = _matched(part, shape, wanted is None or shape.kind in wanted or shape.kind in SPLITS)
        if hit is not None:
            yield from _split(hit)


def _split(hit: _Hit) -> Iterator[_Hit]:
    """The hit by the kinds that its values decide (``kinds``)."""
    if hit.kind not in SPLITS or hit.fields is None:
        yield hit
        return
    left = pl.repeat(True, hit.rows.len(), eager=True)
    for kind, mask in SPLITS[hit.kind].parts(hit.fields).items():
        if mask.any():
            left &= ~mask
            yield _Hit(kind, hit.rows.filter(mask), hit.fields.filter(mask))
    if left.any():
        yield _Hit(hit.kind, hit.rows.filter(left), hit.fields.filter(left))


def _matched(part: pl.DataFrame, shape: Shape, read: bool) -> tuple[_Hit | None, pl.DataFrame]:
    """Split ``part`` into the rows that ``shape`` takes, with its fields decoded where they are to be read, and the others."""
    message, pattern, groups = part["message"], rf"\A(?:{shape.pattern})\z", None
    if shape.columns and read:
        groups = message.str.extract_groups(pattern).struct.unnest()
        test = groups[next(iter(shape.columns))].is_not_null()
    else:
        test = message == shape.literal.rstrip() if shape.literal is not None else message.str.contains(pattern)
    if not test.any():
        return None, part
    if test.all():
        return _Hit(shape.kind, part["row"], _decoded(shape, part, groups)), part.clear()
    taken = part.filter(test)
    return _Hit(shape.kind, taken["row"], _decoded(shape, taken, groups.filter(test) if groups is not None else None)), part.filter(~test)


def _decoded(shape: Shape, part: pl.DataFrame, groups: pl.DataFrame | None) -> pl.DataFrame | None:
    if groups is None:
        return None
    return groups.select(part["line"], *(decoded(name, terminal) for name, terminal in shape.columns.items()))


def _events(height: int, hits: list[_Hit]) -> Events:
    codes = np.zeros(height, dtype=np.uint32)
    for number, hit in enumerate(hits, 1):
        codes[hit.rows.to_numpy()] = number
    kinds = pl.Series("kind", [None, *(hit.kind for hit in hits)], dtype=pl.String).gather(codes)
    return Events(kinds, _fields(hits))


def _fields(hits: list[_Hit]) -> dict[str, pl.DataFrame]:
    found: dict[str, list[pl.DataFrame]] = defaultdict(list)
    for hit in hits:
        if hit.fields is not None:
            found[hit.kind].append(hit.fields)
    return {kind: merged(frames) for kind, frames in found.items()}


def beginning(prefix: str) -> str:
    """The first characters of a message, by which its candidates are chosen."""
    return re.sub(_DIGIT, "0", prefix[:HEAD])


def class_of(logger: str) -> str:
    """The class a rule is named after: the last part of the logger, without inner classes, in lower case.

    >>> class_of("o.a.z.s.q.FastLeaderElection$Messenger$WorkerReceiver")
    'fastleaderelection'
    """
    return logger.rpartition(".")[2].partition("$")[0].lower()


@cache
def messages() -> Messages:
    """The shapes of messages.lark, read once."""
    return Messages(notation.read("messages.lark"))
