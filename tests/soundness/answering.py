"""Client histories over a model ensemble: few sessions and paths, tries without an answer, answers without a zxid; what is said of each.

Strategy: transactions are given to a few sessions that write a few paths with equal data, so that nearly nothing tells them apart; the
history lists them in the order in which they were sent, with operations in between that never reached a server.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

import polars as pl

from tests.soundness.check import Starts
from tests.soundness.ensemble import Ensemble
from tests.soundness.evidence import START
from tests.soundness.server import Txn
from zabtrace import schema
from zabtrace.evidence.trace import Trace
from zabtrace.fates.judgement import Judgement

SOURCE = "operations.jsonl"


@dataclass(frozen=True)
class Told:
    """A history: its rows, and per line the transaction that the operation became; None: none."""

    rows: list[dict[str, object]]
    became: dict[int, Txn | None]


def told(e: Ensemble, seed: int) -> tuple[Told, dict[int, dict[str, object]]]:
    """A history of the case, and what the records say of each payload: session, path, cxid."""
    rng = random.Random(seed)
    sessions, paths = rng.choice((1, 2, 4)), rng.choice((1, 2, 6))
    numbers = rng.choice((0.0, 0.0, 1.0))
    numbered, timed, named = rng.random() < 0.3, rng.random() < 0.8, rng.random() < 0.9
    rows: list[dict[str, object]] = []
    became: dict[int, Txn | None] = {}
    records: dict[int, dict[str, object]] = {}
    born = sorted(e.truth.born, key=lambda t: t.payload)
    sent = [sent for txn in born for sent in ([None, txn] if rng.random() < 0.15 else [txn])]
    for cxid, txn in enumerate(sent, 1):
        session, path, line = rng.randrange(sessions) + 1, f"/n{rng.randrange(paths)}", len(rows) + 1
        if txn is not None:
            records[txn.payload] = {"session": session, "path": path, "cxid": cxid}
        acked = txn in e.truth.acked
        begun = START + timedelta(seconds=10 * line) if timed else None
        zxid = txn.zxid if txn is not None and acked and rng.random() < numbers else None
        rows.append(
            {"source": SOURCE, "line": line, "session": session if named else None, "op": "set", "path": path, "data": None,
             "start": begun, "end": begun + timedelta(seconds=5) if begun else None, "outcome": "acknowledged" if acked else "unknown",
             "zxid": zxid, "reply_zxid": zxid, "cxid": cxid if numbered else None, "write": True}
        )  # fmt: skip
        became[line] = txn
    return Told(rows, became), records


def heard(trace: Trace, history: Told, records: dict[int, dict[str, object]]) -> Trace:
    """The trace with that history, its records being those of the sessions."""
    said = pl.DataFrame([{"payload_hash": payload, **what} for payload, what in records.items()]).cast({"payload_hash": pl.UInt64})
    txns = trace.txns.drop("session", "path", "cxid").join(said, on="payload_hash", how="left", maintain_order="left")
    txns = txns.with_columns(op=pl.lit("setData"), type=pl.lit(5, dtype=pl.Int64)).select(trace.txns.columns)
    return replace(trace, txns=txns, client_ops=schema.frame(schema.CLIENT_OPS, history.rows))


def denied(e: Ensemble, history: Told, judged: Judgement) -> Iterator[str]:
    """Every outcome that contradicts what became of the operation."""
    starts = Starts(e)
    for row in judged.clients.iter_rows(named=True):
        txn = history.became[row["line"]]
        if txn is not None and (txn in e.truth.tainted or e.truth.returned(txn)):
            continue
        kept = False if txn is None else e.truth.kept(txn)
        may_keep, must_keep = (
            (starts.some_keep(txn), starts.all_keep(txn)) if txn is not None and kept is None else (bool(kept), bool(kept))
        )
        decided = txn is not None and kept is None and (txn in e.truth.committed or txn in e.truth.decided)
        if row["outcome"] == "happened" and not (must_keep or decided):
            yield f"line {row['line']} happened, yet it is not in force: {row['why']}"
        if row["outcome"] == "did not" and may_keep:
            yield f"line {row['line']} did not, yet it is in force: {row['why']}"
        if txn is not None and row["zxid"] is not None and row["zxid"] != txn.zxid:
            yield f"line {row['line']} is 0x{txn.zxid:x}, not 0x{row['zxid']:x}: {row['why']}"
        if txn is None and row["zxid"] is not None:
            yield f"line {row['line']} never became a transaction, not 0x{row['zxid']:x}: {row['why']}"
