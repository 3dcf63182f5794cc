"""Logs that end within a line: a copy made while the server wrote, or a file cut off, ends where the copy ended.

Strategy: the last line is matched like any other, but a number at its very end may have lost digits: 0x1000 may have been 0x100000050.
So fields that hold that number are null. That a file only lacks the last line feed looks the same.
"""

from __future__ import annotations

import re

import polars as pl

UNENDED = "it ends within a line: a number at its end may have lost digits, and is not used"
_NUMBER = re.compile(r"(?:0x([0-9a-fA-F]+)|(?<![0-9a-zA-Z])([0-9]+))$")


def without_torn_number(lines: pl.DataFrame, fields: dict[str, pl.DataFrame], last: int) -> dict[str, pl.DataFrame]:
    """The fields without the number at the end of line ``last``, the last one of a log that has no line feed behind it."""
    row = lines.row(-1, named=True) if lines.height else {"line": None}
    number = _NUMBER.search(row["message"] or "") if row["line"] == last else None
    if number is None or row["kind"] not in fields:
        return fields
    value, frame = (int(number[1], 16) if number[1] else int(number[2])), fields[row["kind"]]
    torn = pl.col("line") == last
    columns = [name for name, kind in frame.schema.items() if kind.is_integer() and name != "line"]
    kept = [pl.when(torn & (pl.col(name) == value)).then(None).otherwise(pl.col(name)).alias(name) for name in columns]
    return fields | {row["kind"]: frame.with_columns(kept)}
