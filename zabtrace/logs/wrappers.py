"""Peels off what other programs wrapped around the lines: containers, syslog, JSON; several at once, from the outside in.

Strategy: a step turns a table of lines (text, number, weight, origin, outer) into one of what they hold. Which steps a log needs is
found on its first lines: those after which most of them begin with a layout. A line that a step does not fit stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from typing import Protocol

import numpy as np
import polars as pl

from zabtrace.grammar.layouts import Wrapper, wrappers
from zabtrace.logs.layout import matches
from zabtrace.logs.offsets import Offsets, has_offset
from zabtrace.logs.patterned import Patterned
from zabtrace.logs.products import PATTERNS
from zabtrace.logs.separated import Separated, heading
from zabtrace.logs.structured import Json, looks_like_json
from zabtrace.logs.text import LINES, LONGEST, Block, Oddity, block_of
from zabtrace.schema import CALENDAR

SAMPLE = 400
"""Lines that are looked at."""
DEPTH = 4
"""Most wrappers around one line."""


class Step(Protocol):
    """Something to peel off."""

    @property
    def name(self) -> str:
        """What it is called in the layout of a log."""
        ...

    @property
    def utc(self) -> bool:
        """Are the times of what it hands out in UTC for sure?"""
        ...

    def peel(self, lines: pl.DataFrame) -> pl.DataFrame:
        """What the lines hold."""
        ...

    def rest(self) -> pl.DataFrame:
        """What is still held when the log ends."""
        ...


@dataclass
class Prefix:
    """A wrapper of layouts.lark in front of a line."""

    wrapper: Wrapper
    utc: bool = False
    _open: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=LINES))

    @property
    def name(self) -> str:
        """The wrapper's name."""
        return self.wrapper.name

    def peel(self, lines: pl.DataFrame) -> pl.DataFrame:
        """The lines behind the prefix, parts of one line put together."""
        groups = lines["text"].str.extract_groups(self.wrapper.pattern).struct.unnest()
        found = lines.hstack(groups.rename({name: f"_{name}" for name in groups.columns}))
        columns = [pl.coalesce("_line", "text").alias("text")]
        if "origin" in groups.columns:
            columns.append(pl.coalesce("_origin", "origin").alias("origin"))
        if "outer" in groups.columns:
            columns.append(_milliseconds(found["_outer"]).fill_null(found["outer"]).alias("outer"))  # type: ignore[arg-type]
        partial = found["_part"].str.starts_with("P").fill_null(False) if "part" in groups.columns else None
        bare = found.with_columns(columns).select(*LINES)
        if self.name.startswith("syslog"):
            bare = bare.with_columns(pl.col("text").str.replace_all("#011", "\t", literal=True).str.replace_all("#012", "\n", literal=True))
        return bare if partial is None else self._whole(bare, partial)

    def _whole(self, bare: pl.DataFrame, partial: pl.Series) -> pl.DataFrame:
        """Join each part with the lines behind it, up to the one that ends it; what is not ended waits for the next block.

        A line whose end does not come is handed out in pieces of LONGEST or more.
        """
        held = self._open.height
        bare, partial = pl.concat([self._open, bare]), pl.concat([pl.repeat(True, held, eager=True), partial])
        self._open = bare.clear()
        if not partial.any():
            return bare
        group = (~partial.shift(1, fill_value=False)).cast(pl.Int64).cum_sum()
        joined = (
            bare.with_columns(group.alias("group"))
            .group_by("group", maintain_order=True)
            .agg(pl.col("text").str.join(""), pl.col("number").first(), pl.col("weight").sum(), pl.col("origin", "outer").first())
            .select(*LINES)
        )
        if partial[-1] and len(joined["text"][-1]) < LONGEST:
            self._open, joined = joined[-1:], joined[:-1]
        return joined

    def rest(self) -> pl.DataFrame:
        """A part whose end never came."""
        held, self._open = self._open, self._open.clear()
        return held


def _milliseconds(stamps: pl.Series) -> pl.Series:
    """Wrappers' stamps in ms since 1970, UTC; null where one is none, or none of CALENDAR."""
    colons = stamps.str.replace(r"Z\z", "+00:00").str.replace(r"([0-9]{2})([0-9]{2})\z", "${1}:${2}").str.replace(",", ".", literal=True)
    ms = colons.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%:z", time_unit="ms", strict=False).cast(pl.Int64)
    return ms.set(~ms.is_between(*CALENDAR), None)


@dataclass
class Peeler:
    """The steps that a log needs, outermost first."""

    steps: list[Step]
    _oddities: list[Oddity] = field(default_factory=list)

    @property
    def utc(self) -> bool:
        """Are the times inside in UTC for sure?"""
        return any(step.utc for step in self.steps)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is odd about the lines inside."""
        return tuple(remark for step in self.steps if isinstance(step, Patterned | Json) for remark in step.remarks)

    def peel(self, block: Block) -> Iterator[Block]:
        """What the lines of a block hold."""
        if not self.steps:
            yield block
            return
        lines = pl.DataFrame({
            "text": block.text(block.starts, block.ends), "number": block.numbers, "weight": block.weights,
            "origin": pl.Series([None], dtype=pl.String).new_from_index(0, block.height), "outer": np.zeros(block.height, np.int64),
        })  # fmt: skip
        yield _as_block(self._through(lines, self.steps), block.oddities)

    def _through(self, lines: pl.DataFrame, steps: Sequence[Step]) -> pl.DataFrame:
        for step in steps:
            lines = split_lines(step.peel(lines))
        return lines

    def rest(self) -> Iterator[Block]:
        """What the steps still hold when the log ends."""
        for at, step in enumerate(self.steps):
            held = split_lines(step.rest())
            if held.height:
                yield _as_block(self._through(held, self.steps[at + 1 :]), [])

    def bare(self, texts: Sequence[str]) -> list[str]:
        """What these lines hold, for a look at them; nothing is kept."""
        lines = _lines(texts)
        for step in map(deepcopy, self.steps):
            lines = split_lines(pl.concat([step.peel(lines), step.rest()]))
        return lines["text"].to_list()


def split_lines(lines: pl.DataFrame) -> pl.DataFrame:
    """Texts with line feeds as lines of their own, which stand for no physical line."""
    if lines.is_empty() or not lines["text"].str.contains("\n", literal=True).any():
        return lines
    parts = lines.with_columns(pl.col("text").str.split("\n")).with_row_index("row").explode("text", empty_as_null=True, keep_nulls=True)
    first = pl.col("row") != pl.col("row").shift(1)
    return parts.with_columns(pl.when(first.fill_null(True)).then("weight").otherwise(0).alias("weight")).select(*LINES)


def _as_block(lines: pl.DataFrame, oddities: list[Oddity]) -> Block:
    numbers, weights, outer = (lines[name].to_numpy().astype(np.int64) for name in ("number", "weight", "outer"))
    return block_of(lines["text"].fill_null(""), numbers, weights, oddities, origins=lines["origin"], outer=outer)


def _lines(texts: Sequence[str]) -> pl.DataFrame:
    rows = {"text": list(texts), "number": range(1, len(texts) + 1)}
    return pl.DataFrame(rows, schema={"text": pl.String, "number": pl.Int64}).with_columns(
        pl.lit(1, dtype=pl.Int64).alias("weight"), pl.lit(None, dtype=pl.String).alias("origin"), pl.lit(0, dtype=pl.Int64).alias("outer")
    )


def find_wrappers(sample: Sequence[str], pattern: str | None = None) -> list[Step]:
    """The steps after which most of these lines begin with a layout (or fit ``pattern``); none where that needs none."""
    lines = [line for line in sample[:SAMPLE] if line.strip()]
    if lines and heading(lines[0]) is not None:
        inner = [line for line in Peeler([Separated()]).bare(lines) if line.strip()]
        if matches(inner) > matches(lines):
            return [Separated(), *_best(inner, matches, DEPTH - 1)[1]]
    if pattern is not None:
        found, steps = _best(lines, _fitting(Patterned(pattern)), DEPTH)
        if found:
            return [*steps, Patterned(pattern)]
    found, steps = _best(lines, matches, DEPTH)
    return steps if found else _of_product(lines)


def _of_product(lines: list[str]) -> list[Step]:
    """The steps to the conversion pattern of a product that most of the lines follow, or none."""
    fits, last, steps = 0, None, list[Step]()
    for name, pattern in PATTERNS.items():
        step = Patterned(pattern, name)
        found, before = _best(lines, _fitting(step), DEPTH)
        if found > fits:
            fits, last, steps = found, step, before
    return [*steps, last] if last is not None else []


def _fitting(step: Patterned) -> Callable[[Sequence[str]], int]:
    return lambda lines: sum(step.fits(line) for line in lines)


def _best(lines: list[str], score: Callable[[Sequence[str]], int], depth: int) -> tuple[int, list[Step]]:
    best: tuple[int, list[Step]] = (score(lines), [])
    if not depth or not lines:
        return best
    for make, fits in _candidates():
        if sum(map(fits, lines)) * 2 < len(lines):
            continue
        peeler = Peeler([make()])
        inner = [line for line in peeler.bare(lines) if line.strip()]
        found, steps = _best(inner, score, depth - 1)
        if (found, -1 - len(steps)) > (best[0], -len(best[1])):  # of what reads as many, that with fewer steps
            best = (found, [make(), *steps])
    return best


@cache
def _candidates() -> tuple[tuple[Callable[[], Step], Callable[[str], bool]], ...]:
    def prefix(wrapper: Wrapper) -> tuple[Callable[[], Step], Callable[[str], bool]]:
        def make() -> Step:
            return Prefix(wrapper)

        return make, lambda line: wrapper.compiled.match(line) is not None

    return ((Json, looks_like_json), *map(prefix, wrappers()), (Offsets, has_offset))
