"""Which bytes of a record may be others without any change of what the record is taken for.

Strategy: the record is read once, with Python's expressions of the same grammar. Its texts and names must stay as they are, its
numbers need not; a number is what stands in a hole whose pattern takes any digits in their places (``substitution``). The shapes that
are tried before its own must not take the record with other digits: their images are held against its form.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from zabtrace.grammar.kinds import SPLITS
from zabtrace.grammar.layouts import Layout, caller_end
from zabtrace.grammar.messages import beginning, messages
from zabtrace.grammar.notation import Hole, Shape, pattern_of
from zabtrace.grammar.substitution import DIGITS, HEXADECIMAL, closed, closed_hole, image
from zabtrace.logs.identity import TELLING, speaking
from zabtrace.logs.others import EMBEDDED

Bits: TypeAlias = npt.NDArray[np.uint8]
TAKEN = (*TELLING, *SPLITS)
"""Kinds whose values are looked at, even where lines are only counted."""
FIXED, DIGIT, FREE = 0xFF, 0xF0, 0
"""Bits of a byte that must be the same, of two texts of one form: all, those that all digits share, none."""
FORM = bytes(ord("0") if chr(byte) in HEXADECIMAL else byte for byte in range(256))
"""Makes a text a form, in ``bytes.translate``."""
_FREED = {DIGITS: DIGIT, HEXADECIMAL: FREE}


def stencil(text: str, layout: Layout) -> Bits | None:
    """Per byte of what stands behind a stamp, which bits of it another record of the same form must share to count as the same.

    None where its values are looked at, or other digits may make it something else. ``layout`` is one that ends its head with the caller.
    """
    end = re.search(caller_end(), text)
    head = _compiled(layout.head or "").match(text[: end.start()]) if end is not None and text.isascii() else None
    if end is None or head is None or text[end.end() : end.end() + 1] not in ("", " ") or not _takes_any_digits(layout):
        return None
    bits = np.full(len(text), FIXED, np.uint8)
    if not speaking(pl.Series([head["thread"]]))[0]:
        _free(bits, text, head.span("thread"), DIGITS)
    _free(bits, text, end.span(), DIGITS)
    message = text[end.end() :].removeprefix(" ").rstrip(" \t")
    begin = min(end.end() + 1, len(text))
    freed = _free_spans(head["logger"], head["level"], message)
    if freed is None:
        return None
    for (first, last), characters in freed:
        _free(bits, text, (begin + first, begin + last), characters)
    return bits


def _free(bits: Bits, text: str, span: tuple[int, int], characters: str) -> None:
    """Free these characters of a span, but for those in front of an x: ``0x`` says what the others are."""
    for at in range(*span):
        if text[at] in characters and text[at + 1 : at + 2] != "x":
            bits[at] = _FREED[characters]


def _free_spans(logger: str, level: str, message: str) -> list[tuple[tuple[int, int], str]] | None:
    """Where a message may have other characters, and which; None where it must be read for itself."""
    characters, form = HEXADECIMAL, message.encode().translate(FORM).decode()
    for shape in messages().candidates(logger, level, beginning(message)):
        found = _compiled(_exact(shape)).match(message)
        if found is not None:
            return None if shape.kind in TAKEN else _holes(shape, found, characters)
        if _compiled(image(_exact(shape))).match(form):
            if not closed(_exact(shape), DIGITS):
                return None
            characters = DIGITS  # with other digits it does not take the message either; with letters it might
    return None if _compiled(image(EMBEDDED)).search(form) else [((0, len(message)), characters)]


def _holes(shape: Shape, found: re.Match[str], characters: str) -> list[tuple[tuple[int, int], str]]:
    holes = [part for part in shape.parts if isinstance(part, Hole)]
    spans = [found.span(name) for name in found.re.groupindex]
    allowed = [characters if closed_hole(hole, characters) else DIGITS if closed_hole(hole, DIGITS) else "" for hole in holes]
    return [(span, free) for span, free in zip(spans, allowed, strict=True) if free]


@cache
def _exact(shape: Shape) -> str:
    """Matches a whole message of the shape, with a group for each hole."""
    if shape.literal is not None:
        return pattern_of((shape.literal.rstrip(),)) + r"\z"
    parts = (Hole(part.terminal, part.pattern, f"hole_{at}") if isinstance(part, Hole) else part for at, part in enumerate(shape.parts))
    return pattern_of(tuple(parts)) + r"\z"


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.replace(r"\z", r"\Z"))


@cache
def _takes_any_digits(layout: Layout) -> bool:
    return closed(layout.head or "", DIGITS) and closed(caller_end(), DIGITS)
