"""Reads every file with the reader of its kind, two at a time, and takes from it what tells whose it is.

Strategy: text first (it tells the sids), data when the servers are known; a log that another one begins with is not read twice.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING, Any

from zabtrace import schema
from zabtrace.clients import read_clients
from zabtrace.evidence import kinds
from zabtrace.evidence.arguments import CLIENTS, File
from zabtrace.evidence.entry import Entry, one_sid
from zabtrace.evidence.mixed import part_of
from zabtrace.evidence.repeats import without_repeats
from zabtrace.evidence.zones import Zones
from zabtrace.records import TxnLogRead, read_snapshot, read_txn_log
from zabtrace.records.outline import Library, outline

if TYPE_CHECKING:
    from zabtrace.logs import LogRead

WORKERS = 2
"""Files read at the same time: the readers are mostly in polars and numpy, which use the other cores themselves. Texts that are packed
are read one after the other, for what a reader has in hand is more than what is left of it."""
SID_LIMIT = 1 << 63


def entries_of(files: Iterable[File], zones: Zones) -> list[Entry]:
    """Each file with its kind."""
    return _each(lambda file: _entry(file, zones), files)


def read_texts(entries: list[Entry], zones: Zones) -> None:
    """Read logs, configurations, client histories and the small files that name a server."""
    logs = [entry for entry in entries if entry.kind == kinds.SERVER_LOG]
    without_repeats(logs)
    _each(lambda entry: _read_text(entry, zones), entries, 1 if zones.pack else WORKERS)
    for entry in logs:
        if entry.twin is not None:
            entry.said = entry.twin.said


def read_data(entries: list[Entry]) -> None:
    """Read transaction logs and snapshots."""
    _each(_read_data, entries)


def read_outlines(entries: list[Entry]) -> None:
    """Read transaction logs as outlines, those of the server with most bytes first, for the others repeat them; and snapshots."""
    logs = [entry for entry in entries if entry.kind == kinds.TXN_LOG]
    sizes: Counter[int | None] = Counter()
    for entry in logs:
        sizes[entry.server] += entry.source.size
    library, first = Library(), max(sizes, key=lambda server: sizes[server], default=None)
    for mine in (True, False):
        _each(lambda entry: _read_outline(entry, library), [entry for entry in logs if (entry.server == first) is mine])
    _each(_read_data, [entry for entry in entries if entry.kind != kinds.TXN_LOG])


def reread(entries: list[Entry], zones: Zones) -> None:
    """Read logs again whose zone is known only since their server is."""
    late = [entry for entry in entries if entry.log is not None and zones.of(entry) != entry.zone]
    _each(lambda entry: _reread(entry, zones), late, 1 if zones.pack else WORKERS)


def _reread(entry: Entry, zones: Zones) -> None:
    """Read a log again; of a log of several servers only this one's records count."""
    said = entry.said
    _read_log(entry, zones)
    if entry.part is not None and entry.log is not None:
        entry.log, entry.said = part_of(entry.log, entry.part), said


def _each(work: Callable[[Any], Any], things: Iterable[Any], workers: int = WORKERS) -> list[Any]:
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(work, things))


def _entry(file: File, zones: Zones) -> Entry:
    if file.note is not None:
        return Entry(file, kinds.ARCHIVE if file.is_file else kinds.UNRECOGNISED, file.note)
    if file.argument.role == CLIENTS:
        return Entry(file, kinds.CLIENT_HISTORY, "given with --clients")
    return Entry(file, *kinds.recognise(file.source, zones.pattern))


def _read_text(entry: Entry, zones: Zones) -> None:
    if entry.kind == kinds.SERVER_LOG and not entry.repeated:
        _read_log(entry, zones)
    elif entry.kind in (kinds.CONFIG, kinds.DYNAMIC_CONFIG):
        from zabtrace.config import read_config

        entry.config = read_config(entry.source)
    elif entry.kind == kinds.CLIENT_HISTORY:
        entry.clients = read_clients(entry.source)
    elif entry.kind == kinds.MYID:
        entry.said = _myid(entry)
    elif entry.kind == kinds.FOUR_LETTERS:
        _read_answer(entry)


def _read_answer(entry: Entry) -> None:
    from zabtrace.config import config_of
    from zabtrace.fourletters import read_answer

    entry.answer = read_answer(entry.source)
    entry.said, entry.version = entry.answer.sid, entry.answer.version
    unknown = f", {entry.answer.unknown} of its {entry.answer.lines} lines of no known form" if entry.answer.unknown else ""
    entry.notes.append(f"{entry.answer.facts.height} facts{unknown}")
    entry.config = config_of(entry.answer.members, entry.source.name) if entry.answer.members else None


def _read_log(entry: Entry, zones: Zones) -> None:
    from zabtrace.logs import read_log

    entry.zone = zones.of(entry)
    entry.log = read_log(entry.source, entry.zone, pattern=zones.pattern, keep=zones.keep, routine=zones.routine, pack=zones.pack)
    entry.notes.extend(note for note in entry.log.remarks if note not in entry.notes)
    entry.said = one_sid(entry.log.sids)
    entry.version = entry.log.version
    if entry.said is None and entry.log.sids:
        entry.notes.append(f"several servers speak in it: {', '.join(map(str, sorted(entry.log.sids)))}")


def _myid(entry: Entry) -> int | None:
    """The sid in the first line of a myid file (QuorumPeerConfig.setupMyId)."""
    line = entry.source.head(64).split(b"\n")[0].strip()
    if line.isdigit() and int(line) < SID_LIMIT:
        return int(line)
    entry.source.fault(0, f"no sid in it: {line!r}", "A server does not start with it: compare with the server's lines in zoo.cfg.")
    return None


def _read_data(entry: Entry) -> None:
    if entry.kind == kinds.TXN_LOG:
        entry.txns = read_txn_log(entry.source)
    elif entry.kind == kinds.SNAPSHOT:
        entry.snapshot = read_snapshot(entry.source)


def _read_outline(entry: Entry, library: Library) -> None:
    entry.outline = outline(entry.source, library)
    entry.txns = TxnLogRead(schema.frame(schema.TXNS), schema.frame(schema.TXN_OPS), entry.outline.file, entry.outline.damage)


def in_order(logs: list[Entry]) -> list[Entry]:
    """Logs of one server, oldest first: by their first stamp, never by file times; without a stamp as their names say."""
    first = {id(entry): _first(entry.log) if entry.log else [] for entry in logs}
    return sorted(logs, key=lambda entry: (not first[id(entry)], first[id(entry)], -_backup(entry), entry.source.name))


def _first(log: LogRead) -> list[datetime]:
    """Its first time, if it has one."""
    return [log.span[0]] if log.span is not None else log.held.columns("time")["time"].drop_nulls().head(1).to_list()


def _backup(entry: Entry) -> int:
    """The number of a rotated log: zookeeper.log.2 is older than zookeeper.log.1."""
    numbers = re.findall(r"\.(\d+)(?=\.|$)", entry.source.path.name)
    return int(numbers[-1]) if numbers else 0
