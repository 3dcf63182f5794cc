"""What servers answered to four-letter words: facts, one row each, of the moment of the answer, which no answer names itself.

Strategy: each line is taken by the first shape of answers.lark that fits; what a line tells becomes columns of FACTS. When a connection
began is told in ms, by the server's clock: the answer is not older. What `date` printed in front of an answer is the time of asking;
the time of the file is none of the answer's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import polars as pl

from zabtrace import schema
from zabtrace.grammar import matching
from zabtrace.source import Source

FILE, RULE = "answers.lark", "line"
SIZE_LIMIT = 64 << 20
"""Bytes of an answer that are read: those of a server with many connections have a few million."""
SID = ("serverId", "zk_server_id")
VERSION = ("version", "zk_version", "zookeeper.version")
MODES = ("mode", "zk_server_state")
RELEASE = re.compile(r"\d+\.\d+\.\d+")
MEMBERSHIP = re.compile(r"^membership: *\n(?P<members>(?:(?:server|group|weight)\.[^\n]*\n?|version=[0-9a-f]+\n?)+)", re.MULTILINE)
ASKED = "asked"
BARE = ("heading", "pair", "pair_without_value")


@dataclass(frozen=True)
class AnswerRead:
    """One answer as a frame of FACTS (server null), with what it says of its server, its text of members, and its lines."""

    facts: pl.DataFrame
    sid: int | None
    version: str | None
    members: str | None
    lines: int
    unknown: int


def read_answer(source: Source) -> AnswerRead:
    """Read an answer. What no shape takes is counted; nothing is raised for what the file holds."""
    content = source.head(SIZE_LIMIT)
    if len(content) == SIZE_LIMIT:
        source.fault(SIZE_LIMIT, f"only the first {SIZE_LIMIT} bytes of the answer were read", "Nothing, if its end is not needed.")
    text = content.decode("utf-8", "replace").replace("\r\n", "\n")
    lines = pl.Series("line", [text]).str.split("\n").explode().str.strip_chars_end(" ")
    filled = lines.to_frame().with_row_index("at", offset=1).filter(pl.col("line").str.strip_chars() != "")
    found = [_facts(kind, frame, filled) for kind, frame in matching.matched(FILE, RULE, filled["line"])]
    taken = sum(frame.height for frame in found)
    table = pl.concat([frame for frame in found if frame.width > 1], how="diagonal") if any(frame.width > 1 for frame in found) else None
    facts = schema.frame(schema.FACTS) if table is None else _placed(schema.conform(schema.FACTS, table.sort("line"), source=source.name))
    members = MEMBERSHIP.search(text)
    return AnswerRead(facts, _sid(facts), _version(facts), members["members"] if members else None, filled.height, filled.height - taken)


def _facts(kind: str, frame: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Rows of FACTS of the lines that one shape took; a heading has none, and only its ``line`` column."""
    at = lines["at"].gather(frame["row"]).cast(pl.Int64).alias("line")
    told = frame.drop("row").with_columns(at)
    if kind == "heading":
        return told.select("line")
    if kind == ASKED:
        told = told.with_columns(_asked(told["asked"]))
    if "key" not in told.columns:
        told = told.with_columns(key=pl.lit(kind))
    if "since" in told.columns:
        told = told.with_columns(since=pl.col("since").cast(schema.TIME))
    return told.with_columns(pl.col(name).cast(pl.String) for name in ("value",) if name in told.columns)


def _asked(texts: pl.Series) -> pl.Series:
    """The times that `date` printed; null in a zone whose name is not UTC's (CST is three)."""
    plain = texts.str.replace(r"GMT|UTC", "+0000").str.replace(r"Z\z", "+00:00").str.replace(",", ".", literal=True).str.replace("T", " ")
    long = texts.str.replace(r"GMT|UTC", "+0000").str.to_datetime("%a %b %e %H:%M:%S %z %Y", time_unit="ms", time_zone="UTC", strict=False)
    short = plain.str.replace(r"([+-][0-9]{2}):?([0-9]{2})\z", "${1}:${2}")
    return long.fill_null(short.str.to_datetime("%Y-%m-%d %H:%M:%S%.f%:z", time_unit="ms", time_zone="UTC", strict=False)).cast(schema.TIME)


def _placed(facts: pl.DataFrame) -> pl.DataFrame:
    """Ephemeral znodes with the session of the line above them that names their owner; all with the time of asking above them."""
    owner = pl.when(pl.col("key") == "owner").then("session").forward_fill()
    since = pl.when(pl.col("key") == ASKED).then(pl.int_range(pl.len())).forward_fill()
    return facts.with_columns(
        session=pl.when(pl.col("key") == "ephemeral").then(owner).otherwise("session"), asked=pl.col("asked").first().over(since)
    ).filter(pl.col("key") != ASKED)


def _value(facts: pl.DataFrame, keys: tuple[str, ...]) -> str | None:
    found = facts.filter(pl.col("key").is_in(keys))["value"].drop_nulls()
    return str(found[0]) if len(found) else None


def _sid(facts: pl.DataFrame) -> int | None:
    """The one server that the answers name; a file may hold those of several."""
    said = set(facts.filter(pl.col("key").is_in(SID))["value"].drop_nulls())
    numbers = {int(text) for text in said if text.isdecimal() and int(text) < 1 << 63}
    return numbers.pop() if len(numbers) == 1 else None


def _version(facts: pl.DataFrame) -> str | None:
    said = RELEASE.match(_value(facts, VERSION) or "")
    return said[0] if said else None
