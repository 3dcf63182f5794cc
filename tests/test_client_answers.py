"""What became of each operation of a client history: matched by session, order, path and data, and never guessed."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from zabtrace import schema
from zabtrace.evidence.trace import Trace
from zabtrace.fates import answers
from zabtrace.fates.matching import matches

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
    """Outcome and number of each operation; where ``complete``, the sessions were closed in the end."""
    ended = [record(90 + n, "closeSession", None, session=s, cxid=0) for n, s in enumerate((S, OTHER)) if complete]
    fates = fates | dict.fromkeys((90, 91), "survived")
    trace = Trace(
        client_ops=schema.frame(schema.CLIENT_OPS, ops),
        txns=schema.frame(schema.TXNS, [*records, *ended]),
        ops=schema.frame(schema.TXN_OPS, members or []),
    )
    judged = pl.DataFrame({"zxid": [Z + n for n in fates], "fate": list(fates.values())}, schema={"zxid": pl.Int64, "fate": pl.String})
    found = answers.rows(trace, matches(trace), judged, complete)
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
    assert answer([op(1, "set")], records, {1: "truncated", 2: "truncated"}) == [("did not", None)]
    assert answer([op(1, "set")], records, {1: "survived", 2: "survived"}) == [("cannot tell", None)]  # one is of a write nobody lists
    assert answer([op(1, "set", outcome="acknowledged")], records, {1: "survived", 2: "survived"}) == [("happened", None)]


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
    assert answer([op(1, **nobody)], [record(1, data_len=7)], {1: "survived"}, complete=True) == [("cannot tell", None)]


def test_a_read_that_saw_it_is_named():
    read = op(9, "get", outcome="acknowledged", write=False, mzxid=Z + 1)
    trace = Trace(client_ops=schema.frame(schema.CLIENT_OPS, [op(1), read]), txns=schema.frame(schema.TXNS, [record(1)]))
    judged = pl.DataFrame({"zxid": [Z + 1], "fate": ["lost"]})
    assert "A client read it: c.jsonl:9." in answers.rows(trace, matches(trace), judged, False).item(0, "why")


def test_one_record_and_two_tries_is_nobody_s():
    """The same create tried twice, both without an answer: either of them can be the record."""
    tries = [op(1), op(2)]
    assert answer(tries, [record(1)], {1: "survived"}, complete=True) == [("cannot tell", None)] * 2
    assert answer(tries, [record(1)], {1: "lost"}, complete=True) == [("did not", None)] * 2
    assert answer(tries, [record(1)], {1: "lost"}) == [("cannot tell", None)] * 2  # the record of the other one may not have been read
    assert answer(tries, [record(1), record(2)], {1: "survived", 2: "recovered"}) == [("happened", None)] * 2
    answered = op(2, outcome="acknowledged")
    assert answer([op(1), answered], [record(1)], {1: "survived"}, complete=True) == [("cannot tell", None), ("happened", None)]


def test_the_number_of_the_request_tells_two_tries_apart():
    tries = [op(1, cxid=4), op(2, cxid=5)]
    assert answer(tries, [record(1, cxid=5)], {1: "survived"}, complete=True)[1] == ("happened", 1)
    # the answered write shows that the client counts as the servers do: 4 is no record, for sure
    counted = [op(0, "set", "/x", "acknowledged", zxid=Z + 9, cxid=3, start=None, end=None), *tries]
    records = [record(9, "setData", "/x", cxid=3), record(1, cxid=5)]
    assert answer(counted, records, {1: "survived", 9: "survived"}, complete=True)[1:] == [("did not", None), ("happened", 1)]
    # one that counts otherwise: its numbers exclude nothing
    otherwise = [{**counted[0], "cxid": 1}, op(1, cxid=2)]
    assert answer(otherwise, records, {1: "survived", 9: "survived"}, complete=True)[1] == ("happened", 1)


def test_an_error_record_of_the_request_says_that_it_was_refused():
    failed = record(3, "error", None, cxid=5, failed=True)
    assert answer([op(1, cxid=5)], [failed], {3: "survived"}) == [("did not", 3)]
    reused = record(4, "setData", "/b", cxid=5)  # a client that counts anew with each connection
    assert answer([op(1, cxid=5)], [failed, reused], {3: "survived"}) == [("cannot tell", None)]


def test_a_refused_try_may_have_been_applied_before():
    """A library that tries again by itself: NodeExists, for its own first try created the znode."""
    refused = op(1, outcome="refused", error="NodeExists")
    assert answer([refused], [record(1)], {1: "survived"}, complete=True) == [("cannot tell", None)]
    assert answer([op(1), {**refused, "line": 2}], [record(1)], {1: "survived"}) == [("happened", 1), ("did not", None)]
    assert answer([refused], [record(1, session=OTHER)], {1: "survived"}) == [("did not", None)]


def test_a_record_of_another_session_with_its_data_is_not_ignored():
    """A history may name the session of the time at which it was written, not that of the request."""
    mine = op(1, data="mine")
    assert answer([mine], [record(1, session=OTHER, data_len=4)], {1: "survived"}, complete=True) == [("cannot tell", None)]
    assert answer([mine], [record(1, session=OTHER, data_len=5)], {1: "survived"}, complete=True) == [("did not", None)]
    taken = [mine, op(2, session=OTHER, data="mine", outcome="acknowledged", zxid=Z + 1)]
    assert answer(taken, [record(1, session=OTHER, data_len=4)], {1: "survived"}, complete=True)[0] == ("did not", None)


def test_a_value_that_a_client_read_is_not_denied():
    read = op(9, "get", outcome="acknowledged", write=False, data="mine")
    assert answer([op(1, data="mine"), read], [], {}, complete=True) == [("cannot tell", None)]
    assert answer([op(1, data="other"), read], [], {}, complete=True) == [("did not", None)]


def test_two_clients_with_the_same_path_and_data():
    """Each has its own session: a record is of the one whose session it bears."""
    both = [op(1, data="same"), op(2, data="same", session=OTHER)]
    records = [record(1, data_len=4), record(2, data_len=4, session=OTHER)]
    assert answer(both, records, {1: "survived", 2: "truncated"}) == [("happened", 1), ("did not", 2)]
    nobody = [{**one, "session": None} for one in both]
    assert answer(nobody, records, {1: "survived", 2: "truncated"}) == [("cannot tell", None)] * 2


def test_a_clock_that_was_set_back_orders_nothing():
    """The create was sent after the answered write, whose record is the smaller one; the clock says otherwise."""
    answered = op(1, "set", "/x", "acknowledged", zxid=Z + 5, start=START + timedelta(seconds=100), end=START + timedelta(seconds=101))
    late = op(2, start=START + timedelta(seconds=40), end=START + timedelta(seconds=41))
    records = [record(5, "setData", "/x"), record(6)]
    assert answer([answered, late], records, {5: "survived", 6: "survived"}, complete=True)[1] == ("happened", 6)
    # lines in the order of their begins, and a later answer that contradicts them
    early = op(0, "set", "/x", "acknowledged", zxid=Z + 9, start=START + timedelta(seconds=30), end=START + timedelta(seconds=31))
    ordered = [early, {**late, "line": 1}, {**answered, "line": 2}]
    records.append(record(9, "setData", "/x"))
    assert answer(ordered, records, {5: "survived", 6: "survived", 9: "survived"}, complete=True)[1] == ("happened", 6)


def test_versions_restrict_what_fits():
    records = [record(1, "setData", version=3), record(2, "setData", version=4)]
    fates = {1: "survived", 2: "truncated"}
    assert answer([op(1, "set", version=2)], records, fates) == [("happened", 1)]
    assert answer([op(1, "set", version=4)], records, fates) == [("did not", 2)]
    assert answer([op(1, "set", version=-1)], records, fates) == [("cannot tell", None)]


def test_delete_then_create():
    ops = [op(1, "delete"), op(2)]
    assert answer(ops, [record(1, "delete"), record(2)], {1: "survived", 2: "truncated"}) == [("happened", 1), ("did not", 2)]


@pytest.mark.parametrize(("name", "kind"), [("setACL", "setACL"), ("set_acls", "setACL"), ("ensure_path", "create2"), ("remove", "delete"),
                                            ("put", "setData"), ("update", "setData"), ("transaction", "multi")])  # fmt: skip
def test_names_that_clients_give_their_operations(name, kind):
    assert answer([op(1, name)], [record(1, kind)], {1: "survived"}, members=[member(1, "/a")]) == [("happened", 1)]


def member(n: int, path: str, index: int = 0) -> dict:
    return {"server": 1, "copy": 0, "source": "log.1", "offset": n * 100, "zxid": Z + n, "index": index, "path": path}


def test_members_that_the_client_names_restrict_a_multi():
    multis = [record(1, "multi", None), record(2, "multi", None)]
    members = [member(1, "/m"), member(1, "/q-0000000003", 1), member(2, "/m"), member(2, "/r", 1)]
    named = [{"op": "create", "path": "/m", "data": None}, {"op": "create", "path": "/q-", "data": None}]
    fates = {1: "survived", 2: "truncated"}
    assert answer([op(1, "multi", None, members=named)], multis, fates, members=members) == [("happened", 1)]
    assert answer([op(1, "multi", None)], multis, fates, members=members) == [("cannot tell", None)]


def test_a_session_that_expired_was_not_closed_by_its_client():
    assert answer([op(1, "close", None)], [record(1, "closeSession", None, cxid=0)], {1: "survived"}, complete=True) == [("did not", None)]
    assert answer([op(1, "close", None)], [record(1, "closeSession", None, cxid=9)], {1: "survived"}) == [("happened", 1)]


def test_the_stat_of_an_answer_names_its_record():
    records = [record(1, "setData"), record(2, "setData")]
    stat = op(1, "set", outcome="acknowledged", mzxid=Z + 2)
    assert answer([stat], records, {1: "survived", 2: "lost"}) == [("did not", 2)]


def test_an_operation_without_a_path_is_not_denied():
    assert answer([op(1, path=None)], [record(1)], {1: "survived"}, complete=True) == [("happened", 1)]


# ---------------------------------------------------------------- no record: was it still under way?
def test_no_record_of_a_session_that_was_not_heard_of_again():
    """The request may have lain in a socket when the disks were copied."""
    lonely = 0x300
    assert answer([op(1, session=lonely)], [], {}, complete=True) == [("cannot tell", None)]
    later = op(2, "set", "/x", "acknowledged", session=lonely, zxid=Z + 7)
    known = [record(7, "setData", "/x", session=lonely)]
    assert answer([op(1, session=lonely), later], known, {7: "survived"}, complete=True)[0] == ("did not", None)
    assert answer([op(1, session=lonely), later], known, {7: "truncated"}, complete=True)[0] == ("cannot tell", None)


def test_a_request_is_not_under_way_for_longer_than_servers_keep_a_silent_link():
    """Another client on the same clock was answered a minute later: no server can have held the request until then."""
    lonely = 0x300
    before = {"start": START - timedelta(seconds=9), "end": START - timedelta(seconds=8)}
    early = op(0, "set", "/x", "acknowledged", session=lonely, zxid=Z + 1, **before)
    records = [record(1, "setData", "/x", session=lonely), record(2, "setData", "/y")]
    fates = {1: "survived", 2: "survived"}

    def after(seconds: int, **more: object) -> list[dict]:
        at = START + timedelta(seconds=1.5 + seconds)
        other = op(5, "set", "/y", "acknowledged", zxid=Z + 2, client="other", start=at, end=at + timedelta(seconds=1))
        return [early, op(1, session=lonely, **more), other]

    assert answer(after(61), records, fates, complete=True)[1] == ("did not", None)
    assert answer(after(59), records, fates, complete=True)[1] == ("cannot tell", None)
    # the other client's clock is ahead: what it had done before has the later time
    first, asked, last = after(61)
    ahead = [{**first, "zxid": Z + 2}, asked, {**last, "zxid": Z + 1}]
    assert answer(ahead, records, fates, complete=True)[1] == ("cannot tell", None)
    assert answer(after(61, client="silent"), records, fates, complete=True)[1] == ("cannot tell", None)
