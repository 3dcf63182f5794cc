"""The label of every write: design and zab-semantics 7.4, first match, as expressions over columns.

Strategy: for each established later epoch a write is *in*, *out*, *open* or in *conflict*; the worst of them, the proofs that
it was committed and its place on the newest disks give the label. Nothing here looks at one write at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

import polars as pl

from zabtrace import schema
from zabtrace.fates.committed import Proof
from zabtrace.fates.cuts import Cut
from zabtrace.replay.history import History
from zabtrace.zxid import counter_of, epoch, epoch_of

IN, OPEN, OUT, CONFLICT = 0, 1, 2, 3
EPOCH_PROOFS = ("C4", "C5", "C6", "C7")
"""Proofs that date from the epoch itself: with one of them a write was on a quorum when its epoch ended."""


def membership(cuts: Mapping[int, Cut]) -> pl.Expr:
    """IN, OPEN, OUT or CONFLICT: is the write part of every later established epoch's initial history? Null: no later one."""
    states = [_in_one(cut) for cut in cuts.values()]
    return pl.max_horizontal(states) if states else pl.lit(None, dtype=pl.Int32)


def _in_one(cut: Cut) -> pl.Expr:
    z, low, high = pl.col("zxid"), cut.low, cut.high
    state = pl.lit(OPEN, dtype=pl.Int32)
    if low is not None and high is not None and low > high:
        state = pl.when((z > high) & (z <= low)).then(CONFLICT).otherwise(state)
    if high is not None:
        state = pl.when(z > max(high, low if low is not None else high)).then(OUT).otherwise(state)
    if low is not None:
        state = pl.when(z <= min(low, high if high is not None else low)).then(IN).otherwise(state)
    return pl.when(pl.col("epoch") < cut.epoch).then(state.cast(pl.Int32))


def in_a_hole(chains: pl.DataFrame, snapshots: pl.DataFrame, leaders: Mapping[int, int | None]) -> pl.Expr:
    """Is the write missing in the middle of the log of a server that led a later epoch (``leaders``: established epochs, None: unknown)?

    What is behind a hole was logged by a process that had the write in memory only (its sync thread was not waited for, ZOOKEEPER-4712):
    its vote and its snapshots name later zxids, and yet a history that it loads again lacks the write. A snapshot received directly below
    what is behind explains it; one of a later epoch does not as long as an older one is there, for purging takes the oldest first.
    """
    oldest = snapshots.filter("valid").group_by("server", "copy").agg(oldest=pl.col("zxid").min())
    unexplained = (epoch_of("import_zxid") > epoch_of("zxid")) & (pl.col("oldest") < pl.col("previous"))
    holes = chains.filter(pl.col("step").is_in(["hole", "import"]) & (epoch_of("previous") == epoch_of("zxid")))
    holes = holes.join(oldest, on=["server", "copy"], how="left").filter((pl.col("step") == "hole") | unexplained)
    found = pl.lit(False)
    for server, previous, behind in holes.select("server", "previous", "zxid").unique().iter_rows():
        led = [e for e, leader in leaders.items() if e > epoch(behind) and leader in (server, None)]
        if led:
            found = found | ((pl.col("zxid") > previous) & (pl.col("zxid") < behind))
    return found


def forked(chains: pl.DataFrame, snapshots: pl.DataFrame, doubled: Sequence[int]) -> pl.Expr:
    """Is the write older than an epoch whose number was given out twice, of which one may have begun without it?

    So it may where a log begins with that epoch: what the epoch kept is told of the other one. What a snapshot of an earlier epoch holds is
    of before both.
    """
    begins = chains.filter((pl.col("step") == "first") & epoch_of("zxid").is_in(list(doubled))).select("server", "copy", first="zxid")
    earlier = snapshots.filter("valid").select("server", "copy", base="zxid")
    based = begins.join(earlier, on=["server", "copy"], how="left").with_columns(
        base=pl.when(epoch_of("base") < epoch_of("first")).then("base").otherwise(0)
    )
    found = pl.lit(False)
    for first, base in based.group_by("server", "copy", "first").agg(pl.col("base").max()).select("first", "base").unique().iter_rows():
        found = found | ((pl.col("epoch") < epoch(first)) & (pl.col("zxid") > base))
    return found


def discarded_by(cuts: Mapping[int, Cut]) -> pl.Expr:
    """The first established epoch whose initial history lacks the write, or null."""
    later = [pl.when(_in_one(cut) == OUT).then(pl.lit(cut.epoch, dtype=pl.Int64)) for cut in cuts.values()]
    return pl.coalesce(later) if later else pl.lit(None, dtype=pl.Int64)


def kept_by(cuts: Mapping[int, Cut]) -> pl.Expr:
    """C2: the first later established epoch, where its initial history includes the write; else null."""
    first = [
        pl.when(pl.col("epoch") < cut.epoch).then(pl.struct(e=pl.lit(cut.epoch, dtype=pl.Int64), state=_in_one(cut)))
        for cut in cuts.values()
    ]
    if not first:
        return pl.lit(None, dtype=pl.Int64)
    chosen = pl.coalesce(first)
    return pl.when(chosen.struct.field("state") == IN).then(chosen.struct.field("e"))


def returned(cuts: Mapping[int, Cut]) -> pl.Expr:
    """Out of one later established epoch, and in a still later one again: a disk that was never brought up to date led that one.

    A history that reaches into the epoch that discarded the write was built on that one, and has not got it.
    """
    discarded, back = discarded_by(cuts), pl.lit(False)
    for cut in cuts.values():
        stale = (discarded < cut.epoch) & (discarded > epoch(cut.low if cut.low is not None else 0))
        back = back | (stale & (_in_one(cut) == IN)).fill_null(False)
    return back


def proven(proofs: Sequence[Proof]) -> tuple[pl.Expr, pl.Expr]:
    """Rule and number (index into ``proofs``) of the first proof that covers the write, null where none does. Reads ``discarded_by``.

    C3 is that a proof of a zxid covers the earlier ones of its epoch; the rule named is the one that was proved, C3 for the rest.
    """
    rule, number = pl.lit(None, dtype=pl.String), pl.lit(None, dtype=pl.Int64)
    for i, proof in reversed(list(enumerate(proofs))):
        covered = (pl.col("epoch") == epoch(proof.upto)) & (pl.col("zxid") <= proof.upto)
        if proof.moment:
            covered = covered & (pl.col("discarded_by") > proof.moment).fill_null(True)
        name = (
            pl.lit(proof.rule)
            if proof.rule in ("C1", "C4")
            else pl.when(pl.col("zxid") == proof.upto).then(pl.lit(proof.rule)).otherwise(pl.lit("C3"))
        )
        rule = pl.when(covered).then(name).otherwise(rule)
        number = pl.when(covered).then(pl.lit(i, dtype=pl.Int64)).otherwise(number)
    return rule, number


def places(chains: pl.DataFrame, newest: pl.DataFrame, disks: pl.DataFrame) -> pl.DataFrame:
    """Per zxid, of the newest copies: ``on_disk_of``, ``live_on``, ``live_epoch`` (lowest currentEpoch of a live holder), ``replayed``."""
    current = disks.select("server", "copy", "current_epoch", "base_zxid")
    rows = chains.join(newest, on=["server", "copy"], how="semi").join(current, on=["server", "copy"], how="left")
    live = pl.col("hidden_by").is_null()
    return rows.group_by("zxid").agg(
        on_disk_of=pl.col("server").unique().sort(),
        live_on=pl.col("server").filter(live).unique().sort(),
        live_epoch=pl.col("current_epoch").filter(live).fill_null(0).min(),
        replayed=(~live & (pl.col("zxid") > pl.col("base_zxid").fill_null(-1))).any(),
    )


def absences(zxids: pl.Series, chains: pl.DataFrame, newest: pl.DataFrame, disks: pl.DataFrame) -> pl.DataFrame:
    """Per zxid: ``absent_from``, the servers whose newest copy passes over it without a gap that an import could fill."""
    asked = zxids.unique().sort().to_frame("zxid")
    found: list[pl.DataFrame] = []
    for server, copy in newest.iter_rows():
        own = (
            chains.filter((pl.col("server") == server) & (pl.col("copy") == copy))
            .sort("zxid")
            .select(own="zxid", step="step", previous="previous")
        )
        end = disks.filter((pl.col("server") == server) & (pl.col("copy") == copy)).select("last_zxid", "current_epoch")
        if own.is_empty() or end.is_empty():
            continue
        last, current = end.row(0)
        following = asked.join_asof(own, left_on="zxid", right_on="own", strategy="forward", coalesce=False)
        over = (pl.col("own") != pl.col("zxid")) & (pl.col("step") == "epoch") & (pl.col("previous") < pl.col("zxid"))
        behind = pl.col("own").is_null() & (pl.col("zxid") > last) & (epoch_of("zxid") <= (current if current is not None else -1))
        found.append(following.filter(over | behind).select("zxid", server=pl.lit(server, dtype=schema.INT)))
    if not found:
        return asked.with_columns(absent_from=pl.lit([], dtype=pl.List(schema.INT)))
    return pl.concat(found).group_by("zxid").agg(absent_from=pl.col("server").sort())


def unlogged(chains: pl.DataFrame, newest: pl.DataFrame, history: History) -> pl.DataFrame:
    """Per zxid: ``unlogged_by``, servers that may have applied it without logging it, and led a later epoch.

    A follower that goes from one leader to the next without a restart names what it applied, not what it logged (ZOOKEEPER-4646), and is
    sent what comes behind that. Where its log was read, a hole tells it (``in_a_hole``); else the last zxid that it named is in doubt.
    """
    served = history.roles.filter(pl.col("role").is_in(["FOLLOWING", "LEADING", "OBSERVING"]))
    again = served.filter(pl.int_range(pl.len()).over("server", "process") > 0).select("server", "epoch")
    sent = history.syncs.filter((pl.col("mode") == "DIFF") & (counter_of("learner_zxid") > 0))
    positions = sent.select("epoch", server="learner", zxid="learner_zxid").join(again, on=["server", "epoch"], how="semi")
    led = history.epochs.filter(pl.col("status") == "established").select("leader", later="epoch").drop_nulls()
    doubtful = positions.join(led, left_on="server", right_on="leader").filter(pl.col("later") > pl.col("epoch"))
    logged = chains.join(newest, on=["server", "copy"], how="semi").select("server", "zxid")
    unread = doubtful.join(logged, on=["server", "zxid"], how="anti")
    return unread.group_by("zxid").agg(unlogged_by=pl.col("server").unique().sort())


def weak_above(tops: Mapping[int, Mapping[int, int]], thresholds: Mapping[int, int | None]) -> pl.Expr:
    """Was the write shown to be on fewer than a quorum when its epoch ended? ``thresholds``: per epoch the zxid above which that holds."""
    known = [(e, t) for e, t in thresholds.items() if t is not None and e in tops]
    return reduce(lambda acc, item: acc | ((pl.col("epoch") == item[0]) & (pl.col("zxid") > item[1])), known, pl.lit(False))


def fate() -> pl.Expr:
    """The first label that applies. Columns used: contradicted, state, proof_rule, acked, kept_by, weak, safe, doomed, ..."""
    out, committed = pl.col("state") == OUT, pl.col("proof_rule").is_not_null() | pl.col("acked")
    live_pending = (pl.col("live_on").list.len().fill_null(0) > 0) & (pl.col("live_epoch").fill_null(0) < pl.col("discarded_by"))
    return (
        pl.when(pl.col("contradicted") | (pl.col("state") == CONFLICT))
        .then(pl.lit("diverged"))
        .when(pl.col("renumbered"))
        .then(pl.lit("undecided"))
        .when(out & committed)
        .then(pl.lit("lost"))
        .when(pl.col("returned"))
        .then(pl.lit("undecided"))
        .when(out & pl.col("kept_by").is_not_null())
        .then(pl.lit("lost"))
        .when((pl.col("state").is_null() | (pl.col("state") == IN)) & pl.col("doubted") & ~pl.col("doomed"))
        .then(pl.lit("undecided"))
        .when((pl.col("state").is_null() | (pl.col("state") == IN)) & pl.col("unlogged_by").is_not_null())
        .then(pl.lit("undecided"))
        .when((pl.col("state") == IN) & pl.col("weak") & ~pl.col("in_epoch_proof") & ~pl.col("acked"))
        .then(pl.lit("recovered"))
        .when(pl.col("state") == IN)
        .then(pl.lit("survived"))
        .when(pl.col("state").is_null() & committed & pl.col("safe") & pl.col("held"))
        .then(pl.lit("survived"))
        .when(out & live_pending)
        .then(pl.lit("pending"))
        .when(out & (pl.col("on_disk_of").list.len().fill_null(0) > 0))
        .then(pl.lit("shadowed"))
        .when(out)
        .then(pl.lit("truncated"))
        .when(pl.col("state").is_null() & ~committed & pl.col("doomed"))
        .then(pl.lit("pending"))
        .otherwise(pl.lit("undecided"))
    )


def committed() -> pl.Expr:
    """yes, no or unknown; a discarded write is 'no' only where N1 is conclusive."""
    return (
        pl.when(pl.col("contradicted") | pl.col("renumbered"))
        .then(pl.when(pl.col("acked") & ~pl.col("contradicted")).then(pl.lit("yes")).otherwise(pl.lit("unknown")))
        .when(pl.col("proof_rule").is_not_null() | pl.col("acked") | pl.col("kept_by").is_not_null())
        .then(pl.lit("yes"))
        .when(pl.col("fate").is_in(["survived", "recovered"]))
        .then(pl.lit("yes"))
        .when(pl.col("fate").is_in(["truncated", "shadowed", "pending"]) & pl.col("never"))
        .then(pl.lit("no"))
        .otherwise(pl.lit("unknown"))
    )


def at_next_start() -> pl.Expr:
    """What the next start does with the write where it still lies."""
    return (
        pl.when(pl.col("fate").is_in(["survived", "recovered"]))
        .then(pl.lit("kept"))
        .when(pl.col("replayed").fill_null(False) & pl.col("fate").is_in(["shadowed", "lost"]))
        .then(pl.lit("returns"))
        .when(pl.col("fate").is_in(["undecided", "diverged"]))
        .then(pl.lit("depends"))
        .otherwise(pl.lit("discarded"))
    )
