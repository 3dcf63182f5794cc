"""The traces that known bugs leave on disks and in logs: one function each.

Strategy: a function yields the servers that show the signature, and whether anything else could leave it; which releases have the bug
stands in ``bugs.BUGS``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import polars as pl

from zabtrace.checks.findings import Witness
from zabtrace.checks.missing import holes
from zabtrace.checks.scene import Scene, line, listed, record, span
from zabtrace.replay.handshakes import Sent
from zabtrace.replay.terms import Term
from zabtrace.replay.tree_digests import is_birth
from zabtrace.zxid import counter, epoch, text


class Trace(NamedTuple):
    """The signature of a bug on one server. ``certain``: nothing else is known to leave it."""

    server: int
    certain: bool
    says: str
    witness: Witness


# ---------------------------------------------------------------- holes
def _gaps(scene: Scene) -> Iterator[tuple[int, Any, dict[str, Any]]]:
    """Holes within an epoch, with the record behind each."""
    for server in sorted(scene.disks):
        for gap, row in holes(scene, server):
            if epoch(row["previous"]) == epoch(row["zxid"]):
                yield server, gap, dict(row)


def _gap_trace(server: int, gap: Any, row: dict[str, Any], certain: bool, more: str) -> Trace:
    says = f"server {server} lacks {span(gap.first, gap.last)}, and no snapshot covers it{more}"
    return Trace(server, certain, says, record(row, f"{text(row['zxid'])} follows {text(row['previous'])}"))


def committed_log_hole(scene: Scene) -> Iterator[Trace]:
    """A follower's log has a gap within an epoch that other servers' logs fill (4925, 2418)."""
    for server, gap, row in _gaps(scene):
        others = scene.live.filter(pl.col("zxid").is_between(gap.first, gap.last) & (pl.col("server") != server))
        if others.height:
            yield _gap_trace(server, gap, row, True, f"; {listed(others['server'].unique().sort())} have it")


def hole_after(kind: str, more: str) -> Callable[[Scene], Iterator[Trace]]:
    """Gaps on servers whose log has a line of that kind."""

    def find(scene: Scene) -> Iterator[Trace]:
        told = set(scene.history.trace.events(kind)["server"].to_list())
        for server, gap, row in _gaps(scene):
            if server in told:
                yield _gap_trace(server, gap, row, False, more)

    return find


def disk_error(scene: Scene) -> Iterator[Trace]:
    """A gap on a server whose sync thread met an error (4882)."""
    told = scene.history.trace.lines.filter(
        pl.col("message").str.contains("Severe unrecoverable error, from thread : SyncThread", literal=True)
    )
    failed = set(told["server"].to_list())
    for server, gap, row in _gaps(scene):
        if server in failed:
            yield _gap_trace(server, gap, row, False, "; its sync thread had failed")


# ---------------------------------------------------------------- histories
def late_flush(scene: Scene) -> Iterator[Trace]:
    """Records of an older epoch behind those of a newer one, or in force on a server though a synchronized one lacks them (4712)."""
    back = scene.chains.filter(pl.col("step") == "back")
    for row in back.iter_rows(named=True):
        if 0 < epoch(row["zxid"]) < epoch(row["previous"]):  # in epoch 0 a standalone server wrote
            says = f"server {row['server']} wrote {text(row['zxid'])} behind {text(row['previous'])}"
            yield Trace(row["server"], True, says, record(row, f"{text(row['zxid'])} behind {text(row['previous'])}"))
    for row in scene.disagreements:
        says = f"server {row['server']} has {text(row['zxid'])} in force, which server {row['passer']} lacks in epoch {row['entered']}"
        yield Trace(row["server"], scene.led.get(row["entered"]) != row["server"], says, record(row, says))


def kept_tail(scene: Scene) -> Iterator[Trace]:
    """A record in force between two epochs on one server alone, whose own vote had not counted it (2845)."""
    votes = scene.history.votes.filter((pl.col("state") == "LOOKING") & (pl.col("voted_for") == pl.col("server")))
    for row in scene.disagreements:
        own = votes.filter((pl.col("server") == row["server"]) & (pl.col("peer_epoch") == row["epoch"]) & (pl.col("zxid") < row["zxid"]))
        if own.height:
            says = f"server {row['server']} voted with {text(own.item(0, 'zxid'))} and kept {text(row['zxid'])}"
            yield Trace(
                row["server"], True, says, {"source": own.item(0, "source"), "line": own.item(0, "line"), "offset": None, "says": says}
            )


def returning(scene: Scene) -> Iterator[Trace]:
    """A discarded record above the newest valid snapshot: the next start replays it (2832)."""
    back = scene.writes.filter(pl.col("at_next_start") == "returns").get_column("zxid")
    rows = scene.chains.filter(pl.col("zxid").is_in(back.implode()) & pl.col("hidden_by").is_not_null())
    for row in rows.iter_rows(named=True):
        base = scene.disks[row["server"]]["base_zxid"]
        if base is None or row["zxid"] > base:
            says = f"server {row['server']} will replay {text(row['zxid'])}, which was discarded, at its next start"
            yield Trace(row["server"], True, says, record(row, says))


def one_too_many(scene: Scene) -> Iterator[Trace]:
    """Behind a TRUNC to a zxid that has no record, the first record above it stays, though its leader has none such.

    FileTxnLog.truncate cuts behind the first record that is not below the target (protocol.truncation).
    """
    cut = scene.history.syncs.filter(pl.col("truncated_to").is_not_null() & pl.col("epoch").is_not_null())
    for row in cut.iter_rows(named=True):
        to, server = row["truncated_to"], row["learner"]
        own = scene.chains.filter((pl.col("server") == server) & (pl.col("epoch") < row["epoch"]))
        kept = own.filter(pl.col("zxid") > to).head(1)
        if kept.is_empty() or own.filter(pl.col("zxid") <= to).is_empty() or to in own["zxid"]:
            continue
        led = scene.chains.filter(pl.col("server") == row["leader"])
        if kept.item(0, "zxid") not in led["zxid"] and led.filter(pl.col("epoch") >= row["epoch"]).height:
            says = f"server {server} was cut to {text(to)}, of which it has no record, and kept {text(kept.item(0, 'zxid'))}"
            yield Trace(server, True, says, record(kept.row(0, named=True), says))


def truncated_below_snapshot(scene: Scene) -> Iterator[Trace]:
    """A TRUNC below a snapshot that the server has kept: the reload takes the snapshot all the same (4837)."""
    cut = scene.history.syncs.filter(pl.col("truncated_to").is_not_null())
    for row in cut.iter_rows(named=True):
        to, server = row["truncated_to"], row["learner"]
        here = (pl.col("server") == server) & (pl.col("copy") == 0) & pl.col("valid")
        newer = (pl.col("zxid") > to) & (pl.col("zxid").floordiv(1 << 32) == epoch(to)) & (pl.col("zxid") % (1 << 32) > 0)
        for snapshot in scene.history.trace.snapshots.filter(here & newer).iter_rows(named=True):
            again = scene.live.filter((pl.col("server") == server) & (pl.col("zxid") == snapshot["zxid"]))
            if again.is_empty() and epoch(to) < (row["epoch"] or 0):
                says = f"server {server} was cut to {text(to)} and has {snapshot['source']}, which is newer"
                yield Trace(server, True, says, {"source": snapshot["source"], "line": None, "offset": 0, "says": says})


def dirty_snapshot(scene: Scene) -> Iterator[Trace]:
    """A snapshot named after a write that was discarded holds it, and loads as if it were committed (1549)."""
    gone = scene.writes.filter(pl.col("fate").is_in(["truncated", "shadowed", "lost"]))["zxid"]
    for server, disk in sorted(scene.disks.items()):
        here = (pl.col("server") == server) & (pl.col("copy") == 0) & pl.col("valid") & pl.col("zxid").is_in(gone.implode())
        for row in scene.history.trace.snapshots.filter(here).iter_rows(named=True):
            certain = row["zxid"] == disk["base_zxid"]
            says = f"{row['source']} holds discarded writes up to {text(row['zxid'])}" + (
                ", and is loaded at the next start" if certain else ""
            )
            yield Trace(server, certain, says, {"source": row["source"], "line": None, "offset": 0, "says": says})


def early_epoch(scene: Scene) -> Iterator[Trace]:
    """A leader that won by its epoch alone, with a shorter history than a voter had, and committed writes were lost (4643)."""
    lost = scene.writes.filter(pl.col("fate") == "lost")["zxid"]
    won = scene.history.elections.filter((pl.col("decided_by") == "epoch") & pl.col("leader").is_not_null())
    for row in won.iter_rows(named=True):
        votes = scene.history.votes.filter((pl.col("election") == row["election"]) & (pl.col("state") == "LOOKING"))
        own = votes.filter((pl.col("server") == row["leader"]) & (pl.col("voted_for") == row["leader"]))["zxid"].max()
        longer = votes.filter((pl.col("voted_for") == pl.col("server")) & (pl.col("zxid") > own)) if isinstance(own, int) else votes.clear()
        gone = lost.filter(lost > own) if isinstance(own, int) else lost.clear()
        if longer.height and gone.len():
            says = f"server {row['leader']} won by epoch with {text(int(str(own)))}, and committed writes above it were lost"
            yield Trace(row["leader"], True, says, {"source": row["source"], "line": row["line"], "offset": None, "says": says})


def unlogged_diff(scene: Scene) -> Iterator[Trace]:
    """currentEpoch names an epoch whose initial history is longer than what is on the disk (3911, 4646)."""
    for server, disk in sorted(scene.disks.items()):
        current, last = disk["current_epoch"], disk["last_zxid"]
        if current is None or last is None or epoch(last) >= current or scene.led.get(current) == server:
            continue
        inside = scene.live.filter((pl.col("step") == "epoch") & (pl.col("epoch") == current))["previous"].max()
        told = scene.history.trace.events("learner_diff").filter((pl.col("server") == server) & (pl.col("zxid") > last))
        if isinstance(inside, int) and inside > last and told.height:
            says = f"server {server} has currentEpoch {current} and ends at {text(last)}, but epoch {current} began behind {text(inside)}"
            yield Trace(server, True, says, line(told.row(-1, named=True)))


# ---------------------------------------------------------------- files
def no_snapshot(scene: Scene) -> Iterator[Trace]:
    """Logs that begin in the middle, and no valid snapshot: these releases start with an empty tree below them (2325)."""
    for server, disk in sorted(scene.disks.items()):
        first = disk["first_record"]
        if disk["base_zxid"] is None and first is not None and not is_birth(first):
            own = scene.chains.filter(pl.col("server") == server).row(0, named=True)
            says = f"server {server} has no valid snapshot, and its logs begin with {text(first)}"
            yield Trace(server, True, says, record(own, says))


def short_log(scene: Scene) -> Iterator[Trace]:
    """A log file without a whole header (1621)."""
    short = scene.history.trace.txn_files.filter((pl.col("copy") == 0) & (pl.col("bytes") < 16) & pl.col("server").is_not_null())
    for row in short.iter_rows(named=True):
        says = f"{row['source']} has {row['bytes']} bytes, and a header needs 16"
        yield Trace(row["server"], True, says, {"source": row["source"], "line": None, "offset": 0, "says": says})


def epoch_behind(scene: Scene) -> Iterator[Trace]:
    """The history is of a later epoch than currentEpoch: a crash between the snapshot and the epoch file (1653)."""
    for server, disk in sorted(scene.disks.items()):
        current, last, base = disk["current_epoch"], disk["last_zxid"], disk["base_zxid"]
        if current is not None and last is not None and epoch(last) > current:
            says = f"server {server} has currentEpoch {current}, and its history ends with {text(last)}"
            only_snapshot = base is not None and base == last
            yield Trace(server, only_snapshot, says, {"source": disk["base_source"] or "", "line": None, "offset": 0, "says": says})


# ---------------------------------------------------------------- text
def sent_from_disk(scene: Scene) -> Iterator[Trace]:
    """A leader sent from its log files what its own state does not hold: a record that a snapshot it received hides (2846)."""
    for term, learner, sent in _walks(scene):
        hidden = scene.chains.filter((pl.col("server") == term.leader) & pl.col("hidden_by").is_not_null())
        got = (pl.col("server") == learner) & (pl.col("zxid") > sent.peer_zxid) & pl.col("zxid").is_in(hidden["zxid"].implode())
        for row in scene.live.filter(got).head(1).iter_rows(named=True):
            says = f"server {learner} has {text(row['zxid'])} in force, discarded on server {term.leader}, which sent it from its log"
            yield Trace(term.leader, False, says, record(row, says))


def _walks(scene: Scene) -> Iterator[tuple[Term, int, Sent]]:
    """Synchronizations that a leader made from its log files, and the learner."""
    for term in scene.history.terms.all if scene.history.terms is not None else ():
        for _, sent in term.handshakes:
            if sent is not None and sent.walked is not None and sent.walked.startswith("txnlog") and sent.peer_zxid is not None:
                yield term, sent.learner, sent


def late_beginning(scene: Scene) -> Iterator[Trace]:
    """A DIFF to a learner at or below the beginning of the leader's committed log, behind which the learner has a hole (4352)."""
    gaps = {server: [row for _, row in holes(scene, server)] for server in sorted(scene.disks)}
    for term in scene.history.terms.all if scene.history.terms is not None else ():
        for mine, sent in term.handshakes:
            if mine is None or sent is None or mine.mode != "DIFF" or sent.peer_zxid is None or sent.min_committed is None:
                continue
            for row in gaps.get(sent.learner, ()):
                if sent.peer_zxid <= sent.min_committed and row["previous"] <= sent.min_committed < row["zxid"]:
                    says = (
                        f"server {sent.learner} got a DIFF at {text(sent.peer_zxid)}, where the committed log of server {term.leader} "
                        f"begins, and {text(row['zxid'])} follows {text(row['previous'])} in its log"
                    )
                    yield Trace(term.leader, False, says, record(row, says))


TRUSTING = "No snapshot found, but there are log entries. This should only be allowed during upgrading."


def trusted_empty(scene: Scene) -> Iterator[Trace]:
    """snapshot.trust.empty with logs: the server says that it goes on, and this release does not replay them (3644)."""
    told = scene.history.trace.lines.filter((pl.col("message") == TRUSTING) & pl.col("server").is_not_null())
    for row in told.iter_rows(named=True):
        says = f"server {row['server']} started from an empty tree beside its logs"
        yield Trace(row["server"], True, says, line(row))


def npe_while_following(scene: Scene) -> Iterator[Trace]:
    """A NullPointerException while following (4394)."""
    for row in scene.history.trace.events("follower_exception").iter_rows(named=True):
        if "NullPointerException" in (row["trace"] or ""):
            yield Trace(row["server"], False, f"server {row['server']}: {row['message']}: {row['trace']}", line(row))


def overtaken_ack(scene: Scene) -> Iterator[Trace]:
    """An ACK of a proposal came before that of NEWLEADER (4685)."""
    for row in scene.history.trace.events("newleader_ack_wrong_epoch").iter_rows(named=True):
        yield Trace(row["server"], False, f"server {row['server']}: {row['message']}", line(row))


def crossed_bounds(scene: Scene) -> Iterator[Trace]:
    """A synchronization decided with minCommittedLog above maxCommittedLog (3526)."""
    lines = scene.history.trace.events("sync_decision").filter(pl.col("min_committed") > pl.col("max_committed"))
    for row in lines.iter_rows(named=True):
        yield Trace(row["server"], False, f"server {row['server']}: {row['message']}", line(row))


def rolled_over(scene: Scene) -> Iterator[Trace]:
    """The counter ran over into the epoch (1277)."""
    for row in scene.chains.filter(pl.col("step") == "next").iter_rows(named=True) if _near_the_end(scene) else ():
        if counter(row["zxid"]) == 0:
            says = f"server {row['server']} logged {text(row['zxid'])}: the counter ran over into the epoch"
            yield Trace(row["server"], True, says, record(row, says))


def _near_the_end(scene: Scene) -> bool:
    return not scene.chains.filter(pl.col("zxid") % (1 << 32) == 0).is_empty()
