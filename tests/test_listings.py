"""What long listings are made of: rows made when they are asked for, nested columns built flat, events with few of their fields."""

from __future__ import annotations

import json

import polars as pl
import pytest
from election_lines import flapping, saved

from zabtrace import documents, evidence, schema
from zabtrace.documents.accounts import detailed
from zabtrace.documents.listing import Listing
from zabtrace.evidence.trace import PLACE
from zabtrace.render.views import View, as_json
from zabtrace.replay import replay

NESTED = (
    [],
    [None],
    [[]],
    [[], None],
    [None, [], [{"source": "a", "line": 3}], [{"source": "b", "offset": 1, "says": "x"}, {"line": None}], []],
)


@pytest.mark.parametrize("values", NESTED)
def test_nested_columns_are_those_that_polars_makes(values):
    made = schema.frame(schema.LOSSES, [{"evidence": value} for value in values])["evidence"]
    expected = pl.Series("evidence", values, dtype=schema.EVIDENCE)
    assert made.dtype == expected.dtype
    assert made.to_list() == expected.to_list()


def test_a_listing_is_written_like_a_list():
    rows = [{"a": 1}, {"a": 2}]
    listing = Listing(2, lambda: iter(rows))
    assert "".join(as_json(View({"rows": listing}, "rows", []))) == "".join(as_json(View({"rows": rows}, "rows", [])))
    assert list(listing) == list(listing) == rows
    assert json.loads("".join(as_json(View({"rows": Listing(0, lambda: iter(()))}, "rows", [])))) == {"rows": []}


@pytest.fixture(scope="module")
def trace(tmp_path_factory):
    folder = saved(tmp_path_factory.mktemp("flapping"), flapping(3, documents.ELECTIONS + 2))
    return evidence.gather([str(path) for path in sorted(folder.glob("server-*"))])


def test_events_with_few_fields_are_the_same_events(trace):
    whole, few = trace.events("fle_notification", "state_looking"), trace.events("fle_notification", "state_looking", only=("zxid", "ms"))
    assert whole.height
    assert few.columns == [*PLACE, "zxid", "ms"]
    assert few.equals(whole.select(few.columns))


def test_every_election_keeps_its_own_votes_and_accounts_beyond_one_part(trace):
    document = detailed(documents.elections(history := replay(trace)), history)
    rows = list(document["elections"])
    assert [row["id"] for row in rows] == list(range(1, documents.ELECTIONS + 3))
    for row in rows:  # each server's own vote, and its change to the winner, as ``flapping`` prints them
        assert row["round"] == row["id"]
        assert [(vote["server"], vote["voted_for"]) for vote in row["votes"] if vote["server"] != 3] == [(1, 1), (2, 2), (1, 3), (2, 3)]
        assert {vote["round"] for vote in row["votes"]} == {row["id"]}
        assert [account["server"] for account in row["accounts"]] == [1, 2, 3]
        assert {step["round"] for account in row["accounts"] for step in account["steps"]} == {row["id"]}
