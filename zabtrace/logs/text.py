"""Bytes to physical lines, block by block, whatever the bytes are.

Strategy: a block is cut behind its last line feed and the remainder carried over, so that memory stays bounded. Its lines are
places in its bytes, found with numpy; they become polars strings as views, without a copy. Bytes that are no UTF-8 are replaced,
carriage returns, colours and leading NULs dropped, and what was odd is noted with its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from zabtrace.schema import taken_over

Places = npt.NDArray[np.int64]
LONGEST = 1 << 20
"""Bytes kept of a physical line; ZooKeeper's longest (a class path) has a few thousand."""
PAD = 32
"""Zero bytes behind the data, so that a few bytes can be read from any place in it."""
FEED, RETURN = 10, 13
PIECE = 1 << 17
LINES = {"text": pl.String, "number": pl.Int64, "weight": pl.Int64, "origin": pl.String, "outer": pl.Int64}
"""Columns of lines that are held as strings: the physical line's number, how many such lines it stands for, who printed it, and when
(ms since 1970), as a wrapper around it says."""
SAID = 100
"""Lines of one block about which the same oddity is told."""
_BOM = b"\xef\xbb\xbf"
_COLOUR = re.compile(rb"\x1b\[[0-9;]*m")
_ZEROS = bytes(PAD)
_INLINED = 12
_VIEW = np.dtype([("size", "<i4"), ("prefix", "V4"), ("buffer", "<i4"), ("offset", "<i4")])


@dataclass(frozen=True)
class Oddity:
    """Something wrong with a line: where, what, how bad (``harm`` as in schema.DAMAGE), and what to do."""

    line: int
    reason: str
    harm: str
    next_step: str


@dataclass(frozen=True)
class Block:
    """Lines of one block: places ``starts`` to ``ends`` in ``data`` (UTF-8, PAD zeros behind it).

    ``numbers`` are physical line numbers, from 1; ``weights`` how many physical lines each stands for: 1, except where a wrapper
    split a line (the later parts: 0) or cut one into pieces.
    """

    data: npt.NDArray[np.uint8]
    starts: Places
    ends: Places
    numbers: Places
    weights: Places
    oddities: list[Oddity] = field(default_factory=list)
    origins: pl.Series | None = None
    """Who printed each line as a wrapper names it (container, pod), null where it names nobody."""
    outer: Places | None = None
    """The wrapper's stamp of each line in ms since 1970, UTC; 0 where it has none."""
    ended: bool = True
    """Has its last line a line feed?"""

    @property
    def height(self) -> int:
        """How many lines."""
        return len(self.starts)

    def text(self, starts: Places, ends: Places) -> pl.Series:
        """These pieces of the data as strings that point into it."""
        return taken_over(_string_views(self.data, starts, ends))

    @cached_property
    def lines(self) -> pl.DataFrame:
        """``line`` and ``text`` of every line."""
        return pl.DataFrame({"line": self.numbers, "text": self.text(self.starts, self.ends)})


def block_of(texts: pl.Series, numbers: Places, weights: Places, oddities: list[Oddity], **more: Any) -> Block:
    """A block of lines that are at hand as strings (without nulls)."""
    array: Any = texts.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    offsets = np.frombuffer(array.buffers()[1], np.int64)[array.offset : array.offset + len(array) + 1]
    held = array.buffers()[2]
    data = np.concatenate([np.frombuffer(held, np.uint8) if held is not None else np.empty(0, np.uint8), np.zeros(PAD, np.uint8)])
    return Block(data, offsets[:-1].astype(np.int64), offsets[1:].astype(np.int64), numbers, weights, oddities, **more)


def _string_views(data: npt.NDArray[np.uint8], starts: Places, ends: Places) -> pa.Array:
    """Arrow's string views: length, then the text itself (up to 12 bytes) or its first 4 bytes and its place."""
    size = ends - starts
    views = np.zeros(len(starts), dtype=_VIEW)
    views["size"], views["offset"] = size, starts
    raw = views.view(np.uint8).reshape(len(starts), 16)
    first = gathered(data, starts, _INLINED)
    raw[:, 4:8] = first[:, :4]
    short = np.flatnonzero(size <= _INLINED)
    raw[short, 4:] = first[short] * (np.arange(_INLINED) < size[short, None])
    return pa.Array.from_buffers(pa.string_view(), len(starts), [None, pa.py_buffer(views), pa.py_buffer(data)])


def gathered(data: npt.NDArray[np.uint8], starts: Places, width: int) -> npt.NDArray[np.uint8]:
    """``width`` (at most PAD) bytes from each place, as rows."""
    everywhere = np.ndarray(len(data) - width + 1, dtype=f"V{width}", buffer=data, strides=(1,))
    return everywhere[starts].view(np.uint8).reshape(len(starts), width)


def blocks_of_lines(blocks: Iterable[bytes]) -> Iterator[Block]:
    """All physical lines, as ``text.split("\\n")`` counts them, without an empty last one."""
    carry, first, skipping, begun, nuls = b"", 1, False, False, 0
    for block in blocks:
        data = memoryview(block if begun else block.removeprefix(_BOM))
        begun = True
        if skipping:
            if (feed := block.find(b"\n", len(block) - len(data))) < 0:
                continue
            data = data[feed - len(block) :]
        cut = block.rfind(b"\n") + 1 - (len(block) - len(data))
        if cut > 0:
            found = _block(b"".join((carry, data[:cut], _ZEROS)), first, nuls=nuls)
            first += found.height
            yield found
            carry, nuls = b"", 0
        data = data[max(cut, 0) :]
        if bytes(data[:1]) == b"\0" and carry in (b"", b"\0"):  # a run of any length in front of a line, which is kept: one stands for all
            text = bytes(data).lstrip(b"\0")
            carry, nuls, data = b"\0", nuls + len(data) - len(text) - (not carry), memoryview(text)
        skipping = len(carry) + len(data) > LONGEST
        carry = (carry + bytes(data[: LONGEST + 1]))[: LONGEST + 1]
    if carry:
        yield _block(carry + _ZEROS, first, ended=False, nuls=nuls)


def _block(content: bytes, first: int, ended: bool = True, nuls: int = 0) -> Block:
    """The lines of ``content``, which has PAD zeros behind it; ``nuls`` more were in front of the first line."""
    oddities: list[Oddity] = []
    if b"\x1b" in content:  # one byte: a search for two is ten times as slow
        content = _COLOUR.sub(b"", content)
    if not content.isascii():
        content = _as_utf8(content, first, oddities)
    size = len(content) - PAD
    data = np.frombuffer(content, np.uint8)
    feeds = _feeds(data[:size])
    ends = feeds if ended else np.append(feeds, size)
    starts = np.append(0, ends[:-1] + 1)
    if b"\r" in content:
        ends = ends - ((ends > starts) & (data[ends - 1] == RETURN))
    numbers = np.arange(first, first + len(starts), dtype=np.int64)
    if content.find(b"\x00", 0, size) >= 0:
        starts = _behind_nuls(data, starts, ends, numbers, oddities, nuls)
    ends = _shortened(data, starts, ends, numbers, oddities)
    return Block(data, starts, ends, numbers, np.ones(len(starts), np.int64), oddities, ended=ended)


def _feeds(data: npt.NDArray[np.uint8]) -> Places:
    """Where the line feeds are; in pieces that stay in the processor's cache."""
    found = [np.flatnonzero(data[at : at + PIECE] == FEED) + at for at in range(0, len(data), PIECE)]
    return np.concatenate([np.empty(0, np.int64), *found])


def _as_utf8(content: bytes, first: int, oddities: list[Oddity]) -> bytes:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        text = content.decode("utf-8", "replace")
        line = first + content.count(b"\n", 0, error.start)
        bad = sum("\ufffd" in part for part in text.split("\n"))
        reason = f"bytes that are no UTF-8 in {bad} lines from here on, read as replacement characters"
        oddities.append(Oddity(line, reason, "none", "paths and texts of these lines may differ from what was written"))
        return text.encode()
    return content


def _behind_nuls(
    data: npt.NDArray[np.uint8], starts: Places, ends: Places, numbers: Places, oddities: list[Oddity], before: int
) -> Places:
    """Drop NULs in front of a line: a file cut off while the server wrote on leaves them (copytruncate).

    ``before`` so many were dropped in front of the first line already.
    """
    spoiled = np.flatnonzero((data[starts] == 0) & (ends > starts))
    texts = np.append(np.flatnonzero(data != 0), len(data))
    behind = np.minimum(texts[np.searchsorted(texts, starts[spoiled])], ends[spoiled])
    for at, start in list(zip(spoiled, behind, strict=True))[:SAID]:
        count = start - starts[at] + (before if at == 0 else 0)
        reason = f"{count} NUL bytes in front of the line: the file was cut off while the server kept writing"
        harm = "none" if start < ends[at] else "data"
        oddities.append(Oddity(int(numbers[at]), reason, harm, "lines before this one may be missing; look for a rotated copy of the log"))
    moved = starts.copy()
    moved[spoiled] = behind
    return moved


def _shortened(data: npt.NDArray[np.uint8], starts: Places, ends: Places, numbers: Places, oddities: list[Oddity]) -> Places:
    long = np.flatnonzero(ends - starts > LONGEST)
    if not len(long):
        return ends
    reason = f"line of more than {LONGEST} bytes, only its beginning was read"
    oddities.extend(Oddity(int(line), reason, "data", "open the file at this line") for line in numbers[long][:SAID])
    kept = ends.copy()
    for at in long:
        end = starts[at] + LONGEST
        while data[end] & 0xC0 == 0x80:  # not within a character
            end -= 1
        kept[at] = end
    return kept
