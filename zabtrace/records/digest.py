"""The tree digest, version 2 (DigestCalculator, 3.6.0+): the sum of a CRC-32 per znode outside of /zookeeper/."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import numpy as np

from zabtrace import zxid
from zabtrace.records.columns import Bytes, Column, Flags, Slices, numbers, only

STAT = (
    ("czxid", ">i8"), ("mzxid", ">i8"), ("pzxid", ">i8"), ("ctime", ">i8"), ("mtime", ">i8"),
    ("version", ">i4"), ("cversion", ">i4"), ("aversion", ">i4"), ("ephemeralOwner", ">i8"),
)  # fmt: skip
"""The order in which the digest covers a stat, which is not the order on disk."""
_SYSTEM = b"/zookeeper"


def tree_digest(buffer: Bytes, columns: Mapping[str, Column]) -> int:
    """The digest (signed) of decoded SnapshotNodes."""
    path, data = only(columns["path"], Slices), only(columns["data"], Slices)
    rows = np.flatnonzero(~below_zookeeper(buffer, path, itself=False))
    stats = np.zeros(rows.size, dtype=np.dtype(list(STAT)))
    for name, _ in STAT:
        stats[name] = numbers(columns[f"stat.{name}"])[rows]
    packed, view, crc32 = memoryview(stats.tobytes()), buffer.data, zlib.crc32
    ranges = np.stack([path.start, path.start + path.length, data.start, data.start + np.maximum(data.length, 0)])[:, rows]
    total, at = 0, 0
    for name, name_end, start, end in zip(*ranges.tolist(), strict=True):
        total += crc32(packed[at : at + 60], crc32(view[start:end], crc32(view[name:name_end])))
        at += 60
    return zxid.signed(total)


def below_zookeeper(buffer: Bytes, path: Slices, *, itself: bool) -> Flags:
    """Which paths lie below /zookeeper; ``itself``: or are it."""
    found = path.length >= len(_SYSTEM) + (not itself)
    rows = np.flatnonzero(found)
    for place, byte in enumerate(_SYSTEM + b"/"):
        inside = path.length[rows] > place
        right = ~inside
        right[inside] = buffer[path.start[rows[inside]] + place] == byte
        found[rows[~right]] = False
        rows = rows[right]
    return found
