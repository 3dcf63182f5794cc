"""Zxids in client histories that no server can have given out: one wrong number in a history must not decide a whole case."""

import json
from pathlib import Path

import pytest

from zabtrace import cli
from zabtrace.evidence import gather
from zabtrace.evidence.believed import A_YEAR
from zabtrace.fates import Judgement, judge
from zabtrace.replay import replay

SAMPLE = "truncated-3.8.0"
"""Its newest epoch is 2."""


def told(samples: Path, tmp_path: Path, **more: object) -> tuple[Judgement, list[tuple[str | None, int | None, str | None]]]:
    """The verdict on the sample with one more client, and the damage that was told of its history."""
    history = tmp_path / "more.jsonl"
    history.write_text(json.dumps({"op": "get", "path": "/a", "ok": True, **more}))
    trace = gather([*(str(p) for p in sorted((samples / SAMPLE).glob("server-*")))], (), [str(history)])
    damage = trace.damage.filter(trace.damage["source"] == "more.jsonl")
    return judge(replay(trace)), damage.select("source", "line", "reason").rows()


@pytest.mark.parametrize("name", ["zxid", "reply_zxid", "mzxid"])
@pytest.mark.parametrize("number", ["0x7fffffffffffffff", "0x8000000000000001"])
def test_a_number_that_cannot_be_is_damage_and_witnesses_nothing(samples: Path, tmp_path: Path, name: str, number: str) -> None:
    plain, nothing = told(samples, tmp_path)
    assert not nothing
    found, damage = told(samples, tmp_path, **{name: number})
    assert found.counts == plain.counts
    assert found.verdict == plain.verdict
    assert [(source, line) for source, line, _ in damage] == [("more.jsonl", 1)]
    assert number in str(damage[0][2])


def test_the_last_number_that_can_be_is_believed(samples: Path, tmp_path: Path) -> None:
    """Epoch 2 and a year of elections: from there on nobody knows what became of the writes before."""
    last = (2 + A_YEAR) << 32 | 1
    found, damage = told(samples, tmp_path, reply_zxid=last)
    assert not damage
    assert found.verdict == "undecided"
    assert any("which a client alone names: more.jsonl:1" in reason for reason in found.reasons)
    found, damage = told(samples, tmp_path, reply_zxid=last + (1 << 32))
    assert len(damage) == 1


def test_minus_one_is_no_zxid(samples: Path, tmp_path: Path) -> None:
    found, damage = told(samples, tmp_path, op="create", ok=None, zxid=-1, reply_zxid="0xffffffffffffffff")
    assert not damage
    assert -1 not in found.writes.get_column("zxid").to_list()


def test_verify_says_what_was_read_and_what_was_damaged(samples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    history = tmp_path / "broken.jsonl"
    history.write_text('{"op": "get", "path": "/a", "ok": true}\n{"op": "create"\n')
    asked = ["verify", str(samples / SAMPLE / "server-1"), str(samples / SAMPLE / "server-2"), "--clients", str(history), "-q"]
    cli.run([*asked, "--format", "json"])
    document = json.loads(capsys.readouterr().out)
    assert "2 of 3 voters" in document["read"]
    assert document["damaged"] == 1
    assert [(place["source"], place["line"]) for place in document["damage"]] == [("broken.jsonl", 2)]
    cli.run(asked)
    screen = capsys.readouterr().out
    assert "2 of 3 voters" in screen
    assert "Damage: 1 place, such as broken.jsonl:2: no client operation" in screen
