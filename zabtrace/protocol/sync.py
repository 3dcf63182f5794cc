"""How a leader brings a learner up to date (LearnerHandler.syncFollower 3.5.0+, LearnerHandler.run 3.4), as tables of rules.

The first rule whose condition holds decides. ``peer`` is the learner's last zxid from ACKEPOCH; the committed log is what the
leader keeps in memory: at start-up every record that it replayed, at most COMMITTED_LOG of them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from zabtrace.zxid import counter, epoch

COMMITTED_LOG = 501
"""What is kept, all releases: ZKDatabase.addCommittedProposal drops one where there are more than commitLogCount (500), then adds one."""
SNAPSHOT_SIZE_FACTOR = 0.33
"""ZKDatabase.snapshotSizeFactor, 3.5.0+: logs larger than this share of the newest snapshot are not sent."""


@dataclass(frozen=True)
class Position:
    """Where leader and learner stand when the decision is made."""

    peer: int
    last_processed: int
    committed_log: Sequence[int]
    """zxids in the leader's committed log, ascending."""
    disk_log: bool = False
    """The leader's log files reach back to ``peer`` and are small enough to be sent (3.5.0+)."""
    disk_zxids: Sequence[int] = ()
    """What those files hold from the one that covers ``peer`` on, ascending; empty where that is not known: then ``peer`` is among it."""
    forced: bool = False
    """zookeeper.forceSnapshotSync is set (3.5.0+)."""

    @property
    def lowest(self) -> int:
        """minCommittedLog; of an empty log the last processed zxid (3.5.0+)."""
        return self.committed_log[0] if self.committed_log else self.last_processed

    @property
    def highest(self) -> int:
        """maxCommittedLog; of an empty log the last processed zxid (3.5.0+)."""
        return self.committed_log[-1] if self.committed_log else self.last_processed


@dataclass(frozen=True)
class Sync:
    """What is sent: DIFF, TRUNC, TRUNC+DIFF or SNAP, for TRUNC the last zxid kept, and the rule in a few words."""

    mode: str
    truncated_to: int | None
    why: str


Action = Callable[[Position], tuple[str, int | None]]
Rule = tuple[str, Callable[[Position], bool], Action]


def _walk(at: Position) -> tuple[str, int | None]:
    """queueCommittedProposals over the committed log: DIFF from the learner's own zxid, else cut it back to the entry before."""
    following = bisect_left(at.committed_log, at.peer)
    if (following < len(at.committed_log) and at.committed_log[following] == at.peer) or counter(at.peer) == 0:
        return "DIFF", None
    if following == len(at.committed_log) or following == 0:
        return "SNAP", None
    same_epoch = epoch(at.committed_log[following]) == epoch(at.peer)
    return ("TRUNC+DIFF", at.committed_log[following - 1]) if same_epoch else ("SNAP", None)


def _walk_disk(at: Position) -> tuple[str, int | None]:
    """The same walk over the log files first, then over the committed log (LearnerHandler.queueCommittedProposals, twice)."""
    if not at.disk_zxids:
        return "DIFF", None
    joined = sorted({*at.disk_zxids, *at.committed_log})
    return _walk(Position(at.peer, at.last_processed, joined))


def _walk_disk_whole(at: Position) -> tuple[str, int | None]:
    """As above, but only where the files reach up to the committed log (3.6.0+; before, a gap was passed on: ZOOKEEPER-2418)."""
    gap = bool(at.disk_zxids) and at.lowest not in at.disk_zxids
    return ("SNAP", None) if gap else _walk_disk(at)


def _walk_34(at: Position) -> tuple[str, int | None]:
    """3.4: as above, also across epochs."""
    following = bisect_left(at.committed_log, at.peer)
    present = following < len(at.committed_log) and at.committed_log[following] == at.peer
    return ("DIFF", None) if present or following == 0 else ("TRUNC+DIFF", at.committed_log[following - 1])


RULES: tuple[Rule, ...] = (
    ("the leader is told to send snapshots", lambda at: at.forced, lambda at: ("SNAP", None)),
    ("it stands where the leader stands", lambda at: at.peer == at.last_processed, lambda at: ("DIFF", None)),
    (
        "it is ahead of the leader's committed log",
        lambda at: at.peer > at.highest and counter(at.peer) != 0,
        lambda at: ("TRUNC", at.highest),
    ),
    ("it is within the leader's committed log", lambda at: at.lowest <= at.peer <= at.highest, _walk),
    ("it is behind the committed log, within the log files", lambda at: at.peer < at.lowest and at.disk_log, _walk_disk_whole),
    ("it is out of reach of the committed log", lambda at: True, lambda at: ("SNAP", None)),
)
"""3.6.0+."""
RULES_35: tuple[Rule, ...] = tuple((why, holds, _walk_disk if action is _walk_disk_whole else action) for why, holds, action in RULES)
RULES_34: tuple[Rule, ...] = (
    ("it stands where the leader stands", lambda at: at.peer == at.last_processed, lambda at: ("DIFF", None)),
    ("the leader's committed log is empty", lambda at: not at.committed_log, lambda at: ("SNAP", None)),
    ("it is within the leader's committed log", lambda at: at.lowest <= at.peer <= at.highest, _walk_34),
    ("it is ahead of the leader's committed log", lambda at: at.peer > at.highest, lambda at: ("TRUNC", at.highest)),
    ("it is out of reach of the committed log", lambda at: True, lambda at: ("SNAP", None)),
)
MISSED: dict[tuple[Action, str], str] = {
    (_walk, "SNAP"): ", but its last zxid is no entry of it, and what follows there is of a later epoch: no TRUNC across epochs",
    (_walk, "TRUNC+DIFF"): ", but its last zxid is no entry of it: it is cut back to the entry before",
    (_walk_34, "TRUNC+DIFF"): ", but its last zxid is no entry of it: it is cut back to the entry before",
    (_walk_disk, "SNAP"): ", but these do not have its last zxid",
    (_walk_disk_whole, "SNAP"): ", but these do not have its last zxid, or do not reach up to the committed log",
}
"""Why the walk of a rule ended in something else than a DIFF, by the walk and what is sent."""
TABLES = (("3.4.", RULES_34), ("3.5.", RULES_35), ("", RULES))
"""The table of a release line; the newest where the release is not known."""


def decide(at: Position, version: str | None = None) -> Sync:
    """The first rule that applies, in the table of that version (None: the newest).

    >>> decide(Position(peer=0x100000016, last_processed=0x100000013, committed_log=[0x100000012, 0x100000013])).mode
    'TRUNC'
    """
    rules = next(table for line, table in TABLES if (version or "").startswith(line))
    why, _, action = next(rule for rule in rules if rule[1](at))
    mode, truncated_to = action(at)
    return Sync(mode, truncated_to, why + MISSED.get((action, mode), ""))
