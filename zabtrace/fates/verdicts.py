"""The verdict over all writes, and every reason that keeps it from being better."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from zabtrace.fates.case import Case
from zabtrace.fates.judgement import counted, told_apart
from zabtrace.fates.never import End
from zabtrace.fates.renumbered import went_back
from zabtrace.replay.numbering import led_twice, not_rising
from zabtrace.replay.roles import Interval
from zabtrace.zxid import counter_of, epoch_of, make, text

DISCARDED = ("truncated", "shadowed", "pending")


@dataclass(frozen=True)
class Outcome:
    """Verdict, its sentence, and why it is not better."""

    verdict: str
    message: str
    reasons: tuple[str, ...]


def verdict(case: Case, writes: pl.DataFrame, told: pl.DataFrame, since: int | None, tail_above: int | None = None) -> Outcome:
    """lost, else diverged, else undecided if anything is open, else nothing_lost. What was in flight above ``tail_above`` is not open."""
    apart = writes.with_columns(fate=told_apart(tail_above))
    judged = apart if since is None else apart.filter(pl.col("zxid") >= since)
    reasons = tuple(_reasons(case, judged, told, since))
    found = counted(judged, case.history.trace.folded)
    forgotten = told.filter((pl.col("fate") == "lost") & (pl.coalesce("to", "from") >= (since or 0)))
    found = {**found, "lost": found.get("lost", 0) + int(forgotten.get_column("count").fill_null(1).sum())}
    name = "lost" if found.get("lost") else "diverged" if found.get("diverged") else "undecided" if reasons else "nothing_lost"
    return Outcome(name, _message(name, judged, told, found), reasons)


def _reasons(case: Case, judged: pl.DataFrame, told: pl.DataFrame, since: int | None) -> Iterator[str]:
    """Everything that is open, in the order in which an operator should look at it."""
    if not case.outlook.voters_known:
        yield "No configuration and no text names the voters, so no quorum can be counted: give zoo.cfg."
    elif not case.outlook.safe:
        yield f"Neither disk nor log of {_servers(case.outlook.unread)} was read: a quorum that could have gone on without the others."
    trace = case.history.trace
    open_fates = trace.stands_for(judged.filter(pl.col("fate") == "undecided"))
    if open_fates:
        yield f"The fate of {_count(open_fates, 'write')} cannot be told from what was read."
    unknown = trace.stands_for(judged.filter(pl.col("fate").is_in(DISCARDED) & (pl.col("committed") == "unknown")))
    if unknown:
        yield (
            f"{_count(unknown, 'discarded write')} may have been committed: "
            "a disk that could tell was not read, or was cut, wiped, replaced or put back to an older state."
        )
    loose = (
        told.filter(pl.col("committed") == "unknown")
        if since is None
        else told.filter((pl.col("committed") == "unknown") & (pl.col("to") >= since))
    )
    if loose.height:
        yield f"{_count(loose.height, 'range')} of discarded writes known from text alone may have been committed."
    yield from _unplaced(case, since)
    for end in case.ends:
        cut = case.cuts.get(end.successor)
        if cut is not None and cut.high is not None and end.never_above is not None and end.never_above > max(cut.high, make(end.epoch, 0)):
            yield (
                f"Epoch {end.successor} kept epoch {end.epoch} up to {text(cut.high)}, but servers stood at {text(end.never_above)}: "
                "what lay between may have been committed."
            )
        if end.never_above is None and end.voters_known:
            yield (
                f"At the end of epoch {end.epoch} {'only ' if end.tops else ''}{_servers(tuple(end.tops))} can be followed into epoch "
                f"{end.successor}{_known_from_clients(case, end.successor)}; "
                f"{_servers(end.missing)} (not read, cut without an earlier copy, or wiped) may have committed writes that no file shows."
                + _cut_files(case, end)
                + (
                    f" Purged logs cannot be judged: --since e{end.successor} judges what was written from there on."
                    if end.epoch <= case.epochs[0] and _begins_later(case, end)
                    else ""
                )
            )
    yield from _standalone(case, judged, since)
    yield from _standalone_cut(case, since)
    yield from _numbered_twice(case)
    yield from _doubled(case, judged)
    yield from _put_back(case, judged)
    yield from _printed(case)
    yield from _bare(case)


def _cut_files(case: Case, end: End) -> str:
    """The physical sign of a cut: FileTxnLog.truncate leaves a file that ends right behind its last record, without padding."""
    cut = case.history.trace.txn_files.filter(
        (pl.col("copy") == 0)
        & (pl.col("ending") == "unpadded")
        & pl.col("server").is_in(end.missing)
        & (epoch_of("last_zxid") <= end.epoch)
    )
    named = [
        f"{source} is cut right behind {text(last)}"
        for source, last in cut.sort("server", "source").select("source", "last_zxid").iter_rows()
    ]
    return f" {'; '.join(named)}: what stood there is in no file." if named else ""


def _begins_later(case: Case, end: End) -> bool:
    """Does what is there of a voter that cannot be followed begin within or behind that epoch: were its older files purged?"""
    first = case.history.disks.filter((pl.col("copy") == 0) & pl.col("server").is_in(end.missing)).get_column("first_record").drop_nulls()
    return bool((first > make(end.epoch, 1)).any())


def _known_from_clients(case: Case, epoch: int) -> str:
    """Where a client names an epoch that no file and no line of a server shows."""
    told = case.history.trace.client_ops.select("source").unique()
    rows = case.history.epochs.filter(pl.col("epoch") == epoch).join(told, on="source", how="semi")
    return f" (which a client alone names: {rows.item(0, 'source')}:{rows.item(0, 'line')})" if rows.height else ""


def _unplaced(case: Case, since: int | None) -> Iterator[str]:
    """Acknowledged writes that are in no record that was read: purged with their log, beyond what was read, or lost.

    With ``since`` those that were over before it do not count: what each was followed by (``Matches.before``) tells.
    """
    found = case.matches.unplaced()
    over = [at for at in found.get_column("at") if since is not None and any(zxid <= since for zxid in case.matches.before.get(at, ()))]
    found = found.filter(~pl.col("at").is_in(over))
    if found.height:
        source, line = found.select("source", "line").row(0)
        yield (
            f"{_count(found.height, 'write')} that clients were answered for without a zxid (the first in {source}:{line}) "
            f"{'has' if found.height == 1 else 'have'} no record that was read: purged, or lost."
        )


def _standalone(case: Case, judged: pl.DataFrame, since: int | None) -> Iterator[str]:
    """What a server held before the ensemble's first epoch (epoch 0: it ran alone), as only a snapshot tells."""
    alone = case.history.trace.snapshots.filter(pl.col("valid") & (epoch_of("zxid") == 0) & (counter_of("zxid") > max(since or 0, 0)))
    unread = alone.join(judged.select("zxid"), on="zxid", how="anti").sort("zxid")
    low = case.cuts[case.epochs[0]].low if case.epochs else None
    if case.epochs and unread.height and (low is None or low < unread["zxid"][-1]):
        server, source, last = unread.select("server", "source", "zxid").row(-1)
        yield (
            f"Server {server} ran alone and held writes up to {text(last)} ({source}), of which no record was read: "
            f"nothing shows that epoch {case.epochs[0]} kept them."
        )


def _standalone_cut(case: Case, since: int | None) -> Iterator[str]:
    """A log of epoch 0 that is cut: every write of a server that ran alone was committed, and what stood there may be in no other file."""
    ends = case.history.trace.txn_files.filter(
        (pl.col("copy") == 0) & (pl.col("ending") == "unpadded") & (epoch_of("last_zxid") == 0) & (pl.col("last_zxid") >= (since or 0))
    ).select("server", "source", "last_zxid")
    earlier = case.chains.filter((pl.col("copy") > 0) & (epoch_of("zxid") == 0)).select("server", "zxid")
    seen = ends.join_where(earlier, pl.col("server") == pl.col("server_right"), pl.col("zxid") > pl.col("last_zxid"))
    for server, source, last in ends.join(seen, on="source", how="anti").iter_rows():
        yield f"Server {server} ran alone, and {source} is cut right behind {text(last)}: what it had written above that is in no file."


def _numbered_twice(case: Case) -> Iterator[str]:
    """Epochs that began a second time, or whose numbers do not tell their order."""
    terms = case.history.terms
    for epoch, leaders in led_twice(terms).items():
        yield (
            f"Epoch {epoch} had more than one leader ({_servers(sorted(leaders))}; {_places(leaders.values())}): a quorum had lost its "
            "acceptedEpoch (disks wiped or put back to an older state), and what was committed under the first one may be gone."
        )
    told: dict[tuple[int | None, int, int], str] = {}
    if terms is not None:
        for old, new in not_rising(terms):
            one, two = terms.of[old.index], terms.of[new.index]
            told.setdefault((two.epoch, two.leader, one.leader), _places((old, new)))
    for (number, leader, before), places in told.items():
        yield (
            f"Epoch {number} of leader {leader} came after an epoch of leader {before} that was not smaller ({places}): a quorum had lost "
            "its acceptedEpoch (disks wiped or put back to an older state), and what was committed before may be gone."
        )
    yield from (one.says for one in went_back(case.history))


def _doubled(case: Case, judged: pl.DataFrame) -> Iterator[str]:
    """Epochs of which one zxid stands for several transactions: which disks hold which, and what is on none any more."""
    several = judged.filter((pl.col("rule") == "N2") & (pl.len().over("zxid") > 1)).with_columns(epoch=epoch_of("zxid"))
    for number in several.get_column("epoch").unique().sort():
        rows = several.filter(pl.col("epoch") == number)
        first = rows.get_column("zxid").min()
        told = f"Epoch {number} was given out twice: from {text(int(str(first)))} on one number stands for two transactions."
        holders = rows.filter(pl.col("zxid") == first).get_column("on_disk_of").to_list()
        held = " and ".join(_servers(servers) for servers in holders if servers)
        gone = judged.filter((epoch_of("zxid") == number) & (pl.col("on_disk_of").list.len() == 0)).get_column("zxid").max()
        if all(holders):
            yield f"{told} They lie on {held}."
        elif isinstance(gone, int):
            unread = case.outlook.without_disk
            known = f"unless {_servers(unread)}, not read, {'holds' if len(unread) == 1 else 'hold'} it, " if unread else ""
            yield (
                f"{told} One history lies on {held or 'no disk'}; the other one, known up to {text(gone)}, is on no newest disk that was "
                f"read: disks were wiped or put back to an older state (a restored backup), and {known}what it committed is gone with it."
            )


def _put_back(case: Case, judged: pl.DataFrame) -> Iterator[str]:
    """Lost writes that earlier copies of a quorum held: no election discards those, so that the disks were put back."""
    lost = case.chains.join(judged.filter(pl.col("fate") == "lost").select("zxid"), on="zxid", how="semi")
    newest = lost.join(case.newest, on=["server", "copy"], how="semi").select("server", "zxid")
    gone = lost.filter(pl.col("copy") > 0).join(newest, on=["server", "zxid"], how="anti")
    for last in gone.get_column("zxid").unique().sort(descending=True):
        servers = sorted(set(gone.filter(pl.col("zxid") == last).get_column("server").to_list()))
        if (config := case.history.config_at(last)).voters and config.is_quorum(servers):
            yield (
                f"Earlier copies of {_servers(servers)}, a quorum, held lost writes up to {text(last)} which their newest copies lack: "
                "these disks were wiped or put back to an older state (a restored backup), or a bug of ZooKeeper struck (zabtrace check)."
            )
            return


def _bare(case: Case) -> Iterator[str]:
    """Epochs of which no record was read: text alone, or imported snapshots alone, prove no write's fate.

    A currentEpoch shows that its server followed or led, be it in an epoch that nothing else shows to be established.
    """
    served = bool(case.epochs) or (case.history.disks.get_column("current_epoch") > 0).any()
    if served and case.chains.is_empty():
        yield "No transaction record was read: text or snapshots alone do not tell what was written."


def _printed(case: Case) -> Iterator[str]:
    """Servers of which only dumps were read, as ZooKeeper's own tools print them: witnesses of records, of no state."""
    trace = case.history.trace
    dumped = set(trace.txns.filter(pl.col("dump").fill_null(False)).get_column("server").drop_nulls().to_list())
    alone = sorted(dumped & set(case.outlook.without_disk)) if case.outlook.voters_known else []
    texts = set(trace.lines.get_column("server").unique().to_list())
    if alone and not texts.issuperset(alone):
        yield (
            f"Of {_servers(alone)} only what a tool printed was read: it tells neither currentEpoch nor when that was. The folders "
            f"(version-2) would settle it, or the text logs beside it."
        )


def _message(name: str, judged: pl.DataFrame, told: pl.DataFrame, found: dict[str, int]) -> str:
    """The banner's sentence."""
    discarded = sum(found.get(f, 0) for f in DISCARDED)
    in_ranges = int(told.filter(pl.col("fate").is_in(DISCARDED)).get_column("count").sum())
    tail = (
        f"; {_count(discarded + in_ranges, 'write')} that never committed {'was' if discarded + in_ranges == 1 else 'were'} discarded."
        if discarded + in_ranges
        else "."
    )
    bounds = [
        judged.filter(pl.col("fate") == "lost").select(low="zxid", high="zxid"),
        told.filter(pl.col("fate") == "lost").select(low="from", high=pl.coalesce("to", "from")),
    ]
    lost = pl.concat(bounds)
    open_ended = told.filter((pl.col("fate") == "lost") & pl.col("to").is_null()).height > 0
    at_least, upto = ("At least ", "and above") if open_ended else ("", f"to {text(int(str(lost['high'].max())))}" if lost.height else "")
    return {
        "nothing_lost": "Nothing was ever written." if judged.is_empty() and not in_ranges else "No committed write was lost" + tail,
        "lost": f"{at_least}{_count(found.get('lost', 0), 'committed write')} {'was' if found.get('lost') == 1 else 'were'} lost"
        + (f" ({text(int(str(lost['low'].min())))} {upto})." if lost.height else "."),
        "diverged": f"The servers' histories contradict each other about {_count(found.get('diverged', 0), 'write')}.",
        "undecided": "It cannot be told whether a committed write was lost.",
    }[name]


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _places(intervals: Iterable[Interval]) -> str:
    """The lines with which these intervals began."""
    return ", ".join(f"{interval.source}:{interval.line}" for interval in intervals)


def _servers(servers: Sequence[int]) -> str:
    if not servers:
        return "no server"
    return ("server " if len(servers) == 1 else "servers ") + ", ".join(str(s) for s in servers)
