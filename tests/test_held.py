"""Lines of text logs as they are held: packed or not, the answers are the same."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from zabtrace import evidence, schema
from zabtrace.grammar.kinds import NOTIFICATIONS
from zabtrace.held import Packed, Plain
from zabtrace.logs import read_log
from zabtrace.source import Source

SAMPLES = Path(__file__).parent.parent / "sample_logs"
STAMP = "2026-11-21 00:00:{:02},000 [myid:1] - {} [QuorumPeer[myid=1](plain=0.0.0.0:2181):o.a.z.s.q.{}@1] - {}"


def log_of(tmp_path, *lines, **how):
    (tmp_path / "zookeeper.log").write_text("".join(f"{line}\n" for line in lines))
    return read_log(Source("zookeeper.log", tmp_path / "zookeeper.log"), **how).held


@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.iterdir() if path.is_dir()))
@pytest.mark.parametrize("routine", [True, False])
def test_packed_evidence_answers_as_it_is(name, routine):
    plain, packed = (evidence.gather([str(SAMPLES / name)], routine=routine, pack=pack) for pack in (False, True))
    assert isinstance(plain.held, Plain) and isinstance(packed.held, Packed)
    assert_frame_equal(plain.lines, packed.lines)
    assert plain.fields.keys() == packed.fields.keys()
    for kind, frame in plain.fields.items():
        assert_frame_equal(frame, packed.fields[kind], check_column_order=False)
    kinds = plain.lines["kind"].drop_nulls().unique().to_list()
    for asked in ([kind] for kind in [*kinds, "no_such_kind"]):
        for only in (None, (), ("thread", "zxid", "sid")):
            assert_frame_equal(plain.events(*asked, only=only), packed.events(*asked, only=only), check_column_order=False)
    assert_frame_equal(plain.events(*NOTIFICATIONS), packed.events(*NOTIFICATIONS), check_column_order=False)
    assert plain.held.servers() == packed.held.servers()
    for server in plain.held.servers():
        asked = plain.held.columns("line", "kind", "logger", server=server), packed.held.columns("line", "kind", "logger", server=server)
        assert_frame_equal(*asked)
    loud = pl.col("level") == "WARN"
    found = [held.search(loud).sort("server", "order", "line") for held in (plain.held, packed.held)]
    assert_frame_equal(*found)
    for source, line, message in plain.lines.select("source", "line", "message").rows()[::17]:
        assert packed.held.message(source, line) == plain.held.message(source, line) == message


def test_lines_of_no_kind_and_of_several_batches(tmp_path, monkeypatch):
    monkeypatch.setattr("zabtrace.logs.records.ROWS", 2)
    monkeypatch.setattr("zabtrace.logs.read.BLOCK", 400)
    said = ["LOOKING", "nobody knows this", "FOLLOWING", "LOOKING", "nor this", "LEADING"]
    lines = [STAMP.format(second, "INFO ", "QuorumPeer", text) for second, text in enumerate(said)]
    packed = log_of(tmp_path, *lines, pack=True)
    assert packed.columns("line", "message").rows() == list(enumerate(said, 1))
    assert packed.columns("kind")["kind"].to_list() == ["state_looking", None, "state_following", "state_looking", None, "state_leading"]
    assert [packed.message("zookeeper.log", line) for line in (2, 4, 5, 7)] == ["nobody knows this", "LOOKING", "nor this", None]
    assert packed.message("another.log", 2) is None
    assert packed.search(pl.col("kind").is_null())["line"].to_list() == [2, 5]


def test_a_log_that_stands_upside_down(tmp_path):
    said = [("LOOKING", "FOLLOWING")[number % 2] for number in range(30)]
    lines = [STAMP.format(second, "INFO ", "QuorumPeer", text) for second, text in enumerate(said)]
    plain, packed = (log_of(tmp_path, *lines[::-1], pack=pack) for pack in (False, True))
    assert packed.columns("message")["message"].to_list() == said
    assert_frame_equal(plain.lines, packed.lines.with_columns(server=None, order=None).cast(schema.types(schema.LINES)))


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_number_at_the_end_of_a_log_that_ends_within_a_line(tmp_path, end):
    said = ["LOOKING", "New election. My id = 1, proposed zxid=0x100000005", "New election. My id = 1, proposed zxid=0x10000"]
    lines = [STAMP.format(second, "INFO ", "FastLeaderElection" if second else "QuorumPeer", text) for second, text in enumerate(said)]
    (tmp_path / "zookeeper.log").write_text("\n".join(lines) + end)
    packed = read_log(Source("zookeeper.log", tmp_path / "zookeeper.log"), pack=True).held
    assert packed.events("fle_new_election", ("zxid",))["zxid"].to_list() == [0x100000005, 0x10000 if end else None]


def test_nothing_packed():
    assert_frame_equal(Packed().lines, Plain().lines)
    assert Packed().fields == {} and Packed().servers() == []
    assert_frame_equal(Packed().search(pl.col("kind").is_null()), Plain().lines)
