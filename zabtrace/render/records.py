"""Long listings: transaction records, znodes and log lines, one row each, in file order.

Strategy: rows stay columns until they are written (``columns.Rows``), so that millions of them need little memory.
"""

from __future__ import annotations

import polars as pl

from zabtrace import schema, wording
from zabtrace.documents import FORMAT, unknown_shapes
from zabtrace.documents.window import Window
from zabtrace.evidence.trace import Trace
from zabtrace.render.columns import Rows
from zabtrace.render.screen import Lines, Sentence
from zabtrace.render.views import View

TXNS = (
    "server", "copy", "source", "offset", "zxid", "time", "session", "cxid", "op", "path", "data_len", "version", "parent_cversion",
    "ephemeral", "ttl", "timeout", "error", "acl", "failed", "ops", "digest_version", "digest", "checksum_ok", "payload_len",
)  # fmt: skip
TXNS_SHOWN = ("server", "source", "offset", "zxid", "time", "session", "cxid", "op", "path", "data_len", "version", "error", "checksum_ok")
ZNODES = tuple(column.name for column in schema.ZNODES if column.name not in ("data_offset", "offset"))
ZNODES_SHOWN = ("source", "path", "data_len", "version", "cversion", "czxid", "mzxid", "pzxid", "ephemeral_owner")
LINES_SHOWN = ("server", "time", "level", "logger", "kind", "message", "source", "line")


EMPTY = {
    "txns": "No transaction record is there to show.",
    "znodes": "No znode is there to show: no snapshot was read, or none of these rows was asked for.",
    "events": "No log line is there to show.",
    "unknown": "Every message was understood.",
}


def _listing(key: str, df: pl.DataFrame, shown: tuple[str, ...], names: wording.Names, hidden: int) -> View:
    document = {"format": FORMAT, key: Rows(df, names), "hidden": hidden}
    blocks = [Lines(Rows(df, names).lines(shown))] if df.height else [Sentence(EMPTY[key])]
    return View(document, key, blocks, df)


def txns(trace: Trace, window: Window) -> View:
    """Transaction records as they stand in the logs; ``ops`` are the members of a multi."""
    record = ["source", "offset"]
    members = (
        trace.ops.sort("index")
        .group_by(*record, maintain_order=True)
        .agg(pl.struct("op", "path", "version", "data_len", "error").alias("ops"))
    )
    chosen = window.narrow(trace.txns).join(members, on=record, how="left", maintain_order="left").select(TXNS)
    return _listing("txns", chosen, TXNS_SHOWN, wording.Names.of(trace.servers), trace.txns.height - chosen.height)


def tree(trace: Trace, znodes: pl.DataFrame, window: Window) -> View:
    """Znodes of snapshot files as stored."""
    chosen = window.narrow(znodes).select(ZNODES)
    return _listing("znodes", chosen, ZNODES_SHOWN, wording.Names.of(trace.servers), znodes.height - chosen.height)


def events(trace: Trace, window: Window) -> View:
    """Log lines, in file order per server, and what each was taken for."""
    chosen = window.narrow(trace.lines)
    return _listing("events", chosen, LINES_SHOWN, wording.Names.of(trace.servers), trace.lines.height - chosen.height)


def unknown(trace: Trace, window: Window) -> View:
    """Messages that no shape matches, counted."""
    chosen = window.narrow(trace.lines.filter(pl.col("kind").is_null()))
    counted = unknown_shapes(chosen)
    hidden = trace.lines["kind"].null_count() - chosen.height
    return _listing("unknown", counted, ("count", "level", "logger", "shape", "source", "line"), wording.Names.of(trace.servers), hidden)
