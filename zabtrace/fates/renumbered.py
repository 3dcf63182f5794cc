"""Epochs whose numbers do not tell their order: a quorum had lost its acceptedEpoch (disks wiped or put back), and gave numbers out anew.

No zxid of such an epoch can be followed: which of two a later epoch kept, and which one was answered, is not told by numbers. Nor is it of
the epochs from a smaller number that came later up to the larger one that came before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import polars as pl

from zabtrace.fates.case import Case
from zabtrace.replay.history import History
from zabtrace.replay.numbering import at_least, led_twice, not_rising
from zabtrace.zxid import epoch, epoch_of, text


@dataclass(frozen=True)
class WentBack:
    """A disk that has not accepted an epoch which its server joined, and holds what it did not have then."""

    server: int
    last: int
    joined: int
    """The epoch that it joined."""
    position: int
    """Where it stood then."""
    place: str
    """The line that tells it."""

    @property
    def says(self) -> str:
        """One sentence."""
        return (
            f"Server {self.server} joined epoch {self.joined} at {text(self.position)} ({self.place}), which its disk, up to "
            f"{text(self.last)}, has not accepted: it was wiped or put back to an older state, and epoch {epoch(self.last)} may be the "
            "later one."
        )


def renumbered(case: Case, contradicted: Iterable[int]) -> list[int]:
    """Those epochs, ascending; ``contradicted``: epochs with two payloads under one zxid."""
    opened = (
        case.history.trace.events("quorum_supported").drop_nulls("zxid").group_by(epoch=epoch_of("zxid")).agg(pl.col("server").n_unique())
    )
    found = set(contradicted) | set(opened.filter(pl.col("server") > 1).get_column("epoch").to_list())
    terms = case.history.terms
    if terms is not None:
        pairs = [(terms.of[old.index], terms.of[new.index].epoch) for old, new in not_rising(terms)]
        found |= {e for before, again in pairs if again is not None for e in case.epochs if again <= e <= at_least(before)}
    found |= led_twice(terms).keys()
    found |= {e for one in went_back(case.history) for e in case.epochs if epoch(one.last) <= e <= one.joined}
    return sorted(found)


def went_back(history: History) -> Iterator[WentBack]:
    """Newest disks that hold more than their servers had when they joined an epoch that those disks have not accepted.

    A learner writes acceptedEpoch before it is synchronized (Learner.registerWithLeader), and a copy from before that holds no more than
    it had then.
    """
    disks = history.disks.filter((pl.col("copy") == 0) & (epoch_of("last_zxid") > 0)).select("server", "last_zxid", "accepted_epoch")
    joined = history.syncs.select("epoch", "learner_zxid", "source", "line", server="learner").drop_nulls()
    rows = joined.join(disks, on="server").filter(
        (pl.col("accepted_epoch") < pl.col("epoch")) & (pl.col("learner_zxid") < pl.col("last_zxid"))
    )
    for row in rows.unique(["server", "epoch"], keep="first", maintain_order=True).iter_rows(named=True):
        yield WentBack(row["server"], row["last_zxid"], row["epoch"], row["learner_zxid"], f"{row['source']}:{row['line']}")
