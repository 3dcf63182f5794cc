"""How values are written, alike in JSON, on the terminal and on the page: zxids, times, servers, places, foreign text.

Strategy: what a column holds is known by its name (``ZXIDS``, ``SERVERS``); ``written`` turns whole columns into text and
``rows`` yields them as dictionaries. Evidence is hostile: ``plain`` makes every character visible that a terminal would obey.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from zabtrace import schema, zxid

ZXIDS = frozenset({
    "zxid", "first_zxid", "last_zxid", "name_zxid", "learner_zxid", "to_zxid", "truncated_to", "from", "to", "discarded_from",
    "discarded_to", "reply_zxid", "base_zxid", "last_record", "first_record", "czxid", "mzxid", "pzxid", "session", "ephemeral_owner",
    "digest", "created_zxid", "ended_zxid", "left_zxid", "right_zxid",
})  # fmt: skip
"""Columns of 64-bit numbers that print in hexadecimal, as ZooKeeper prints them."""
SERVERS = frozenset({
    "server", "leader", "learner", "voted_for", "seen_by", "servers", "quorum", "followers", "observers", "on_disk_of", "absent_from",
    "lost", "against", "on",
})  # fmt: skip
"""Columns of sids, or of lists of them."""
STAMP = "%Y-%m-%dT%H:%M:%S%.3fZ"
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_SLICE = 20_000


@dataclass(frozen=True)
class Names:
    """What each server is called: its sid, or its label where the sid is not known (a negative number)."""

    labels: Mapping[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, servers: pl.DataFrame) -> Names:
        """The names that a frame SERVERS gives."""
        unknown = servers.filter(pl.col("server") < 0)
        return cls(dict(unknown.select("server", "label").iter_rows()))

    def name(self, server: Any) -> Any:
        """A sid as it is, the number of an unknown server as its label; lists item by item, null as null."""
        if isinstance(server, (list, tuple)):
            return [self.name(one) for one in server]
        return self.labels.get(server, server)


def plain(text: object) -> str:
    """Text from the evidence with control and direction characters made visible; nothing else is changed.

    >>> plain("[myid:1] \\x1b[31mred")
    '[myid:1] \\\\x1b[31mred'
    """
    return CONTROL.sub(lambda match: _SHORT.get(match[0], ascii(match[0])[1:-1]), str(text))


def moment(time: object) -> str | None:
    """A time (UTC) as ISO 8601 with milliseconds and Z; null as null."""
    return None if not isinstance(time, datetime) else f"{time.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def hexadecimal(numbers: pl.Series) -> pl.Series:
    """A column of signed 64-bit numbers as Java prints them: ``0x`` and lower-case hexadecimal without leading zeros."""
    digits = numbers.fill_null(0).cast(pl.Int64).to_numpy().astype(">i8").tobytes().hex().encode()
    words = pl.Series(numbers.name, np.frombuffer(digits, dtype="S16").astype("U16"), dtype=pl.String)
    short = words.str.strip_chars_start("0").str.replace("^$", "0")
    return pl.select(pl.when(numbers.is_not_null()).then(pl.lit("0x") + short).alias(numbers.name)).to_series()


def written(df: pl.DataFrame) -> pl.DataFrame:
    """The same rows with zxids, sessions and times as text; columns of other kinds stay as they are."""
    columns = [_column(series) for series in df.get_columns()]
    return pl.DataFrame(columns) if columns else df


def _column(series: pl.Series) -> pl.Series:
    if series.dtype == schema.TIME:
        return _stamps(series)
    return hexadecimal(series) if series.name in ZXIDS and series.dtype.is_integer() else series


def _stamps(times: pl.Series) -> pl.Series:
    """Times as text; what stands outside of CALENDAR (polars panics there) as milliseconds."""
    ms = times.to_physical()
    sound = ms.is_between(*schema.CALENDAR)
    shown = times.zip_with(sound, pl.Series([None], dtype=times.dtype).new_from_index(0, len(times))).dt.strftime(STAMP)
    return pl.select(pl.when(ms.is_null() | sound).then(shown).otherwise(pl.format("{} ms since 1970", ms)).alias(times.name)).to_series()


def rows(df: pl.DataFrame, names: Names) -> Iterator[dict[str, Any]]:
    """Each row as a dictionary of written values; an evidence item keeps only the keys that say something."""
    sids = [name for name in df.columns if name in SERVERS]
    proofs = [name for name in df.columns if df.schema[name] == schema.EVIDENCE]
    for part in df.iter_slices(_SLICE):
        for row in written(part).iter_rows(named=True):
            row.update({name: names.name(row[name]) for name in sids})
            row.update({name: [spoken(item) for item in row[name] or ()] for name in proofs})
            yield row


def spoken(item: Mapping[str, Any]) -> dict[str, Any]:
    """An evidence item without its null keys."""
    return {key: value for key, value in item.items() if value is not None}


def place(item: Mapping[str, Any]) -> str:
    """Where something stands: ``source:line``, ``source at offset`` or ``source``."""
    source = plain(item.get("source") or "")
    if item.get("line") is not None:
        return f"{source}:{item['line']}"
    return source if item.get("offset") is None else f"{source} at byte {item['offset']}"


def outage(out: Any, names: Names) -> str:
    """A window without writes (``replay.history.Outage``) as a sentence."""
    clock = names.name(out.clock)
    if out.end is None:
        return f"No write was possible from {moment(out.start)} on, by the clock of server {clock}: no leader is established after that."
    return f"Writes were impossible for {duration(out.ms)}, {moment(out.start)} to {moment(out.end)} by the clock of server {clock}."


def duration(ms: int) -> str:
    """Milliseconds for people.

    >>> duration(840), duration(2500), duration(192_000)
    ('840 ms', '2.5 s', '3 min 12 s')
    """
    if ms < 1000:
        return f"{ms} ms"
    seconds = ms / 1000
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def span(numbers: list[int]) -> str:
    """Neighbouring zxids drawn together: ``0x100000061..0x10000006c (12), 0x200000001``."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(zxid.text(a) if a == b else f"{zxid.text(a)}..{zxid.text(b)} ({b - a + 1})" for a, b in runs)


def listed(values: object) -> str:
    """Any value as one line of plain text: lists joined by commas, null empty, truth as yes and no."""
    if values is None:
        return ""
    if isinstance(values, bool):
        return "yes" if values else "no"
    if isinstance(values, (list, tuple)):
        return ", ".join(listed(value) for value in values)
    return plain(values)
