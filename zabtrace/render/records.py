"""Long listings: transaction records and znodes, one row each, in file order.

Strategy: rows stay columns until they are written (``columns.Rows``), so that millions of them need little memory.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from zabtrace import schema, wording
from zabtrace.documents import FORMAT
from zabtrace.documents.window import Window
from zabtrace.evidence.trace import Trace
from zabtrace.render.columns import Rows
from zabtrace.render.screen import Lines, Sentence
from zabtrace.render.views import View

TXNS = (
    "server", "copy", "source", "offset", "zxid", "time", "session", "cxid", "op", "path", "data_len", "version", "parent_cversion",
    "ephemeral", "ttl", "timeout", "error", "acl", "failed", "paths", "ops", "digest_version", "digest", "checksum_ok", "payload_len",
    "dump",
)  # fmt: skip
MEMBER = ("op", "path", "version", "data_len", "error", "parent_cversion", "ephemeral", "ttl", "acl")
TXNS_SHOWN = ("server", "source", "offset", "zxid", "time", "session", "cxid", "op", "path", "data_len", "version", "error", "checksum_ok")
ZNODES = tuple(column.name for column in schema.ZNODES if column.name not in ("data_offset", "offset"))
ZNODES_SHOWN = ("source", "path", "data_len", "version", "cversion", "czxid", "mzxid", "pzxid", "ephemeral_owner")


EMPTY = {
    "txns": "No transaction record is there to show.",
    "znodes": "No znode is there to show: no snapshot was read, or none of these rows was asked for.",
}


def _listing(key: str, df: pl.DataFrame, shown: tuple[str, ...], names: wording.Names, hidden: int) -> View:
    document = {"format": FORMAT, key: Rows(df, names), "hidden": hidden}
    blocks = [Lines(Rows(df, names).lines(shown))] if df.height else [Sentence(EMPTY[key])]
    return View(document, key, blocks, df)


@dataclass(frozen=True)
class Chosen:
    """Which records are asked for. Empty: all."""

    path: str | None = None
    session: int | None = None
    ops: tuple[str, ...] = ()

    def narrow(self, trace: Trace, txns: pl.DataFrame) -> pl.DataFrame:
        """The records that write the path (also as members, or with a session), of the session, and of the operations."""
        kept = [pl.col("session") == self.session] if self.session is not None else []
        kept += [pl.col("op").is_in(self.ops)] if self.ops else []
        found = txns.filter(pl.all_horizontal(kept)) if kept else txns
        return found if self.path is None else self._of_path(trace, found)

    def _of_path(self, trace: Trace, txns: pl.DataFrame) -> pl.DataFrame:
        members = trace.ops.filter(pl.col("path") == self.path).select("source", "offset", member=pl.lit(value=True)).unique()
        marked = txns.join(members, on=["source", "offset"], how="left", maintain_order="left")
        writes = (pl.col("path") == self.path) | pl.col("paths").list.contains(self.path) | pl.col("member")
        return marked.filter(writes.fill_null(False)).drop("member")


ALL = Chosen()


def narrowed(trace: Trace, window: Window, chosen: Chosen) -> pl.DataFrame:
    """The records that are asked for, in file order."""
    return chosen.narrow(trace, window.narrow(trace.txns))


def with_members(trace: Trace, txns: pl.DataFrame, *more: str) -> pl.DataFrame:
    """Records with ``ops``, the members of a multi (MEMBER and ``more``)."""
    one_log = pl.concat([txns["source"], trace.ops["source"]]).n_unique() <= 1
    record = ["offset"] if one_log else ["source", "offset"]  # a number alone joins fastest
    members = trace.ops.sort("index").group_by(*record, maintain_order=True).agg(pl.struct(*MEMBER, *more).alias("ops"))
    return txns.join(members, on=record, how="left", maintain_order="left")


def txns(trace: Trace, window: Window, chosen: Chosen = ALL) -> View:
    """Transaction records as they stand in the logs; ``ops`` are the members of a multi."""
    shown = with_members(trace, narrowed(trace, window, chosen)).select(TXNS)
    return _listing("txns", shown, TXNS_SHOWN, wording.Names.of(trace.servers), trace.txns.height - shown.height)


def tree(trace: Trace, znodes: pl.DataFrame, window: Window) -> View:
    """Znodes of snapshot files as stored."""
    chosen = window.narrow(znodes).select(ZNODES)
    return _listing("znodes", chosen, ZNODES_SHOWN, wording.Names.of(trace.servers), znodes.height - chosen.height)
