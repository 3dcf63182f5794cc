"""Where each established epoch cut the history before it: cut(e) is the last zxid of the initial history of e.

Strategy: every source (zab-semantics 7.0 step 3) says that all up to ``low`` was kept and that nothing above ``high`` was.
An exact source says both with one zxid. Sources that contradict each other leave a range in which the evidence diverges;
where none speaks the range is open.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import polars as pl

from zabtrace.fates.never import covers_tail, without_log
from zabtrace.fates.words import said
from zabtrace.replay.history import History
from zabtrace.replay.positions import placed
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
    loose: bool = False
    """A passage from one log file to the next: true only if no file between them is missing."""

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
        *_winning_votes(history, epochs),
        *_truncation_sources(history, epochs),
        *_sent_histories(history, epochs),
        *_passages(history, chains, epochs),
    ]
    told = {s.epoch for s in found if s.high is not None and not s.weak}
    found += _last_histories(history, [e for e in epochs if e not in told])
    result: dict[int, Cut] = {}
    written = set(chains.select(epoch_of("zxid").unique()).to_series().to_list())
    for e in epochs:
        mine = [s for s in found if s.epoch == e]
        least = max((s.low for s in mine if s.low is not None and not s.weak), default=-1)
        mine += [] if e in written else [s for s in _implied(found, e) if s.high is None or s.high >= least]
        result[e] = _doubted(history, _combine(e, [_resolved(s, result) for s in mine], _witnesses(history, e)))
    return result


def _witnesses(history: History, e: int) -> frozenset[int]:
    """The leader of ``e``, or, where nothing names it, every voter that accepted ``e``: among them is one whose own history I(e) is."""
    leader = history.epochs.filter(pl.col("epoch") == e).get_column("leader").drop_nulls().to_list()
    newest = history.disks.filter((pl.col("copy") == 0) & pl.col("accepted_epoch").is_between(1, e - 1))
    return frozenset(leader[:1]) or history.config_at(make(e, 0)).voters - set(newest.get_column("server").to_list())


def _combine(e: int, sources: Sequence[CutSource], witnesses: frozenset[int]) -> Cut:
    """Put the sources of one epoch together; weak ones count only where all of them agree and no strong one speaks."""
    strong = [s for s in sources if not s.weak]
    if not any(s.high is not None for s in strong):
        strong += _agreeing([s for s in sources if s.weak], witnesses)
    lows = [s.low for s in strong if s.low is not None]
    highs = [s.high for s in strong if s.high is not None]
    if lows and highs and max(lows) > min(highs) and _may_miss_a_file(strong, max(lows)):
        return Cut(e, min(lows), max(highs), tuple(strong))
    return Cut(e, max(lows, default=None), min(highs, default=None), tuple(strong))


def _doubted(history: History, cut: Cut) -> Cut:
    """Without its upper end, where only passages between files show it and a disk that has reached the epoch goes on beyond it."""
    bounding = [s for s in cut.sources if s.high is not None]
    if cut.high is None or not all(s.loose for s in bounding) or len({s.server for s in bounding}) > 1:
        return cut
    beyond = history.disks.filter(
        (pl.col("copy") == 0)
        & (pl.col("current_epoch") >= cut.epoch)
        & pl.col("last_zxid").is_between(cut.high + 1, make(cut.epoch, 0) - 1)
    )
    return replace(cut, high=None) if beyond.height else cut


def _may_miss_a_file(sources: Sequence[CutSource], top: int) -> bool:
    """Do all that contradict the others by a lower end come from one server that may lack a log file? Then that range is open."""
    lower = [s for s in sources if s.high is not None and s.high < top]
    return all(s.loose for s in lower) and len({s.server for s in lower}) == 1


def _agreeing(weak: Sequence[CutSource], witnesses: frozenset[int]) -> list[CutSource]:
    """Weak sources, if they all name one zxid, come from at least two servers, and the leader's own history is among them.

    Followers that lagged behind at one place may all have been brought up to date by snapshots that are missing.
    """
    servers = {s.server for s in weak}
    agree = len({(s.low, s.high) for s in weak}) == 1 and len(servers) > 1 and bool(witnesses) and witnesses <= servers
    return list(weak) if agree else []


def _resolved(source: CutSource, known: dict[int, Cut]) -> CutSource:
    """A source that names epoch<<32 names the initial history of that epoch: put its own cut in its place."""

    def value(zxid: int | None, side: str) -> int | None:
        while zxid is not None and counter(zxid) == 0 and epoch(zxid) in known:
            inner = getattr(known[epoch(zxid)], side)
            if inner is None or inner >= zxid:
                return zxid
            zxid = inner
        return zxid

    return replace(source, low=value(source.low, "low"), high=value(source.high, "high"))


def _implied(found: Iterable[CutSource], e: int) -> list[CutSource]:
    """A later epoch whose initial history ends below ``e``: where e wrote nothing, it ended its own initial history there too.

    Where records of ``e`` are known, that later epoch discarded them, and may have gone back further than e began; so it may where e's own
    leader tells more.
    """
    both = [s for s in found if s.epoch > e and s.low is not None and s.high is not None]
    return [replace(s, epoch=e) for s in both if epoch(max(s.low or 0, s.high or 0)) < e]


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


def _winning_votes(history: History, epochs: Sequence[int]) -> list[CutSource]:
    """The leader's vote for itself in the LOOKING interval that made it leader: its own last zxid, where a vote covers the log's tail."""
    order = history.trace.lines.select("source", "order").unique(subset=["source"])
    roles = placed(history.roles.join(order, on="source", how="left")).with_columns(
        looked=pl.col("at").shift(1).over("server"), was=pl.col("role").shift(1).over("server")
    )
    led = roles.filter((pl.col("role") == "LEADING") & (pl.col("was") == "LOOKING") & pl.col("epoch").is_in(list(epochs)))
    votes = placed(history.trace.events("fle_new_election").drop_nulls("zxid"))
    found: list[CutSource] = []
    for server, epoch_, looked, at in led.select("server", "epoch", "looked", "at").iter_rows():
        own = votes.filter((pl.col("server") == server) & pl.col("at").is_between(looked, at)).tail(1)
        if own.height and covers_tail(history, server):
            row = own.row(0, named=True)
            found.append(CutSource(epoch_, row["zxid"], row["zxid"], server, False, row["source"], row["line"], None, row["message"]))
    return found


# ---------------------------------------------------------------- (c) TRUNC targets
def _truncation_sources(history: History, epochs: Sequence[int]) -> list[CutSource]:
    """TRUNC sent before the leader had a transaction of its epoch names cut(epoch); in 3.4 at any time.

    The learner's line alone bounds one side only: it prints the same where a DIFF follows the TRUNC.
    """
    old = history.trace.servers.filter(pl.col("version").str.starts_with("3.4.")).get_column("server").to_list()
    led = history.epochs.select("epoch", led="leader")
    # an attempt that failed may bear the number of the epoch that another server then established
    rows = history.syncs.join(led, on="epoch", how="left").filter(
        (pl.col("mode") == "TRUNC")
        & (pl.col("leader") == pl.col("led")).fill_null(True)
        & pl.col("epoch").is_in(list(epochs))
        & pl.col("truncated_to").is_not_null()
        & (epoch_of("truncated_to") < pl.col("epoch"))
        & (pl.col("before_writes") | pl.col("leader").is_in(old))
    )
    return [
        CutSource(
            row["epoch"],
            row["truncated_to"],
            row["truncated_to"] if row["to_zxid"] == row["truncated_to"] else None,
            row["learner"],
            False,
            row["source"],
            row["line"],
            None,
            _message(history, row["source"], row["line"]),
        )
        for row in rows.iter_rows(named=True)
    ]


def _sent_histories(history: History, epochs: Sequence[int]) -> list[CutSource]:
    """A DIFF or SNAP up to a zxid before the epoch: the leader that established it had all up to there."""
    led = history.epochs.select("epoch", led="leader")
    rows = history.syncs.join(led, on="epoch", how="left").filter(
        pl.col("mode").is_in(["DIFF", "SNAP"])
        & (pl.col("leader") == pl.col("led"))
        & pl.col("epoch").is_in(list(epochs))
        & (counter_of("to_zxid") > 0)
        & (epoch_of("to_zxid") < pl.col("epoch"))
    )
    return [
        CutSource(epoch_, to, None, learner, False, source, line, None, _message(history, source, line))
        for epoch_, to, learner, source, line in rows.select("epoch", "to_zxid", "learner", "source", "line").iter_rows()
    ]


def _message(history: History, source: str, line: int) -> str:
    found = history.trace.lines.filter((pl.col("source") == source) & (pl.col("line") == line)).get_column("message")
    return str(found[0]) if len(found) else ""


# ---------------------------------------------------------------- (a) passages on disk
def _passages(history: History, chains: pl.DataFrame, epochs: Sequence[int]) -> list[CutSource]:
    """y directly followed by (e,1) in a log, no import between: the history that e's server carried ended at y.

    Weak where a snapshot that would betray an import may have been purged and no text tells how the server was synchronized. Where the file
    is cut right behind y, y may be the record too many that a TRUNC leaves (FileTxnLog.truncate): kept is what lies before it. Where what
    lies between y and (e,1) was logged behind it (``_logged_late``), y is no end.
    """
    rows = chains.filter((pl.col("step") == "epoch") & epoch_of("zxid").is_in(list(epochs)))
    before = pl.col("source").shift(1).over("server", "copy") != pl.col("source")
    crossings = chains.filter(before & pl.col("previous").is_not_null() & (pl.col("step") == "epoch"))
    crossed = set(crossings.select("server", "copy", "source").iter_rows())
    cut, late = _kept_below_cuts(history, chains), _logged_late(chains)
    found = [
        CutSource(
            epoch(row["zxid"]),
            cut.get((row["server"], row["copy"], row["previous"]), row["previous"]),
            row["previous"],
            row["server"],
            not _shown(history, row),
            row["source"],
            None,
            row["offset"],
            f"the record of 0x{row['zxid']:x} directly follows that of 0x{row['previous']:x}",
            (row["server"], row["copy"], row["source"]) in crossed,
        )
        for row in rows.iter_rows(named=True)
        if (row["server"], row["copy"], row["zxid"]) not in late
    ]
    first = chains.filter((pl.col("step") == "first") & (counter_of("zxid") == 1)).select("server", epoch_of("zxid"))
    begun = set(first.iter_rows())
    found = [replace(s, weak=s.weak or _may_hide_a_reset(history, s, found, begun)) for s in found]
    return found + _unpadded_ends(history, chains, epochs) + _bases(history, chains, epochs)


def _kept_below_cuts(history: History, chains: pl.DataFrame) -> dict[tuple[int, int, int], int | None]:
    """(server, copy, last zxid of a file that is cut right behind it) -> the record before that one, if there is one."""
    files = history.trace.txn_files.filter(pl.col("ending") == "unpadded").select("server", "copy", zxid="last_zxid").drop_nulls()
    cut = chains.select("server", "copy", "zxid").join(files, on=["server", "copy"], how="semi")
    before = cut.with_columns(below=pl.col("zxid").shift(1).over("server", "copy", order_by="zxid"))
    rows = files.join(before, on=["server", "copy", "zxid"]).select("server", "copy", "zxid", "below").iter_rows()
    return {(server, copy, last): below for server, copy, last, below in rows}


def _logged_late(chains: pl.DataFrame) -> set[tuple[int, int, int]]:
    """(server, copy, first zxid of an epoch) where a record from before it, above the one in front of it, was logged behind it.

    What is proposed while a learner is synchronized may be logged before what the synchronization brought.
    """
    back = chains.filter(pl.col("step") == "back").select("server", "copy", late="zxid")
    passed = chains.filter(pl.col("step") == "epoch").select("server", "copy", "zxid", "previous").join(back, on=["server", "copy"])
    between = passed.filter((pl.col("late") > pl.col("previous")) & (pl.col("late") < pl.col("zxid")))
    return set(between.select("server", "copy", "zxid").iter_rows())


def _may_hide_a_reset(history: History, passage: CutSource, all_: Sequence[CutSource], begun: set[tuple[int, int]]) -> bool:
    """May a snapshot of a shorter history have come between, with a name below ``previous``?

    3.4 sends one where the leader's committed log is empty (LearnerHandler.run); the stale records stay, and no name betrays them. It takes
    a leader that was wiped, or had a later currentEpoch than its log. Excluded where the server tells how it was synchronized or led
    itself, where a quorum of voters shows the same passage, and where all disks were read and none begins with that epoch (``begun``).
    """
    e, server = passage.epoch, passage.server
    told = history.syncs.filter((pl.col("epoch") == e) & (pl.col("learner") == server) & (pl.col("mode") == "DIFF"))
    led = history.epochs.filter((pl.col("epoch") == e) & (pl.col("leader") == server))
    if told.height or led.height or not _may_be_34(history, server):
        return False
    config = history.config_at(make(e, 0))
    read = set(history.disks.filter(pl.col("last_zxid").is_not_null() & (pl.col("copy") == 0)).get_column("server").to_list())
    saved = set(history.trace.snapshots.filter(pl.col("zxid") == passage.high).get_column("server").to_list())
    agreeing = {s.server for s in all_ if (s.epoch, s.high) == (e, passage.high)} | {s for s, of in begun if of == e and s in saved}
    others = any(of == e and other not in agreeing for other, of in begun)
    return not config.is_quorum(agreeing) and (others or not config.voters <= read)


def _may_be_34(history: History, server: int) -> bool:
    """3.4 by its own log; without one, unless its records carry digests (3.6+) or it saved a dynamic configuration (3.5+)."""
    trace, own = history.trace, pl.col("server") == server
    version = trace.servers.filter(own).get_column("version").drop_nulls().to_list()
    newer = (trace.txns, "digest_version"), (trace.members, "config_zxid")
    return version[0].startswith("3.4.") if version else all(t.filter(own & pl.col(name).is_not_null()).is_empty() for t, name in newer)


def _bases(history: History, chains: pl.DataFrame, epochs: Sequence[int]) -> list[CutSource]:
    """A log that begins with (e,1) above a snapshot of an earlier epoch: what it received ended there.

    Weak: files may be missing.
    """
    first = chains.filter((pl.col("step") == "first") & (counter_of("zxid") == 1) & epoch_of("zxid").is_in(list(epochs)))
    below = history.trace.snapshots.filter(pl.col("valid")).select("server", "copy", base="zxid", base_source="source")
    earlier = (pl.col("base") > 0) & (epoch_of("base") < epoch_of("zxid"))
    rows = first.join(below, on=["server", "copy"]).filter(earlier).sort("base")
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
    """Is an import between the two records excluded: text tells of a DIFF from there, or no snapshot can be missing?

    A server that was brought to a later zxid by a snapshot before, in whatever role it was afterwards, stood above ``previous`` when it
    synchronized. After a TRUNC, as after a SNAP, what is committed before NEWLEADER is in the snapshot taken there and in no log
    (Learner.syncWithLeader). Purging keeps the newest snapshots: one below ``previous`` proves that none above it was removed.
    """
    e, server = epoch(row["zxid"]), row["server"]
    told = history.syncs.filter((pl.col("epoch") == e) & (pl.col("learner") == server)).head(1).select("mode", "learner_zxid").rows()
    own = history.trace.snapshots.filter((pl.col("server") == server) & (pl.col("copy") == row["copy"])).get_column("zxid")
    oldest = own.min()
    from_there = bool(told) and told[0][0] == "DIFF" and told[0][1] is not None and told[0][1] <= row["previous"]
    return from_there or (isinstance(oldest, int) and oldest <= row["previous"])


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
    """An epoch without records: its leader's history, else what all servers with that currentEpoch hold, if they are a quorum.

    The shortest of those is kept for sure: a longer one may go on with records that a snapshot with a lower name hides until the next
    start (ZOOKEEPER-2832). Exact is the leader's own, where its log has a snapshot below it, and the longest where nobody can hold more.
    """
    with_records = set(history.trace.txns.select(epoch_of("zxid").unique()).to_series().to_list())
    based = pl.col("last_zxid").is_not_null() & pl.col("base_zxid").is_not_null()
    logless = set(without_log(history).iter_rows())
    found: list[CutSource] = []
    for e in (e for e in epochs if e not in with_records):
        held = history.disks.filter((pl.col("current_epoch") == e) & (pl.col("last_zxid") < make(e, 0))).sort("last_zxid")
        if held.is_empty():
            continue
        leader = history.epochs.filter(pl.col("epoch") == e).get_column("leader").drop_nulls().to_list()
        based_servers = set(held.filter(based).get_column("server").to_list())
        led = held.filter(pl.col("server").is_in(leader) & based)
        voters = history.config_at(make(e, 0))
        if led.is_empty() and not voters.is_quorum(held.get_column("server").to_list()):
            continue
        low = led.row(0, named=True) if led.height else held.row(0, named=True)
        high = low if led.height else held.row(-1, named=True) if not leader and _all_there(history, e, based_servers) else None
        high = None if logless & set(held.select("server", "copy").iter_rows()) else high
        file = history.trace.epoch_files.filter(
            (pl.col("server") == low["server"]) & (pl.col("copy") == low["copy"]) & (pl.col("name") == "currentEpoch")
        )
        says = f"currentEpoch is {e}, and the history of that server ends with 0x{low['last_zxid']:x}"
        source = file.item(0, "source") if file.height else low["base_source"]
        found.append(CutSource(e, low["last_zxid"], high["last_zxid"] if high else None, low["server"], False, source, None, 0, says))
    return found


def _all_there(history: History, e: int, held: set[int]) -> bool:
    """Was every voter read, with a snapshot, and has none gone beyond ``e``? Then its unnamed leader is among those that hold it."""
    newest = history.disks.filter((pl.col("copy") == 0) & pl.col("base_zxid").is_not_null() & (pl.col("current_epoch").fill_null(0) > 0))
    behind = set(newest.filter(pl.col("current_epoch") < e).get_column("server").to_list())
    voters = history.config_at(make(e, 0)).voters
    return bool(voters) and voters <= behind | held
