"""What became of each operation of a client history: matched by session, order, path and data, and never guessed."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from zabtrace import schema
from zabtrace.evidence.trace import Trace
from zabtrace.fates import answers
from zabtrace.replay.history import History

S, OTHER = 0x100, 0x200
Z = 0x100000000
START = datetime(2026, 11, 21, tzinfo=UTC)


def op(line: int, name: str = "create", path: str | None = "/a", outcome: str = "unknown", **more: object) -> dict:
    """An operation that ran from second ``line`` to half a second later."""
    begun = START + timedelta(seconds=line)
    times = {"start": begun, "end": begun + timedelta(seconds=0.5)}
    known = {"source": "c.jsonl", "line": line, "op": name, "path": path, "session": S, "outcome": outcome, "write": True}
    return {**known, **times, **more}


def record(n: int, name: str = "create2", path: str | None = "/a", session: int = S, **more: object) -> dict:
    return {"server": 1, "copy": 0, "source": "log.1", "offset": n * 100, "zxid": Z + n, "op": name, "path": path, "session": session,
            "failed": False, **more}  # fmt: skip


def answer(ops: list[dict], records: list[dict], fates: dict[int, str], complete: bool = False, members: list[dict] | None = None):
    trace = Trace(
        client_ops=schema.frame(schema.CLIENT_OPS, ops),
        txns=schema.frame(schema.TXNS, records),
        ops=schema.frame(schema.TXN_OPS, members or []),
    )
    judged = pl.DataFrame({"zxid": [Z + n for n in fates], "fate": list(fates.values())}, schema={"zxid": pl.Int64, "fate": pl.String})
    found = answers.rows(History(trace), judged, complete)
    return [(row["outcome"], None if row["zxid"] is None else row["zxid"] - Z) for row in found.iter_rows(named=True)]


@pytest.mark.parametrize(
    ("fate", "outcome"),
    [("survived", "happened"), ("recovered", "happened"), ("truncated", "did not"), ("shadowed", "did not"), ("pending", "did not"),
     ("lost", "did not"), ("diverged", "cannot tell"), ("undecided", "cannot tell")],
)  # fmt: skip
def test_the_outcome_is_the_fate_of_the_record(fate, outcome):
    assert answer([op(1)], [record(1)], {1: fate}) == [(outcome, 1)]
    assert answer([op(1, outcome="acknowledged", zxid=Z + 1)], [record(1)], {1: fate}) == [(outcome, 1)]
    assert answer([op(1, outcome="acknowledged")], [record(1)], {1: fate}) == [(outcome, 1)]


def test_no_record():
    assert answer([op(1)], [], {}, complete=True) == [("did not", None)]
    assert answer([op(1)], [], {}) == [("cannot tell", None)]
    assert answer([op(1, outcome="acknowledged")], [], {}, complete=True) == [("cannot tell", None)]
    assert answer([op(1, outcome="refused", error="NodeExists")], [], {}) == [("did not", None)]


def test_records_of_other_sessions_paths_kinds_and_answers_are_not_taken():
    others = [record(1, session=OTHER), record(2, path="/b"), record(3, name="setData"), record(4), record(5, failed=True)]
    ops = [op(1, outcome="acknowledged", zxid=Z + 4), op(2)]
    assert answer(ops, others, dict.fromkeys(range(1, 6), "survived"), complete=True) == [("happened", 4), ("did not", None)]


def test_different_fates_are_not_guessed():
    records = [record(1, "setData"), record(2, "setData")]
    assert answer([op(1, "set")], records, {1: "survived", 2: "truncated"}) == [("cannot tell", None)]
    assert answer([op(1, "set")], records, {1: "truncated", 2: "truncated"}) == [("did not", 1)]


def test_the_order_of_a_session_breaks_ties():
    """The operation was sent after the one answered with 2, so that the record 1 is not its; and before the one answered with 5."""
    records = [record(n, "setData") for n in (1, 3, 6)] + [record(n, "setData", "/x") for n in (2, 5)]
    fates = {1: "survived", 2: "survived", 3: "truncated", 5: "survived", 6: "survived"}
    before, after = op(1, "set", "/x", "acknowledged", zxid=Z + 2), op(3, "set", "/x", "acknowledged", zxid=Z + 5)
    assert answer([before, op(2, "set"), after], records, fates)[1] == ("did not", 3)
    late = {**before, "end": START + timedelta(seconds=2.2)}  # answered only after it had been sent: that orders nothing
    assert answer([late, op(2, "set"), after], records, fates)[1] == ("cannot tell", None)
    untimed = [{**one, "start": None, "end": None} for one in (before, op(2, "set"), after)]
    assert answer(untimed, records, fates)[1] == ("cannot tell", None)


def test_sequential_znodes_and_members_of_multis():
    assert answer([op(1, path="/q/n-")], [record(1, path="/q/n-0000000007")], {1: "survived"}) == [("happened", 1)]
    assert answer([op(1, path="/q/n-")], [record(1, path="/q/n-7")], {1: "survived"}, complete=True) == [("did not", None)]
    multi, member = (
        record(1, "multi", None),
        {"server": 1, "copy": 0, "source": "log.1", "offset": 100, "zxid": Z + 1, "index": 0, "path": "/m"},
    )
    assert answer([op(1, "multi", "/m")], [multi], {1: "survived"}, members=[member]) == [("happened", 1)]
    assert answer([op(1, "multi", "/x")], [multi], {1: "survived"}, members=[member], complete=True) == [("did not", None)]
    assert answer([op(1, "multi", None)], [multi], {1: "lost"}, members=[member]) == [("did not", 1)]


def test_without_a_session_only_unique_data_name_a_record():
    nobody = {"session": None, "data": "unique"}
    rec = record(1, session=OTHER, data_len=6)
    assert answer([op(1, **nobody)], [rec], {1: "survived"}) == [("happened", 1)]
    assert answer([op(1, session=None)], [rec], {1: "survived"}) == [("cannot tell", None)]
    assert answer([op(1, **nobody), op(2, **nobody)], [rec], {1: "survived"}) == [("cannot tell", None)] * 2
    assert answer([op(1, **nobody)], [record(1, data_len=7)], {1: "survived"}, complete=True) == [("did not", None)]


def test_a_read_that_saw_it_is_named():
    read = op(9, "get", outcome="acknowledged", write=False, mzxid=Z + 1)
    trace = Trace(client_ops=schema.frame(schema.CLIENT_OPS, [op(1), read]), txns=schema.frame(schema.TXNS, [record(1)]))
    judged = pl.DataFrame({"zxid": [Z + 1], "fate": ["lost"]})
    assert "A client read it: c.jsonl:9." in answers.rows(History(trace), judged, False).item(0, "why")


def test_a_record_is_taken_once():
    assert answer([op(1), op(2)], [record(1)], {1: "survived"}, complete=True) == [("happened", 1), ("did not", None)]
