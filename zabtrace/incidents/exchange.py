"""Messages between two servers, held as numbers: of flapping ensembles there are as many as of votes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from zabtrace.incidents.messages import Message
from zabtrace.incidents.scene import End

_END = [("at", "<i8"), ("time", "<i8"), ("line", "<i8"), ("source", "<u4")]
_MESSAGE = np.dtype([("back", "u1"), ("what", "u1"), ("sent", _END), ("received", _END)])
_PART = 4096
_EPOCH, _MS = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)
_NONE = -1
"""Instead of a line, where there is none."""


class Exchange:
    """Messages of two servers, iterated in the order of the first one's log."""

    def __init__(self, one: int, other: int) -> None:
        self.one, self._other = one, other
        self._parts: list[np.ndarray[Any, Any]] = []
        self._open: list[tuple[Any, ...]] = []
        self._names: dict[str | None, int] = {}
        self._whats: dict[str, int] = {}

    def add(self, message: Message) -> None:
        """Hold a message."""
        what = self._whats.setdefault(message.what, len(self._whats))
        self._open.append((message.received.server == self.one, what, self._packed(message.sent), self._packed(message.received)))
        if len(self._open) == _PART:
            self._close()

    def __iter__(self) -> Iterator[Message]:
        self._close()
        held = np.concatenate([np.empty(0, _MESSAGE), *self._parts])
        names, whats = list(self._names), list(self._whats)
        own = np.where(held["back"] == 1, held["received"]["at"], held["sent"]["at"])
        for place in np.argsort(own, kind="stable"):
            back, what, sent, received = held[place].item()
            servers = (self._other, self.one) if back else (self.one, self._other)
            yield Message(whats[what], _end(servers[0], sent, names), _end(servers[1], received, names))

    def _close(self) -> None:
        self._parts.append(np.array(self._open, _MESSAGE))
        self._open = []

    def _packed(self, end: End) -> tuple[int, int, int, int]:
        source = self._names.setdefault(end.source, len(self._names))
        return end.at, (end.time - _EPOCH) // _MS, _NONE if end.line is None else end.line, source


def _end(server: int, packed: tuple[int, int, int, int], names: list[str | None]) -> End:
    at, time, line, source = packed
    return End(server, at, _EPOCH + time * _MS, names[source], None if line == _NONE else line)
