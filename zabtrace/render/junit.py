"""The verdict as JUnit XML, which CI servers show: a test case per claim that was checked.

Strategy: a claim is a Case; what was lost or contradicts itself fails, what cannot be told is skipped, and the verdict itself is an
error where it is undecided, so that no build turns green on it. Neighbouring writes of one fate are one claim, unless every one is
asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import polars as pl

from zabtrace import documents, wording
from zabtrace.documents import grids
from zabtrace.fates.judgement import Judgement
from zabtrace.replay.history import History

PASSED, FAILED, ERROR, SKIPPED = "passed", "failure", "error", "skipped"
VERDICTS = {"nothing_lost": PASSED, "lost": FAILED, "diverged": FAILED, "undecided": ERROR}
FATES = {"survived": PASSED, "recovered": PASSED, "lost": FAILED, "diverged": FAILED, "undecided": SKIPPED}
"""What a fate means for the claim that no committed write was lost; of the discarded ones COMMITTED tells."""
COMMITTED = {"no": PASSED, "unknown": SKIPPED, "yes": FAILED}
CLIENTS = {
    ("acknowledged", "did not"): FAILED,
    ("acknowledged", "cannot tell"): SKIPPED,
    ("unknown", "cannot tell"): SKIPPED,
}
"""Answer and outcome of a client's write; every other pair is a question that is answered, and nothing was promised and broken."""
SAID = {"acknowledged": "acknowledged", "refused": "refused", "unknown": "unanswered"}
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Case:
    """One claim: what it is about, how it came out, why, and what shows it."""

    name: str
    result: str
    message: str = ""
    shown: str = ""


def junit(history: History, judgement: Judgement, every: bool = False) -> Iterator[str]:
    """The XML, a suite at a time."""
    suites = [(name, list(cases(history, judgement, every))) for name, cases in SUITES]
    everything = [case for _, cases in suites for case in cases]
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield f'<testsuites name="zabtrace verify" {_counts(everything)}>\n'
    for name, cases in suites:
        yield f'  <testsuite name="zabtrace.{name}" {_counts(cases)}>\n'
        yield from (_case(name, case) for case in cases)
        yield "  </testsuite>\n"
    yield "</testsuites>\n"


def _counts(cases: list[Case]) -> str:
    of = {result: sum(case.result == result for case in cases) for result in (FAILED, ERROR, SKIPPED)}
    return f'tests="{len(cases)}" failures="{of[FAILED]}" errors="{of[ERROR]}" skipped="{of[SKIPPED]}" time="0"'


def _case(suite: str, case: Case) -> str:
    head = f'    <testcase classname={_attribute("zabtrace." + suite)} name={_attribute(case.name)} time="0"'
    if case.result == PASSED:
        return head + "/>\n"
    body = f"<{case.result} message={_attribute(case.message)}>{escape(_sound(case.shown))}</{case.result}>"
    return f"{head}>\n      {body}\n    </testcase>\n"


def _attribute(text: str) -> str:
    return quoteattr(_sound(text).replace("\n", " "))


def _sound(text: str) -> str:
    """Text that XML 1.0 can hold: its production Char excludes most control characters, even escaped."""
    return NOT_XML.sub("?", "\n".join(wording.plain(line) for line in text.split("\n")))


def _verdict(history: History, judgement: Judgement, every: bool) -> Iterator[Case]:
    yield Case("verdict", VERDICTS[judgement.verdict], judgement.message, "\n".join(judgement.reasons))


def _writes(history: History, judgement: Judgement, every: bool) -> Iterator[Case]:
    document = documents.verify(history, judgement, every=every)
    survived = judgement.counts["survived"]
    if survived and not every:
        yield Case(f"{survived} writes survived", PASSED)
    yield from (_group(list(members)) for _, members in groupby(document["writes"], key=_claim(every)))


def _claim(every: bool) -> Any:
    """What neighbouring writes must share to be one claim."""
    return (lambda row: row["zxid"]) if every else (lambda row: tuple(row[key] for key in ("fate", "committed", *grids.ONCE)))


def _group(rows: list[dict[str, Any]]) -> Case:
    first = rows[0]
    span = wording.span([int(row["zxid"], 16) for row in rows])
    what = f" {first['op'] or ''} {grids.paths(first)}".rstrip() if len(rows) == 1 else ""
    result = FATES.get(first["fate"]) or COMMITTED[first["committed"]]
    settled = f" What would settle it: {first['settled_by']}." if first["settled_by"] else ""
    lines = [f"{row['zxid']} {row['op'] or ''} {grids.paths(row)}: {grids.shown_by(row)}" for row in rows]
    return Case(f"{span}{what}: {first['fate']}", result, f"{first['why'] or first['fate']}{settled}", "\n".join(lines))


def _ranges(history: History, judgement: Judgement, every: bool) -> Iterator[Case]:
    names = wording.Names.of(history.trace.servers)
    for row in wording.rows(judgement.ranges, names):
        result = FATES.get(row["fate"]) or COMMITTED[row["committed"]]
        name = f"{row['from']} to {row['to'] or '?'} on server {row['server']}: {row['fate']}"
        yield Case(name, result, row["why"] or row["fate"], grids.shown_by(row))


def _clients(history: History, judgement: Judgement, every: bool) -> Iterator[Case]:
    asked = history.trace.client_ops.select("source", "line", answer="outcome")
    answered = judgement.clients.join(asked, on=["source", "line"], how="left", maintain_order="left")
    if not every:
        for answer, outcome, number in answered.group_by("answer", "outcome", maintain_order=True).len().iter_rows():
            if (answer, outcome) not in CLIENTS:
                yield Case(f"{number} {SAID[answer]} writes: {outcome}", PASSED)
    open_ = pl.any_horizontal((pl.col("answer") == answer) & (pl.col("outcome") == outcome) for answer, outcome in CLIENTS)
    for row in (answered if every else answered.filter(open_)).iter_rows(named=True):
        result = CLIENTS.get((row["answer"], row["outcome"]), PASSED)
        name = f"{wording.place(row)} {row['op']} {row['path'] or ''}: {row['answer']}, {row['outcome']}"
        yield Case(name, result, row["why"] or row["outcome"], wording.place(row))


SUITES = (("verdict", _verdict), ("writes", _writes), ("ranges", _ranges), ("clients", _clients))
