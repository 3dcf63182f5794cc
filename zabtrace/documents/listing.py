"""Listings: rows of a document that are made as they are written, and forgotten, however many there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Listing:
    """So many rows, made anew each time they are gone through."""

    length: int
    make: Callable[[], Iterator[dict[str, Any]]]

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self.make()
