"""Lines that are JSON objects: the record, or the line of another program's making, that they hold.

Strategy: an object with a level and a logger is a record itself, and is written in ``CANONICAL`` form, from which it is read like any
other layout; one with a text only (Docker, Filebeat, fluentd, journald) hands out that text. Keys are those of
Docker, log4j 1.2 JSONEventLayout, log4j2 JsonLayout, logstash-logback-encoder, ECS and journald.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from zabtrace.logs.rests import CANONICAL

TEXT = ("log", "message", "msg", "MESSAGE")
LEVEL = ("level", "log.level", "severity")
LOGGER = ("logger_name", "loggerName", "log.logger", "logger", "class")
THREAD = ("thread_name", "thread", "process.thread.name", "threadName")
MYID = ("myid", "mdc.myid", "contextMap.myid", "labels.myid")
TRACE = ("stack_trace", "error.stack_trace", "exception.stacktrace", "thrown.extendedStackTrace", "thrown")
TIME = ("@timestamp", "time", "timestamp", "instant", "timeMillis", "date", "__REALTIME_TIMESTAMP")
ORIGIN = (
    "kubernetes.pod_name", "kubernetes.pod.name", "kubernetes.container_name", "container_name", "container.name", "service.node.name",
    "host.name", "host", "hostname", "_HOSTNAME", "source_host",
)  # fmt: skip
Row = tuple[str, int, int, str | None, int]
"""A line: text, number, physical lines, who printed it, the wrapper's stamp in ms."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LONGEST = 400
"""Physical lines that one object may be spread over."""


def looks_like_json(line: str) -> bool:
    """An object with a text, or the beginning of one that is spread over several lines."""
    if line.startswith("{") and line.rstrip().endswith("}"):
        found = _object(line)
        return found is not None and _first(found, TEXT) is not None
    return line.strip() in ("{", "}", "},", "[", "]") or line.startswith(('  "', "    "))


def _object(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


@dataclass
class Json:
    """The step that reads such lines."""

    name: str = "json"
    utc: bool = False
    _open: list[Row] = field(default_factory=list)
    _partial: list[Row] = field(default_factory=list)

    def peel(self, lines: pl.DataFrame) -> pl.DataFrame:
        """What the objects hold; records in canonical form."""
        rows: list[Row] = []
        for row in lines.iter_rows():
            rows += self._row(row)
        return self._frame(rows, lines.schema)

    def rest(self) -> pl.DataFrame:
        """Pieces whose end never came, as they stand."""
        rows, self._open, self._partial = [*self._partial, *self._open], [], []
        schema = {"text": pl.String, "number": pl.Int64, "weight": pl.Int64, "origin": pl.String, "outer": pl.Int64}
        return self._frame(rows, schema)

    def _frame(self, rows: list[Row], schema: Mapping[str, Any]) -> pl.DataFrame:
        return pl.DataFrame(rows, schema=dict(schema), orient="row")

    def _row(self, row: Row) -> Iterable[Row]:
        text = row[0]
        if text.startswith("{") and self._open:  # the object before was none
            given, self._open = self._open, []
            return [*given, *self._row(row)]
        if not text.startswith("{") and not self._open:
            return [row]
        self._open.append(row)
        whole = text if len(self._open) == 1 else "\n".join(piece[0] for piece in self._open)
        ends = text.rstrip().rstrip(",").endswith("}")
        found = _object(whole.rstrip().rstrip(",")) if ends else None
        if found is None:
            given = self._open if len(self._open) > LONGEST else []
            self._open = [] if given else self._open
            return given
        first, weight = self._open[0], sum(piece[2] for piece in self._open)
        self._open = []
        return self._held(found, (whole, first[1], weight, first[3], first[4]))

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
            if not text.endswith("\n"):
                self._partial.append((text, number, weight, origin, time or outer))
                return []
            if self._partial:
                pieces, self._partial = self._partial, []
                text, number = "".join(piece[0] for piece in pieces) + text, pieces[0][1]
                weight += sum(piece[2] for piece in pieces)
        return [(text.removesuffix("\n").removesuffix("\r"), number, weight, origin, time or outer)]

    def _canonical(self, found: dict[str, Any], text: str, level: str, logger: str, time: int | None) -> str:
        self.utc = True
        stamp = f"{datetime.fromtimestamp((time or 0) / 1000, UTC):%Y-%m-%d %H:%M:%S},{(time or 0) % 1000:03}"
        head = (level.strip(), _first(found, THREAD) or "", logger, _first(found, MYID) or "", text.rstrip("\n"))
        trace = _first(found, TRACE)
        told = stamp + "".join(CANONICAL + part.replace(CANONICAL, " ") for part in head)
        return told if trace is None else f"{told}\n{trace.rstrip()}"


def _first(found: Mapping[str, Any], keys: Iterable[str]) -> str | None:
    """The first of these keys that has a text: at the top level, or dotted through nested objects."""
    for key in keys:
        value: Any = found.get(key)
        if value is None and "." in key:
            value = found
            for part in key.split("."):
                value = value.get(part) if isinstance(value, dict) else None
        if isinstance(value, str | int | float) and not isinstance(value, bool) and value != "":
            return str(value)
    return None


def _milliseconds(found: Mapping[str, Any]) -> int | None:
    for key in TIME:
        value = found.get(key)
        if isinstance(value, dict) and isinstance(value.get("epochSecond"), int):
            return int(value["epochSecond"]) * 1000 + int(value.get("nanoOfSecond", 0)) // 1_000_000
        if isinstance(value, int | float) and not isinstance(value, bool):
            return int(value * 1000) if value < 1e11 else int(value)
        if isinstance(value, str) and (time := _iso(value, key)) is not None:
            return time
    return None


def _iso(value: str, key: str) -> int | None:
    if value.isdigit():
        return int(value) // 1000 if key == "__REALTIME_TIMESTAMP" else int(value)
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        return None
    return ((time if time.tzinfo else time.replace(tzinfo=UTC)) - EPOCH) // timedelta(milliseconds=1)
