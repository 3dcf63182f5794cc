"""Saved states of one server's data: which files make up one, and which of several is the newest.

Strategy: a state is the data folder with its log folder. States given with --before are older, in the order given. Among states
given alike only their contents count, never file times: each test says which of two is older, or nothing; where the tests say
nothing or contradict each other, the order is not proved.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field
from functools import cached_property, cmp_to_key
from os.path import commonpath
from pathlib import Path

import polars as pl

from zabtrace import zxid
from zabtrace.evidence import kinds
from zabtrace.evidence.arguments import BEFORE
from zabtrace.evidence.entry import Entry
from zabtrace.evidence.epochs import epoch_in

OLDER, SAME, NEWER = -1, 0, 1
EPOCHS = ("acceptedEpoch", "currentEpoch")


@dataclass
class State:
    """One saved state of a server's data."""

    server: int
    moment: tuple[str, int]
    entries: list[Entry] = field(default_factory=list)

    @cached_property
    def epochs(self) -> tuple[int | None, ...]:
        """acceptedEpoch and currentEpoch."""
        held = {entry.source.path.name: epoch_in(entry.source) for entry in self.entries if entry.kind == kinds.EPOCH_FILE}
        return tuple(held.get(name) for name in EPOCHS)

    @cached_property
    def records(self) -> pl.DataFrame:
        """zxid and payload of every record, in the order of the files."""
        frames = [entry.txns.txns.select("zxid", "payload_hash") for entry in self.entries if entry.txns is not None]
        columns = [stretch.columns for entry in self.entries if entry.outline is not None for stretch in entry.outline.stretches]
        frames += [pl.DataFrame({"zxid": found.zxid, "payload_hash": found.payload_hash}) for found in columns]
        return pl.concat(frames).unique() if frames else pl.DataFrame(schema={"zxid": pl.Int64, "payload_hash": pl.UInt64})

    @cached_property
    def top(self) -> int | None:
        """The last zxid it knows of: of a record, or of a valid snapshot."""
        known = [*self.records["zxid"].sort().tail(1), *self.snapshots]
        return max(known) if known else None

    @cached_property
    def files(self) -> dict[str, tuple[int | None, str]]:
        """Per log file its last zxid and how it ends."""
        reads = {entry.source.path.name: entry.txns.file for entry in self.entries if entry.txns is not None and entry.txns.file.height}
        return {name: file.select("last_zxid", "ending").row(0) for name, file in reads.items()}

    @cached_property
    def snapshots(self) -> set[int]:
        """zxids of its valid snapshots."""
        reads = [entry.snapshot.snapshot for entry in self.entries if entry.snapshot is not None]
        return {named for read in reads for named in read.filter("valid")["zxid"].drop_nulls()}


def number_copies(entries: Iterable[Entry]) -> tuple[int, ...]:
    """Set ``copy`` of every data file, and of the configuration beside it; the servers whose copies' order is not proved."""
    listed = list(entries)
    unordered: list[int] = []
    by_server: dict[int, list[State]] = defaultdict(list)
    told = {(entry.server, entry.moment, entry.root) for entry in listed if entry.log is not None}
    for state in sorted(states(listed), key=lambda state: _nearness(state, told)):
        by_server[state.server].append(state)
    for server, found in by_server.items():
        newest = [state for state in found if state.moment[0] != BEFORE]
        earlier = [state for state in found if state.moment[0] == BEFORE]
        if any(older(a, b) is None for at, a in enumerate(newest) for b in newest[at + 1 :]):
            unordered.append(server)
        else:
            newest = _newest_first(newest)
        turns = sorted({state.moment[1] for state in earlier}, reverse=True)
        ordered = [state for turn in turns for state in _newest_first([s for s in earlier if s.moment[1] == turn])]
        for copy, state in [*enumerate(newest), *enumerate(ordered, max(len(newest), 1))]:
            for entry in state.entries:
                entry.copy = copy
    _place_configurations(listed)
    return tuple(sorted(unordered))


def _place_configurations(entries: list[Entry]) -> None:
    """A configuration is of the time of the data in the same folder of a server, else of the newest data given with it."""
    by_root: dict[tuple[object, ...], int] = {}
    for entry in entries:
        if entry.is_data and entry.copy is not None:
            for key in ((entry.server, entry.moment, entry.root), (entry.server, entry.moment)):
                by_root[key] = min(entry.copy, by_root.get(key, entry.copy))
    for entry in entries:
        if entry.config is not None and entry.server is not None:
            near = (entry.server, entry.moment, entry.root)
            entry.copy = by_root.get(near, by_root.get(near[:2]))


def _nearness(state: State, told: Container[object]) -> tuple[bool, int, str]:
    """Of states that are alike the one beside the server's logs counts as the newest, then the one that lies higher."""
    first = min(state.entries, key=lambda entry: entry.source.name)
    return (state.server, state.moment, first.root) not in told, len(first.source.path.parts), first.source.name


def _newest_first(found: list[State]) -> list[State]:
    def later(a: State, b: State) -> int:
        return -(older(a, b) or SAME)

    return sorted(found, key=cmp_to_key(later))


def states(entries: Iterable[Entry]) -> list[State]:
    """The saved states, in the order of the files: every data folder, with the folder of its logs where that is another one."""
    folders: dict[tuple[int, tuple[str, int]], dict[Path, list[Entry]]] = defaultdict(lambda: defaultdict(list))
    for entry in entries:
        if entry.is_data and entry.server is not None:
            folders[entry.server, entry.moment][entry.folder].append(entry)
    found: list[State] = []
    for (server, moment), inside in folders.items():
        log_only = [folder for folder, held in inside.items() if {entry.kind for entry in held} <= {kinds.TXN_LOG, kinds.MARKER}]
        without_log = [folder for folder in inside if folder not in log_only and not _has_log(inside[folder])]
        joined = _joined(log_only, without_log)
        found += [
            State(server, moment, held + [entry for logs, data in joined.items() if data == folder for entry in inside[logs]])
            for folder, held in inside.items()
            if folder not in joined
        ]
    return found


def _has_log(entries: list[Entry]) -> bool:
    return any(entry.kind == kinds.TXN_LOG for entry in entries)


def _joined(log_only: list[Path], without_log: list[Path]) -> dict[Path, Path]:
    """For folders that hold logs only, the folder of the snapshots they belong to: the nearest that has no logs itself."""
    joined: dict[Path, Path] = {}
    pairs = sorted(((-len(commonpath([logs, data])), logs, data) for logs in log_only for data in without_log), key=lambda pair: pair[0])
    for _, logs, data in pairs:
        if logs not in joined and data not in joined.values():
            joined[logs] = data
    return joined


# ---------------------------------------------------------------- which of two is older
def older(a: State, b: State) -> int | None:
    """OLDER where the contents prove that ``a`` was saved before ``b``, NEWER for the reverse, SAME where they are alike, else None."""
    for test in TESTS:
        if (found := test(a, b)) != SAME:
            return found
    return SAME


def _by_emptiness(a: State, b: State) -> int | None:
    """A state without any history may be the first one, or what a wipe left: it proves nothing about one that has some."""
    return SAME if a.top == b.top or min(a.top or 0, b.top or 0) > 0 else None


def _by_epochs(a: State, b: State) -> int | None:
    """A server's epochs never fall: acceptedEpoch, currentEpoch, and that of its last zxid (QuorumPeer.setAcceptedEpoch)."""
    mine, theirs = ((*state.epochs, None if state.top is None else zxid.epoch(state.top)) for state in (a, b))
    return _agreed([_sign(x, y) for x, y in zip(mine, theirs, strict=True) if x is not None and y is not None])


def _by_history(a: State, b: State) -> int | None:
    """In one epoch a history is only extended, or cut by a truncation, which leaves a file that ends with its last record."""
    start = max((state.records["zxid"].sort()[0] for state in (a, b) if state.records.height), default=None)
    mine, theirs = (0, 0) if start is None else (_beyond(a, b, start), _beyond(b, a, start))
    if mine and theirs:
        return None
    if not mine and not theirs:
        return SAME
    shorter, longer, sign = (a, b, OLDER) if theirs else (b, a, NEWER)
    cut = _is_cut_of(shorter, longer)
    if cut is None or _sign(a.top, b.top) not in (sign, SAME):
        return None
    return -sign if cut else sign


def _by_snapshots(a: State, b: State) -> int | None:
    """With one history in the logs, the newest snapshot tells: a state that was re-based or that saved once more is the later one."""
    newest = [max(state.snapshots, default=-1) for state in (a, b)]
    return _sign(*newest) if newest[0] != newest[1] or a.snapshots == b.snapshots else None


TESTS: tuple[Callable[[State, State], int | None], ...] = (_by_emptiness, _by_epochs, _by_history, _by_snapshots)


def _agreed(signs: list[int]) -> int | None:
    """The sign that all agree on that are not SAME; None where they contradict each other."""
    told = set(signs) - {SAME}
    return SAME if not told else told.pop() if len(told) == 1 else None


def _sign(x: int | None, y: int | None) -> int:
    return SAME if x is None or y is None else (x > y) - (x < y)


def _beyond(state: State, other: State, start: int) -> int:
    """How many records from ``start`` on ``state`` has and ``other`` lacks."""
    later = state.records.filter(pl.col("zxid") >= start)
    return later.join(other.records, on=["zxid", "payload_hash"], how="anti", nulls_equal=True).height


def _is_cut_of(shorter: State, longer: State) -> bool | None:
    """Does a log file of ``shorter`` end behind its last record, unpadded, where ``longer`` goes on in it (FileTxnLog.truncate)?

    None where the file is unpadded in both: then that says nothing.
    """
    for name, (last, ending) in shorter.files.items():
        further, other_ending = longer.files.get(name, (None, ""))
        if last is not None and further is not None and further > last:
            return (None if other_ending == "unpadded" else True) if ending == "unpadded" else False
    return False
