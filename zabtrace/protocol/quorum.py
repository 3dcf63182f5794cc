"""Quorum verifiers: who is a quorum of whom (QuorumMaj, QuorumHierarchical).

A configuration is a list of voters and observers. Observers never count. With groups, a group is won by more than half of
its weight, and a quorum wins more than half of the groups of non-zero weight (integer division, as in Java). While a reconfig
is in flight a quorum of both configurations is needed: ``is_quorum`` of each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Config:
    """One configuration of the ensemble. No voters: nothing names them, and no rule that counts a quorum applies."""

    zxid: int | None = None
    voters: frozenset[int] = frozenset()
    observers: frozenset[int] = frozenset()
    weights: Mapping[int, int] = field(default_factory=dict)
    groups: Mapping[int, int] = field(default_factory=dict)
    """sid -> group; empty: majority."""

    def weight(self, sid: int) -> int:
        """Weight of a server in the vote order (majority: always 1; hierarchical: 1 where not given)."""
        return self.weights.get(sid, 1) if self.groups else 1

    def is_quorum(self, servers: Iterable[int]) -> bool:
        """Do these servers contain a quorum? False where the voters are not known."""
        acks = frozenset(servers) & self.voters
        if not self.voters:
            return False
        return self._wins_groups(acks) if self.groups else len(acks) > len(self.voters) // 2

    def blocks(self, servers: Iterable[int]) -> bool:
        """Is there no quorum without any of these servers? False where the voters are not known."""
        return bool(self.voters) and not self.is_quorum(self.voters - frozenset(servers))

    def _wins_groups(self, acks: frozenset[int]) -> bool:
        total: dict[int, int] = {}
        got: dict[int, int] = {}
        for sid in self.voters:
            if (group := self.groups.get(sid)) is not None:
                total[group] = total.get(group, 0) + self.weight(sid)
                got[group] = got.get(group, 0) + (self.weight(sid) if sid in acks else 0)
        counted = [group for group, weight in total.items() if weight > 0]
        return sum(got[group] > total[group] // 2 for group in counted) > len(counted) // 2 if counted else False
