"""The History: what happened, as tables. Built by ``replay.replay`` from a Trace."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from zabtrace import schema
from zabtrace.evidence.trace import Trace
from zabtrace.protocol.quorum import Config
from zabtrace.replay.terms import Terms
from zabtrace.replay.votes import Given, Votes


@dataclass(frozen=True)
class Outage:
    """A window in which no write was possible; times as one server's clock tells them. No end: it lasts to the end of the logs."""

    start: object
    end: object
    ms: int
    clock: int
    why: str = ""
    """What shows that it began."""
    source: str | None = None
    line: int | None = None


@dataclass(frozen=True)
class History:
    """What replay concluded, one frame per table of ``schema``."""

    trace: Trace
    configs: tuple[Config, ...] = ()
    """Configurations in the order of their zxid, the static one first."""
    processes: pl.DataFrame = field(default_factory=lambda: schema.frame(schema.PROCESSES))
    roles: pl.DataFrame = field(default_factory=lambda: schema.frame(schema.ROLES))
    cast: Votes = field(default_factory=Given)
    """Every vote; ``votes`` makes rows of all of them, so ask ``cast`` for those of few elections where they may be many."""
    elections: pl.DataFrame = field(default_factory=lambda: schema.frame(schema.ELECTIONS))
    epochs: pl.DataFrame = field(default_factory=lambda: schema.frame(schema.EPOCHS))
    syncs: pl.DataFrame = field(default_factory=lambda: schema.frame(schema.SYNCS))
    disks: pl.DataFrame = field(default_factory=lambda: schema.frame(schema.DISKS))
    unavailable: tuple[Outage, ...] = ()
    terms: Terms | None = None
    """What the frames were written from: intervals, votes and terms, for those who look closer. Null where only frames are at hand."""

    @property
    def votes(self) -> pl.DataFrame:
        """VOTES."""
        return self.cast.frame

    @property
    def alone(self) -> bool:
        """Is all of it of one standalone server? It has no epochs, no leader and no epoch files (ZooKeeperServerMain)."""
        return bool(self.configs) and self.trace.members.is_empty()

    def config_at(self, zxid: int | None = None) -> Config:
        """The configuration in force at ``zxid``, or the newest one."""
        in_force = [c for c in self.configs if c.zxid is None or zxid is None or c.zxid <= zxid]
        return in_force[-1] if in_force else self.configs[0] if self.configs else Config()
