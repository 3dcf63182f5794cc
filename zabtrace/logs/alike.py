"""Records that differ in numbers alone, as one: for logs whose lines are only counted.

Strategy: of texts whose digits are all 0 (hexadecimal ones too) few are distinct, even where no line is like another. Of such a form a
record is read, and which of its bytes may be others is found out (``stencils``); all records of the form that share the rest of their
bytes with it, compared word by word, are counted as it. A form may have several such records. What is left is read one by one.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from zabtrace.grammar.layouts import Layout
from zabtrace.logs.distinct import SAMPLE, Codes, Distinct, varied
from zabtrace.logs.stencils import FORM, Bits, stencil
from zabtrace.logs.text import Block, Places, gathered

FEW = 0.3
"""Share of distinct forms among some rests, up to which they are grouped."""
OFTEN = 16
"""Rests of one form among those of a block from which on it pays to find out which of its bytes are free."""
MANY = 10_000
"""Forms from which on no more are looked for."""
TURNS = 8
"""Records of one form that others are compared with: as many servers may write into one file."""
LONGEST = 1024
"""Bytes of a rest that is compared."""
WORD = 8
UNTRIED, REFUSED = -1, -2


@dataclass
class _Stencils:
    """The groups whose texts have the same number of words."""

    texts: npt.NDArray[np.uint64]
    bits: npt.NDArray[np.uint64]

    def add(self, text: bytes, bits: Bits) -> int:
        """A new one, and its place."""
        row = np.zeros((2, self.texts.shape[1] * WORD), np.uint8)
        row[0, : len(text)], row[1, : len(text)] = np.frombuffer(text, np.uint8), bits
        words = row.view(np.uint64)
        self.texts, self.bits = np.concatenate([self.texts, words[:1]]), np.concatenate([self.bits, words[1:]])
        return len(self.texts) - 1

    def fit(self, words: npt.NDArray[np.uint64], places: Places) -> npt.NDArray[np.bool_]:
        """Has each row of ``words`` the text at its place, but for the bits that are free?"""
        same: npt.NDArray[np.bool_] = np.bitwise_or.reduce((words ^ self.texts[places]) & self.bits[places], axis=1) == 0
        return same


@dataclass
class Alike:
    """The groups of one batch."""

    layout: Layout
    """A layout whose heads end with the caller: only its records are grouped."""
    codes: Codes = field(default_factory=lambda: np.zeros(0, np.uint32))
    """The number of the rest that stands for each group; its reader fills it in."""
    _forms: Distinct = field(default_factory=Distinct)
    _groups: Places = field(default_factory=lambda: np.full((0, TURNS), UNTRIED))
    """The groups of each form."""
    _places: Places = field(default_factory=lambda: np.zeros(0, np.int64))
    """Where each group stands among those of as many words."""
    _stencils: dict[int, _Stencils] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        """Bytes of the texts that are held."""
        return self._forms.bytes + sum(2 * known.texts.nbytes for known in self._stencils.values())

    def of(self, rests: Block) -> tuple[Places, Places] | None:
        """The group of each rest (-1: none), and where the new groups have their first one; None where too many forms differ."""
        sample = np.arange(0, rests.height, max(1, rests.height // SAMPLE))
        if self._forms.count > MANY or not varied(rests.text(rests.starts[sample], rests.ends[sample])):
            return None
        forms = _forms(rests)
        if varied(forms, FEW):
            return None
        return self._grouped(rests, self._forms.places(forms)[0].astype(np.int64))

    def _grouped(self, rests: Block, forms: Places) -> tuple[Places, Places]:
        self._grow(self._forms.count)
        groups, words = np.full(rests.height, -1), (rests.ends - rests.starts + WORD - 1) // WORD
        left, first = np.flatnonzero(words <= LONGEST // WORD), []
        for turn in range(TURNS):
            first += self._tried(rests, left, forms, turn)
            group = self._groups[forms[left], turn]
            known = np.flatnonzero(group >= 0)
            if not len(known):
                break
            fit = self._fit(rests, left[known], group[known], words[left[known]])
            groups[left[known[fit]]] = group[known[fit]]
            left = left[(groups[left] < 0) & (group != UNTRIED)]
        return groups, np.array(first, np.int64)

    def _tried(self, rests: Block, left: Places, forms: Places, turn: int) -> list[int]:
        """Make groups of the forms that have none for this turn and are met often; where each begins."""
        met = np.bincount(forms[left], minlength=len(self._groups))
        new = (met >= OFTEN) & (self._groups[:, turn] == UNTRIED)
        if not new.any():
            return []
        begins: list[int] = []
        rows = left[new[forms[left]]][::-1]
        first = np.zeros(len(self._groups), np.int64)
        first[forms[rows]] = rows
        for form in np.flatnonzero(new).tolist():
            text = rests.data[rests.starts[first[form]] : rests.ends[first[form]]].tobytes().decode()
            free = stencil(text, self.layout)
            self._groups[form, turn] = REFUSED if free is None else self._add(text, free)
            begins += [] if free is None else [int(first[form])]
        return begins

    def _add(self, text: str, bits: Bits) -> int:
        words = (len(bits) + WORD - 1) // WORD
        none = np.zeros((0, words), np.uint64)
        self._places = np.append(self._places, self._stencils.setdefault(words, _Stencils(none, none)).add(text.encode(), bits))
        return len(self._places) - 1

    def _fit(self, rests: Block, rows: Places, groups: Places, words: Places) -> npt.NDArray[np.bool_]:
        """Does each row belong to its group?"""
        fit = np.zeros(len(rows), np.bool_)
        for size in np.unique(words).tolist():
            mine = np.flatnonzero(words == size)
            texts = gathered(rests.data, rests.starts[rows[mine]], size * WORD).view(np.uint64)
            fit[mine] = self._stencils[size].fit(texts, self._places[groups[mine]])
        return fit

    def _grow(self, count: int) -> None:
        more = np.full((count - len(self._groups), TURNS), UNTRIED)
        self._groups = np.concatenate([self._groups, more])


def _forms(lines: Block) -> pl.Series:
    """The lines with 0 for every digit, hexadecimal ones too."""
    whole = lines.data.base if isinstance(lines.data.base, bytes) else lines.data.tobytes()  # which would be a copy of it
    return replace(lines, data=np.frombuffer(whole.translate(FORM), np.uint8)).text(lines.starts, lines.ends)
