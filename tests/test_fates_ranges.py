"""Ranges that only text tells of: which epoch's beginning shows that nothing in them was committed."""

from types import SimpleNamespace
from typing import Any

import pytest

from tests.fates_tables import Incident, zxid
from zabtrace import schema
from zabtrace.fates.cuts import Cut
from zabtrace.fates.never import End
from zabtrace.fates.ranges import ranges

BEGAN = End(1, 2, {1: zxid("1:5"), 2: zxid("1:5")}, (3,), zxid("1:5"), True)
"""Epoch 2 was established by servers 1 and 2, which had nothing above 1:5 then."""


def told(e: int, cuts: dict[int, str | None]) -> Any:
    """What is said of server 3, which stood at 1:9 when epoch ``e`` cut it; ``cuts``: the last zxid that each epoch began with."""
    sync = {"epoch": e, "learner": 3, "leader": 2, "mode": "TRUNC", "learner_zxid": zxid("1:9"), "source": "3.log", "line": 7}
    history = SimpleNamespace(syncs=schema.frame(schema.SYNCS, [sync]), trace=Incident({}).trace())
    ends = {number: None if last is None else zxid(last) for number, last in cuts.items()}
    known = {number: Cut(number, last, last) for number, last in ends.items()}
    found = ranges(history, known, schema.frame(schema.WRITES), [BEGAN])  # type: ignore[arg-type]
    return found.filter(server=3).select("from", "to", "committed").rows()


@pytest.mark.parametrize("e", [2, 3])
def test_what_the_first_epoch_behind_lacked_was_never_committed(e: int) -> None:
    """An old leader that comes back two epochs later is cut by the second one; that its tail was never on a quorum the first one shows."""
    assert told(e, dict.fromkeys(range(2, e + 1), "1:5")) == [(zxid("1:6"), zxid("1:9"), "no")]


def test_what_an_epoch_between_brought_back_may_have_been_committed() -> None:
    """Epoch 3 was led by a disk that had never rejoined: it began with 1:9, and so committed it; epoch 4 went on without."""
    rows = told(4, {2: "1:5", 3: "1:9", 4: "1:5"})
    assert "no" not in {committed for _, _, committed in rows}


def test_an_epoch_between_of_which_nothing_is_known_leaves_it_open() -> None:
    """It may have brought the tail back."""
    assert told(4, {2: "1:5", 3: None, 4: "1:5"}) == [(zxid("1:6"), zxid("1:9"), "unknown")]
