"""Sessions that servers in service say they have committed: what that proves of records, and of what is gone without one."""

from dataclasses import replace

import polars as pl
import pytest

from tests.fates_tables import Incident, column, disk, fates, zxid
from tests.soundness.ensemble import Line
from zabtrace.evidence.trace import Trace
from zabtrace.fates import Judgement, judge
from zabtrace.replay import replay

SESSION, OTHER = 0x10000A2B3C40000, 0x10000A2B3C40001


def lines(*sessions: int, served: bool = True) -> dict[int, list[Line]]:
    """Server 3 leads epoch 1; it says of these sessions that it has committed them, once its quorum stands or before."""
    leading = Line("state_leading", "LEADING", {}, 1)
    quorum = Line(
        "quorum_supported", "Have quorum of supporters, sids: [[2, 3]]", {"zxid": zxid("1:0"), "sids": "[[2, 3]]"}, 2 if served else 99
    )
    said = [Line("session_committed", f"Committing global session 0x{s:x}", {"session": s}, 3 + n) for n, s in enumerate(sessions)]
    return {3: sorted([leading, quorum, *said], key=lambda line: line.at)}


def created(trace: Trace, where: dict[str, int]) -> Trace:
    """``trace`` in which these zxids create these sessions."""
    made = {zxid(at): session for at, session in where.items()}
    here = pl.col("zxid").is_in(list(made))
    session = pl.when(here).then(pl.col("zxid").replace_strict(made, default=None, return_dtype=pl.Int64)).otherwise("session")
    return replace(trace, txns=trace.txns.with_columns(op=pl.when(here).then(pl.lit("createSession")).otherwise("op"), session=session))


def judged(incident: Incident, where: dict[str, int]) -> Judgement:
    return judge(replay(created(incident.trace(), where)))


ROLLED_BACK = {s: disk("1:1-5 2:1-2", current=2) for s in (1, 2, 3)}
"""Epoch 2 began behind 1:5 on every disk: nothing on them tells whether epoch 1 went further."""


def test_a_committed_session_that_no_record_creates_was_lost() -> None:
    """All disks were put back to 1:5 after session OTHER had been committed above it; only the leader's log still knows of it."""
    found = judged(Incident(ROLLED_BACK, lines=lines(SESSION, OTHER)), {"1:1": SESSION})
    assert found.verdict == "lost"
    row = found.ranges.row(0, named=True)
    assert (row["fate"], row["from"], row["to"], row["count"], row["committed"]) == ("lost", zxid("1:6"), None, None, "yes")
    assert "0x10000a2b3c40001" in row["why"]
    assert row["evidence"][0]["source"].startswith("server-3/")
    assert found.message == "At least 1 committed write was lost (0x100000006 and above)."


def test_without_the_text_nothing_tells() -> None:
    assert judged(Incident(ROLLED_BACK), {"1:1": SESSION}).verdict == "nothing_lost"


@pytest.mark.parametrize(
    ("disks", "said", "where"),
    [
        (ROLLED_BACK, lines(SESSION), {"1:1": SESSION}),
        # before its quorum stood a leader may apply what was never committed
        (ROLLED_BACK, lines(SESSION, OTHER, served=False), {"1:1": SESSION}),
        # the session may be older than what was purged
        ({s: disk("1:3-5 2:1-2", "0:0 1:2", current=2) for s in (1, 2, 3)}, lines(OTHER), {}),
        # a file may be missing between the two
        ({s: disk("1:1-5 / 2:1-2", current=2) for s in (1, 2, 3)}, lines(OTHER), {}),
        # epoch 1 is the newest one: the disks may have been copied before the log
        ({s: disk("1:1-5") for s in (1, 2, 3)}, lines(OTHER), {}),
    ],
    ids=["recorded", "not in service", "purged", "between files", "newest epoch"],
)
def test_where_the_record_may_be_elsewhere_nothing_is_concluded(disks: dict, said: dict, where: dict[str, int]) -> None:
    assert judged(Incident(disks, lines=said), where).ranges.filter(pl.col("fate") == "lost").is_empty()


def test_a_committed_session_proves_what_lies_below_it() -> None:
    """The old leader's tail is beyond what epoch 2 kept; of 1:8 it said that it was committed: so were 1:6 and 1:7, and they are lost."""
    disks = {1: disk("1:1-5 / 2:1-3", current=2), 2: disk("1:1-5 / 2:1-3", current=2), 3: disk("1:1-9")}
    found = judged(Incident(disks, lines=lines(SESSION)), {"1:8": SESSION})
    assert [fates(found)[z] for z in ("1:6", "1:8", "1:9")] == ["lost", "lost", "pending"]
    assert column(found, "rule")["1:8"] == "C6"
    before = judged(Incident(disks, lines=lines(SESSION, served=False)), {"1:8": SESSION})
    assert fates(before)["1:8"] == "pending"
