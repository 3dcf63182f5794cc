"""The data files of one server as a start meets them (``protocol.startup.Files``), out of the tables of a Trace."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from zabtrace.evidence.trace import Trace
from zabtrace.protocol import logreading, startup
from zabtrace.protocol.logreading import Ints
from zabtrace.records.frames import END_OF_NODES, FILE_HEADER, RECORD_FRAME, TXN_HEADER
from zabtrace.records.opcodes import BY_CODE, MULTI

_FRAME = struct.Struct(">qi")
_TYPE = struct.Struct(">i")
INSIDE_MULTI = frozenset({"check"})
"""Op codes that SerializeUtils.deserializeTxn does not know on their own."""
OWN_COMPRESSIONS = ("gz", "snappy")
"""What a server reads by the last part of a snapshot's name (SnapStream.getStreamMode, 3.6.0+)."""


def files_of(trace: Trace, server: int, copy: int = 0) -> startup.Files:
    """All data files of that copy."""
    here = (pl.col("server") == server) & (pl.col("copy") == copy)
    named = pl.col("name_zxid").is_not_null()
    logs = [_log(trace, row) for row in trace.txn_files.filter(here & named).iter_rows(named=True)]
    rows = trace.snapshots.filter(here & pl.col("zxid").is_not_null()).iter_rows(named=True)
    return startup.Files(tuple(_snapshot(trace, row) for row in rows), tuple(logs), _epochs(trace.epoch_files.filter(here)))


def own_name(source: str) -> str:
    """The name of a file in its folder.

    >>> own_name("server-1/data/version-2/log.100000001")
    'log.100000001'
    """
    return re.split(r"[/\\]", source)[-1]


def _epochs(files: pl.DataFrame) -> startup.Epochs:
    held = dict(files.select("name", "epoch").iter_rows())
    unreadable = tuple(name for name in ("currentEpoch", "acceptedEpoch") if name in held and held[name] is None)
    return startup.Epochs(
        held.get("currentEpoch"), held.get("acceptedEpoch"), held.get("currentEpoch.tmp"), "updatingEpoch" in held, unreadable
    )


# ---------------------------------------------------------------- snapshots
def _snapshot(trace: Trace, row: dict[str, Any]) -> startup.SnapshotFile:
    compressed = row["source"].rsplit(".", 1)[-1] in OWN_COMPRESSIONS
    candidate = row["valid"] or _passes_quick_test(trace, row, compressed)
    return startup.SnapshotFile(own_name(row["source"]), row["zxid"], candidate, row["valid"] and row["bytes"] > 0, compressed)


def _passes_quick_test(trace: Trace, row: dict[str, Any], compressed: bool) -> bool:
    """SnapStream.isValidSnapshot: a compressed file by its magic, a plain one by its size and its last five bytes."""
    if compressed:
        return row["compression"] is not None
    if row["source"] not in trace.files:
        return bool(row["bytes"] >= startup.SMALLEST_SNAPSHOT)
    content = trace.files[row["source"]].buffer()
    return len(content) >= startup.SMALLEST_SNAPSHOT and content[-len(END_OF_NODES) :] == END_OF_NODES


# ---------------------------------------------------------------- logs
def _log(trace: Trace, row: dict[str, Any]) -> logreading.LogFile:
    records = trace.txns.filter((pl.col("source") == row["source"]) & pl.col("checksum_ok")).sort("offset")
    doubtful = tuple((offset, _frame(trace, row, offset, odd=odd)) for offset, odd in _doubtful(trace, row["source"], records))
    return logreading.LogFile(
        own_name(row["source"]), row["name_zxid"], row["bytes"], _magic(trace, row["source"]), doubtful, tuple(_types(records)),
        *_every(records, trace.folds),
    )  # fmt: skip


def _every(records: pl.DataFrame, folds: pl.DataFrame) -> tuple[Ints, Ints]:
    """Offsets and zxids of a log's records, those that were left out (schema.FOLDS) among them: they lie behind the one before."""
    joined = records.join(folds.select("source", "offset", "skipped"), on=["source", "offset"], how="left", maintain_order="left")
    offset, zxid, skipped = (joined[name].fill_null(0).to_numpy() for name in ("offset", "zxid", "skipped"))
    if not skipped.any():
        return offset, zxid
    row = np.repeat(np.arange(skipped.size), skipped + 1)
    behind = np.cumsum(skipped + 1)[row] - 1 - np.arange(row.size)
    return np.where(behind > 0, offset[np.maximum(row - 1, 0)], offset[row]), zxid[row] - behind


def _magic(trace: Trace, source: str) -> bool:
    """Is the magic right? Its damage is the only one that stands at byte 0 of a file with a whole header."""
    found = trace.damage.filter((pl.col("source") == source) & (pl.col("offset") == 0) & (pl.col("harm") == "data"))
    return found.is_empty()


def _doubtful(trace: Trace, source: str, records: pl.DataFrame) -> list[tuple[int, bool]]:
    """Places behind the header, in file order: True where reading met something, False at records too long for some releases."""
    harmful = (pl.col("source") == source) & pl.col("harm").is_in(["tail", "data"]) & (pl.col("offset") >= FILE_HEADER)
    long = records.filter(pl.col("payload_len") > logreading.SMALLEST_LIMIT)
    return sorted((dict.fromkeys(long["offset"], False) | dict.fromkeys(trace.damage.filter(harmful)["offset"], True)).items())


def _frame(trace: Trace, row: dict[str, Any], offset: int, *, odd: bool) -> logreading.Frame | None:
    """The frame at that offset, None where the file's bytes are not at hand; ``odd``: something is wrong with it."""
    found = trace.data(row["source"], offset, RECORD_FRAME)
    if found is None:
        return None
    left = row["bytes"] - offset - RECORD_FRAME
    if len(found) < RECORD_FRAME:
        return logreading.Frame(0, left, None, False)
    stored, length = _FRAME.unpack(found)
    whole = 0 < length < left
    payload = trace.data(row["source"], offset + RECORD_FRAME, length) if whole else None
    ends = trace.data(row["source"], offset + RECORD_FRAME + length, 1) if whole else None
    right = payload is not None and zlib.adler32(payload) == stored
    return logreading.Frame(length, left, ends[0] if ends else None, right, _readable(payload) if odd and right and payload else True)


def _readable(payload: bytes) -> bool | None:
    """A body that is damaged under a right checksum: a multi's members are read only when it is applied, and then passed over."""
    known = len(payload) < TXN_HEADER or _TYPE.unpack_from(payload, TXN_HEADER - 4)[0] == MULTI
    return True if known else None


def _types(records: pl.DataFrame) -> Iterator[tuple[int, int, str | None]]:
    for code, offset in records.group_by("type").agg(pl.col("offset").min()).sort("offset").iter_rows():
        op = BY_CODE.get(code)
        yield offset, code, None if op is None or op.name in INSIDE_MULTI else op.since
