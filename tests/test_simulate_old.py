"""Simulated elections by the older algorithms of 3.4 and 3.5: who wins, what is printed, and that zabtrace finds nothing wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from simulated import THREE_TERMS, alarms, played

from zabtrace.errors import UsageError
from zabtrace.evidence import gather
from zabtrace.simulate import evidence, journal

DISKS = "disk 1 epoch 2 zxid 1/8\ndisk 2 epoch 1 zxid 1/8\ndisk 3 epoch 1 zxid 1/7\n"
"""By epoch 1 would win; by zxid, then server id, 2 does: the older elections know no epoch (protocol.legacy)."""


@pytest.mark.parametrize(("algorithm", "leader"), [(0, 2), (1, 2), (2, 2), (3, 1)])
@pytest.mark.parametrize("seed", range(3))
def test_the_older_elections_know_no_epoch(algorithm: int, leader: int, seed: int) -> None:
    ensemble, _ = played(f"version 3.4.14\nelectionAlg {algorithm}\nservers 1 2 3\n{DISKS}start all\nwait 3 s", seed)
    decided = [step for step in ensemble.steps if step.kind == journal.DECISION]
    assert decided[0].facts["leader"] == leader


@pytest.mark.parametrize("algorithm", [0, 1, 2])
def test_heads_are_counted_whatever_groups_are_configured(algorithm: int) -> None:
    """1, 2 and 3 weigh nothing: for FastLeaderElection 4 and 5 are a quorum; the older ones need three heads."""
    weights = "".join(f"weight {sid} = 0\n" for sid in (1, 2, 3))
    text = f"version 3.5.9\nelectionAlg {{}}\nservers 1 2 3 4 5\ngroup 1: 1 2 3 4 5\n{weights}start 4 5\nwait 9 s"
    assert not [step for step in played(text.format(algorithm), 0)[0].steps if step.kind == journal.DECISION]
    assert [step for step in played(text.format(3), 0)[0].steps if step.kind == journal.DECISION]


@pytest.mark.parametrize("algorithm", [0, 1, 2])
@pytest.mark.parametrize("version", ["3.4.14", "3.5.9"])
def test_nothing_fires_on_a_correct_run(tmp_path: Path, algorithm: int, version: str) -> None:
    ensemble, asked = played(f"version {version}\nelectionAlg {algorithm}\n{THREE_TERMS}", algorithm)
    evidence.write(evidence.left(ensemble, asked.unknown), tmp_path / "left")
    judgement, found = alarms(tmp_path / "left")
    assert found == set()
    assert judgement.verdict in ("nothing_lost", "undecided")
    trace = gather([str(tmp_path / "left")])
    assert trace.sources["unknown"].sum() == 0
    printed = set(trace.lines["kind"].to_list())
    assert "fle_notification_received" not in printed
    assert ("le_tally_entry" if algorithm == 0 else "auth_fle_passed") in printed


def test_a_restarted_server_finds_the_leader_by_its_tally() -> None:
    ensemble, _ = played("version 3.4.14\nelectionAlg 0\nservers 1 2 3\nstart 2 3\nrest\nwrite 2\nrest\nstart 1\nrest", 5)
    last = [step for step in ensemble.steps if step.kind == journal.DECISION][-1]
    assert (last.server, last.facts["leader"], last.facts["state"], last.facts["joined"]) == (1, 3, "FOLLOWING", True)


@pytest.mark.parametrize(("text", "told"), [("electionAlg 4", "0, 1, 2 or 3"), ("electionAlg 0", "gone since 3.6.0")])
def test_what_no_release_has_is_refused(text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        played(f"version 3.8.0\n{text}\nservers 1 2 3\nstart all", 0)
