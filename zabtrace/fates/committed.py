"""Which transactions are committed for sure: the C rules of zab-semantics 7.1.

Strategy: within an epoch commits are in order (C3), so a proof is one number, the highest zxid of the epoch that it shows to be
committed. C2, that the initial history of an established epoch is committed as a whole, follows from the cuts and is applied
where the writes are labelled.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from zabtrace.evidence.arguments import BEFORE
from zabtrace.fates.words import said
from zabtrace.protocol.quorum import Config
from zabtrace.replay.history import History
from zabtrace.zxid import counter_of, epoch, epoch_of, text

NEWEST = ""
"""The moment of the newest copies."""


@dataclass(frozen=True)
class Proof:
    """All of ``epoch(upto)`` up to ``upto`` is committed, by ``rule``."""

    rule: str
    upto: int
    says: str
    source: str
    line: int | None = None
    offset: int | None = None
    moment: int = 0
    """Later established epochs up to this one are older than what was read: the proof says nothing of what they discarded."""

    @property
    def evidence(self) -> dict[str, object]:
        """As an item of an EVIDENCE column."""
        return {"source": self.source, "line": self.line, "offset": self.offset, "says": self.says}


@dataclass(frozen=True)
class Holder:
    """One disk of a moment: where its effective history ends, in which currentEpoch, and whether that end is contiguous."""

    server: int
    current_epoch: int
    last: int
    source: str
    settled: bool
    """It has accepted no later epoch than its current one."""


def quorum_of_disks(history: History, chains: pl.DataFrame) -> Iterator[Proof]:
    """C1: on a quorum of voters in copies of one moment, with equal, settled currentEpoch; or with all voters read and the others behind.

    Settled: none of them has accepted a later epoch. A voter that was not read and has a later currentEpoch got it from a quorum of
    ACKEPOCHs, one of these among them; with less than they hold it would win over them and discard the rest (ZOOKEEPER-4643).

    Any later leader needs a quorum of ACKEPOCHs, which meets the holders; waitForEpochAck and the vote order then force its
    history to contain what they hold (Leader.waitForEpochAck; FastLeaderElection.totalOrderPredicate). An epoch that they had already
    left behind may have been established without it, and a stale disk have brought it back since: of that C1 says nothing.

    The newest copies count as one moment as long as no later epoch is known than the holders': one that was established has a quorum
    that left theirs, so that one of them was copied before (and has been cut since) or put back, while another one may have read the write
    from its socket only after that.
    """
    newest = _newest(history)
    for moment, holders in _moments(history, chains).items():
        ends = sorted({h.last for h in holders}, reverse=True)
        for z in ends:
            mine = [h for h in holders if h.last >= z and epoch(h.last) == epoch(z)]
            top = max(h.current_epoch for h in mine)
            if moment == NEWEST and newest > top:
                continue
            if _decided(mine, holders, _configs_from(history, z)):
                servers = ", ".join(str(h.server) for h in mine)
                says = f"the histories of servers {servers}, a quorum, reach {text(z)}"
                yield Proof("C1", z, says, mine[0].source, offset=0, moment=top)
                break


def _decided(mine: Sequence[Holder], all_read: Sequence[Holder], configs: Sequence[Config]) -> bool:
    by_epoch: dict[int, set[int]] = {}
    for h in (h for h in mine if h.settled):
        by_epoch.setdefault(h.current_epoch, set()).add(h.server)
    if not configs or not all(c.voters for c in configs):
        return False
    if any(all(c.is_quorum(servers) for c in configs) for servers in by_epoch.values()):
        return True
    voters = frozenset().union(*(c.voters for c in configs))
    others = [h for h in all_read if h not in mine and h.server in voters]
    read = {h.server for h in all_read}
    ahead = all((h.current_epoch, h.last) > (o.current_epoch, o.last) for h in mine for o in others)
    return voters <= read and ahead and all(c.is_quorum(h.server for h in mine) for c in configs)


def _newest(history: History) -> int:
    """The newest epoch that a quorum has accepted: an established one, or one that a disk names which fewer than a quorum have accepted.

    A server writes its currentEpoch only after a quorum has written its acceptedEpoch (Leader.waitForEpochAck): where the disks do not show
    that quorum, they are not of one moment.
    """
    established = history.epochs.filter(pl.col("status") == "established").get_column("epoch").max()
    disks = history.disks.filter(pl.col("copy") == 0).select("server", "current_epoch", "accepted_epoch").drop_nulls()
    current = disks.get_column("current_epoch").max()
    if isinstance(current, int) and history.config_at().blocks(disks.filter(pl.col("accepted_epoch") < current).get_column("server")):
        return max(current, established if isinstance(established, int) else 0)
    return established if isinstance(established, int) else 0


def _configs_from(history: History, zxid: int) -> list[Config]:
    """The configuration in force at ``zxid`` and every later one: a quorum of each is needed."""
    return [history.config_at(zxid), *(c for c in history.configs if c.zxid is not None and c.zxid > zxid)]


def _moments(history: History, chains: pl.DataFrame) -> dict[str, list[Holder]]:
    """Disks of one moment: the newest copies, and what one --before gave, unless that holds a server twice.

    Copies of unproved order belong to none, and of earlier ones that only their contents put in order nobody says that they are of one
    time.
    """
    files = history.trace.epoch_files.filter(pl.col("name") == "currentEpoch").select("server", "copy", "source")
    holes = chains.filter(pl.col("step").is_in(["hole", "back"])).select("server", "copy", hole=epoch_of("zxid")).unique()
    disks = history.disks.filter(pl.col("last_zxid").is_not_null() & ~pl.col("server").is_in(list(history.trace.unordered))).join(
        files, on=["server", "copy"], how="left"
    )
    broken = set(holes.iter_rows())
    moments: dict[str, list[Holder]] = {}
    seen: Counter[tuple[str, int]] = Counter()
    for row in disks.iter_rows(named=True):
        source = row["source"] or row["base_source"] or ""
        moment = NEWEST if row["copy"] == 0 else source.split("/", 1)[0]
        seen[moment, row["server"]] += 1
        if (row["server"], row["copy"], epoch(row["last_zxid"])) in broken:
            continue
        alone = history.config_at(row["last_zxid"]).voters == {row["server"]}
        if row["current_epoch"] is None and not alone:
            continue
        settled = (row["accepted_epoch"] or 0) <= (row["current_epoch"] or 0)
        moments.setdefault(moment, []).append(Holder(row["server"], row["current_epoch"] or 0, row["last_zxid"], source, settled))
    mixed = {moment for (moment, _), times in seen.items() if times > 1}
    return {m: held for m, held in moments.items() if m == NEWEST or (m.startswith(f"{BEFORE}:") and m not in mixed)}


def observers(history: History, chains: pl.DataFrame) -> Iterator[Proof]:
    """C4: in the log of a server that was an observer throughout: it logs only what it was INFORMed of (ObserverRequestProcessor)."""
    ever = frozenset().union(*(c.voters for c in history.configs)) if history.configs else frozenset()
    watching = (frozenset().union(*(c.observers for c in history.configs)) if history.configs else frozenset()) - ever
    rows = chains.filter(pl.col("server").is_in(list(watching))).sort("zxid").group_by(epoch_of("zxid").alias("epoch")).last()
    for row in rows.iter_rows(named=True):
        yield Proof("C4", row["zxid"], f"observer {row['server']} logged {text(row['zxid'])}", row["source"], offset=row["offset"])


def snapshots(history: History, chains: pl.DataFrame) -> Iterator[Proof]:
    """C7: a snapshot named in an epoch, above its beginning, on a disk that has accepted no later one, of a server that led nobody.

    lastProcessedZxid advances on commits only, and a learner's snapshot in its own epoch is of what its leader had processed. A server
    that is about to lead saves its uncommitted tail under such a name (LeaderZooKeeperServer by way of ZooKeeperServer.loadData, 3.5.0+),
    also where the attempt fails before it accepts an epoch: only servers that cannot lead, and 3.4.6 to 3.4.14, save nothing then.
    """
    accepted = history.disks.select("server", "copy", "accepted_epoch")
    named = history.trace.snapshots.filter(pl.col("valid") & (counter_of("zxid") > 0) & pl.col("server").is_in(_silent_starts(history)))
    own = named.join(accepted, on=["server", "copy"]).filter((epoch_of("zxid") == pl.col("accepted_epoch")) & (epoch_of("zxid") > 0))
    for row in own.sort("zxid").group_by(epoch_of("zxid").alias("epoch"), maintain_order=True).last().iter_rows(named=True):
        says = f"server {row['server']} saved a snapshot of {text(row['zxid'])} in that epoch, and had accepted no later one"
        yield Proof("C7", row["zxid"], says, row["source"], offset=0)


def _silent_starts(history: History) -> list[int]:
    """Servers that never save a snapshot because they are to lead: their version does not, or they cannot lead in any configuration."""
    known = frozenset().union(*(c.voters | c.observers for c in history.configs)) if history.configs else frozenset()
    led = frozenset().union(*({s for s in c.voters if c.weight(s) > 0} for c in history.configs)) if history.configs else frozenset()
    versions = history.trace.servers.select("server", "version").drop_nulls().iter_rows()
    old = {server for server, version in versions if version.startswith("3.4.") and int(version.split(".")[2]) >= 6}
    return sorted((known - led) | old)


def clients(history: History, chains: pl.DataFrame) -> Iterator[Proof]:
    """C5: a client was answered with that zxid, or saw it: answers follow the commit (FinalRequestProcessor)."""
    seen = history.trace.client_ops.with_columns(top=pl.max_horizontal("zxid", "reply_zxid", "czxid", "mzxid")).filter(
        pl.col("top").is_not_null() & (pl.col("outcome") != "unknown") & (epoch_of("top") > 0)
    )
    for row in seen.sort("top").group_by(epoch_of("top").alias("epoch")).last().iter_rows(named=True):
        yield Proof("C5", row["top"], f"a client was answered with {text(row['top'])}", row["source"], line=row["line"])
    refused = history.trace.events("client_zxid_ahead").filter(pl.col("expected_zxid").is_not_null())
    for row in refused.iter_rows(named=True):
        yield Proof("C5", row["expected_zxid"], row["message"], row["source"], line=row["line"])


def answers(found: pl.DataFrame) -> Iterator[Proof]:
    """C5, of answered writes whose zxid the client does not tell but the one record that fits (CLIENT_OPS): the last one per epoch."""
    for row in found.sort("zxid").group_by(epoch=epoch_of("zxid"), maintain_order=True).last().iter_rows(named=True):
        says = f"a client was answered, and only {text(row['zxid'])} fits its operation"
        yield Proof("C5", row["zxid"], says, row["source"], line=row["line"])


def servers_words(history: History, chains: pl.DataFrame) -> Iterator[Proof]:
    """C6: what an established leader or a learner in service says it has processed (LearnerHandler.syncFollower, FileTxnSnapLog.save)."""
    snapshot = pl.when(pl.col("kind") == "snapshot_start").then(pl.col("zxid"))
    lines = said(history).filter(pl.col("open")).with_columns(top=pl.max_horizontal("last_processed", "max_committed", snapshot))
    best = lines.filter(epoch_of("top") == pl.col("epoch")).sort("top").group_by("epoch").last()
    for row in best.iter_rows(named=True):
        yield Proof("C6", row["top"], row["message"], row["source"], line=row["line"])


def session_lines(history: History) -> pl.DataFrame:
    """Lines of servers in service about sessions that they have committed: server, session, ``epoch`` served, source, line, message."""
    return said(history, ("session_committed",)).filter(pl.col("open") & pl.col("session").is_not_null() & (pl.col("epoch") > 0))


def sessions(history: History, chains: pl.DataFrame) -> Iterator[Proof]:
    """C6: a server in service applied the creation of a session (3.6+): the last one per epoch, of those with one record.

    LeaderSessionTracker and LearnerSessionTracker.commitSession print it when the record is applied. What is applied before UPTODATE or the
    leader's quorum may not be committed: such lines are not counted, and those of sessions that two zxids create neither.
    """
    made = history.trace.txns.filter((pl.col("op") == "createSession") & pl.col("checksum_ok").fill_null(True))
    once = made.select("session", "zxid").unique().filter(pl.len().over("session") == 1)
    known = session_lines(history).join(once, on="session", suffix="_made").filter(epoch_of("zxid_made") <= pl.col("epoch"))
    for row in known.sort("zxid_made").group_by(made=epoch_of("zxid_made"), maintain_order=True).last().iter_rows(named=True):
        yield Proof("C6", row["zxid_made"], row["message"], row["source"], line=row["line"])


PROOFS: tuple[Callable[[History, pl.DataFrame], Iterator[Proof]], ...] = (
    clients, observers, servers_words, sessions, snapshots, quorum_of_disks,
)  # fmt: skip


def proofs(history: History, chains: pl.DataFrame) -> list[Proof]:
    """All proofs that the evidence holds, those of the rules that need least first."""
    return [proof for rule in PROOFS for proof in rule(history, chains)]
