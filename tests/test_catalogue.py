"""Every text that ZooKeeper prints, filled with drawn values, reads back to them (tests/data/logs/catalogue.tsv).

The catalogue was taken from ZooKeeper's sources, 3.4.0 to 3.9.5: class, level and text of each message, its variables in braces with
their type. Nothing in it comes from the grammar.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from zabtrace.logs import read_log
from zabtrace.source import Source

CATALOGUE = Path(__file__).parent / "data" / "logs" / "catalogue.tsv"
HOLE = re.compile(r"\{([a-z_0-9]+)(?::([^}]*))?\}")
LONGS = (0, 1, -1, 0x100000016, 0x7FFFFFFF_FFFFFFFF, -(1 << 63), -0x12345678)
DECIMALS = (0, 7, -1, -9223372036854775808, 4294967318, 1219442439)
ADDRESSES = ("/10.0.0.3:2888", "zk1/10.0.0.1:3888", "zk3/<unresolved>:3888", "/0:0:0:0:0:0:0:1:2888", "zk2/[0:0:0:0:0:0:0:1]:2181")
STATES = ("LOOKING", "FOLLOWING", "LEADING", "OBSERVING")
WORDS = ("alpha", "Bravo7", "x-ray", "delta_echo")
# variables of which only these values are printed: they choose the alternative
VOCABULARY = {
    "detailed_state": ("looking", "leading - discovery", "following - synchronization - trunc"),
    "sent_or_received_text": ("sent to", "received from"),
    "session_status": ("", "closing "),
    "action_str": ("Adding", "Existing"),
    "config_version_suffix": ("", "100000000 (n.config version)"),
    "exception": ("java.io.IOException", "java.net.SocketException: Broken pipe"),
}
# Of a message of two spellings, hexadecimal without 0x and decimal, digits alone do not tell which it is; values are drawn that do.
TELLING = {"Committing {zxid:hex}, but next proposal is {next_zxid:hex}": 0xA00000016, "Committing {zxid:dec}": 4294967318}


@dataclass
class Case:
    """A line that was made, and the values it was made from."""

    logger: str
    level: str
    template: str
    message: str
    values: list[tuple[str, Any]]


def cases(seed: int) -> Iterator[Case]:
    draw = random.Random(seed)
    for row in CATALOGUE.read_text().splitlines():
        logger, level, template = row.split("\t")
        values: list[tuple[str, Any]] = []

        def filled(hole: re.Match[str], template: str = template, values: list[tuple[str, Any]] = values) -> str:
            text, value = drawn(hole[1], hole[2] or "", template, draw)
            values.append((text, value))
            return text

        yield Case(logger, level, template, HOLE.sub(filled, template.replace("\\t", "\t")), values)


def drawn(name: str, kind: str, template: str, draw: random.Random) -> tuple[str, Any]:
    told = next((value for text, value in TELLING.items() if template.startswith(text)), None)
    if kind in ("hex", "0xhex"):
        value = told or draw.choice((*LONGS, draw.getrandbits(40)))
        return ("0x" if kind == "0xhex" else "") + f"{value % (1 << 64):x}", value
    if kind in ("int", "dec"):
        value = told or draw.choice((*DECIMALS, draw.getrandbits(31)))
        return str(value), value
    if kind == "bool":
        return draw.choice((("true", True), ("false", False)))
    choices = {"real": ("0.5", "12.25"), "state": STATES, "addr": ADDRESSES, "optional": ("", "1")}.get(kind, WORDS)
    choices = {"path": ("/data/version-2/snapshot.100000016", "/app/config"), "name": ("create", "closeSession")}.get(kind, choices)
    text = draw.choice(VOCABULARY.get(name) or (kind.split("|") if "|" in kind else choices))
    return text, "" if name in VOCABULARY else text


def lines(case: Case) -> list[str]:
    head = "2026-11-21 00:18:39,719 [myid:1] - {:5} [main:{}@130] - {}"
    if case.level == "TRACE HEAD":
        return [head.format("WARN", "PatchedLeader", "a text of a patched build"), case.message]
    return [head.format(case.level, case.logger, case.message)]


def among(text: str, value: Any, fields: dict[str, Any]) -> bool:
    """Is the value a field, or a part of a text that is one?"""
    typed = [found for found in fields.values() if type(found) is type(value)]
    return value == "" or value in typed or any(isinstance(one, str) and text in one for one in fields.values())


def read(tmp_path: Path, made: list[Case]) -> tuple[list[str | None], list[dict[str, Any]]]:
    path, places, count = tmp_path / "zookeeper.log", [], 0
    with path.open("w") as file:
        for case in made:
            places.append(count + 1)
            file.writelines(f"{line}\n" for line in lines(case))
            count += len(lines(case))
    log = read_log(Source("zookeeper.log", path))
    assert log.summary["lines"] == count and log.summary["damaged"] == log.summary["foreign"] == 0
    fields: defaultdict[int, dict[str, Any]] = defaultdict(dict)
    kinds: dict[int, str] = {}
    for kind, frame in log.fields.items():
        for row in frame.iter_rows(named=True):
            line = row.pop("line")
            kinds[line] = kind
            fields[line].update({name: value for name, value in row.items() if value is not None})
    kinds |= dict(log.lines.drop_nulls("kind").select("line", "kind").iter_rows())
    return [kinds.get(place) for place in places], [fields[place] for place in places]


@pytest.mark.parametrize("seed", range(3))
def test_every_text_reads_back_to_its_values(tmp_path: Path, seed: int) -> None:
    made = list(cases(seed))
    assert len(made) > 1200
    kinds, fields = read(tmp_path, made)
    unknown = [case.message for case, kind in zip(made, kinds, strict=True) if kind is None]
    assert not unknown
    wrong = [
        (case.message, text, told)
        for case, told in zip(made, fields, strict=True)
        for text, value in case.values
        if case.logger != "ZookeeperBanner" and not among(text, value, told)
    ]
    assert not wrong
