"""What a TRUNC does to a server's files, and what is left in force (FileTxnLog.truncate, ZKDatabase.truncateLog, 3.4 to 3.9).

Strategy: a log is its files in order, each a list of zxids. Truncation finds the first record at or above the target, ends that
file behind it and deletes the files that follow; snapshots are not touched.
"""

from __future__ import annotations

from collections.abc import Sequence


def truncate(files: Sequence[Sequence[int]], target: int) -> list[list[int]] | None:
    """The records left in each file; None where no record is at or above ``target``: "No log files found to truncate", the learner exits.

    The record that ends the log is the first at or above the target: where the target itself has no record, one too many stays.

    >>> truncate([[1, 2, 3], [4, 5]], 2), truncate([[1, 2, 4, 5]], 3), truncate([[1, 2]], 7)
    ([[1, 2], []], [[1, 2, 4]], None)
    """
    for number, records in enumerate(files):
        for place, zxid in enumerate(records):
            if zxid >= target:
                return [list(held) for held in files[:number]] + [list(records[: place + 1])] + [[] for _ in files[number + 1 :]]
    return None


def too_many(kept: Sequence[Sequence[int]], target: int) -> int | None:
    """The record above the target that a truncation left, if it left one: the next start replays it."""
    last = next((records[-1] for records in reversed(kept) if records), None)
    return last if last is not None and last > target else None


def replayed(files: Sequence[Sequence[int]], base: int | None) -> list[int]:
    """zxids that a start replays above its snapshot: from the first record above ``base`` on, everything in file order.

    FileTxnLog.read(base + 1) skips records up to the first one that is high enough; what follows it is applied whatever its zxid.

    >>> replayed([[1, 2, 3], [5, 6]], 2), replayed([[3, 7, 4]], 5)
    ([3, 5, 6], [7, 4])
    """
    every = [zxid for records in files for zxid in records]
    start = next((i for i, zxid in enumerate(every) if zxid > (-1 if base is None else base)), len(every))
    return every[start:]
