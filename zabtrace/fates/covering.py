"""Do the records that were read suffice for the writes that were acknowledged? Each of those became a record of its own.

Strategy: within a group of operations that share records, each acknowledged one is given a record, others being moved to another one of
theirs where need be (augmenting paths). Where that fails, one of them has no record among those that were read: it was purged, is
hidden, or is gone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

Records = Mapping[int, Sequence[int]]


def short(groups: Iterable[frozenset[int]], records: Records, acknowledged: Collection[int]) -> frozenset[int]:
    """The operations of every group whose acknowledged ones cannot each have a record of its own."""
    lacking = (group for group in set(groups) if not covered(sorted(group.intersection(acknowledged)), records))
    return frozenset(at for group in lacking for at in group)


def covered(asked: Sequence[int], records: Records) -> bool:
    """Can each of ``asked`` be given a record of its own?

    >>> covered([1, 2], {1: (7, 8), 2: (7,)}), covered([1, 2, 3], {1: (7,), 2: (7,), 3: (7, 8, 9)})
    (True, False)
    """
    if len({tuple(records[at]) for at in asked}) == 1:
        return len(asked) <= len(records[asked[0]])
    holder: dict[int, int] = {}
    given: dict[int, int] = {}
    return all(_placed(at, records, holder, given) for at in asked)


def _placed(first: int, records: Records, holder: dict[int, int], given: dict[int, int]) -> bool:
    """Give ``first`` a record, and those on the way to a free one the next of theirs; False: no way leads to a free one."""
    came: dict[int, int] = {}
    waiting = [first]
    while waiting:
        at = waiting.pop()
        for zxid in (z for z in records[at] if z not in came):
            came[zxid] = at
            if zxid in holder:
                waiting.append(holder[zxid])
                continue
            free: int | None = zxid
            while free is not None:
                taker = came[free]
                freed = given.get(taker)
                holder[free], given[taker], free = taker, free, freed
            return True
    return False
