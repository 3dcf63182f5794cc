"""A 64-bit hash of byte ranges, all at once, the same in every process, release and machine.

Strategy: ranges of so many words of 8 bytes are read together, one row each; a word is mixed with its place (add, multiply, fold,
multiply), and the sum of a row is mixed once more. The last word is filled up with zeros; the length is part of the hash. What is
longer than LONG is hashed one by one. Made against chance, not against an adversary.
"""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from zabtrace.records.columns import Bytes, Ints, every

LONG = 1024
"""Bytes from which a range is hashed by blake2b."""
_MULTIPLIER, _OTHER = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)
_FOLD = np.uint64(32)
_KEEP = np.array([(1 << 8 * n) - 1 for n in range(1, 8)] + [(1 << 64) - 1], dtype=np.uint64)
_ALONE = LONG // 8 + 1  # in place of a number of words: the range is hashed one by one
_PLACES = np.arange(1, LONG // 8 + 2, dtype=np.uint64) * np.uint64(0xA0761D6478BD642F)


def hashes(buffer: Bytes, start: Ints, length: Ints) -> npt.NDArray[np.uint64]:
    """The hash of ``buffer[start:start+length]`` of every row."""
    found = np.zeros(length.size, dtype=np.uint64)
    words = (length + 7) >> 3
    alone = (length > LONG) | (start + 8 * words > buffer.size)
    words[alone] = _ALONE
    order = np.argsort(words.astype(np.int16), kind="stable")
    start, length = start[order], length[order]
    ends = np.cumsum(np.bincount(words, minlength=_ALONE + 1)).tolist()
    for count, (begin, end) in enumerate(zip([0, *ends], ends, strict=False)):
        if begin == end:
            continue
        rows = slice(begin, end)
        if count < _ALONE:
            found[order[rows]] = _short(buffer, start[rows], length[rows], count)
        else:
            pairs = zip(start[rows].tolist(), length[rows].tolist(), strict=True)
            found[order[rows]] = np.array([_alone(buffer[at : at + size]) for at, size in pairs], dtype=np.uint64)
    return found


def _short(buffer: Bytes, start: Ints, length: Ints, count: int) -> npt.NDArray[np.uint64]:
    """Ranges of ``count`` words."""
    total = length.astype(np.uint64)
    if count:
        words = every(buffer, f"V{8 * count}")[start].view("<u8").reshape(-1, count)
        words[:, -1] &= _KEEP[(length - 1) & 7]
        words += _PLACES[:count]
        words *= _MULTIPLIER
        words ^= words >> _FOLD
        words *= _OTHER
        total += words.sum(axis=1)
    return _mix(total)


def _alone(content: Bytes) -> int:
    """One range: a long one, or one so near to the end of the file that its last word is not whole."""
    if content.size > LONG:
        return int.from_bytes(blake2b(content.tobytes(), digest_size=8).digest(), "little")
    padded = np.concatenate([content, np.zeros(8, dtype=np.uint8)])
    return int(_short(padded, np.array([0]), np.array([content.size]), (content.size + 7) >> 3)[0])


def _mix(value: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    value = (value + np.uint64(1)) * _MULTIPLIER
    return value ^ (value >> _FOLD)
