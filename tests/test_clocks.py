"""Clocks: the offsets that were set when incidents were captured lie in the intervals found from cause and effect."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import polars as pl
import pytest

from zabtrace.evidence import gather
from zabtrace.incidents import Incidents, incidents
from zabtrace.replay import replay

ROOT = Path(__file__).parent
SAMPLES = ROOT.parent / "sample_logs"
# incident: how far each server's clock was set ahead of true time, in seconds
CLOCKS = {
    ROOT / "data" / "incidents" / "skewed-3.8.0": {1: -41.25, 2: 3.5, 3: 0.0},
    ROOT / "data" / "replay" / "skewed-3.9.3": {1: -8.0, 2: 0.0, 3: 62.0},
    ROOT / "data" / "incidents" / "paused-3.8.0": {1: 0.0, 2: 0.0, 3: 0.0},
    SAMPLES / "shadowed-3.9.3": {1: 0.0, 2: 0.0, 3: 0.0},
    SAMPLES / "recovered-3.8.0": dict.fromkeys(range(1, 6), 0.0),
    SAMPLES / "observer-3.6.3": dict.fromkeys(range(1, 5), 0.0),
}
STAMP = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}", re.MULTILINE)
FORM = "%Y-%m-%d %H:%M:%S,%f"


@cache
def found(folder: Path) -> Incidents:
    return incidents(replay(gather([str(folder)])))


@pytest.mark.parametrize("folder", CLOCKS, ids=lambda folder: folder.name)
def test_intervals_hold_the_true_offsets(folder: Path) -> None:
    ahead = CLOCKS[folder]
    clocks = found(folder).clocks
    pairs = {(one, other): (low, high) for one, other, low, high in clocks.select("server", "against", "low_ms", "high_ms").iter_rows()}
    assert pairs.keys() == {(one, other) for one in ahead for other in ahead if one < other}
    for (one, other), (low, high) in pairs.items():
        assert low <= (ahead[one] - ahead[other]) * 1000 <= high
        assert high - low < 1000


@pytest.mark.parametrize("folder", CLOCKS, ids=lambda folder: folder.name)
def test_clocks_that_stood_still_are_no_finding(folder: Path) -> None:
    assert "a clock was stepped" not in found(folder).findings["what"].to_list()


def shifted(source: Path, target: Path, server: int, since: str, seconds: float) -> Path:
    """A copy of an incident in which one server's clock was set from a stamp on."""
    for one in sorted(source.glob("server-*")):
        (target / one.name).mkdir(parents=True)
        for file in one.iterdir():
            text = file.read_text()
            if file.suffix == ".log" and one.name == f"server-{server}":
                text = STAMP.sub(lambda m: moved(m[0], seconds) if m[0] >= since else m[0], text)
            (target / one.name / file.name).write_text(text)
    return target


def moved(stamp: str, seconds: float) -> str:
    return (datetime.strptime(stamp, FORM) + timedelta(seconds=seconds)).strftime(FORM)[:-3]


@pytest.mark.parametrize("seconds", [30.0, -30.0])
def test_a_clock_set_between_two_elections_is_a_finding(tmp_path: Path, seconds: float) -> None:
    """In the pause of server 3, before it joins the new leader, its clock is set."""
    folder = shifted(ROOT / "data" / "incidents" / "paused-3.8.0", tmp_path, 3, "2026-11-21 00:14:08", seconds)
    answer = found(folder)
    stepped = answer.findings.filter(pl.col("what") == "a clock was stepped")
    assert stepped.height
    assert all(item["source"] and item["line"] for evidence in stepped["evidence"] for item in evidence)
    spans = answer.clocks.filter((pl.col("server") == 1) & (pl.col("against") == 2))
    assert spans.select("low_ms", "high_ms").row(0)[0] <= 0 <= spans.select("low_ms", "high_ms").row(0)[1]
    moved_spans = answer.clocks.filter(pl.col("against") == 3).filter(pl.len().over("server", "against") > 1)
    last = moved_spans.filter(pl.col("server") == 2).row(-1, named=True)
    assert last["low_ms"] <= -seconds * 1000 <= last["high_ms"]


def test_stamps_that_run_backwards_are_a_finding(tmp_path: Path) -> None:
    folder = shifted(ROOT / "data" / "incidents" / "paused-3.8.0", tmp_path, 1, "2026-11-21 00:14:03,6", -3600)
    why = found(folder).findings["why"].to_list()
    assert any("Server 1" in text or "server 1" in text for text in why)
    assert any("earlier than the line before" in text for text in why)
