"""From where sessions connected, as text logs tell it."""

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
    address = pl.coalesce(pl.col("address").str.strip_prefix("/"), pl.col("message").str.extract(AUDITED))
    named = trace.events(*KINDS).select("session", "time", "server", "line", address=address)
    seen = named.filter(pl.col("session").is_not_null() & (pl.col("session") != 0) & pl.col("address").is_not_null())
    ordered = seen.sort("time", "server", "line", maintain_order=True)
    return ordered.group_by("session").agg(client=pl.col("address").unique(maintain_order=True).str.join(", "))
