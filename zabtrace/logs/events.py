"""A batch of records to events: what each message, and the stack trace below it, was taken for.

Strategy: distinct rests and distinct traces are matched once; what was found is given to every record that shows them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from zabtrace.grammar.messages import Events, merged, messages
from zabtrace.logs.loggers import is_foreign
from zabtrace.logs.records import NO_TRACE, Batch, Part
from zabtrace.logs.rests import PARSED, Rests
from zabtrace.logs.stamps import NO_TIME
from zabtrace.logs.text import Places

UNREASONED = "shutdown_leader"
"""3.4 and 3.5 print the reason for this event as the head of a stack trace only: there the trace's kind takes its place."""
TEXTS = ("level", "thread", "logger", "kind", "message")


@dataclass(frozen=True)
class Told:
    """A batch whose distinct texts are read."""

    rows: Part
    """All of its records."""
    rests: pl.DataFrame
    """Per distinct rest, in the order of their numbers: level, thread, logger, message, layout, my_sid, foreign, kind."""
    said: Events
    """Fields of the messages; ``line`` is the number of the rest."""
    traces: pl.Series
    """Distinct lines that begin no record."""
    told: Events
    """Fields of the traces; ``line`` is the number of the trace."""

    def weights(self) -> npt.NDArray[np.int64]:
        """Physical lines per distinct rest."""
        longer = self.rows.size > 1
        more = np.bincount(self.rows.code[longer], self.rows.size[longer] - 1, self.rests.height)
        return self.records() + more.astype(np.int64)

    def records(self) -> npt.NDArray[np.int64]:
        """Records per distinct rest."""
        return np.bincount(self.rows.code, minlength=self.rests.height)

    def lines(self) -> pl.DataFrame:
        """One row per record: line, local time, texts, trace, continued, and the texts that tell who printed it."""
        shown = self.rests.select(*TEXTS, "my_sid")[self.rows.code]
        traces = self.traces.extend_constant(None, 1)[np.minimum(self.rows.trace, self.traces.len())]
        time = pl.Series("time", self.rows.time)
        columns = {
            "line": self.rows.line,
            "time": pl.select(pl.when(time != NO_TIME).then(time)).to_series(),
            "dated": self.rows.dated,
            "trace": traces,
            "continued": self.rows.size - 1,
            "origin": self.rows.origin
            if self.rows.origin is not None
            else pl.Series([None], dtype=pl.String).new_from_index(0, len(self.rows.line)),
            "outer": self.rows.outer if self.rows.outer is not None else np.zeros(len(self.rows.line), np.int64),
        }
        return self._reasoned(pl.DataFrame(columns).hstack(shown))

    def _reasoned(self, lines: pl.DataFrame) -> pl.DataFrame:
        unreasoned = np.flatnonzero((lines["kind"] == UNREASONED).fill_null(False).to_numpy() & (self.rows.trace != NO_TRACE))
        if not len(unreasoned):
            return lines
        kinds = self.told.kinds[self.rows.trace[unreasoned]]
        told = pl.DataFrame({"line": self.rows.line[unreasoned], "told": kinds}).drop_nulls()
        joined = lines.join(told, on="line", how="left", maintain_order="left")
        return joined.with_columns(pl.coalesce("told", "kind").alias("kind")).drop("told")

    def fields(self) -> dict[str, pl.DataFrame]:
        """Fields of messages and of traces by line; where a line and its trace are of one kind, those of the message."""
        ours = ~self.rests["foreign"].to_numpy()[self.rows.code]
        said = _spread(self.said.fields, self.rows.code, self.rows.line, np.ones(len(ours), np.bool_))
        for kind, frame in _spread(self.told.fields, self.rows.trace, self.rows.line, ours & (self.rows.trace != NO_TRACE)).items():
            said[kind] = merged([said[kind], frame.join(said[kind], on="line", how="anti")]) if kind in said else frame
        return said


def read_batch(batch: Batch) -> Told:
    """Match the distinct texts of a batch."""
    table = _distinct(batch.rests)
    ours = table.filter(~pl.col("foreign") & pl.col("message").is_not_null())
    said = messages().match(ours.select(pl.col("code").cast(pl.Int64).alias("line"), "level", "logger", "message"))
    kinds = pl.DataFrame({"code": ours["code"], "kind": said.kinds})
    table = table.join(kinds, on="code", how="left", maintain_order="left")
    traces = batch.others.all()
    shown = np.unique(np.concatenate([np.empty(0, np.uint32), *(part.trace for part in batch.parts)]))
    shown = shown[shown != NO_TRACE]
    found = messages().match_traces(pl.DataFrame({"line": shown.astype(np.int64), "message": traces[shown]}))
    told = pl.Series("kind", [None], dtype=pl.String).new_from_index(0, traces.len()).scatter(shown, found.kinds)
    return Told(_joined(batch.parts), table, said, traces, Events(told, found.fields))


def _distinct(rests: Rests) -> pl.DataFrame:
    base = pl.DataFrame({"code": pl.Series(np.arange(rests.texts.count, dtype=np.uint32))})
    table = base.join(pl.concat([pl.DataFrame(schema=PARSED), *rests.parsed]), on="code", how="left", maintain_order="left")
    foreign = pl.Series([name for name in table["logger"].unique().drop_nulls() if is_foreign(name)], dtype=pl.String)
    return table.with_columns(
        pl.col("logger").is_in(foreign.implode()).fill_null(False).alias("foreign"),
        pl.col("myid").str.extract(r"([0-9]+)\]?\z").cast(pl.Int64, strict=False).alias("my_sid"),
        pl.col("logger").str.split(".").list.last(),
    )


def _joined(parts: list[Part]) -> Part:
    def column(name: str, dtype: Any) -> Any:
        return np.concatenate([np.empty(0, dtype), *(getattr(part, name) for part in parts)])

    wrapped = [part for part in parts if part.origin is not None]
    stamped = [part for part in parts if part.outer is not None]
    return Part(
        column("line", np.int64), column("time", np.int64), column("code", np.uint32), column("size", np.int64), column("trace", np.uint32),
        column("dated", np.bool_),
        pl.concat([part.origin for part in wrapped if part.origin is not None]) if wrapped else None,
        np.concatenate([part.outer for part in stamped if part.outer is not None]) if stamped else None,
    )  # fmt: skip


def _spread(
    fields: dict[str, pl.DataFrame], numbers: npt.NDArray[np.uint32], lines: Places, chosen: npt.NDArray[np.bool_]
) -> dict[str, pl.DataFrame]:
    """Give the fields of a text to every chosen record that shows it; ``numbers`` say which text each record shows."""
    rows = np.flatnonzero(chosen)
    order = rows[np.argsort(numbers[rows], kind="stable")]
    ascending = numbers[order]
    found: dict[str, pl.DataFrame] = {}
    for kind, frame in fields.items():
        texts = frame["line"].to_numpy()
        begin, end = np.searchsorted(ascending, texts), np.searchsorted(ascending, texts, "right")
        counts = end - begin
        if not counts.any():
            continue
        repeated = np.repeat(np.arange(len(texts)), counts)
        within = np.arange(len(repeated)) - np.repeat(np.cumsum(counts) - counts, counts)
        at = order[np.repeat(begin, counts) + within]
        found[kind] = frame[repeated].with_columns(pl.Series("line", lines[at])).sort("line")
    return found
