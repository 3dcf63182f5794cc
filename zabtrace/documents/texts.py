"""Documents of ``events`` with its filters, ``explain`` and ``grammar``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import polars as pl

from zabtrace import schema, wording, zxid
from zabtrace.documents import FORMAT, Document
from zabtrace.documents.window import Point, Window
from zabtrace.evidence.trace import Trace
from zabtrace.grammar.kinds import kinds_of
from zabtrace.grammar.meanings import SIGNS, UNSURE, Meaning, meanings
from zabtrace.grammar.messages import messages
from zabtrace.grammar.notation import Hole, Shape
from zabtrace.logs.explaining import Explained
from zabtrace.zxid import epoch

if TYPE_CHECKING:  # listings of lines need none of it, and start sooner
    from zabtrace.fates.judgement import Judgement
    from zabtrace.replay.history import History

ZXIDS = tuple(
    column.name
    for column in schema.FIELDS
    if re.search(r"zxid(_[23])?\Z", column.name) or column.name in ("min_committed", "max_committed", "last_processed")
)
EPOCHS = ("epoch", "epoch_2", "peer_epoch", "accepted_epoch")
PEERS = ("sid", "sid_2", "leader")
PLACE = ["server", "source", "line"]


@dataclass(frozen=True)
class Wanted:
    """Which events are asked for, by kind and by the values of their fields. Empty: all."""

    kinds: tuple[str, ...] = ()
    peer: int | None = None
    zxid: int | None = None
    epoch: int | None = None
    session: int | None = None
    low: Point | None = None
    high: Point | None = None
    """zxids or epochs between which a zxid or epoch of the line lies."""

    def bounded(self, window: Window) -> tuple[Window, Wanted]:
        """The bounds of a window that are times, and what is asked for with those that are none: a line has several zxids."""
        low, high = (bound if bound is not None and bound.time is None else None for bound in (window.low, window.high))
        times = replace(window, low=None if low else window.low, high=None if high else window.high)
        return times, replace(self, low=low, high=high)

    def narrow(self, trace: Trace, lines: pl.DataFrame) -> pl.DataFrame:
        """The lines of these kinds whose fields hold the values; a line without such a field does not."""
        found = lines.filter(pl.col("kind").is_in(self.kinds)) if self.kinds else lines
        for columns, test in self._tests():
            frames = [df.filter(pl.any_horizontal(test(name) for name in named)).select(PLACE)
                      for df in trace.fields.values() if (named := [name for name in columns if name in df.columns])]  # fmt: skip
            places = pl.concat(frames).unique() if frames else lines.clear().select(PLACE)
            found = found.join(places, on=PLACE, how="semi", nulls_equal=True, maintain_order="left")
        return found

    def _tests(self) -> Iterable[tuple[tuple[str, ...], Any]]:
        if self.peer is not None:
            yield PEERS, lambda name: pl.col(name) == self.peer
        if self.zxid is not None:
            yield ZXIDS, lambda name: pl.col(name) == self.zxid
        if self.epoch is not None:
            yield (*EPOCHS, *ZXIDS), lambda name: (pl.col(name) if name in EPOCHS else pl.col(name) // 2**32) == self.epoch
        if self.low is not None or self.high is not None:
            spans = [bound for bound in (self.low, self.high) if bound is not None and bound.low != bound.high]
            yield (*EPOCHS, *ZXIDS) if spans else ZXIDS, self._between
        if self.session is not None:
            yield ("session",), lambda name: pl.col(name) == self.session

    def _between(self, name: str) -> pl.Expr:
        column, first = pl.col(name), epoch if name in EPOCHS else int
        above = column >= first(self.low.low) if self.low else column.is_not_null()
        return above & (column <= first(self.high.high)) if self.high else above


def grammar(words: tuple[str, ...] = ()) -> Document:
    """The shapes of messages: kind, class, level, releases, meaning, fields, sample; those that hold all ``words``."""
    rows = [_shape(shape) for shape in messages().grammar.shapes]
    wanted = [word.lower() for word in words]
    shown = [row for row in rows if all(word in " ".join(map(str, row.values())).lower() for word in wanted)]
    return {"format": FORMAT, "shapes": shown, "hidden": 0}


def _shape(shape: Shape) -> Document:
    known = meanings().get(shape.kind)
    name, _, level = shape.rule.partition("__")
    return {
        "kind": shape.kind, "class": name.replace("_", ""), "level": level.upper() or None, "kinds": list(kinds_of(shape.kind)),
        "versions": _versions(shape, known), "kind_versions": known.versions if known else None,
        "meaning": known.text if known else None, "fields": list(shape.columns), "sample": shape.samples[0] if shape.samples else None,
        "samples": list(shape.samples), "line": shape.line,
    }  # fmt: skip


def _versions(shape: Shape | None, known: Meaning | None) -> str | None:
    """The releases of a spelling, else of its kind."""
    return (shape.versions if shape is not None else None) or (known.versions if known is not None else None)


def written(shape: Shape) -> str:
    """A shape as one reads it: its fixed text, and its fields between angle brackets."""
    return "".join(f"<{part.column or part.terminal.lower()}>" if isinstance(part, Hole) else part for part in shape.parts)


def explain(told: Explained, found: tuple[History, Judgement] | None = None) -> Document:
    """What a line is taken for; with evidence, where it stands there and what became of the writes it speaks of."""
    shape, near = told.shape, told.near
    known = meanings().get(told.kind) if told.kind else None
    sign = SIGNS.get(told.kind, UNSURE) if told.kind else None
    document: Document = {
        "format": FORMAT, "wrappers": list(told.wrappers), "layout": told.layout, "head": told.head, "message": told.message,
        "kind": told.kind, "note": told.note, "shape": written(shape) if shape else None,
        "versions": _versions(shape, known), "kind_versions": known.versions if known else None,
        "meaning": known.text if known else None,
        "sign_of_loss": sign.loss if sign else None, "next_step": sign.next_step if sign else None,
        "fields": [_field(name, value) for name, value in told.fields.items()],
        "nearest": None if near is None else {
            "kind": near.shape.kind, "shape": written(near.shape), "column": told.offset + near.column + 1, "expected": near.expected,
            "sample": near.shape.samples[0] if near.shape.samples else None,
        },
    }  # fmt: skip
    return document if found is None else {**document, "here": _here(told, *found)}


def _field(name: str, value: Any) -> Document:
    meaning = next(column.meaning for column in schema.FIELDS if column.name == name)
    shown = zxid.text(value) if value is not None and name in ZXIDS else value
    return {"name": name, "value": shown, "meaning": meaning}


def _here(told: Explained, history: History, judgement: Judgement) -> Document:
    names = wording.Names.of(history.trace.servers)
    lines = history.trace.lines.filter(pl.col("message") == told.message)
    places = [{"server": names.name(row["server"]), "source": row["source"], "line": row["line"]}
              for row in lines.select(PLACE).head(10).iter_rows(named=True)]  # fmt: skip
    numbers = [value for name, value in told.fields.items() if name in ZXIDS and value is not None]
    fates = judgement.writes.filter(pl.col("zxid").is_in(numbers)).select("zxid", "fate")
    beyond = judgement.writes.filter(_beyond(numbers) & (pl.col("fate") != "survived")).group_by("fate").len().sort("fate")
    return {
        "times": lines.height,
        "places": places,
        "writes": [{"zxid": zxid.text(number), "fate": fate} for number, fate in fates.iter_rows()],
        "beyond_in_its_epoch": dict(beyond.iter_rows()),
        "verdict": judgement.verdict,
    }


def _beyond(numbers: list[int]) -> pl.Expr:
    """Writes of the same epoch behind one of these zxids."""
    column = pl.col("zxid")
    return pl.any_horizontal(pl.lit(False), *((column > number) & (column // 2**32 == number // 2**32) for number in numbers))
