"""Dumps of transaction logs, part by part: each record a row of TXNS, everything odd a DAMAGE row.

Strategy: a record begins with a line of the shape ``record`` and goes on to the next line of a known shape, for data are printed as
they are. A *section* is the dump of one log: from its heading to ``EOF reached after N txns.``; it is whole where both are there and N
is the number of records between them. What the tool did not print, nobody can tell: of a section that is not whole nothing is
concluded but that its records were there, and its last record, which may be cut, is not believed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from zabtrace import schema
from zabtrace.dumps import bodies, shapes
from zabtrace.dumps.stamps import Clock
from zabtrace.source import BLOCK, Source

FILE, END, BROKEN, RECORD = "file", "end", "broken", "record"
MARKS = (FILE, END, BROKEN, RECORD)
LARGEST = 1 << 30
"""Bytes without the beginning of a record after which a part is read anyway."""
AGAIN = "Let the tool print the log once more, and keep all it prints, errors too; better, copy the log itself."
_COMPARE = "Compare with the other servers' logs of this range before this server is rebuilt from one of them."
FINDINGS = {
    "no_heading": ("none", "the dump has no heading: its first records may be missing", AGAIN),
    "no_end": ("none", "the dump has no end (EOF reached after ..): what the log holds behind it is not known", AGAIN),
    "unbelieved": ("none", "the last record before the missing end may be cut: it is not believed", AGAIN),
    "count": ("none", "the tool counted {count} records, {present} are here: some are missing, or data look like records", AGAIN),
    "stray": ("none", "{count} lines belong to no record", AGAIN),
    "body": ("none", "{count} records whose body is not printed as their op is: only their heads were read", "Copy the log itself."),
    "checksum": ("data", "the tool says that this record's checksum is wrong: a server that reads it refuses to start", _COMPARE),
}
"""harm, reason and next step of what may be odd."""


@dataclass(frozen=True)
class Part:
    """Some records as frames of TXNS (with ``section``, from 0, and ``record``, the place of the row) and TXN_OPS."""

    txns: pl.DataFrame
    ops: pl.DataFrame


@dataclass
class Section:
    """The dump of one log."""

    headed: bool
    begin: int
    records: int = 0
    counted: int | None = None
    strays: int = 0

    @property
    def whole(self) -> bool:
        """Is everything there that the tool printed?"""
        return self.headed and self.counted == self.records and not self.strays


@dataclass(frozen=True)
class TxnDumpRead:
    """One dump as frames of TXNS (with ``section``), TXN_OPS and DAMAGE; server and copy are null."""

    txns: pl.DataFrame
    ops: pl.DataFrame
    damage: pl.DataFrame
    sections: tuple[Section, ...]
    remarks: tuple[str, ...]


def read_txn_dump(source: Source, zone: str | None = None) -> TxnDumpRead:
    """Read a dump as a whole; ``zone`` is that of its stamps. Damage becomes rows; nothing is raised for what the file holds."""
    dump = TxnDump(source, zone)
    parts = list(dump)
    empty = schema.frame(schema.TXNS).with_columns(section=pl.lit(0, dtype=pl.Int64))
    txns = pl.concat([part.txns for part in parts]) if parts else empty
    ops = pl.concat([part.ops for part in parts]) if parts else schema.frame(schema.TXN_OPS)
    return TxnDumpRead(txns, ops, dump.damage(), tuple(dump.sections), dump.remarks)


@dataclass
class TxnDump:
    """A dump that is read part by part; ``damage`` and ``sections`` are known when all parts were read."""

    source: Source
    zone: str | None = None
    sections: list[Section] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    malformed: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = Clock(self.zone)

    def __iter__(self) -> Iterator[Part]:
        for begin, content, last in _pieces(self.source):
            part = self._part(_texts(content, begin), last)
            if part is not None:
                yield part

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is assumed."""
        return tuple(self.clock.remarks)

    def damage(self) -> pl.DataFrame:
        """DAMAGE of the whole file."""
        for section in self.sections:
            if not section.headed:
                self._note("no_heading", section.begin)
            if section.counted is None:
                self._note("no_end", section.begin)
            elif section.counted != section.records:
                self._note("count", section.begin, count=section.counted, present=section.records)
            if section.strays:
                self._note("stray", section.begin, count=section.strays)
        if self.malformed:
            self._note("body", self.malformed[0], count=len(self.malformed))
        rows = [{"source": self.source.name, **row} for row in sorted(self.rows, key=lambda row: row["offset"])]
        return schema.frame(schema.DAMAGE, rows)

    def _note(self, kind: str, offset: int, zxid: int | None = None, **values: object) -> None:
        harm, reason, step = FINDINGS[kind]
        self.rows.append({"offset": offset, "reason": reason.format(**values), "harm": harm, "zxid": zxid, "next_step": step})

    def _part(self, texts: pl.DataFrame, last: bool) -> Part | None:
        """The records of a piece (columns offset, mark, text)."""
        if texts.is_empty():
            return None
        texts = self._sectioned(texts)
        self._count(texts, last)
        following = pl.col("mark").shift(-1)
        cut = (pl.col("mark") == RECORD) & (following.eq_missing(FILE) | (following.is_null() & pl.lit(last)))
        for offset in texts.filter(cut)["offset"]:
            self._note("unbelieved", offset)
        return self._records(texts.filter(pl.col("mark").is_in([RECORD, BROKEN]) & ~cut))

    def _sectioned(self, texts: pl.DataFrame) -> pl.DataFrame:
        """With ``section``: a heading begins one, and so does whatever follows an end."""
        going_on = bool(self.sections) and self.sections[-1].counted is None
        before = pl.col("mark").shift(1).fill_null(RECORD if going_on else END)
        marked = texts.with_columns(begins=(pl.col("mark") == FILE) | (before == END))
        known = len(self.sections)
        self.sections += [Section(mark == FILE, at) for mark, at in marked.filter("begins").select("mark", "offset").iter_rows()]
        return marked.with_columns(section=pl.col("begins").cum_sum().cast(pl.Int64) + (known - 1)).drop("begins")

    def _count(self, texts: pl.DataFrame, last: bool) -> None:
        ended = texts.filter(pl.col("mark") == END)
        counts = ended["text"].str.extract(r"\AEOF reached after ([0-9]+)").cast(pl.Int64)
        for section, count in zip(ended["section"], counts, strict=True):
            self.sections[section].counted = count
        records = texts.filter(pl.col("mark") == RECORD).group_by("section").len()
        for section, count in records.iter_rows():
            self.sections[section].records += count
        strays = texts.with_columns(extra=_strays()).filter(pl.col("extra") > 0).group_by("section").agg(pl.col("extra").sum())
        for section, count in strays.iter_rows():
            if section < len(self.sections):
                self.sections[section].strays += count

    def _records(self, texts: pl.DataFrame) -> Part | None:
        found = [frame for _, frame in shapes.matched(RECORD, _unmarked(texts))]
        head = pl.concat(found, how="diagonal").sort("row") if found else pl.DataFrame({"row": []}, schema={"row": pl.UInt32})
        unread = texts.with_row_index("row").join(head.select("row"), on="row", how="anti")
        for section, count in unread.group_by("section").len().iter_rows():
            self.sections[section].strays += count
        if head.is_empty():
            return None
        placed = texts[head["row"]]
        types, names = bodies.op_names(head["op"])
        rest = head["rest"] if "rest" in head.columns else pl.Series("rest", [None], dtype=pl.String).new_from_index(0, head.height)
        body = bodies.decode(names, rest)
        self.malformed += placed.filter(~body.understood)["offset"].to_list()
        before = placed["text"].str.len_bytes().cast(pl.Int64) - rest.str.len_bytes().cast(pl.Int64)
        txns = head.select(pl.col("zxid", "session", "cxid")).with_columns(
            placed["offset"], placed["section"], self.clock.times(head["stamp_text"]).alias("time"), types.alias("type"), names.alias("op"),
            wrong=placed["mark"] == BROKEN,
        ).hstack(body.columns.drop("row"))  # fmt: skip
        if "data_at" in txns.columns:
            txns = txns.with_columns(data_offset=pl.col("offset") + before + pl.col("data_at"))
        ops = body.members.with_columns(txns["offset"].gather(body.members["row"]), txns["zxid"].gather(body.members["row"]))
        return self._joined(txns, ops)

    def _joined(self, txns: pl.DataFrame, ops: pl.DataFrame) -> Part:
        """A record that was printed twice, since its checksum is wrong, as one."""
        again = (pl.col("zxid") == pl.col("zxid").shift(-1)) & (pl.col("session") == pl.col("session").shift(-1))
        doubled = pl.col("wrong") & again & ~pl.col("wrong").shift(-1)
        marked = txns.with_columns(doubled=doubled.fill_null(False), wrong=pl.col("wrong") | doubled.shift(1).fill_null(False))
        for offset, zxid in marked.filter(pl.col("wrong") & ~pl.col("doubled")).select("offset", "zxid").iter_rows():
            self._note("checksum", offset, zxid)
        sound = pl.when("wrong").then(pl.lit(value=False))  # else the tool found it right, or did not look
        kept = marked.filter(~pl.col("doubled")).with_columns(checksum_ok=sound, dump=pl.lit(value=True))
        name = {"source": self.source.name}
        shown = schema.conform(schema.TXNS, kept, **name).with_columns(kept["section"])
        return Part(shown, schema.conform(schema.TXN_OPS, ops.join(kept.select("offset"), on="offset", how="semi"), **name))


def _unmarked(texts: pl.DataFrame) -> pl.Series:
    """The records without what the tool prints in front of a broken one, and without the blank before a body that is not there."""
    bare = r"\A([^\n]* zxid 0x[0-9a-f]+ [A-Za-z]+[0-9]?) ?\n*\z"
    return texts.select(pl.col("text").str.replace(r"\ACRC (?:ERROR|FIXED) - ", "").str.replace(bare, "${1}")).to_series()


def _strays() -> pl.Expr:
    """Lines that belong to no record: behind an end or a heading, before the first mark."""
    rest = (
        pl.col("text")
        .str.split("\n")
        .list.eval(
            pl.element().filter((pl.element() != "") & ~pl.element().str.contains(r"\ARecovery file .* has been written with [0-9]+ fixed"))
        )
    )
    lines = rest.list.len().cast(pl.Int64)
    return pl.when(pl.col("mark").is_in([END, FILE])).then(lines - 1).otherwise(0)


# ---------------------------------------------------------------- lines to records
def _pieces(source: Source) -> Iterator[tuple[int, bytes, bool]]:
    """Offset and bytes of pieces that end where a record begins, and whether it is the last."""
    held, begin = b"", 0
    for block in source.blocks(BLOCK):
        held += block
        at = _last_record(held)
        if at > 0:
            yield begin, held[:at], False
            held, begin = held[at:], begin + at
        elif len(held) > LARGEST:
            source.fault(begin, f"no record begins in {len(held)} bytes: they are passed over", AGAIN)
            held, begin = b"", begin + len(held)
    yield begin, held, True


def _last_record(content: bytes) -> int:
    """Where the last line that begins a record begins, 0 where none does behind the first line."""
    at = content.rfind(b" session 0x")
    while at > 0:
        start = content.rfind(b"\n", 0, at) + 1
        stop = content.find(b"\n", at)
        line = content[start : stop if stop >= 0 else len(content)].decode("utf-8", "replace")
        if start and pl.Series([line]).str.contains(shapes.beginning_of(RECORD))[0]:
            return start
        at = content.rfind(b" session 0x", 0, start)
    return 0


def _texts(content: bytes, begin: int) -> pl.DataFrame:
    """The marked lines of a piece, each with what follows it up to the next one: offset, mark, text. What precedes them is dropped."""
    starts = np.concatenate([[0], np.flatnonzero(np.frombuffer(content, dtype=np.uint8) == 10) + 1]).astype(np.int64) + begin
    lines = pl.Series("line", [content.decode("utf-8", "replace")]).str.split("\n").explode()
    if lines.len() and str(lines[0]).endswith("\r"):
        lines = lines.str.strip_suffix("\r")
    mark = pl.coalesce(
        pl.when(pl.col("line").str.contains(shapes.line_of(FILE))).then(pl.lit(FILE)),
        pl.when(pl.col("line").str.contains(shapes.line_of(END))).then(pl.lit(END)),
        pl.when(pl.col("line").str.contains(shapes.beginning_of(RECORD))).then(pl.lit(RECORD)),
        pl.when(pl.col("line").str.contains(r"\ACRC (?:ERROR|FIXED) - ")).then(pl.lit(BROKEN)),
    )
    table = pl.DataFrame([lines, pl.Series("offset", starts)]).with_columns(mark=mark)
    table = table.with_columns(group=pl.col("mark").is_not_null().cum_sum()).filter(pl.col("group") > 0)
    return (
        table.group_by("group", maintain_order=True)
        .agg(pl.col("offset", "mark").first(), pl.col("line").str.join("\n").str.strip_chars_end("\n").alias("text"))
        .drop("group")
    )
