"""Lines as a server prints them: an alternative of a grammar with its fields filled in, inside the stock layout of the release.

Strategy: the alternative's own sample is the template. What is given replaces a field of it, in the sample's notation; what is not
given stays as the sample has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache

from zabtrace.grammar import notation
from zabtrace.grammar.messages import class_of
from zabtrace.grammar.notation import Hole, Shape
from zabtrace.protocol.releases import among
from zabtrace.simulate import phrases
from zabtrace.simulate.journal import Said
from zabtrace.simulate.phrases import Phrase, phrase

LOGBACK = "3.8.0-"
"""Releases whose %C{1} abbreviates the package, and whose myid is empty on all threads but main (logback.xml)."""
LAYOUT = "stock"


def skeleton(shape: Shape) -> str:
    """The fixed text of an alternative, its holes as {TERMINAL}."""
    return "".join(part if isinstance(part, str) else f"{{{part.terminal}}}" for part in shape.parts)


@cache
def _shapes(name: str) -> dict[tuple[str, str], list[Shape]]:
    """Alternatives by class (without underscores) and kind."""
    found: dict[tuple[str, str], list[Shape]] = {}
    for shape in notation.read(name).shapes:
        found.setdefault((shape.rule.partition("__")[0].replace("_", ""), shape.kind), []).append(shape)
    return found


@cache
def shape_of(row: Phrase) -> Shape:
    """The alternative that a phrase names: of those with its fixed text the one with the least besides. Raises LookupError."""
    every = _shapes("messages.lark").get((class_of(row.logger), row.kind), [])
    fitting = [shape for shape in every if row.has in skeleton(shape)]
    if not fitting:
        raise LookupError(f"no alternative of {row.kind} in {row.logger} has {row.has!r}")
    return min(fitting, key=lambda shape: len(skeleton(shape)))


def filled(shape: Shape, values: Mapping[str, object]) -> str:
    """The text of an alternative with these values, by field, or by terminal where a hole is no field.

    >>> from zabtrace.grammar.notation import parse
    >>> shape = parse('HEX: /0x[0-9a-f]+/\\nzxid: HEX\\n//> at 0x7\\nleader: "at " zxid -> here').shapes[0]
    >>> filled(shape, {"zxid": 0x100000001})
    'at 0x100000001'
    """
    return "".join(_pieces(shape, values))


def _pieces(shape: Shape, values: Mapping[str, object]) -> Iterator[str]:
    pattern = "".join(notation.escaped(part) if isinstance(part, str) else f"({part.pattern})" for part in shape.parts)
    match = re.match(pattern, shape.samples[0])
    if match is None:
        raise LookupError(f"the sample of {shape.kind} in line {shape.line} is none of it")
    group = 1
    for part in shape.parts:
        if isinstance(part, str):
            yield part
            continue
        value = values.get(part.column or part.terminal)
        yield match[group] if value is None else _written(part, value, match[group])
        group += 1 + re.compile(part.pattern).groups


def _written(hole: Hole, value: object, sample: str) -> str:
    """A value as its terminal writes it: hexadecimal with 0x where the sample has it."""
    if hole.terminal == "HEX" and isinstance(value, int):
        return f"{'0x' if sample.startswith('0x') else ''}{value & 0xFFFF_FFFF_FFFF_FFFF:x}"
    return str(value)


def message(said: Said, release: str) -> tuple[Phrase, str] | None:
    """The phrase and its text; None where the release prints nothing of that sort."""
    row = phrase(said.phrase, release)
    return None if row is None else (row, filled(shape_of(row), said.values))


def lines(said: Said, sid: int, release: str, begin: datetime) -> list[str]:
    """The line that a server writes to its log, and the stack trace behind it; empty where its release prints nothing of that sort."""
    found = message(said, release)
    if found is None:
        return []
    row, text = found
    stamp = (begin + timedelta(milliseconds=said.time)).astimezone(UTC)
    return [f"{_head(row, said, sid, release, stamp)} {text}", *(line.format(**said.values) for line in row.follows)]


def _head(row: Phrase, said: Said, sid: int, release: str, stamp: datetime) -> str:
    """What stands before the message."""
    back = among(release, LOGBACK)
    known = row.name != "reading configuration" and (row.thread == phrases.MAIN or not back)
    return filled(_shapes("layouts.lark")["layout", LAYOUT][0], {
        "time": f"{stamp:%Y-%m-%d %H:%M:%S},{stamp.microsecond // 1000:03}", "myid": f"[myid:{sid if known else ''}]", "level": row.level,
        "PAD": " " * (6 - len(row.level)), "thread": THREADS[row.thread].format(sid=sid, peer=_peer(sid, release), **said.thread),
        "logger": _logger(row, back), "AT": "?",
    })  # fmt: skip


def _peer(sid: int, release: str) -> str:
    """The thread that looks, leads and follows."""
    address = f"127.0.0.{sid}:2181"
    if among(release, "3.4.0-3.4"):
        return f"QuorumPeer[myid={sid}]/{address}"
    return f"QuorumPeer[myid={sid}](plain={'/' if among(release, '3.5.0-3.5') else ''}{address})(secure=disabled)"


THREADS = {
    phrases.MAIN: "main",
    phrases.PEER: "{peer}",
    phrases.RECEIVER: "WorkerReceiver[myid={sid}]",
    phrases.LISTENER: "ListenerHandler-/127.0.0.{sid}:3888",
    phrases.HANDLER: "LearnerHandler-{address}",
    phrases.SYNC: "SyncThread:{sid}",
    phrases.CONNECTOR: "LeaderConnector-/127.0.0.{leader}:2888",
}
"""What the threads are called."""


def _logger(row: Phrase, abbreviated: bool) -> str:
    """The class: log4j's %C{1} is its last part, logback's abbreviates the package."""
    parts = [part[0] for part in f"org.apache.zookeeper.{row.package}".strip(".").split(".")]
    return ".".join([*parts, row.logger]) if abbreviated else row.logger
