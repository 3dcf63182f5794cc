"""Dumps of snapshots: every znode a row of ZNODES, everything odd a DAMAGE row.

Strategy: a znode is its path on the line below ``----`` and the settings below it, each ``  key = value``; lines are read as columns,
piece by piece, and settings put together by znode. SnapshotFormatter checks no seal, so that a dump does not show that a server would
take the snapshot; times are to the second, and a length of 0 may be that of no data at all. The JSON form (3.6 and newer) tells paths and
lengths alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from zabtrace import schema
from zabtrace.dumps import shapes
from zabtrace.dumps.stamps import Clock
from zabtrace.records.frames import name_zxid
from zabtrace.source import BLOCK, BUFFER_LIMIT, Source

RULE = "----"
ZXIDS = {"cZxid": "czxid", "mZxid": "mzxid", "pZxid": "pzxid", "ephemeralOwner": "ephemeral_owner"}
NUMBERS = {"cversion": "cversion", "dataVersion": "version", "aclVersion": "aversion"}
STAMPS = {"ctime": "ctime", "mtime": "mtime"}
KEYS = (*ZXIDS, *NUMBERS, *STAMPS)
DATA, LENGTH = "data", "dataLength"
LARGEST = 1 << 28
AGAIN = "Let the tool print the snapshot once more, and keep all it prints, errors too; better, copy the snapshot itself."
JSON_START = b"[1,0,{"
FINDINGS = {
    "count": "the tool counted {count} znodes, {present} are here: the dump is cut, or edited",
    "end": "the dump ends before the session table: znodes may be missing",
    "settings": "{count} znodes lack settings that the tool prints: they are shown without them",
    "stray": "{count} lines belong to no znode",
    "json": "the JSON does not end as the tool ends it: {why}",
}


@dataclass(frozen=True)
class SnapshotDumpRead:
    """One dump as frames of ZNODES, SNAPSHOT_SESSIONS and DAMAGE; server and copy are null. ``zxid`` is that of the snapshot's name."""

    znodes: pl.DataFrame
    sessions: pl.DataFrame
    damage: pl.DataFrame
    zxid: int | None
    remarks: tuple[str, ...]


def read_snapshot_dump(source: Source, zone: str | None = None) -> SnapshotDumpRead:
    """Read a dump; ``zone`` is that of its stamps. Damage becomes rows; nothing is raised for what the file holds."""
    if source.head(64).lstrip().startswith(JSON_START):
        return _read_json(source)
    reading = _Reading(source, Clock(zone))
    pieces = list(reading.pieces())
    znodes = pl.concat(pieces) if pieces else schema.frame(schema.ZNODES)
    sessions = schema.frame(schema.SNAPSHOT_SESSIONS, [{"source": source.name, **row} for row in reading.sessions])
    return SnapshotDumpRead(
        znodes, sessions, reading.damage(znodes.height), name_zxid(source.name, "snapshot"), tuple(reading.clock.remarks)
    )


@dataclass
class _Reading:
    """What is known of a dump while it is read."""

    source: Source
    clock: Clock
    count: int | None = None
    listed: bool = False
    """Has the session table, behind the last znode, been reached?"""
    partial: int = 0
    strays: int = 0
    sessions: list[dict[str, Any]] = field(default_factory=list)

    def pieces(self) -> Iterator[pl.DataFrame]:
        """ZNODES of each piece of the file."""
        held, begin = b"", 0
        for block in self.source.blocks(BLOCK):
            held += block
            at = held.rfind(b"\n----\n/") + 1
            if at > 0:
                yield self._znodes(held[:at], begin)
                held, begin = held[at:], begin + at
            elif len(held) > LARGEST:
                self.source.fault(begin, f"no znode begins in {len(held)} bytes: they are passed over", AGAIN)
                held, begin = b"", begin + len(held)
        yield self._znodes(held, begin)

    def _znodes(self, content: bytes, begin: int) -> pl.DataFrame:
        lines = _lines(content, begin)
        path = (pl.col("line").shift(1) == RULE) & pl.col("line").str.starts_with("/")
        lines = lines.with_columns(path=path.fill_null(False)).with_columns(node=pl.col("path").cum_sum())
        settings = _settings(lines)
        self._rest(lines, settings)
        nodes = lines.filter("path").select("node", "offset", path="line")
        told = settings.filter(pl.col("node") > 0).group_by("node").agg(
            *(pl.col("value").filter(pl.col("key") == key).first().alias(key) for key in (*KEYS, DATA, LENGTH)),
            encoded=(pl.col("key") == DATA).any(),
        )  # fmt: skip
        table = nodes.join(told, on="node", how="left", maintain_order="left")
        self.partial += table.filter(pl.any_horizontal(pl.col(key).is_null() for key in KEYS)).height
        return schema.conform(schema.ZNODES, table.select("offset", "path", *self._columns(table)), source=self.source.name)

    def _columns(self, table: pl.DataFrame) -> list[pl.Expr | pl.Series]:
        digits = {
            new: pl.col(old).str.strip_prefix("0x").str.to_integer(base=16, dtype=pl.UInt64, strict=False) for old, new in ZXIDS.items()
        }
        numbers = {new: pl.col(old).cast(pl.Int64, strict=False) for old, new in NUMBERS.items()}
        times = {new: self.clock.times(table[old]).cast(pl.Int64).alias(new) for old, new in STAMPS.items()}
        padding = pl.col(DATA).str.extract("(=*)$").str.len_bytes()
        encoded = (pl.col(DATA).str.len_bytes() // 4 * 3 - padding).cast(pl.Int64)
        length = pl.coalesce(encoded, pl.col(LENGTH).cast(pl.Int64, strict=False))
        return [
            *(column.reinterpret(signed=True).alias(name) for name, column in digits.items()),
            *(column.alias(name) for name, column in numbers.items()),
            *times.values(),
            pl.when(length > 0).then(length).alias("data_len"),
            pl.lit(value=True).alias("dump"),
        ]

    def _rest(self, lines: pl.DataFrame, settings: pl.DataFrame) -> None:
        """Take the heading, the session table and the end; what is none of them is counted."""
        used = pl.col("path") | (pl.col("line") == RULE) | (pl.col("line") == "") | pl.col("at").is_in(settings["at"].implode())
        rest = lines.with_row_index("at").filter(~used)["line"]
        for _, found in shapes.matched("file", rest):
            if "count" in found.columns:
                self.count = found["count"][0]
        for _, found in shapes.matched("session_line", rest):
            self.sessions += found.select("session", "timeout").with_columns(_signed("session")).to_dicts()
        known = rest.str.contains("|".join([shapes.line_of(rule) for rule in ("file", "session_line", "end")]))
        heading = rest.str.starts_with("Session Details (")
        self.listed |= bool(heading.any())
        self.strays += int((~known & ~heading).sum())

    def damage(self, present: int) -> pl.DataFrame:
        """DAMAGE of the whole file."""
        odd = {
            "count": self.count is None or self.count - present not in (0, 1),  # from 3.5 on the root is counted twice
            "end": not self.listed,
            "settings": self.partial > 0,
            "stray": self.strays > 0,
        }
        values: dict[str, dict[str, object]] = {
            "count": {"count": self.count, "present": present},
            "settings": {"count": self.partial},
            "stray": {"count": self.strays},
        }
        found = [_row(self.source.name, FINDINGS[name].format(**values.get(name, {}))) for name, is_odd in odd.items() if is_odd]
        return schema.frame(schema.DAMAGE, found)


def _row(source: str, reason: str) -> dict[str, Any]:
    return {"source": source, "offset": 0, "reason": reason, "harm": "none", "next_step": AGAIN}


def _lines(content: bytes, begin: int) -> pl.DataFrame:
    starts = np.concatenate([[0], np.flatnonzero(np.frombuffer(content, dtype=np.uint8) == 10) + 1]).astype(np.int64) + begin
    lines = pl.Series("line", [content.decode("utf-8", "replace")]).str.split("\n").explode().str.strip_suffix("\r")
    return pl.DataFrame([lines, pl.Series("offset", starts)])


def _settings(lines: pl.DataFrame) -> pl.DataFrame:
    """node, key, value of the lines that are settings, and which lines (``at``)."""
    chosen = lines.with_row_index("at").filter(pl.col("line").str.starts_with("  "))
    found = [frame for _, frame in shapes.matched("setting", chosen["line"].str.strip_chars_end(" "))]
    rows = [chosen[frame["row"]].select("at", "node").hstack(frame.drop("row")) for frame in found]
    empty = pl.DataFrame(schema={"at": pl.UInt32, "node": pl.UInt32, "key": pl.String, "value": pl.String})
    return pl.concat([empty, *rows], how="diagonal_relaxed").sort("at")


def _signed(name: str) -> pl.Expr:
    return pl.col(name).str.strip_prefix("0x").str.to_integer(base=16, dtype=pl.UInt64, strict=False).reinterpret(signed=True)


# ---------------------------------------------------------------- -json
def _read_json(source: Source) -> SnapshotDumpRead:
    """The form for ncdu: nested lists, the first item of each the folder itself."""
    content = bytes(source.buffer()[:BUFFER_LIMIT])
    try:
        tree = json.loads(content)[3:]
        rows, problem = list(_flat(tree)), None
    except (ValueError, RecursionError, TypeError, KeyError) as error:
        rows, problem = [], FINDINGS["json"].format(why=str(error) or type(error).__name__)
    znodes = schema.frame(schema.ZNODES, [{"source": source.name, "offset": 0, "dump": True, **row} for row in rows])
    damage = schema.frame(schema.DAMAGE, [_row(source.name, problem)] if problem else [])
    remarks = ("the JSON form tells paths and lengths of data alone: no zxid, no version, no owner",)
    return SnapshotDumpRead(znodes, schema.frame(schema.SNAPSHOT_SESSIONS), damage, name_zxid(source.name, "snapshot"), remarks)


def _flat(tree: list[Any]) -> Iterator[dict[str, Any]]:
    """path and data_len of every znode, parents first."""
    todo = [("", item) for item in reversed(tree)]
    while todo:
        parent, item = todo.pop()
        own, inside = (item[0], item[1:]) if isinstance(item, list) else (item, [])
        path = "/" if own["name"] == "/" and not parent else f"{parent.rstrip('/')}/{own['name']}"
        yield {"path": path, "data_len": own["dsize"] or None}
        todo += [(path, child) for child in reversed(inside)]
