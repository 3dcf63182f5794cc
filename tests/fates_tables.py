"""Small cases for the fates, written down as tables: what each disk holds in a few words, and what became of each write.

A log is ``"1:1-5 2:1-3"`` (epoch:counters); ``/`` begins a new file, ``!`` behind one says that it is cut right behind its last record,
``~`` that its end is torn. ``1:4*b`` is another payload under that zxid.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import polars as pl

from tests.soundness.ensemble import Line
from tests.soundness.evidence import Shown, trace
from tests.soundness.server import Disk, LogFile, Snap, Txn
from zabtrace.evidence.trace import Trace
from zabtrace.fates import Judgement, judge
from zabtrace.protocol.quorum import Config
from zabtrace.replay import replay
from zabtrace.zxid import counter, epoch, make

ENDINGS = {"!": "unpadded", "~": "torn"}
WORD = re.compile(r"(\d+):(\d+)(?:-(\d+))?(?:\*(\w+))?")


def zxid(text: str) -> int:
    """``"1:5"`` as a number."""
    first, _, second = text.partition(":")
    return make(int(first), int(second))


def short(number: int) -> str:
    """A number as ``"1:5"``."""
    return f"{epoch(number)}:{counter(number)}"


def txns(text: str) -> list[Txn]:
    """Records in the words of the module's docstring; the payload follows from zxid and mark."""
    numbered = [
        (make(int(e), c), sum(mark.encode()))
        for e, first, last, mark in WORD.findall(text)
        for c in range(int(first), int(last or first) + 1)
    ]
    return [Txn(number, number * 100 + mark) for number, mark in numbered]


def disk(log: str = "", snaps: str = "0:0", current: int | None = 1, accepted: int | None = None) -> Disk:
    """One disk. Snapshots are named only: nothing looks into them here."""
    parts = [(part.strip(), txns(part)) for part in log.split("/")]
    files = [LogFile(records[0].zxid, records, ENDINGS.get(part[-1], "padded")) for part, records in parts if records]
    named = [Snap(zxid(s), ()) for s in snaps.split()]
    return Disk(files, named, current, current if accepted is None else accepted)


@dataclass
class Incident:
    """Disks by sid, earlier moments (oldest first), answered zxids, lines by sid, and who observes."""

    disks: Mapping[int, Disk]
    before: Sequence[Mapping[int, Disk]] = ()
    acked: str = ""
    lines: Mapping[int, Sequence[Line]] = field(default_factory=dict)
    voters: int = 3
    observers: int = 0
    version: str = "3.8.0"
    members: bool = True
    reconfigs: Sequence[Config] = ()
    """Configurations after the first one; every disk has saved the last of them."""

    def configs(self) -> list[Config]:
        """The static configuration, and what came after it."""
        last = self.voters + self.observers
        static = Config(voters=frozenset(range(1, self.voters + 1)), observers=frozenset(range(self.voters + 1, last + 1)))
        return [static, *self.reconfigs]

    def disk_of(self, sid: int) -> Disk | None:
        """A server's newest disk."""
        found, number = self.disks.get(sid), len(self.reconfigs)
        return None if found is None else replace(found, config=number, seen=number)

    def trace(self) -> Trace:
        """All its evidence."""
        sids = sorted(frozenset().union(*(c.voters | c.observers for c in self.configs())))
        servers = {s: SimpleNamespace(sid=s, version=self.version, observer=s > self.voters, disk=self.disk_of(s)) for s in sids}
        lines = {s: list(self.lines.get(s, ())) for s in sids}
        stand_in = SimpleNamespace(
            servers=servers, configs=self.configs(), lines=lines, earlier=list(self.before), young={}, renamed={},
            truth=SimpleNamespace(acked=dict.fromkeys(txns(self.acked))),
        )  # fmt: skip
        shown = Shown("tables", frozenset(self.disks), frozenset(self.lines), earlier=bool(self.before))
        made = trace(stand_in, shown)  # type: ignore[arg-type]
        return made if self.members else type(made)(**{**made.__dict__, "members": made.members.clear()})

    def judged(self, since: str | None = None) -> Judgement:
        """Replayed and judged."""
        return judge(replay(self.trace()), None if since is None else zxid(since))


def fates(judged: Judgement) -> dict[str, str]:
    """zxid -> fate."""
    return {short(z): fate for z, fate in judged.writes.select("zxid", "fate").iter_rows()}


def column(judged: Judgement, name: str) -> dict[str, object]:
    """zxid -> value of a column."""
    return {short(z): value for z, value in judged.writes.select("zxid", pl.col(name).alias("value")).iter_rows()}
