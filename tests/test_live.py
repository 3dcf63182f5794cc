"""Against a real ensemble: the truth is what its clients were answered and what the living servers say, and zabtrace must find it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from live import Live, ensemble, needs_zookeeper, until

pytestmark = needs_zookeeper
PROGRAM = str(Path(sys.executable).with_name("zabtrace"))


@dataclass
class Incident:
    """What the test did, and what it was told: the truth."""

    folder: Path
    before: Path
    acknowledged: set[str]
    unanswered: set[str]
    left: set[str]
    first_leader: int
    second_leader: int
    fate: str
    mode: str

    def asked(self, *arguments: str, codes: tuple[int, ...] = (0,)) -> Any:
        """A command's JSON about all that was saved."""
        done = subprocess.run([PROGRAM, *arguments, "--format", "json"], capture_output=True, text=True, check=False)
        assert done.returncode in codes, done.stderr
        return json.loads(done.stdout)

    @property
    def evidence(self) -> list[str]:
        return [str(one) for one in sorted(self.folder.glob("server-*"))]


def write_alone(live: Live, leader: int, names: list[str]) -> None:
    """Kill the followers, and have the leader log writes that nobody else ever receives; kill it before it steps down.

    The leader looks whether it still has a quorum every half tick (Leader.lead, 3.8), so the writes are sent before the next look.
    """
    folder = live.members[leader].folder / "data" / "version-2"
    with live.members[leader].connected() as client:
        for sid in set(live.members) - {leader}:
            live.members[sid].kill()
        for name in names:
            client.create_async(name, b"of the old leader alone")
        until(lambda: any(names[-1].encode() in log.read_bytes() for log in folder.glob("log.*")), 5)
        live.members[leader].kill()


@pytest.fixture(scope="module", params=["back before the next write", "back after the next write"])
def incident(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Incident]:
    """Three servers; acknowledged writes; a leader that logs some alone and dies; a new leader; the old one comes back.

    Before anything is written in the new epoch it is sent TRUNC; afterwards 3.8 finds a gap between the epochs in its committed log
    ("Cannot send TRUNC to peer sid") and sends a snapshot, which leaves the records in the log file.
    """
    folder = tmp_path_factory.mktemp("live")
    early = request.param == "back before the next write"
    kept, alone, after = ([f"/{name}-{n}" for n in range(count)] for name, count in (("kept", 12), ("alone", 5), ("after", 7)))
    with ensemble(folder, 3) as live:
        for one in live.members.values():
            one.start()
        first = live.leader(1, 2, 3)
        with first.connected() as client:
            for name in kept:
                client.create(name, b"answered")
        write_alone(live, first.sid, alone)
        before = folder / "before"
        shutil.copytree(first.folder, before / first.folder.name)
        others = [sid for sid in live.members if sid != first.sid]
        for sid in others:
            live.members[sid].start()
        second = live.leader(*others)
        if early:
            first.start()
            live.leader(1, 2, 3)
        with second.connected() as client:
            for name in after:
                client.create(name, b"answered")
        if not early:
            first.start()
            live.leader(1, 2, 3)
        with first.connected() as client:
            client.sync("/")
            left = {f"/{name}" for name in client.get_children("/")} - {"/zookeeper"}
        live.kill()
    yield Incident(
        folder,
        before,
        {*kept, *after},
        set(alone),
        left,
        first.sid,
        second.sid,
        *(("truncated", "TRUNC") if early else ("shadowed", "SNAP")),
    )


def test_the_ensemble_did_what_the_test_is_about(incident: Incident) -> None:
    assert incident.left == incident.acknowledged
    assert incident.first_leader != incident.second_leader


def test_what_the_old_leader_logged_alone_was_discarded_and_nothing_answered_is_lost(incident: Incident) -> None:
    verdict = incident.asked("verify", *incident.evidence, "--before", str(incident.before))
    creates = {write["path"]: write for write in verdict["writes"] if write["op"] in ("create", "create2")}
    assert set(creates) == incident.unanswered
    assert {(write["fate"], write["committed"]) for write in creates.values()} == {(incident.fate, "no")}
    assert verdict["verdict"] == "nothing_lost"


def test_every_answered_write_is_called_survived(incident: Incident) -> None:
    verdict = incident.asked("verify", *incident.evidence, "--before", str(incident.before), "--all")
    fates = {write["path"]: write["fate"] for write in verdict["writes"] if write["path"] in incident.acknowledged}
    assert fates == dict.fromkeys(incident.acknowledged, "survived")


def test_without_the_copy_from_before_the_discarded_writes_are_still_told(incident: Incident) -> None:
    """Of a cut, the text tells that there was one; what a snapshot covers still lies in the log file."""
    verdict = incident.asked("verify", *incident.evidence, codes=(0, 3))
    creates = {write["path"] for write in verdict["writes"] if write["op"] in ("create", "create2")}
    ranges = [(one["fate"], one["server"]) for one in verdict["ranges"]]
    if incident.mode == "SNAP":
        assert (creates, ranges) == (incident.unanswered, [])
    else:
        assert (creates, ranges) == (set(), [("truncated", incident.first_leader)])


def test_the_elections_end_with_the_leaders_that_the_servers_named(incident: Incident) -> None:
    told = incident.asked("elections", *incident.evidence)["elections"]
    votes = [one for one in told if one["kind"] == "vote"]
    assert [one["leader"] for one in votes if one["leader"]] == [incident.first_leader, incident.second_leader]
    # On a busy machine the first leader may see that it is alone, and look for another, before it is killed.
    assert {sid for one in votes if not one["leader"] for sid in one["servers"]} <= {incident.first_leader}
    epochs = incident.asked("epochs", *incident.evidence)["epochs"]
    assert [(one["epoch"], one["leader"]) for one in epochs] == [(1, incident.first_leader), (2, incident.second_leader)]


def test_how_the_old_leader_was_brought_up_to_date(incident: Incident) -> None:
    last = [one for one in incident.asked("syncs", *incident.evidence)["syncs"] if one["learner"] == incident.first_leader][-1]
    assert (last["mode"], last["leader"]) == (incident.mode, incident.second_leader)


def test_the_files_are_sound_and_the_tree_is_the_one_that_clients_saw(incident: Incident) -> None:
    checked = incident.asked("check", *incident.evidence, codes=(0, 3))
    assert [(one["would_start"], one["damage"]) for one in checked["servers"]] == [(True, [])] * 3
    assert "violated" not in {one["outcome"] for one in checked["checks"]}
    assert not [one for one in checked["bugs"] if one["match"] == "yes"]
    told = incident.asked("tree", *incident.evidence, "--server", str(incident.first_leader))
    paths = {node["path"] for node in told["znodes"]}
    assert {path for path in paths if path.count("/") == 1 and path not in ("/", "/zookeeper")} == incident.acknowledged
