"""Who is in the ensemble, and how servers are set up: zoo.cfg, zoo.cfg.dynamic.<hex>, and the text of a reconfig.

Strategy: the text is cut into logical lines as java.util.Properties does, each is parsed by the grammar, and the results are
folded into rows: one per member (with its group and weight) and one per setting. A line that ZooKeeper would refuse becomes a
DAMAGE row, the others are still read. peerType does not change a member: the server's line decides (QuorumPeerConfig:
"Defaulting to servers list").
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from zabtrace import schema, zxid
from zabtrace.grammar.config import ConfigLineError, Group, Line, Member, Setting, Weight, parse_line
from zabtrace.source import Source

SIZE_LIMIT = 1 << 20
"""Bytes of a configuration that are read; real ones have a few thousand."""
DYNAMIC_NAME = re.compile(r"\.dynamic\.([0-9a-fA-F]{1,16})$")
FIX_LINE = "A server refuses to start with this line: compare it with the configuration of the other servers."
STRUCTURED = re.compile(r"(?:server|group|weight)\.")
"""Lines whose values ZooKeeper takes apart, when Properties has resolved the escapes: Properties.store writes ``zk1\\:2888``."""
ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))")
ESCAPED = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


@dataclass(frozen=True)
class ConfigRead:
    """What one file says: tables of ``schema`` with server and copy null."""

    members: pl.DataFrame
    settings: pl.DataFrame
    damage: pl.DataFrame

    def setting(self, key: str) -> str | None:
        """The value of a key, the last where it stands twice (as in java.util.Properties)."""
        values = self.settings.filter(pl.col("key") == key)["value"]
        return str(values[-1]) if len(values) else None


@dataclass
class _Text:
    """The parsed lines of one text, with their line numbers, and what could not be parsed."""

    lines: list[tuple[int, Line]] = field(default_factory=list)
    refused: list[tuple[int, str]] = field(default_factory=list)


def read_config(source: Source) -> ConfigRead:
    """Read a static or dynamic configuration file."""
    content = source.head(SIZE_LIMIT)
    text = _parse(content.decode("utf-8", "replace"))
    named = DYNAMIC_NAME.search(source.name)
    rows = _members(text, zxid.signed(int(named[1], 16)) if named else None)
    settings = [
        {"source": source.name, "line": at, "key": line.key, "value": unescape(line.value)}
        for at, line in text.lines
        if isinstance(line, Setting)
    ]
    refused = text.refused + [(1, f"only the first {SIZE_LIMIT} bytes were read")] * (len(content) == SIZE_LIMIT)
    damage = [{"source": source.name, "line": at, "reason": why, "harm": "none", "next_step": FIX_LINE} for at, why in refused]
    return ConfigRead(
        schema.frame(schema.MEMBERS, [{**row, "source": source.name} for row in rows]),
        schema.frame(schema.SETTINGS, settings),
        schema.frame(schema.DAMAGE, damage),
    )


def config_of(text: str, source: str) -> ConfigRead:
    """The members that a server lists in an answer, as if they stood in a file of its own: they are what was in force."""
    rows = [{**row, "line": None, "source": source} for row in members_of(text)]
    return ConfigRead(schema.frame(schema.MEMBERS, rows), schema.frame(schema.SETTINGS), schema.frame(schema.DAMAGE))


def members_of(text: str) -> list[dict[str, Any]]:
    """The members that a configuration's text names, as rows of MEMBERS without a place: the text of a reconfig transaction.

    >>> [(row["sid"], row["role"], row["config_zxid"]) for row in members_of("server.1=a:2888:3888:observer;2181\\nversion=100000002")]
    [(1, 'observer', 4294967298)]
    """
    return _members(_parse(text), None)


def unescape(value: str) -> str:
    """A value as java.util.Properties reads it: ``\\:`` is a colon, ``\\u0041`` an A."""
    return ESCAPE.sub(lambda m: chr(int(m[1], 16)) if m[1] else ESCAPED.get(m[2], m[2]), value).strip()


def _members(text: _Text, config_zxid: int | None) -> list[dict[str, Any]]:
    groups = {sid: line.number for _, line in text.lines if isinstance(line, Group) for sid in line.sids}
    weights = {line.sid: line.weight for _, line in text.lines if isinstance(line, Weight)}
    versions = [line.value for _, line in text.lines if isinstance(line, Setting) and line.key == "version"]
    if versions and re.fullmatch(r"[0-9a-fA-F]{1,16}", versions[-1]):
        config_zxid = zxid.signed(int(versions[-1], 16))
    last = {line.sid: (at, line) for at, line in text.lines if isinstance(line, Member)}
    return [
        {
            "config_zxid": config_zxid,
            "sid": sid,
            "role": member.role or "participant",
            "host": member.host,
            "quorum_port": member.quorum_port,
            "election_port": member.election_port,
            "group": groups.get(sid),
            "weight": weights.get(sid, 1),
            "line": at,
            "addresses": list(member.addresses) or None,
            "client_host": member.client[0] if member.client else None,
            "client_port": member.client[1] if member.client else None,
        }
        for sid, (at, member) in sorted(last.items())
    ]


def _parse(text: str) -> _Text:
    found = _Text()
    for at, line in logical_lines(text):
        try:
            found.lines.append((at, parse_line(unescape(line) if STRUCTURED.match(line) else line)))
        except ConfigLineError as error:
            found.refused.append((at, f"no valid configuration line, {error}: {line[:200]!r}"))
    return found


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their number, from 1: without blanks and comments, joined where they end in an odd number of backslashes."""
    held, start = "", 0
    for at, physical in enumerate(re.split(r"\r\n|\n|\r", text), 1):
        line = physical.lstrip(" \t\f")
        if not held and (not line or line[0] in "#!"):
            continue
        start = start if held else at
        joined = held + line
        if (len(joined) - len(joined.rstrip("\\"))) % 2:
            held = joined[:-1]
            continue
        held = ""
        yield start, joined
    if held:
        yield start, held
