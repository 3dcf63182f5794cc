"""Opening and bounding bytes: files, compression, archives. Knows nothing of ZooKeeper."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BLOCK = 8 << 20


@dataclass(frozen=True)
class Source:
    """One file of the evidence: the name shown for it, and where its bytes are. Opened read-only."""

    name: str
    path: Path

    def head(self, size: int = 1 << 16) -> bytes:
        """The first bytes, uncompressed."""
        with self.path.open("rb") as file:
            return file.read(size)

    def blocks(self, size: int = BLOCK) -> Iterator[bytes]:
        """The uncompressed bytes, block by block."""
        with self.path.open("rb") as file:
            while block := file.read(size):
                yield block

    def buffer(self) -> memoryview:
        """All uncompressed bytes; a plain file is mapped, not read."""
        with self.path.open("rb") as file:
            if self.path.stat().st_size == 0:
                return memoryview(b"")
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
