"""The timeline: lanes, bars, marks and lines, from frames."""

import json
from dataclasses import replace

import incident
import polars as pl
import pytest

from zabtrace import charts, schema
from zabtrace.charts.looks import FATES, MODES, ROLES
from zabtrace.charts.progress import POINTS, Scale, binned, thinned
from zabtrace.evidence.trace import Trace
from zabtrace.fates.judgement import FATES as ALL_FATES
from zabtrace.fates.judgement import Judgement
from zabtrace.held import Plain
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
    kept = thinned(rows)["zxid"]
    assert (kept[0], kept[-1]) == (0, 100_000)
    assert 1000 < len(kept) <= POINTS


def test_times_no_calendar_has_break_nothing():
    records = [{"server": 1, "copy": 0, "source": "log.1", "zxid": 1 + n, "time": time} for n, time in enumerate([None, incident.at(0)])]
    txns = schema.frame(schema.TXNS, records).with_columns(pl.Series("time", [2**63 - 1, 1795219789857]).cast(schema.TIME))
    figure = charts.timeline(History(trace=Trace(txns=txns)), Judgement())
    assert len(figure.data[0].x) == 1


def test_nothing_at_all_is_an_empty_chart():
    assert charts.timeline(History(trace=Trace()), Judgement()).data == ()


def test_charts_whose_clocks_are_apart_have_their_own_axes():
    history = incident.history()
    assert charts.clocks_apart(history) is None
    assert charts.timeline(history, incident.judgement()).layout.xaxis.matches == "x3"
    hour = pl.duration(hours=1)
    late = replace(history, roles=history.roles.with_columns(pl.col("start", "end") + hour))
    assert "--timezone" in (charts.clocks_apart(late) or "")
    assert charts.timeline(late, incident.judgement()).layout.xaxis.matches is None


def test_a_mark_carries_its_evidence(figure):
    heading, sentence, places, zxid = named(figure, "truncated (2)")["customdata"][0]
    assert (heading, zxid) == ("0x100000007 truncated", "0x100000007")
    assert places == ["server-3/zookeeper.log:312", "before:server-3/log.100000001 at byte 716"]
    assert "discarded by epoch 2" in sentence
    assert named(figure, "LEADING")["customdata"][0][2] == ["server-2/zookeeper.log:5"]


def test_a_server_of_which_nothing_was_read_is_drawn_as_unknown():
    history = incident.history()
    fewer = replace(history, roles=history.roles.filter(pl.col("server") != 3))
    unknown = named(json.loads(charts.figure_json("timeline", fewer, incident.judgement())), "UNKNOWN")
    assert unknown["y"] == ["server zk-&lt;b&gt;x", "server 3"]
    assert unknown["x"][1] == 20_000.0


def test_a_write_in_several_logs_counts_once_in_the_rate():
    records = pl.DataFrame({"server": [1, 2, 1, 2, 1], "time": [0, 0, 5, 5, 2000]}, schema={"server": pl.Int64, "time": schema.TIME})
    width, table = binned(records)
    assert table["records"].sum() == 3
    assert table["records"].to_list()[0] == 2
    assert width == 10


def test_pauses_lie_before_the_line_that_tells_of_them():
    history = incident.history()
    line = {"server": 1, "source": "a.log", "order": 0, "line": 9}
    lines = schema.frame(schema.LINES, [{**line, "time": incident.at(10), "kind": "jvm_pause", "message": "Detected pause"}])
    fields = {"jvm_pause": pl.DataFrame([{**{key: line[key] for key in ("server", "source", "line")}, "ms": 3000}])}
    paused = replace(history, trace=replace(history.trace, held=Plain(lines, fields)))
    pause = named(json.loads(charts.figure_json("timeline", paused, incident.judgement())), "pause")
    assert (pause["base"], pause["x"]) == ([round(incident.at(7).timestamp() * 1000)], [3000.0])


def test_incidents_are_what_happened_merged_where_they_touch():
    found = charts.incidents(incident.history(), incident.judgement())
    assert [row["title"] for row in found] == ["no writes for 2.3 s; election 1, 2 wins", "server 3: TRUNC to 0x100000006"]
    assert found[0]["from"] == round(incident.at(5).timestamp() * 1000) - 1000
    assert all(row["lines"] == [] for row in found)


def test_many_intervals_are_lines_with_gaps():
    history = incident.history()
    many = pl.concat([history.roles] * 100)
    figure = json.loads(charts.figure_json("timeline", replace(history, roles=many), incident.judgement()))
    assert named(figure, "LEADING")["type"] == "scatter"
    assert named(figure, "LEADING")["x"][2] is None
