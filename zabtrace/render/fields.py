"""What events carry, as the column ``fields`` of a listing, made a column at a time.

Strategy: the frame of each kind becomes one text per row, joined to the lines by their place. A line whose message has no fields shows
those of its stack trace's head.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from zabtrace import wording
from zabtrace.documents.texts import PLACE, ZXIDS
from zabtrace.evidence.trace import Trace
from zabtrace.render.columns import OBJECT

HEXADECIMAL = (*ZXIDS, "session")


def with_fields(lines: pl.DataFrame, trace: Trace, written: Callable[[list[str]], pl.Expr]) -> pl.DataFrame:
    """``lines`` with ``fields`` behind ``kind``, ``written`` as an object or for people; null where nothing was read."""
    shown = lines.select(PLACE)
    frames = [_texts(kind, df.join(shown, on=PLACE, how="semi", nulls_equal=True), written) for kind, df in trace.fields.items()]
    texts = pl.concat([pl.DataFrame(schema={**shown.schema, "of": pl.String, OBJECT: pl.String}), *frames])
    own = lines.select(*PLACE, of="kind").join(texts, on=[*PLACE, "of"], how="left", nulls_equal=True, maintain_order="left")
    heads = texts.drop_nulls(OBJECT).unique(subset=PLACE, keep="first", maintain_order=True).drop("of")
    other = shown.join(heads, on=PLACE, how="left", nulls_equal=True, maintain_order="left")
    at = lines.get_column_index("kind") + 1
    return lines.clone().insert_column(at, own[OBJECT].zip_with(own[OBJECT].is_not_null(), other[OBJECT]))


def _texts(kind: str, df: pl.DataFrame, written: Callable[[list[str]], pl.Expr]) -> pl.DataFrame:
    """Place, kind and text of each row."""
    names = [name for name in df.columns if name not in PLACE]
    values = df.select(*PLACE, *(_hexadecimal(df[name]) if name in HEXADECIMAL else df[name] for name in names))
    text = written(names) if names else pl.lit(None, dtype=pl.String)
    return values.select(*PLACE, pl.lit(kind).alias("of"), text.alias(OBJECT))


def _hexadecimal(numbers: pl.Series) -> pl.Series:
    return wording.hexadecimal(numbers) if numbers.dtype.is_integer() else numbers


def as_object(names: list[str]) -> pl.Expr:
    """A JSON object of the values that are there."""
    members = [
        pl.when(pl.col(name).is_not_null()).then(pl.struct(name).struct.json_encode().str.slice(1).str.strip_suffix("}")) for name in names
    ]
    joined = pl.concat_str(members, separator=",", ignore_nulls=True)
    return pl.when(joined != "").then(pl.concat_str(pl.lit("{"), joined, pl.lit("}")))


def for_people(names: list[str]) -> pl.Expr:
    """The values that are there, as ``zxid=0x100000060 sid=3``."""
    members = [pl.concat_str(pl.lit(f"{name}="), pl.col(name).cast(pl.String)) for name in names]
    joined = pl.concat_str(members, separator=" ", ignore_nulls=True)
    return pl.when(joined != "").then(joined)
