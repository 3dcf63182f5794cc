"""Acknowledged writes that no record bears out: nothing may be called well while one of them is in no file."""

import itertools
import random
from dataclasses import replace

import pytest

from tests.fates_tables import Incident, disk
from tests.test_client_answers import S, Z, answer, op, record
from zabtrace import schema
from zabtrace.evidence.trace import Trace
from zabtrace.fates import judge
from zabtrace.fates.covering import covered
from zabtrace.fates.matching import matches
from zabtrace.fates.pairing import readings
from zabtrace.replay import replay

WHOLE = Incident({s: disk("1:1-4 2:1-3", current=2) for s in (1, 2, 3)})


def judged(ops: list[dict], since: int | None = None):
    """Three equal disks whose records are of one session, which wrote /n<payload>, and that client history."""
    trace = WHOLE.trace()
    return judge(replay(replace(trace, client_ops=schema.frame(schema.CLIENT_OPS, ops))), since)


def written(n: int, **more: object) -> dict:
    """An answered create whose record is there: its session and path are those of the record ``n`` of epoch 1."""
    payload = (Z + n) * 100
    return op(n, path=f"/n{payload}", session=payload, outcome="acknowledged", **more)


def test_an_answered_write_without_a_record_is_not_well() -> None:
    assert judged([]).verdict == "nothing_lost"
    assert judged([written(1), written(2)]).verdict == "nothing_lost"
    found = judged([written(1), op(2, outcome="acknowledged")])
    assert found.verdict == "undecided"
    assert any("c.jsonl:2" in reason and "no record" in reason for reason in found.reasons)


@pytest.mark.parametrize(
    "other",
    [
        op(2),  # nobody was answered
        op(2, outcome="refused", error="NodeExists"),
        op(2, "ensure_path", outcome="acknowledged"),  # the path was there
        op(2, "close", None, outcome="acknowledged"),  # said by the library, not by a server
        op(2, "multi", None, outcome="acknowledged", session=None),  # nothing to look for
    ],
)
def test_what_need_not_have_a_record(other: dict) -> None:
    assert judged([written(1), other]).verdict == "nothing_lost"


def test_what_was_over_before_since_does_not_count() -> None:
    """The session went on to a write of epoch 1, so that what it had asked before is older."""
    later = written(4, zxid=Z + 4)
    lonely = {**op(2, outcome="acknowledged"), "session": later["session"]}
    assert judged([lonely, later]).verdict == "undecided"
    assert judged([lonely, later], 2 << 32).verdict == "nothing_lost"
    assert judged([{**lonely, "session": 5}, later], 2 << 32).verdict == "undecided"


def test_more_answers_than_records() -> None:
    """Two equal writes were acknowledged and one record fits: it may be that of either, and the other one's is gone."""
    twice = [op(1, "set", outcome="acknowledged"), op(2, "set", outcome="acknowledged")]
    one = record(1, "setData")
    assert answer(twice, [one], {1: "survived"}) == [("cannot tell", None)] * 2
    assert answer(twice, [one, record(2, "setData")], {1: "survived", 2: "survived"}) == [("happened", None)] * 2


def test_a_write_that_shares_its_records_with_others_that_need_them() -> None:
    """Three answers, three records; yet two of the answers have but one of the records between them."""
    ops = [op(1, "set", outcome="acknowledged", version=0), op(2, "set", outcome="acknowledged", version=0), op(3, "set", version=-1)]
    ops[2]["outcome"] = "acknowledged"
    records = [record(n, "setData", version=v) for n, v in ((1, 1), (2, 5), (3, 6))]
    trace = Trace(client_ops=schema.frame(schema.CLIENT_OPS, ops), txns=schema.frame(schema.TXNS, records))
    assert matches(trace).unplaced().get_column("line").to_list() == [1, 2, 3]


def test_covered_is_what_trying_every_way_finds() -> None:
    for seed in range(400):
        rng = random.Random(seed)
        records = {at: tuple(z for z in range(rng.randint(1, 6)) if rng.random() < 0.5) for at in range(rng.randint(1, 5))}
        ways = itertools.product(*records.values())
        assert covered(sorted(records), records) == any(len(set(way)) == len(records) for way in ways), records


@pytest.mark.parametrize(
    ("told", "stored"), [("hex:00ff", b"\x00\xff"), ("base64:/w==", b"\xff"), ("/w==", b"\xff"), ("hex:zz", b"hex:zz")]
)
def test_data_that_are_no_text(told: str, stored: bytes) -> None:
    assert stored in readings(told)


def test_bytes_are_found_by_what_the_client_made_of_them() -> None:
    create = op(1, data="hex:00ff")
    assert answer([create], [record(1, data_len=2)], {1: "survived"}) == [("happened", 1)]
    assert answer([create], [record(1, data_len=2, session=S + 1)], {1: "survived"}, complete=True) == [("cannot tell", None)]
