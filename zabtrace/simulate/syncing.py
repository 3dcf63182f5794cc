"""Synchronization: what a leader sends to each learner, what that does to the learner's disk, and when the epoch is established."""

from __future__ import annotations

from typing import NamedTuple

from zabtrace.protocol import durable
from zabtrace.protocol.releases import among
from zabtrace.protocol.sync import Position, Sync, decide
from zabtrace.simulate import journal
from zabtrace.simulate.disk import Txn
from zabtrace.simulate.recovering import Link, Recovering, Term
from zabtrace.simulate.server import Server
from zabtrace.zxid import make, text

PEER_EPOCH_UPDATED = "3.4.6-"
"""Releases in which the vote told to others gets the new epoch (QuorumPeer.updateElectionVote)."""
ALWAYS_SNAPSHOT = "3.4.0-3.4.9, 3.5.0-3.5.2"
"""Releases in which a learner takes a snapshot after a DIFF too, and never logs what came with it."""


class Packets(NamedTuple):
    """What one learner is sent before NEWLEADER: the mode, the cut, committed transactions, open proposals, the leader's tree."""

    sync: Sync
    to: int
    committed: tuple[Txn, ...]
    open: tuple[Txn, ...]
    tree: tuple[Txn, ...]


class Syncing(Recovering):
    """Bringing learners up to date."""

    # ---------------------------------------------------------------- the leader's side
    def synchronize(self, link: Link) -> None:
        """Decide by the table, announce it, send it, and NEWLEADER behind it; from now on the learner gets what is proposed."""
        term, server = link.term, link.learner
        if link.forwarding or not link.alive or link.peer is None:
            return
        link.forwarding = True
        leader = term.leader
        zxids = [txn.zxid for txn in leader.committed_log]
        on_disk = [txn.zxid for txn in leader.disk.records]
        first = min((file.name for file in leader.disk.files), default=None)
        reaches = first is not None and first <= link.peer and self._small_enough(leader)
        at = Position(link.peer, leader.last, zxids, reaches, [z for z in on_disk if z >= link.peer], self.setup.force_snapshot)
        sync = decide(at, leader.release)
        self._announce(link, at, sync)
        packets = self._packets(term, link, sync)
        self.send(leader, server, lambda: self._receive(link, packets), kept=True)

    def _small_enough(self, leader: Server) -> bool:
        """Logs larger than a third of the snapshot are not sent: ours hold one create of some 100 bytes per record, as snapshots do."""
        newest = max(leader.disk.snaps, key=lambda snap: snap.zxid, default=None)
        return newest is not None and 3 * len(leader.disk.records) <= len(newest.history)

    def _packets(self, term: Term, link: Link, sync: Sync) -> Packets:
        leader = term.leader
        start = sync.truncated_to if sync.truncated_to is not None else link.peer
        every = {txn.zxid: txn for txn in (*leader.disk.records, *leader.committed_log)}
        applied = set(leader.history)
        entries = tuple(txn for zxid, txn in sorted(every.items()) if zxid > (start or 0) and txn in applied) if sync.mode != "SNAP" else ()
        to = leader.last if sync.mode == "SNAP" else entries[-1].zxid if entries else start or 0
        waiting = () if link.learner.observer else tuple(leader.pending)
        return Packets(sync, to, entries, waiting, leader.history)

    def _announce(self, link: Link, at: Position, sync: Sync) -> None:
        """What LearnerHandler prints, which is not always what it does."""
        leader, sid = link.term.leader, link.learner.sid
        least, most = (at.lowest, at.highest) if at.committed_log else (0, 0)  # of an empty log the bounds are set behind this line
        place = {"address": link.thread}
        self.say(leader, "sync decision", {"sid": sid, "max_committed": most, "min_committed": least, "last_processed": at.last_processed,
                                           "peer_zxid": at.peer}, **place)  # fmt: skip
        spoken = self._spoken(at, sync)
        zxid = sync.truncated_to if sync.truncated_to is not None else at.peer if "sync equal" in spoken else at.highest
        values = {"sid": sid, "zxid": zxid, "mode": sync.mode.partition("+")[0], "peer_zxid": at.peer, "leader_zxid": leader.last,
                  "db_zxid": leader.last}  # fmt: skip
        for phrase in spoken:
            self.say(leader, phrase, dict(values), **place)
        cut = f" to {text(sync.truncated_to)}" if sync.truncated_to is not None else ""
        self.note(leader, journal.SYNC, f"sends {sync.mode}{cut} to {sid}, which ends at {text(at.peer)}: {sync.why}", learner=sid,
                  mode=sync.mode, why=sync.why, peer=at.peer, truncated_to=sync.truncated_to, epoch=link.term.epoch)  # fmt: skip

    @staticmethod
    def _spoken(at: Position, sync: Sync) -> list[str]:
        """Phrases about a decision, in order."""
        if at.peer == at.last_processed and sync.mode == "DIFF":
            return ["sync equal", "sync mode"]
        walked = ["sync log"] if at.lowest <= at.peer <= at.highest else ["sync disk"] if at.peer < at.lowest and at.disk_log else []
        if sync.mode == "SNAP":
            refused = ["sync refused"] if walked == ["sync log"] else []
            return [*walked, *refused, "sync mode", "sync snap"]
        return [*walked, {"DIFF": "sync diff", "TRUNC": "sync cut", "TRUNC+DIFF": "sync trunc"}[sync.mode], "sync mode"]

    # ---------------------------------------------------------------- the learner's side
    def _receive(self, link: Link, packets: Packets) -> None:
        server, mode = link.learner, packets.sync.mode
        if not link.alive:
            return
        self.say(server, "phase", {"role": "observing" if server.observer else "following", "phase": "synchronization"})
        if packets.sync.truncated_to is not None:
            self._truncate(link, packets.sync.truncated_to)
            if not server.up:
                return
        elif mode == "SNAP":
            self.say(server, "learner snap", {"zxid": packets.to})
            server.history, server.last, server.digest_zxid = packets.tree, packets.to, 0
            server.committed_log = []
        else:
            self.say(server, "learner diff", {"zxid": packets.to})
        self._new_leader(link, packets)

    def _truncate(self, link: Link, target: int) -> None:
        server = link.learner
        self.say(server, "learner trunc", {"zxid": target})
        gone = [txn for txn in server.disk.records if txn.zxid > target]
        if not server.disk.cut(target):
            self.stop(server, "its log could not be truncated: it exits with code 13")
            return
        server.fresh_log = True
        loaded = server.disk.load()
        server.history, server.committed_log, server.last = loaded.history, list(loaded.committed_log), target
        kept = [txn for txn in gone if txn in server.disk.records]
        lost = [txn.zxid for txn in gone if txn not in kept]
        too_many = f"; {text(kept[0].zxid)} is kept, one record too many" if kept else ""
        told = f"cuts its log to {text(target)}: {len(lost)} records are gone{too_many}"
        self.note(server, journal.TRUNCATION, told, to=target, gone=lost)

    def _new_leader(self, link: Link, packets: Packets) -> None:
        """NEWLEADER: the durable writes in the order of the release, then its acknowledgement (``protocol.durable``)."""
        server, term = link.learner, link.term
        assert term.epoch is not None  # noqa: S101 (learners are synchronized once it is fixed)
        self.say(server, "new leader")
        diff = packets.sync.mode == "DIFF" and not among(server.release, ALWAYS_SNAPSHOT)
        if not diff:
            for txn in packets.committed:
                server.apply(txn)
        order = durable.order_of(server.release) or durable.ORDERS[-1]
        unlogged = list(packets.committed) if diff else []
        unlogged += packets.open
        for step in order.steps:
            if step == durable.SNAPSHOT and not diff:
                self.take_snapshot(server, imported=packets.sync.mode == "SNAP")
            elif step == durable.CURRENT_EPOCH:
                server.disk.current = term.epoch
            elif step in (durable.LOG, durable.QUEUE, durable.LOG_COMMITTED) and not server.observer and diff:
                now = list(packets.committed) if step == durable.LOG_COMMITTED else unlogged
                for txn in now:
                    self.write_record(server, txn)
                unlogged = [txn for txn in unlogged if txn not in now]
            elif step == durable.ACK:
                break
        self.send(server, term.leader, lambda: self._acked(link), kept=True)
        server.buffered = [lambda: self._finish(link, packets if diff else None, unlogged)]

    def _finish(self, link: Link, packets: Packets | None, unlogged: list[Txn]) -> None:
        """UPTODATE: what has not been logged yet is; the committed ones of a DIFF are applied."""
        server = link.learner
        for txn in unlogged:
            self.write_record(server, txn)
        for txn in packets.committed if packets else ():
            server.apply(txn)
        open_ = [txn for txn in server.disk.records if txn.zxid > server.last and txn.zxid in link.term.acks]
        server.pending = [txn for txn in open_ if txn not in server.history]
        for txn in server.pending:
            self.acknowledge(link, txn.zxid)

    # ---------------------------------------------------------------- the epoch is established
    def _acked(self, link: Link) -> None:
        term = link.term
        if not (term.alive and link.alive):
            return
        link.synced = True
        self.say(term.leader, "new leader acked", {"sid": link.learner.sid}, address=link.thread)
        if term.established:
            self._up_to_date(link)
        else:
            self.supported(term)

    def supported(self, term: Term) -> None:
        """A quorum of NEWLEADER acknowledgements, the leader's own included, establishes the epoch."""
        sids = {term.leader.sid, *(link.learner.sid for link in term.links if link.synced and link.alive)}
        if term.established or term.epoch is None or not self.config.is_quorum(sids):
            return
        if term.deadline is not None:
            self.agenda.call_off(term.deadline)
        leader, counted = term.leader, sorted(sids & self.config.voters)
        term.established, leader.served, leader.last = True, True, make(term.epoch, 0)
        named = ",".join(map(str, counted)) if self.is_of(leader, "3.4.0-3.4") else ", ".join(map(str, counted))
        written = (
            f"[ {named} ]" if self.is_of(leader, "3.4.0-3.4") else f"[ [{named}] ]" if self.is_of(leader, "3.5.0-3.5.8") else f"[[{named}]]"
        )
        self.say(leader, "quorum", {"sids": written, "zxid": leader.last})
        self.say(leader, "phase", {"role": "leading", "phase": "broadcast"})
        self._promote(leader, term.epoch)
        self.note(leader, journal.SERVING, f"serves in epoch {term.epoch}: {', '.join(map(str, counted))} acknowledged NEWLEADER",
                  epoch=term.epoch, quorum=counted)  # fmt: skip
        for link in term.links:
            if link.synced and link.alive:
                self._up_to_date(link)

    def _promote(self, server: Server, epoch: int) -> None:
        if server.vote is not None and self.is_of(server, PEER_EPOCH_UPDATED):
            server.vote = server.vote._replace(peer_epoch=epoch)

    def _up_to_date(self, link: Link) -> None:
        self.send(link.term.leader, link.learner, lambda: self._follows(link), kept=True)

    def _follows(self, link: Link) -> None:
        """UPTODATE."""
        server, term = link.learner, link.term
        if not link.alive or term.epoch is None:
            return
        self.say(server, "up to date")
        self.say(server, "phase", {"role": "observing" if server.observer else "following", "phase": "broadcast"})
        self._promote(server, term.epoch)
        server.served = True
        self.note(server, journal.SERVING, f"serves in epoch {term.epoch} of leader {term.leader.sid}", epoch=term.epoch)
        buffered, server.buffered = server.buffered, []
        for handle in buffered:
            handle()
