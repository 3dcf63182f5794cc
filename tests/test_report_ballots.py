"""An election as messages: arrows, changes of vote with their rule, quorums, decisions; and the matrices beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import incident
import pytest
from browser import browser, needs_chromium, opened

from zabtrace import schema
from zabtrace.replay.history import History
from zabtrace.replay.votes import Given
from zabtrace.report import ballots, page
from zabtrace.report.content import Findings, Wish, gather

OLD, NEW = 0x100000006, 0x100000008


def voted() -> History:
    """1 votes for itself, hears 2 (whose zxid is larger) and follows it; 2 hears 1 twice. 1's second vote was sent unseen."""
    log = {"source": "s.log", "state": "LOOKING", "round": 2, "peer_epoch": 1, "election": 1}
    rows = [
        (1, 1, 1, OLD, 5.1, 10), (2, 2, 2, NEW, 5.2, 11), (2, 1, 2, NEW, 5.4, 12), (1, 2, 1, OLD, 5.5, 13), (1, 2, 2, NEW, 5.8, 14),
    ]  # fmt: skip
    votes = [
        {**log, "server": server, "seen_by": seen, "voted_for": leader, "zxid": zxid, "time": incident.at(second), "line": line}
        for server, seen, leader, zxid, second, line in rows
    ]
    return replace(incident.history(), cast=Given(schema.frame(schema.VOTES, votes)))


@pytest.fixture(scope="module")
def election() -> dict[str, Any]:
    return ballots.elections(voted())[0]


def of(election: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [step for step in election["steps"] if step["kind"] == kind]


def test_arrows_run_from_sender_to_receiver_and_begin_where_the_sender_printed(election: dict[str, Any]) -> None:
    arrows = [(step["sender"], step["server"], step["sent"]) for step in of(election, "vote")]
    ms = round(incident.at(0).timestamp() * 1000)
    assert arrows == [("2", "1", ms + 5200), ("1", "2", ms + 5100), ("1", "2", None)]


def test_a_change_of_vote_names_its_rule(election: dict[str, Any]) -> None:
    changes = [(step["server"], step["text"].rpartition(": ")[2]) for step in of(election, "change")]
    assert changes == [("1", "its first vote"), ("2", "its first vote"), ("1", "larger zxid")]


def test_the_quorum_stands_when_the_second_equal_vote_is_printed(election: dict[str, Any]) -> None:
    quorum = of(election, "quorum")
    assert [(step["server"], step["places"]) for step in quorum] == [("2", ["s.log:14"])]
    assert "equal votes of 1, 2" in quorum[0]["text"]


def test_matrices_hold_the_last_vote_and_the_last_zxid(election: dict[str, Any]) -> None:
    assert election["matrix"][0] == {"server": 1, "cells": ["1 (0x100000006, e1)", "2 (0x100000008, e1)"]}
    table = ballots.zxids(incident.history())
    assert table["epochs"] == [1, 2]
    assert table["rows"][0] == {"server": 1, "cells": ["0x100000006", "0x200000001"]}


@needs_chromium
def test_the_election_is_stepped_through(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(page.html(gather(Findings(voted(), incident.judgement()), Wish(only=("elections",)))))
    with browser() as chromium, opened(chromium, file) as seen:
        root = seen.page.locator("#spacetime")
        root.get_by_label("First step").click()
        assert root.locator(".said").inner_text().startswith("1 of ")
        assert root.locator("g.step:not(.later)").count() == 1
        root.get_by_role("button", name="Next").click()
        assert root.locator("g.step:not(.later)").count() == 2
        assert root.locator("line.arrow").count() == 3
        assert root.locator("line.unsure").count() == 1
        assert seen.errors == []
