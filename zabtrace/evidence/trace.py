"""The Trace: all evidence as tables, before any conclusion is drawn from it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import polars as pl

from zabtrace import schema
from zabtrace.held import Held, Plain
from zabtrace.records.snapshot import stored_bytes
from zabtrace.source import Source

if TYPE_CHECKING:
    from zabtrace.evidence.long import Long


@dataclass(frozen=True)
class Trace:
    """All that was read, one frame per table of ``schema``; replay, fates and checks read nothing else."""

    servers: pl.DataFrame = field(default_factory=lambda: schema.frame(schema.SERVERS))
    sources: pl.DataFrame = field(default_factory=lambda: schema.frame(schema.SOURCES))
    held: Held = field(default_factory=Plain)
    """Lines of text logs, and per event kind their fields; packed where they are many."""
    left_out: int = 0
    """How many lines are not in ``lines`` since they are of kinds that nobody asked for."""
    levels: pl.DataFrame = field(default_factory=lambda: schema.frame(schema.LEVELS))
    txns: pl.DataFrame = field(default_factory=lambda: schema.frame(schema.TXNS))
    ops: pl.DataFrame = field(default_factory=lambda: schema.frame(schema.TXN_OPS))
    txn_files: pl.DataFrame = field(default_factory=lambda: schema.frame(schema.TXN_FILES))
    snapshots: pl.DataFrame = field(default_factory=lambda: schema.frame(schema.SNAPSHOTS))
    epoch_files: pl.DataFrame = field(default_factory=lambda: schema.frame(schema.EPOCH_FILES))
    members: pl.DataFrame = field(default_factory=lambda: schema.frame(schema.MEMBERS))
    settings: pl.DataFrame = field(default_factory=lambda: schema.frame(schema.SETTINGS))
    facts: pl.DataFrame = field(default_factory=lambda: schema.frame(schema.FACTS))
    audit: Trace | None = None
    """Lines and fields of audit logs, apart from those that replay reads."""
    client_ops: pl.DataFrame = field(default_factory=lambda: schema.frame(schema.CLIENT_OPS))
    damage: pl.DataFrame = field(default_factory=lambda: schema.frame(schema.DAMAGE))
    unordered: tuple[int, ...] = ()
    """Servers of which several copies were given whose order nothing proves: their copies all count as newest."""
    folds: pl.DataFrame = field(default_factory=lambda: schema.frame(schema.FOLDS))
    """Where records of a long history were left out of ``txns``; see ``evidence.folding``."""
    long: Long | None = None
    """What was left out, to be asked for."""
    files: Mapping[str, Source] = field(default_factory=dict)
    """Data files by their name, for the bytes that the tables only point to."""

    @property
    def lines(self) -> pl.DataFrame:
        """schema.LINES; of packed lines it is made each time, so ask ``held`` for what is needed of them where they may be many."""
        return self.held.lines

    @property
    def fields(self) -> dict[str, pl.DataFrame]:
        """Per event kind: ``server, source, line`` and the fields of that kind, typed as in ``schema.FIELDS``."""
        return self.held.fields

    @cached_property
    def folded(self) -> pl.DataFrame:
        """The folds once per zxid, whoever holds them: zxid, skipped, ops; what was left out are the zxids directly below."""
        return self.folds.select("zxid", "skipped", "ops").unique(subset=["zxid"], keep="first", maintain_order=True)

    def stands_for(self, rows: pl.DataFrame) -> int:
        """How many zxids these rows, one per zxid, and what was left out before them are."""
        return rows.height + int(self.folded.join(rows.select("zxid"), on="zxid", how="semi").get_column("skipped").sum())

    def data(self, source: str, offset: int | None, length: int | None) -> bytes | None:
        """Znode data that a row points to (``data_offset``, ``data_len``), or None where they are null or the file is not at hand."""
        if offset is None or length is None or source not in self.files:
            return None
        return bytes(stored_bytes(self.files[source])[offset : offset + length])

    def events(self, *kinds: str, only: Collection[str] | None = None, server: int | None = None) -> pl.DataFrame:
        """Lines of these kinds with all their fields (columns of LINES, then of FIELDS that occur), in file order per server.

        ``only``: besides PLACE no other columns of either than these, where there are many lines; ``server``: of that one only.
        """
        columns = None if only is None else {*PLACE, *only}
        frames = [self.held.events(kind, columns, server) for kind in kinds] or [schema.frame(schema.LINES)]
        joined = pl.concat(frames, how="diagonal") if len(frames) > 1 else frames[0]
        wanted = [c for c in schema.FIELDS if c.name not in joined.columns and (only is None or c.name in only)]
        return joined.with_columns(pl.lit(None, dtype=c.type).alias(c.name) for c in wanted).sort("server", "order", "line")


PLACE = ("server", "source", "order", "line", "time", "kind")
"""What every event is told with."""
