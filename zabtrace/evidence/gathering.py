"""From arguments to the Trace: every file is found, recognised, read, given to its server, and its tables are put together."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from zabtrace import schema
from zabtrace.config import members_of
from zabtrace.errors import NoEvidenceError
from zabtrace.evidence import audits, dumped, kinds, long, streams, zones
from zabtrace.evidence.arguments import discover
from zabtrace.evidence.believed import believed
from zabtrace.evidence.copies import number_copies
from zabtrace.evidence.entry import Entry
from zabtrace.evidence.epochs import epoch_in
from zabtrace.evidence.identity import Server, identify
from zabtrace.evidence.mixed import parted
from zabtrace.evidence.reading import entries_of, in_order, read_data, read_outlines, read_texts, reread
from zabtrace.evidence.repeats import without_twins
from zabtrace.evidence.trace import Trace
from zabtrace.held import Packed, Plain
from zabtrace.records import read_snapshot

EXPECTED = (
    "Expected are ZooKeeper's server logs, or its data folders (version-2 with log.<hex> and snapshot.<hex> files), or an archive of them; "
    "'zabtrace collect' prints what to copy."
)
UTC_ASSUMED = "UTC assumed"
COUNTED = ("lines", "understood", "unknown", "foreign", "damaged")


def gather(
    arguments: Sequence[str],
    before: Sequence[str] = (),
    clients: Sequence[str] = (),
    timezone: Sequence[str] = (),
    log_pattern: str | None = None,
    lines: bool = True,
    fold: Sequence[int] | None = None,
    routine: bool = True,
    pack: bool = False,
) -> Trace:
    """Read all evidence.

    ``arguments`` and ``before`` are paths as on the command line (``before``: oldest first), ``clients`` client histories,
    ``timezone`` entries ``[NAME=]ZONE``, ``log_pattern`` a conversion pattern that some logs follow. Without ``lines`` text logs are
    only counted, without ``routine`` their lines of routine traffic are. With ``fold``, the zxids that are asked for, a long history
    is folded (``folding``). With ``pack``, lines are packed (``held``): for whoever looks at few kinds of any number of them. Raises
    NoEvidenceError where nothing readable is there, UsageError for a wrong zone or pattern.
    """
    entries, servers = _read(arguments, before, clients, zones.parse(timezone, log_pattern, lines, routine, pack))
    folding = fold is not None and long.worth_folding(entries) and not any(entry.kind == kinds.TXN_DUMP for entry in entries)
    (read_outlines if folding else read_data)(entries)
    dumped.read(entries)
    audits.read(entries, keep=lines and routine)
    unordered = number_copies(entries)
    _require_evidence(entries)
    logs = _ordered_logs(entries)
    found = Trace(
        servers=schema.frame(schema.SERVERS, [_server_row(server, logs.get(server.server, []), entries) for server in servers]),
        held=_packed(logs) if pack else Plain(_lines(logs), _fields(logs)),
        txn_files=_concat(schema.TXN_FILES, [_placed(schema.TXN_FILES, e.txns.file, e) for e in entries if e.txns]),
        snapshots=_concat(schema.SNAPSHOTS, [_placed(schema.SNAPSHOTS, e.snapshot.snapshot, e) for e in entries if e.snapshot]),
        epoch_files=schema.frame(schema.EPOCH_FILES, [_epoch_row(e) for e in entries if e.kind in (kinds.EPOCH_FILE, kinds.MARKER)]),
        members=_concat(schema.MEMBERS, [_placed(schema.MEMBERS, e.config.members, e) for e in entries if e.config]),
        settings=_concat(schema.SETTINGS, [_placed(schema.SETTINGS, e.config.settings, e) for e in entries if e.config]),
        facts=_concat(schema.FACTS, [_placed(schema.FACTS, e.answer.facts, e) for e in entries if e.answer]),
        audit=audits.lines(entries),
        client_ops=_concat(schema.CLIENT_OPS, [e.clients.ops for e in entries if e.clients]),
        damage=_damage(entries),
        sources=schema.frame(schema.SOURCES, [_source_row(e) for e in entries]),
        unordered=unordered,
        levels=_levels(entries),
        files={e.source.name: e.source for e in entries if e.txns or e.snapshot},
    )
    found = _folded(found, entries, fold or ()) if folding else _with_records(found, entries)
    found = dumped.added(replace(found, members=pl.concat([found.members, _reconfigured(entries, found.txns)])), entries)
    sources = schema.frame(schema.SOURCES, [_source_row(e) for e in entries])  # the dumps added notes
    return believed(replace(found, sources=sources))


def stream(
    arguments: Sequence[str], before: Sequence[str] = (), timezone: Sequence[str] = (), log_pattern: str | None = None
) -> tuple[Trace, list[Entry]]:
    """A Trace with nothing but SERVERS and SOURCES, and the files, for ``streams`` to read one by one. Raises as ``gather`` does."""
    entries, servers = _read(arguments, before, (), zones.parse(timezone, log_pattern, keep=False))
    streams.settle_copies(entries)
    _require_evidence(entries)
    logs = _ordered_logs(entries)
    rows = [_server_row(server, logs.get(server.server, []), entries) for server in servers]
    head = Trace(schema.frame(schema.SERVERS, rows), sources=schema.frame(schema.SOURCES, [_source_row(e) for e in entries]))
    return head, entries


def znodes(arguments: Sequence[str], before: Sequence[str] = (), timezone: Sequence[str] = ()) -> pl.DataFrame:
    """The znodes of every snapshot in the evidence, as stored or dumped: a frame of ZNODES. Raises as ``gather`` does."""
    entries, _ = _read(arguments, before, (), zones.parse(timezone, keep=False))
    read_data(entries)
    number_copies(entries)
    _require_evidence(entries)
    stored = [_placed(schema.ZNODES, read_snapshot(e.source, znodes=True).znodes, e) for e in entries if e.snapshot]
    return _concat(schema.ZNODES, [*stored, *(dumped.znodes(e) for e in entries if e.kind == kinds.SNAPSHOT_DUMP)])


def _read(
    arguments: Sequence[str], before: Sequence[str], clients: Sequence[str], asked: zones.Zones
) -> tuple[list[Entry], list[Server]]:
    """All files with their texts read and their server known."""
    entries = entries_of(discover(arguments, before, clients), asked)
    read_texts(entries, asked)
    entries = parted(entries)
    servers = identify(entries)
    zones.check_names(asked, entries)
    reread(entries, asked)
    dumped.zoned(entries, asked)
    return entries, servers


def _require_evidence(entries: list[Entry]) -> None:
    """Raise NoEvidenceError where nothing was read that tells of a server: no data, and no log with a message of ZooKeeper."""
    told = any(entry.log is not None and entry.log.summary["understood"] for entry in entries)
    if told or any(entry.is_data or entry.kind in (kinds.AUDIT_LOG, kinds.FOUR_LETTERS, *kinds.DUMPS) for entry in entries):
        return
    if not entries:
        raise NoEvidenceError(f"No file was found. {EXPECTED}")
    if len(entries) == 1:
        raise NoEvidenceError(f"{entries[0].source.name} is no evidence: {_why_not(entries[0])}. {EXPECTED}")
    found = Counter(f"{entry.kind} ({_why_not(entry)})" if entry.kind == kinds.UNRECOGNISED else entry.kind for entry in entries)
    listed = ", ".join(f"{count} x {what}" for what, count in found.most_common(6))
    raise NoEvidenceError(f"None of {len(entries)} files is evidence of a server. Found: {listed}. {EXPECTED}")


def _why_not(entry: Entry) -> str:
    if entry.log is not None:
        return f"none of its {entry.log.summary['lines']} lines holds a message of ZooKeeper"
    return entry.note if entry.kind == kinds.UNRECOGNISED else f"a file of kind {entry.kind} alone tells nothing of a server"


# ---------------------------------------------------------------- tables
def _concat(table: Sequence[schema.Column], frames: Iterable[pl.DataFrame]) -> pl.DataFrame:
    listed = list(frames)
    return pl.concat(listed) if listed else schema.frame(table)


def _placed(table: Sequence[schema.Column], df: pl.DataFrame, entry: Entry) -> pl.DataFrame:
    """``df`` with the server, copy and order of its file."""
    return schema.conform(table, df, server=entry.server, copy=entry.copy, order=entry.order)


def _ordered_logs(entries: list[Entry]) -> dict[int, list[Entry]]:
    """The logs of each server, oldest first, with their ``order`` set."""
    found: dict[int, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.log is not None and entry.server is not None:
            found[entry.server].append(entry)
    for server, logs in found.items():
        found[server] = in_order(without_twins(logs))
        for order, entry in enumerate(found[server]):
            entry.order = order
    return dict(sorted(found.items()))


def _lines(logs: dict[int, list[Entry]]) -> pl.DataFrame:
    return _concat(schema.LINES, [_placed(schema.LINES, e.log.lines, e) for found in logs.values() for e in found if e.log])


def _packed(logs: dict[int, list[Entry]]) -> Packed:
    """All logs packed, and those that were not."""
    found = [Packed.of(e.source.name, e.log.held).placed(server, e.order) for server, own in logs.items() for e in own if e.log]
    return Packed(tuple(log for packed in found for log in packed.logs))


def _fields(logs: dict[int, list[Entry]]) -> dict[str, pl.DataFrame]:
    """Per kind the fields of all logs, with their server and source."""
    found: dict[str, list[pl.DataFrame]] = defaultdict(list)
    for server, entries in logs.items():
        for entry in entries:
            for kind, df in entry.log.fields.items() if entry.log else ():
                place = [pl.lit(server, dtype=pl.Int64).alias("server"), pl.lit(entry.source.name).alias("source")]
                found[kind].append(df.select(*place, pl.all().exclude("server", "source")))
    return {kind: pl.concat(frames, how="diagonal") for kind, frames in found.items()}


def _server_row(server: Server, logs: list[Entry], entries: list[Entry]) -> dict[str, Any]:
    answers = [entry.version for entry in entries if entry.server == server.server and entry.log is None]
    versions = [version for version in [*answers, *(entry.version for entry in logs)] if version]
    read_in = [entry.log.zone for entry in logs if entry.log is not None]
    return {
        "server": server.server,
        "label": server.label,
        "identified_by": server.by,
        "version": versions[-1] if versions else None,
        "timezone": (read_in[-1] or UTC_ASSUMED) if read_in else None,
    }


def _levels(entries: list[Entry]) -> pl.DataFrame:
    """Lines and understood lines per log and level."""
    rows = [
        {"source": entry.source.name, "server": entry.server, "level": level, **counted}
        for entry in entries
        if (log := entry.log or entry.audit) is not None and not entry.repeated
        for level, counted in log.summary["by_level"].items()
    ]
    return schema.frame(schema.LEVELS, rows)


def _epoch_row(entry: Entry) -> dict[str, Any]:
    name = entry.source.path.name
    return {"server": entry.server, "copy": entry.copy, "source": entry.source.name, "name": name, "epoch": epoch_in(entry.source)}


def _with_records(trace: Trace, entries: list[Entry]) -> Trace:
    """``trace`` with the records of all logs."""
    return replace(
        trace,
        txns=_concat(schema.TXNS, [_placed(schema.TXNS, e.txns.txns, e) for e in entries if e.txns]),
        ops=_concat(schema.TXN_OPS, [_placed(schema.TXN_OPS, e.txns.ops, e) for e in entries if e.txns]),
    )


def _folded(trace: Trace, entries: list[Entry], asked: Sequence[int]) -> Trace:
    """``trace`` with the records that have to be looked at."""
    held = long.Long.of(entries, trace, asked)
    return held.unfolded(replace(trace, long=held), ())


def _reconfigured(entries: list[Entry], txns: pl.DataFrame) -> pl.DataFrame:
    """Members by the reconfig transactions of the logs."""
    frames: list[pl.DataFrame] = []
    by_source = {entry.source.name: entry for entry in entries if entry.txns is not None}
    reconfigs = txns.filter((pl.col("op") == "reconfig") & (pl.col("data_len") > 0))
    for (name,), changes in reconfigs.partition_by("source", as_dict=True, maintain_order=True).items():
        entry = by_source[name]
        data = entry.source.buffer()
        for zxid, at, size in changes.select("zxid", "data_offset", "data_len").iter_rows():
            rows = members_of(bytes(data[at : at + size]).decode("utf-8", "replace"))
            named = [{**row, "config_zxid": zxid, "line": None, "source": entry.source.name} for row in rows]
            frames.append(_placed(schema.MEMBERS, schema.frame(schema.MEMBERS, named), entry))
    return _concat(schema.MEMBERS, frames)


def _damage(entries: list[Entry]) -> pl.DataFrame:
    """What the readers found damaged, and what could not be read at all."""
    frames = [
        _placed(schema.DAMAGE, read.damage, entry)
        for entry in entries
        for read in (entry.log, entry.audit, entry.txns, entry.snapshot, entry.config, entry.clients)
        if read is not None and not entry.repeated
    ]
    faults = [
        {
            "server": entry.server, "copy": entry.copy, "source": entry.source.name, "offset": fault.offset, "reason": fault.reason,
            "harm": "data" if entry.is_data else "none", "next_step": fault.next_step,
        }
        for entry in entries
        for fault in entry.source.faults
    ]  # fmt: skip
    return _concat(schema.DAMAGE, [*frames, schema.frame(schema.DAMAGE, faults)])


def _compression(entry: Entry) -> str | None:
    stored = entry.source.compression if entry.file.is_file else None
    return stored or next(iter(entry.snapshot.snapshot["compression"] if entry.snapshot else []), None)


def _source_row(entry: Entry) -> dict[str, Any]:
    log = entry.log or entry.audit
    summary = log.summary if log and not entry.repeated else {}
    remarks = [entry.remarks, *([UTC_ASSUMED] if log is not None and log.zone is None else [])]
    return {
        "source": entry.source.name,
        "server": entry.server if entry.kind not in (kinds.UNRECOGNISED, kinds.ARCHIVE, kinds.CLIENT_HISTORY) else None,
        "copy": entry.copy if entry.is_data else None,
        "kind": entry.kind,
        "bytes": entry.source.size if entry.file.is_file else None,
        "compression": _compression(entry),
        "layout": log.layout if log else None,
        **{name: summary.get(name) for name in COUNTED},
        "note": "; ".join(remarks),
    }
