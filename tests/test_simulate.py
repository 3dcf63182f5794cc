"""Simulations: the textbook election step by step, what its servers leave behind, and damage that exactly one check finds."""

from __future__ import annotations

import json
import re
from pathlib import Path

import polars as pl
import pytest
from browser import browser, needs_chromium, opened
from click.testing import CliRunner
from simulated import THREE_TERMS, VERSIONS, alarms, played, random_scenario

from zabtrace import cli
from zabtrace.checks.bugs import BUGS
from zabtrace.cli.commands import zabtrace
from zabtrace.errors import UsageError
from zabtrace.evidence import gather
from zabtrace.grammar.messages import messages
from zabtrace.grammar.scenario import parse
from zabtrace.protocol.releases import RELEASES, among
from zabtrace.simulate import evidence, mutations, phrases, rendering, scenario
from zabtrace.simulate.journal import Said

TEXTBOOK = ["1:1:8", "2:1:8", "4:1:7", "--voters", "5"]


def answer(*arguments: str) -> dict:
    done = CliRunner().invoke(zabtrace, ["simulate", *arguments, "--format", "json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert cli.run(["simulate", *arguments]) == 2
    return capsys.readouterr().err


# ---------------------------------------------------------------- elections from numbers
@pytest.mark.parametrize("seed", range(12))
def test_the_textbook_election(seed: int) -> None:
    """Zxids 8 8 8 7 7 of epoch 1; 3 and 5 are down: 2 wins, by server id over 1 and by zxid over 4, whatever the network does."""
    found = answer(*TEXTBOOK, "--seed", str(seed))
    (election,) = found["rounds"]
    votes = [(vote["server"], vote["voted_for"], vote["because"]) for vote in election["votes"]]
    assert found["leader"] == election["leader"] == 2
    assert [vote for vote in votes if vote[2] == "own vote"] == [(1, 1, "own vote"), (2, 2, "own vote"), (4, 4, "own vote")]
    assert [vote for vote in votes if vote[0] == 2] == [(2, 2, "own vote")]  # nothing beats it
    assert [vote for vote in votes if vote[0] == 1][1:] == [(1, 2, "sid")]
    changes = [vote for vote in votes if vote[0] == 4][1:]
    assert changes in ([(4, 2, "zxid")], [(4, 1, "zxid"), (4, 2, "sid")])
    assert {one["server"]: (one["state"], one["leader"]) for one in election["decisions"]} == {
        1: ("FOLLOWING", 2), 2: ("LEADING", 2), 4: ("FOLLOWING", 2),
    }  # fmt: skip
    assert "by zxid over 4" in found["why"]
    assert "by server id over 1" in found["why"]
    assert [(one["epoch"], one["leader"]) for one in found["epochs"]] == [(2, 2)]
    assert {one["learner"]: one["mode"] for one in found["syncs"]} == {1: "DIFF", 4: "DIFF"}


def test_down_names_the_other_voters() -> None:
    assert answer("1:1:8", "2:1:8", "4:1:7", "--down", "3,5") == answer(*TEXTBOOK)


def test_too_few_servers_elect_nobody() -> None:
    found = answer("1:1:8", "2:1:8", "--voters", "5")
    assert found["leader"] is None
    assert "no quorum" in found["why"]


@pytest.mark.parametrize(
    ("starts", "leader"),
    [(["1:2:3", "2:1:9", "3:1:9"], 1), (["1:1:0x100000009", "2:1:8", "3:1:8"], 1), (["1:0:0", "2:0:0", "3:0:0"], 3),
     (["1:2:0x100000008", "2:1:0x100000009", "3:1:1"], 1)],
)  # fmt: skip
def test_epoch_then_zxid_then_server_id(starts: list[str], leader: int) -> None:
    assert answer(*starts)["leader"] == leader


@pytest.mark.parametrize(("version", "mode"), [("3.4.14", "TRUNC"), ("3.8.0", "TRUNC")])
def test_a_longer_log_of_a_lower_epoch_loses_and_is_cut(version: str, mode: str) -> None:
    found = answer("1:2:0x100000005", "2:2:0x100000005", "3:1:0x100000009", "--zookeeper-version", version)
    assert [(one["mode"], one["truncated_to"]) for one in found["syncs"] if one["learner"] == 3] == [(mode, "0x100000005")]
    assert [(one["server"], len(one["gone"])) for one in found["truncations"]] == [(3, 4)]


# ---------------------------------------------------------------- what is refused
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["1:1:8", "1:1:9"], "given twice"),
        (["1:1:8", "2:1:8", "--down", "2"], "given twice"),
        (["1:1:8", "9:1:8", "--voters", "1"], "--voters says 1"),
        (["1:1:8", "nonsense"], "SID:EPOCH:ZXID"),
        (["1:1:8", "--down", "x"], "--down 3,5"),
        (["1:1:8", "--zookeeper-version", "2.2.2"], "3.4.0 to"),
        (["no-such-file"], "cannot be read"),
    ],
)
def test_wrong_numbers_are_refused(capsys: pytest.CaptureFixture[str], arguments: list[str], told: str) -> None:
    assert told in refusal(capsys, *arguments)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("servers 1 2 3\nfly 3", "line 2"),
        ("servers 1 2 3\nstart 7", "server 7"),
        ("start 1", "servers 1 2 3"),
        ("servers 1 2 3\nstart all\nversion 3.8.0", "too late"),
        ("servers 1 2 3\nversion 3.77.0", "no release"),
        ("servers 1 2 3\ncrash leader", "nobody leads"),
        ("servers 1 2 3\nstart all\nmutate a dream", "no mutation"),
        ("servers 1 2 3\nstart all\nmutate a lost write", "-o"),
        ("servers 1 2 3\nstart all\nwrite 999999", "at most"),
        ("servers 1 2 3\nstart all\nwait 9999999 s", "at most"),
        ("servers 1 2 3\ngroup 1: 1 2\ngroup 2: 2 3", "in a group already"),
        ("servers 1 2 3\ntickTime 0", "at least 1"),
        ("servers 1 2 3\ndelay 9-1 ms", "larger"),
        ("servers 1 2 3\nstart 1\nwipe 1", "runs"),
        ("servers " + " ".join(map(str, range(1, 200))), "at most"),
        ("\x00\x1b[31m", "line 1"),
    ],
)
def test_wrong_scenarios_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, told: str) -> None:
    (tmp_path / "s").write_text(text)
    said = refusal(capsys, str(tmp_path / "s"))
    assert told in said
    assert "\x1b" not in said


def test_nothing_is_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").write_text("kept")
    assert "not an empty folder" in refusal(capsys, "1:1:8", "-o", str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_every_verb_of_the_grammar_does_something() -> None:
    grammar = (Path(__file__).parent.parent / "grammars" / "scenario.lark").read_text()
    assert set(re.findall(r"-> (\w+)", grammar)) == set(scenario.ACTS) | set(scenario.SETTINGS)
    for sample in re.findall(r"^//> (.+)$", grammar, re.MULTILINE):
        assert parse(sample)[0].text == sample


# ---------------------------------------------------------------- what is written
def test_everything_follows_from_the_seed() -> None:
    text = f"version 3.8.0\n{THREE_TERMS}"
    one, other, third = (evidence.left(played(text, seed)[0]) for seed in (3, 3, 4))
    assert one == other
    assert one != third


@pytest.mark.parametrize("release", RELEASES)
def test_every_line_is_taken_for_what_was_said(release: str) -> None:
    """What is rendered for a release is found again by the compiled grammar, with its kind and its fields."""
    values: dict[str, object] = {
        "my_sid": 2, "sid": 3, "zxid": 0x100000007, "leader": 3, "round": 4, "peer_epoch": 1, "state": "LOOKING", "my_state": "LOOKING",
        "format_version": 2, "config_version": 0, "ms": 400, "address": "/127.0.0.2:3888", "path": "/etc/zoo.cfg", "epoch": 0,
        "key": "zookeeper.version", "value": f"{release}-x", "role": "leading", "phase": "discovery", "spec": "127.0.0.3:2888:3888",
        "max_committed": 5, "min_committed": 1, "last_processed": 5, "peer_zxid": 3, "mode": "DIFF", "leader_zxid": 5, "db_zxid": 5,
        "sids": "[[1, 2]]", "reason": "Not sufficient followers synced",
    }  # fmt: skip
    for name in dict.fromkeys(row.name for row in phrases.PHRASES):
        given = values | ({"reason": "Waiting for a quorum of followers"} if name == "no quorum" else {})
        found = rendering.message(Said(0, name, given), release)
        if found is None:
            continue
        row, text = found
        column = pl.DataFrame({"line": [1], "level": [row.level], "logger": [row.logger], "message": [text]})
        events = messages().match(column)
        assert events.kinds.to_list() == [row.kind], text
        for field, value in events.fields[row.kind].drop("line").row(0, named=True).items() if row.kind in events.fields else ():
            assert field not in given or value == given[field] or str(value) == str(given[field]), (text, field)


def test_a_phrase_has_one_spelling_per_release() -> None:
    for release in RELEASES:
        names = [row.name for row in phrases.PHRASES if among(release, row.releases)]
        assert len(names) == len(set(names)), release
        assert {"looking", "new election", "notification", "quorum", "sync decision", "learner snap", "snapshot"} <= set(names)


@pytest.mark.parametrize("version", ["3.4.14", "3.6.3", "3.9.5"])
def test_records_and_snapshots_are_read_back(tmp_path: Path, version: str) -> None:
    ensemble, _ = played(f"version {version}\n{THREE_TERMS}", 5)
    evidence.write(evidence.left(ensemble), tmp_path / "left")
    trace = gather([str(tmp_path / "left")])
    for sid, server in ensemble.servers.items():
        written = trace.txns.filter(pl.col("server") == sid).sort("source", "offset")
        assert sorted(written["zxid"].to_list()) == sorted(txn.zxid for txn in server.disk.records)
        assert sorted(p for p in written["path"].to_list() if p) == sorted(txn.path for txn in server.disk.records if txn.path)
        assert written["checksum_ok"].all()
        assert (written["digest"].null_count() == 0) is among(version, "3.6.0-")
    assert trace.snapshots["valid"].all()
    assert trace.damage.filter(pl.col("harm") == "data").height == 0
    assert set(trace.servers["version"].to_list()) <= {version, f"{version}-simulated"}
    sources = trace.sources.filter(pl.col("kind") == "server log")
    assert sources["unknown"].sum() == sources["damaged"].sum() == sources["foreign"].sum() == 0


# ---------------------------------------------------------------- correct runs and damaged ones
@pytest.mark.parametrize("seed", [0, 1, 3, 4, 6, 7, 9, 12, 103], ids=lambda seed: f"{seed}-{VERSIONS[seed % len(VERSIONS)]}")
def test_nothing_fires_on_a_correct_run(tmp_path: Path, seed: int) -> None:
    """In 103 a server casts the same vote of the same round again after a restart: no clock was stepped."""
    ensemble, asked = played(random_scenario(seed), seed)
    evidence.write(evidence.left(ensemble, asked.unknown), tmp_path / "left")
    judgement, found = alarms(tmp_path / "left")
    assert found == set()
    assert judgement.verdict in ("nothing_lost", "undecided")
    if (term := ensemble.leading()) is not None and judgement.verdict == "nothing_lost":
        kept = judgement.writes.filter(pl.col("fate").is_in(["survived", "recovered"]))["zxid"].to_list()
        assert sorted(kept) == [txn.zxid for txn in term.leader.history]


CAUGHT = {
    "a dropped vote": {"a decision without a quorum of votes"},
    "a fallen vote": {"a vote against the order"},
    "an invented vote": {"a vote that nobody proposed"},
    "a better vote": {"a better vote was passed over"},
    "a lonely leader": {"a leader without a quorum"},
    "two leaders": {"one leader per epoch"},
    # two leaders of one epoch are one thing; that the second was in an epoch before which it did not exceed is the other
    "an epoch twice": {"one leader per epoch", "an epoch that is not larger"},
    "a wrong synchronization": {"a synchronization that the table does not give"},
    "swapped records": {"zxids rise within an epoch"},
    "a cut record": {"no hole in the logs"},
    "a changed record": {"one write per zxid", "diverged"},
    "a damaged record": {"damage"},
    "a wrong digest": {"stored digests match the replay"},
    "a late record": {"epochs never fall"},
    "a skipped epoch": {"epoch files match the data"},
    "a lost write": {"committed writes are kept", "lost"},
}
"""Mutation -> the checks meant for it. What a verdict repeats of a check is named too."""
KNOWN = {
    "a cut record": {"ZOOKEEPER-2418", "ZOOKEEPER-4925"},
    "a late record": {"ZOOKEEPER-4712"},
    "a skipped epoch": {"ZOOKEEPER-1653"},
}
"""Known bugs that leave that very trace: they match in the releases that have them, and in no other."""


def test_every_mutation_names_what_catches_it() -> None:
    assert {one.name: set(one.caught_by) for one in mutations.MUTATIONS} == CAUGHT
    assert {one.name: set(one.fits) for one in mutations.MUTATIONS if one.fits} == KNOWN


@pytest.mark.parametrize(("seed", "name"), [*enumerate(CAUGHT)], ids=lambda value: value if isinstance(value, str) else "")
def test_a_mutation_is_caught_by_its_check_alone(tmp_path: Path, name: str, seed: int) -> None:
    version = "3.8.0" if name == "a wrong digest" else ("3.8.0", "3.9.5", "3.5.9", "3.6.3")[seed % 4]
    ensemble, _ = played(f"version {version}\n{THREE_TERMS}", seed)
    chosen = mutations.named([name])
    evidence.write(mutations.left(chosen, ensemble, frozenset(), seed), tmp_path / "left")
    bugs = {bug.id for bug in BUGS if bug.id in KNOWN.get(name, set()) and among(version, bug.releases)}
    assert alarms(tmp_path / "left")[1] == CAUGHT[name] | bugs


def test_a_vote_that_is_passed_over_was_heard_by_a_server_that_voted(tmp_path: Path) -> None:
    """A server votes for itself for 100 s, then joins a leader: who joins looks at no votes, and passes none over."""
    ensemble, asked = played(random_scenario(8004), 8004)
    evidence.write(mutations.left(mutations.named(["a better vote"]), ensemble, asked.unknown, 8004), tmp_path / "left")
    assert alarms(tmp_path / "left")[1] == CAUGHT["a better vote"]


def test_a_mutation_without_a_place_is_refused() -> None:
    ensemble, _ = played("servers 1 2 3\nstart all", 0)
    with pytest.raises(UsageError, match="it needs"):
        mutations.left(mutations.named(["a late record"]), ensemble, frozenset(), 0)


def test_a_lost_disk_loses_an_answered_write(tmp_path: Path) -> None:
    """No mutation: 1 and 3 hold an answered write, 3 dies and 1 is wiped; 2, which never had it, leads on."""
    lost = "servers 1 2 3\nstart all\nrest\nwrite 3\nrest\npause 2\nwrite 3\nrest\ncrash all\nwipe 1\nstart 1 2\nrest\nwrite 2\nrest"
    for seed in range(20):
        ensemble, _ = played(f"version 3.8.0\n{lost}", seed)
        if all(txn in ensemble.servers[2].disk.records for _, txn in ensemble.acknowledged):
            continue
        evidence.write(evidence.left(ensemble), tmp_path / str(seed))
        assert alarms(tmp_path / str(seed))[0].verdict == "lost"
        return
    pytest.fail("no seed loses a write")


@pytest.mark.parametrize(("version", "kept"), [("3.5.3", False), ("3.5.4", True), ("3.5.2", True), ("3.4.11", False), ("3.4.12", True)])
def test_a_database_kept_without_its_logged_tail(version: str, kept: bool) -> None:
    """ZOOKEEPER-2845: a leader that logged writes alone votes without them in the next election of the same process."""
    text = "servers 1 2 3\nstart all\nrest\nwrite 2\nrest\ncut leader from followers\nwrite 3 on 3\nrest"
    ensemble, _ = played(f"version {version}\n{text}", 1)
    leader = ensemble.servers[3]
    logged, voted = leader.disk.records[-1].zxid, [s for s in ensemble.steps if s.server == 3 and s.facts.get("because") == "own vote"][-1]
    assert (logged, voted.facts["vote"].zxid == logged) == (0x100000006, kept)


# ---------------------------------------------------------------- the command as a whole
def test_the_page_draws_every_election(tmp_path: Path) -> None:
    (tmp_path / "s").write_text(f"version 3.8.0\n{THREE_TERMS}")
    found = answer(str(tmp_path / "s"), "--html", str(tmp_path / "page.html"), "-o", str(tmp_path / "left"))
    page = (tmp_path / "page.html").read_text()
    drawn = json.loads(re.search(r'id="ballots-data">(.*?)</script>', page, re.DOTALL)[1])
    assert len(drawn) == len(found["rounds"])
    assert {step["kind"] for one in drawn for step in one["steps"]} == {"vote", "change", "quorum", "decision"}
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "https:" not in page
    assert {path.name for path in (tmp_path / "left").iterdir()} == {"server-1", "server-2", "server-3", "clients"}


@needs_chromium
def test_the_page_works_in_a_browser(tmp_path: Path) -> None:
    answer(*TEXTBOOK, "--html", str(tmp_path / "page.html"))
    with browser() as made, opened(made, tmp_path / "page.html") as seen:
        seen.page.locator("#spacetime").scroll_into_view_if_needed()
        seen.page.wait_for_selector("#spacetime svg .step.decision")
        assert seen.page.locator("#spacetime svg text.name").all_text_contents() == ["server 1", "server 2", "server 4"]
        assert seen.errors == []
        assert seen.requests == []
