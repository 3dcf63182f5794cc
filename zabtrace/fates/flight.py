"""Writes that were in flight: the young tail of an ensemble that went on while its disks were copied one after the other.

Such a tail is on the disks that were copied last, and nothing is wrong with it. Whether it is one, only the text tells: the newest
epoch's leader and so many followers that they are a quorum were in service in it to the end of their logs, and no disk has accepted a
later epoch. Then all that a quorum of their disks holds is committed (C1), and what lies above that is the tail.
"""

from __future__ import annotations

import polars as pl

from zabtrace.fates.case import Case
from zabtrace.replay.numbering import led_twice
from zabtrace.zxid import epoch, make

SERVING = ("LEADING", "FOLLOWING")


def tail_above(case: Case) -> int | None:
    """The zxid above which an undecided write was in flight; None where none was."""
    if not case.epochs:
        return None
    newest = case.epochs[-1]
    if newest in led_twice(case.history.terms):
        return None
    config = case.history.config_at()
    serving, leads = _in_service(case, newest)
    disks = case.history.disks.join(case.newest, on=["server", "copy"], how="semi").filter(pl.col("server").is_in(sorted(config.voters)))
    left = disks.filter((pl.col("accepted_epoch") > newest) | (pl.col("current_epoch") > newest))
    # epoch files without any log or snapshot do not show where a disk ended
    read = set(disks.filter((pl.col("current_epoch") == newest) & pl.col("last_zxid").is_not_null()).get_column("server").to_list())
    if not leads or left.height or not config.is_quorum(serving & read):
        return None
    proven = [p.upto for p in case.proofs if epoch(p.upto) == newest]
    return max([make(newest, 0), *proven])


def _in_service(case: Case, newest: int) -> tuple[frozenset[int], bool]:
    """Servers whose log ends while they serve in that epoch, and whether its leader is one of them."""
    last = case.history.roles.group_by("server", maintain_order=True).last()
    words = case.history.processes.group_by("server", maintain_order=True).last()
    said = set(words.filter(~pl.col("ended_by").str.starts_with("no line")).get_column("server").to_list())
    serving = pl.col("role").is_in(SERVING) & (pl.col("epoch") == newest) & ~pl.col("server").is_in(sorted(said))
    found = last.filter(serving)
    return frozenset(found.get_column("server").to_list()), found.filter(pl.col("role") == "LEADING").height > 0
