"""Zxids that clients name and that no server can have given out: they witness nothing, and are told as damage.

Strategy: an epoch costs an election, and an election costs at least FastLeaderElection.finalizeWait (200 ms, 3.4 to 3.9). An epoch so
far above everything that any server wrote that the elections up to it would have taken a year, with nothing between them, is a wrong
number in the history, be it of a broken recorder. A smaller one is believed: servers may have gone on after their disks were copied.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import polars as pl

from zabtrace import schema
from zabtrace.evidence.trace import Trace
from zabtrace.zxid import epoch_of, text

NAMED = ("zxid", "reply_zxid", "czxid", "mzxid")
EPOCHS = ("epoch", "peer_epoch", "accepted_epoch")
A_YEAR = 365 * 24 * 3600 * 5
"""Elections in a year, five a second."""
NEXT_STEP = "Compare with the client's recorder; the operation is judged as if it named no zxid there."


def believed(trace: Trace) -> Trace:
    """``trace`` with client operations that name no impossible zxid any more, and a row of DAMAGE for each one that they named."""
    newest = max(_epochs(trace), default=0)
    above = {name: (epoch_of(name) > newest + A_YEAR) | (pl.col(name) < 0) for name in NAMED}
    odd = trace.client_ops.filter(pl.any_horizontal(above.values()))
    if odd.is_empty():
        return trace
    rows = [
        {"source": source, "line": line, "reason": _reason(name, zxid, newest), "harm": "none", "next_step": NEXT_STEP}
        for name, wrong in above.items()
        for source, line, zxid in odd.filter(wrong).select("source", "line", name).iter_rows()
    ]
    ops = trace.client_ops.with_columns(pl.when(~wrong).then(pl.col(name)).alias(name) for name, wrong in above.items())
    return replace(trace, client_ops=ops, damage=pl.concat([trace.damage, schema.frame(schema.DAMAGE, rows)]))


def _reason(name: str, zxid: int, newest: int) -> str:
    if zxid < 0:
        return f"{name} {text(zxid)} is negative: no server gives out such a zxid"
    far = f"epoch {zxid >> 32}: more than a year of nothing but elections after epoch {newest}, the newest of any server"
    return f"{name} {text(zxid)} is of {far}"


def _epochs(trace: Trace) -> Iterator[int]:
    """The largest epoch of each kind of thing that a server wrote."""
    zxids = [(trace.txns, "zxid"), (trace.txn_files, "last_zxid"), (trace.snapshots, "zxid"), (trace.facts, "zxid")]
    found = [rows.select(epoch_of(name).max()).item() for rows, name in zxids] + [trace.epoch_files["epoch"].max()]
    for rows in trace.held.told("zxid", *EPOCHS):
        found += [rows.select(epoch_of("zxid").max() if name == "zxid" else pl.col(name).max()).item() for name in rows.columns]
    return (number for number in found if isinstance(number, int))
