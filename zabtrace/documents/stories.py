"""The documents of ``verify --write`` and ``verify --explain``: everything of ``verify`` that concerns some writes, and their story."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from zabtrace import wording, zxid
from zabtrace.documents import Document, epochs, sync, verify
from zabtrace.fates.judgement import Judgement
from zabtrace.replay.history import History
from zabtrace.stories import Story, story
from zabtrace.stories.argument import argument

RECORDS = ("server", "copy", "source", "offset", "time", "session", "cxid", "op", "path", "data_len", "checksum_ok")


def told(history: History, judgement: Judgement, found: Story) -> Document:
    """``verify`` with the writes, ranges and client writes of the story alone, each write with its argument, and ``story``."""
    names = wording.Names.of(history.trace.servers)
    target = found.target
    own = target.ops.select("source", "line")
    clients = judgement.clients.join(own, on=["source", "line"], how="semi")
    narrowed = replace(judgement, writes=target.writes, ranges=target.ranges, clients=clients)
    document = verify(history, narrowed, every=True)
    document |= {"counts": judgement.counts, "counts_by_op": judgement.counts_by_op}
    document["writes"] = [{**row, **argument(row)} for row in document["writes"]]
    return document | {
        "story": {
            "asked": target.asked,
            "kind": target.kind,
            "message": found.message,
            "held": list(wording.rows(found.held, names)),
            "steps": [{**row, "at": _place(at)} for row, at in zip(wording.rows(found.steps, names), found.steps["at"], strict=True)],
        }
    }


def _place(at: int | None) -> str | None:
    return None if at is None else zxid.text(at)


def explained(history: History, judgement: Judgement, number: int) -> Document:
    """The argument about one zxid: its story, and beside it the records, the epoch and the synchronizations that concern it."""
    names = wording.Names.of(history.trace.servers)
    document = told(history, judgement, story(history, judgement, number))
    cut = pl.col("truncated_to").is_not_null() & (pl.col("truncated_to") < number) & (pl.col("learner_zxid").fill_null(number) >= number)
    reached = pl.col("to_zxid").is_not_null() & (pl.col("learner_zxid") < number) & (pl.col("to_zxid") >= number)
    records = history.trace.txns.filter(pl.col("zxid") == number).sort("server", "copy", "source").select(RECORDS)
    return document | {
        "zxid": zxid.text(number),
        "records": list(wording.rows(records, names)),
        "epoch": [row for row in epochs(history)["epochs"] if row["epoch"] == zxid.epoch(number)],
        "syncs": [sync(row) for row in wording.rows(history.syncs.filter(cut | reached), names)],
    }
