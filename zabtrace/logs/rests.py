"""What stands behind the stamp of a record: its head and its message, read once per distinct text.

Strategy: the layout that took most lines so far is tried first, the others on what it leaves. Of a layout that ends its head with
a caller (``@130] -``) the heads are cut off by a search (``heads``); the pattern of another one reads the whole rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from zabtrace.grammar.layouts import CALLER, Layout, caller_end, layouts
from zabtrace.grammar.messages import messages
from zabtrace.logs.alike import Alike
from zabtrace.logs.distinct import Codes, Distinct
from zabtrace.logs.heads import FIELDS, NONE, WRITTEN, Heads
from zabtrace.logs.others import EMBEDDED
from zabtrace.logs.text import PAD, Block, Places, block_of, gathered

CANONICAL = "\x1f"
"""What the fields of a record stand behind, where something else than a layout was read (JSON, a conversion pattern)."""
CANONICAL_NAME = "fields"
BLANK, BRACKET = ord(" "), ord("]")
_NUMBERLESS = (np.empty(0, np.int64), np.empty(0, np.int64))
READ = {"code": pl.UInt32, "head": pl.UInt32, "message": pl.String}
"""What is read: the number of a rest and of its head, and its message."""


@dataclass
class Rests:
    """The distinct rests of one batch, and how each of them reads."""

    wanted: Layout | None = None
    """The layout to try first."""
    texts: Distinct = field(default_factory=Distinct)
    heads: Heads = field(default_factory=Heads)
    alike: Alike | None = None
    """Finds rests that need not be told apart, where not all threads' names are wanted."""
    _read: list[pl.DataFrame] = field(default_factory=lambda: [pl.DataFrame(schema=READ)])
    _is_read: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(1024, np.bool_))
    _doubted: list[Codes] = field(default_factory=list)

    @classmethod
    def of(cls, wanted: Layout | None, *, threads: bool) -> Rests:
        """None so far; are the names of all ``threads`` to be read?"""
        return cls(wanted, heads=Heads(threads))

    @property
    def bytes(self) -> int:
        """Bytes of the texts that are held."""
        return self.texts.bytes + self.heads.bytes + (self.alike.bytes if self.alike is not None else 0)

    def add(self, rests: Block) -> tuple[Codes, npt.NDArray[np.bool_]]:
        """The number of each rest (a line of ``rests``), and whether a layout reads it."""
        if self.alike is None and not self.heads.threads and self.wanted is not None and self.wanted.head is not None:
            self.alike = Alike(self.wanted)
        found = self.alike.of(rests) if self.alike is not None else None
        if self.alike is None or found is None:
            return self.add_texts(rests.text(rests.starts, rests.ends))
        groups, first = found
        alone = np.flatnonzero(groups < 0)
        rows = np.concatenate([alone, first])
        read, _ = self.add_texts(rests.text(rests.starts[rows], rests.ends[rows]))
        self.alike.codes = np.append(self.alike.codes, read[len(alone) :])
        codes = np.zeros(rests.height, np.uint32)
        codes[groups >= 0] = self.alike.codes[groups[groups >= 0]]
        codes[alone] = read[: len(alone)]
        return codes, self._is_read[codes]

    def add_texts(self, rests: pl.Series) -> tuple[Codes, npt.NDArray[np.bool_]]:
        """The same for a column of texts."""
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
        if found.height == self.texts.count and (found["code"].to_numpy() == np.arange(found.height)).all():
            return found.drop("code")
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
        at = frame["text"].str.find(caller_end())
        found = at.is_not_null()
        if not found.all():
            frame, at = frame.filter(found), at.filter(found)
        lines = block_of(frame["text"], *_NUMBERLESS, [])
        ends = lines.starts + at.to_numpy().astype(np.int64)
        behind = _behind_caller(lines, ends)
        whole = (behind == lines.ends) | (lines.data[behind] == BLANK)
        codes = self.heads.of_texts(replace(lines, ends=ends), layout)
        taken = np.flatnonzero(whole & (codes != NONE))
        messages = lines.text(np.minimum(behind + 1, lines.ends)[taken], lines.ends[taken])
        return pl.DataFrame({"code": frame["code"].gather(taken), "head": codes[taken], "message": messages}, schema=READ)

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


def _behind_caller(lines: Block, ends: Places) -> Places:
    """Where the message begins, or the blank in front of it: behind the caller's source line, which begins at ``ends``."""
    near = gathered(lines.data, ends, PAD) == BRACKET
    closes: Places = ends + near.argmax(axis=1)
    for row in np.flatnonzero(~near.any(axis=1)):
        closes[row] = ends[row] + lines.data[ends[row] :].tobytes().index(b"]")
    closes += len(CALLER[2])
    return closes
