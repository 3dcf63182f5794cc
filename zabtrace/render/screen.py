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

STYLES = {
    "nothing_lost": "bold green", "survived": "green", "recovered": "cyan", "truncated": "yellow", "shadowed": "magenta", "pending": "blue",
    "lost": "bold red", "diverged": "bold red", "undecided": "bold yellow", "established": "green", "attempted": "yellow",
}  # fmt: skip
LONG = 2000
"""Grids of more rows than this are laid out plainly on terminals too."""


@dataclass(frozen=True)
class Sentence:
    """A line of text, with a style for terminals."""

    text: str
    style: str = ""


@dataclass(frozen=True)
class Grid:
    """Rows under headings; ``columns`` are (heading, key of the row)."""

    title: str
    columns: Sequence[tuple[str, str]]
    rows: Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Lines:
    """A long listing that is laid out already, plainly, on terminals too."""

    text: Iterable[str]


Block = Sentence | Grid | Lines


def plain(blocks: Iterable[Block]) -> Iterator[str]:
    """The screen without colours; columns are padded, lines are as long as they must be."""
    for block in blocks:
        if isinstance(block, Sentence):
            yield wording.plain(block.text) + "\n"
        elif isinstance(block, Lines):
            yield from block.text
        elif block.rows:
            yield f"\n{block.title}\n" if block.title else "\n"
            yield from _padded(block)


def _padded(grid: Grid) -> Iterator[str]:
    cells = [[wording.listed(row.get(key)) for _, key in grid.columns] for row in grid.rows]
    headings = [heading for heading, _ in grid.columns]
    widths = [max(map(len, column)) for column in zip(headings, *cells, strict=True)]
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
        elif block.rows:
            console.print(_table(block))
        yield console.file.getvalue()  # type: ignore[attr-defined]  # the StringIO given above


def _table(grid: Grid) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title=grid.title or None, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for heading, _ in grid.columns:
        table.add_column(heading, overflow="fold")
    for row in grid.rows:
        texts = [wording.listed(row.get(key)) for _, key in grid.columns]
        table.add_row(*(Text(text, style=STYLES.get(text, "")) for text in texts))
    return table
