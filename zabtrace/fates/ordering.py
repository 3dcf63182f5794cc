"""The order of a client's operations: between which zxids one must lie, and by when it was no longer under way.

A session's requests are processed in the order in which they were sent (PrepRequestProcessor has one queue, and rejects what an old
connection still sends once the session has moved), so that an operation that began after an answer has a larger zxid than that answer
names, and one that was given up before an answered write began a smaller one: the only use of clocks, and they are of one client. Where
the answers of a session contradict its clock (it was set back), it orders nothing.

A request that never reached a disk may still have been under way when the disks were copied. It was not if its session had gone on or was
closed; nor if clients on its clock were answered longer after it was given up than any server keeps a link to a silent one (syncLimit): a
server that slept over it has lost its leader or its followers by then, and drops what it held.
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from zabtrace.evidence.trace import Trace
from zabtrace.replay.settings import DEFAULT_TICK, limit, settings

LARGEST = (1 << 63) - 1
LONGEST = timedelta(seconds=60)
"""Longer than any usual syncLimit: where no configuration tells it."""


def bounds_of(trace: Trace, asked: pl.DataFrame) -> pl.DataFrame:
    """Per operation ``at``: ``low`` and ``high``, the zxids that its session was told before it and after it."""
    every = trace.client_ops.filter(pl.col("session").is_in(asked.get_column("session").drop_nulls().unique().to_list()))
    every = every.with_columns(zxid=pl.when("write").then("zxid"), top=pl.max_horizontal("zxid", "reply_zxid"))
    answers = every.filter(~pl.col("session").is_in(_set_back(every)) & pl.col("top").is_not_null())
    return _bounded(asked.select("at", "session", "start", "end").drop_nulls("session"), answers).select("at", "low", "high")


def between(pairs: pl.DataFrame, bounds: pl.DataFrame) -> pl.DataFrame:
    """The pairs (at, zxid) that lie between the answers before and after the operation."""
    inside = (pl.col("zxid") > pl.col("low").fill_null(-1)) & (pl.col("zxid") < pl.col("high").fill_null(LARGEST))
    return pairs.join(bounds, on="at", how="left").filter(inside).select("at", "zxid")


def overtaken(trace: Trace, asked: pl.DataFrame, bounds: pl.DataFrame) -> dict[int, tuple[int, ...]]:
    """at -> zxids of which each, if it is in force, shows that the operation was no longer under way: a later answer to its session, the
    end of the session (PrepRequestProcessor.checkSession accepts nothing of it then), an answer to anybody on its clock long after."""
    closed = trace.txns.filter(pl.col("op") == "closeSession").select("session", later="zxid").unique()
    ends = asked.select("at", "session").drop_nulls().join(closed, on="session")
    found = pl.concat([bounds.select("at", later="high"), ends.select("at", "later"), _outwaited(trace, asked)]).drop_nulls()
    return {at: tuple(zxids) for at, zxids in found.unique().sort("at", "later").group_by("at").agg("later").iter_rows()}


def _outwaited(trace: Trace, asked: pl.DataFrame) -> pl.DataFrame:
    """Per operation ``at``: ``later``, the zxid of the first answered write on its clock that began longer after it than a link lasts."""
    answered = trace.client_ops.filter(pl.col("write") & (pl.col("outcome") == "acknowledged")).drop_nulls(["zxid", "start", "end"])
    clock = pl.when(pl.col("source").is_in(_one_clock(answered))).then(pl.lit("")).otherwise(pl.col("client").fill_null(""))
    whose = answered.select("source", "client").unique()  # a client without any answer cannot be held against the others
    begun = answered.select("source", clock.alias("clock"), "start", later="zxid").sort("start")
    given_up = asked.drop_nulls("end").join(whose, on=["source", "client"], how="semi", nulls_equal=True)
    given_up = given_up.select("at", "source", clock.alias("clock"), pl.col("end") + _longest_link(trace)).sort("end")
    found = given_up.join_asof(begun, left_on="end", right_on="start", by=["source", "clock"], strategy="forward", check_sortedness=False)
    return found.select("at", "later").drop_nulls()


def _one_clock(answered: pl.DataFrame) -> list[str]:
    """Histories whose clients have one clock: no write was answered before one with a smaller zxid had begun."""
    in_order = answered.sort("source", "zxid").select("source", "end", before=pl.col("start").cum_max().shift(1).over("source"))
    apart = in_order.filter(pl.col("before") > pl.col("end")).get_column("source")
    return sorted(set(answered.get_column("source").to_list()) - set(apart.to_list()))


def _longest_link(trace: Trace) -> timedelta:
    """The longest syncLimit of any server, and a tick (LearnerHandler and Learner time out after it)."""
    known = settings(trace)
    limits = {server: limit(known, server, "syncLimit") for server in known}
    told = [found + int(known[server].get("tickTime", DEFAULT_TICK)) for server, found in limits.items() if found is not None]
    return timedelta(milliseconds=max(told)) if told and len(told) == len(known) else LONGEST


def _bounded(asked: pl.DataFrame, answers: pl.DataFrame) -> pl.DataFrame:
    """``asked`` with ``low``, the largest zxid told before it began, and ``high``, the smallest of a write that began after it ended."""
    before = answers.drop_nulls("end").sort("end").select("session", "end", low=pl.col("top").cum_max().over("session"))
    after = answers.drop_nulls(["start", "zxid"]).sort("start")
    after = after.select("session", "start", high=pl.col("zxid").cum_min(reverse=True).over("session"))
    begun, ended = asked.drop_nulls("start").sort("start"), asked.drop_nulls("end").sort("end")
    lows = begun.join_asof(before, left_on="start", right_on="end", by="session", allow_exact_matches=False, check_sortedness=False)
    highs = ended.join_asof(
        after, left_on="end", right_on="start", by="session", strategy="forward", allow_exact_matches=False, check_sortedness=False
    )
    return asked.join(lows.select("at", "low"), on="at", how="left").join(highs.select("at", "high"), on="at", how="left")


def _set_back(every: pl.DataFrame) -> list[int]:
    """Sessions whose times order nothing: neither begins nor ends follow the lines, or the zxids told contradict them."""
    lines = every.sort("source", "line").group_by("source", "session", maintain_order=True)
    jumps = lines.agg(*((pl.col(name).drop_nulls().diff().dt.total_microseconds() < 0).any().alias(name) for name in ("start", "end")))
    told = every.drop_nulls(["start", "zxid"]).with_row_index("at")
    low = _bounded(told.select("at", "session", "start", "end"), every.drop_nulls("top")).select("at", "low")
    against = told.join(low, on="at").filter(pl.col("low") >= pl.col("zxid"))
    return sorted({*jumps.filter("start", "end").get_column("session").to_list(), *against.get_column("session").to_list()})
