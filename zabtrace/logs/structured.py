"""Lines that are JSON objects: the record, or the line of another program's making, that they hold.

Strategy: an object with a level and a logger is a record itself, and is written in ``CANONICAL`` form, from which it is read like any
other layout; one with a text only (Docker, Filebeat, fluentd, journald) hands out that text. Keys are those of
Docker, log4j 1.2 JSONEventLayout, log4j2 JsonLayout, logstash-logback-encoder, ECS and journald.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from zabtrace.logs.patterned import NO_STAMP
from zabtrace.logs.rests import CANONICAL
from zabtrace.logs.text import LONGEST
from zabtrace.schema import CALENDAR

TEXT = (
    "log", "message", "msg", "MESSAGE", "line", "textPayload", "_raw", "full_message", "short_message", "body",
    "_source.log", "_source.message", "result._raw", "jsonPayload.message", "attributes.message", "content.message",
    "LogEntry", "LogMessage",
)  # fmt: skip
LEVEL = ("level", "log.level", "severity")
SYSLOG = dict(zip("01234567", ("FATAL", "FATAL", "FATAL", "ERROR", "WARN", "INFO", "INFO", "DEBUG"), strict=True))
"""Levels as GELF numbers them: syslog's severities."""
LOGGER = ("logger_name", "loggerName", "log.logger", "logger", "_logger", "class")
THREAD = ("thread_name", "thread", "process.thread.name", "threadName", "_thread")
MYID = ("myid", "mdc.myid", "contextMap.myid", "labels.myid")
TRACE = ("stack_trace", "error.stack_trace", "exception.stacktrace", "thrown.extendedStackTrace", "thrown")
TIME = (
    "@timestamp", "time", "timestamp", "instant", "timeMillis", "date", "__REALTIME_TIMESTAMP", "_time", "_source.@timestamp",
    "result._time", "attributes.timestamp", "content.timestamp",
    "TimeGenerated",
)  # fmt: skip
ORIGIN = (
    "kubernetes.pod_name", "kubernetes.pod.name", "kubernetes.container_name", "container_name", "container.name", "service.node.name",
    "host.name", "host", "hostname", "_HOSTNAME", "source_host", "labels.pod", "fields.pod", "stream.pod", "_source.kubernetes.pod.name",
    "_source.kubernetes.pod_name", "_source.host.name", "resource.labels.pod_name", "logStreamName", "attributes.host", "content.host",
    "PodName", "ContainerName",
)  # fmt: skip
HELD = ("events", "hits", "entries", "logs", "items", "rows", "data", "results", "result")
"""Keys of what an export of one object holds: such objects, or another one that holds them."""
STARTS = re.compile(rf'(?:\{{?\s*"(?:{"|".join(HELD)})"\s*:\s*)?\[')
"""A line with which a list of objects begins, that are spread over lines of their own."""
ENDS = re.compile(r"\](?:\s*\}|,)?|\}")
"""A line with which such a list ends; it counts with the last of its objects."""
Row = tuple[str, int, int, str | None, int]
"""A line: text, number, physical lines, who printed it, the wrapper's stamp in ms."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SPREAD = 400
"""Physical lines that one object may be spread over."""


def looks_like_json(line: str) -> bool:
    """An object with a text, or the beginning of one that is spread over several lines."""
    if line.startswith(("{", "[{")) and line.rstrip().endswith(("}", "}]")):
        return any(_first(found, TEXT) is not None for found in _objects(line))
    return line.strip() in ("{", "}", "},", "[", "]") or line.startswith(('  "', "    "))


def _objects(text: str) -> list[dict[str, Any]]:
    """The object that a text is, or those of the list that it is or holds; none where it is no JSON."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return []
    while isinstance(found, dict) and _first(found, TEXT) is None and (key := next((key for key in HELD if key in found), None)):
        found = found[key]
    listed = found if isinstance(found, list) else [found]
    return [one for each in listed if isinstance(each, dict) for one in _streamed(each)]


def _streamed(found: dict[str, Any]) -> list[dict[str, Any]]:
    """An object, or the lines of a stream of Loki's: pairs of a time in ns and a text."""
    values = found.get("values")
    if not isinstance(values, list) or "stream" not in found:
        return [found]
    pairs = [pair for pair in values if isinstance(pair, list) and len(pair) > 1]
    return [{"line": pair[1], "timestamp": pair[0], "labels": found["stream"]} for pair in pairs]


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip())


@dataclass
class Json:
    """The step that reads such lines."""

    name: str = "json"
    utc: bool = False
    _shift: int = 0
    """How many entries, beyond one each, the lines so far held in lists."""
    _open: list[Row] = field(default_factory=list)
    _partial: list[Row] = field(default_factory=list)
    """Pieces of one line, as Docker cuts those of more than 16 KB."""
    _held_open: int = 0
    _held_partial: int = 0
    """Characters of the rows above; from LONGEST on they are handed out though their end has not come."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is odd about the numbers of its lines."""
        return (f"lists of records in one line: their entries count as lines, {self._shift} more than the file has",) if self._shift else ()

    def peel(self, lines: pl.DataFrame) -> pl.DataFrame:
        """What the objects hold; records in canonical form."""
        rows: list[Row] = []
        for row in lines.iter_rows():
            if rows and not self._open and ENDS.fullmatch(row[0].strip()):
                text, number, weight, origin, outer = rows[-1]
                rows[-1] = (text, number, weight + row[2], origin, outer)
            else:
                rows += self._row(row)
        return self._frame(rows, lines.schema)

    def rest(self) -> pl.DataFrame:
        """Pieces whose end never came, as they stand."""
        rows = [*self._partial, *self._given_up()]
        self._partial, self._held_partial = [], 0
        schema = {"text": pl.String, "number": pl.Int64, "weight": pl.Int64, "origin": pl.String, "outer": pl.Int64}
        return self._frame(rows, schema)

    def _frame(self, rows: list[Row], schema: Mapping[str, Any]) -> pl.DataFrame:
        return pl.DataFrame(rows, schema=dict(schema), orient="row")

    def _row(self, row: Row) -> Iterable[Row]:
        text = row[0]
        begins = text.lstrip().startswith(("{", "[{"))
        if STARTS.fullmatch(text.strip()) or (begins and self._open and _indent(text) <= _indent(self._open[0][0])):
            given = self._given_up()  # a list begins, or the object before was none
            return [*given, *(self._row(row) if begins and not STARTS.fullmatch(text.strip()) else [row])]
        if not begins and not self._open:
            return [(text, row[1] + self._shift, *row[2:])]
        self._open.append(row)
        whole = self._whole() if text.rstrip().rstrip(",").endswith(("}", "}]")) else ""
        found = _objects(whole.rstrip().rstrip(","))
        self._held_open += len(text)
        if not found:
            return self._given_up() if len(self._open) > SPREAD or self._held_open > LONGEST else []
        pieces = self._given_up()
        first, weight = pieces[0], sum(piece[2] for piece in pieces)
        begin = first[1] + self._shift
        self._shift += len(found) - 1
        weights = [weight, *[1] * (len(found) - 1)]
        rows = [self._held(one, (whole, begin + at, weights[at], first[3], first[4])) for at, one in enumerate(found)]
        return [row for held in rows for row in held]

    def _given_up(self) -> list[Row]:
        given, self._open, self._held_open = self._open, [], 0
        return given

    def _whole(self) -> str:
        return "\n".join(piece[0] for piece in self._open)

    def _held(self, found: dict[str, Any], row: Row) -> list[Row]:
        _, number, weight, origin, outer = row
        text = _first(found, TEXT)
        if text is None:
            return [row]
        time = _milliseconds(found)
        origin = _first(found, ORIGIN) or origin
        level, logger = _first(found, LEVEL), _first(found, LOGGER)
        if level is not None and logger is not None and not isinstance(found.get("log"), str):
            return [(self._canonical(found, text, level, logger, time), number, weight, origin, time or outer)]
        if "stream" in found and "log" in found:
            self.name = "docker_json"
            self._partial.append((text, number, weight, origin, time or outer))
            self._held_partial += len(text)
            if not text.endswith("\n") and self._held_partial < LONGEST:
                return []
            pieces, self._partial, self._held_partial = self._partial, [], 0
            text, number = "".join(piece[0] for piece in pieces), pieces[0][1]
            weight = sum(piece[2] for piece in pieces)
        return [(text.removesuffix("\n").removesuffix("\r"), number, weight, origin, time or outer)]

    def _canonical(self, found: dict[str, Any], text: str, level: str, logger: str, time: int | None) -> str:
        self.utc = True
        stamp = NO_STAMP if time is None else f"{datetime.fromtimestamp(time / 1000, UTC):%Y-%m-%d %H:%M:%S},{time % 1000:03}"
        head = (SYSLOG.get(level, level.strip().upper()), _first(found, THREAD) or "", logger, _first(found, MYID) or "", text.rstrip("\n"))
        trace = _first(found, TRACE)
        told = stamp + "".join(CANONICAL + part.replace(CANONICAL, " ") for part in head)
        return told if trace is None else f"{told}\n{trace.rstrip()}"


def _value(found: Mapping[str, Any], key: str) -> Any:
    value: Any = found.get(key)
    if value is None and "." in key:
        value = found
        for part in key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
    return value


def _first(found: Mapping[str, Any], keys: Iterable[str]) -> str | None:
    """The first of these keys that has a text: at the top level, or dotted through nested objects."""
    for key in keys:
        value = _value(found, key)
        if isinstance(value, str | int | float) and not isinstance(value, bool) and value != "":
            return str(value)
    return None


def _milliseconds(found: Mapping[str, Any]) -> int | None:
    """The first of TIME that holds a time of CALENDAR, in ms since 1970."""
    times = (_time(value) for key in TIME if (value := _value(found, key)) is not None)
    return next((time for time in times if time is not None and CALENDAR[0] <= time <= CALENDAR[1]), None)


def _time(value: Any) -> int | None:
    """A value as ms since 1970; null where it is no time."""
    try:
        if isinstance(value, dict):  # log4j2's instant
            return int(value["epochSecond"]) * 1000 + int(value.get("nanoOfSecond", 0)) // 1_000_000
        if isinstance(value, str) and not value.isdecimal():
            return _iso(value)
        return None if isinstance(value, bool) else _scaled(int(value) if isinstance(value, str) else value)
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _scaled(value: float) -> int:
    """A time since 1970 in ms, whether it was given in s, ms, us or ns: of years from 1973 to 5138 these differ."""
    return int(value * 1000) if value < 1e11 else int(value // (1 if value < 1e14 else 1000 if value < 1e17 else 1_000_000))


def _iso(value: str) -> int:
    time = datetime.fromisoformat(value)
    return ((time if time.tzinfo else time.replace(tzinfo=UTC)) - EPOCH) // timedelta(milliseconds=1)
