"""The fates against every history of a small ensemble that is behind the same evidence."""

import random
from collections import defaultdict

import pytest

from tests.soundness.brute import KINDS, Key, compared, evidence, truths
from tests.soundness.small import Bounds, State, reachable

WIDE = Bounds(2, 1, 1)


@pytest.fixture(scope="module")
def states() -> list[State]:
    return sorted(reachable(WIDE) | reachable(Bounds(2, 1, early=True)) | reachable(Bounds(1, 2)))


@pytest.mark.parametrize("kind", ["all disks", "all disks, clients", "disks of 1 and 2, clients", "disks of 2 and 3"])
def test_no_history_behind_the_evidence_contradicts_a_label(states: list[State], kind: str) -> None:
    shown, clients = KINDS[kind]
    groups: dict[Key, list[State]] = defaultdict(list)
    for state in states:
        groups[evidence(state, shown, clients)].append(state)
    chosen = random.Random(kind).sample(sorted(groups, key=repr), 12)
    outcomes = list(compared(groups, chosen, shown, clients))
    assert [said for outcome, said in outcomes if outcome == "wrong"] == []
    assert any(outcome == "given" for outcome, _ in outcomes)


def test_the_model_loses_what_was_committed_only_where_a_disk_was_wiped() -> None:
    """The safe order of durable writes keeps every promise: else the model, or the protocol's functions in it, would be wrong."""

    def loses(bounds: Bounds) -> bool:
        return any(t.committed and t.place == "gone" for state in reachable(bounds) for t in truths(state).values())

    assert (loses(Bounds(2, 1)), loses(WIDE)) == (False, True)
