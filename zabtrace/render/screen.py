"""Screens: sentences and grids, for a terminal (colour, wrapped to its width) or for a file or pipe (plain, never wrapped).

Strategy: a screen is a list of blocks. Text from the evidence is never markup: cells are ``rich.text.Text`` of ``wording.listed``.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from zabtrace import wording
from zabtrace.documents.grids import SPARE
from zabtrace.render.columns import WIDEST

STYLES = {
    "nothing_lost": "bold green", "survived": "green", "recovered": "cyan", "truncated": "yellow", "shadowed": "magenta", "pending": "blue",
    "lost": "bold red", "diverged": "bold red", "undecided": "bold yellow", "established": "green", "attempted": "yellow",
}  # fmt: skip
LAST = ("why", "says", "note")
"""Free text: where it is the last column and too long, it stands below its row."""
LONG = 2000
"""Grids of more rows than this are laid out plainly on terminals too."""


@dataclass(frozen=True)
class Sentence:
    """A line of text, with a style for terminals."""

    text: str
    style: str = ""


@dataclass(frozen=True)
class Grid:
    """Rows under headings; ``columns`` are (heading, key of the row).

    A terminal shows ``brief`` columns instead, and below each of ``groups`` what is told of its rows.
    """

    title: str
    columns: Sequence[tuple[str, str]]
    rows: Sequence[dict[str, Any]]
    brief: Sequence[tuple[str, str]] = ()
    groups: Sequence[tuple[Sequence[dict[str, Any]], Sequence[str]]] = ()


@dataclass(frozen=True)
class Lines:
    """A long listing that is laid out already, plainly, on terminals too."""

    text: Iterable[str]


Span = tuple[str, str]
"""Text and its style."""


@dataclass(frozen=True)
class Chart:
    """Lines drawn with letters, each of spans; a terminal gives the letters colours."""

    title: str
    lines: Sequence[Sequence[Span]]


Block = Sentence | Grid | Lines | Chart


def plain(blocks: Iterable[Block]) -> Iterator[str]:
    """The screen without colours; columns are padded, lines are as long as they must be."""
    for block in blocks:
        if isinstance(block, Sentence):
            yield wording.plain(block.text) + "\n"
        elif isinstance(block, Lines):
            yield from block.text
        elif isinstance(block, Chart):
            yield f"\n{block.title}\n"
            yield from ("".join(text for text, _ in line).rstrip() + "\n" for line in block.lines)
        elif block.rows:
            yield f"\n{block.title}\n" if block.title else "\n"
            yield from _padded(block)


def _padded(grid: Grid) -> Iterator[str]:
    cells = [[wording.listed(row.get(key)) for _, key in grid.columns] for row in grid.rows]
    headings = [heading for heading, _ in grid.columns]
    widths = [min(max(map(len, column)), WIDEST) for column in zip(headings, *cells, strict=True)]
    for line in chain([headings], cells):
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n"


def coloured(blocks: Iterable[Block], width: int) -> Iterator[str]:
    """The screen for a terminal of ``width`` columns, with ANSI colours."""
    from rich.console import Console
    from rich.text import Text

    for block in blocks:
        if isinstance(block, Lines) or (isinstance(block, Grid) and len(block.rows) > LONG):
            yield from plain([block])
            continue
        console = Console(file=io.StringIO(), force_terminal=True, width=width, highlight=False, markup=False, emoji=False)
        if isinstance(block, Sentence):
            console.print(Text(wording.plain(block.text), style=block.style))
        elif isinstance(block, Chart):
            console.print(Text(f"\n{block.title}", style="bold"))
            for line in block.lines:
                console.print(Text.assemble(*line), no_wrap=True, overflow="ellipsis")
        elif block.rows:
            _print_grid(console, block)
        yield console.file.getvalue()  # type: ignore[attr-defined]  # the StringIO given above


def _print_grid(console: Any, grid: Grid) -> None:
    """Columns side by side, never wrapped; what is told below them, wrapped and indented."""
    from rich.padding import Padding
    from rich.text import Text

    columns, below = _fitting(grid, console.width)
    widths = {key: _width(grid, heading, key) for heading, key in columns}
    if grid.title:
        console.print(Text(f"\n{grid.title}", style="bold"))
    headings = [heading.ljust(widths[key]) for heading, key in columns]
    console.print(Text("  ".join(headings), style="dim underline"), no_wrap=True, overflow="ellipsis")
    for rows, told in grid.groups or [([row], ()) for row in grid.rows]:
        for row in rows:
            texts = [wording.listed(row.get(key)) for _, key in columns]
            cells = [Text(text.ljust(widths[key]), STYLES.get(text, "")) for text, (_, key) in zip(texts, columns, strict=True)]
            console.print(Text("  ").join(cells), no_wrap=True, overflow="ellipsis")
            for text in [row[key] for key in below if row[key]]:
                console.print(Padding(Text(wording.listed(text)), (0, 0, 0, 4)))
        for text in told:
            console.print(Padding(Text(wording.plain(text), style="dim"), (0, 0, 0, 4)))


def _width(grid: Grid, heading: str, key: str) -> int:
    return max(len(heading), *(len(wording.listed(row.get(key))) for row in grid.rows))


def _fitting(grid: Grid, width: int) -> tuple[list[tuple[str, str]], list[str]]:
    """The brief columns, without as many of the spare ones as do not fit; and the last one's key where only it is too long."""
    columns = list(grid.brief or grid.columns)
    sizes = {key: _width(grid, heading, key) + 2 for heading, key in columns}
    if columns and sum(sizes.values()) - 2 > width and columns[-1][1] in LAST:
        return columns[:-1], [columns[-1][1]]
    for spare in SPARE:
        if sum(sizes[key] for _, key in columns) - 2 <= width:
            break
        columns = [pair for pair in columns if pair[1] != spare]
    return columns, []
