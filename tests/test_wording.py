"""How values are written: the same number, time or text everywhere, and nothing a terminal obeys."""

from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zabtrace import schema, wording

SIGNED = st.integers(-(2**63), 2**63 - 1)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.none() | SIGNED))
def test_columns_of_zxids_are_written_as_java_prints_unsigned_hexadecimal(numbers):
    written = wording.hexadecimal(pl.Series("zxid", numbers, dtype=pl.Int64)).to_list()
    assert written == [None if n is None else "0x" + format(n % 2**64, "x") for n in numbers]


@settings(max_examples=50, deadline=None)
@given(st.text())
def test_plain_text_holds_no_character_a_terminal_obeys(text):
    assert not [c for c in wording.plain(text) if ord(c) < 32 or 127 <= ord(c) < 160 or 0x202A <= ord(c) <= 0x202E]


@pytest.mark.parametrize(
    ("text", "shown"),
    [("[myid:1] a", "[myid:1] a"), ("\x1b[31m", "\\x1b[31m"), ("a\nb\tc", "a\\nb\\tc"), ("\u202eb", "\\u202eb"), ("ö/€", "ö/€")],
)
def test_plain_text_changes_nothing_else(text, shown):
    assert wording.plain(text) == shown


def test_times_no_calendar_has_are_written_as_milliseconds():
    times = pl.Series("time", [1795219789857, None, 2**63 - 1, -(2**63)]).cast(schema.TIME)
    assert wording.written(pl.DataFrame([times]))["time"].to_list() == [
        "2026-11-21T00:09:49.857Z",
        None,
        "9223372036854775807 ms since 1970",
        "-9223372036854775808 ms since 1970",
    ]


def test_a_moment_has_milliseconds_and_z():
    assert wording.moment(datetime(2026, 11, 21, 0, 9, 49, 7999, UTC)) == "2026-11-21T00:09:49.007Z"
    assert wording.moment(None) is None


def test_servers_are_written_as_sid_or_label_also_in_lists():
    names = wording.Names({-1: "zk-a"})
    writes = schema.frame(schema.WRITES, [{"zxid": 1, "on_disk_of": [2, -1], "evidence": [{"source": "a", "line": 3, "says": "x"}]}])
    (row,) = wording.rows(writes, names)
    assert (row["zxid"], row["on_disk_of"], row["absent_from"]) == ("0x1", [2, "zk-a"], None)
    assert row["evidence"] == [{"source": "a", "line": 3, "says": "x"}]


@pytest.mark.parametrize(
    ("numbers", "shown"),
    [([], ""), ([7], "0x7"), ([3, 1, 2, 9], "0x1..0x3 (3), 0x9"), ([1, 1], "0x1")],
)
def test_neighbours_are_drawn_together(numbers, shown):
    assert wording.span(numbers) == shown


@pytest.mark.parametrize(
    ("item", "shown"),
    [
        ({"source": "a", "line": 3}, "a:3"),
        ({"source": "a", "offset": 0}, "a at byte 0"),
        ({"source": "a"}, "a"),
        ({"source": "a\x1b", "line": 1}, "a\\x1b:1"),
    ],
)
def test_places(item, shown):
    assert wording.place(item) == shown
