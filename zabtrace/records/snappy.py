"""snappy-java's SnappyOutputStream framing, which ZooKeeper's ``.snappy`` snapshots use (SnapStream, 3.6.0+).

Layout: 8 bytes magic, int version, int compatible version, then blocks of int compressed length and one raw snappy block, whose
uncompressed length is its leading varint. Every length is checked against the bytes left before anything is allocated.
"""

from __future__ import annotations

import struct

from zabtrace.errors import ZabtraceError
from zabtrace.records.frames import SNAPPY_MAGIC

HEADER = 16
LARGEST_BLOCK = 512 << 20
"""snappy-java's own upper bound of a block."""
LARGEST_RATIO = 64
"""A snappy copy element of 3 bytes yields at most 64."""


class SnappyError(ZabtraceError):
    """The stream is not what snappy-java writes; ``offset`` in the compressed file, ``decoded`` is what came before."""

    def __init__(self, reason: str, offset: int, decoded: bytes) -> None:
        super().__init__(reason)
        self.offset = offset
        self.decoded = decoded


def decompress(data: memoryview, limit: int) -> bytes:
    """The uncompressed bytes of a whole stream. Raises SnappyError where it is cut, damaged, or longer than ``limit`` bytes."""
    blocks: list[bytes] = []
    total, at = 0, HEADER
    if bytes(data[:8]) != SNAPPY_MAGIC or len(data) < HEADER:
        raise SnappyError(f"snappy-java's header needs {HEADER} bytes beginning 82 53 4e 41, present {len(data)}", 0, b"")
    while at < len(data):
        try:
            length = _compressed_length(data, at)
            size = _size(data[at + 4 : at + 4 + length])
            if total + size > limit:
                raise ValueError(f"more than {limit} bytes uncompressed: not read further")
            blocks.append(_block(data[at + 4 : at + 4 + length], size))
        except ValueError as error:
            raise SnappyError(str(error), at, b"".join(blocks)) from error
        total += size
        at += 4 + length
    return b"".join(blocks)


def head(data: bytes) -> bytes:
    """The first uncompressed bytes of a stream of which ``data`` is the beginning; empty where the first block is not whole."""
    try:
        length = _compressed_length(memoryview(data), HEADER)
        block = memoryview(data)[HEADER + 4 : HEADER + 4 + length]
        return _block(block, _size(block))[:64]
    except ValueError:
        return b""


def _compressed_length(data: memoryview, at: int) -> int:
    if len(data) - at < 4:
        raise ValueError(f"a block's length needs 4 bytes, present {len(data) - at}")
    length: int = struct.unpack_from(">i", data, at)[0]
    if not 0 < length <= len(data) - at - 4:
        raise ValueError(f"a block needs {length} bytes, present {len(data) - at - 4}")
    return length


def _size(block: memoryview) -> int:
    """The uncompressed length: a little-endian varint of 7-bit groups."""
    size = 0
    for index, byte in enumerate(block[:5]):
        size |= (byte & 0x7F) << 7 * index
        if not byte & 0x80:
            break
    else:
        raise ValueError("a block's uncompressed length does not end within 5 bytes")
    if size > min(LARGEST_BLOCK, len(block) * LARGEST_RATIO):
        raise ValueError(f"a block of {len(block)} bytes claims {size} uncompressed bytes")
    return size


def _block(block: memoryview, size: int) -> bytes:
    import pyarrow as pa

    try:
        decoded: bytes = pa.decompress(pa.py_buffer(block), decompressed_size=size, codec="snappy", asbytes=True)
    except OSError as error:
        raise ValueError(f"a block of {len(block)} bytes is no snappy block: {error}") from error
    return decoded
