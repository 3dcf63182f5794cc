"""The whole story of one zxid: its fate, its records in every file, and the epochs and synchronizations that concern it."""

from __future__ import annotations

import polars as pl

from zabtrace import wording, zxid
from zabtrace.documents import FORMAT, Document, epochs, grids, sync, write
from zabtrace.fates.judgement import Judgement
from zabtrace.render import screens
from zabtrace.render.screen import Block, Grid, Sentence
from zabtrace.replay.history import History

RECORDS = ("server", "copy", "source", "offset", "time", "session", "cxid", "op", "path", "data_len", "checksum_ok")


def story(history: History, judgement: Judgement, told: int) -> Document:
    """Everything the evidence says about ``told``; empty lists where it says nothing."""
    names = wording.Names.of(history.trace.servers)
    number = pl.lit(told)

    def rows(df: pl.DataFrame) -> list[Document]:
        return list(wording.rows(df, names))

    cut = pl.col("truncated_to").is_not_null() & (pl.col("truncated_to") < number) & (pl.col("learner_zxid").fill_null(told) >= number)
    reached = pl.col("to_zxid").is_not_null() & (pl.col("learner_zxid") < number) & (pl.col("to_zxid") >= number)
    between = (pl.col("from") <= number) & (pl.col("to").fill_null(told) >= number)
    return {
        "format": FORMAT,
        "zxid": zxid.text(told),
        "writes": [write(row) for row in rows(judgement.writes.filter(pl.col("zxid") == told).drop("payload_hash"))],
        "ranges": rows(judgement.ranges.filter(between)),
        "records": rows(history.trace.txns.filter(pl.col("zxid") == told).sort("server", "copy", "source").select(RECORDS)),
        "epoch": [row for row in epochs(history)["epochs"] if row["epoch"] == zxid.epoch(told)],
        "syncs": [sync(row) for row in rows(history.syncs.filter(cut | reached))],
        "clients": rows(judgement.clients.filter(pl.col("zxid") == told)),
    }


def screen(document: Document) -> list[Block]:
    """The story told: what became of it, why, where it is shown, and what concerned it."""
    blocks: list[Block] = []
    for row in document["writes"]:
        blocks += _fate(row)
    if not document["writes"]:
        blocks.append(Sentence(f"{document['zxid']}: no record of it was judged."))
    blocks += [Sentence(f"{row['fate']} as part of a range known from text: {row['why']}") for row in document["ranges"]]
    blocks.append(Grid("Records", [(name, name) for name in RECORDS], document["records"]))
    blocks.append(screens.grid("Its epoch", "epochs", document["epoch"]))
    blocks += screens.syncs(document) if document["syncs"] else []
    return [*blocks, screens.grid("Clients", "clients", document["clients"])]


def _fate(row: Document) -> list[Block]:
    settled = [Sentence(f"What would settle it: {row['settled_by']}")] if row["settled_by"] else []
    return [
        Sentence(f"{row['zxid']} {row['op'] or ''} {grids.paths(row)}: {row['fate']}", row["fate"]),
        Sentence(f"{row['why']} (rule {row['rule']})" if row["rule"] else row["why"] or ""),
        Sentence(f"committed: {row['committed']}; answered: {row['acknowledged']}; at the next start: {row['at_next_start']}"),
        *settled,
        screens.grid("Shown by", "proofs", row["evidence"]),
    ]
