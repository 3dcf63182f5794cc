"""Damage to data files as rows of DAMAGE: every kind once, with its harm and what to do about it.

``tail`` is what a crash leaves at the end of a file; ``data`` is more than that; ``none`` is only listed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from zabtrace import schema

LARGEST_LIST = 1000
"""Rows kept of one file; one more says how many there were."""


@dataclass(frozen=True)
class Kind:
    """One way in which a file is damaged: its reason is a format of the values found there."""

    harm: str
    reason: str
    next_step: str


_COMPARE = "Compare with the other servers' logs of this range before this server is rebuilt from one of them."
_CRASH = "Nothing, if the server crashed: a record that was not written whole was never acknowledged by this server."
_OLDER = "The server takes an older snapshot and replays the logs since then: keep both."
_FOREIGN = "Tell which ZooKeeper release or fork wrote it."
_UPGRADE = "Let UpgradeMain of a release that still has it (org.apache.zookeeper.server.upgrade) convert a copy."
_COPY = "Copy the file again from the server; if it is like that there, the server ignores or refuses it."

KINDS: dict[str, Kind] = {
    "empty_file": Kind("tail", "the file has 0 bytes, a header needs 16", "Delete it there: before 3.9.3 no server starts with it."),
    "short_header": Kind("tail", "the file header needs 16 bytes, present {present}", "Delete it there: no server starts with it."),
    "log_magic": Kind(
        "data", "the magic is {found}, a transaction log begins with 5a4b4c47 (ZKLG): a server that reads it refuses to start", _COMPARE
    ),
    "log_version_1": Kind("data", "a transaction log of version 1, from before ZooKeeper 3.0: nothing was read from it", _UPGRADE),
    "odd_header": Kind(
        "none",
        "the file header says version {version}, dbid {dbid}; servers write 2 and 0, and look at neither",
        "Nothing: it is read all the same.",
    ),
    "name": Kind("none", "the file's name says {name}, its first record is {first}", "Find out whether it was renamed or cut by hand."),
    "unknown_type": Kind("none", "{count} records of op code {code}, which releases 3.4 to 3.9 do not write", _FOREIGN),
    "checksum": Kind(
        "data",
        "record {record}: Adler-32 of {length} bytes is {computed}, stored {stored}: a server that reads it refuses to start. {skipped}",
        _COMPARE,
    ),
    "header": Kind("data", "a record's payload needs 32 bytes for its header, present {length}", _COMPARE),
    "body": Kind("data", "record {record}: its checksum is right, but its {length} bytes are no {op}", _FOREIGN),
    "member": Kind("data", "record {record}: its checksum is right, but member {index} of the multi is no {op}", _FOREIGN),
    "torn": Kind("tail", "the last record is torn: {needed} bytes needed, {present} present", _CRASH),
    "end_byte": Kind("data", "the end-of-record byte is {found}, not 0x42: a server ends the file here. {skipped}", _COMPARE),
    "length": Kind("data", "a record's length is {length}, {present} bytes are left: not a record. {skipped}", _COMPARE),
    "hole": Kind("data", "zeros, and more data behind them: a server ends the file here. {skipped}", _COMPARE),
    "given_up": Kind("data", "the search for records behind this place was given up after {breaks} damaged places", _COMPARE),
    "many": Kind("data", "{count} further damaged places are not listed", _COMPARE),
    "empty_snapshot": Kind("data", "the file has 0 bytes, a snapshot's header needs 16", _OLDER),
    "snapshot_magic": Kind("data", "the magic is {found}, a snapshot begins with 5a4b534e (ZKSN)", _COPY),
    "snapshot_version_1": Kind("data", "a snapshot of version 1, from before ZooKeeper 3.0: nothing was read from it", _UPGRADE),
    "snapshot_body": Kind("data", "the {part} does not fit: {why}", _OLDER),
    "snapshot_seal": Kind("data", "the seal of the {part} does not check: Adler-32 is {computed}, stored {stored}", _OLDER),
    "snapshot_rest": Kind("data", "{rest} bytes follow the seal of the nodes; 0, 21, 33 or 54 are possible", _OLDER),
    "compressed": Kind("data", "the compressed file cannot be read on: {why}", _COPY),
    "unfinished": Kind("tail", "a snapshot that was not finished: {why}", "Nothing: the server ignores it and takes an older one."),
}


def row(kind: str, offset: int, zxid: int | None = None, **values: object) -> dict[str, Any]:
    """One row of DAMAGE: of that kind, at that offset of the uncompressed file, behind the record ``zxid``."""
    known = KINDS[kind]
    reason = known.reason.format(**values).strip()
    return {"offset": offset, "reason": reason, "harm": known.harm, "zxid": zxid, "next_step": known.next_step}


def frame(source: str, rows: Sequence[dict[str, Any]], unlisted: int = 0) -> pl.DataFrame:
    """The rows of one file as DAMAGE, in file order, the list cut where it is longer than anyone reads; ``unlisted`` more are counted."""
    listed = sorted(rows, key=lambda found: found["offset"])
    rest = listed[LARGEST_LIST:]
    if unlisted or rest:
        place = (rest or listed)[0 if rest else -1]
        count = len(rest) + unlisted
        listed = [*listed[:LARGEST_LIST], row("many", place["offset"], place["zxid"], count=count)]
    return schema.frame(schema.DAMAGE, [{**found, "source": source} for found in listed])
