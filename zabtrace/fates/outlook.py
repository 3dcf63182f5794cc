"""What can still happen where no later epoch is proved: who was read, and what every quorum that can start would keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import combinations

import polars as pl

from zabtrace.fates.never import never_above, rules, without_log
from zabtrace.protocol.quorum import Config
from zabtrace.protocol.vote import Vote
from zabtrace.replay.history import History
from zabtrace.zxid import epoch, make

MOST_VOTERS = 11
"""Ensembles are small; beyond this the sets of servers are too many to try, and nothing is foretold."""


@dataclass(frozen=True)
class Outlook:
    """What the newest copies allow."""

    voters_known: bool
    unread: tuple[int, ...]
    """Voters of which neither a newest disk nor a text log was read."""
    without_disk: tuple[int, ...]
    safe: bool
    """The voters that were not read are no quorum: no epoch can have been established without a trace."""
    complete: bool
    """The voters whose disks were not read are no quorum: every committed write is on a disk that was read."""
    kept_to: int | None = None
    """Every quorum that can start keeps the newest epoch up to here."""
    discarded_above: int | None = None
    """None of them keeps anything above this."""
    never_above: Mapping[int, int] = field(default_factory=dict)
    """Per epoch: above this zxid a write was on fewer than a quorum, and the others can no longer acknowledge it."""

    holds_up_to: int | None = None
    """Of the newest epoch: above this zxid fewer disks hold a write than it needs for a commit, those not read counted as holders."""

    doubted_above: int | None = None
    """What is above this a later epoch that is not proved may have discarded: its servers lack it."""

    def doomed(self) -> pl.Expr:
        """Would every quorum that can start discard the write?"""
        return pl.lit(False) if self.discarded_above is None else pl.col("zxid") > self.discarded_above


def outlook(history: History, newest: pl.DataFrame) -> Outlook:
    """Look at the newest disks with the configuration in force now; where one was only proposed, with each that may be in force."""
    found = [_outlook(history, newest, config) for config in rules(history)]
    if len(found) == 1:
        return found[0]
    never = [set(one.never_above) for one in found]
    return Outlook(
        all(one.voters_known for one in found),
        tuple(sorted({s for one in found for s in one.unread})),
        tuple(sorted({s for one in found for s in one.without_disk})),
        all(one.safe for one in found),
        all(one.complete for one in found),
        _agreed(min, [one.kept_to for one in found]),
        _agreed(max, [one.discarded_above for one in found]),
        {e: max(one.never_above[e] for one in found) for e in set.intersection(*never)},
        min((one.holds_up_to for one in found if one.holds_up_to is not None), default=None),
        min((one.doubted_above for one in found if one.doubted_above is not None), default=None),
    )


def _agreed(choose: Callable[[list[int]], int], bounds: list[int | None]) -> int | None:
    """The bound that holds for all; None where one has none."""
    known = [bound for bound in bounds if bound is not None]
    return choose(known) if len(known) == len(bounds) else None


def _outlook(history: History, newest: pl.DataFrame, config: Config) -> Outlook:
    disks = history.disks.join(newest, on=["server", "copy"], how="semi").filter(pl.col("last_zxid").is_not_null())
    with_disk = set(disks.filter(pl.col("current_epoch").is_not_null() | pl.lit(len(config.voters) == 1)).get_column("server").to_list())
    with_text = set(history.trace.lines.get_column("server").unique().to_list())
    logless = set(without_log(history).join(newest, on=["server", "copy"], how="semi").get_column("server").to_list())
    unread, without_disk = config.voters - with_disk - with_text, config.voters - (with_disk - logless)
    bounds = _bounds(config, disks) if config.voters and not without_disk and not history.trace.unordered else []
    return Outlook(
        bool(config.voters),
        tuple(sorted(unread)),
        tuple(sorted(without_disk)),
        config.blocks(config.voters - unread),
        config.blocks(config.voters - without_disk),
        min(bounds, default=None),
        max(bounds, default=None),
        _never_above(history, config, disks),
        _holds_up_to(history, config, disks, {*history.trace.unordered, *(logless & with_text)}),
        _doubted_above(history, config, disks, without_disk),
    )


def _doubted_above(history: History, config: Config, disks: pl.DataFrame, without_disk: frozenset[int]) -> int | None:
    """Lowest zxid above which an unproved later epoch, if it was established, kept nothing that its servers show.

    The same holds of servers that have not accepted the newest epoch, if the others are no quorum: a quorum accepted it
    (Leader.waitForEpochAck), so that some of them were copied before, or were put back since and may have gone on under a lower number.
    """
    newest = history.epochs.filter(pl.col("status") == "established").get_column("epoch").max()
    if not isinstance(newest, int):
        return None
    rows = disks.select("server", "last_zxid", "current_epoch", "accepted_epoch").rows()
    later = {server: last for server, last, current, _ in rows if (current or 0) > newest}
    behind = {server: last for server, last, _, accepted in rows if accepted is not None and accepted < newest}
    tops = [top for top in later.values() if config.is_quorum(without_disk | {s for s, z in later.items() if z <= top})]
    tops += [top for top in behind.values() if config.blocks(s for s, z in behind.items() if z <= top)]
    return min(tops, default=None)


def _holds_up_to(history: History, config: Config, disks: pl.DataFrame, open_ended: set[int]) -> int | None:
    """Highest end that, with the disks that were not read or have no snapshot, a quorum reaches; None: any zxid may be on one.

    A committed write above it was on disks that are gone: what becomes of it depends on who starts. A disk without a snapshot still tells
    that it holds nothing of an epoch that it has not accepted: acceptedEpoch is written before anything of the epoch is
    (Learner.registerWithLeader, syncWithLeader). One without log files has them elsewhere (``open_ended``) where its server's text vouches
    that it was not wiped; else it may have been, and been sent a snapshot since.
    """
    newest = history.epochs.filter(pl.col("status") == "established").get_column("epoch").max()
    ends = {
        row["server"]: row["last_zxid"]
        for row in disks.iter_rows(named=True)
        if row["server"] not in open_ended and (row["base_zxid"] is not None or _below(row["accepted_epoch"], newest))
    }
    unknown = config.voters - ends.keys()
    if not config.voters or config.is_quorum(unknown):
        return None
    reached = [
        z for z in ends.values() if config.is_quorum(unknown | {s for s, end in ends.items() if end >= z and epoch(end) == epoch(z)})
    ]
    return max(reached, default=-1)


def _below(accepted: int | None, newest: object) -> bool:
    return accepted is not None and isinstance(newest, int) and accepted < newest


def _bounds(config: Config, disks: pl.DataFrame) -> list[int]:
    """For every quorum of the voters: the last zxid of the server that would win it, and of one that would but for its weight or vote."""
    votes = {
        row["server"]: Vote(row["current_epoch"] or 0, row["last_zxid"], row["server"])
        for row in disks.iter_rows(named=True)
        if row["current_epoch"] is not None or row["server"] in config.voters
    }
    voting = sorted(votes.keys() & config.voters)
    if len(config.voters) > MOST_VOTERS:
        return []
    # one without weight or without a vote is never elected, but what it holds may still lie in the others' sockets and queues
    outside = [vote for server, vote in votes.items() if server not in config.voters]
    found = []
    for size in range(1, len(voting) + 1):
        for servers in combinations(voting, size):
            eligible = [votes[s] for s in servers if config.weight(s)]
            if config.is_quorum(servers) and eligible:
                found += [max(eligible).zxid, max(*(votes[s] for s in servers), *outside, max(eligible)).zxid]
    return found


def _never_above(history: History, config: Config, disks: pl.DataFrame) -> dict[int, int]:
    """N1 without an established successor: voters that have accepted a later epoch can no longer acknowledge what they lack."""
    newest = history.epochs.filter(pl.col("status") == "established").get_column("epoch").max()
    if not isinstance(newest, int):
        return {}
    unpadded = history.trace.txn_files.filter((pl.col("copy") == 0) & (pl.col("ending") == "unpadded"))
    cut = unpadded.join(disks, left_on=["server", "copy", "last_zxid"], right_on=["server", "copy", "last_record"], how="semi")
    # no record at all: wiped, or files are missing; cut: what it held before is not known
    whole = disks.filter((pl.col("records") > 0) & ~pl.col("server").is_in(cut.get_column("server").to_list()))
    left = {
        row["server"]: row["last_zxid"]
        for row in whole.iter_rows(named=True)
        if (row["accepted_epoch"] or 0) > newest and epoch(row["last_zxid"]) <= newest
    }
    with_text = set(history.trace.lines.get_column("server").unique().to_list())
    top = never_above(config, left, frozenset(left.keys() - with_text))
    return {} if top is None else {newest: max(top, make(newest, 0))}
