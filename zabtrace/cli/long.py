"""Listings of more writes than can be held at once: ``verify`` prints them part by part."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from zabtrace.cli.asked import Asked
from zabtrace.cli.output import STREAMED, put, put_parts

if TYPE_CHECKING:
    import polars as pl

    from zabtrace.documents.window import Window
    from zabtrace.fates.judgement import Judgement
    from zabtrace.render.views import View
    from zabtrace.replay.history import History


def put_writes(asked: Asked, history: History, judgement: Judgement, window: Window, *, every: bool, top: int | None) -> None:
    """Write what ``verify`` lists of a folded history, in the format asked for."""
    from zabtrace import wording
    from zabtrace.fates import unfold
    from zabtrace.render import writes

    frames = unfold.parts(history, judgement, every=every)
    names = wording.Names.of(history.trace.servers)
    if asked.format in STREAMED:
        put_parts(asked, (writes.part(shown, names, hidden) for shown, hidden in _shown(frames, window, top)))
    else:
        put(asked, _view(asked, history, judgement, window, frames, every=every, top=top))


def _shown(frames: Iterator[pl.DataFrame], window: Window, top: int | None) -> Iterator[tuple[pl.DataFrame, int]]:
    """What the window shows of each part, the first ``top`` writes in all, and how many it hides."""
    left = top
    for frame in frames:
        shown = window.narrow(frame)
        shown = shown if left is None else shown.head(left)
        left = None if left is None else left - shown.height
        yield shown, frame.height - shown.height
        if left == 0:
            return


def _view(
    asked: Asked, history: History, judgement: Judgement, window: Window, frames: Iterator[pl.DataFrame], *, every: bool, top: int | None
) -> View:
    """The document, with its writes as they come; a screen has the first ones only, and says how many more there are."""
    import polars as pl

    from zabtrace import wording
    from zabtrace.render import answers, screens, writes
    from zabtrace.render.views import View

    names = wording.Names.of(history.trace.servers)
    document = answers.verdict(history, judgement, every=every, top=1, window=window) | {"hidden": 0}
    listed = sum(count for fate, count in judgement.counts.items() if every or fate != "survived")
    table, narrowed = asked.format == "table", top is not None or window != type(window)()
    if not table and not narrowed:
        return View(document | {"writes": writes.Parts(judgement.writes.clear(), names, frames)}, "writes", [])
    few = top or screens.FEW
    chosen = [frame for frame, _ in _shown(frames, window, few if table else top)]
    found = writes.Writes(pl.concat(chosen).drop("payload_hash"), names)
    document |= {"hidden": listed - found.df.height if narrowed else 0}
    if not table:
        return View(document | {"writes": found}, "writes", [])
    document |= {"writes": list(found)}
    blocks = screens.verify(document, few)
    behind_writes = len(screens.verdict(document)) + 2
    blocks[behind_writes:behind_writes] = screens.more(listed, few, "writes") if top is None else []
    return View(document, "writes", blocks)
