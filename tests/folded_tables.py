"""A Trace folded as tables, as the readers fold a long history: for tests that hold both to one judgement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from zabtrace import schema
from zabtrace.evidence.folding import fold
from zabtrace.evidence.long import named
from zabtrace.evidence.trace import Trace
from zabtrace.records.outline import Columns, Outline, Stretch

ASKED = np.zeros(0, np.int64)


def outline(rows: pl.DataFrame) -> Outline:
    """The outline of one log file's rows of TXNS."""
    if rows.is_empty():
        return Outline((), pl.DataFrame(), pl.DataFrame())
    rows = rows.with_columns(pl.col("type", "payload_len", "session").fill_null(0), pl.col("checksum_ok").fill_null(value=True))
    names = ("zxid", "offset", "payload_len", "payload_hash", "session", "type", "checksum_ok")
    return Outline((Stretch(Columns(*(rows[name].to_numpy() for name in names))),), pl.DataFrame(), pl.DataFrame())


def folded(trace: Trace, opened: Sequence[tuple[int, int]] = ()) -> Trace:
    """``trace`` without the records that need not be looked at."""
    if trace.txns.is_empty():
        return trace
    parts = trace.txns.partition_by("source", maintain_order=True)
    logs = [outline(part) for part in parts]
    found = fold(logs, named(trace, logs, ASKED), opened)
    txns = [part.filter(pl.col("offset").is_in(kept.offset.tolist())) for part, kept in zip(parts, found.kept, strict=True)]
    folds = [
        part.select("server", "copy", "source", "zxid", "offset")
        .with_columns(skipped=pl.Series(kept.skipped))
        .filter(pl.col("skipped") > 0)
        for part, kept in zip(txns, found.kept, strict=True)
    ]
    counts = [[{"op": "?", "count": sum(found.types[zxid].values())}] for zxid in pl.concat(folds).get_column("zxid")]
    table = pl.concat(folds).with_columns(pl.Series("ops", counts, dtype=schema.types(schema.FOLDS)["ops"]))
    return replace(trace, txns=pl.concat(txns), folds=schema.conform(schema.FOLDS, table))
