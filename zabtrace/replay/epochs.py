"""Epochs: which leader epochs were established, and by what that is shown; which were only attempted.

Strategy: every kind of evidence is a row of PROOFS, strongest first: a function that yields the epochs it proves, with its place. An epoch
is established when its NEWLEADER was acknowledged by a quorum; a leader's or learner's promise (acceptedEpoch, currentEpoch of
the would-be leader) proves an attempt only. Epoch 0 is what a standalone server writes in, and never has a quorum.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import polars as pl

from zabtrace import schema, zxid
from zabtrace.evidence.trace import Trace
from zabtrace.protocol.quorum import Config
from zabtrace.replay.reasons import listed
from zabtrace.replay.roles import Interval, Stage
from zabtrace.replay.syncs import learners
from zabtrace.replay.terms import Term, Terms

STEP_DOWN = ("zxid_rollover", "lost_quorum", "leader_sync_timeout", "not_designated_leader", "shutdown_leader", "jvm_exit")


class Proof(NamedTuple):
    """One epoch, and what shows it."""

    epoch: int
    says: str
    source: str | None
    line: int | None = None


@dataclass(frozen=True)
class Scene:
    """What the proofs are looked for in."""

    trace: Trace
    stage: Stage
    terms: Terms
    configs: Sequence[Config]
    disks: pl.DataFrame

    def records(self) -> pl.DataFrame:
        """Transactions of all copies whose checksum holds."""
        return self.trace.txns.filter(pl.col("checksum_ok").fill_null(value=True))


def epochs(scene: Scene) -> pl.DataFrame:
    """EPOCHS, in order."""
    proofs: dict[int, Proof] = {}
    for find in PROOFS:
        for proof in find(scene):
            if proof.epoch > 0:
                proofs.setdefault(proof.epoch, proof)
    established = set(proofs)
    for find in ATTEMPTS:
        for proof in find(scene):
            if proof.epoch > 0:
                proofs.setdefault(proof.epoch, proof)
    counts = _written(scene)
    known = _Known.of(scene)
    return schema.frame(schema.EPOCHS, [_row(scene, proofs[e], e in established, counts.get(e, {}), known) for e in sorted(proofs)])


@dataclass(frozen=True)
class _Known:
    """What the rows are made of, gathered in one pass over the terms: there may be thousands of epochs."""

    terms: dict[int, list[Term]]
    spoken: dict[int, int]
    """Largest zxid of each epoch that leaders and learners print while they synchronize, in that epoch or a later one."""
    reasons: dict[int, str]
    processes: dict[int, int]
    """Number of the newest process of each server."""

    @classmethod
    def of(cls, scene: Scene) -> _Known:
        terms: dict[int, list[Term]] = defaultdict(list)
        spoken: dict[int, int] = {}
        for term in scene.terms.all:
            if term.epoch is not None:
                terms[term.epoch].append(term)
                for number in _spoken(term):
                    if zxid.epoch(number) <= term.epoch:
                        spoken[zxid.epoch(number)] = max(number, spoken.get(zxid.epoch(number), 0))
        processes: dict[int, int] = {}
        for interval in scene.stage.intervals:
            processes[interval.server] = max(interval.process, processes.get(interval.server, 0))
        return cls(terms, spoken, _reasons(scene.stage), processes)


def _row(scene: Scene, proof: Proof, established: bool, counts: dict[str, Any], known: _Known) -> dict[str, Any]:
    terms = known.terms.get(proof.epoch, [])
    term = _term(terms)
    leads = term.interval if term is not None and term.interval is not None and term.interval.role == "LEADING" else None
    lasts = [z for z in (counts.get("last"), known.spoken.get(proof.epoch)) if z is not None]
    synced = {(sid, role or _role(scene.configs, sid)) for sid, role in learners(terms)}
    leader = term.leader if term is not None else None
    return {
        "epoch": proof.epoch, "leader": leader, "status": "established" if established else "attempted",
        "established": leads.served if leads is not None and established else None, "ended": leads.end if leads is not None else None,
        "first_zxid": counts.get("first"), "last_zxid": max(lasts, default=None), "writes": counts.get("writes", 0),
        "followers": sorted({sid for sid, role in synced if role == "FOLLOWING"} - {leader}),
        "observers": sorted({sid for sid, role in synced if role == "OBSERVING"} - {leader}),
        "ended_by": _ended_by(scene, term, leads, known), "evidence": proof.says, "source": proof.source, "line": proof.line,
    }  # fmt: skip


def _role(configs: Sequence[Config], sid: int) -> str:
    return "OBSERVING" if any(sid in c.observers for c in configs) and not any(sid in c.voters for c in configs) else "FOLLOWING"


def _term(terms: Sequence[Term]) -> Term | None:
    """The term of an epoch; the one whose leader printed its quorum first."""
    found = [term for term in terms if term.led]
    return min(found, key=lambda t: (t.interval is None or t.interval.served_at is None, t.interval is None), default=None)


def _written(scene: Scene) -> dict[int, dict[str, Any]]:
    """First and last zxid and their number, per epoch, over all copies."""
    skipped = scene.trace.folded.select("zxid", "skipped")
    found = scene.records().select("zxid").unique().join(skipped, on="zxid", how="left").group_by(
        zxid.epoch_of("zxid").alias("epoch")
    ).agg(first=pl.col("zxid").min(), last=pl.col("zxid").max(), writes=pl.len().cast(pl.Int64) + pl.col("skipped").sum())  # fmt: skip
    return {row.pop("epoch"): row for row in found.iter_rows(named=True)}


def _spoken(term: Term) -> Iterator[int]:
    """Zxids of transactions that a leader and its learners print while they synchronize."""
    for _, side in term.handshakes:
        numbers = (side.max_committed, side.last_processed, side.snapshot) if side is not None else ()
        yield from (n for n in numbers if n is not None and zxid.counter(n))


def _reasons(stage: Stage) -> dict[int, str]:
    """Why a leader stepped down, in its own words, per interval; 'Forcing shutdown' only cleans up after an earlier cause."""
    found: dict[int, str] = {}
    for row in stage.each(STEP_DOWN, "message", "trace"):
        number, said = row["interval"], _said(row)
        if stage.intervals[number].role == "LEADING" and said is not None:
            found.setdefault(number, said)
    return found


def _said(row: dict[str, Any]) -> str | None:
    if row["kind"] == "not_designated_leader":
        return "a reconfiguration names another leader"
    text = row["message"] or ""
    if row["trace"] and "reason: " in row["trace"]:
        text = row["trace"].split("reason: ", 1)[1]
    return str(text).removeprefix("Shutdown called. For the reason ").strip() or None


def _ended_by(scene: Scene, term: Term | None, leads: Interval | None, known: _Known) -> str:
    if term is None:
        return "unknown: nothing read names its leader"
    leader = listed([term.leader], scene.stage.labels)
    if leads is None:
        return f"unknown: no log of its leader, {leader}, was read"
    if leads.index in known.reasons:
        return f"{leader} stepped down: {known.reasons[leads.index]}"
    if not leads.last:
        return f"{leader} left the leader's role without saying why"
    again = known.processes[leads.server] > leads.process
    return (
        f"{leader}'s process ended without a line: killed or cut off" if again
        else f"{leader}'s log ends while it leads"
    )  # fmt: skip


def _quoted(scene: Scene, row: dict[str, Any]) -> str:
    return f"{listed([row['server']], scene.stage.labels)}: {row['message']}"


def _quorum_lines(scene: Scene) -> Iterator[Proof]:
    for row in scene.stage.each(["quorum_supported"], "zxid", "message"):
        if row["zxid"] is not None:
            yield Proof(zxid.epoch(row["zxid"]), _quoted(scene, row), row["source"], row["line"])


def _uptodate(scene: Scene) -> Iterator[Proof]:
    for row in scene.stage.each(["uptodate"], "message"):
        epoch = scene.stage.intervals[row["interval"]].epoch
        if epoch is not None:
            yield Proof(epoch, _quoted(scene, row), row["source"], row["line"])


def _logged(scene: Scene) -> Iterator[Proof]:
    first = scene.records().sort("zxid").group_by(zxid.epoch_of("zxid").alias("epoch")).first().sort("epoch")
    for epoch, number, source in first.select("epoch", "zxid", "source").iter_rows():
        yield Proof(epoch, f"the record {zxid.text(number)}: only a leader with a quorum proposes", source)


def _snapshots(scene: Scene) -> Iterator[Proof]:
    valid = scene.trace.snapshots.filter(pl.col("valid") & (pl.col("zxid") > 0)).sort("zxid")
    for number, source in valid.select("zxid", "source").iter_rows():
        yield Proof(zxid.epoch(number), f"the snapshot named {zxid.text(number)}: that zxid is set when the quorum stands", source)


def _replies(scene: Scene) -> Iterator[Proof]:
    ops = scene.trace.client_ops.with_columns(pl.max_horizontal("zxid", "reply_zxid").alias("seen")).drop_nulls("seen")
    first = ops.sort("source", "line").with_columns(zxid.epoch_of("seen").alias("epoch")).group_by("epoch", maintain_order=True).first()
    for epoch, number, source, line in first.select("epoch", "seen", "source", "line").iter_rows():
        yield Proof(epoch, f"a client's reply with zxid {zxid.text(number)}", source, line)


def _answers(scene: Scene) -> Iterator[Proof]:
    """A server answers while it serves, and the zxid it names is then of the history of an epoch that had a quorum."""
    told = scene.trace.facts.filter((pl.col("zxid") > 0) & pl.col("key").is_in(["zxid", "session"]))
    first = told.with_columns(zxid.epoch_of("zxid").alias("epoch")).group_by("epoch", maintain_order=True).first()
    for epoch, number, source, line in first.select("epoch", "zxid", "source", "line").iter_rows():
        yield Proof(epoch, f"a server's answer to a four-letter word with zxid {zxid.text(number)}", source, line)


def _current_epochs(scene: Scene) -> Iterator[Proof]:
    """currentEpoch on a quorum that also holds one history: DIFF transactions may be written after the file (up to 3.8.4)."""
    held: dict[int, dict[int, tuple[int | None, str | None]]] = defaultdict(dict)
    ends = {(s, c): z for s, c, z in scene.disks.select("server", "copy", "last_zxid").iter_rows()}
    files = scene.trace.epoch_files.filter((pl.col("name") == "currentEpoch") & pl.col("epoch").is_not_null())
    newest_first = files.sort("copy", "server", nulls_last=True)
    for server, copy, source, epoch in newest_first.select("server", "copy", "source", "epoch").iter_rows():
        held[epoch].setdefault(server, (ends.get((server, copy)), source))
    for epoch, servers in held.items():
        histories = {end for end, _ in servers.values()}
        config = next((c for c in reversed(scene.configs) if c.zxid is None or zxid.epoch(c.zxid) < epoch), Config())
        if config.is_quorum(servers) and len(histories) == 1 and None not in histories:
            source = servers[min(servers)][1]
            yield Proof(epoch, f"currentEpoch {epoch} on {listed(servers, scene.stage.labels)}, a quorum that holds one history", source)


def _promises(scene: Scene) -> Iterator[Proof]:
    files = scene.trace.epoch_files.filter(pl.col("epoch").is_not_null() & pl.col("name").is_in(["currentEpoch", "acceptedEpoch"]))
    order = files.sort("name", "server", descending=[True, False])
    for server, source, name, epoch in order.select("server", "source", "name", "epoch").iter_rows():
        yield Proof(epoch, f"{name} {epoch} on {listed([server], scene.stage.labels)}, which alone proves no quorum", source)


def _spoken_promises(scene: Scene) -> Iterator[Proof]:
    for row in scene.stage.each(["current_epoch_set", "newleader_ack_sent"], "epoch", "zxid", "message"):
        epoch = row["epoch"] if row["epoch"] is not None else zxid.epoch(row["zxid"]) if row["zxid"] is not None else 0
        yield Proof(epoch, _quoted(scene, row), row["source"], row["line"])


PROOFS: tuple[Callable[[Scene], Iterator[Proof]], ...] = (
    _quorum_lines, _uptodate, _logged, _snapshots, _replies, _answers, _current_epochs,
)  # fmt: skip
"""Each proves that an epoch was established."""
ATTEMPTS: tuple[Callable[[Scene], Iterator[Proof]], ...] = (_spoken_promises, _promises)
"""Each shows that an epoch was at least attempted."""
