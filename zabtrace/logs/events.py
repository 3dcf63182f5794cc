"""A batch of records to events: what each message, and the stack trace below it, was taken for.

Strategy: distinct rests and distinct traces are matched once; what was found is given to every record that shows them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from zabtrace.grammar.messages import Events, messages, numbered
from zabtrace.held import merged
from zabtrace.logs.counts import Counts, Ints
from zabtrace.logs.identity import TELLING
from zabtrace.logs.records import NO_TRACE, Batch, Part, rows_of
from zabtrace.logs.stamps import NO_TIME
from zabtrace.logs.text import Places

UNREASONED = "shutdown_leader"
"""3.4 and 3.5 print the reason for this event as the head of a stack trace only: there the trace's kind takes its place."""


@dataclass(frozen=True)
class Told:
    """A batch whose distinct texts are read."""

    rests: pl.DataFrame
    """Per distinct rest, in the order of their numbers: head, message, kind; head is null where no layout reads it."""
    heads: pl.DataFrame
    """As ``Heads.table`` gives them."""
    counts: Counts
    """Per distinct rest."""
    said: Events
    """Fields of the messages; ``line`` is the number of the rest."""
    rows: Part
    """All of its records; none where they are only counted."""
    traces: pl.Series
    """Distinct lines that begin no record."""
    told: Events
    """Fields of the traces; ``line`` is the number of the trace."""

    @property
    def lines_of(self) -> Ints:
        """Physical lines per distinct rest."""
        return self.counts.records + self.counts.continued

    def per_head(self, figures: Ints) -> Ints:
        """The sum of the figures of the rests with each head."""
        read = self.rests["head"].is_not_null().to_numpy()
        heads = self.rests["head"].drop_nulls().to_numpy()
        return np.bincount(heads, figures[read], self.heads.height).astype(np.int64)

    def of_kinds(self, wanted: Collection[str]) -> Told:
        """The same with no more records than those of these kinds (or whose trace is), and those that begin and end what is left out.

        Those tell when the records beside were printed; for stamps without a date also those around a step back are there.
        """
        kept = self._are(wanted)
        ends = np.diff(kept.astype(np.int8), prepend=not kept[:1].any(), append=not kept[-1:].any()) != 0
        back = np.diff(self.rows.time, prepend=self.rows.time[:1], append=self.rows.time[-1:]) < 0
        edges = ends | back
        return replace(self, rows=rows_of(self.rows, kept | edges[:-1] | edges[1:]))

    def listing(self, wanted: Collection[str | None]) -> Told:
        """The same with no records but those of these kinds (None: of none that is known), or whose trace is."""
        return replace(self, rows=rows_of(self.rows, self._are(wanted)))

    def _are(self, wanted: Collection[str | None]) -> npt.NDArray[np.bool_]:
        """Is each record, or its trace, of one of these kinds?"""
        kinds = [kind for kind in wanted if kind is not None]
        said = self.rests["kind"].is_in(kinds).fill_null(None in wanted).to_numpy()
        traced = np.append(self.told.kinds.is_in(kinds).fill_null(False).to_numpy(), False)
        chosen: npt.NDArray[np.bool_] = said[self.rows.code] | traced[np.minimum(self.rows.trace, len(traced) - 1)]
        return chosen

    def lines(self) -> pl.DataFrame:
        """One row per record: line, local time, texts, trace, continued, and the texts that tell who printed it."""
        shown = _shown(self.rests, self.rows.code)
        told = self.heads.select("level", "thread", "logger", pl.coalesce("thread_sid", "my_sid").alias("sid"))
        heads = _shown(told, shown["head"].fill_null(told.height).to_numpy())
        traces = _shown(self.traces.to_frame("trace"), self.rows.trace)["trace"]
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
        return self._reasoned(pl.DataFrame(columns).hstack(heads).hstack(shown.select("kind", "message")))

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
        ours = ~self.heads["foreign"].gather(self.rests["head"]).fill_null(True).to_numpy()[self.rows.code]
        said = _spread(self.said.fields, self.rows.code, self.rows.line, np.ones(len(ours), np.bool_))
        for kind, frame in _spread(self.told.fields, self.rows.trace, self.rows.line, ours & (self.rows.trace != NO_TRACE)).items():
            said[kind] = merged([said[kind], frame.join(said[kind], on="line", how="anti")]) if kind in said else frame
        return said


def read_batch(batch: Batch, wanted: Collection[str] | None = None) -> Told:
    """Match the distinct texts of a batch, and count its records; fields are read of the ``wanted`` kinds (None: of all)."""
    rows = _joined(batch.parts if batch.keep else [])
    batch.count()
    batch.counts.grow(batch.rests.texts.count)
    heads, rests = batch.rests.heads.table(), batch.rests.read()
    said = _said(heads, rests, TELLING if not batch.keep else None if wanted is None else {*wanted, *TELLING})
    traces = batch.others.all() if batch.keep else pl.Series([], dtype=pl.String)
    return Told(rests.with_columns(said.kinds), heads, batch.counts, said, rows, traces, _told(traces, rows))


def _said(heads: pl.DataFrame, rests: pl.DataFrame, wanted: Collection[str] | None) -> Events:
    """What the messages of our own records were taken for."""
    foreign = heads["foreign"].gather(rests["head"]).fill_null(True)
    ours = (~foreign).arg_true()
    speakers, spoken = numbered(heads["logger"], heads["level"])
    chosen = rests[ours]
    found = messages().match_spoken(ours.cast(pl.Int64), chosen["message"], speakers, spoken[chosen["head"].to_numpy()], wanted)
    kinds = pl.Series("kind", [None], dtype=pl.String).new_from_index(0, rests.height).scatter(ours, found.kinds)
    return Events(kinds, found.fields)


def _told(traces: pl.Series, rows: Part) -> Events:
    """What the first lines of stack traces were taken for."""
    shown = np.unique(rows.trace)
    shown = shown[shown != NO_TRACE]
    found = messages().match_traces(pl.DataFrame({"line": shown.astype(np.int64), "message": traces[shown]}))
    kinds = pl.Series("kind", [None], dtype=pl.String).new_from_index(0, traces.len()).scatter(shown, found.kinds)
    return Events(kinds, found.fields)


def _shown(texts: pl.DataFrame, numbers: npt.NDArray[np.integer[Any]]) -> pl.DataFrame:
    """The row of each number, null where there is none, with texts of their own: one copy of each that is shown, whoever shows it.

    What was read points into the text of all of a batch, most of which is told by fields and kinds: it would be kept for ever.
    """
    places = np.minimum(numbers, texts.height)
    shown = np.zeros(texts.height + 1, np.bool_)
    shown[places] = True
    held: pl.DataFrame = copied(pl.concat([texts, texts.clear(1)])[np.flatnonzero(shown)])
    rows: Places = np.cumsum(shown) - 1
    told: pl.DataFrame = held[rows[places]]
    return told


def copied(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with texts of its own."""
    return frame.with_columns(pl.Series(c.name, pl.from_arrow(c.to_arrow(compat_level=pl.CompatLevel.oldest()))) for c in frame
                              if c.dtype == pl.String)  # fmt: skip


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
