"""A machine is replaced under its sid while the leader stays: the log of the first one is gone.

What others saw of the first is not said of the second.
"""

from __future__ import annotations

import pytest
from election_lines import Log, saved

from zabtrace.evidence import gather
from zabtrace.incidents import Incidents, incidents
from zabtrace.replay import replay
from zabtrace.replay.history import History

LAST = 0x100000009
LOST_AT, BACK_AT = 4000, 6000


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    """3 is elected by all; 1 is lost at 4 s, and comes back empty at 6 s with the same first vote. Of 1 only the second log is left."""
    first, second, third = Log(1), Log(2), Log(3)
    for log in (second, third):
        log.starts(0)
        log.looks(10, 0)
        log.hears_all(20, (1, 2, 3), 3, 0, 0)
    second.follows(300, 3, 0)
    third.leads(300, 1, [1, 2], 0, 0)
    third.loses_learner(LOST_AT, 1, 310, "java.io.EOFException")
    first.starts(BACK_AT)
    first.looks(BACK_AT + 10, 0)
    first.hears(BACK_AT + 12, 1, 1, 1, 0, 0)
    first.hears(BACK_AT + 20, 2, 3, 1, 1, 0, "FOLLOWING")
    first.hears(BACK_AT + 21, 3, 3, 1, 1, 0, "LEADING")
    second.hears(BACK_AT + 15, 1, 1, 1, 0, 0, mine="FOLLOWING")
    third.hears(BACK_AT + 15, 1, 1, 1, 0, 0, mine="LEADING")
    third.accepts(BACK_AT + 40, 1, 0, LAST)
    first.follows(BACK_AT + 30, 3, LAST)
    third.say(BACK_AT + 500, "o.a.z.s.q.Leader", "The last line of the log")
    return replay(gather([str(saved(tmp_path_factory.mktemp("replaced"), (first, second, third)))]))


@pytest.fixture(scope="module")
def found(history: History) -> Incidents:
    return incidents(history)


def test_the_second_machine_joined_and_took_no_part_in_the_election(history: History) -> None:
    assert history.elections.select("kind", "servers").rows() == [("vote", [2, 3]), ("join", [1])]


def test_clocks_that_ran_together_are_not_said_to_be_apart_or_stepped(found: Incidents) -> None:
    """All stamps are of one clock, so 0 lies in every interval."""
    assert "a clock was stepped" not in found.findings["what"].to_list()
    for low, high in found.clocks.select("low_ms", "high_ms").iter_rows():
        assert (low is None or low <= 0) and (high is None or high >= 0)


def test_the_end_of_the_second_log_is_no_cause_of_the_first_loss(found: Incidents) -> None:
    (loss,) = found.losses.filter(server=3, lost=1).iter_rows(named=True)
    assert loss["cause"] is None
