"""zxids: signed 64-bit numbers, epoch in the high 32 bits and counter in the low 32 (ZxidUtils, all releases).

They compare as signed numbers, as in Java, and print as ``0x`` and lower-case hexadecimal, as in Java.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zabtrace.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

COUNTER_BITS = 32
COUNTER_MASK = 0xFFFFFFFF
UNSIGNED = (1 << 64) - 1


def make(epoch: int, counter: int) -> int:
    """The zxid of ``counter`` in ``epoch`` (ZxidUtils.makeZxid)."""
    return (epoch << COUNTER_BITS) | counter


def epoch(zxid: int) -> int:
    """The epoch of a zxid.

    >>> epoch(0x200000007)
    2
    """
    return zxid >> COUNTER_BITS


def counter(zxid: int) -> int:
    """The counter of a zxid.

    >>> counter(0x200000007)
    7
    """
    return zxid & COUNTER_MASK


def text(zxid: int) -> str:
    """A zxid (or session id) as Java prints it.

    >>> text(0x100000016), text(-2)
    ('0x100000016', '0xfffffffffffffffe')
    """
    return f"0x{zxid & UNSIGNED:x}"


def signed(value: int) -> int:
    """A number read as 64 unsigned bits, as Java's signed long."""
    value &= UNSIGNED
    return value - (1 << 64) if value >> 63 else value


def parse(written: str) -> int:
    """The zxid an operator wrote: ``0x..``, ``epoch/counter`` (hexadecimal counter with 0x), or decimal. Raises UsageError.

    >>> parse("0x100000016") == parse("1/0x16") == parse("1/22") == parse("4294967318")
    True
    """
    match = re.fullmatch(r"(?:(\d+)/)?(0x[0-9a-fA-F]{1,16}|\d+)", written.strip())
    if match is None:
        raise UsageError(f"{written!r} is no zxid. Write it as 0x100000016, 1/0x16 or 4294967318.")
    number = int(match[2], 16 if match[2].startswith("0x") else 10)
    return signed(make(int(match[1]), number) if match[1] else number)


def epoch_of(column: str | pl.Expr) -> pl.Expr:
    """Column expression: the epoch of each zxid (Int64; arithmetic shift as in Java)."""
    import polars as pl

    zxids = pl.col(column) if isinstance(column, str) else column
    return zxids.floordiv(1 << COUNTER_BITS)


def counter_of(column: str | pl.Expr) -> pl.Expr:
    """Column expression: the counter of each zxid (Int64)."""
    import polars as pl

    zxids = pl.col(column) if isinstance(column, str) else column
    return zxids - epoch_of(zxids) * (1 << COUNTER_BITS)
