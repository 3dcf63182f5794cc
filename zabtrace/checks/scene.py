"""What the checks look at: the History, every record's place in its server's chain, and what became of each write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from zabtrace.checks.findings import Witness
from zabtrace.replay.disks import chains
from zabtrace.replay.history import History
from zabtrace.replay.learned import learned
from zabtrace.zxid import epoch_of, make, text

SENT_SNAPSHOT = "SNAP"


@dataclass(frozen=True)
class Scene:
    """Everything a check may ask."""

    history: History
    writes: pl.DataFrame
    """schema.WRITES: what became of each write."""
    reasons: tuple[str, ...] = ()
    """What keeps it from being known that nothing was lost: writes that no record shows are in no row of ``writes``."""

    @cached_property
    def every_chain(self) -> pl.DataFrame:
        """``replay.disks.CHAIN_COLUMNS`` of every copy, with ``epoch``."""
        return chains(self.history.trace, *learned(self.history)).with_columns(epoch=epoch_of("zxid"))

    @cached_property
    def chains(self) -> pl.DataFrame:
        """Of the newest copies only."""
        return self.every_chain.filter(pl.col("copy") == 0)

    @cached_property
    def live(self) -> pl.DataFrame:
        """Records of the newest copies that no import hides: the effective histories, as far as records show them."""
        return self.chains.filter(pl.col("hidden_by").is_null())

    @cached_property
    def disks(self) -> dict[int, Mapping[str, int | None]]:
        """The newest copy of each server, a row of schema.DISKS."""
        return {row["server"]: row for row in self.history.disks.filter(pl.col("copy") == 0).iter_rows(named=True)}

    @cached_property
    def led(self) -> dict[int, int]:
        """epoch -> leader, where one is known."""
        known = self.history.epochs.filter(pl.col("leader").is_not_null())
        return dict(known.select("epoch", "leader").iter_rows())

    @cached_property
    def committed(self) -> pl.Series:
        """zxids known to be committed."""
        return self.writes.filter(pl.col("committed") == "yes").get_column("zxid")

    @cached_property
    def unread(self) -> list[int]:
        """Voters of which no data file was read."""
        return sorted(self.history.config_at().voters - self.disks.keys())

    def lacking(self) -> str | None:
        """What is missing for a statement about all servers' histories, or None."""
        if self.unread:
            return f"no data file of {listed(self.unread)} was read."
        if self.history.trace.unordered:
            return f"nothing proves which copy of {listed(self.history.trace.unordered)} is the newest: name the older ones with --before."
        if self.chains.is_empty():
            return "no record of a transaction log was read."
        if not self.history.config_at().voters:
            return "nothing names the voters: give zoo.cfg."
        hidden = sorted({row["server"] for row in self.passed_over if not row["certain"]})
        if hidden:
            return f"{listed(hidden)} may have received a snapshot that was purged since: a text log would tell."
        holed = self.history.trace.damage.filter((pl.col("copy") == 0) & (pl.col("harm") == "data"))
        return f"{holed.item(0, 'source')} is damaged." if holed.height else None

    def sent_no_snapshot(self, server: int, epoch: int) -> bool:
        """Is it excluded that a snapshot was received unseen when this server entered that epoch?

        It led it, or its log names another way, or its oldest snapshot is older, so that none can have been purged.
        """
        told = self.history.syncs.filter((pl.col("epoch") == epoch) & (pl.col("learner") == server)).head(1)["mode"].to_list()
        kept = self.history.trace.snapshots.filter((pl.col("server") == server) & (pl.col("copy") == 0))["zxid"].min()
        older = isinstance(kept, int) and kept < make(epoch, 0)
        return self.led.get(epoch) == server or (bool(told) and told[0] != SENT_SNAPSHOT) or older

    @cached_property
    def disagreements(self) -> list[dict[str, Any]]:
        """Records in force on one server that another one's history passes over, though both took part in the later epoch.

        ``passer`` goes directly to ``beyond``, the first record of the epoch ``entered``, in which ``server`` has records too. Left
        out where the server may have received a snapshot unseen, which hides the record.
        """
        return [row for row in self.passed_over if row["certain"]]

    @cached_property
    def passed_over(self) -> list[dict[str, Any]]:
        """The same, with those that an unseen snapshot may hide: ``certain`` tells."""
        live = self.live
        present = set(live.select("server", "epoch").unique().iter_rows())
        return [
            {
                **row,
                "passer": jump["server"],
                "entered": jump["epoch"],
                "beyond": jump["zxid"],
                "certain": self.sent_no_snapshot(row["server"], jump["epoch"]),
            }
            for jump in live.filter(pl.col("step") == "epoch").iter_rows(named=True)
            for row in self._passed_over(jump).iter_rows(named=True)
            if (row["server"], jump["epoch"]) in present
        ]

    def _passed_over(self, jump: Mapping[str, Any]) -> pl.DataFrame:
        """What other servers have in force between the record of a chain and the one before it, and this one has nowhere."""
        between = self.live.filter(pl.col("zxid").is_between(jump["previous"], jump["zxid"], closed="none"))
        own = between.filter(pl.col("server") == jump["server"])
        return between.join(own, on=["zxid"], how="anti")

    def received_snapshot(self, server: int, epoch: int) -> bool:
        """Does a text log tell that this server was sent a snapshot in that epoch?"""
        told = (pl.col("learner") == server) & (pl.col("epoch") == epoch) & (pl.col("mode") == SENT_SNAPSHOT)
        return not self.history.syncs.filter(told).is_empty()

    def versions(self, server: int) -> set[str]:
        """Releases this server ran, as its logs tell."""
        ran = self.history.processes.filter(pl.col("server") == server)["version"].drop_nulls().to_list()
        newest = self.history.trace.servers.filter(pl.col("server") == server)["version"].drop_nulls().to_list()
        return {*ran, *newest}


def listed(servers: Iterable[int]) -> str:
    """Servers in a sentence.

    >>> listed([3]), listed([1, 2])
    ('server 3', 'servers 1, 2')
    """
    named = [str(server) for server in servers]
    return ("server " if len(named) == 1 else "servers ") + ", ".join(named)


def record(row: Mapping[str, object], says: str) -> Witness:
    """A witness: the record that a row of a chain is."""
    return {"source": row["source"], "line": None, "offset": row["offset"], "says": says}


def line(row: Mapping[str, object]) -> Witness:
    """A witness: a line of a text log."""
    return {"source": row["source"], "line": row["line"], "offset": None, "says": row["message"]}


def span(first: int, last: int) -> str:
    """A range of zxids in a sentence."""
    return text(first) if first == last else f"{text(first)} to {text(last)}"
