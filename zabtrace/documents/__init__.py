"""The JSON documents, each with ``"format": 1``. Other programs rely on their keys: add keys freely, never rename one.

Strategy: a document is made of rows of frames (``wording.rows``); ``Window`` chooses the rows and ``hidden`` counts the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from zabtrace import schema, wording, zxid
from zabtrace.clients import BARE
from zabtrace.documents.listing import Listing
from zabtrace.documents.window import Window
from zabtrace.evidence.trace import Trace

if TYPE_CHECKING:  # long listings need none of these
    from zabtrace.fates.judgement import Judgement
    from zabtrace.predict import Prediction, Start
    from zabtrace.protocol.sync import Sync
    from zabtrace.replay.history import History

FORMAT = 1
Document = dict[str, Any]
VOTE = ("time", "server", "state", "round", "voted_for", "zxid", "peer_epoch", "seen_by", "source", "line")
COUNTED = ("lines", "understood", "unknown", "foreign", "damaged")
NUMBERS = r"0x[0-9a-fA-F]+|[0-9]+"
YEAR_9999 = schema.CALENDAR[1] / 1000
ELECTIONS = 500
"""So many elections are written at a time."""
_ALL = Window()


def verify(history: History, judgement: Judgement, *, every: bool = False, top: int | None = None, window: Window = _ALL) -> Document:
    """Verdict, counts, and the writes that did not survive (``every``: all); ``top`` keeps the first so many."""
    names = wording.Names.of(history.trace.servers)
    writes = listed_writes(judgement, every=every, top=top, window=window)
    return {
        "format": FORMAT,
        "verdict": judgement.verdict,
        "judged_from": _zxid(judgement.judged_from),
        "message": judgement.message,
        "reasons": list(judgement.reasons),
        "counts": judgement.counts,
        "in_flight": judgement.in_flight,
        "counts_by_op": judgement.counts_by_op,
        "servers": [_server(row, names) for row in judgement.servers],
        "writes": [write(row) for row in wording.rows(writes.drop("payload_hash"), names)],
        "ranges": list(wording.rows(judgement.ranges, names)),
        "clients": list(wording.rows(judgement.clients if every else _unanswered(history.trace, judgement.clients), names)),
        "hidden": listed_writes(judgement, every=every).height - writes.height,
    }


def listed_writes(judgement: Judgement, *, every: bool, top: int | None = None, window: Window = _ALL) -> pl.DataFrame:
    """The writes to list, by zxid: those that did not survive, or every one."""
    chosen = judgement.writes if every else judgement.writes.filter(pl.col("fate") != "survived")
    shown = window.narrow(chosen.sort("zxid", maintain_order=True))
    return shown if top is None else shown.head(top)


def _zxid(number: int | None) -> str | None:
    return None if number is None else zxid.text(number)


def _server(row: dict[str, Any], names: wording.Names) -> Document:
    return {**row, "server": names.name(row["server"]), "last_zxid": _zxid(row.get("last_zxid"))}


def write(row: Document) -> Document:
    """A row of WRITES; only a multi has ``ops``."""
    if row["op"] != "multi":
        del row["ops"]
    return row


def _unanswered(trace: Trace, clients: pl.DataFrame) -> pl.DataFrame:
    """The clients' writes that got no certain answer: none at all, or one that no record bears out."""
    unknown = trace.client_ops.filter(pl.col("outcome") == "unknown").select("source", "line")
    without = trace.client_ops.filter((pl.col("outcome") == "acknowledged") & pl.col("zxid").is_null()).select("source", "line")
    open_ = (pl.col("outcome") == "cannot tell") & ~pl.col("op").str.contains(BARE)
    doubtful = clients.filter(open_).join(without, on=["source", "line"], how="semi").select("source", "line")
    return clients.join(pl.concat([unknown, doubtful]), on=["source", "line"], how="semi")


def elections(history: History, window: Window = _ALL) -> Document:
    """Election rounds with their votes, and the windows in which no write was possible."""
    names = wording.Names.of(history.trace.servers)
    shown = window.narrow(history.elections)
    return {
        "format": FORMAT,
        "elections": Listing(shown.height, lambda: _elections(history, shown, names)),
        "unavailable": unavailable(history, names),
        "hidden": history.elections.height - shown.height,
    }


def _elections(history: History, shown: pl.DataFrame, names: wording.Names) -> Iterator[Document]:
    """Some elections at a time, each with its votes."""
    for part in shown.iter_slices(ELECTIONS):
        votes = _votes(history.cast.of(part["election"]), names)
        for row in wording.rows(part, names):
            yield _election(row, votes.get(row["election"], []), names)


def _votes(cast_in: pl.DataFrame, names: wording.Names) -> dict[int, list[Document]]:
    """Votes per election, one for each that was cast; ``seen_by`` lists who printed it, the place is the first that did."""
    cast = ("election", "server", "state", "round", "voted_for", "zxid", "peer_epoch")
    merged = cast_in.group_by(*cast, maintain_order=True).agg(
        pl.col("time").min(), pl.col("seen_by").unique(maintain_order=True).drop_nulls(), pl.col("source", "line").first()
    )
    grouped: dict[int, list[Document]] = {}
    for row in wording.rows(merged.select("election", *VOTE), names):
        grouped.setdefault(row.pop("election"), []).append(row)
    return grouped


def _election(row: Document, votes: list[Document], names: wording.Names) -> Document:
    start, end = row["start"], row["end"]
    return {
        "id": row["election"],
        "round": row["round"],
        "start": start,
        "end": end,
        "duration_ms": milliseconds(start, end),
        "logged_ms": {str(names.name(item["server"])): item["ms"] for item in row["logged_ms"] or ()},
        **{key: row[key] for key in ("leader", "epoch", "kind", "decided_by", "quorum", "servers")},
        "votes": votes,
        "why": row["why"],
        **{key: row[key] for key in ("source", "line")},
    }


def milliseconds(start: str | None, end: str | None) -> int | None:
    """Milliseconds between two written times."""
    if start is None or end is None:
        return None
    return round((datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds() * 1000)


def unavailable(history: History, names: wording.Names) -> list[Document]:
    """The windows in which no write was possible, whose clock tells them, and what shows that they began."""
    return [
        {"from": wording.moment(out.start), "to": wording.moment(out.end), "ms": out.ms, "clock": names.name(out.clock),
         "why": out.why, "source": out.source, "line": out.line}
        for out in history.unavailable
    ]  # fmt: skip


def epochs(history: History, window: Window = _ALL) -> Document:
    """The leaders' epochs, and how much of the counter each one used."""
    names = wording.Names.of(history.trace.servers)
    shown = window.narrow(history.epochs)
    rows = [{**row, **_counter(raw)} for row, raw in zip(wording.rows(shown, names), shown.iter_rows(named=True), strict=True)]
    return {"format": FORMAT, "epochs": rows, "hidden": history.epochs.height - shown.height}


def _counter(row: dict[str, Any]) -> Document:
    """The used share of an epoch's 32-bit counter, and the time by which it would be full at the pace of that epoch."""
    last, begin, end = row["last_zxid"], row["established"], row["ended"]
    if last is None:
        return {"counter_used": None, "rolls_over": None}
    used = zxid.counter(last) / zxid.COUNTER_MASK
    lasted = (end - begin).total_seconds() if begin and end else 0.0
    full = begin.timestamp() + lasted / used if used and lasted > 0 else float("inf")
    return {"counter_used": used, "rolls_over": wording.moment(datetime.fromtimestamp(full, UTC)) if full < YEAR_9999 else None}


def syncs(history: History, window: Window = _ALL) -> Document:
    """How each learner was brought up to date, by epoch, then as the learner saw them."""
    names = wording.Names.of(history.trace.servers)
    shown = window.narrow(history.syncs.sort("epoch", maintain_order=True))
    rows = [sync(row) for row in wording.rows(shown, names)]
    return {"format": FORMAT, "syncs": rows, "hidden": history.syncs.height - shown.height}


def sync(row: Document) -> Document:
    """A row of SYNCS with what it discarded drawn together."""
    first, last, count = (row.pop(f"discarded_{part}") for part in ("from", "to", "count"))
    discarded = None if first is None and last is None and count is None else {"from": first, "to": last, "count": count}
    why, source, line = (row.pop(key) for key in ("why", "source", "line"))
    return {**row, "discarded": discarded, "why": why, "source": source, "line": line}


def predict(prediction: Prediction, names: wording.Names) -> Document:
    """What the next start would do, and which disk is the best to rebuild from."""
    choices = [
        {"server": names.name(one.server), "why": one.why, "would_lose": _zxids(one.would_lose), "committed": _zxids(one.committed),
         "brings_back": _zxids(one.brings_back)}
        for one in prediction.choices
    ]  # fmt: skip
    best = choices[0] if choices else None
    starts = [_start(start, names) for start in prediction.starts]
    return {"format": FORMAT, "starts": starts, "best_to_rebuild_from": best, "choices": choices}


def _zxids(numbers: Iterable[int]) -> list[str]:
    return [zxid.text(number) for number in numbers]


def _start(start: Start, names: wording.Names) -> Document:
    learners = [
        {"server": names.name(one.server), "mode": one.mode, "truncated_to": _zxid(one.truncated_to), "why": one.why,
         "after_restart": _sent(one.after_restart), "after_quorum": _sent(one.after_quorum)}
        for one in start.learners
    ]  # fmt: skip
    return {
        "servers": names.name(start.servers),
        "leader": names.name(start.leader),
        "why": start.why,
        "learners": learners,
        **{key: _zxids(getattr(start, key)) for key in ("discarded", "truncated", "shadowed", "returning", "committed")},
    }


def _sent(sync: Sync | None) -> Document | None:
    """What a learner is sent in another case; None where that makes no difference."""
    return None if sync is None else {"mode": sync.mode, "truncated_to": _zxid(sync.truncated_to)}


def events_summary(trace: Trace, window: Window = _ALL) -> Document:
    """Lines of each text log: understood, unknown, foreign and damaged, and per level; the four add up to all lines."""
    names = wording.Names.of(trace.servers)
    logs = trace.sources.filter(pl.col("lines").is_not_null())
    shown = window.narrow(logs)
    levels = _levels(trace.levels, names)
    keys = ("source", "server", "kind", "layout", "note", *COUNTED)
    rows = list(wording.rows(shown, names))
    sources = [{**{key: row[key] for key in keys}, "by_level": levels.get((row["source"], row["server"]), {})} for row in rows]
    total: Document = {key: sum(row[key] or 0 for row in sources) for key in COUNTED}
    total = {**total, "by_level": _added(row["by_level"] for row in sources)}
    return {"format": FORMAT, "sources": sources, "total": total, "hidden": logs.height - shown.height}


def _levels(counted: pl.DataFrame, names: wording.Names) -> dict[tuple[str, Any], dict[str, dict[str, int]]]:
    """Per source and server (as written) the lines of each level."""
    levels: dict[tuple[str, Any], dict[str, dict[str, int]]] = {}
    for source, server, level, total, understood in counted.sort("source", "level").iter_rows():
        levels.setdefault((source, names.name(server)), {})[level] = {"lines": total, "understood": understood}
    return levels


def _added(levels: Iterable[dict[str, dict[str, int]]]) -> dict[str, dict[str, int]]:
    total: dict[str, dict[str, int]] = {}
    for each in levels:
        for level, numbers in each.items():
            into = total.setdefault(level, dict.fromkeys(numbers, 0))
            for key, number in numbers.items():
                into[key] += number
    return total


def unknown_shapes(lines: pl.DataFrame) -> pl.DataFrame:
    """Messages of ``lines`` that no shape matches, counted by logger and shape (numbers as #), with the first place of each."""
    return (
        lines.filter(pl.col("kind").is_null())
        .with_columns(pl.col("message").str.replace_all(NUMBERS, "#").alias("shape"))
        .group_by("logger", "shape", maintain_order=True)
        .agg(pl.len().alias("count"), pl.col("level", "source", "line", "message").first())
        .pipe(_most_first)
    )


def united_shapes(counted: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """What ``unknown_shapes`` counted in several parts, as one."""
    firsts = pl.col("level", "source", "line", "message").first()
    return pl.concat(counted).group_by("logger", "shape", maintain_order=True).agg(pl.col("count").sum(), firsts).pipe(_most_first)


def _most_first(counted: pl.DataFrame) -> pl.DataFrame:
    return counted.sort("count", descending=True, maintain_order=True).select(
        "count", "level", "logger", "shape", "source", "line", "message"
    )
