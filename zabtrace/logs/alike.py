"""Records that differ in decimal digits alone, as one: for logs whose lines are only counted.

Strategy: of texts whose digits are all 0 few are distinct, even where every line names another client. What a text is taken for does
not depend on its digits where no pattern that may read it asks for a certain one, and where nothing is taken out of it; these texts
are told apart by their form, and by what stands in front of their thread (the server's myid). All others are read one by one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from zabtrace.grammar.kinds import SPLITS
from zabtrace.grammar.layouts import Layout, caller_end
from zabtrace.grammar.messages import beginning, messages
from zabtrace.grammar.notation import Shape
from zabtrace.logs.distinct import SAMPLE, Codes, Distinct, varied
from zabtrace.logs.identity import TELLING, speaking
from zabtrace.logs.text import Block, Places, block_of

_ZEROS = bytes(ord("0") if ord("0") <= byte <= ord("9") else byte for byte in range(256))
BEFORE_X = ("HEX",)
"""Terminals that tell a 0 from other digits, but only in front of an x."""
FEW = 0.1
"""Share of distinct forms among some rests, up to which they are grouped."""
MANY = 2000
"""Forms from which on no more are looked for: each is looked at for itself."""
_UNNUMBERED = (np.empty(0, np.int64), np.empty(0, np.int64))
TAKEN = (*TELLING, *SPLITS)
"""Kinds whose values are looked at, even where lines are only counted."""
_BOUNDS = re.compile(r"\{[0-9,]*\}|[01]-9")


@dataclass
class Alike:
    """The groups of one batch."""

    layout: Layout
    """A layout whose heads end with the caller: only its records are grouped."""
    codes: Codes = field(default_factory=lambda: np.zeros(0, np.uint32))
    """The number of the rest that stands for each group; its reader fills it in."""
    _forms: Distinct = field(default_factory=Distinct)
    _before: Distinct = field(default_factory=Distinct)
    _threads: Places = field(default_factory=lambda: np.zeros(0, np.int64))
    """Where the thread begins in each form, -1 where its texts are read one by one."""
    _groups: dict[int, int] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        """Bytes of the texts that are held."""
        return self._forms.bytes + self._before.bytes

    def of(self, rests: Block) -> tuple[Places, Places] | None:
        """The group of each rest (-1: none), and where the new groups have their first one; None where too many forms differ."""
        few = np.arange(0, rests.height, max(1, rests.height // SAMPLE))
        sample = rests.text(rests.starts[few], rests.ends[few])
        if self._forms.count > MANY or not varied(sample) or varied(_zeroed(block_of(sample, *_UNNUMBERED, [])), FEW):
            return None
        forms, new = self._forms.add(_zeroed(rests))
        if new.len():
            self._threads = np.append(self._threads, [self._thread(text) for text in new.to_list()])
        threads = self._threads[forms]
        rows = np.flatnonzero(threads >= 0)
        starts = rests.starts[rows]
        before, _ = self._before.add(rests.text(starts, starts + threads[rows]))
        groups = np.full(rests.height, -1)
        groups[rows], first = self._numbered(forms[rows].astype(np.int64) << 32 | before)
        return groups, rows[first]

    def _numbered(self, keys: Places) -> tuple[Places, Places]:
        """The group of each key, and where those that are new stand first."""
        coded: Any = pa.array(keys).dictionary_encode()
        distinct, indices = coded.dictionary.to_pylist(), coded.indices.to_numpy()
        first = np.zeros(len(distinct), np.int64)
        first[indices[::-1]] = np.arange(len(indices))[::-1]
        fresh = [at for at, key in enumerate(distinct) if key not in self._groups]
        self._groups.update({distinct[at]: len(self._groups) + number for number, at in enumerate(fresh)})
        return np.array([self._groups[key] for key in distinct], np.int64)[indices], first[fresh]

    def _thread(self, text: str) -> int:
        """At which byte of a form the thread begins, where nothing depends on the digits from there on; else -1."""
        end = re.search(caller_end(), text)
        head = _compiled(self.layout.head or "").match(text[: end.start()]) if end is not None else None
        if end is None or head is None or text[end.end() : end.end() + 1] not in ("", " "):
            return -1
        message, logger, thread = text[end.end() :].removeprefix(" ").rstrip(" \t"), head["logger"], head["thread"]
        shapes = messages().candidates(logger, head["level"], beginning(message))
        told = speaking(pl.Series([thread]))[0] or "0" in logger or "0x" in message
        wanted = any(shape.kind in TAKEN and _compiled(rf"(?:{shape.pattern})\z").match(message) for shape in shapes)
        return -1 if told or wanted or not all(map(_blind, shapes)) else len(text[: head.start("thread")].encode())


def _zeroed(lines: Block) -> pl.Series:
    """The lines with 0 for every digit."""
    whole = lines.data.base if isinstance(lines.data.base, bytes) else lines.data.tobytes()  # which would be a copy of it
    zeros = np.frombuffer(whole.translate(_ZEROS), np.uint8)
    return replace(lines, data=zeros).text(lines.starts, lines.ends)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.replace(r"\z", r"\Z"))


@cache
def _blind(shape: Shape) -> bool:
    """Does a shape take texts whatever their digits are (but for 0x)?"""
    fixed = [part if isinstance(part, str) else "" if part.terminal in BEFORE_X else _BOUNDS.sub("", part.pattern) for part in shape.parts]
    return not any(re.search("[0-9]", text) for text in fixed)
