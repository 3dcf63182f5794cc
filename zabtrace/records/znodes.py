"""Znodes of a snapshot as columns, part by part: rows of ZNODES, and what they add to SNAPSHOTS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from zabtrace import schema, zxid
from zabtrace.grammar import jute
from zabtrace.records import digest
from zabtrace.records.ahead import ahead
from zabtrace.records.columns import Bytes, Column, Cursor, Ints, Slices, numbers, only, texts
from zabtrace.records.txnlog import let_go

CHUNK = 1 << 15
"""Znodes decoded at a time."""
NODE_COLUMNS = {
    "acl": "acl_id", "stat.czxid": "czxid", "stat.mzxid": "mzxid", "stat.ctime": "ctime", "stat.mtime": "mtime", "stat.version": "version",
    "stat.cversion": "cversion", "stat.aversion": "aversion", "stat.ephemeralOwner": "ephemeral_owner", "stat.pzxid": "pzxid",
}  # fmt: skip
"""jute name, column of ZNODES."""


@dataclass(frozen=True)
class Part:
    """Some znodes: a frame of ZNODES (empty unless asked for), and how many they are, their largest zxid, the sum of their digests."""

    table: pl.DataFrame
    nodes: int
    max_zxid: int | None
    """Largest czxid, mzxid or pzxid outside /zookeeper, null where there is none."""
    digest: int | None
    """Null unless asked for."""


def decoded(name: str, data: memoryview, nodes: Ints, *, tabled: bool, digested: bool) -> Iterator[Part]:
    """The znodes at these positions of the snapshot of that name, in parts."""
    pieces = [nodes[begin : begin + CHUNK] for begin in range(0, nodes.size, CHUNK)]
    work = partial(_part, name, np.frombuffer(data, dtype=np.uint8), tabled=tabled, digested=digested)
    for piece, part in zip(pieces, ahead(work, pieces), strict=True):
        yield part
        let_go(data, int(piece[0]), int(piece[-1]))


def summed(parts: Sequence[Part]) -> dict[str, Any]:
    """Columns of SNAPSHOTS that are sums over the znodes."""
    digests = [part.digest for part in parts if part.digest is not None]
    return {
        "nodes": sum(part.nodes for part in parts),
        "max_zxid": max((part.max_zxid for part in parts if part.max_zxid is not None), default=None),
        "tree_digest": zxid.signed(sum(digests)) if digests else None,
    }


def _part(name: str, buffer: Bytes, nodes: Ints, *, tabled: bool, digested: bool) -> Part:
    cursor = Cursor.over(buffer, nodes, np.full(nodes.size, buffer.size))
    columns = {"offset": nodes} | cursor.decode(jute.records()["SnapshotNode"])
    own = ~digest.below_zookeeper(buffer, only(columns["path"], Slices), itself=True)
    zxids = [numbers(columns[f"stat.{kind}"])[own].max(initial=-(1 << 63)) for kind in ("czxid", "mzxid", "pzxid")]
    return Part(
        schema.conform(schema.ZNODES, _table(columns, buffer), source=name) if tabled else schema.frame(schema.ZNODES),
        nodes.size,
        int(max(zxids)) if own.any() else None,
        digest.tree_digest(buffer, columns) if digested else None,
    )


def _table(columns: Mapping[str, Column], buffer: Bytes) -> pl.DataFrame:
    path, data = only(columns["path"], Slices), only(columns["data"], Slices)
    null = pl.Series(data.length < 0)
    return pl.DataFrame(
        [
            pl.Series("offset", numbers(columns["offset"])),
            texts(buffer, path).replace("", "/").alias("path"),
            pl.Series("data_offset", data.start).set(null, None),
            pl.Series("data_len", data.length).set(null, None),
            *(pl.Series(name, numbers(columns[jute_name])) for jute_name, name in NODE_COLUMNS.items()),
        ]
    )
