"""The history for other programs: Timesketch (JSON lines) and ShiViz (a log with vector clocks).

Strategy: Timesketch wants ``message``, ``datetime`` and ``timestamp_desc`` in each line; everything else is ours. A vector clock counts
only what is proved: the order inside one server's log, and messages of which both ends were printed (``incidents.messages``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from zabtrace import wording
from zabtrace.incidents.messages import messages
from zabtrace.incidents.scene import Scene
from zabtrace.report.content import Content

SHIVIZ = r"(?<event>.*)\n(?<host>\S*) (?<clock>{.*})"
"""The regular expression that ShiViz offers for logs, and reads ours by; a file that is uploaded may begin with its own, as ours does."""
Key = tuple[int, int, int]
"""Server, file in its series, line."""


def timesketch(content: Content) -> Iterator[str]:
    """Sentences, records with their fate, and lines of the logs: one JSON object per line; what has no time is left out."""
    history, names = content.history, wording.Names.of(content.history.trace.servers)
    for row in content.rows["happened"]:
        if row["time"]:
            yield _line(row["time"], "zabtrace: what happened", row["what"], {"source": row["place"]})
    fates = content.judgement.writes.select("zxid", "fate").unique("zxid", keep="first")
    columns = ["server", "copy", "source", "offset", "zxid", "time", "session", "op", "path"]
    records = (
        history.trace.txns.select(columns).filter(pl.col("time").is_not_null()).join(fates, on="zxid", how="left", maintain_order="left")
    )
    for row in wording.rows(records, names):
        what = " ".join(wording.plain(row[key]) for key in ("zxid", "op", "path", "fate") if row[key] is not None)
        yield _line(row.pop("time"), "ZooKeeper transaction", what, row)
    kept = ["server", "source", "line", "time", "level", "thread", "logger", "kind", "message"]
    for row in wording.rows(history.trace.lines.select(kept).filter(pl.col("time").is_not_null()), names):
        yield _line(row.pop("time"), "ZooKeeper log", wording.plain(row.pop("message") or ""), row)


def _line(time: str, what: str, message: str, more: dict[str, Any]) -> str:
    return json.dumps({"message": message, "datetime": time, "timestamp_desc": what, "data_type": "zookeeper:zabtrace", **more}) + "\n"


@dataclass
class Event:
    """Something a server did, and the events of others that were before it."""

    texts: list[str] = field(default_factory=list)
    after: list[Key] = field(default_factory=list)


def shiviz(content: Content) -> Iterator[str]:
    """Roles taken, messages sent and received, with vector clocks; first the expression that reads it."""
    names = wording.Names.of(content.history.trace.servers)
    yield f"{SHIVIZ}\n\n"
    for (server, _, _), clock, texts in clocked(events(content)):
        host = {one: "server-" + re.sub(r"\W", "-", wording.plain(names.name(one)), flags=re.ASCII) for one in (server, *clock)}
        counted = json.dumps({host[one]: number for one, number in clock.items()})
        yield f"{wording.plain('; '.join(texts))}\n{host[server]} {counted}\n"


def events(content: Content) -> dict[Key, Event]:
    """Events of all servers by place, in the order of each server's log."""
    history, found = content.history, dict[Key, Event]()
    lines = history.trace.lines
    order = {(server, source): number for server, source, number in lines.select("server", "source", "order").unique().iter_rows()}

    def at(server: int, source: str | None, line: int | None) -> Event | None:
        key = (server, order.get((server, source), 0), line or 0)
        return None if source is None or line is None else found.setdefault(key, Event())

    for row in history.roles.sort("server", "start", nulls_last=True).iter_rows(named=True):
        event = at(row["server"], row["source"], row["line"])
        if event is not None:
            event.texts.append(f"{row['role']} ({wording.place(row)})")
    for message in messages(Scene(history, history.terms)) if history.terms is not None else ():
        sent, received = message.sent, message.received
        first, second = at(sent.server, sent.source, sent.line), at(received.server, received.source, received.line)
        if first is not None and second is not None:
            first.texts.append(f"{message.what} to {received.server} sent")
            second.texts.append(f"{message.what} from {sent.server} received")
            second.after.append((sent.server, order.get((sent.server, sent.source or ""), 0), sent.line or 0))
    return dict(sorted(found.items()))


def clocked(found: dict[Key, Event]) -> Iterator[tuple[Key, dict[int, int], list[str]]]:
    """Each event with its vector clock, none before what it waits for; where messages contradict each other one is not waited for."""
    waiting: dict[int, list[Key]] = {}
    for key in found:
        waiting.setdefault(key[0], []).append(key)
    done: dict[Key, dict[int, int]] = {}
    own: dict[int, dict[int, int]] = {server: {} for server in waiting}
    while any(waiting.values()):
        ready = [queue[0] for queue in waiting.values() if queue and all(key in done for key in found[queue[0]].after)]
        key = min(ready) if ready else min(queue[0] for queue in waiting.values() if queue)
        clock, event = dict(own[key[0]]), found[key]
        for other in (done[before] for before in event.after if before in done):
            clock = {server: max(clock.get(server, 0), other.get(server, 0)) for server in {**clock, **other}}
        clock[key[0]] = clock.get(key[0], 0) + 1
        own[key[0]] = done[key] = clock
        waiting[key[0]].pop(0)
        given_up = [] if ready else ["contradicts the order of the messages"]
        yield key, clock, [*dict.fromkeys(event.texts), *given_up]
