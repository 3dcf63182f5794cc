"""What happened, in sentences, by time: written from the tables of the History, each sentence with the lines that show it.

Strategy: one function per table yields Told rows; neighbours in time that say the same of several servers are drawn together. Each
time is that of its own server's clock; the order is that of one clock, as far as messages tell how far apart the clocks stood. A
sentence says no more than was known at its time: what comes later has a sentence of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import polars as pl

from zabtrace import schema, wording, zxid
from zabtrace.charts.aligning import printers
from zabtrace.incidents.alignment import Alignment
from zabtrace.replay.history import History

MOST = 200
"""So many sentences are told; the page says how many there are."""
OWN_CLOCKS = Alignment()
CUT_OFF = "no line: "
"""How ``processes.ended_by`` begins where no line tells the end."""
ENDS = "log ends while it leads"
"""How ``epochs.ended_by`` ends where nothing tells that the epoch did."""
BY = {"epoch": "by its newer epoch", "zxid": "by the larger zxid", "sid": "by server id", "alone": "alone"}


@dataclass(frozen=True)
class Told:
    """One sentence. ``sentence`` makes it from the servers of neighbours with the same ``same``."""

    time: datetime | None
    sentence: Callable[[list[int]], str]
    same: tuple[Any, ...] = ()
    server: int | None = None
    place: Mapping[str, Any] | None = None
    clock: int | None = None
    """By whose clock ``time`` is."""


@dataclass(frozen=True)
class Noticed:
    """What ``incidents`` found: LOSSES, and the PAUSES behind some of them."""

    losses: pl.DataFrame = field(default_factory=lambda: schema.frame(schema.LOSSES))
    pauses: pl.DataFrame = field(default_factory=lambda: schema.frame(schema.PAUSES))


def happened(history: History, how: Alignment = OWN_CLOCKS, noticed: Noticed | None = None) -> list[dict[str, Any]]:
    """Rows ``time, clock, what, place, places``: each sentence, whose clock its time is, and where it is shown.

    What has no time stands at the end.
    """
    names, noticed = wording.Names.of(history.trace.servers), noticed or Noticed()
    tellers = [*(teller(history, names) for teller in TELLERS), _pauses(noticed.pauses, names), _losses(history, noticed.losses, names)]
    told = sorted((one for teller in tellers for one in teller), key=lambda one: _when(one, how))
    numbered = ((one.same or (number,), one) for number, one in enumerate(told))
    return [_row([one for _, one in group], names) for _, group in groupby(numbered, key=lambda pair: pair[0])]


def _when(told: Told, how: Alignment) -> tuple[bool, float]:
    return (told.time is None, told.time.timestamp() * 1000 + how.of(told.clock) if told.time else 0.0)


def _row(group: list[Told], names: wording.Names) -> dict[str, Any]:
    places = [wording.place(one.place) for one in group if one.place and one.place.get("source")]
    what = group[0].sentence(sorted(one.server for one in group if one.server is not None))
    clock = None if group[0].clock is None else names.name(group[0].clock)
    return {"time": wording.moment(group[0].time), "clock": clock, "what": what, "place": ", ".join(places), "places": places}


def servers(numbers: Iterable[int], names: wording.Names, capital: bool = False) -> str:
    """Some servers, named.

    >>> servers([1, 2, 3], wording.Names()), servers([2], wording.Names(), capital=True)
    ('servers 1, 2 and 3', 'Server 2')
    """
    listed = [str(names.name(number)) for number in dict.fromkeys(numbers)]
    text = " and ".join(filter(None, (", ".join(listed[:-1]), *listed[-1:])))
    word = "server" if len(listed) == 1 else "servers"
    return f"{word.capitalize() if capital else word} {text}"


def _always(text: str) -> Callable[[list[int]], str]:
    """A sentence that is never drawn together with another."""
    return lambda _: text


def _verb(numbers: list[int], one: str, many: str) -> str:
    return one if len(set(numbers)) == 1 else many


def _starts(history: History, names: wording.Names) -> Iterator[Told]:
    for row in history.processes.iter_rows(named=True):
        version = f" (ZooKeeper {row['version']})" if row["version"] else ""

        def sentence(who: list[int], version: str = version) -> str:
            return f"{servers(who, names, True)} {_verb(who, 'starts', 'start')}{version}."

        yield Told(row["start"], sentence, ("start", version), row["server"], row, row["server"])


def _ends(history: History, names: wording.Names) -> Iterator[Told]:
    """The last line of each process; a cut-off is told as what it is: the line after which nothing is known."""
    last = last_lines(history, history.processes.select("server", time="end"))
    for row in history.processes.iter_rows(named=True):
        reason = row["ended_by"] or "no reason given"

        def sentence(who: list[int], reason: str = reason) -> str:
            return f"{servers(who, names, True)} {_verb(who, 'prints its', 'print their')} last line ({reason.removeprefix(CUT_OFF)})."

        yield Told(row["end"], sentence, ("end", reason), row["server"], last.get((row["server"], row["end"])), row["server"])


def last_lines(history: History, moments: pl.DataFrame) -> dict[tuple[Any, Any], dict[str, Any]]:
    """The place of the last line that each server printed at these moments (``server, time``)."""
    found = history.trace.lines.select("server", "time", "order", "source", "line").join(moments, on=["server", "time"], how="semi")
    last = found.sort("order", "line").unique(["server", "time"], keep="last")
    return {(row["server"], row["time"]): row for row in last.iter_rows(named=True)}


def _outages(history: History, names: wording.Names) -> Iterator[Told]:
    for out in history.unavailable:
        lasts = f"for {wording.duration(out.ms)}, from here on" if out.end is not None else "from here on, to the end of what was read"
        begin = f"By the clock of {servers([out.clock], names)} no write is possible {lasts}."
        place = {"source": out.source, "line": out.line}
        yield Told(out.start if isinstance(out.start, datetime) else None, _always(begin), place=place, clock=out.clock)


def _elections(history: History, names: wording.Names) -> Iterator[Told]:
    """A leader that was elected is told of when it took its role: that others followed it later is no part of its election."""
    chosen = {(row["server"], row["source"], row["line"]): row["start"] for row in history.roles.iter_rows(named=True)}
    for row, clock in zip(history.elections.iter_rows(named=True), printers(history.elections, history), strict=True):
        text = {"join": _joined, "unknown": _came}.get(row["kind"], _elected)(row, names)
        decided = chosen.get((row["leader"], row["source"], row["line"]))
        yield Told(decided or row["end"] or row["start"], _always(text), (), None, row, clock)


def _joined(row: Mapping[str, Any], names: wording.Names) -> str:
    who = row["servers"] or []
    leader = "the existing leader" if row["leader"] is None else f"the existing leader {names.name(row['leader'])}"
    return f"{servers(who, names, True)} {_verb(who, 'looks', 'look')} for a leader and {_verb(who, 'joins', 'join')} {leader}."


def _came(row: Mapping[str, Any], names: wording.Names) -> str:
    """Of a server that took part in an election or joined later: the logs do not show which."""
    who = row["servers"] or []
    return f"{servers(who, names, True)} {_verb(who, 'looks', 'look')} for a leader. {row['why'] or ''}".strip()


def _elected(row: Mapping[str, Any], names: wording.Names) -> str:
    who = row["servers"] or []
    lasted = f" for {wording.duration(_ms(row))}" if row["start"] and row["end"] else ""
    voted = f"{servers(who, names, True)} {_verb(who, 'votes', 'vote')}{lasted}: " if who else "A leader without a vote: "
    if row["leader"] is None:
        return f"{voted}nobody wins. {row['why'] or ''}".strip()
    by = BY.get(row["decided_by"] or "", "")
    return f"{voted}{names.name(row['leader'])} wins{f' {by}' if by else ''}. {row['why'] or ''}".strip()


def _ms(row: Mapping[str, Any]) -> int:
    lasted: timedelta = row["end"] - row["start"]
    return round(lasted.total_seconds() * 1000)


def _epochs(history: History, names: wording.Names) -> Iterator[Told]:
    shown = history.epochs.filter(pl.col("status") == "established")
    last = last_lines(history, shown.select(server="leader", time="ended"))
    for row in shown.iter_rows(named=True):
        leader = "an unknown leader" if row["leader"] is None else servers([row["leader"]], names)
        told = row["followers"] or []
        follow = f" {servers(told, names, True)} {_verb(told, 'follows', 'follow')} it, then or later." if told else ""
        begins = f"Epoch {row['epoch']} begins under {leader}.{follow}"
        yield Told(row["established"], _always(begins), (), None, row, row["leader"])
        if row["ended"] is not None:
            place = last.get((row["leader"], row["ended"]))
            yield Told(row["ended"], _always(_over(row, leader)), (), None, place, row["leader"])


def _over(row: Mapping[str, Any], leader: str) -> str:
    """The end of an epoch, or what stands where no line tells it: the last that was heard of its leader."""
    reason = row["ended_by"] or "its leader is not heard of any more"
    if reason.endswith(ENDS):
        return f"The log of {leader} ends while it leads epoch {row['epoch']}."
    when = "here or later" if "without a line" in reason else "here"
    return f"Epoch {row['epoch']} of {leader} ends {when}: {reason}."


def _pauses(pauses: pl.DataFrame, names: wording.Names) -> Iterator[Told]:
    """Servers that printed nothing, and then saw that others had given them up."""
    for row in pauses.iter_rows(named=True):
        lasted = f" for {wording.duration(_ms(row))}" if row["start"] and row["end"] else ""
        text = f"{servers([row['server']], names, True)} falls silent{lasted}, from here on; when it prints again, others have given it up."
        yield Told(row["start"], _always(text), (), None, row, row["server"])


def _losses(history: History, losses: pl.DataFrame, names: wording.Names) -> Iterator[Told]:
    """Who lost another server, each cause told once; the end of the own process or role has its own sentence."""
    told: set[str | None] = {None}
    others = losses.filter(pl.col("lost").is_null() | (pl.col("lost") != pl.col("server")))
    for row in others.join(_led(history, others), on=["server", "lost", "time"], how="left", maintain_order="left").sort(
        "time", "lost", "server", nulls_last=True
    ).iter_rows(named=True):  # fmt: skip
        why = "" if row["cause"] in told else f" {row['cause']}."
        told.add(row["cause"])
        lost = "a server that no line names" if row["lost"] is None else servers([row["lost"]], names)
        led = bool(row["led"])

        def sentence(who: list[int], lost: str = lost, why: str = why, led: bool = led) -> str:
            whose = _verb(who, "its leader, ", "their leader, ") if led else ""
            return f"{servers(who, names, True)} {_verb(who, 'loses', 'lose')} {whose}{lost}.{why}"

        yield Told(row["time"], sentence, ("loss", row["lost"], row["cause"], led), row["server"], row["evidence"][0], row["server"])


def _led(history: History, losses: pl.DataFrame) -> pl.DataFrame:
    """``server, lost, time, led``: the losses of whoever followed or observed the lost server then, by its own clock."""
    roles = history.roles.filter(pl.col("role").is_in(["FOLLOWING", "OBSERVING"])).select("server", "start", "end", lost="leader")
    during = pl.col("time").is_between("start", "end")
    return losses.select("server", "lost", "time").join(roles, on=["server", "lost"]).filter(during).select(
        "server", "lost", "time", led=pl.lit(True)
    ).unique()  # fmt: skip


def _syncs(history: History, names: wording.Names) -> Iterator[Told]:
    found = history.syncs.filter(pl.col("mode") != "DIFF")
    for row, clock in zip(found.iter_rows(named=True), printers(found, history), strict=True):
        learner = servers([row["learner"]], names, True)
        cut = "" if row["truncated_to"] is None else f" and cut to {zxid.text(row['truncated_to'])}"
        text = f"{learner} is brought up to date by {row['mode']}{cut}{_gone(row)}. {row['why'] or ''}".strip()
        yield Told(row["time"], _always(text), (), None, row, clock)


def _gone(row: Mapping[str, Any]) -> str:
    """What a synchronization took out of the history: ``; 12 records from 0x.. to 0x.. are discarded``."""
    first, last, count = (row[f"discarded_{part}"] for part in ("from", "to", "count"))
    if first is None and last is None and count is None:
        return ""
    bounds = " to ".join("?" if bound is None else zxid.text(bound) for bound in (first, last))
    return f"; {'records' if count is None else f'{count} records'} from {bounds} are discarded"


TELLERS = (_starts, _ends, _outages, _elections, _epochs, _syncs)
