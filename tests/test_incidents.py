"""Who lost whom, and why: the faults of captured incidents are known from outside (signals and partitions with their times)."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner

from zabtrace.cli.commands import zabtrace
from zabtrace.evidence import gather
from zabtrace.incidents import Incidents, incidents
from zabtrace.incidents.scene import sets_of
from zabtrace.replay import replay

ROOT = Path(__file__).parent
DATA = ROOT / "data" / "incidents"
SAMPLES = ROOT.parent / "sample_logs"

# incident: (who noticed, whom it lost): a word of each cause, in the order in which it was noticed
CAUSES = {
    # the leader, server 3, was stopped (SIGSTOP) past the sync limit and resumed
    DATA / "paused-3.8.0": {
        (1, 3): ["Server 3 was paused"],
        (2, 3): ["Server 3 was paused"],
        (3, 2): ["Server 3 was paused"],
        (3, 1): ["Server 3 was paused"],
        (3, 3): ["It had lost servers 1 and 2. Server 3 was paused"],
    },
    # the follower, server 1, was stopped and resumed three times
    DATA / "flapping-3.9.3": {(2, 1): ["Server 1 was paused"] * 3, (1, 2): ["Server 1 was paused"] * 3},
    # server 2, leading, was cut off from its peers
    SAMPLES / "shadowed-3.9.3": {
        (1, 2): ["server 2 was cut off from servers 1 and 3"],
        (3, 2): ["server 2 was cut off from servers 1 and 3"],
        (2, 3): ["server 2 was cut off from servers 1 and 3"],
        (2, 1): ["server 2 was cut off from servers 1 and 3"],
        (2, 2): ["It had lost servers 1 and 3. The network"],
    },
    # the followers 1 and 2 were stopped and killed, the leader 3 was killed
    SAMPLES / "truncated-3.8.0": {(s, s): [f"Server {s} was killed"] for s in (1, 2, 3)},
    # 5, leading, was killed; 2, 3 and 4 were stopped and killed; 1 lost its leader
    SAMPLES / "recovered-3.8.0": {**{(s, s): [f"Server {s} was killed"] for s in (2, 3, 4, 5)}, (1, 5): ["Server 5 was killed"]},
    # the follower 1, then the observer 4 were killed; logs in Europe/Berlin
    SAMPLES / "observer-3.6.3": {(3, 1): ["Server 1 was killed"], (3, 4): ["Server 4 was killed"],
                                 (1, 1): ["Server 1 was killed"], (4, 4): ["Server 4 was killed"]},
}  # fmt: skip


@cache
def found(folder: Path) -> Incidents:
    return incidents(replay(gather([str(folder)])))


@pytest.mark.parametrize("folder", CAUSES, ids=lambda folder: folder.name)
def test_causes_are_what_was_done(folder: Path) -> None:
    causes: dict[tuple[int, int], list[str | None]] = {}
    for server, lost, cause in found(folder).losses.select("server", "lost", "cause").iter_rows():
        causes.setdefault((server, lost), []).append(cause)
    expected = CAUSES[folder]
    assert causes.keys() == expected.keys()
    assert [[word in (cause or "") for word, cause in zip(words, causes[key], strict=True)] for key, words in expected.items()] == [
        [True] * len(words) for words in expected.values()
    ], causes


@pytest.mark.parametrize("folder", CAUSES, ids=lambda folder: folder.name)
def test_evidence_quotes_the_lines(folder: Path) -> None:
    for evidence in found(folder).losses["evidence"]:
        for item in evidence:
            lines = (folder.parent / item["source"]).read_text().split("\n")
            assert (item["says"] or "").strip() in lines[item["line"] - 1]


def test_a_pause_is_never_shorter_than_what_was_done() -> None:
    """Server 3 was stopped from 00:13:59.437 to 00:14:08.356."""
    cause = found(DATA / "paused-3.8.0").losses["cause"][0]
    silence = re.search(r"from (\S+) to (\S+),", cause)
    assert silence is not None
    assert silence[1] <= "2026-11-21T00:13:59.437Z"
    assert silence[2] == "2026-11-21T00:14:08.357Z"


@pytest.mark.parametrize("folder", [*CAUSES], ids=lambda folder: folder.name)
def test_nothing_contradicts_time(folder: Path) -> None:
    assert found(folder).findings.is_empty()


def test_without_the_other_log_no_cause_is_named(tmp_path: Path) -> None:
    """Server 1 alone shows that its leader fell silent, not why."""
    losses = incidents(replay(gather([str(DATA / "paused-3.8.0" / "server-1")]))).losses
    assert losses.select("server", "lost", "cause").rows() == [(1, 3, None)]


def test_the_document_has_what_others_rely_on() -> None:
    done = CliRunner().invoke(zabtrace, ["incidents", str(DATA / "paused-3.8.0"), "--format", "json"])
    document = json.loads(done.output)
    assert done.exit_code == 0
    assert document["format"] == 1
    assert {"time", "server", "lost", "cause", "evidence"} <= document["losses"][0].keys()
    assert {"server", "against", "offset_ms"} <= document["clocks"][0].keys()
    assert document["findings"] == []


def test_sids_of_a_quorum_line() -> None:
    assert sets_of("1,2") == (frozenset({1, 2}),)
    assert sets_of("[ [1, 2],[2, 3] ]") == (frozenset({1, 2}), frozenset({2, 3}))
    assert sets_of("[ [] ]") == (frozenset(),)
