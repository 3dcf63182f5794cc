"""Where each established epoch cut the history before it: cut(e) is the last zxid of the initial history of e.

Strategy: every source (zab-semantics 7.0 step 3) says that all up to ``low`` was kept and that nothing above ``high`` was.
An exact source says both with one zxid. Sources that contradict each other leave a range in which the evidence diverges;
where none speaks the range is open.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from zabtrace.fates.words import said
from zabtrace.replay.history import History
from zabtrace.zxid import counter, counter_of, epoch, epoch_of, make


@dataclass(frozen=True)
class CutSource:
    """One piece of evidence about cut(epoch). ``low`` or ``high`` is None where it does not bound that side."""

    epoch: int
    low: int | None
    high: int | None
    server: int
    weak: bool
    source: str
    line: int | None
    offset: int | None
    says: str

    @property
    def evidence(self) -> dict[str, object]:
        """As an item of an EVIDENCE column."""
        return {"source": self.source, "line": self.line, "offset": self.offset, "says": self.says}


@dataclass(frozen=True)
class Cut:
    """What is known of cut(epoch): kept up to ``low``, discarded above ``high``; None where it is open."""

    epoch: int
    low: int | None
    high: int | None
    sources: tuple[CutSource, ...] = ()

    @property
    def known(self) -> bool:
        """Is there one answer for every zxid?"""
        return self.low is not None and self.low == self.high


def established(history: History) -> list[int]:
    """Numbers of the established epochs, ascending; epoch 0 is always standalone and never one of them."""
    numbers = history.epochs.filter((pl.col("status") == "established") & (pl.col("epoch") > 0)).get_column("epoch")
    return sorted(set(numbers.to_list()))


def cuts(history: History, chains: pl.DataFrame, epochs: Sequence[int]) -> dict[int, Cut]:
    """cut(e) for each established epoch, ascending, from all sources that the evidence holds."""
    found = [
        *_leader_sources(history, epochs),
        *_truncation_sources(history, epochs),
        *_passages(history, chains, epochs),
        *_last_histories(history, epochs),
    ]
    result: dict[int, Cut] = {}
    for e in epochs:
        mine = [s for s in found if s.epoch == e] + _implied(found, e)
        result[e] = _combine(e, [_resolved(s, result) for s in mine])
    return result


def _combine(e: int, sources: Sequence[CutSource]) -> Cut:
    """Put the sources of one epoch together; weak ones count only where two servers agree and no strong one speaks."""
    strong = [s for s in sources if not s.weak]
    if not any(s.high is not None for s in strong):
        strong += _agreeing([s for s in sources if s.weak])
    lows = [s.low for s in strong if s.low is not None]
    highs = [s.high for s in strong if s.high is not None]
    return Cut(e, max(lows, default=None), min(highs, default=None), tuple(strong))


def _agreeing(weak: Sequence[CutSource]) -> list[CutSource]:
    """Weak sources, if they all name one zxid and come from at least two servers."""
    agree = len({(s.low, s.high) for s in weak}) == 1 and len({s.server for s in weak}) > 1
    return list(weak) if agree else []


def _resolved(source: CutSource, known: dict[int, Cut]) -> CutSource:
    """A source that names epoch<<32 names the initial history of that epoch: put its own cut in its place."""

    def value(zxid: int | None, side: str) -> int | None:
        while zxid is not None and counter(zxid) == 0 and epoch(zxid) in known:
            inner = getattr(known[epoch(zxid)], side)
            if inner is None:
                return zxid
            zxid = inner
        return zxid

    return CutSource(
        source.epoch,
        value(source.low, "low"),
        value(source.high, "high"),
        source.server,
        source.weak,
        source.source,
        source.line,
        source.offset,
        source.says,
    )


def _implied(found: Iterable[CutSource], e: int) -> list[CutSource]:
    """A later epoch whose initial history ends below ``e`` had nothing of e: then e ended its own initial history there too."""
    return [
        CutSource(e, s.low, s.high, s.server, s.weak, s.source, s.line, s.offset, s.says)
        for s in found
        if s.epoch > e and s.low is not None and s.high is not None and epoch(s.low) < e
    ]


# ---------------------------------------------------------------- (b) the leader's own words
def _leader_sources(history: History, epochs: Sequence[int]) -> list[CutSource]:
    """From the leader's log: its leader-elect snapshot (3.5+), and a maxCommittedLog below its epoch.

    That log holds all that it replayed, and nothing of its own epoch yet: its end is the end of the leader's own history.
    """
    led = said(history).filter((pl.col("role") == "LEADING") & pl.col("epoch").is_in(list(epochs)))
    elect = (pl.col("kind") == "snapshot_start") & ~pl.col("open")
    own_log = (pl.col("kind") == "sync_decision") & (pl.col("max_committed") > 0) & (epoch_of("max_committed") < pl.col("epoch"))
    ends = led.with_columns(end=pl.when(elect).then(pl.col("zxid")).when(own_log).then(pl.col("max_committed"))).filter(
        pl.col("end").is_not_null()
    )
    return [
        CutSource(row["epoch"], row["end"], row["end"], row["server"], False, row["source"], row["line"], None, row["message"])
        for row in ends.unique(subset=["server", "epoch", "kind", "end"], keep="first", maintain_order=True).iter_rows(named=True)
    ]


# ---------------------------------------------------------------- (c) TRUNC targets
def _truncation_sources(history: History, epochs: Sequence[int]) -> list[CutSource]:
    """TRUNC sent before the leader had a transaction of its epoch names cut(epoch); in 3.4 at any time."""
    old = history.trace.servers.filter(pl.col("version").str.starts_with("3.4.")).get_column("server").to_list()
    rows = history.syncs.filter(
        (pl.col("mode") == "TRUNC")
        & pl.col("epoch").is_in(list(epochs))
        & pl.col("truncated_to").is_not_null()
        & (epoch_of("truncated_to") < pl.col("epoch"))
        & (pl.col("before_writes") | pl.col("leader").is_in(old))
    )
    return [
        CutSource(
            row["epoch"],
            row["truncated_to"],
            row["truncated_to"],
            row["learner"],
            False,
            row["source"],
            row["line"],
            None,
            _message(history, row["source"], row["line"]),
        )
        for row in rows.iter_rows(named=True)
    ]


def _message(history: History, source: str, line: int) -> str:
    found = history.trace.lines.filter((pl.col("source") == source) & (pl.col("line") == line)).get_column("message")
    return str(found[0]) if len(found) else ""


# ---------------------------------------------------------------- (a) passages on disk
def _passages(history: History, chains: pl.DataFrame, epochs: Sequence[int]) -> list[CutSource]:
    """y directly followed by (e,1) in a log, no import between: the history that e's server carried ended at y.

    Weak where a snapshot that would betray an import may have been purged and no text tells how the server was synchronized.
    """
    rows = chains.filter((pl.col("step") == "epoch") & epoch_of("zxid").is_in(list(epochs)))
    found = [
        CutSource(
            epoch(row["zxid"]),
            row["previous"],
            row["previous"],
            row["server"],
            not _shown(history, row),
            row["source"],
            None,
            row["offset"],
            f"the record of 0x{row['zxid']:x} directly follows that of 0x{row['previous']:x}",
        )
        for row in rows.iter_rows(named=True)
    ]
    return found + _unpadded_ends(history, chains, epochs) + _bases(history, chains, epochs)


def _bases(history: History, chains: pl.DataFrame, epochs: Sequence[int]) -> list[CutSource]:
    """A log that begins with (e,1) above a snapshot of an earlier epoch: what it received ended there.

    Weak: files may be missing.
    """
    first = chains.filter((pl.col("step") == "first") & (counter_of("zxid") == 1) & epoch_of("zxid").is_in(list(epochs)))
    below = history.trace.snapshots.filter(pl.col("valid")).select("server", "copy", base="zxid", base_source="source")
    rows = first.join(below, on=["server", "copy"]).filter((pl.col("base") > 0) & (pl.col("base") < pl.col("zxid"))).sort("base")
    return [
        CutSource(
            epoch(row["zxid"]),
            row["base"],
            row["base"],
            row["server"],
            True,
            row["base_source"],
            None,
            0,
            f"the snapshot of 0x{row['base']:x} lies directly below the first record, 0x{row['zxid']:x}",
        )
        for row in rows.group_by("server", "copy").last().iter_rows(named=True)
    ]


def _shown(history: History, row: dict[str, int]) -> bool:
    """Is an import between the two records excluded: it led, the text says DIFF or TRUNC, or no snapshot can be missing?"""
    e, server = epoch(row["zxid"]), row["server"]
    led = history.epochs.filter((pl.col("epoch") == e) & (pl.col("leader") == server)).height
    told = history.syncs.filter((pl.col("epoch") == e) & (pl.col("learner") == server)).head(1).get_column("mode").to_list()
    oldest = history.trace.snapshots.filter((pl.col("server") == server) & (pl.col("copy") == row["copy"])).get_column("zxid").min()
    return bool(led) or (bool(told) and told[0] != "SNAP") or (isinstance(oldest, int) and oldest < make(e, 0))


def _unpadded_ends(history: History, chains: pl.DataFrame, epochs: Sequence[int]) -> list[CutSource]:
    """A log file cut right behind its last record, whose successor is of a later epoch: weak, the cut may date from its own epoch."""
    cut = history.trace.txn_files.filter((pl.col("ending") == "unpadded") & pl.col("last_zxid").is_not_null())
    found: list[CutSource] = []
    for row in cut.iter_rows(named=True):
        after = chains.filter(
            (pl.col("server") == row["server"]) & (pl.col("copy") == row["copy"]) & (pl.col("previous") == row["last_zxid"])
        ).head(1)
        current = (
            history.disks.filter((pl.col("server") == row["server"]) & (pl.col("copy") == row["copy"]))
            .get_column("current_epoch")
            .to_list()
        )
        e = epoch(after.item(0, "zxid")) if after.height else (current[0] if current and current[0] is not None else 0)
        if e in epochs and epoch(row["last_zxid"]) < e:
            says = f"the file is cut right behind the record of 0x{row['last_zxid']:x}"
            found.append(CutSource(e, row["last_zxid"], row["last_zxid"], row["server"], True, row["source"], None, row["end"], says))
    return found


# ---------------------------------------------------------------- (d) epochs without records
def _last_histories(history: History, epochs: Sequence[int]) -> list[CutSource]:
    """An epoch without records: the longest history among the servers with that currentEpoch.

    Exact where the epoch's leader is among them: it is known and read, or every voter was read. Else its leader may hold more.
    """
    with_records = set(history.trace.txns.select(epoch_of("zxid").unique()).to_series().to_list())
    found: list[CutSource] = []
    for e in (e for e in epochs if e not in with_records):
        held = history.disks.filter((pl.col("current_epoch") == e) & (pl.col("last_zxid") < make(e, 0))).sort("last_zxid")
        if held.is_empty():
            continue
        row = held.row(-1, named=True)
        servers = set(held.get_column("server").to_list())
        leader = history.epochs.filter(pl.col("epoch") == e).get_column("leader").to_list()
        read = set(history.disks.filter((pl.col("copy") == 0) & pl.col("current_epoch").is_not_null()).get_column("server").to_list())
        voters = history.config_at(make(e, 0)).voters
        exact = (leader[0] in servers if leader and leader[0] is not None else False) or (bool(voters) and voters <= read)
        file = history.trace.epoch_files.filter(
            (pl.col("server") == row["server"]) & (pl.col("copy") == row["copy"]) & (pl.col("name") == "currentEpoch")
        )
        says = f"currentEpoch is {e}, and the history of that server ends with 0x{row['last_zxid']:x}"
        source = file.item(0, "source") if file.height else row["base_source"]
        found.append(CutSource(e, row["last_zxid"], row["last_zxid"] if exact else None, row["server"], False, source, None, 0, says))
    return found
