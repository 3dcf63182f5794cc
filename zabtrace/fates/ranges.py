"""Discarded transactions that only text tells of: their bounds, never invented zxids.

A learner that stood above the cut of the epoch it was synchronized in discarded everything between (LearnerHandler prints its
position, the learner where it was cut to). The initial history of an established epoch is committed (C2): what a later established
epoch kept less of is lost. Where records of a range were read, the writes themselves are judged instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from zabtrace import schema
from zabtrace.fates.cuts import Cut
from zabtrace.fates.never import End
from zabtrace.replay.history import History
from zabtrace.zxid import epoch, make, text


def ranges(history: History, cuts: Mapping[int, Cut], writes: pl.DataFrame, ends: Sequence[End]) -> pl.DataFrame:
    """schema.RANGES."""
    rows = [row for sync in history.syncs.iter_rows(named=True) if (row := _range(sync, history, cuts, writes, ends))]
    return schema.frame(schema.RANGES, [*rows, *_forgotten(history, cuts, writes)])


def _forgotten(history: History, cuts: Mapping[int, Cut], writes: pl.DataFrame) -> Iterator[dict[str, object]]:
    """What an established epoch began with and a later one has not, where no record of it was read.

    Nothing is concluded from numbers where one zxid has two payloads: its epoch was numbered twice.
    """
    if (writes.get_column("fate") == "diverged").any():
        return
    had: Cut | None = None
    for cut in (cuts[e] for e in sorted(cuts)):
        if had is not None and (row := _less(had, cut, history, writes)):
            yield row
        if cut.low is None or (cut.high is not None and cut.high < cut.low):
            had = None if had is not None and _shorter(cut, had) else had
        elif had is None or _shorter(cut, had) or cut.low >= (had.low or 0):
            had = cut


def _shorter(cut: Cut, had: Cut) -> bool:
    """Did the later epoch keep less? Then what was lost is told once, by the first epoch without it."""
    return cut.high is not None and had.low is not None and cut.high < had.low


def _less(kept: Cut, cut: Cut, history: History, writes: pl.DataFrame) -> dict[str, object] | None:
    """The row of what ``kept`` had and ``cut`` has not; None where it had all, or its sources contradict each other."""
    low, high = kept.low, cut.high
    if low is None or high is None or (cut.low is not None and cut.low > high) or low <= high:
        return None
    first = max(high, make(epoch(low), 0)) + 1
    known = history.trace.stands_for(writes.filter((pl.col("zxid") >= first) & (pl.col("zxid") <= low)))
    if first > low or known == low - first + 1:
        return None
    return {
        "fate": "lost",
        "server": cut.sources[0].server if cut.sources else None,
        "from": first,
        "to": low,
        "count": low - first + 1,
        "committed": "yes",
        "evidence": [s.evidence for s in (*kept.sources[:2], *cut.sources[:2])],
        "why": f"The initial history of epoch {kept.epoch} ended at {text(low)}, that of epoch {cut.epoch} ends at {text(high)}.",
    }


def _range(
    sync: dict[str, object], history: History, cuts: Mapping[int, Cut], writes: pl.DataFrame, ends: Sequence[End]
) -> dict[str, object] | None:
    e, stood, mode = sync["epoch"], sync["learner_zxid"], str(sync["mode"])
    cut = cuts.get(e) if isinstance(e, int) else None
    kept = cut.high if cut else None
    if cut is None or kept is None or not isinstance(stood, int) or epoch(stood) >= cut.epoch or stood <= kept:
        return None
    first = max(kept, make(epoch(stood), 0)) + 1
    known = history.trace.stands_for(writes.filter((pl.col("zxid") >= first) & (pl.col("zxid") <= stood)))
    if known == stood - first + 1:
        return None
    end = next((end for end in ends if end.epoch == epoch(stood) and _discards(cuts, end.successor, cut.epoch, first)), None)
    never = end is not None and end.never_above is not None and first > end.never_above
    place = {"source": sync["source"], "line": sync["line"], "offset": None, "says": _message(history, sync)}
    learner = sync["learner"]
    return {
        "fate": "truncated" if "TRUNC" in mode else "shadowed",
        "server": learner,
        "from": first,
        "to": stood,
        "count": stood - first + 1,
        "committed": "no" if never else "unknown",
        "evidence": [place, *(s.evidence for s in cut.sources[:2])],
        "why": f"Server {learner} stood at {text(stood)} when epoch {cut.epoch} synchronized it by {mode}, "
        f"and the initial history of that epoch ends at {text(kept)}.",
    }


def _discards(cuts: Mapping[int, Cut], successor: int, e: int, first: int) -> bool:
    """Is ``successor`` the epoch ``e``, or an older one, behind which every epoch up to ``e`` began without what is from ``first`` on?

    Then N1 is of the beginning of ``successor``: what no quorum had there can only have been committed if a later epoch brought it back.
    """
    return successor == e or (successor < e and all(_lacks(cut, first) for g, cut in cuts.items() if successor <= g < e))


def _lacks(cut: Cut, first: int) -> bool:
    return cut.high is not None and max(cut.high, cut.high if cut.low is None else cut.low) < first


def _message(history: History, sync: dict[str, object]) -> str:
    found = history.trace.lines.filter((pl.col("source") == sync["source"]) & (pl.col("line") == sync["line"])).get_column("message")
    return str(found[0]) if len(found) else ""
