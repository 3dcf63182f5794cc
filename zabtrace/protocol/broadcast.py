"""Broadcast: which proposals are committed (Leader.tryToCommit, 3.5+; 3.4 reaches the same order by its FIFO links)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from zabtrace.protocol.quorum import Config


def committed(outstanding: Mapping[int, AbstractSet[int]], configs: Sequence[Config]) -> list[int]:
    """zxids that can be committed now, in order: each one needs a quorum of every configuration in force, and none before it open.

    ``outstanding``: zxid -> servers that acknowledged it. Observers never count (QuorumVerifier.containsQuorum).

    >>> committed({1: {1, 2}, 2: {3}, 3: {1, 2, 3}}, [Config(voters=frozenset({1, 2, 3}))])
    [1]
    """
    found: list[int] = []
    for zxid in sorted(outstanding):
        if not all(config.is_quorum(outstanding[zxid]) for config in configs):
            break
        found.append(zxid)
    return found


def keeps_leading(synced: AbstractSet[int], leader: int, configs: Sequence[Config]) -> bool:
    """Does the leader still have a quorum of synchronized learners, itself included (Leader.lead, every second half tick)?"""
    return all(config.is_quorum({*synced, leader}) for config in configs)
