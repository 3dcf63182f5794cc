"""What ZooKeeper's own tools printed of logs and snapshots, as evidence: witnesses of what once was on a server's disk, nothing more.

Strategy: a dump tells neither when it was made nor what it left out: padding, checksums, files that were not printed, records behind
damage. So each section of a dump is an earlier copy of its own: its records were there, and no file and no end is concluded from
it; where a section is not whole, each epoch of it is a copy of its own, since records may be missing between them. Records that
a copy made of bytes holds too are left out. Where bytes hold the record (zxid, session, cxid and type agree), its payload is
that of the bytes; payloads known from dumps alone are told apart by those numbers.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import polars as pl

from zabtrace import schema, zxid
from zabtrace.dumps import TxnDump, TxnDumpRead, read_snapshot_dump, read_txn_dump
from zabtrace.evidence import kinds
from zabtrace.evidence.arguments import BEFORE
from zabtrace.evidence.entry import Entry
from zabtrace.evidence.trace import Trace
from zabtrace.evidence.zones import Zones

RECORD = ("zxid", "session", "cxid", "type")
"""What tells records apart, where only a dump was read: every form prints it in the record's first line, which no edit splits."""
SHORT_DIGITS = re.compile("[2-7][0-9a-f]|[9ad]")
WITNESS = "a witness of what was there when the tool ran: not of when that was, nor of what it did not print"


def zoned(entries: Iterable[Entry], asked: Zones) -> None:
    """Set the zone that the stamps of each dump and audit log are in, as far as it was asked for."""
    for entry in entries:
        if entry.kind in (kinds.AUDIT_LOG, *kinds.DUMPS):
            entry.zone = asked.of(entry)


def read(entries: Iterable[Entry]) -> None:
    """Read all dumps; what is assumed becomes a note."""
    for entry in entries:
        if entry.kind == kinds.TXN_DUMP:
            entry.dump = read_txn_dump(entry.source, entry.zone)
            entry.notes += [_told(entry.dump), *entry.dump.remarks, WITNESS]
        elif entry.kind == kinds.SNAPSHOT_DUMP:
            entry.snapshot_dump = read_snapshot_dump(entry.source, entry.zone)
            entry.notes += [f"{entry.snapshot_dump.znodes.height} znodes", *entry.snapshot_dump.remarks]


def _told(dump: TxnDumpRead) -> str:
    whole = sum(section.whole for section in dump.sections)
    return f"{dump.txns.height} records in {len(dump.sections)} logs, {whole} of them printed as a whole"


def added(trace: Trace, entries: Sequence[Entry]) -> Trace:
    """``trace`` with what the dumps hold beyond it."""
    dumps = [entry for entry in entries if entry.dump is not None]
    damage = [_placed(schema.DAMAGE, read_.damage, entry) for entry in entries for read_ in (entry.dump, entry.snapshot_dump) if read_]
    trace = replace(trace, damage=pl.concat([trace.damage, *damage]))
    if not dumps:
        return trace
    records = pl.concat([_records(entry) for entry in dumps])
    records = _identified(records, trace.txns)
    kept = _without_repeats(records, trace.txns, dumps)
    placed = _numbered(kept, entries, dumps)
    shown = schema.conform(schema.TXNS, placed)
    ops = pl.concat([entry.dump.ops for entry in dumps if entry.dump])
    places = placed.select("source", "offset", "server", "copy")
    ops = ops.drop("server", "copy").join(places, on=["source", "offset"])
    return replace(
        trace,
        txns=pl.concat([trace.txns, shown]),
        ops=pl.concat([trace.ops, schema.conform(schema.TXN_OPS, ops)]),
        members=pl.concat([trace.members, *_members(dumps, shown)]),
        unordered=tuple(sorted({*trace.unordered, *_unordered(trace, placed)})),
        files={**trace.files, **{entry.source.name: entry.source for entry in dumps}},
    )


def _placed(table: tuple[schema.Column, ...], df: pl.DataFrame, entry: Entry) -> pl.DataFrame:
    return schema.conform(table, df, server=entry.server, copy=entry.copy)


def _records(entry: Entry) -> pl.DataFrame:
    """TXNS of a dump with its section, whether that is whole, and whether it is given as an earlier state."""
    assert entry.dump is not None  # noqa: S101 (asked for by the caller)
    whole = pl.Series("whole", [section.whole for section in entry.dump.sections], dtype=pl.Boolean)
    txns = entry.dump.txns.with_columns(pl.lit(entry.server, dtype=schema.INT).alias("server"))
    return txns.with_columns(whole=whole.gather(txns["section"]), earlier=pl.lit(entry.moment[0] == BEFORE))


def _identified(records: pl.DataFrame, stored: pl.DataFrame) -> pl.DataFrame:
    """With ``payload_hash``: that of the stored record with these numbers, else one of the numbers themselves."""
    known = stored.filter(pl.col("checksum_ok").fill_null(True)).select(*RECORD, stored_hash="payload_hash")
    known = known.unique(subset=RECORD, keep="first", maintain_order=True)
    joined = records.drop("payload_hash").join(known, on=RECORD, how="left", nulls_equal=True, maintain_order="left")
    return joined.with_columns(payload_hash=pl.coalesce("stored_hash", pl.struct(RECORD).hash(seed=0))).drop("stored_hash")


def _without_repeats(records: pl.DataFrame, stored: pl.DataFrame, dumps: list[Entry]) -> pl.DataFrame:
    """The sections of which bytes of the same server do not hold every record."""
    held = stored.select("server", "zxid", "payload_hash").unique().with_columns(held=pl.lit(value=True))
    marked = records.join(held, on=["server", "zxid", "payload_hash"], how="left", maintain_order="left", nulls_equal=True)
    section = ["source", "section"]
    repeated = marked.group_by(section).agg(pl.col("held").fill_null(False).all()).filter("held")
    by_source = repeated.group_by("source").len()
    for name, count in by_source.iter_rows():
        entry = next(entry for entry in dumps if entry.source.name == name)
        entry.notes.append(f"{count} of its logs were left out: every record of them was read from the server's own files too")
    return marked.drop("held").join(repeated, on=section, how="anti", maintain_order="left")


def _numbered(records: pl.DataFrame, entries: Iterable[Entry], dumps: list[Entry]) -> pl.DataFrame:
    """With ``copy``: earlier than every copy made of bytes, and never 0."""
    first: dict[int | None, int] = defaultdict(lambda: 1)
    for entry in entries:
        if entry.is_data and entry.copy is not None:
            first[entry.server] = max(first[entry.server], entry.copy + 1)
    order = {entry.source.name: at for at, entry in enumerate(dumps)}
    epoch = pl.when("whole").then(0).otherwise(zxid.epoch_of("zxid"))
    keyed = records.with_columns(order=pl.col("source").replace_strict(order, return_dtype=pl.Int64), epoch=epoch)
    parts = keyed.select("server", "order", "section", "epoch").unique().sort("server", "order", "section", "epoch")
    base = pl.Series("base", [first[server] for server in parts["server"]], dtype=pl.Int64)
    numbers = parts.with_columns(copy=base + parts.select(pl.int_range(pl.len()).over("server")).to_series())
    return (
        keyed.drop("copy")
        .join(numbers, on=["server", "order", "section", "epoch"], nulls_equal=True, maintain_order="left")
        .drop("order", "epoch")
    )


def _unordered(trace: Trace, records: pl.DataFrame) -> Iterator[int]:
    """Servers whose own files were read, and of which a dump shows more: nothing proves which of the two is the later state.

    Older than all records of the files, they may have been purged.
    """
    newest = trace.txns.filter(pl.col("copy") == 0).group_by("server").agg(lowest=pl.col("zxid").min())
    stored = set(trace.txn_files.filter(pl.col("copy") == 0)["server"].drop_nulls()) | set(
        trace.snapshots.filter(pl.col("copy") == 0)["server"].drop_nulls()
    )
    held = trace.txns.select("server", "zxid", "payload_hash").unique()
    beyond = records.filter(~pl.col("earlier")).join(held, on=["server", "zxid", "payload_hash"], how="anti")
    beyond = beyond.join(newest, on="server", how="left").filter((pl.col("zxid") >= pl.col("lowest")).fill_null(True))
    yield from stored & set(beyond["server"].drop_nulls())


def _members(dumps: Iterable[Entry], txns: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """MEMBERS by the reconfig transactions of dumps."""
    from zabtrace.config import members_of

    for entry in dumps:
        changes = txns.filter((pl.col("source") == entry.source.name) & (pl.col("op") == "reconfig"))
        data = entry.source.buffer() if changes.height else b""
        for row in changes.iter_rows(named=True):
            text = _configuration(bytes(data[row["offset"] :][: 1 << 20]))
            rows = [{**member, "config_zxid": row["zxid"], "line": None, "source": row["source"]} for member in members_of(text)]
            if not rows:
                entry.notes.append(f"it does not tell the members that the reconfig {zxid.text(row['zxid'])} made")
            yield schema.conform(schema.MEMBERS, schema.frame(schema.MEMBERS, rows), server=row["server"], copy=row["copy"])


CONFIGURATION = re.compile(rb"[0-9a-f]+ reconfig '?/zookeeper/config,(?:#(?P<digits>[0-9a-f]+)|(?P<text>[^,]*)),-1\s*\n")


def _configuration(record: bytes) -> str:
    """The text that a reconfig's record begins with; in jute's digits a line feed is a single ``a``, since no byte is above 0x7e."""
    if not (found := CONFIGURATION.match(record.partition(b" zxid 0x")[2] + b"\n")):
        return ""
    if found["text"] is not None:
        return found["text"].decode("utf-8", "replace")
    pairs = SHORT_DIGITS.findall(found["digits"].decode())
    return bytes(int(pair, 16) for pair in pairs).decode("ascii", "replace")


# ---------------------------------------------------------------- part by part
def parts(entry: Entry, head: Trace) -> Iterator[Trace]:
    """``head`` with the records of each part of a dump in turn, and behind them with what is odd in it; they have no ``copy``."""
    dump = TxnDump(entry.source, entry.zone)
    for part in dump:
        yield replace(head, txns=_placed(schema.TXNS, part.txns, entry), ops=_placed(schema.TXN_OPS, part.ops, entry))
    yield replace(head, damage=_placed(schema.DAMAGE, dump.damage(), entry))


def znodes(entry: Entry) -> pl.DataFrame:
    """ZNODES of a dump."""
    return _placed(schema.ZNODES, read_snapshot_dump(entry.source, entry.zone).znodes, entry)
