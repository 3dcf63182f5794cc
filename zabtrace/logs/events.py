"""Records to events: what each message, and the stack trace below it, was taken for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import polars as pl

from zabtrace.grammar.messages import Events, merged, messages

BATCH = 500_000
"""Records that are matched together: enough to make the work per shape cheap, few enough to bound memory."""
UNREASONED = "shutdown_leader"
"""3.4 and 3.5 print the reason for this event as the head of a stack trace only: there the trace's kind takes its place."""


def events(records: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, pl.DataFrame]]:
    """``records`` (line, level, logger, message, trace, foreign) with a column ``kind``, and the fields per kind.

    What another program logged has no kind. A trace that says more than its message has a frame of fields under its own kind.
    """
    kinds, fields = [], defaultdict(list)
    for found in _batches(records.filter(~pl.col("foreign"))):
        kinds.append(found[0])
        for kind, frame in found[1].items():
            fields[kind].append(frame)
    table = pl.concat(kinds) if kinds else pl.DataFrame(schema={"line": pl.Int64, "kind": pl.String})
    joined = records.join(table, on="line", how="left", maintain_order="left")
    return joined, {kind: merged(frames) for kind, frames in fields.items()}


def _batches(own: pl.DataFrame) -> Iterator[tuple[pl.DataFrame, dict[str, pl.DataFrame]]]:
    for start in range(0, own.height, BATCH):
        records = own.slice(start, BATCH)
        said = messages().match(records)
        traces = records.filter(pl.col("trace").is_not_null()).select("line", pl.col("trace").alias("message"))
        told = messages().match_traces(traces)
        kinds = _reasoned(records.select("line", said.kinds), traces.select("line", told.kinds.alias("told")))
        yield kinds, _united(said, told)


def _reasoned(kinds: pl.DataFrame, told: pl.DataFrame) -> pl.DataFrame:
    joined = kinds.join(told.drop_nulls(), on="line", how="left", maintain_order="left")
    reason = (pl.col("kind") == UNREASONED) & pl.col("told").is_not_null()
    return joined.select("line", pl.when(reason).then("told").otherwise("kind").alias("kind"))


def _united(said: Events, told: Events) -> dict[str, pl.DataFrame]:
    """Fields of messages and of traces; where a line and its trace are of one kind, those of the message."""
    fields = dict(said.fields)
    for kind, frame in told.fields.items():
        fields[kind] = merged([fields[kind], frame.join(fields[kind], on="line", how="anti")]) if kind in fields else frame
    return fields
