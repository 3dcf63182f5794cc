"""One clock for drawing: shifts are the least that cause and effect allow, and only what is drawn is shifted."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zabtrace import charts, schema, wording
from zabtrace.charts import aligning, progress
from zabtrace.evidence import gather
from zabtrace.fates import judge
from zabtrace.incidents import incidents
from zabtrace.incidents.alignment import Alignment, alignment, closed, least
from zabtrace.incidents.messages import messages
from zabtrace.incidents.scene import Scene
from zabtrace.render import lanes, screen
from zabtrace.replay import replay
from zabtrace.replay.history import History
from zabtrace.report import ballots, page, story
from zabtrace.report.content import Findings, Wish
from zabtrace.report.content import gather as content

DATA = Path(__file__).parent / "data"
SKEWED = DATA / "incidents" / "skewed-3.8.0"
# incident: how far each server's clock was set ahead of true time, in ms
AHEAD = {SKEWED: {1: -41250, 2: 3500, 3: 0}, DATA / "replay" / "skewed-3.9.3": {1: -8000, 2: 0, 3: 62000}}
NAMES = wording.Names()


@cache
def read(folder: Path) -> tuple[History, Alignment]:
    history = replay(gather([str(folder)]))
    return history, alignment(incidents(history).clocks)


def clocks(*rows: tuple[int, int, int | None, int | None]) -> pl.DataFrame:
    keys = ("server", "against", "low_ms", "high_ms")
    return schema.frame(schema.CLOCKS, [dict(zip(keys, row, strict=True)) for row in rows])


@pytest.mark.parametrize("folder", AHEAD, ids=lambda folder: folder.name)
def test_shifted_stamps_agree_with_true_time_and_with_every_message(folder: Path) -> None:
    history, how = read(folder)
    true = [ahead + how.of(server) for server, ahead in AHEAD[folder].items()]
    assert max(true) - min(true) < 1000  # as wide as an interval is at most (test_clocks)
    assert len(how.shifts) == 2
    assert history.terms is not None
    took = [one.ms + how.of(one.received.server) - how.of(one.sent.server) for one in messages(Scene(history, history.terms))]
    assert len(took) > 5
    assert min(took) >= -1  # stamps are cut to milliseconds


@pytest.mark.parametrize("name", ["paused-3.8.0", "flapping-3.9.3"])
def test_clocks_that_may_have_agreed_are_left_alone(name: str) -> None:
    _, how = read(DATA / "incidents" / name)
    assert (how.shifts, how.agreed) == ({}, frozenset({1, 2, 3}))


@given(st.lists(st.integers(-5000, 5000), min_size=2, max_size=6), st.data())
def test_no_message_runs_backwards_whatever_the_clocks(ahead: list[int], data: st.DataObject) -> None:
    servers = range(len(ahead))
    drawn = st.tuples(st.sampled_from(servers), st.sampled_from(servers), st.integers(0, 800))
    sent = [one for one in data.draw(st.lists(drawn, max_size=30)) if one[0] != one[1]]
    bounds: dict[tuple[int, int], float] = {}
    for sender, receiver, delay in sent:
        took = delay + ahead[receiver] - ahead[sender]  # by the printed stamps
        bounds[sender, receiver] = min(took, bounds.get((sender, receiver), took))
    tight = closed(bounds)
    assert tight is not None
    shifts = least(list(servers), tight)
    for sender, receiver, delay in sent:
        assert delay + ahead[receiver] + shifts[receiver] - ahead[sender] - shifts[sender] >= 0
    if all(most >= 0 for most in bounds.values()):
        assert set(shifts.values()) == {0}


def test_the_clock_is_kept_that_most_agree_with() -> None:
    how = alignment(clocks((1, 2, 5000, 5100), (1, 3, 5020, 5200), (2, 3, -10, 90)))
    assert (dict(how.shifts), how.agreed) == ({1: -5020}, frozenset({2, 3}))


def test_a_bound_on_one_side_is_enough() -> None:
    assert dict(alignment(clocks((1, 2, 700, None))).shifts) == {2: 700}
    assert dict(alignment(clocks((1, 2, None, -900))).shifts) == {2: -900}
    assert dict(alignment(clocks((1, 2, None, 900))).shifts) == {}


def test_two_servers_that_may_each_agree_with_a_third_but_not_with_each_other() -> None:
    how = alignment(clocks((1, 2, -50, 50), (1, 3, -50, 50), (2, 3, 60, 90)))
    assert how.of(3) - how.of(2) == 60
    assert max(abs(how.of(one) - how.of(1)) for one in (2, 3)) <= 50


def test_clocks_that_were_stepped_or_contradict_each_other_are_told() -> None:
    stepped = alignment(clocks((1, 2, 0, 10), (1, 2, 5000, 5010), (1, 3, 900, 950)))
    assert (dict(stepped.shifts), stepped.unsteady) == ({3: 900}, ((1, 2),))
    assert "what passed between servers 1 and 2 is not used" in stepped.said(NAMES)[-1]
    torn = alignment(clocks((1, 2, 100, 110), (2, 3, 100, 110), (1, 3, -10, 10)))
    assert (dict(torn.shifts), torn.torn) == ({}, True)
    assert torn.said(NAMES, [1, 2, 3]) == [
        "What messages tell of the servers' clocks contradicts itself: every time is drawn by its own server's clock."
    ]


def test_what_no_message_ties_is_named() -> None:
    (sentence,) = alignment(clocks()).said(NAMES, [1, 2])
    assert sentence == "No message tells how far off the clock of servers 1 and 2 stands: drawn as printed."
    assert alignment(clocks()).said(NAMES, [1]) == []


def test_roles_epochs_records_and_elections_are_drawn_on_one_clock() -> None:
    history, how = read(SKEWED)
    drawn = aligning.aligned(history, how)
    assert drawn.roles.select(pl.col("start") - history.roles["start"]).to_series().unique().sort().to_list() == sorted(
        timedelta(milliseconds=how.of(server)) for server in (1, 2, 3)
    )
    first, second = drawn.epochs.sort("epoch").filter(pl.col("epoch") > 0).select("established", "ended").rows()
    assert first[1] < second[0]  # by their leaders' own clocks the second epoch begins 30 s before the first
    led = {epoch: how.of(leader) for epoch, leader in history.epochs.select("epoch", "leader").iter_rows()}
    moved = drawn.trace.txns["time"].to_physical() - history.trace.txns["time"].to_physical()
    assert moved.to_list() == [led[zxid >> 32] for zxid in history.trace.txns["zxid"]]


def test_a_bar_stands_on_one_clock_and_says_its_own() -> None:
    history, how = read(SKEWED)
    figure = json.loads(charts.figure_json("timeline", aligning.aligned(history, how), judge(history)))
    leading = next(trace for trace in figure["data"] if trace["name"] == "LEADING")
    rows = history.roles.filter(pl.col("role") == "LEADING").to_dicts()
    for row, base, data in zip(rows, leading["base"], leading["customdata"], strict=True):
        assert base == row["start"].timestamp() * 1000 + how.of(row["server"])
        assert str(wording.moment(row["start"])) in data[1]
        assert ("by its own clock" in data[1]) == (row["server"] in how.shifts)


def test_arrows_of_an_election_run_forward() -> None:
    history, how = read(SKEWED)
    drawn = ballots.elections(aligning.aligned(history, how))
    steps = [step for election in drawn for step in election["steps"]]
    known = [step for step in steps if step["kind"] == "vote" and step["sent"] is not None]
    assert all(step["sent"] <= step["time"] for step in known)
    as_printed = [step for election in ballots.elections(history) for step in election["steps"] if step.get("sent") is not None]
    assert len(known) > len(as_printed)
    assert {step["time"] - step["clock"] for step in steps} == {how.of(server) for server in (1, 2, 3)}


def test_sentences_stand_in_the_order_of_one_clock_and_keep_their_stamps() -> None:
    history, how = read(SKEWED)
    told = [row["what"] for row in story.happened(history, how)]
    begins = [text for text in told if text.startswith("Epoch") and "begins" in text]
    assert [text.split()[1] for text in begins] == ["1", "2"]
    frames = ((history.processes, "start"), (history.processes, "end"), (history.elections, "end"), (history.epochs, "established"))
    stamps = {wording.moment(time) for frame, name in (*frames, (history.epochs, "ended"), (history.syncs, "time")) for time in frame[name]}
    stamps |= {wording.moment(out.start) for out in history.unavailable if isinstance(out.start, datetime)}
    assert {row["time"] for row in story.happened(history, how)} <= stamps


def test_a_pause_that_others_noticed_is_drawn_where_it_was() -> None:
    history, _ = read(DATA / "incidents" / "paused-3.8.0")
    found = incidents(history).pauses
    figure = json.loads(charts.figure_json("timeline", history, judge(history), aligning.paused(found, Alignment({3: 5000}))))
    bar = next(trace for trace in figure["data"] if trace["name"] == "printed nothing: paused")
    (begin, lasted, lane) = bar["base"][0], bar["x"][0], bar["y"][0]
    stamps = history.trace.lines.filter(pl.col("server") == 3)["time"].drop_nulls().to_physical().sort()
    gaps = stamps.diff()
    longest = gaps.arg_max()
    assert longest is not None
    assert (lane, lasted, begin - 5000) == ("server 3", gaps[longest], stamps[longest - 1])


def test_page_and_terminal_say_by_how_much() -> None:
    history, how = read(SKEWED)
    (sentence,) = how.said(NAMES)
    assert "server 1 by +41." in sentence
    assert "server 2 by -3." in sentence
    assert "the clock of server 3 is kept" in sentence
    gathered = content(Findings(history, judge(history), clocks=incidents(history).clocks), Wish(only=("timeline",)))
    assert sentence in page.html(gathered)
    assert sentence in "".join(screen.plain(lanes.blocks(history, how)))
    assert sentence not in "".join(screen.plain(lanes.blocks(history)))


def test_records_that_were_logged_twice_are_drawn_once() -> None:
    history, _ = read(SKEWED)
    twice = pl.concat([history.trace.txns, history.trace.txns.filter(pl.col("server") == 3)])
    again = replace(history, trace=replace(history.trace, txns=twice))
    assert progress.timed(again).height == progress.timed(history).height
