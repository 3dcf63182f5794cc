"""Finds the stamp that a record begins with, and reads it: whole columns at once, without a parser of dates.

Strategy: a stamp has digits and separators at fixed places, so that three words of eight bytes per line tell whether it is one
(each digit has 3 as its high half and does not pass 9), and give all its numbers by two digits at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import numpy.typing as npt

from zabtrace.logs.text import Block, Places, gathered
from zabtrace.schema import CALENDAR

WIDTH = 24
NO_TIME = np.iinfo(np.int64).min
"""A stamp whose digits are no time, such as 25:61, or none of CALENDAR."""
DAY = 86_400_000


@dataclass(frozen=True)
class Stamp:
    """A form of stamps: 0 stands for a digit, ? for one of the separators that vary (blank or T, comma or dot)."""

    form: str
    begin: int
    """Characters in front of the time itself."""

    @cached_property
    def words(self) -> npt.NDArray[np.uint64]:
        """Per word of eight bytes: where digits are, what is compared, and what it must be."""
        form = self.form.ljust(WIDTH, " ")
        digits = bytes(0xF0 if c == "0" else 0 for c in form)
        fixed = bytes(0 if c in "0? " else 0xFF for c in form)
        text = bytes(0 if c in "0? " else ord(c) for c in form)
        return np.array([np.frombuffer(part, "<u8") for part in (digits, fixed, text)])

    @cached_property
    def either(self) -> tuple[int, ...]:
        """Where separators vary."""
        return tuple(at for at, c in enumerate(self.form) if c == "?")

    @property
    def dated(self) -> bool:
        """Does it hold a date?"""
        return self.form.count("-") == 2


STAMPS = (
    Stamp("0000-00-00?00:00:00?000", 0),
    Stamp("[0000-00-00?00:00:00?000", 1),
    Stamp("00:00:00?000", 0),
)
SHORTEST = min(len(stamp.form) for stamp in STAMPS)
SEPARATORS = np.isin(np.arange(256), list(b" T,."))
_SIX = np.uint64(0x0606060606060606)
_LOW = np.uint64(0x0F0F0F0F0F0F0F0F)
_EIGHT, _TEN = np.uint64(8), np.uint64(10)
_THREES = np.uint64(0x3030303030303030)


@dataclass(frozen=True)
class Stamped:
    """The lines of a block that begin with a stamp: their rows, the time in ms since 1970 as printed, and where the rest begins."""

    rows: Places
    times: Places
    rests: Places
    dated: npt.NDArray[np.bool_]


def stamped(block: Block) -> Stamped:
    """Find the stamps of a block. Lines that the usual form does not fit are tried with the others."""
    left = np.flatnonzero(_may_begin(block) & (block.ends - block.starts >= SHORTEST))
    found: list[tuple[Places, Places, Places, bool]] = []
    for stamp in STAMPS:
        starts = block.starts[left]
        bytes_ = gathered(block.data, starts, WIDTH)
        hit = _fits(stamp, bytes_) & (block.ends[left] - starts >= len(stamp.form))
        if hit.all():  # as a rule: nothing is copied then
            found.append((left, _times(stamp, bytes_), starts + len(stamp.form), stamp.dated))
            break
        if hit.any():
            found.append((left[hit], _times(stamp, bytes_[hit]), starts[hit] + len(stamp.form), stamp.dated))
            left = left[~hit]
    rows, times, rests = (np.concatenate([np.empty(0, np.int64), *(part[at] for part in found)]) for at in range(3))
    dated = np.concatenate([np.empty(0, np.bool_), *(np.full(len(part[0]), part[3]) for part in found)])
    order = np.argsort(rows, kind="stable") if len(found) > 1 else slice(None)
    return Stamped(rows[order], times[order], rests[order], dated[order])


def _may_begin(block: Block) -> npt.NDArray[np.bool_]:
    """Lines whose first byte is a digit or a bracket: of stack traces none is looked at further."""
    first = block.data[block.starts]
    begins: npt.NDArray[np.bool_] = (first - np.uint8(ord("0")) < 10) | (first == ord("["))
    return begins


def _fits(stamp: Stamp, bytes_: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    words = bytes_.view("<u8")
    digits, fixed, text = stamp.words
    good: npt.NDArray[np.bool_] = np.ones(len(bytes_), np.bool_)
    for at in range(3):
        word = words[:, at]
        threes = digits[at] & _THREES
        if digits[at]:
            good &= ((word & digits[at]) == threes) & (((word + (_SIX & (digits[at] >> np.uint64(4)))) & digits[at]) == threes)
        if fixed[at]:
            good &= (word & fixed[at]) == text[at]
    for at in stamp.either:
        good &= SEPARATORS[bytes_[:, at]]
    return good


def _times(stamp: Stamp, bytes_: npt.NDArray[np.uint8]) -> Places:
    low = bytes_.view("<u8") & _LOW
    pairs = (low * _TEN + (low >> _EIGHT)).view(np.uint8).reshape(len(bytes_), WIDTH)
    at = stamp.begin + (11 if stamp.dated else 0)
    hour, minute, second, tenths = (pairs[:, at + gap].astype(np.int64) for gap in (0, 3, 6, 9))
    ms = tenths * 10 + (bytes_[:, at + 11] & 15)
    time = ((hour * 60 + minute) * 60 + second) * 1000 + ms
    days = _days(pairs, stamp.begin) if stamp.dated else np.zeros(len(time), np.int64)
    return np.where((hour < 24) & (minute < 60) & (second < 60) & (days != NO_TIME), time + days * DAY, NO_TIME)


def _days(pairs: npt.NDArray[np.uint8], at: int) -> Places:
    """Days since 1970; each distinct date is looked at once."""
    year, month, day = pairs[:, at].astype(np.int64) * 100 + pairs[:, at + 2], pairs[:, at + 5], pairs[:, at + 8]
    keys = year * 10_000 + month.astype(np.int64) * 100 + day
    if not len(keys):
        return keys
    changes = np.append(0, np.flatnonzero(np.diff(keys)) + 1)
    distinct, back = np.unique(keys[changes], return_inverse=True)
    known = np.array([_day(int(key)) for key in distinct], np.int64)[back]
    return np.repeat(known, np.diff(np.append(changes, len(keys))))


def _day(key: int) -> int:
    try:
        days = (date(key // 10_000, key // 100 % 100, key % 100) - date(1970, 1, 1)).days
    except ValueError:
        return int(NO_TIME)
    return days if CALENDAR[0] <= days * DAY <= CALENDAR[1] else int(NO_TIME)
