"""The fates against model ensembles whose truth is known: no wrong label, whatever part of the evidence is hidden."""

import random
from collections import Counter
from dataclasses import replace

import pytest

from tests.soundness.answering import denied, heard, told
from tests.soundness.check import lost, wrong
from tests.soundness.evidence import hidings, trace
from tests.soundness.play import play
from zabtrace.fates import judge
from zabtrace.fates.judgement import Judgement
from zabtrace.replay import replay

CHUNK = 24


@pytest.mark.parametrize("first", range(0, 240, CHUNK))
def test_no_label_contradicts_the_truth(first: int) -> None:
    found = []
    for seed in range(first, first + CHUNK):
        ensemble = play(seed)
        kinds = hidings(ensemble, random.Random(seed))
        shown = kinds[seed % len(kinds)]
        judged = judge(replay(trace(ensemble, shown)))
        found += [f"seed {seed}, {shown.kind}: {line}" for line in wrong(ensemble, shown, judged)]
    assert not found


@pytest.mark.parametrize("first", range(20000, 20060, 20))
def test_no_answer_about_an_operation_contradicts_the_truth(first: int) -> None:
    """Few sessions that write few paths: which operation became which record is hardly told."""
    found, outcomes = [], Counter[str]()
    for seed in (s for s in range(first, first + 20) if (e := play(s)).truth.born and not e.truth.numbered_twice):
        ensemble = play(seed)
        kinds = hidings(ensemble, random.Random(seed))
        shown = replace(kinds[seed % len(kinds)], clients=False)
        history, records = told(ensemble, seed)
        judged = judge(replay(heard(trace(ensemble, shown), history, records)))
        found += [f"seed {seed}, {shown.kind}: {line}" for line in [*denied(ensemble, history, judged), *wrong(ensemble, shown, judged)]]
        outcomes.update(judged.clients.get_column("outcome").to_list())
    assert not found
    assert outcomes["happened"] > 20
    assert outcomes["did not"]


def test_the_generator_makes_what_the_rules_are_for() -> None:
    """Losses, dead tails, epochs after epochs, several sizes: else the check above shows nothing."""
    played = [play(seed) for seed in range(150)]
    assert sum(bool(lost(e)) for e in played) >= 15
    assert sum(any(e.truth.kept(t) is False for t in e.truth.born) for e in played) >= 25
    assert sum(len(e.truth.epochs) >= 3 for e in played) >= 25
    assert {len(e.configs[0].voters) for e in played} == {3, 5, 7}
    assert any(e.config.observers for e in played)
    assert sum(bool(e.configs[0].groups) for e in played) >= 5
    assert sum(any(s.disk.config for s in e.servers.values()) for e in played) >= 5
    assert any(e.late_flushes and e.losses for e in played)
    assert sum(e.first is not None for e in played) >= 5
    assert any(e.first is not None and lost(e) for e in played)
    assert sum(bool(e.renamed) for e in played) >= 3
    assert any(e.swapped for e in played)


def test_a_case_follows_from_its_seed() -> None:
    one, other = play(7), play(7)
    assert [s.disk for s in one.servers.values()] == [s.disk for s in other.servers.values()]


def test_the_check_itself_finds_wrong_labels() -> None:
    seed = next(s for s in range(200) if lost(play(s)) and not play(s).truth.numbered_twice)
    ensemble = play(seed)
    shown = hidings(ensemble, random.Random(seed))[0]
    writes = judge(replay(trace(ensemble, shown))).writes
    for fate, committed in (("survived", "yes"), ("lost", "no")):
        forged = Judgement("nothing_lost", writes.with_columns(fate=writes["fate"].clear(writes.height).fill_null(fate)))
        forged = Judgement(
            "nothing_lost", forged.writes.with_columns(committed=writes["committed"].clear(writes.height).fill_null(committed))
        )
        assert len(wrong(ensemble, shown, forged)) > 1
