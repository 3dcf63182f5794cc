"""What the report says, as plain rows and sentences: every face of it (page, Markdown) is made of this and of nothing else.

Strategy: a window chooses rows of the tables, never what is judged; what it hides is counted. Documents that other layers make
(``check``, ``incidents``) are handed in: a report without them says that they were not asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from zabtrace import charts, documents, schema, wording
from zabtrace.charts import aligning
from zabtrace.documents.window import Window
from zabtrace.errors import UsageError
from zabtrace.fates.judgement import Judgement
from zabtrace.incidents.alignment import Alignment, alignment
from zabtrace.predict import Prediction
from zabtrace.replay.history import History
from zabtrace.report import advice, ballots, facts, sections, story

BOUND = 1000
"""Rows of a table that the page holds; it says how many there are."""
VOTES = 2000
"""Votes that the page holds in all: with many elections only the first of each are listed."""
SESSIONS = 500
"""Sessions listed, those with the most transactions."""
NARROWED = ("roles", "elections", "epochs", "syncs")
_ALL = Window()


@dataclass(frozen=True)
class Wish:
    """What was asked of the report."""

    title: str | None = None
    note: str | None = None
    only: Sequence[str] = ()
    skip: Sequence[str] = ()
    window: Window = _ALL
    command: str = "EVIDENCE"
    """The evidence as it was named, ready to stand in a command."""
    locate: Callable[[str], str | None] = lambda source: None
    """Where the file of that name lies as a plain file, ready to stand in a command."""


@dataclass(frozen=True)
class Findings:
    """Everything that was concluded, and the documents of layers that the report does not know."""

    history: History
    judgement: Judgement
    prediction: Prediction | None = None
    check: Mapping[str, Any] | None = None
    incidents: Mapping[str, Any] | None = None
    elections: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    """``accounts`` and ``phases`` of elections, by their number."""
    clocks: pl.DataFrame = field(default_factory=lambda: schema.frame(schema.CLOCKS))
    """How far the servers' clocks stood apart: the report draws their times on one."""
    pauses: pl.DataFrame = field(default_factory=lambda: schema.frame(schema.PAUSES))
    losses: pl.DataFrame = field(default_factory=lambda: schema.frame(schema.LOSSES))


@dataclass(frozen=True)
class Content:
    """``rows`` by name, and the frames that the charts are drawn from."""

    history: History
    judgement: Judgement
    sections: Mapping[str, str]
    wish: Wish
    rows: Mapping[str, Any] = field(default_factory=dict)
    alignment: Alignment = field(default_factory=Alignment)
    pauses: pl.DataFrame = field(default_factory=lambda: schema.frame(schema.PAUSES))

    def drawn(self) -> tuple[History, Judgement, pl.DataFrame]:
        """All with the times on one clock, for charts and for nothing else."""
        how = self.alignment
        return aligning.aligned(self.history, how), aligning.judged(self.judgement, self.history, how), aligning.paused(self.pauses, how)


def gather(findings: Findings, wish: Wish) -> Content:
    """Everything the report says. Raises UsageError for sections that do not exist."""
    history, shown = findings.history, narrowed(findings.history, wish.window)
    names = wording.Names.of(history.trace.servers)
    one_clock = alignment(findings.clocks)
    drawn = aligning.aligned(shown, one_clock)
    verdict = documents.verify(history, narrowed_writes(findings.judgement, wish.window))
    elections = documents.elections(shown)
    return Content(
        shown,
        findings.judgement,
        sections.chosen(wish.only, wish.skip),
        wish,
        {
            "title": wish.title or "What became of the writes",
            "note": wish.note,
            "evidence": wish.command,
            "verdict": {**verdict, "counts": findings.judgement.counts, "counts_by_op": findings.judgement.counts_by_op},
            "counted": facts.counted(findings.judgement),
            "from_text": facts.from_text(findings.judgement),
            "hidden": _hidden(findings, shown, verdict),
            "read": facts.read(history),
            "files": facts.files(history),
            "numbers": facts.numbers(history, findings.judgement),
            "outages": facts.outages(history),
            "advice": advice.advice(findings.judgement, findings.prediction, names),
            "apart": charts.clocks_apart(drawn),
            "aligned": one_clock.said(names, history.roles["server"]),
            "shifted": bool(one_clock.shifts),
            "happened": story.happened(shown, one_clock, _noticed(findings, wish.window)),
            "elections": _with_fewer_votes(elections["elections"]),
            "phases": _phases(findings.elections, elections["elections"]),
            "durations": _durations(findings.elections, elections["elections"]),
            "unavailable": elections["unavailable"],
            "ballots": ballots.elections(drawn),
            "zxids": ballots.zxids(history),
            "epochs": documents.epochs(shown)["epochs"],
            "syncs": documents.syncs(shown)["syncs"],
            "prediction": None if findings.prediction is None else documents.predict(findings.prediction, names),
            "damage": list(wording.rows(history.trace.damage.head(BOUND), names)),
            "damaged": history.trace.damage.height,
            "sources": list(wording.rows(history.trace.sources, names)),
            "unknown": list(wording.rows(documents.unknown_shapes(history.trace.lines).head(BOUND), names)),
            "sessions": sessions(history, names),
            "zones": zones(history, names),
            "check": _starts(findings.check),
            "incidents": _clocks(findings.incidents),
        },
        one_clock,
        _narrow(findings.pauses, wish.window),
    )


def narrowed(history: History, window: Window) -> History:
    """The History with the rows that lie in the window; a table that has nothing to compare a bound with stays whole."""
    tables: dict[str, Any] = {name: _narrow(getattr(history, name), window) for name in NARROWED}
    times = [None if bound is None else bound.time for bound in (window.low, window.high)]
    kept = [pl.col("server").is_in(list(window.servers))] if window.servers else []
    kept += [pl.col("end") >= times[0]] if times[0] else []
    kept += [pl.col("start") <= times[1]] if times[1] else []
    tables["processes"] = history.processes.filter(pl.all_horizontal(kept).fill_null(True)) if kept else history.processes
    return replace(history, **tables)


def narrowed_writes(judgement: Judgement, window: Window) -> Judgement:
    """The same judgement, listing only the writes in the window, and what clients did with them."""
    return replace(judgement, writes=_narrow(judgement.writes, window), clients=_narrow(judgement.clients, window))


def _noticed(findings: Findings, window: Window) -> story.Noticed:
    return story.Noticed(_narrow(findings.losses, window), _narrow(findings.pauses, window))


def _narrow(df: pl.DataFrame, window: Window) -> pl.DataFrame:
    try:
        return window.narrow(df)
    except UsageError:  # no column to compare this bound with: all rows are shown
        return df


def _hidden(findings: Findings, shown: History, verdict: Mapping[str, Any]) -> int:
    """How many rows of the main tables the window hides."""
    tables: int = sum(getattr(findings.history, name).height - getattr(shown, name).height for name in NARROWED if name != "roles")
    return tables + documents.listed_writes(findings.judgement, every=False).height - len(verdict["writes"])


def _with_fewer_votes(elections: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Elections with at most VOTES votes in all; ``votes_hidden`` counts the others of each."""
    share = max(VOTES // max(len(elections), 1), 10)
    return [{**row, "votes": row["votes"][:share], "votes_hidden": max(len(row["votes"]) - share, 0)} for row in elections]


def _phases(told: Mapping[int, Mapping[str, Any]], elections: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Where the time went, a row per election that can tell."""
    found = [(row["id"], told.get(row["id"], {}).get("phases")) for row in elections]
    return [{"id": number, **phases} for number, phases in found if phases]


def _durations(told: Mapping[int, Mapping[str, Any]], elections: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """How long each server was LOOKING, by its lines and by the number it logged itself."""
    keys = ("server", "start", "duration_ms", "logged_ms", "logged_is", "result")
    accounts = [(row["id"], account) for row in elections for account in told.get(row["id"], {}).get("accounts", ())]
    return [{"id": number, **{key: account[key] for key in keys}} for number, account in accounts]


def _starts(check: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The document of ``check``, what would start in words."""
    words = {True: "yes", False: "no", None: "cannot tell"}
    return check and {**check, "servers": [{**row, "starts": words[row["would_start"]]} for row in check["servers"]]}


def _clocks(incidents: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The document of ``incidents``, the bounds of clocks apart, and no cause said to be none."""
    if incidents is None:
        return None
    clocks = [{**row, **dict(zip(("least", "most"), map(_ms, row["offset_ms"]), strict=True))} for row in incidents["clocks"]]
    losses = [
        {**row, "lost": _whom(row), "what": row.get("what"), "cause": row["cause"] or "no cause visible"}
        for row in incidents["losses"]
    ]
    return {**incidents, "clocks": clocks, "losses": losses}


def _whom(loss: Mapping[str, Any]) -> Any:
    return "itself" if loss["lost"] == loss["server"] else loss["lost"]


def _ms(bound: int | None) -> str:
    return "not bounded" if bound is None else f"{bound:+d} ms"


def sessions(history: History, names: wording.Names) -> list[dict[str, Any]]:
    """Sessions by their transactions on the newest disks: when each was opened, what it wrote, when it was closed."""
    records = history.trace.txns.filter((pl.col("copy") == 0) & pl.col("session").is_not_null() & (pl.col("session") != 0))
    once = records.select("session", "zxid", "time", "op", "timeout").unique(["session", "zxid"], keep="first", maintain_order=True)
    opened, closed = pl.col("op") == "createSession", pl.col("op") == "closeSession"
    table = once.group_by("session", maintain_order=True).agg(
        pl.col("timeout").drop_nulls().first(),
        pl.col("time").filter(opened).min().alias("opened"),
        pl.col("time").filter(closed).max().alias("closed"),
        (~(opened | closed)).sum().alias("writes"),
        pl.col("time").max().alias("last"),
        pl.col("zxid").min().alias("first_zxid"),
        pl.col("zxid").max().alias("last_zxid"),
    )
    if history.trace.long is not None:  # most records were left out: there they are counted
        asides = once.filter(opened | closed).group_by("session").agg(pl.len().cast(pl.Int64).alias("asides"))
        counted = history.trace.long.sessions.join(asides, on="session", how="left")
        written = counted.select("session", writes=pl.col("records") - pl.col("asides").fill_null(0))
        table = table.drop("writes").join(written, on="session").select(table.columns)
    most = table.sort("writes", "session", descending=[True, False]).head(SESSIONS)
    return list(wording.rows(most, names))


def zones(history: History, names: wording.Names) -> list[dict[str, Any]]:
    """Per server what identified it, its version and the zone its log stamps are read in."""
    columns = [column.name for column in schema.SERVERS]
    return list(wording.rows(history.trace.servers.select(columns), names))
