"""From where sessions connected, as text logs, audit logs and answers to four-letter words tell it."""

from __future__ import annotations

import polars as pl

from zabtrace.evidence.trace import Trace

KINDS = ("session_created", "session_renew", "session_new", "client_disconnect", "session_invalid", "client_zxid_ahead", "audit")
"""Lines that name a session and the address of its client (ZooKeeperServer, NIOServerCnxn, AuditLogger).

3.6 and later name both only at DEBUG, where the socket is closed, and in the audit log.
"""
AUDITED = r"\tip=([^\t]+)"


def clients(trace: Trace) -> pl.DataFrame:
    """``session, client``: the distinct addresses of each session's client, in the order of their lines, joined by commas."""
    seen = pl.concat([_told(trace), *([_told(trace.audit)] if trace.audit is not None else []), _answered(trace)])
    ordered = seen.sort("time", "server", "line", maintain_order=True, nulls_last=True)
    return ordered.group_by("session").agg(client=pl.col("address").unique(maintain_order=True).str.join(", "))


def _told(trace: Trace) -> pl.DataFrame:
    address = pl.coalesce(pl.col("address").str.strip_prefix("/"), pl.col("message").str.extract(AUDITED))
    named = trace.events(*KINDS).select("session", "time", "server", "line", address=address)
    return named.filter(pl.col("session").is_not_null() & (pl.col("session") != 0) & pl.col("address").is_not_null())


def _answered(trace: Trace) -> pl.DataFrame:
    named = trace.facts.select("session", pl.col("since").alias("time"), "server", "line", address=pl.col("address").str.strip_prefix("/"))
    return named.filter((pl.col("session") != 0) & pl.col("address").is_not_null())
