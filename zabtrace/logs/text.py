"""Bytes to physical lines, block by block, whatever the bytes are.

Strategy: a block is cut behind its last line feed and the remainder carried over, so that memory stays bounded; bytes that are
no UTF-8 are replaced, carriage returns and leading NULs dropped, and what was odd is noted with its line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import polars as pl

LONGEST = 1 << 20
"""Characters kept of a physical line; ZooKeeper's longest (a class path) has a few thousand."""
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Oddity:
    """Something wrong with a line: where, what, how bad (``harm`` as in schema.DAMAGE), and what to do."""

    line: int
    reason: str
    harm: str
    next_step: str


@dataclass(frozen=True)
class Block:
    """Physical lines of one block, ``line`` (from 1) and ``text``, and what was wrong with them."""

    lines: pl.DataFrame
    oddities: list[Oddity] = field(default_factory=list)


def blocks_of_lines(blocks: Iterable[bytes]) -> Iterator[Block]:
    """All physical lines, as ``text.split("\\n")`` counts them, without an empty last one."""
    carry, first, skipping, begun = b"", 1, False, False
    for block in blocks:
        data = block if begun else block.removeprefix(_BOM)
        begun = True
        if skipping:
            if (feed := data.find(b"\n")) < 0:
                continue
            data = data[feed:]
        data = carry + data
        cut = data.rfind(b"\n") + 1
        if cut:
            found = _block(data[: cut - 1], first)
            first += found.lines.height
            yield found
        carry = data[cut : cut + LONGEST + 1]
        skipping = len(data) - cut > LONGEST
    if carry:
        yield _block(carry, first)


def _block(data: bytes, first: int) -> Block:
    text = data.decode("utf-8", "replace")
    lines = pl.DataFrame({"text": text.split("\n")}, schema={"text": pl.String}).with_row_index("line", first)
    lines = lines.with_columns(pl.col("line").cast(pl.Int64), pl.col("text").str.strip_suffix("\r"))
    oddities: list[Oddity] = []
    if "\x00" in text:
        lines = _without_nuls(lines, oddities)
    if "\ufffd" in text:
        oddities += _replaced(lines)
    if len(text) > LONGEST:
        lines = _shortened(lines, oddities)
    return Block(lines, oddities)


def _without_nuls(lines: pl.DataFrame, oddities: list[Oddity]) -> pl.DataFrame:
    """Drop NULs in front of a line: a file cut off while the server wrote on leaves them (copytruncate)."""
    bare = lines.with_columns(pl.col("text").str.strip_chars_start("\x00").alias("bare"))
    for line, before, after in bare.filter(pl.col("text") != pl.col("bare")).head(100).iter_rows():
        oddities.append(
            Oddity(line, f"{len(before) - len(after)} NUL bytes in front of the line: the file was cut off while the server kept writing",
                   "none" if after else "data", "lines before this one may be missing; look for a rotated copy of the log")
        )  # fmt: skip
    return bare.select("line", pl.col("bare").alias("text"))


def _replaced(lines: pl.DataFrame) -> list[Oddity]:
    bad = lines.filter(pl.col("text").str.contains("\ufffd", literal=True))
    reason = f"bytes that are no UTF-8 in {bad.height} lines from here on, read as replacement characters"
    return [Oddity(bad["line"][0], reason, "none", "paths and texts of these lines may differ from what was written")]


def _shortened(lines: pl.DataFrame, oddities: list[Oddity]) -> pl.DataFrame:
    long = lines.filter(pl.col("text").str.len_bytes() > LONGEST)
    reason = f"line of more than {LONGEST} bytes, only its beginning was read"
    oddities.extend(Oddity(line, reason, "data", "open the file at this line") for line in long["line"].head(100))
    return lines.with_columns(pl.col("text").str.head(LONGEST)) if long.height else lines
