"""What is large, what grew, what was written most, and who ran into errors.

Strategy: one pass over the nodes adds each one to all its ancestors; everything else is counted in columns.
"""

from __future__ import annotations

import polars as pl

from zabtrace.evidence.trace import Trace
from zabtrace.records import opcodes
from zabtrace.replay.tree import Replayed

ERRORS = {
    -1: "SYSTEMERROR", -2: "RUNTIMEINCONSISTENCY", -3: "DATAINCONSISTENCY", -4: "CONNECTIONLOSS", -5: "MARSHALLINGERROR",
    -6: "UNIMPLEMENTED", -7: "OPERATIONTIMEOUT", -8: "BADARGUMENTS", -12: "UNKNOWNSESSION", -13: "NEWCONFIGNOQUORUM",
    -14: "RECONFIGINPROGRESS", -100: "APIERROR", -101: "NONODE", -102: "NOAUTH", -103: "BADVERSION", -108: "NOCHILDRENFOREPHEMERALS",
    -110: "NODEEXISTS", -111: "NOTEMPTY", -112: "SESSIONEXPIRED", -113: "INVALIDCALLBACK", -114: "INVALIDACL", -115: "AUTHFAILED",
    -118: "SESSIONMOVED", -119: "NOTREADONLY", -120: "EPHEMERALONLOCALSESSION", -121: "NOWATCHER", -122: "REQUESTTIMEOUT",
    -123: "RECONFIGDISABLED", -124: "SESSIONCLOSEDREQUIRESASLAUTH", -125: "QUOTAEXCEEDED", -127: "THROTTLEDOP",
}  # fmt: skip
"""KeeperException.Code, 3.4 - 3.9."""
SUBTREE = {"path": pl.String, "bytes": pl.Int64, "nodes": pl.Int64}


def largest(replayed: Replayed) -> pl.DataFrame:
    """``path, data_len, mzxid``: nodes by their bytes."""
    found = replayed.frame().select("path", "data_len", "version", "mzxid").filter(pl.col("data_len") > 0)
    return found.sort("data_len", descending=True, maintain_order=True)


def subtrees(replayed: Replayed) -> pl.DataFrame:
    """``path, bytes, nodes`` of every node with children: data of the node and of all below it."""
    sums: dict[str, list[int]] = {}
    for path, node in replayed.tree.nodes.items():
        size, at = node.data[2] if node.data else 0, path
        while True:
            into = sums.setdefault(at, [0, 0])
            into[0] += size
            into[1] += 1
            if not at:
                break
            at = at.rpartition("/")[0]
    rows = [(path or "/", size, count) for path, (size, count) in sums.items() if count > 1]
    return pl.DataFrame(rows, schema=SUBTREE, orient="row").sort("bytes", "nodes", "path", descending=[True, True, False])


def children(replayed: Replayed) -> pl.DataFrame:
    """``path, children, cversion``: nodes by how many children they have."""
    found = replayed.frame().select("path", "children", "cversion", "pzxid").filter(pl.col("children") > 0)
    return found.sort("children", descending=True, maintain_order=True)


def in_logs(trace: Trace, replayed: Replayed) -> pl.DataFrame:
    """TXNS of that server's own logs up to the zxid of its tree, each zxid once: what came as a snapshot is not among them."""
    mine = (pl.col("server") == replayed.server) & (pl.col("copy") == replayed.copy) & (pl.col("zxid") <= replayed.zxid)
    return trace.txns.filter(mine).unique(["zxid", "payload_hash"], keep="first", maintain_order=True)


def written(trace: Trace, records: pl.DataFrame) -> pl.DataFrame:
    """``path, writes, bytes, last_zxid``: paths by how often these records write them, members of multis too."""
    whole = records.filter(~pl.col("failed").fill_null(False))
    members = trace.ops.filter(pl.col("op") != "check").join(whole.select("source", "offset"), on=["source", "offset"], how="semi")
    columns = ("path", "data_len", "zxid")
    touched = pl.concat([whole.select(columns), members.select(columns)]).filter(pl.col("path").is_not_null())
    counted = touched.group_by("path").agg(
        pl.len().cast(pl.Int64).alias("writes"), bytes=pl.col("data_len").sum(), last_zxid=pl.col("zxid").max()
    )
    return counted.sort("writes", "bytes", "path", descending=[True, True, False])


def growth(earlier: Replayed, later: Replayed) -> pl.DataFrame:
    """``path, bytes, nodes`` by which each subtree grew (negative: shrank), the largest change first."""
    before, after = subtrees(earlier), subtrees(later)
    joined = before.join(after, on="path", how="full", coalesce=True, suffix="_after").fill_null(0)
    grown = joined.select("path", bytes=pl.col("bytes_after") - pl.col("bytes"), nodes=pl.col("nodes_after") - pl.col("nodes"))
    changed = grown.filter((pl.col("bytes") != 0) | (pl.col("nodes") != 0))
    return changed.sort(pl.col("bytes").abs(), pl.col("nodes").abs(), "path", descending=[True, True, False])


def errors(trace: Trace) -> pl.DataFrame:
    """``session, error, name, count, first_zxid, last_zxid``: failed requests of each session, each zxid once."""
    multis = trace.ops.filter((pl.col("type") == opcodes.ERROR) & (pl.col("error") != -2)).select("source", "offset", member="error")
    once = trace.txns.filter(pl.col("failed").fill_null(False)).unique(subset=["zxid", "payload_hash"], keep="first", maintain_order=True)
    code = pl.coalesce("error", "member")
    found = once.join(multis.unique(["source", "offset"], keep="first"), on=["source", "offset"], how="left").with_columns(error=code)
    counted = found.group_by("session", "error").agg(
        pl.len().cast(pl.Int64).alias("count"), first_zxid=pl.col("zxid").min(), last_zxid=pl.col("zxid").max()
    )
    named = pl.col("error").replace_strict(ERRORS, default=None, return_dtype=pl.String).alias("name")
    return counted.with_columns(named).sort("count", "session", "error", descending=[True, False, False])
