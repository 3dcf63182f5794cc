"""Clocks: how far apart servers' clocks stood, from cause and effect alone.

Strategy: what one server received it cannot have received before another sent it. Each message whose both ends were printed bounds
the difference of two clocks from one side (``messages``); the messages of both directions together give an interval. Pairs that never
spoke are bounded through a third. Where messages exclude each other one of the clocks was stepped: the interval is begun anew there.
Which messages belong together is known from votes, terms and synchronizations, never from stamps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import combinations, permutations
from math import inf

import numpy as np
import polars as pl

from zabtrace import schema
from zabtrace.held import Held
from zabtrace.incidents.exchange import Exchange
from zabtrace.incidents.findings import Finding
from zabtrace.incidents.messages import Message, messages
from zabtrace.incidents.scene import Scene
from zabtrace.wording import duration

TICK = 1
"""Stamps are cut to milliseconds, so a difference of two is known to 1 ms."""
STEP = 1000
"""Messages that exclude each other by more ms than this show a step of a clock; by fewer, that clocks drift."""


@dataclass(frozen=True)
class Span:
    """A time in which no message contradicts another: the bounds of (first clock less second), and the messages that set them."""

    high: Message | None = None
    low: Message | None = None
    since: datetime | None = None
    until: datetime | None = None
    broke: tuple[Message, Message] | None = None
    """The two messages that exclude each other, where it begins because of that."""
    by: int = 0
    """By how many ms they do."""

    def bounds(self) -> tuple[int | None, int | None]:
        """Smallest and largest difference in ms."""
        return (None if self.low is None else -self.low.ms - TICK, None if self.high is None else self.high.ms + TICK)

    def narrowed(self, message: Message, upper: bool) -> Span:
        """With one message more."""
        best = self.high if upper else self.low
        chosen = message if best is None or message.ms < best.ms else best
        time = (message.received if upper else message.sent).time
        high, low = (chosen, self.low) if upper else (self.high, chosen)
        return replace(self, high=high, low=low, since=self.since or time, until=time)

    @property
    def gap(self) -> int:
        """By how many ms its bounds exclude each other; 0 where they do not."""
        low, high = self.bounds()
        return 0 if low is None or high is None else max(0, low - high)


def table(spans: Mapping[tuple[int, int], list[Span]]) -> pl.DataFrame:
    """CLOCKS: per pair of servers the interval that holds (stamp of ``server`` less stamp of ``against``), in ms.

    One row per pair and time span; several where a clock was stepped. A side that no message bounds is null.
    """
    tight = _closure(spans) if all(len(found) == 1 for found in spans.values()) else {}
    rows = [_row(pair, span, tight.get(pair)) for pair, found in sorted(spans.items()) for span in found]
    through = [_row(pair, Span(), bounds) for pair, bounds in sorted(tight.items()) if pair not in spans and bounds != (None, None)]
    return schema.frame(schema.CLOCKS, rows + through).sort("server", "against", maintain_order=True)


class Clocks:
    """Compares stamps of different servers, as far as CLOCKS allows."""

    def __init__(self, frame: pl.DataFrame) -> None:
        known = frame.filter(pl.len().over("server", "against") == 1)
        self._bounds: dict[tuple[int, int], tuple[int | None, int | None]] = {}
        for one, other, low, high in known.select("server", "against", "low_ms", "high_ms").iter_rows():
            self._bounds[one, other] = low, high
            self._bounds[other, one] = None if high is None else -high, None if low is None else -low

    def later(self, time: datetime, server: int, than: datetime, other: int) -> tuple[float, float]:
        """By how many ms ``time`` on one server's clock lies behind ``than`` on another's: at least and at most."""
        apart = (time - than).total_seconds() * 1000
        low, high = (0, 0) if server == other else self._bounds.get((server, other), (None, None))
        return (-inf if high is None else apart - high, inf if low is None else apart - low)


def pair_spans(scene: Scene) -> dict[tuple[int, int], list[Span]]:
    """Per pair (smaller sid first) its spans, in the order of the first server's log."""
    by_pair: dict[tuple[int, int], Exchange] = {}
    for message in messages(scene):
        one, other = sorted((message.sent.server, message.received.server))
        if (one, other) not in by_pair:
            by_pair[one, other] = Exchange(one, other)
        by_pair[one, other].add(message)
    return {pair: _spans(found) for pair, found in by_pair.items()}


def _spans(found: Exchange) -> list[Span]:
    """Narrow step by step; a message that leaves nothing begins a new span."""
    spans = [Span()]
    for message in found:
        upper = message.received.server == found.one
        narrower = spans[-1].narrowed(message, upper)
        if narrower.gap:
            against = spans[-1].low if upper else spans[-1].high
            spans.append(
                replace(Span().narrowed(message, upper), broke=(against, message) if against is not None else None, by=narrower.gap)
            )
        else:
            spans[-1] = narrower
    return spans


def findings(scene: Scene, spans: Mapping[tuple[int, int], list[Span]]) -> Iterator[Finding]:
    """Steps of clocks: messages between two servers that exclude each other, and stamps of one server that run backwards."""
    for pair, found in sorted(spans.items()):
        for span in found:
            if span.broke is not None and span.by > STEP:
                why = (
                    f"The clocks of {scene.name(*pair)} cannot have stood the same apart all the time: two messages between them exclude "
                    f"each other by {duration(span.by)}. One of the clocks was stepped."
                )
                yield Finding("a clock was stepped", why, tuple(item for message in span.broke for item in proof(message)))
    yield from _backwards(scene)


def _backwards(scene: Scene) -> Iterator[Finding]:
    """Lines of one server whose stamp is earlier than that of the line before by more than threads can explain."""
    for server, source, line, message, back in _steps_back(scene.history.trace.held):
        why = (
            f"On {scene.name(server)} a line is stamped {duration(back)} earlier than the line before it: its clock was set back "
            "(the end of daylight saving time looks the same), or lines of two logs are mixed."
        )
        yield Finding("a clock was stepped", why, ({"source": source, "line": line, "says": message},))


def _steps_back(held: Held) -> Iterator[tuple[int, str, int, str | None, int]]:
    """Server by server: server, source, line, message, and by how many ms its stamp is earlier."""
    for server in held.servers():
        own = held.columns("source", "order", "line", "time", server=server).drop_nulls("time").sort("order", "source", "line")
        stamps, files = own["time"].to_physical().to_numpy(), own["source"].rle_id().to_numpy()
        back = np.where(files[1:] == files[:-1], stamps[:-1] - stamps[1:], 0)
        for row in np.flatnonzero(back > STEP).tolist():
            source, line = own["source"][row + 1], own["line"][row + 1]
            yield server, source, line, held.message(source, line), int(back[row])


def _row(pair: tuple[int, int], span: Span, bounds: tuple[int | None, int | None] | None) -> dict[str, object]:
    low, high = bounds or span.bounds()
    evidence = [item for message in (span.low, span.high) if message is not None for item in proof(message)]
    return {
        "server": pair[0],
        "against": pair[1],
        "low_ms": low,
        "high_ms": high,
        "since": span.since,
        "until": span.until,
        "evidence": evidence,
    }


def proof(message: Message) -> Iterator[dict[str, object]]:
    """Both lines of a message as evidence."""
    for end, word in ((message.sent, "sent"), (message.received, "received")):
        yield {"source": end.source, "line": end.line, "says": f"{message.what} {word}"}


def _closure(spans: Mapping[tuple[int, int], list[Span]]) -> dict[tuple[int, int], tuple[int | None, int | None]]:
    """The bounds that all pairs together allow (shortest paths over upper bounds). Empty where they exclude each other."""
    most: dict[tuple[int, int], int] = {}
    for (one, other), found in spans.items():
        low, high = found[0].bounds()
        most |= {key: value for key, value in (((one, other), high), ((other, one), None if low is None else -low)) if value is not None}
    servers = sorted({server for pair in spans for server in pair})
    for via in servers:
        for one, other in permutations(servers, 2):
            if (one, via) in most and (via, other) in most:
                most[one, other] = min(most.get((one, other), most[one, via] + most[via, other]), most[one, via] + most[via, other])
    if any(most.get((one, other), 0) + most.get((other, one), 0) < 0 for one, other in combinations(servers, 2)):
        return {}
    return {
        (one, other): (-most[other, one] if (other, one) in most else None, most.get((one, other)))
        for one, other in combinations(servers, 2)
    }
