"""What a pattern takes when digits of a text are other digits: told from the pattern alone, without trying texts.

Strategy: a pattern of the grammars is a row of literal characters, classes and operators. Where each class has all of some characters
or none, and no literal is one of them, a text stays in the pattern's language whichever of them stand in it. The image of a pattern
takes (at least) the forms of all texts that the pattern takes, a form being the text with 0 for every hexadecimal digit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise

from zabtrace.grammar.notation import Hole

DIGITS = "0123456789"
HEXADECIMAL = "0123456789abcdef"
_SYMBOL = re.compile(
    r"(?P<operator>\(\?(?:P<[a-z_0-9]+>|:)|[()|*+?^$]|\{[0-9,]+\}|\\[Az])|(?P<class>\[\^?\]?(?:\\.|[^\]\\])*\]|\.)|(?P<literal>\\.|.)",
    re.DOTALL,
)
SIMPLER = {"HEX": "(?:0x)?[0-9a-f]{1,16}"}
"""Terminals spelled so that Lark's are unambiguous: another spelling of the same language."""


def image(pattern: str) -> str:
    """A pattern that takes the form of every text that ``pattern`` takes, and perhaps more.

    >>> image("zxid (0x)?[0-9a-f]+ dead")
    'zxi0 (0x)?(?:[0-9a-f]|0)+ 0000'
    """
    return "".join(_imaged(kind, text) for kind, text in _symbols(pattern))


def closed(pattern: str, characters: str) -> bool:
    """Does a text that ``pattern`` takes stay so whichever of the ``characters`` stand in place of each other (but in front of an x)?

    True is certain, False is not.

    >>> closed("[0-9]+ms", DIGITS), closed("[0-9]+ms", HEXADECIMAL), closed("(?:0x)?[0-9a-f]+", HEXADECIMAL), closed("[01]", DIGITS)
    (True, False, True, False)
    """
    symbols = [*_symbols(pattern), ("", "")]
    for (kind, text), (_, behind) in pairwise(symbols):
        if kind == "class" and not _whole(text, characters):
            return False
        if kind == "literal" and text in characters and behind != "x":
            return False
    return True


def closed_hole(hole: Hole, characters: str) -> bool:
    """The same for a terminal."""
    return closed(SIMPLER.get(hole.terminal, hole.pattern), characters)


def _symbols(pattern: str) -> Iterator[tuple[str, str]]:
    for found in _SYMBOL.finditer(pattern):
        yield found.lastgroup or "", found[0]


def _imaged(kind: str, text: str) -> str:
    if kind == "class" and any(map(_class(text).match, HEXADECIMAL)):
        return f"(?:{text}|0)"
    return "0" if kind == "literal" and text in HEXADECIMAL else text


def _whole(text: str, characters: str) -> bool:
    return len({_class(text).match(character) is None for character in characters}) == 1


@cache
def _class(text: str) -> re.Pattern[str]:
    return re.compile(text)
