"""From a History to the Judgement: witnesses, cuts, proofs, labels, ranges, verdict."""

from __future__ import annotations

from itertools import pairwise

import polars as pl

from zabtrace import schema
from zabtrace.fates import answers, labels, ranges, sentences, sessions, verdicts
from zabtrace.fates.case import Case, build_case
from zabtrace.fates.flight import tail_above
from zabtrace.fates.judgement import Judgement
from zabtrace.fates.never import end_of, first_tops
from zabtrace.fates.renumbered import renumbered
from zabtrace.fates.twins import one_per_payload
from zabtrace.replay.history import History
from zabtrace.zxid import epoch_of


def judge(history: History, since: int | None = None) -> Judgement:
    """Judge every write. ``since`` (a zxid) narrows the verdict to what was written from there on; every label is still given."""
    case = build_case(history, since)
    writes = label(case)
    told = pl.concat([ranges.ranges(case.history, case.cuts, writes, case.ends), sessions.forgotten(case, writes)])
    tail = tail_above(case)
    outcome = verdicts.verdict(case, writes, told, since, tail)
    return Judgement(
        verdict=outcome.verdict,
        writes=writes,
        ranges=told,
        clients=answers.rows(history.trace, case.matches, writes, case.complete),
        folds=history.trace.folded,
        judged_from=since,
        tail_above=tail,
        message=outcome.message,
        reasons=outcome.reasons,
        servers=tuple(
            {
                "server": row["server"],
                "last_zxid": row["last_zxid"],
                "current_epoch": row["current_epoch"],
                "accepted_epoch": row["accepted_epoch"],
            }
            for row in history.disks.join(case.newest, on=["server", "copy"], how="semi").sort("server").iter_rows(named=True)
        ),
    )


# ---------------------------------------------------------------- witnesses
def witnesses(case: Case) -> pl.DataFrame:
    """One row per zxid that any record, client or log line names: the record's columns and how many payloads it has."""
    trace = case.history.trace
    good = trace.txns.filter(pl.col("checksum_ok").fill_null(True)).sort("copy", "server")
    records = good.group_by("zxid", maintain_order=True).agg(
        pl.col("payload_hash").n_unique().alias("payloads"),
        *(pl.col(name).first() for name in ("payload_hash", "op", "path", "session", "cxid", "time", "source", "offset", "copy", "failed")),
    )
    asked = answers.acknowledged(trace, case.answered).select(
        "zxid", acked_op="op", acked_path="path", acked_session="session", acked_source="source", acked_line="line"
    )
    told = _told(case).select("zxid", told_source="source", told_line="line", told_says="message")
    joined = records.join(asked, on="zxid", how="full", coalesce=True).join(told, on="zxid", how="full", coalesce=True)
    return joined.with_columns(
        epoch=epoch_of("zxid"),
        op=pl.coalesce("op", "acked_op"),
        path=pl.coalesce("path", "acked_path"),
        session=pl.coalesce("session", "acked_session"),
        acked=pl.col("acked_line").is_not_null(),
        contradicted=(pl.col("payloads").fill_null(1) > 1) | pl.col("zxid").is_in(answers.contradicted(trace).to_list()),
    ).sort("zxid")


TOLD_KINDS = ("txnlog_created",)
"""Lines that name a zxid which was certainly logged: the first record of a new file."""


def _told(case: Case) -> pl.DataFrame:
    lines = case.history.trace.events(*TOLD_KINDS).filter(pl.col("zxid").is_not_null() & (epoch_of("zxid") > 0))
    return lines.unique(subset=["zxid"], keep="first", maintain_order=True)


# ---------------------------------------------------------------- labels
def label(case: Case) -> pl.DataFrame:
    """schema.WRITES for every witnessed zxid, and for every payload of it."""
    rows = witnesses(case)
    if rows.is_empty():
        return schema.frame(schema.WRITES)
    rows = rows.join(labels.places(case.chains, case.newest, case.history.disks), on="zxid", how="left")
    rows = rows.join(labels.absences(rows.get_column("zxid"), case.chains, case.newest, case.history.disks), on="zxid", how="left")
    rows = rows.join(labels.unlogged(case.chains, case.newest, case.history), on="zxid", how="left")
    rows = rows.with_columns(discarded_by=labels.discarded_by(case.cuts), returned=labels.returned(case.cuts))
    rule, number = labels.proven(case.proofs)
    in_epoch, _ = labels.proven([p for p in case.proofs if p.rule in labels.EPOCH_PROOFS])
    leaders = dict(case.history.epochs.filter(pl.col("epoch").is_in(list(case.epochs))).select("epoch", "leader").iter_rows())
    snapshots = case.history.trace.snapshots
    again = renumbered(case, rows.filter("contradicted").get_column("epoch"))
    state, holed = labels.membership(case.cuts), labels.in_a_hole(case.chains, snapshots, leaders)
    holed = holed | labels.forked(case.chains, snapshots, again)
    rows = rows.with_columns(
        state=pl.when((state == labels.IN) & holed).then(labels.OPEN).otherwise(state),
        kept_by=labels.kept_by(case.cuts),
        proof_rule=rule,
        proof=number,
        in_epoch_proof=in_epoch.is_not_null(),
        weak=_weak(case),
        safe=pl.lit(case.outlook.safe),
        held=pl.lit(True) if case.outlook.holds_up_to is None else pl.col("zxid") <= case.outlook.holds_up_to,
        renumbered=pl.col("epoch").is_in(again),
        doubted=pl.lit(False) if case.outlook.doubted_above is None else pl.col("zxid") > case.outlook.doubted_above,
    )
    # a committed write that a later epoch is not shown to have kept: that epoch may be the older one, numbered by a wiped server
    unsettled = rows.filter((pl.col("state") == labels.OPEN) & (pl.col("proof_rule").is_not_null() | pl.col("acked"))).height > 0
    rows = rows.with_columns(held=pl.col("held") & pl.lit(not unsettled))
    rows = rows.with_columns(doomed=case.outlook.doomed(), never=_never(case, rows))
    rows = rows.with_columns(fate=labels.fate()).with_columns(committed=labels.committed(), at_next_start=labels.at_next_start())
    return sentences.complete(case, one_per_payload(case, rows))


def _weak(case: Case) -> pl.Expr:
    """Shown by the voters' first votes to have been on fewer than a quorum when the epoch ended."""
    thresholds: dict[int, int | None] = {}
    tops: dict[int, dict[int, int]] = {}
    for f, e in pairwise(case.epochs):
        tops[f] = first_tops(case.read, f, e)
        config = case.history.config_at(max(tops[f].values(), default=None))
        thresholds[f] = next((t for t in sorted(tops[f].values()) if config.blocks(v for v, top in tops[f].items() if top <= t)), None)
    return labels.weak_above(tops, thresholds)


def _never(case: Case, rows: pl.DataFrame) -> pl.Expr:
    """N1: above the last zxid that voters outside of every possible quorum could have acknowledged."""
    known = {(end.epoch, end.successor): end for end in case.ends}
    expression = pl.lit(False)
    pairs = rows.filter(pl.col("discarded_by").is_not_null()).select("epoch", "discarded_by").unique().iter_rows()
    for f, e in pairs:
        end = known.get((f, e)) or end_of(case.read, f, e)
        if end.never_above is not None:
            expression = expression | ((pl.col("epoch") == f) & (pl.col("discarded_by") == e) & (pl.col("zxid") > end.never_above))
    for f, threshold in case.outlook.never_above.items():
        expression = expression | (pl.col("discarded_by").is_null() & (pl.col("epoch") == f) & (pl.col("zxid") > threshold))
    return expression
