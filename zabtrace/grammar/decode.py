"""The decoders: a terminal's name says how its text becomes a value; every other terminal is text as printed."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl


def from_decimal(column: pl.Expr) -> pl.Expr:
    """A long in decimal, as Long.toString prints it; null beyond 64 bits."""
    return column.cast(pl.Int64, strict=False)


def from_hexadecimal(column: pl.Expr) -> pl.Expr:
    """A long as Long.toHexString prints it, with or without 0x: 16 digits wrap to negative numbers."""
    digits = column.str.strip_prefix("0x")
    return digits.str.to_integer(base=16, dtype=pl.UInt64, strict=False).reinterpret(signed=True)


def from_flag(column: pl.Expr) -> pl.Expr:
    """true or false."""
    return column == "true"


DECODERS: dict[str, Callable[[pl.Expr], pl.Expr]] = {"INT": from_decimal, "LONG": from_decimal, "HEX": from_hexadecimal, "FLAG": from_flag}


def decoded(column: str, terminal: str) -> pl.Expr:
    """The column of that name, decoded as its terminal says."""
    decoder = DECODERS.get(terminal)
    return (decoder(pl.col(column)) if decoder else pl.col(column)).alias(column)
