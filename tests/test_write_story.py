"""Whole stories: which writes are meant, who held them, what happened in which order, and what the verdict rests on."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

import incident
import polars as pl
import pytest

from zabtrace import cli
from zabtrace.errors import UsageError
from zabtrace.fates import judge
from zabtrace.fates.judgement import FATES
from zabtrace.fates.sentences import RULES as RULE_NAMES
from zabtrace.replay.history import History
from zabtrace.stories import story
from zabtrace.stories.argument import CHANGES, DISCARDED, RULES, argument

TRUNCATED, SHADOWED, RECOVERED = "truncated-3.8.0", "shadowed-3.9.3", "recovered-3.8.0"
SESSION = "0x300001b95500000"


@pytest.fixture(scope="module")
def told(history_of: Callable[[str], History]):
    """The story of something in a sample, judged once per sample."""
    judged = {}

    def tell(name: str, asked: str, at: datetime | None = None):
        if name not in judged:
            judged[name] = judge(history_of(name))
        return story(history_of(name), judged[name], asked, at)

    return tell


def held(found) -> list[tuple[int, int, str]]:
    return found.held.select("server", "copy", "held").rows()


def what(found) -> list[str]:
    return found.steps.get_column("what").to_list()


def test_a_path_that_was_truncated(told):
    found = told(TRUNCATED, "/pay/u000")
    assert found.message == "/pay/u000: 1 write (1 truncated), 2 client operations."
    assert held(found) == [(1, 0, "absent"), (1, 1, "absent"), (2, 0, "absent"), (2, 1, "absent"), (3, 0, "absent"), (3, 1, "in force")]
    assert what(found) == ["established", "asked", "logged", "ended", "established", "discarded", "seen"]
    cut = found.steps.filter(pl.col("what") == "discarded").row(0, named=True)
    assert (cut["server"], cut["source"], cut["line"]) == (3, "truncated-3.8.0/server-3/zookeeper.log", 278)
    record = found.steps.filter(pl.col("what") == "logged").row(0, named=True)
    assert (record["source"].rpartition("before-rejoin/")[2], record["offset"]) == ("server-3/data/version-2/log.100000001", 12053)


def test_a_write_that_a_snapshot_hides(told):
    found = told(SHADOWED, "0x100000053")
    assert (2, 0, "hidden") in held(found)
    assert {kind for server, copy, kind in held(found) if server != 2} == {"absent"}
    assert "discarded" in what(found)


def test_a_write_that_others_received_later(told):
    found = told(RECOVERED, "0x100000083")
    assert (2, 1, "absent") in held(found)
    assert (2, 0, "in force") in held(found)
    assert {row["server"] for row in found.steps.filter(pl.col("what") == "synced").iter_rows(named=True)} == {2, 3, 4}


def test_a_session_folds_neighbouring_zxids_per_copy(told):
    found = told(TRUNCATED, SESSION)
    assert found.target.kind == "session"
    assert found.target.writes.height == 14
    tail = found.held.filter((pl.col("server") == 1) & (pl.col("copy") == 0)).select("from", "to", "count", "held").rows()
    assert tail == [(0x10000005F, 0x100000060, 2, "in force"), (0x100000061, 0x10000006C, 12, "absent")]


def test_what_nothing_places_stands_last(told):
    at = told(TRUNCATED, SESSION).steps.get_column("at").to_list()
    placed = [zxid for zxid in at if zxid is not None]
    assert placed == sorted(placed)
    assert at[: len(placed)] == placed


def test_time_chooses_the_writes_around_it(told):
    at = datetime(2026, 11, 21, 0, 9, 53, 665000, UTC)  # between the create (.663) and the set (.666) of that path
    assert told(TRUNCATED, "/pay/u003").target.zxids.to_list() == [0x100000064, 0x100000065]
    assert told(TRUNCATED, "/pay/u003", at).target.zxids.to_list() == [0x100000064, 0x100000065]
    assert told(TRUNCATED, "/pay/u003", at.replace(hour=1)).target.zxids.to_list() == [0x100000065]
    assert told(TRUNCATED, "/pay/u003", at.replace(hour=0, minute=0)).target.zxids.to_list() == [0x100000064]


def test_a_path_that_nothing_names(told):
    found = told(TRUNCATED, "/pay/u00")
    assert not found.target.found
    assert "nothing that was read names it" in found.message
    assert "/pay/u000" in found.message
    assert "does not prove" in found.message
    assert found.held.is_empty()


@pytest.mark.parametrize("asked", ["pay", "0x", "-1", ""])
def test_what_is_no_path_and_no_number_is_wrong_usage(told, asked):
    with pytest.raises(UsageError, match="no path, zxid or session"):
        told(TRUNCATED, asked)


def test_a_zxid_has_no_time(told):
    with pytest.raises(UsageError, match="names one write already"):
        told(TRUNCATED, "0x100000061", datetime(2026, 11, 21, tzinfo=UTC))


def test_every_rule_has_its_sentence_and_every_fate_what_would_change_it():
    assert set(RULES) == set(RULE_NAMES)
    for fate in FATES:
        for committed in ("yes", "no", "unknown"):
            write = {"fate": fate, "committed": committed, "rule": "C2", "settled_by": "the disk of server 3"}
            found = argument(write)
            assert found["would_change"][0] == "What would settle it: the disk of server 3."
            assert len(found["would_change"]) > 1
    assert {fate for fate, _ in CHANGES} == set(FATES) - set(DISCARDED) | {"discarded"}


def test_the_command_tells_stories_and_keeps_the_verdict(samples, capsys):
    folder = str(samples / TRUNCATED)
    assert cli.run(["verify", folder, "-q", "--write", "/pay/u000", "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["verdict"] == "nothing_lost"
    assert document["counts"]["truncated"] == 12
    assert [write["zxid"] for write in document["writes"]] == ["0x100000061"]
    assert document["writes"][0]["rule"] == "N1"
    assert [step["at"] for step in document["story"]["steps"]][:2] == ["0x100000000", "0x100000061"]
    assert [client["line"] for client in document["clients"]] == [94]


def test_the_screen_says_who_held_it_and_what_would_change_it(samples, capsys):
    assert cli.run(["verify", str(samples / TRUNCATED), "-q", "--explain", "0x100000061"]) == 0
    shown = capsys.readouterr().out
    for words in ("Rule N1: A later epoch was established", "What would change it: An answer that a client got", "Who held it"):
        assert words in shown


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--write", "/a", "--explain", "0x1"], "two answers"),
        (["--write", "/a", "--format", "junit"], "whole verdict"),
        (["--at", "2026-11-21T00:00:00Z"], "give --write"),
        (["--write", "/a", "--at", "0x5"], "no time"),
    ],
)
def test_wrong_usage(capsys, tmp_path, arguments, words):
    assert cli.run(["verify", str(tmp_path), *arguments]) == 2
    assert words in capsys.readouterr().err


def test_hostile_text_stays_text(monkeypatch, capsys, tmp_path):
    import zabtrace.evidence
    import zabtrace.fates
    import zabtrace.replay

    monkeypatch.setattr(zabtrace.evidence, "gather", lambda *arguments, **options: incident.trace())
    monkeypatch.setattr(zabtrace.replay, "replay", lambda trace: incident.history())
    monkeypatch.setattr(zabtrace.fates, "judge", lambda history, since=None: incident.judgement())
    assert cli.run(["verify", str(tmp_path), "-q", "--write", incident.HOSTILE]) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "alert(1)" in shown
