"""An election as messages: lanes, arrows from sender to receiver, changes of vote with their rule, quorums of equal votes, decisions.

Strategy: what the servers printed and nothing else. A notification is an arrow that ends where its receiver printed it; it begins at
the line in which its sender printed the same vote of its own, by the sender's clock, or is marked as sent at an unknown time.
A server's vote changes where it casts another one than before; the rule is the order of votes (``protocol.vote``).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import polars as pl

from zabtrace import wording, zxid
from zabtrace.charts.aligning import SHIFT
from zabtrace.protocol.vote import Vote, decided_by
from zabtrace.replay.history import History

MOST = 30
"""So many elections can be stepped through, the last ones."""
ARROWS = 300
"""Notifications per election, the first ones."""
CAST = ("server", "round", "voted_for", "zxid", "peer_epoch")


def elections(history: History) -> list[dict[str, Any]]:
    """Per election with votes: ``id, title, servers, steps``, and ``matrix``: who printed which last vote of whom.

    ``time`` of a step is that of the History, which may be brought to one clock; ``clock`` is what its own server printed.
    """
    names = wording.Names.of(history.trace.servers)
    with_votes = history.elections.filter(pl.col("election").is_in(history.votes["election"].unique().to_list()))
    return [_election(history, row, names) for row in with_votes.tail(MOST).iter_rows(named=True)]


def _election(history: History, row: dict[str, Any], names: wording.Names) -> dict[str, Any]:
    votes = history.votes.filter((pl.col("election") == row["election"]) & pl.col("time").is_not_null())
    votes = votes.sort("time", maintain_order=True).head(ARROWS)
    servers = sorted({*votes["server"], *votes["seen_by"].drop_nulls(), *(row["servers"] or ())})
    steps = [*_arrows(votes, names), *_changes(votes, names), *_quorums(history, votes, names), *_decisions(history, row, names)]
    return {
        "id": row["election"],
        "elected": row["kind"] == "vote" and row["leader"] is not None,
        "title": f"Election {row['election']}: {_outcome(row, names)}",
        "servers": [wording.plain(names.name(server)) for server in servers],
        "steps": sorted(steps, key=lambda step: (step["time"], ORDER.index(step["kind"]))),
        "matrix": _matrix(votes, servers, names),
    }


def _outcome(row: dict[str, Any], names: wording.Names) -> str:
    if row["leader"] is None:
        return "nobody wins" if row["kind"] != "unknown" else f"server {wording.listed(names.name(row['servers'] or []))} follows a leader"
    leader = f"server {names.name(row['leader'])}"
    verb = {"join": "joins", "unknown": "follows"}.get(row["kind"])
    return f"server {wording.listed(names.name(row['servers'] or []))} {verb} {leader}" if verb else f"{leader} wins"


ORDER = ("vote", "change", "quorum", "decision")


def _ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)


def _said(row: dict[str, Any], names: wording.Names) -> str:
    epoch = "" if row["peer_epoch"] is None else f" of epoch {row['peer_epoch']}"
    number = "" if row["zxid"] is None else f" with {zxid.text(row['zxid'])}{epoch}"
    return f"votes for {names.name(row['voted_for'])}{number} (round {row['round']}, {row['state']})"


def _step(kind: str, row: dict[str, Any], server: Any, text: str, names: wording.Names, **more: Any) -> dict[str, Any]:
    place = [wording.place(row)] if row.get("source") else []
    return {
        "kind": kind,
        "time": _ms(row["time"]),
        "clock": _ms(row["time"]) - (row.get(SHIFT) or 0),
        "server": wording.plain(names.name(server)),
        "text": wording.plain(text),
        "places": place,
        **more,
    }


def _arrows(votes: pl.DataFrame, names: wording.Names) -> Iterator[dict[str, Any]]:
    """Each notification that another server than its sender printed."""
    own = votes.filter(pl.col("server") == pl.col("seen_by")).group_by(*CAST, "state").agg(pl.col("time").min().alias("sent"))
    heard = votes.filter(pl.col("seen_by").is_not_null() & (pl.col("server") != pl.col("seen_by")))
    for row in heard.join(own, on=[*CAST, "state"], how="left", nulls_equal=True, maintain_order="left").iter_rows(named=True):
        known = row["sent"] is not None and row["sent"] <= row["time"]
        text = f"server {names.name(row['server'])} {_said(row, names)}, as server {names.name(row['seen_by'])} hears"
        sender = wording.plain(names.name(row["server"]))
        yield _step("vote", row, row["seen_by"], text, names, sender=sender, sent=_ms(row["sent"]) if known else None)


def _changes(votes: pl.DataFrame, names: wording.Names) -> Iterator[dict[str, Any]]:
    """Where a LOOKING server casts another vote than before, and by which field the new one wins."""
    cast = votes.filter(pl.col("state") == "LOOKING").group_by(*CAST, maintain_order=True).first()
    before: dict[int, dict[str, Any]] = {}
    for row in cast.sort("time", maintain_order=True).iter_rows(named=True):
        last, before[row["server"]] = before.get(row["server"]), row
        text = f"server {names.name(row['server'])} {_said(row, names)}"
        yield _step("change", row, row["server"], f"{text}: {_rule(row, last)}", names)


def _rule(row: dict[str, Any], last: dict[str, Any] | None) -> str:
    if last is None:
        return "its first vote"
    if row["round"] != last["round"]:
        return f"it joins round {row['round']}"
    old, new = (Vote(one["peer_epoch"] or 0, one["zxid"] or 0, one["voted_for"] or 0) for one in (last, row))
    return "the same vote again" if old == new else f"larger {decided_by(new, old)}" if new > old else "though the vote before was larger"


def _quorums(history: History, votes: pl.DataFrame, names: wording.Names) -> Iterator[dict[str, Any]]:
    """Per server the first moment at which it had printed equal votes of a quorum, each sender's latest vote counted."""
    config = history.config_at()
    for observer in votes["seen_by"].drop_nulls().unique().sort():
        latest: dict[int, tuple[Any, ...]] = {}
        for row in votes.filter((pl.col("seen_by") == observer) & (pl.col("state") == "LOOKING")).iter_rows(named=True):
            latest[row["server"]] = vote = tuple(row[key] for key in CAST[1:])
            agreed = sorted(server for server, cast in latest.items() if cast == vote)
            if config.is_quorum(agreed):
                text = f"server {names.name(observer)} has equal votes of {', '.join(str(names.name(one)) for one in agreed)}: a quorum"
                yield _step("quorum", row, observer, text, names)
                break


def _decisions(history: History, election: dict[str, Any], names: wording.Names) -> Iterator[dict[str, Any]]:
    """Where a server that was LOOKING takes its role."""
    if election["start"] is None or election["end"] is None:
        return
    taken = pl.col("role").is_in(["LEADING", "FOLLOWING", "OBSERVING"]) & pl.col("server").is_in(election["servers"] or [])
    for row in history.roles.filter(taken & pl.col("start").is_between(election["start"], election["end"])).iter_rows(named=True):
        text = f"server {names.name(row['server'])} is {row['role']}"
        yield _step("decision", {**row, "time": row["start"]}, row["server"], text, names)


def _matrix(votes: pl.DataFrame, servers: list[int], names: wording.Names) -> list[dict[str, Any]]:
    """Rows ``server`` (who cast it) with the last vote that each server printed of it."""
    last = {(row["server"], row["seen_by"]): row for row in votes.iter_rows(named=True)}
    rows = []
    for caster in servers:
        cells = [last.get((caster, observer)) for observer in servers]
        rows.append({"server": names.name(caster), "cells": [None if cell is None else _cell(cell, names) for cell in cells]})
    return rows


def _cell(row: dict[str, Any], names: wording.Names) -> str:
    number = "?" if row["zxid"] is None else zxid.text(row["zxid"])
    return f"{names.name(row['voted_for'])} ({number}, e{row['peer_epoch']})"


def zxids(history: History) -> dict[str, Any]:
    """``epochs`` and per server (newest copy) the last zxid it has of each; None where its log holds none."""
    names = wording.Names.of(history.trace.servers)
    newest = history.trace.txns.filter((pl.col("copy") == 0) & pl.col("zxid").is_not_null()).with_columns(
        zxid.epoch_of("zxid").alias("epoch")
    )
    table = newest.group_by("server", "epoch").agg(pl.col("zxid").max())
    epochs = sorted(table["epoch"].unique())[-20:]
    held = {(server, epoch): zxid.text(number) for server, epoch, number in table.iter_rows()}
    servers = sorted(table["server"].unique())
    return {
        "epochs": epochs,
        "rows": [{"server": names.name(one), "cells": [held.get((one, epoch)) for epoch in epochs]} for one in servers],
    }
