"""Known bugs of ZooKeeper whose traces can be told from disks and logs, and the releases that have them.

Strategy: a row of BUGS names the function of ``traces`` that knows the signature. A server known to run a release without the bug does
not match; one whose release is unknown is ``possible`` at most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from zabtrace.checks import counters, elections, traces, trees
from zabtrace.checks.findings import Match, few
from zabtrace.checks.scene import Scene
from zabtrace.protocol.releases import EVERY, among


@dataclass(frozen=True)
class Bug:
    """A known bug: where it is reported, the releases that have it, what it does, and the function that knows its trace."""

    id: str
    releases: str
    title: str
    find: Callable[[Scene], Iterator[traces.Trace]]


BUGS = (
    Bug("ZOOKEEPER-4925", "3.9.3-3.9.3", "a hole in the committed log in memory is passed on to followers", traces.committed_log_hole),
    Bug("ZOOKEEPER-2418", "3.5.0-3.5", "a DIFF from the log on disk skips what lies before the committed log", traces.committed_log_hole),
    Bug(
        "ZOOKEEPER-3642",
        "3.4.10-3.4, 3.5.3-3.5.9, 3.6.0-3.6.2",
        "a DIFF after an interrupted SNAP leaves out what only memory had",
        traces.hole_after("learner_snap", "; it had received a snapshot"),
    ),
    Bug("ZOOKEEPER-5094", EVERY, "the same after an interrupted TRUNC", traces.hole_after("learner_trunc", "; its log had been truncated")),
    Bug("ZOOKEEPER-4882", EVERY, "an error of the disk leaves a hole, and the server goes on", traces.disk_error),
    Bug(
        "ZOOKEEPER-4712",
        "3.4.12-3.4, 3.5.4-3.5, 3.6-3.8, 3.9.0-3.9.2",
        "records are written after their leader was left (reported as ZOOKEEPER-4502 and 4541 too)",
        traces.late_flush,
    ),
    Bug("ZOOKEEPER-2845", "3.4.10-3.4.11, 3.5.3-3.5.3", "memory is kept across elections without the logged tail", traces.kept_tail),
    Bug("ZOOKEEPER-2832", EVERY, "a discarded record returns, since an older snapshot is loaded", traces.returning),
    Bug("ZOOKEEPER-4837", EVERY, "TRUNC reloads a snapshot newer than the cut", traces.truncated_below_snapshot),
    Bug("TRUNC to no record", EVERY, "a TRUNC to a zxid without a record keeps the one behind it", traces.one_too_many),
    Bug("ZOOKEEPER-1549", EVERY, "a snapshot holds writes that never committed", traces.dirty_snapshot),
    Bug(
        "ZOOKEEPER-4643",
        "3.4.10-3.4, 3.5.3-3.5, 3.6-3.7, 3.8.0-3.8.4, 3.9.0-3.9.1",
        "currentEpoch is written before the history it stands for",
        traces.early_epoch,
    ),
    Bug(
        "ZOOKEEPER-3911",
        "3.4.10-3.4, 3.5.3-3.5.9, 3.6.0-3.6.2",
        "NEWLEADER is acknowledged before the DIFF is on disk",
        traces.unlogged_diff,
    ),
    Bug(
        "ZOOKEEPER-4646",
        "3.5.10-3.5, 3.6.3-3.6, 3.7-3.7, 3.8.0-3.8.4, 3.9.0-3.9.1",
        "NEWLEADER is acknowledged while the DIFF waits for the sync thread: the first fix of ZOOKEEPER-3911",
        traces.unlogged_diff,
    ),
    Bug("ZOOKEEPER-3104", "3.4.0-3.4, 3.5.0-3.5.4", "a received snapshot holds parts of writes that are in no log", trees.beyond_the_log),
    Bug("ZOOKEEPER-3127", "3.4.0-3.5.4", "a snapshot named after a multi lacks a part of it", trees.half_a_multi),
    Bug(
        "ZOOKEEPER-3125",
        "3.4.0-3.5.4",
        "a delete that is replayed over a fuzzy snapshot is not counted at its parent; no data are lost",
        counters.uncounted(counters.DELETES),
    ),
    Bug(
        "ZOOKEEPER-3249",
        "3.4.0-3.5",
        "a create that is replayed over a fuzzy snapshot sets back its parent's counters; no data are lost",
        counters.uncounted(counters.CREATES),
    ),
    Bug(
        "ZOOKEEPER-3145",
        "3.4.0-3.5",
        "the end of a session that is replayed over a fuzzy snapshot is not counted at the parents; no data are lost",
        counters.uncounted(counters.CLOSES),
    ),
    Bug("ZOOKEEPER-2846", "3.5.0-", "a leader sends from its log files what its state does not hold", traces.sent_from_disk),
    Bug("ZOOKEEPER-4352", EVERY, "a DIFF where the leader's committed log begins too late", traces.late_beginning),
    Bug("ZOOKEEPER-5010", EVERY, "an ephemeral node stays on some servers when its session is gone", trees.ownerless),
    Bug("ZOOKEEPER-3644", "3.5.6-3.5.6", "snapshot.trust.empty does not replay the logs", traces.trusted_empty),
    Bug("ZOOKEEPER-2325", "3.4.0-3.5.2", "a server starts empty when all snapshots are missing", traces.no_snapshot),
    Bug("ZOOKEEPER-1621", "3.4.0-3.9.2", "an empty log file stops the start", traces.short_log),
    Bug(
        "ZOOKEEPER-1653",
        "3.4.0-3.4.5, 3.5.0-3.5.9, 3.6.0-3.6.2, 3.7.0-3.7.0",
        "a snapshot is of a later epoch than currentEpoch",
        traces.epoch_behind,
    ),
    Bug(
        "ZOOKEEPER-4394",
        "3.5.10-3.5, 3.6.3-3.6, 3.7-3.8, 3.9.0-3.9.2",
        "a COMMIT between NEWLEADER and UPTODATE",
        traces.npe_while_following,
    ),
    Bug(
        "ZOOKEEPER-4685",
        "3.5.10-3.5, 3.6.3-3.6, 3.7-3.7, 3.8.0-3.8.4, 3.9.0-3.9.1",
        "an ACK overtakes that of NEWLEADER",
        traces.overtaken_ack,
    ),
    Bug(
        "ZOOKEEPER-1732",
        "3.4.0-3.4.5",
        "a server cannot join a leader whose followers tell different zxids or rounds",
        elections.never_joined("3.4.5"),
    ),
    Bug("ZOOKEEPER-1818", "3.5.0-3.5.4", "the same, from votes without a version", elections.never_joined("3.5.4")),
    Bug("ZOOKEEPER-3526", EVERY, "the bounds of the committed log are wrong", traces.crossed_bounds),
    Bug("ZOOKEEPER-1277", "3.4.0-3.4.3", "the counter runs over into the epoch", traces.rolled_over),
)
"""Releases as ``protocol.releases.among`` reads them; a release that is not named has the fix or never had the bug."""


def matches(scene: Scene) -> tuple[Match, ...]:
    """The bugs whose trace is there, in the order of BUGS."""
    found = (_match(scene, bug) for bug in BUGS)
    return tuple(match for match in found if match is not None)


def _match(scene: Scene, bug: Bug) -> Match | None:
    """The bug on the servers that can have it: certain only where the release is known."""
    known = {server: scene.versions(server) for server in scene.history.trace.servers["server"].to_list()}
    found = [t for t in bug.find(scene) if not known.get(t.server) or any(among(v, bug.releases) for v in known[t.server])]
    if not found:
        return None
    certain = any(t.certain and known.get(t.server) for t in found)
    why = found[0].says + (f" ({len(found)} such traces)." if len(found) > 1 else ".")
    return Match(bug.id, "yes" if certain else "possible", bug.title, why, few(t.witness for t in found))
