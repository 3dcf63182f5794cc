"""What stands behind the stamp of a record: level, thread, logger and message, read once per distinct text.

Strategy: the layout that took most lines so far is tried first, the others on what it leaves. Of a layout that ends its head with
a caller (``@130] -``) the heads are few: they are cut off by a search and only distinct ones meet the pattern.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from zabtrace.grammar.layouts import Layout, caller_end, layouts
from zabtrace.grammar.messages import messages
from zabtrace.logs.distinct import Codes, Distinct
from zabtrace.logs.others import EMBEDDED

CANONICAL = "\x1f"
"""What the fields of a record stand behind, where something else than a layout was read (JSON, a conversion pattern)."""
CANONICAL_NAME = "fields"
READ, DOUBTED = 1, 2
PARSED = {"code": pl.UInt32, "layout": pl.String, **dict.fromkeys(("level", "thread", "logger", "myid", "message"), pl.String)}
FIELDS = ("level", "thread", "logger", "myid", "message")


@dataclass
class Rests:
    """The distinct rests of one batch, and how each of them reads."""

    wanted: Layout | None = None
    """The layout to try first."""
    texts: Distinct = field(default_factory=Distinct)
    heads: Distinct = field(default_factory=Distinct)
    parsed: list[pl.DataFrame] = field(default_factory=list)
    _flags: npt.NDArray[np.uint8] = field(default_factory=lambda: np.zeros(1024, np.uint8))
    _heads: pl.DataFrame | None = None

    def add(self, rests: pl.Series) -> tuple[Codes, npt.NDArray[np.bool_]]:
        """The number of each rest, and whether a layout reads it."""
        known = self.texts.count
        codes, new = self.texts.add(rests)
        if new.len():
            frame = pl.DataFrame({"code": pl.Series(np.arange(known, known + new.len(), dtype=np.uint32)), "text": new})
            read = self._read(frame)
            self.parsed.append(read)
            self._grow(self.texts.count)
            self._flags[read["code"].to_numpy()] = READ
            self._flags[_spliced(read).to_numpy()] = DOUBTED
        return codes, np.not_equal(self._flags[codes], 0)

    def spliced(self, codes: Codes) -> npt.NDArray[np.bool_]:
        """Does a whole head of another record stand in these rests, whose message is none that is known?"""
        return np.equal(self._flags[codes], DOUBTED)

    def _grow(self, size: int) -> None:
        if size > len(self._flags):
            self._flags = np.concatenate([self._flags, np.zeros(max(size, len(self._flags)), np.uint8)])

    def _read(self, frame: pl.DataFrame) -> pl.DataFrame:
        found = [_canonical(frame)]
        frame = frame.filter(~pl.col("text").str.starts_with(CANONICAL)) if found[0].height else frame
        for layout in self._preferred():
            if frame.is_empty():
                break
            for reader in (self._by_caller, _by_pattern):
                hit = reader(frame, layout)
                if hit.height:
                    found.append(hit)
                    frame = frame.join(hit.select("code"), on="code", how="anti", maintain_order="left")
        return pl.concat(found)

    def _preferred(self) -> list[Layout]:
        known = [layout for layout in layouts().values() if layout.stamped]
        return known if self.wanted is None else [self.wanted, *(layout for layout in known if layout is not self.wanted)]

    def _by_caller(self, frame: pl.DataFrame, layout: Layout) -> pl.DataFrame:
        """Rests whose head ends with the first ``@130] -``: the pattern reads distinct heads only."""
        if layout.head is None:
            return pl.DataFrame(schema=PARSED)
        text = pl.col("text")
        cut = frame.with_columns(text.str.find(caller_end()).alias("at")).drop_nulls("at")
        if cut.is_empty():
            return pl.DataFrame(schema=PARSED)
        raw = pl.col("text").cast(pl.Binary)
        cut = cut.select(
            "code", "text", raw.bin.slice(0, "at").cast(pl.String).alias("head"), raw.bin.slice(pl.col("at")).cast(pl.String).alias("tail")
        )
        _, heads = self.heads.add(cut["head"])
        if heads.len():
            groups = heads.str.extract_groups(layout.head).struct.unnest().with_columns(heads.alias("head"))
            new = _conformed(groups.filter(pl.col("level").is_not_null()), layout, ("head",))
            self._heads = new if self._heads is None else pl.concat([self._heads, new])
        if self._heads is None:
            return pl.DataFrame(schema=PARSED)
        end = pl.col("tail").str.find("] -", literal=True) + 3
        message = pl.col("tail").cast(pl.Binary).bin.slice(end).cast(pl.String)
        spaced = message.str.starts_with(" ") | (message == "")
        joined = cut.with_columns(message.str.strip_prefix(" ").alias("message"), spaced.alias("spaced")).filter("spaced")
        return joined.join(self._heads, on="head", how="inner", maintain_order="left").select(*PARSED)

    def layout(self, codes: Codes) -> Counter[str]:
        """How many of these lines each layout reads."""
        counted = np.bincount(codes, minlength=self.texts.count)
        table = pl.concat(self.parsed) if self.parsed else pl.DataFrame(schema=PARSED)
        sizes = table.select("layout", pl.Series("n", counted[table["code"].to_numpy()]))
        return Counter(dict(sizes.group_by("layout").agg(pl.col("n").sum()).iter_rows()))


def _canonical(frame: pl.DataFrame) -> pl.DataFrame:
    """Rests in canonical form: their fields one behind the other."""
    chosen = frame.filter(pl.col("text").str.starts_with(CANONICAL))
    if chosen.is_empty():
        return pl.DataFrame(schema=PARSED)
    parts = pl.col("text").str.splitn(CANONICAL, 6)
    columns = [parts.struct.field(f"field_{at}").alias(name) for at, name in enumerate(("level", "thread", "logger", "myid", "message"), 1)]
    named = chosen.select("code", pl.lit(CANONICAL_NAME).alias("layout"), *columns)
    return named.with_columns(pl.col("message").fill_null(""), pl.col("thread", "myid").replace("", None)).select(*PARSED)


def _spliced(read: pl.DataFrame) -> pl.Series:
    """The codes of rests that hold another head, and whose message is not known with it."""
    doubted = read.filter(pl.col("message").str.contains(EMBEDDED))
    if doubted.is_empty():
        return doubted["code"]
    kinds = messages().match(doubted.with_columns(pl.col("code").cast(pl.Int64).alias("line"))).kinds
    return doubted.filter(kinds.is_null())["code"]


def _by_pattern(frame: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    groups = frame["text"].str.extract_groups(layout.rest).struct.unnest().with_columns(frame["code"])
    return _conformed(groups.filter(pl.col("level").is_not_null()), layout, ("code",), message=True).select(*PARSED)


def _conformed(groups: pl.DataFrame, layout: Layout, keys: tuple[str, ...], message: bool = False) -> pl.DataFrame:
    """Groups of a layout's pattern with all columns of PARSED that a head can have."""
    wanted = FIELDS if message else FIELDS[:-1]
    columns = [pl.col(name) if name in groups.columns else pl.lit(None, dtype=pl.String).alias(name) for name in wanted]
    filled = [column.fill_null("") if name == "message" else column for name, column in zip(wanted, columns, strict=True)]
    return groups.select(*keys, pl.lit(layout.name).alias("layout"), *filled)
