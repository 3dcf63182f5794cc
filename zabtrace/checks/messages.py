"""What servers printed about messages that came out of order (the in-action checks of the TLA+ specification of ZooKeeper 3.7).

Strategy: a server that meets such a message says so, and goes on or ends; its line is the witness. Only "Got zxid .. expected .." is
ordinary where 0x1 is expected: a learner counts from 0 when its synchronization begins, and again behind it (Follower.processPacket);
and where the first proposal of a later epoch comes, as in a DIFF over the end of an epoch (Learner.syncWithLeader).
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from zabtrace.checks.findings import Finding, Witness, settled
from zabtrace.checks.scene import Scene, line
from zabtrace.zxid import counter_of, epoch_of

ILLEGAL = {
    "commit_mismatch_exit": "a COMMIT that is not the next pending proposal's",
    "commit_mismatch": "a COMMIT that is not the next proposal's",
    "commit_without_txn": "a COMMIT of a proposal that never came",
    "learner_ack_order": "ACKs out of order",
}
"""Kinds of lines, and what they tell."""
GAP, FIRST = "proposal_gap", 1


def messages_in_order(scene: Scene) -> Finding:
    """Proposals rise by one, a COMMIT is the next pending proposal's, ACKs come in order: no server printed otherwise."""
    silent = sorted(scene.history.config_at().voters - set(scene.history.trace.lines["server"].drop_nulls().unique().to_list()))
    lacking = f"no text log of servers {', '.join(map(str, silent))} was read." if silent else _none(scene)
    return settled(
        [*_illegal(scene), *_gaps(scene)], "{first} ({count} found).", "No server printed that a message came out of order.", lacking
    )


def _none(scene: Scene) -> str | None:
    return None if scene.history.trace.lines.height else "no text log was read."


def _illegal(scene: Scene) -> Iterator[tuple[str, Witness]]:
    for row in scene.history.trace.events(*ILLEGAL).iter_rows(named=True):
        yield f"server {row['server']} met {ILLEGAL[row['kind']]}: {row['message']}", line(row)


def _gaps(scene: Scene) -> Iterator[tuple[str, Witness]]:
    """Gaps between two proposals; the first ones of a learner and of its follower are expected to be 0x1, and each epoch begins anew."""
    next_epoch = (counter_of("zxid") == FIRST) & (epoch_of("zxid") > epoch_of("expected_zxid"))
    ordinary = (pl.col("expected_zxid") == FIRST) | next_epoch.fill_null(value=False)
    for row in scene.history.trace.events(GAP).filter(~ordinary).iter_rows(named=True):
        yield f"server {row['server']} met a gap between proposals: {row['message']}", line(row)
