"""What stands behind the stamp of a record: its head and its message, read once per distinct text.

Strategy: the layout that took most lines so far is tried first, the others on what it leaves. Of a layout that ends its head with
a caller (``@130] -``) the heads are cut off by a search (``heads``); the pattern of another one reads the whole rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from zabtrace.grammar.layouts import Layout, caller_end, layouts
from zabtrace.grammar.messages import messages
from zabtrace.logs.distinct import Codes, Distinct
from zabtrace.logs.heads import FIELDS, NONE, WRITTEN, Heads
from zabtrace.logs.others import EMBEDDED

CANONICAL = "\x1f"
"""What the fields of a record stand behind, where something else than a layout was read (JSON, a conversion pattern)."""
CANONICAL_NAME = "fields"
TEXTS = {"code": pl.UInt32, "text": pl.String}
READ = {"code": pl.UInt32, "head": pl.UInt32, "message": pl.String}
"""What is read: the number of a rest and of its head, and its message."""


@dataclass
class Rests:
    """The distinct rests of one batch, and how each of them reads."""

    wanted: Layout | None = None
    """The layout to try first."""
    texts: Distinct = field(default_factory=Distinct)
    heads: Heads = field(default_factory=Heads)
    _read: list[pl.DataFrame] = field(default_factory=lambda: [pl.DataFrame(schema=READ)])
    _is_read: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(1024, np.bool_))
    _doubted: list[Codes] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        """Bytes of the texts that are held."""
        return self.texts.bytes + self.heads.bytes

    def add(self, rests: pl.Series) -> tuple[Codes, npt.NDArray[np.bool_]]:
        """The number of each rest, and whether a layout reads it."""
        known = self.texts.count
        codes, new = self.texts.add(rests)
        if new.len():
            self._grow(self.texts.count)
            frame = pl.DataFrame({"code": np.arange(known, self.texts.count, dtype=np.uint32), "text": new})
            for read in self._readings(frame):
                self._read.append(read)
                self._is_read[read["code"].to_numpy()] = True
                self._doubted.append(self._spliced(read))
        return codes, self._is_read[codes]

    def spliced(self, codes: Codes) -> npt.NDArray[np.bool_]:
        """Does a whole head of another record stand in these rests, whose message is none that is known?"""
        doubted = np.concatenate([np.empty(0, np.uint32), *self._doubted])
        return np.isin(codes, doubted) if len(doubted) else np.zeros(len(codes), np.bool_)

    def read(self) -> pl.DataFrame:
        """Head (null where no layout reads it) and message of every rest, by their numbers."""
        found = pl.concat(self._read)
        place = np.full(self.texts.count, found.height)
        place[found["code"].to_numpy()] = np.arange(found.height)
        return pl.concat([found, found.clear(1)])[place].drop("code")

    def _grow(self, size: int) -> None:
        if size > len(self._is_read):
            self._is_read = np.concatenate([self._is_read, np.zeros(max(size, len(self._is_read)), np.bool_)])

    def _readings(self, frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
        canonical = frame["text"].str.starts_with(CANONICAL)
        if canonical.any():
            yield self._canonical(frame.filter(canonical))
            frame = frame.filter(~canonical)
        for layout in self._preferred():
            for reader in (self._by_caller, self._by_pattern):
                if not frame.height:
                    return
                read = reader(frame, layout)
                if read.height:
                    yield read
                    left = np.ones(self.texts.count, np.bool_)
                    left[read["code"].to_numpy()] = False
                    frame = frame.filter(left[frame["code"].to_numpy()])

    def _preferred(self) -> list[Layout]:
        known = [layout for layout in layouts().values() if layout.stamped]
        return known if self.wanted is None else [self.wanted, *(layout for layout in known if layout is not self.wanted)]

    def _by_caller(self, frame: pl.DataFrame, layout: Layout) -> pl.DataFrame:
        """Rests whose head ends with the first ``@130] -``, and a blank or nothing behind it."""
        if layout.head is None:
            return pl.DataFrame(schema=READ)
        cut = frame.with_columns(pl.col("text").str.find(caller_end()).alias("at")).drop_nulls("at")
        raw = pl.col("text").cast(pl.Binary)
        cut = cut.select("code", raw.bin.slice(0, "at").cast(pl.String).alias("head"), raw.bin.slice("at").cast(pl.String).alias("tail"))
        tail = pl.col("tail")
        behind = tail.cast(pl.Binary).bin.slice(tail.str.find("] -", literal=True) + len("] -")).cast(pl.String)
        cut = cut.select("code", "head", behind.alias("message")).filter(pl.col("message").str.contains(r"\A(?: |\z)"))
        head = pl.Series("head", self.heads.of_texts(cut["head"], layout))
        return cut.select("code", head, pl.col("message").str.strip_prefix(" ")).filter(pl.col("head") != NONE)

    def _by_pattern(self, frame: pl.DataFrame, layout: Layout) -> pl.DataFrame:
        groups = frame["text"].str.extract_groups(layout.rest).struct.unnest()
        named = [name if name in groups.columns else pl.lit(None, dtype=pl.String).alias(name) for name in (*FIELDS, "message")]
        rows = groups.select(frame["code"], pl.lit(layout.name).alias("layout"), *named)
        return self._of_rows(rows.filter(pl.col("level").is_not_null()))

    def _canonical(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Rests in canonical form: their fields one behind the other."""
        parts = pl.col("text").str.splitn(CANONICAL, 6)
        names = ("level", "thread", "logger", "myid", "message")
        columns = [parts.struct.field(f"field_{at}").alias(name) for at, name in enumerate(names, 1)]
        rows = frame.select("code", pl.lit(CANONICAL_NAME).alias("layout"), *columns)
        return self._of_rows(rows.with_columns(pl.col("thread", "myid").replace("", None)))

    def _of_rows(self, rows: pl.DataFrame) -> pl.DataFrame:
        head = pl.Series("head", self.heads.of_rows(rows.select(*WRITTEN)), dtype=pl.UInt32)
        return rows.select("code", head, pl.col("message").fill_null(""))

    def _spliced(self, read: pl.DataFrame) -> Codes:
        """The codes of rests that hold another head, and whose message is not known with it."""
        doubted = read.filter(pl.col("message").str.contains(EMBEDDED))
        if doubted.height:
            speakers = self.heads.table()[doubted["head"]].select("level", "logger")
            kinds = messages().match(doubted.select(pl.col("code").cast(pl.Int64).alias("line"), "message").hstack(speakers)).kinds
            doubted = doubted.filter(kinds.is_null())
        return doubted["code"].to_numpy()
