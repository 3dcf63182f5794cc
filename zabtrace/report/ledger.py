"""The ledger: every place that the page cites, and what stands there, for the panel that shows evidence.

Strategy: a template that writes a place down cites it here; at the end the lines and records of all of them are looked up in one join
each. A place that is not among the first MOST says so with its command only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from zabtrace import wording
from zabtrace.evidence import originals
from zabtrace.replay.history import History
from zabtrace.report.content import Wish

MOST = 3000
NEIGHBOURS = 800
"""With more places than this no neighbouring lines are shown."""
LENGTH = 400
LINE = re.compile(r"(.*):(\d+)", re.DOTALL)
RECORD = re.compile(r"(.*) at byte (\d+)", re.DOTALL)
ROWS = {
    "txns": ("offset", ("zxid", "time", "session", "cxid", "op", "path", "data_len")),
    "client_ops": ("line", ("client", "op", "path", "start", "end", "outcome", "error", "zxid")),
    "settings": ("line", ("key", "value")),
    "members": ("line", ("sid", "role", "host", "quorum_port", "election_port")),
    "facts": ("line", ("key", "value")),
    "txn_files": (None, ("first_zxid", "last_zxid", "records", "bytes")),
    "epoch_files": (None, ("name", "epoch")),
    "snapshots": (None, ("zxid", "valid", "reason", "nodes", "sessions", "max_zxid", "last_zxid")),
}
"""Tables of the Trace beside lines of logs: what a place in them is counted in (None: a whole file), and what is shown of a row."""


@dataclass
class Ledger:
    """Places as ``wording.place`` writes them, in the order in which they were cited."""

    places: dict[str, None] = field(default_factory=dict)

    def cite(self, item: Mapping[str, Any]) -> str:
        """The place of a row, written, and noted down."""
        return self.cited(wording.place(item))

    def cited(self, place: str) -> str:
        """A written place, noted down."""
        self.places[place] = None
        return place

    def cite_chart(self, figure: Mapping[str, Any]) -> None:
        """The places in ``customdata`` of all traces."""
        for trace in figure["data"]:
            for mark in trace.get("customdata") or ():
                for place in mark[2] if mark else ():
                    self.cited(place)

    def lines(self, history: History, wish: Wish) -> dict[str, Any]:
        """``places``: written place -> lines ``[number, text, cited]`` and ``command``; ``evidence`` for commands about a zxid."""
        kept = [place for place in self.places if place][:MOST]
        sources = {wording.plain(name): name for name in history.trace.sources["source"].drop_nulls()}
        told = {**_rows(history, kept, sources), **_log_lines(history, kept, sources)}
        turned = frozenset(originals.turned(history.trace.sources))
        commands = {place: next(_commands(place, told.get(place, []), sources, turned, wish), None) for place in kept}
        return {"evidence": wish.command, "places": {at: {"lines": told.get(at, []), "command": commands[at]} for at in kept}}


def _parsed(pattern: re.Pattern[str], places: list[str], sources: Mapping[str, str], name: str) -> pl.DataFrame:
    found = [(place, pattern.fullmatch(place)) for place in places]
    rows = [(place, sources.get(match[1], match[1]), int(match[2])) for place, match in found if match]
    return pl.DataFrame(rows, schema={"place": pl.String, "source": pl.String, name: pl.Int64}, orient="row")


def _log_lines(history: History, places: list[str], sources: Mapping[str, str]) -> dict[str, list[list[Any]]]:
    wanted = _parsed(LINE, places, sources, "cited")
    columns = ["source", "line", "time", "level", "thread", "logger", "message"]
    logs = [one.lines.select(columns) for one in (history.trace, history.trace.audit) if one is not None]
    lines = pl.concat(logs).join(wanted.select("source").unique(), on="source", how="semi").with_row_index("at")
    hits = lines.select("source", "line", "at").join(wanted, left_on=["source", "line"], right_on=["source", "cited"])
    around = (-1, 0, 1) if wanted.height <= NEIGHBOURS else (0,)
    near = pl.concat([hits.with_columns((pl.col("at").cast(pl.Int64) + step).alias("at"), near=pl.lit(step)) for step in around])
    shown = near.drop("line").join(lines.with_columns(pl.col("at").cast(pl.Int64)), on=["source", "at"]).sort("place", "near")
    told: dict[str, list[list[Any]]] = {}
    for row in shown.iter_rows(named=True):
        told.setdefault(row["place"], []).append([row["line"], _text(row), row["near"] == 0])
    return told


def _text(row: Mapping[str, Any]) -> str:
    parts = (wording.moment(row["time"]), row["level"], f"[{row['thread']}]" if row["thread"] else None, row["logger"])
    return wording.plain(" ".join(filter(None, parts)) + f": {row['message'] or ''}")[:LENGTH]


def _rows(history: History, places: list[str], sources: Mapping[str, str]) -> dict[str, list[list[Any]]]:
    """What stands at places that are no lines of logs."""
    lines, offsets = _parsed(LINE, places, sources, "line"), _parsed(RECORD, places, sources, "offset")
    wholes = pl.DataFrame([(place, sources[place]) for place in places if place in sources], ["place", "source"], orient="row")
    files = pl.concat([wholes, offsets.filter(pl.col("offset") == 0).drop("offset")], how="vertical_relaxed")
    told: dict[str, list[list[Any]]] = {}
    for name, (unit, columns) in ROWS.items():
        wanted = lines if unit == "line" else offsets if unit else files
        chosen = getattr(history.trace, name).select("source", *filter(None, [unit]), *columns)
        found = chosen.join(wanted, on=["source", *filter(None, [unit])], maintain_order="left")
        for row in wording.rows(found, wording.Names()):
            told.setdefault(row["place"], []).append([row[unit] if unit else 0, _row(row, columns), True])
    return told


def _row(row: Mapping[str, Any], columns: Sequence[str]) -> str:
    words = (f"{key} {row[key]}" for key in columns if row[key] is not None)
    return wording.plain(", ".join(words))[:LENGTH]


def _commands(place: str, told: list[list[Any]], sources: Mapping[str, str], turned: frozenset[str], wish: Wish) -> Iterator[str]:
    """Commands that print what stands there, the best first; ``turned`` logs are numbered from the end."""
    line, record = LINE.fullmatch(place), RECORD.fullmatch(place)
    written = line[1] if line else record[1] if record else place
    source = sources.get(written, written)
    if line:
        if file := wish.locate(source):
            lines = f"sed -n '{max(int(line[2]) - 2, 1)},{int(line[2]) + 2}p'"
            yield f"tac {file} | {lines}" if source in turned else f"{lines} {file}"
        if told and (time := re.match(r"\S+Z", next(text for _, text, cited in told if cited))):
            yield f"zabtrace events {wish.command} --from {time[0]} --to {time[0]}"
    elif source.rpartition("/")[2].startswith("snapshot."):
        yield f"zabtrace tree {wish.command} --snapshots"
    elif told and (numbers := re.match(r"(?:first_)?zxid (0x[0-9a-f]+)(?:, last_zxid (0x[0-9a-f]+))?", told[0][1])):
        yield f"zabtrace txns {wish.command} --from {numbers[1]} --to {numbers[2] or numbers[1]}"
    elif told and (file := wish.locate(source)):
        yield f"cat {file}"
