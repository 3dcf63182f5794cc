"""A 64-bit hash of byte ranges, all at once, the same in every process, release and machine.

Strategy: ranges are read as little-endian words of 8 bytes, the last one filled up with zeros, and mixed word by word (multiply,
fold) over all ranges together; what is longer than LONG is hashed one by one. Made against chance, not against an adversary.
"""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from zabtrace.records.columns import Bytes, Ints, gather

LONG = 1024
"""Bytes from which a range is hashed by blake2b."""
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_FOLD = np.uint64(32)
_MASKS = np.array([(1 << 8 * n) - 1 for n in range(8)] + [(1 << 64) - 1], dtype=np.uint64)


def hashes(buffer: Bytes, start: Ints, length: Ints) -> npt.NDArray[np.uint64]:
    """The hash of ``buffer[start:start+length]`` of every row."""
    mixed = _mix(length.astype(np.uint64))
    for done in range(0, min(int(length.max(initial=0)), LONG), 8):
        rows = np.flatnonzero((length > done) & (length <= LONG))
        left = np.minimum(length[rows] - done, 8)
        mixed[rows] = _mix(mixed[rows] ^ _words(buffer, start[rows] + done, left))
    for row in np.flatnonzero(length > LONG):
        begin = int(start[row])
        digest = blake2b(buffer[begin : begin + int(length[row])].tobytes(), digest_size=8).digest()
        mixed[row] = int.from_bytes(digest, "little")
    return mixed


def _mix(value: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    value = (value + np.uint64(1)) * _MULTIPLIER
    return value ^ (value >> _FOLD)


def _words(buffer: Bytes, at: Ints, left: Ints) -> npt.NDArray[np.uint64]:
    """The next 8 bytes; near the end of the buffer the word is read from further left and shifted."""
    back = np.minimum(np.maximum(at + 8 - buffer.size, 0), at)
    words: npt.NDArray[np.uint64] = gather(buffer, at - back, "<u8") >> (back.astype(np.uint64) * np.uint64(8))
    return words & _MASKS[left]
