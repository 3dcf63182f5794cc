"""What servers in service say of the sessions they have committed: proofs of commits, and of losses that no record shows.

From 3.6 on every server prints "Committing global session" when it applies the record that creates a session (LeaderSessionTracker and
LearnerSessionTracker.commitSession, by way of ZooKeeperServer.processTxnForSessionEvents). Printed in service, behind UPTODATE or the
leader's quorum, that record is committed, in the epoch served or an earlier one (C6). Where a later epoch's initial history was read
record by record and no log has the session's creation, that epoch began without it: the disks were wiped or put back to an older
state, all of them, and nothing else shows it.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from zabtrace import schema
from zabtrace.fates.case import Case
from zabtrace.fates.committed import session_lines
from zabtrace.replay.numbering import not_rising
from zabtrace.zxid import counter, counter_of, epoch, epoch_of, make, text

MOST_EVIDENCE = 3


def forgotten(case: Case, writes: pl.DataFrame) -> pl.DataFrame:
    """schema.RANGES: per established epoch, the committed sessions that it began without, though no record of them is left.

    Proof. Let S be committed by a server in service in epoch f, and e the first established epoch above f. By C2 and C3 the record that
    creates S is in I(e), unless it is lost. ``_read_whole`` shows I(e) record by record. It is not among them: it is lost. Nothing is
    concluded where a zxid has two payloads (its epoch was numbered twice), for then "above" says nothing. Where text alone shows that an
    epoch came again, its number says nothing of where in the epoch the session was: the range begins with the epoch.
    """
    told = session_lines(case.history)
    if told.is_empty() or (writes.get_column("fate") == "diverged").any():
        return schema.frame(schema.RANGES)
    missing = told.join(_created(case), on="session", how="anti").sort("epoch", "server", "source", "line")
    return schema.frame(schema.RANGES, _rows(case, missing))


def _created(case: Case) -> pl.DataFrame:
    """Every creation of a session that was read, damaged records too: session, zxid."""
    trace = case.history.trace
    held = trace.txns.filter(pl.col("op") == "createSession").select("session", "zxid").unique()
    return held if trace.long is None else pl.concat([held, trace.long.created]).unique()


def _rows(case: Case, missing: pl.DataFrame) -> Iterator[dict[str, object]]:
    twice = case.history.terms is not None and any(not_rising(case.history.terms))
    following = {f: next((e for e in case.epochs if e > f), None) for f in missing.get_column("epoch").unique().to_list()}
    for e in sorted({e for e in following.values() if e is not None and _read_whole(case, e)}):
        mine = missing.filter(pl.col("epoch").is_in([f for f, after in following.items() if after == e]))
        sessions = mine.get_column("session").n_unique()
        first, kept = mine.row(0, named=True), case.cuts[e].low or 0
        evidence = [
            {"source": row["source"], "line": row["line"], "offset": None, "says": row["message"]}
            for row in mine.unique("session", keep="first", maintain_order=True).head(MOST_EVIDENCE).iter_rows(named=True)
        ]
        yield {
            "fate": "lost",
            "server": first["server"],
            "from": kept + 1 if epoch(kept) == first["epoch"] and not twice else make(first["epoch"], 1),
            "to": None,
            "count": None,
            "committed": "yes",
            "evidence": [*evidence, *(source.evidence for source in case.cuts[e].sources[:2])],
            "why": f"Server {first['server']} committed session {text(first['session'])} in epoch {first['epoch']}"
            + (f", and {sessions - 1} more were committed" if sessions > 1 else "")
            + f"; epoch {e} began with the history up to {text(kept)}, of which every record was read, without it: "
            "the disks were wiped or put back to an older state.",
        }


def _read_whole(case: Case, e: int) -> bool:
    """Is the end of I(e) known, not from passages between files alone, and was every record of I(e) read, from epoch 1 on?"""
    if e <= 1:
        alone = case.history.trace.snapshots.filter((epoch_of("zxid") == 0) & (counter_of("zxid") > 0))
        return e == 1 and alone.is_empty() and case.chains.filter(epoch_of("zxid") < 1).is_empty()
    cut = case.cuts.get(e)
    if cut is None or cut.low is None or not cut.known or all(source.loose for source in cut.sources if source.high is not None):
        return False
    own = case.chains.filter((epoch_of("zxid") == epoch(cut.low)) & (pl.col("zxid") <= cut.low)).select("zxid").unique()
    return case.history.trace.stands_for(own) == counter(cut.low) and _read_whole(case, epoch(cut.low))
