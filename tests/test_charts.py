"""The timeline: lanes, bars, marks and lines, from frames."""

import json
from dataclasses import replace

import incident
import polars as pl
import pytest

from zabtrace import charts, schema
from zabtrace.charts import FATES, MODES, POINTS, ROLES, Scale
from zabtrace.evidence.trace import Trace
from zabtrace.fates.judgement import FATES as ALL_FATES
from zabtrace.fates.judgement import Judgement
from zabtrace.replay.history import History


@pytest.fixture(scope="module")
def figure():
    return json.loads(charts.figure_json("timeline", incident.history(), incident.judgement()))


def named(figure, name):
    return next(trace for trace in figure["data"] if trace["name"] == name)


def test_every_server_has_a_lane_the_lowest_on_top(figure):
    assert figure["layout"]["yaxis"]["categoryarray"] == ["server zk-&lt;b&gt;x", "server 3", "server 2", "server 1"]


def test_bars_are_as_long_as_the_roles_lasted(figure):
    leading = named(figure, "LEADING")
    assert (leading["y"], leading["x"], leading["text"]) == (["server 2", "server 3"], [13000.0, 5000.0], ["e2", "e1"])


def test_roles_fates_and_modes_differ_by_more_than_colour():
    for table in (FATES, MODES):
        assert len({look.shape for look in table.values()}) == len(table)
    striped = [look.shape for look in ROLES.values() if look.shape]
    assert len(set(striped)) == len(striped)
    assert set(FATES) == set(ALL_FATES) - {"survived"}


def test_elections_and_syncs_stand_on_the_lane_of_the_winner_and_the_learner(figure):
    assert named(figure, "elected")["y"] == ["server 2"]
    assert named(figure, "sync TRUNC")["y"] == ["server 3"]
    assert named(figure, "sync DIFF")["y"] == ["server 1"]


def test_fates_are_marked_at_their_zxid(figure):
    marks = named(figure, "truncated (2)")
    assert len(marks["x"]) == 2
    assert marks["y"][1] - marks["y"][0] == 1
    assert "0x100000007 truncated" in marks["hovertext"][0]


def test_lines_hold_the_newest_logs_only(figure):
    assert len(named(figure, "log of 3")["x"]) == 7  # the two records of the earlier copy are marks, not line


def test_evidence_is_no_markup_and_no_script(figure):
    text = charts.figure_json("timeline", incident.history(), incident.judgement())
    assert "<" not in text
    said = named(figure, "truncated (2)")["hovertext"][0]
    assert "/a&lt;script&gt;" in said
    assert "\x1b" not in said


def test_epochs_stand_above_one_another_without_gaps():
    writes = schema.frame(schema.WRITES, [{"zxid": z} for z in (0x100000005, 0x100000006, 0x700000001, 0x7000000FF)])
    scale = Scale.of(History(trace=Trace()), Judgement(writes=writes))
    assert scale.place(writes)["y"].to_list() == [0, 1, 3, 3 + 254]
    assert scale.ticks()["ticktext"] == ["0x100000005", "0x700000001"]


def test_long_logs_are_thinned_and_keep_their_ends():
    rows = pl.DataFrame({"zxid": range(100_001)})
    thinned = charts._thinned(rows)["zxid"]
    assert (thinned[0], thinned[-1]) == (0, 100_000)
    assert 1000 < len(thinned) <= POINTS


def test_times_no_calendar_has_break_nothing():
    records = [{"server": 1, "copy": 0, "source": "log.1", "zxid": 1 + n, "time": time} for n, time in enumerate([None, incident.at(0)])]
    txns = schema.frame(schema.TXNS, records).with_columns(pl.Series("time", [2**63 - 1, 1795219789857]).cast(schema.TIME))
    figure = charts.timeline(History(trace=Trace(txns=txns)), Judgement())
    assert [len(trace.x) for trace in figure.data] == [1]


def test_nothing_at_all_is_an_empty_chart():
    assert charts.timeline(History(trace=Trace()), Judgement()).data == ()


def test_charts_whose_clocks_are_apart_have_their_own_axes():
    history = incident.history()
    assert charts.clocks_apart(history) is None
    assert charts.timeline(history, incident.judgement()).layout.xaxis.matches == "x2"
    hour = pl.duration(hours=1)
    late = replace(history, roles=history.roles.with_columns(pl.col("start", "end") + hour))
    assert "--timezone" in (charts.clocks_apart(late) or "")
    assert charts.timeline(late, incident.judgement()).layout.xaxis.matches is None
