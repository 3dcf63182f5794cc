"""Lines of text logs and the fields of their events, as they are held: plainly as frames, or packed.

Strategy: packed, only the number, time and kind of each line are at hand; its texts and fields lie compressed, kind by kind, and are
unfolded when somebody asks for that kind. Lines of one kind are so alike that they take a tenth of their size, and whoever asks for
few kinds of a long log never has all of it in memory. Both forms answer alike.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from io import BytesIO
from typing import Any, Protocol

import numpy as np
import polars as pl

from zabtrace import schema

LINE = ("server", "source", "line")
"""What a line is known by."""
TEXTS = ("level", "thread", "logger", "message", "trace", "continued")
"""Columns of LINES that are packed."""
_TYPES = schema.types(schema.LINES)
_FIELDS = schema.types(schema.FIELDS)
_CODE = pl.UInt16
_READY = 4
"""Pieces of which one was asked for that stay unfolded."""


class Held(Protocol):
    """Lines and fields of any number of logs."""

    @property
    def lines(self) -> pl.DataFrame:
        """schema.LINES, log by log."""

    @property
    def fields(self) -> dict[str, pl.DataFrame]:
        """Per kind ``server, source, line`` and the fields of that kind, typed as in schema.FIELDS."""

    def servers(self) -> list[int]:
        """Whose lines they are, in order."""

    def columns(self, *names: str, server: int | None = None) -> pl.DataFrame:
        """These columns of ``lines``, of one server's or of all."""

    def events(self, kind: str, columns: Collection[str] | None = None, server: int | None = None) -> pl.DataFrame:
        """The lines of a kind and their fields; ``columns``: none but these of either; ``server``: of that one only."""

    def told(self, *names: str) -> Iterator[pl.DataFrame]:
        """Kind by kind these fields, of those that it has."""

    def search(self, wanted: pl.Expr) -> pl.DataFrame:
        """The rows of ``lines`` for which an expression over their columns holds."""

    def message(self, source: str, line: int) -> str | None:
        """The message of a line."""


@dataclass(frozen=True)
class Plain:
    """Everything at hand."""

    lines: pl.DataFrame = field(default_factory=lambda: schema.frame(schema.LINES))
    fields: dict[str, pl.DataFrame] = field(default_factory=dict)

    @cached_property
    def _by_kind(self) -> dict[str, pl.Series]:
        grouped = self.lines.select("kind").with_row_index("row").drop_nulls("kind").group_by("kind").agg("row")
        return dict(zip(grouped["kind"], grouped["row"], strict=True))

    def servers(self) -> list[int]:
        """See Held."""
        return self.lines["server"].drop_nulls().unique().sort().to_list()

    def columns(self, *names: str, server: int | None = None) -> pl.DataFrame:
        """See Held."""
        return (self.lines if server is None else self.lines.lazy().filter(pl.col("server") == server).collect()).select(names)

    def events(self, kind: str, columns: Collection[str] | None = None, server: int | None = None) -> pl.DataFrame:
        """See Held."""
        lines = self.lines if columns is None else self.lines.select(name for name in _TYPES if name in columns or name in LINE)
        found = lines[self._by_kind[kind]] if kind in self._by_kind else lines.clear()
        found = found if server is None else found.filter(pl.col("server") == server)
        if kind not in self.fields:
            return found
        told = self.fields[kind]
        fields = told if columns is None else told.select(name for name in told.columns if name in columns or name in LINE)
        return found.join(fields, on=LINE, how="left", nulls_equal=True)

    def told(self, *names: str) -> Iterator[pl.DataFrame]:
        """See Held."""
        return (frame.select(name for name in names if name in frame.columns) for frame in self.fields.values())

    def search(self, wanted: pl.Expr) -> pl.DataFrame:
        """See Held."""
        return self.lines.filter(wanted)

    def message(self, source: str, line: int) -> str | None:
        """See Held."""
        found = self.lines.lazy().filter((pl.col("source") == source) & (pl.col("line") == line)).select("message").collect()
        return found.item(0, 0) if found.height else None


@dataclass(frozen=True, eq=False)
class _Piece:
    """A compressed frame."""

    data: bytes
    height: int
    names: tuple[str, ...]

    @classmethod
    def of(cls, frame: pl.DataFrame) -> _Piece:
        """The frame, compressed."""
        into = BytesIO()
        frame.write_ipc(into, compression="zstd")
        return cls(into.getvalue(), frame.height, tuple(frame.columns))

    def frame(self, columns: Collection[str] | None = None) -> pl.DataFrame:
        """It again, or these columns of it."""
        return pl.read_ipc(self.data, columns=None if columns is None else list(columns))


@lru_cache(maxsize=_READY)
def _messages(piece: _Piece) -> pl.Series:
    return piece.frame(["message"]).to_series()


Pieces = dict[str | None, list[_Piece]]


@dataclass
class Packing:
    """Lines of one log on their way to be packed, batch by batch."""

    kinds: dict[str | None, int] = field(default_factory=dict)
    texts: Pieces = field(default_factory=lambda: defaultdict(list))
    fields: Pieces = field(default_factory=lambda: defaultdict(list))

    def add(self, lines: pl.DataFrame, fields: dict[str, pl.DataFrame]) -> pl.DataFrame:
        """Pack the columns TEXTS of some lines, and fields; the lines without them, ``kind`` as a number."""
        for (kind,), part in lines.select("kind", *TEXTS).partition_by("kind", as_dict=True, include_key=False).items():
            self.texts[kind].append(_Piece.of(part))
            self.kinds.setdefault(kind, len(self.kinds))
        for kind, frame in fields.items():
            self.fields[kind].append(_Piece.of(frame))
        codes = lines["kind"].replace_strict(self.kinds, return_dtype=_CODE) if lines.height else pl.Series("kind", [], dtype=_CODE)
        return lines.drop("kind", *TEXTS).with_columns(codes)

    def amend(self, rows: pl.DataFrame, change: Callable[[pl.DataFrame, dict[str, pl.DataFrame]], dict[str, pl.DataFrame]]) -> None:
        """Change the fields of the last line, as ``change`` says of that line and those of its kind; ``rows`` as ``add`` gave them back."""
        kind = list(self.kinds)[rows["kind"][-1]] if rows.height else None
        if kind is None or not self.fields.get(kind):
            return
        said = self.texts[kind][-1].frame(["message"]).tail(1)
        row = rows.tail(1).drop("kind").with_columns(pl.lit(kind).alias("kind")).hstack(said)
        self.fields[kind][-1] = _Piece.of(change(row, {kind: self.fields[kind][-1].frame()})[kind])

    def turn(self, lines: int) -> None:
        """Turn a log of so many lines that stands upside down: see ``turned``."""
        self.texts = {kind: [_Piece.of(piece.frame().reverse()) for piece in pieces[::-1]] for kind, pieces in self.texts.items()}
        self.fields = {kind: [_Piece.of(turned(piece.frame(), lines)) for piece in pieces[::-1]] for kind, pieces in self.fields.items()}

    def log(self, source: str, rows: pl.DataFrame) -> Log:
        """The log; ``rows`` are its lines as ``add`` gave them back, with their ``time`` in UTC."""
        return Log(source, rows.select("line", "time", "kind"), tuple(self.kinds), dict(self.texts), dict(self.fields))


@dataclass(frozen=True)
class Log:
    """One log, packed."""

    source: str
    rows: pl.DataFrame
    """line, time and kind (its place among ``kinds``) of each record, in the order of the log."""
    kinds: tuple[str | None, ...]
    texts: Pieces
    """Per kind the columns TEXTS, as many rows as ``rows`` has of it, in the same order."""
    told: Pieces
    """Per kind ``line`` and its fields."""
    server: int | None = None
    order: int | None = None

    def columns(self, *names: str) -> pl.DataFrame:
        """These columns of LINES."""
        texts = [name for name in names if name in TEXTS]
        kinds = pl.Series("kind", self.kinds, dtype=pl.String).gather(self.rows["kind"]) if "kind" in names else None
        found = self._placed(self.rows.select("line", "time"), kinds)
        if texts and found.height:
            codes = self.rows["kind"].to_numpy()
            behind = np.argsort(codes, kind="stable")  # kind by kind, as the texts lie
            back = np.empty_like(behind)
            back[behind] = np.arange(len(behind))
            found = found.hstack(pl.concat([self._texts(kind, texts) for kind in self.kinds])[back])
        return found.select(names) if found.height else schema.frame(schema.LINES).select(names)

    def events(self, kind: str | None, columns: Collection[str] | None = None) -> pl.DataFrame:
        """The lines of a kind, with their fields (``columns``: none but these)."""
        wanted = [name for name in _TYPES if columns is None or name in columns or name in LINE]
        if kind not in self.kinds:
            return schema.frame(schema.LINES).select(wanted)
        rows = self.rows.filter(pl.col("kind") == self.kinds.index(kind)).select("line", "time")
        texts = [name for name in TEXTS if name in wanted]
        found = self._placed(rows, pl.Series("kind", [kind], dtype=pl.String).new_from_index(0, rows.height))
        found = (found.hstack(self._texts(kind, texts)) if texts else found).select(wanted)
        fields = self.fields_of(kind, columns)
        return found if fields is None else found.join(fields, on="line", how="left", maintain_order="left")

    def fields_of(self, kind: str | None, columns: Collection[str] | None = None) -> pl.DataFrame | None:
        """``line`` and the fields of a kind; None where it has none."""
        pieces = self.told.get(kind)
        if not pieces:
            return None
        wanted = None if columns is None else {"line", *columns} - {*_TYPES} | {"line"}
        return merged([p.frame() if wanted is None else p.frame([name for name in p.names if name in wanted]) for p in pieces])

    def message(self, line: int) -> str | None:
        """The message of a line."""
        row = self.rows["line"].index_of(line)
        if row is None:
            return None
        code = self.rows["kind"][row]
        place = int((self.rows["kind"][:row] == code).sum())
        for piece in self.texts[self.kinds[code]]:
            if place < piece.height:
                said: str | None = _messages(piece)[place]
                return said
            place -= piece.height
        return None

    def _texts(self, kind: str | None, names: list[str]) -> pl.DataFrame:
        return pl.concat([piece.frame(names) for piece in self.texts[kind]])

    def _placed(self, rows: pl.DataFrame, kind: pl.Series | None) -> pl.DataFrame:
        constants = {"server": self.server, "source": self.source, "order": self.order}
        named = [pl.Series(name, [value], dtype=_TYPES[name]).new_from_index(0, rows.height) for name, value in constants.items()]
        return rows.hstack([*named, *([] if kind is None else [kind])])


@dataclass(frozen=True)
class Packed:
    """Packed logs, in their order."""

    logs: tuple[Log, ...] = ()

    @classmethod
    def of(cls, source: str, held: Held) -> Packed:
        """One log, packed; unchanged where it is."""
        if isinstance(held, Packed):
            return held
        packing = Packing()
        lines = held.lines
        fields = {kind: frame.drop("server", "source", strict=False) for kind, frame in held.fields.items()}
        return cls((packing.log(source, packing.add(lines, fields)),))

    def placed(self, server: int | None, order: int | None) -> Packed:
        """The same as logs of a server, in their place."""
        return Packed(tuple(replace(log, server=server, order=order) for log in self.logs))

    @property
    def lines(self) -> pl.DataFrame:
        """See Held; unfolded each time."""
        return self.columns(*_TYPES)

    @property
    def fields(self) -> dict[str, pl.DataFrame]:
        """See Held; unfolded each time."""
        kinds = dict.fromkeys(kind for log in self.logs for kind in log.told if kind is not None)
        return {kind: pl.concat(self._fields(kind), how="diagonal") for kind in kinds}

    def _fields(self, kind: str) -> Iterator[pl.DataFrame]:
        for log in self.logs:
            if (frame := log.fields_of(kind)) is not None:
                place: list[Any] = [pl.lit(log.server, dtype=schema.INT).alias("server"), pl.lit(log.source).alias("source")]
                yield frame.select(*place, pl.all())

    def servers(self) -> list[int]:
        """See Held."""
        return sorted({log.server for log in self.logs if log.server is not None})

    def columns(self, *names: str, server: int | None = None) -> pl.DataFrame:
        """See Held."""
        frames = [log.columns(*names) for log in self.logs if server is None or log.server == server]
        return _joined(frames, schema.frame(schema.LINES).select(names))

    def events(self, kind: str, columns: Collection[str] | None = None, server: int | None = None) -> pl.DataFrame:
        """See Held."""
        wanted = [name for name in _TYPES if columns is None or name in columns or name in LINE]
        logs = (log for log in self.logs if server is None or log.server == server)
        found = [frame for log in logs if (frame := log.events(kind, columns)).height]
        return pl.concat(found, how="diagonal") if found else schema.frame(schema.LINES).select(wanted)

    def told(self, *names: str) -> Iterator[pl.DataFrame]:
        """See Held."""
        pieces = (piece for log in self.logs for found in log.told.values() for piece in found)
        return (piece.frame(named) for piece in pieces if (named := [name for name in piece.names if name in names]))

    def search(self, wanted: pl.Expr) -> pl.DataFrame:
        """See Held."""
        found = [log.events(kind, tuple(_TYPES)).select(*_TYPES).filter(wanted) for log in self.logs for kind in log.kinds]
        return _joined([frame for frame in found if frame.height], schema.frame(schema.LINES))

    def message(self, source: str, line: int) -> str | None:
        """See Held."""
        said = (log.message(line) for log in self.logs if log.source == source)
        return next((message for message in said if message is not None), None)


def turned(rows: pl.DataFrame, lines: int) -> pl.DataFrame:
    """The rows in the order in which they were printed, their lines numbered from the end of so many."""
    return rows.with_columns(line=lines + 1 - pl.col("line")).sort("line")


def _joined(frames: Iterable[pl.DataFrame], empty: pl.DataFrame) -> pl.DataFrame:
    listed = list(frames)
    return pl.concat(listed) if listed else empty


def merged(frames: list[pl.DataFrame]) -> pl.DataFrame:
    """Field frames of one kind as one, its columns in the order of schema.FIELDS, sorted by line."""
    joined = pl.concat(frames, how="diagonal") if len(frames) > 1 else frames[0]
    order = ["line", *(name for name in _FIELDS if name in joined.columns)]
    return joined.select(order).sort("line")
