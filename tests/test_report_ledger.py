"""The ledger: whatever place a page cites, the panel shows what stands there and a command that prints it."""

from __future__ import annotations

from dataclasses import replace

import incident
import pytest

from zabtrace import schema
from zabtrace.report.content import Wish
from zabtrace.report.ledger import Ledger

CLIENT = {
    "source": "history.jsonl",
    "line": 7,
    "client": "c1",
    "op": "create",
    "path": "/a<b>\x1b",
    "outcome": "acknowledged",
    "zxid": 0x100000007,
}
ACKNOWLEDGED = "client c1, op create, path /a<b>\\x1b, outcome acknowledged, zxid 0x100000007"
LOGGED = "first_zxid 0x100000001, last_zxid 0x100000009, records 9, bytes 700"
EPOCH = {"source": "server-1/currentEpoch", "server": 1, "copy": 0, "name": "currentEpoch", "epoch": 4}
SNAPSHOT = {"source": "server-1/snapshot.5", "server": 1, "copy": 0, "zxid": 5, "valid": False, "reason": "cut off"}
LOG = {"source": "server-2/log.1", "server": 2, "copy": 0, "first_zxid": 0x100000001, "last_zxid": 0x100000009, "records": 9, "bytes": 700}
SETTING = {"source": "server-1/zoo.cfg", "line": 3, "server": 1, "key": "syncLimit", "value": "5"}
WISH = Wish(command="incident/", locate=lambda source: f"/evidence/{source}")


@pytest.mark.parametrize(
    ("place", "number", "words", "command"),
    [
        ("history.jsonl:7", 7, ACKNOWLEDGED, "sed -n '5,9p' /evidence/history.jsonl"),
        ("server-1/currentEpoch at byte 0", 0, "name currentEpoch, epoch 4", "cat /evidence/server-1/currentEpoch"),
        ("server-1/snapshot.5 at byte 0", 0, "zxid 0x5, valid False, reason cut off", "zabtrace tree incident/ --snapshots"),
        ("server-2/log.1", 0, LOGGED, "zabtrace txns incident/ --from 0x100000001 --to 0x100000009"),
        ("server-1/zoo.cfg:3", 3, "key syncLimit, value 5", "sed -n '1,5p' /evidence/server-1/zoo.cfg"),
    ],
)  # fmt: skip
def test_places_that_are_no_lines_of_logs_show_their_row(place: str, number: int, words: str, command: str) -> None:
    history = incident.history()
    trace = replace(
        history.trace,
        client_ops=schema.frame(schema.CLIENT_OPS, [CLIENT]),
        epoch_files=schema.frame(schema.EPOCH_FILES, [EPOCH]),
        snapshots=schema.frame(schema.SNAPSHOTS, [SNAPSHOT]),
        sources=schema.frame(schema.SOURCES, [{"source": LOG["source"]}]),
        txn_files=schema.frame(schema.TXN_FILES, [LOG]),
        settings=schema.frame(schema.SETTINGS, [SETTING]),
    )
    ledger = Ledger()
    ledger.cited(place)
    assert ledger.lines(replace(history, trace=trace), WISH)["places"][place] == {"lines": [[number, words, True]], "command": command}


def test_a_place_of_which_nothing_was_read_says_so() -> None:
    ledger = Ledger()
    ledger.cited("gone.log:3")
    assert ledger.lines(incident.history(), Wish())["places"] == {"gone.log:3": {"lines": [], "command": None}}


def test_lines_of_a_log_printed_newest_first_are_those_of_tac() -> None:
    history = incident.history()
    note = "read as CSV; printed newest first: its lines are numbered from the end"
    sources = schema.frame(schema.SOURCES, [{"source": "export.csv", "note": note}])
    ledger = Ledger()
    ledger.cited("export.csv:9")
    shown = ledger.lines(replace(history, trace=replace(history.trace, sources=sources)), WISH)["places"]["export.csv:9"]
    assert shown["command"] == "tac /evidence/export.csv | sed -n '7,11p'"
