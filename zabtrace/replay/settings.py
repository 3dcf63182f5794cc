"""Settings: time limits of a server as its configuration gives them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from zabtrace.evidence.trace import Trace

Settings = Mapping[int, Mapping[str, str]]
DEFAULT_TICK = "3000"
"""tickTime in ms where none is configured (ZooKeeperServer.DEFAULT_TICK_TIME)."""


def settings(trace: Trace) -> Settings:
    """Configured values per server."""
    found: dict[int, dict[str, str]] = defaultdict(dict)
    for server, key, value in trace.settings.select("server", "key", "value").drop_nulls().iter_rows():
        found[server][key] = value
    return found


def limit(known: Settings, server: int, key: str) -> int | None:
    """syncLimit or initLimit of a server in ms; None where it is not configured (QuorumPeerConfig has no default for them).

    >>> limit({1: {"syncLimit": "5", "tickTime": "2000"}}, 1, "syncLimit")
    10000
    """
    own = known.get(server, {})
    ticks, tick = own.get(key, ""), own.get("tickTime", DEFAULT_TICK)
    return int(ticks) * int(tick) if ticks.isdecimal() and tick.isdecimal() and len(ticks + tick) < 16 else None
