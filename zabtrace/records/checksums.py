"""Adler-32 of all records of an unbroken chain, without one call per record.

Strategy: Adler-32 is two sums modulo 65521, so that of a stretch of file follows from those of its parts (zlib's adler32_combine). What
it must be if every stored checksum is right is computed from the frames as columns, and compared with one pass of zlib over the
stretch. One wrong record always shows, for nothing can make up for it; two that hide each other have a chance of 2**-32.
Only a stretch that does not agree is checked record by record.
"""

from __future__ import annotations

import zlib

import numpy as np

from zabtrace.records.columns import Bytes, Flags, Ints
from zabtrace.records.frames import END_OF_RECORD, RECORD_AROUND, RECORD_FRAME

MODULUS = 65521
STRETCH, STRETCH_BYTES = 1 << 14, 8 << 20
"""Most records, and about how many bytes, that are checked by one call."""


def right(buffer: Bytes, offset: Ints, length: Ints, stored: Ints) -> Flags:
    """Which records of an unbroken chain (each begins where the one before it ends) hold a payload that fits the stored checksum."""
    good = np.ones(offset.size, dtype=np.bool_)
    for begin, end in _stretches(offset):
        part = slice(begin, end)
        if not _as_predicted(buffer, offset[part], length[part], stored[part]):
            good[part] = one_by_one(buffer, offset[part], length[part], stored[part])
    return good


def one_by_one(buffer: Bytes, offset: Ints, length: Ints, stored: Ints) -> Flags:
    """What ``right`` gives, by one call per record."""
    data, begin = buffer.data, offset + RECORD_FRAME
    computed = [zlib.adler32(data[at:end]) for at, end in zip(begin.tolist(), (begin + length).tolist(), strict=True)]
    return np.asarray(stored == np.array(computed, dtype=np.int64))


def _stretches(offset: Ints) -> list[tuple[int, int]]:
    bounds, begin = [], 0
    while begin < offset.size:
        end = min(begin + STRETCH, max(begin + 1, int(np.searchsorted(offset, offset[begin] + STRETCH_BYTES))), offset.size)
        bounds.append((begin, end))
        begin = end
    return bounds


def _as_predicted(buffer: Bytes, offset: Ints, length: Ints, stored: Ints) -> bool:
    """Is the Adler-32 of the whole stretch the one that the stored checksums lead to?"""
    low, high = stored & 0xFFFF, stored >> 16
    if ((stored < 0) | (low >= MODULUS) | (high >= MODULUS)).any():
        return False  # no checksum at all: taken modulo 65521 it would look like one
    end = int(offset[-1] + length[-1]) + RECORD_AROUND
    frame_sum, frame_weighted = _frame_sums(stored, length)
    after_frame = end - offset - RECORD_FRAME
    after_payload = after_frame - length  # so many bytes of the stretch, the end-of-record byte being the first
    plain = frame_sum + low - 1 + END_OF_RECORD
    weighted = frame_weighted + frame_sum * (after_frame % MODULUS) + high - length + (low - 1 + END_OF_RECORD) * (after_payload % MODULUS)
    size = end - int(offset[0])
    predicted = (size + int(weighted.sum())) % MODULUS << 16 | (1 + int(plain.sum())) % MODULUS
    return predicted == zlib.adler32(buffer.data[int(offset[0]) : end])


def _frame_sums(stored: Ints, length: Ints) -> tuple[Ints, Ints]:
    """Of each frame the sum of its bytes, and the sum weighted by their distance from the frame's end (the last byte counts 1)."""
    octets = [number >> shift & 0xFF for number in (stored, length) for shift in (24, 16, 8, 0)]  # the upper half of stored is zero
    plain, weighted = np.zeros_like(stored), np.zeros_like(stored)
    for weight, octet in zip(range(8, 0, -1), octets, strict=True):
        plain += octet
        weighted += weight * octet
    return plain, weighted
