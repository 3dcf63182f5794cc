"""Documents, screens and filters: frames in, JSON and text out."""

import csv
import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime

import incident
import polars as pl
import pytest

from zabtrace import documents, schema, wording
from zabtrace.documents.window import Point, Window, first_zxid_from, point, sids
from zabtrace.errors import UsageError
from zabtrace.render import answers, lanes, lines, records, screen, summary, views

ALL = Window()


@pytest.fixture
def history():
    return incident.history()


@pytest.fixture
def judgement():
    return incident.judgement()


def test_verify_has_the_agreed_keys_and_lists_only_what_did_not_survive(history, judgement):
    document = documents.verify(history, judgement)
    assert document["format"] == 1
    assert (document["verdict"], document["judged_from"], document["in_flight"]) == ("nothing_lost", None, 0)
    assert document["counts"] == {
        "survived": 7,
        "recovered": 0,
        "truncated": 2,
        "shadowed": 0,
        "pending": 0,
        "lost": 0,
        "diverged": 0,
        "undecided": 0,
    }
    assert document["counts_by_op"] == {"create": {"survived": 6, "truncated": 2}, "multi": {"survived": 1}}
    assert document["servers"] == [
        {"server": 1, "last_zxid": "0x200000001", "current_epoch": 2, "accepted_epoch": 2},
        {"server": "zk-<b>x", "last_zxid": None, "current_epoch": None, "accepted_epoch": None},
    ]
    assert [write["zxid"] for write in document["writes"]] == ["0x100000007", "0x100000008"]
    assert document["writes"][0] == {
        "zxid": "0x100000007",
        "fate": "truncated",
        "committed": "no",
        "rule": "N1",
        "acknowledged": "no",
        "op": "create",
        "path": incident.HOSTILE,
        "session": "0x300002267b80000",
        "cxid": 1,
        "time": "2026-11-21T00:09:52.857Z",
        "on_disk_of": [],
        "absent_from": [1, "zk-<b>x"],
        "at_next_start": "discarded",
        "why": "discarded by epoch 2",
        "settled_by": None,
        "evidence": [
            {"source": "server-3/zookeeper.log", "line": 312, "says": "[myid:3] Truncating log <b>"},
            {"source": "before:server-3/log.100000001", "offset": 716, "says": "its record"},
        ],
    }
    assert document["ranges"] == [
        {
            "fate": "truncated",
            "server": "zk-<b>x",
            "from": "0x100000009",
            "to": None,
            "count": None,
            "committed": "unknown",
            "why": "text",
            "evidence": [],
        }
    ]
    assert [(row["line"], row["outcome"]) for row in document["clients"]] == [(2, "did not")]


def test_all_lists_every_write_by_zxid_and_every_client_write(history, judgement):
    document = documents.verify(history, judgement, every=True)
    assert len(document["writes"]) == 9
    assert document["writes"][-1]["ops"] == [{"op": "create", "path": "/m"}, {"op": "delete", "path": "/n"}]
    assert document["writes"][-1]["session"] == "0xfffffffffffffffe"
    assert "ops" not in document["writes"][0]
    assert [row["line"] for row in document["clients"]] == [1, 2]


def test_filters_and_top_hide_rows_but_change_no_count(history, judgement):
    full = documents.verify(history, judgement)
    document = documents.verify(history, judgement, top=1)
    assert (len(document["writes"]), document["hidden"], document["counts"]) == (1, 1, full["counts"])
    document = documents.verify(history, judgement, every=True, window=Window(low=point("e2")))
    assert ([row["zxid"] for row in document["writes"]], document["hidden"]) == (["0x200000001"], 8)


def test_elections_draw_the_printers_of_a_vote_together(history):
    document = documents.elections(history)
    (election,) = document["elections"]
    assert {
        key: election[key] for key in ("id", "round", "start", "end", "duration_ms", "logged_ms", "leader", "epoch", "kind", "decided_by")
    } == {
        "id": 1,
        "round": 2,
        "start": "2026-11-21T00:09:54.857Z",
        "end": "2026-11-21T00:09:57.107Z",
        "duration_ms": 2250,
        "logged_ms": {"1": 254},
        "leader": 2,
        "epoch": 2,
        "kind": "vote",
        "decided_by": "sid",
    }
    assert election["votes"] == [
        {
            "time": "2026-11-21T00:09:54.957Z",
            "server": 2,
            "state": "LOOKING",
            "round": 2,
            "voted_for": 2,
            "zxid": "0x100000006",
            "peer_epoch": 1,
            "seen_by": [1, 2],
            "source": "server-2/zookeeper.log",
            "line": 5,
        },
    ]
    (window,) = document["unavailable"]
    assert (window["from"], window["to"]) == ("2026-11-21T00:09:54.857Z", "2026-11-21T00:09:57.157Z")
    assert (window["ms"], window["clock"]) == (2300, 1)


def test_epochs_tell_how_much_of_the_counter_is_used(history):
    first, second = documents.epochs(history)["epochs"]
    assert (first["status"], first["last_zxid"], first["followers"], first["ended_by"]) == ("established", "0x100000008", [1, 2], "killed")
    assert first["counter_used"] == pytest.approx(8 / 2**32)
    assert second["counter_used"] == pytest.approx(0.5)
    # epoch 2 used half of its counter (0x80000000 of 0xffffffff) in 12.7 s, from 00:09:57.157 on
    assert second["rolls_over"][:22] == "2026-11-21T00:10:22.55"
    assert second["observers"] == ["zk-<b>x"]


def test_syncs_come_by_epoch_and_draw_what_was_discarded_together(history):
    empty, cut = documents.syncs(history)["syncs"]
    assert (empty["epoch"], empty["discarded"], empty["learner_zxid"]) == (1, None, "0x0")
    assert cut["discarded"] == {"from": "0x100000007", "to": "0x100000008", "count": 2}
    assert (cut["mode"], cut["truncated_to"], cut["learner"]) == ("TRUNC", "0x100000006", 3)


def test_prediction(history):
    document = documents.predict(incident.prediction(), wording.Names.of(history.trace.servers))
    assert document["starts"][0]["discarded"] == document["starts"][0]["truncated"] == ["0x100000007", "0x100000008"]
    learner = {"server": 3, "mode": "TRUNC", "truncated_to": "0x100000006", "why": "its log is longer"}
    learner |= {"after_restart": None, "after_quorum": None}
    assert document["starts"][0]["learners"] == [learner]
    best = {"server": 2, "why": "it has everything", "would_lose": ["0x100000007"], "committed": [], "brings_back": []}
    assert document["best_to_rebuild_from"] == best == document["choices"][0]


def test_event_summary_tells_lines_per_source_and_level_and_adds_them_up(history):
    document = documents.events_summary(history.trace)
    (log,) = document["sources"]
    assert {key: log[key] for key in ("lines", "understood", "unknown", "foreign", "damaged")} == {
        "lines": 7,
        "understood": 1,
        "unknown": 5,
        "foreign": 1,
        "damaged": 0,
    }
    assert log["by_level"] == {"INFO": {"lines": 1, "understood": 1}, "WARN": {"lines": 5, "understood": 0}}
    assert document["total"]["by_level"] == log["by_level"]


def test_unknown_messages_are_counted_by_logger_and_shape(history):
    view = lines.unknown(lines.Chosen([history.trace, history.trace.__class__()], lambda part: part.lines), history.trace)
    (row,) = view.document["unknown"]
    assert (row["count"], row["logger"], row["shape"], row["line"]) == (2, "Odd", "[myid:#] # things at # \x1b[#m", 2)


def test_txns_are_one_json_line_each_in_file_order(history):
    rows = [json.loads(line) for line in views.as_ndjson(records.txns(history.trace, ALL))]
    assert len(rows) == 23
    assert (rows[0]["zxid"], rows[0]["offset"], rows[0]["session"], rows[0]["cxid"]) == ("0x100000001", 116, "0x300002267b80000", 1)
    assert [(row["server"], row["copy"]) for row in rows] == [(s, 0) for s in (1, 2, 3) for _ in range(6)] + [(3, 1)] * 2 + [
        (1, 0),
        (2, 0),
        (3, 0),
    ]
    multi = rows[-1]
    assert (multi["op"], multi["session"], multi["digest"]) == ("multi", "0xfffffffffffffffe", "0xffffffffffffffff")
    assert [member["op"] for member in multi["ops"]] == ["create", "delete"]


@pytest.mark.parametrize("labelled", [False, True])
def test_columns_and_rows_write_the_same(history, labelled):
    rows = records.txns(history.trace, ALL).document["txns"]
    rows = rows if labelled else replace(rows, names=wording.Names())
    assert [json.loads(line) for line in "".join(rows.ndjson()).splitlines()] == list(rows)
    table = list(csv.DictReader(io.StringIO("".join(rows.csv()))))
    assert [row["path"] for row in table] == [row["path"] or "" for row in rows]
    assert [json.loads(row["ops"] or "null") for row in table] == [row["ops"] for row in rows]
    assert [(row["server"], row["zxid"]) for row in table] == [(str(row["server"]), row["zxid"]) for row in rows]


def test_listings_show_control_characters_and_labels(history):
    rows = records.txns(replace(history.trace, txns=history.trace.txns.with_columns(server=pl.lit(-1, pl.Int64))), ALL).document["txns"]
    lines = "".join(rows.lines(("server", "zxid", "path", "checksum_ok"))).splitlines()
    assert lines[0].split() == ["server", "zxid", "path", "checksum_ok"]
    assert len(lines) == 24
    assert lines[19] == "zk-<b>x  0x100000007  " + wording.plain(incident.HOSTILE) + "  yes"


def test_znodes_have_their_stats(history):
    node = {
        "server": 1,
        "copy": 0,
        "source": "snapshot.0",
        "path": "/",
        "czxid": 0,
        "mzxid": 0,
        "pzxid": 0x100000002,
        "version": 0,
        "cversion": -1,
        "aversion": 0,
        "ephemeral_owner": -1,
        "data_len": 0,
    }
    (row,) = records.tree(history.trace, schema.frame(schema.ZNODES, [node]), ALL).document["znodes"]
    assert {key: row[key] for key in ("path", "czxid", "pzxid", "version", "cversion", "aversion", "ephemeral_owner")} == {
        "path": "/",
        "czxid": "0x0",
        "pzxid": "0x100000002",
        "version": 0,
        "cversion": -1,
        "aversion": 0,
        "ephemeral_owner": "0xffffffffffffffff",
    }


@pytest.mark.parametrize("name", ["elections", "epochs", "syncs"])
def test_every_format_has_the_same_rows(history, name):
    view = answers.HISTORY[name](history, ALL)
    rows = json.loads("".join(views.as_json(view)))[name]
    assert rows == [json.loads(line) for line in views.as_ndjson(view)]
    table = list(csv.DictReader(io.StringIO("".join(views.as_csv(view)))))
    assert [row["why" if name != "epochs" else "ended_by"] for row in table] == [
        (row["why"] if name != "epochs" else row["ended_by"]) or "" for row in rows
    ]
    assert pl.read_parquet(io.BytesIO(b"".join(views.as_parquet(view)))).height == len(rows)


def test_an_empty_answer_is_an_empty_list_and_a_sentence(history):
    view = answers.elections(replace(history, elections=schema.frame(schema.ELECTIONS)), ALL)
    assert json.loads("".join(views.as_json(view)))["elections"] == []
    assert list(views.as_ndjson(view)) == []
    assert "".join(views.as_csv(view)).startswith("election,round")
    assert "No election was found" in "".join(views.text(view, None))


@pytest.mark.parametrize("width", [None, 100])
def test_screens_show_evidence_as_plain_text(history, judgement, width):
    view = answers.verify(history, judgement, every=False, top=None, window=ALL)
    shown = "".join(views.text(view, width))
    assert "No committed write was lost" in shown
    assert "[bold]" in shown.replace("\n", "")
    assert "\x1b[31m" not in shown
    assert "\u202e" not in shown
    assert ("\x1b[" in shown) == (width is not None)


def test_pipes_get_whole_lines(history, judgement):
    view = answers.verify(history, judgement, every=False, top=None, window=ALL)
    (line,) = [line for line in "".join(views.text(view, None)).splitlines() if line.startswith("0x100000007")]
    assert line.endswith("server-3/zookeeper.log:312, before:server-3/log.100000001 at byte 716")


def test_the_story_of_a_zxid_names_its_records_epoch_and_what_cut_it(history, judgement):
    document = answers.argument(history, judgement, 0x100000007).document
    assert [row["fate"] for row in document["writes"]] == ["truncated"]
    assert [(row["server"], row["copy"]) for row in document["records"]] == [(3, 1)]
    assert [row["epoch"] for row in document["epoch"]] == [1]
    assert [row["mode"] for row in document["syncs"]] == ["TRUNC"]
    assert [row["line"] for row in document["clients"]] == [2]


def test_the_story_of_an_unknown_zxid_says_so(history, judgement):
    shown = "".join(views.text(answers.argument(history, judgement, 0x900000001), None))
    assert "0x900000001: no record of it was judged" in shown


def test_the_summary_names_verdict_servers_epochs_and_damage(history, judgement):
    shown = "".join(screen.plain(summary.blocks(history, judgement)))
    for words in (
        "nothing lost: No committed write was lost",
        "7 survived, 2 truncated",
        "Writes were impossible for 2.3 s",
        "torn <b>tail</b>",
        "3 of 3 voters",
    ):
        assert words in shown


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("0x100000016", Point(low=0x100000016, high=0x100000016)),
        ("1/0x16", Point(low=0x100000016, high=0x100000016)),
        ("e5", Point(low=0x500000000, high=0x5FFFFFFFF)),
        ("2026-11-21T01:09:54+01:00", Point(time=datetime(2026, 11, 21, 0, 9, 54, tzinfo=UTC))),
        ("2026-11-21 00:09:54", Point(time=datetime(2026, 11, 21, 0, 9, 54, tzinfo=UTC))),
    ],
)
def test_points(written, meant):
    assert point(written) == meant


@pytest.mark.parametrize("written", ["yesterday", "2026-13-40", "0xfffffffffffffffff", "e", ""])
def test_what_is_no_point_is_refused_with_what_to_write(written):
    with pytest.raises(UsageError, match="Write"):
        point(written)


@pytest.mark.parametrize(
    ("window", "table", "kept"),
    [
        (Window(frozenset({3})), "epochs", [1, 2]),
        (Window(frozenset({2})), "elections", [2]),
        (Window(low=point("e2")), "elections", [2]),
        (Window(high=point("0x100000003")), "epochs", [1]),
        (Window(low=point("2026-11-21T00:09:56Z")), "epochs", [2]),
        (Window(high=point("2026-11-21T00:09:50Z")), "syncs", [1]),
        (Window(low=point("0x100000007")), "syncs", [2]),
    ],
)
def test_windows(history, window, table, kept):
    frame = getattr(history, table)
    assert window.narrow(frame).sort("epoch")["epoch"].to_list() == kept


def test_a_bound_that_no_column_answers_is_refused(history):
    with pytest.raises(UsageError, match="time"):
        Window(low=point("0x5")).narrow(history.trace.lines)


def test_since_a_time_begins_at_the_lowest_zxid_not_older(history):
    txns = history.trace.txns
    assert first_zxid_from(point("2026-11-21T00:09:52Z"), txns) == 0x100000006
    assert first_zxid_from(point("e2"), txns) == 0x200000000
    with pytest.raises(UsageError, match="earlier"):
        first_zxid_from(point("2027-01-01T00:00:00Z"), txns)


def test_servers_are_named_by_sid_or_label(history):
    assert sids(("3", "zk-<b>x"), history.trace.servers) == {3, -1}
    with pytest.raises(UsageError, match="no server '9'"):
        sids(("9",), history.trace.servers)


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_terminals_get_rows_that_fit_and_tell_neighbours_once(history, judgement, width):
    view = answers.verify(history, judgement, every=False, top=None, window=ALL)
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in "".join(views.text(view, width)).splitlines()]
    assert max(map(len, lines)) <= width
    assert sum(line.startswith("0x10000000") for line in lines) == 2
    assert sum("discarded by epoch 2" in line for line in lines) == 1


def test_the_lane_chart_gives_each_server_a_row_and_each_stretch_its_role(history):
    # 0 to 20 s on 64 letters beside a name of 14: 0.3125 s each; 5 s is letter 16, 7 s is in letter 22, 12 s in letter 38.
    lines = "".join(screen.plain(lanes.blocks(history))).splitlines()
    shown = {line.split("  ")[0]: line.split()[-1] for line in lines if line.startswith("server")}
    assert shown["server 2"] == "f" * 16 + "E" * 7 + "L" * 41
    assert shown["server 3"] == "L" * 16 + "." * 22 + "f" * 26
    assert len(shown) == 4
    assert max(map(len, lines)) == lanes.SCREEN, "a terminal of 80 columns cuts nothing off"


def test_a_short_election_is_not_hidden_in_the_lane_chart(history):
    short = history.roles.with_columns(
        pl.when(pl.col("role") == "LOOKING").then(pl.col("start") + pl.duration(milliseconds=3)).otherwise(pl.col("end")).alias("end")
    )
    text = "".join(screen.plain(lanes.blocks(replace(history, roles=short))))
    assert re.search(r"^server 2  +f{16}E", text, re.MULTILINE)


def test_no_lane_chart_without_roles(history):
    assert lanes.blocks(replace(history, roles=history.roles.clear())) == []


def test_the_lane_chart_on_a_terminal_says_the_same_in_colours(history):
    blocks = lanes.blocks(history)
    coloured = "".join(screen.coloured(blocks, 140))
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured).split() == "".join(screen.plain(blocks)).split()


def test_the_worst_damage_is_told_however_much_there_is(history, judgement):
    rows = [{"source": "server-1.log", "line": line, "reason": "odd", "harm": "none"} for line in range(1, 151)]
    worst = {"source": "server-2/log.1", "offset": 7, "reason": "its checksum is wrong", "harm": "data"}
    damaged = replace(history, trace=replace(history.trace, damage=schema.frame(schema.DAMAGE, [*rows, worst])))
    view = answers.verify(damaged, judgement, every=False, top=None, window=ALL)
    assert (view.document["damaged"], view.document["damage"][0]["source"]) == (151, "server-2/log.1")
    assert "Damage: 151 places, such as server-2/log.1 at byte 7: its checksum is wrong" in "".join(screen.plain(view.blocks))
