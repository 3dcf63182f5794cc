"""Ballots: every vote notification, sorted by who cast it and who saw it in which interval.

A notification tells (leader, zxid, round, peerEpoch) of its sender (FastLeaderElection.Notification). From a LOOKING sender that votes
for itself it is that server's own history end; otherwise it describes the candidate. A server also prints the votes it casts itself.

Strategy: of flapping ensembles there are more notifications than anything else, but every vote is printed by every server, and again
by who is asked. What they say is kept once (``forms``), of each there are a few numbers, and objects are made of those of one
interval when it is looked at.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from zabtrace import schema
from zabtrace.grammar.kinds import NOTIFICATIONS
from zabtrace.protocol.vote import Vote
from zabtrace.replay.roles import Interval, Stage

_FIELDS = ("sid", "state", "leader", "round", "zxid", "peer_epoch")
SAID = (*_FIELDS, "config_version", "format_version")
"""What notifications say: the columns of ``Ballots.forms``."""
_FILE = ("server", "source")
_READY = 64
"""Intervals whose notices stay made: whoever looks at an election asks for those of its servers again and again."""
Ints = npt.NDArray[np.integer[Any]]
Numbers: TypeAlias = "memoryview[int]"
"""Numbers of an array, which Python reads as fast as a list."""


class Ballot(NamedTuple):
    """What a notification says."""

    round: int
    leader: int
    zxid: int
    peer_epoch: int | None

    @property
    def choice(self) -> tuple[int, int, int]:
        """What stays the same after the election: peerEpoch becomes the new one after the sync (updateElectionVote)."""
        return self.round, self.leader, self.zxid

    def agrees(self, other: Ballot | None) -> bool:
        """Can both be votes of one election? peerEpoch counts where both were cast while LOOKING (else it is null)."""
        if other is None or self.choice != other.choice:
            return False
        return self.peer_epoch is None or other.peer_epoch is None or self.peer_epoch == other.peer_epoch


class Notice(NamedTuple):
    """One notification as one server saw it."""

    at: int
    sender: int
    state: str
    ballot: Ballot
    row: int


def _frame(**columns: Any) -> pl.DataFrame:
    return pl.DataFrame(schema=columns)


@dataclass
class Ballots:
    """All notifications, in order per server."""

    rows: pl.DataFrame = field(
        default_factory=lambda: _frame(file=pl.UInt32, line=pl.Int64, at=pl.Int64, time=schema.TIME, interval=pl.UInt32, form=pl.UInt32)
    )
    """One each: place among ``files``, line, place in its server's logs, time, the interval of its server, place among ``forms``."""
    forms: pl.DataFrame = field(default_factory=lambda: _frame(**{c.name: c.type for c in schema.FIELDS if c.name in SAID}).select(SAID))
    files: pl.DataFrame = field(default_factory=lambda: schema.frame(schema.LINES).select(_FILE))
    """Server and source."""

    @cached_property
    def _said(self) -> list[tuple[int, str, Ballot] | None]:
        """Sender, state and vote of each form; None where a number is missing."""
        alike: dict[Ballot, Ballot] = {}
        states: dict[str, str] = {}
        found: list[tuple[int, str, Ballot] | None] = []
        for sid, state, leader, number, zxid, epoch in self.forms.select(_FIELDS).iter_rows():
            ballot = Ballot(number, leader, zxid, epoch)
            whole = None not in (sid, state, leader, number, zxid)
            found.append((sid, states.setdefault(state, state), alike.setdefault(ballot, ballot)) if whole else None)
        return found

    @cached_property
    def _at(self) -> Numbers:
        return self.rows["at"].to_numpy().data

    @cached_property
    def _form(self) -> Numbers:
        return self.rows["form"].to_numpy().data

    @cached_property
    def _received(self) -> dict[tuple[int, int], Numbers]:
        """(who saw it, LOOKING sender) -> rows in order."""
        looking = np.array([said is not None and said[1] == "LOOKING" for said in self._said], np.bool_)
        rows = np.flatnonzero(looking[self.rows["form"]]).astype(np.uint32)
        seen_by, cast_by = self.files["server"].gather(self.rows["file"][rows]), self.forms["sid"].gather(self.rows["form"][rows])
        pairs = pl.DataFrame({"seen_by": seen_by, "cast_by": cast_by, "row": rows})
        grouped = pairs.group_by("seen_by", "cast_by", maintain_order=True).agg("row")
        return {(viewer, sender): held.to_numpy().data for viewer, sender, held in zip(*grouped, strict=True)}

    def frame(self, rows: Sequence[int] | Ints | None = None) -> pl.DataFrame:
        """Some rows, or all, with what they say: server, source, line, time, at, interval and SAID."""
        held = self.rows if rows is None else self.rows[rows]
        places = self.files[held["file"]], held.select("line", "time", "at", pl.col("interval").cast(pl.Int64))
        return pl.concat([*places, self.forms[held["form"]]], how="horizontal")

    @cached_property
    def sources(self) -> Sequence[str]:
        """The file of each notification."""
        return Column(self.files["source"].to_list(), self.rows["file"].to_numpy().data)

    @cached_property
    def config_versions(self) -> Sequence[int | None]:
        """n.config version of each: of the sender's configuration (3.5.0+)."""
        return Column(self.forms["config_version"].to_list(), self._form)

    @cached_property
    def format_versions(self) -> Sequence[int | None]:
        """The message format version of each, where it was printed."""
        return Column(self.forms["format_version"].to_list(), self._form)

    @cached_property
    def recast(self) -> frozenset[tuple[int, Ballot]]:
        """(server, vote) that a server cast in several LOOKING intervals, in another process maybe: which one others saw is open."""
        own = self.forms.with_row_index("form").filter(pl.col("state") == "LOOKING").select("form", *_FIELDS)
        servers = self.files.select("server").with_row_index("file")
        cast = self.rows.select("file", "interval", "form").join(servers, on="file").join(own, on="form")
        counted = (
            cast.filter(pl.col("server") == pl.col("sid"))
            .group_by("sid", "round", "leader", "zxid", "peer_epoch")
            .agg(pl.col("interval").n_unique().alias("intervals"))
        )
        return frozenset((sid, Ballot(*vote)) for sid, *vote in counted.filter(pl.col("intervals") > 1).drop("intervals").iter_rows())

    @cached_property
    def heard(self) -> Heard:
        """interval -> what its server saw in it, its own votes included."""
        whole = np.array([said is not None for said in self._said], np.bool_)
        return Heard(self.notices, Groups.of(np.flatnonzero(whole[self.rows["form"]]), self.rows["interval"].to_numpy()))

    def notices(self, rows: Numbers) -> list[Notice]:
        """These rows as notices."""
        said, at, form = self._said, self._at, self._form
        return [Notice(at[row], *told, row) for row in rows if (told := said[form[row]]) is not None]

    def own(self, interval: Interval) -> list[Ballot]:
        """The votes that a LOOKING server cast, as it printed them itself."""
        return [n.ballot for n in self.cast(interval)]

    def cast(self, interval: Interval) -> list[Notice]:
        """The same, with where they stand."""
        return [n for n in self.heard.get(interval.index, ()) if n.sender == interval.server and n.state == "LOOKING"]

    def arrived(self, viewer: int, sender: int, since: int, until: int) -> list[Notice]:
        """What ``viewer`` saw of a LOOKING ``sender`` from ``since`` up to ``until`` (places in the viewer's log)."""
        rows = self._received.get((viewer, sender))
        if rows is None:
            return []
        place = self._at.__getitem__
        return self.notices(rows[bisect_left(rows, since, key=place) : bisect_left(rows, until, key=place)])

    def others(self, interval: Interval, *states: str) -> list[Notice]:
        """What it heard from others in these states."""
        return [n for n in self.heard.get(interval.index, ()) if n.sender != interval.server and n.state in states]


@dataclass(frozen=True)
class Heard(Mapping[int, list[Notice]]):
    """Notices by interval, made when they are asked for; those that were asked for last stay."""

    made_of: Callable[[Numbers], list[Notice]]
    groups: Groups
    _ready: dict[int, list[Notice]] = field(default_factory=dict)

    def __getitem__(self, interval: int) -> list[Notice]:
        found = self._ready.get(interval)
        if found is None:
            rows = self.groups.rows(interval)
            if not len(rows):
                raise KeyError(interval)
            if len(self._ready) >= _READY:
                self._ready.clear()
            found = self._ready[interval] = self.made_of(rows)
        return found

    def __iter__(self) -> Iterator[int]:
        return (number for number in range(len(self.groups.ends)) if len(self.groups.rows(number)))

    def __len__(self) -> int:
        return sum(1 for _ in self)


@dataclass(frozen=True)
class Groups:
    """Rows by a number that each of them has."""

    order: Numbers
    ends: Numbers

    @classmethod
    def of(cls, rows: Ints, numbers: Ints) -> Groups:
        """Those ``rows`` by their ``numbers`` (one per row of the whole), which are small; each group in the order of the rows."""
        own = numbers[rows]
        order = rows[np.argsort(own, kind="stable")].astype(np.uint32)
        return cls(order.data, np.cumsum(np.bincount(own)).data)

    def rows(self, number: int) -> Numbers:
        """The rows with that number."""
        if number >= len(self.ends):
            return self.order[:0]
        return self.order[self.ends[number - 1] if number else 0 : self.ends[number]]


@dataclass(frozen=True)
class Column(Sequence[Any]):
    """A column of few distinct values and many rows."""

    values: list[Any]
    places: Numbers

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, row: Any) -> Any:
        return [self.values[place] for place in self.places[row]] if isinstance(row, slice) else self.values[self.places[row]]


def ballots(stage: Stage) -> Ballots:
    """Read all notifications; those that are printed across a change of state belong to the state they name."""
    forms: dict[tuple[Any, ...], int] = {}
    files: dict[tuple[Any, ...], int] = {}
    parts = [Ballots().rows]
    for server in stage.lines.trace.held.servers():
        seen = stage.events(*NOTIFICATIONS, only=(*SAID, "my_state"), server=server).drop_nulls("interval")
        columns = {"file": _numbered(seen, _FILE, files), "interval": _placed(stage, seen), "form": _numbered(seen, SAID, forms)}
        parts.append(seen.select("line", "at", "time", **columns).select(parts[0].columns))
    return Ballots(pl.concat(parts, rechunk=True), _rows(forms, Ballots().forms), _rows(files, Ballots().files))


def _numbered(rows: pl.DataFrame, names: Sequence[str], known: dict[tuple[Any, ...], int]) -> pl.Series:
    """The number of what each row has in these columns; what is new is added to what is ``known``."""
    numbers = (known.setdefault(row, len(known)) for row in rows.select(names).iter_rows())
    return pl.Series(np.fromiter(numbers, np.uint32, rows.height))


def _rows(known: dict[tuple[Any, ...], int], like: pl.DataFrame) -> pl.DataFrame:
    return pl.DataFrame(list(known), schema=like.schema, orient="row") if known else like


def _placed(stage: Stage, seen: pl.DataFrame) -> pl.Series:
    """The interval of each notification: the neighbour's where only its role is the one the line names (my state)."""
    places = seen.select("interval", "at", "my_state").iter_rows()
    fitting = (_fitting(stage.intervals[number], at, state).index for number, at, state in places)
    return pl.Series(np.fromiter(fitting, np.uint32, seen.height))


def _fitting(interval: Interval, at: int, state: str | None) -> Interval:
    """A new process is LOOKING before it says so, and a role ends before the next one is printed; other threads may print late."""
    if state is None or interval.role == state:
        return interval
    near = [other for other in (interval.after, interval.before) if other is not None and other.role == state]
    return min(near, key=lambda other: max(other.at - at, at - other.end_at), default=interval)


def first_vote(found: Ballots, interval: Interval) -> Vote | None:
    """A LOOKING server's first vote, for itself, as it printed it."""
    for ballot in found.own(interval):
        if ballot.leader == interval.server and ballot.peer_epoch is not None:
            return Vote(ballot.peer_epoch, ballot.zxid, interval.server)
    return None
