"""Folded histories are judged as whole ones: on model ensembles with parts of their evidence hidden, and on real bytes."""

from __future__ import annotations

import random

import numpy as np
import polars as pl
import pytest

from tests.folded_tables import folded, outline
from tests.soundness.evidence import hidings, trace
from tests.soundness.play import play
from zabtrace.evidence.folding import fold
from zabtrace.fates import Judgement, judge
from zabtrace.fates.unfold import ALIKE
from zabtrace.replay import replay

CHUNK = 20


def spread(judged: Judgement) -> dict[int, tuple[object, ...]]:
    """Per zxid what is said of it; of those that were left out what is said of the one behind them."""
    found = {row[0]: tuple(map(str, row[1:])) for row in judged.writes.select("zxid", *ALIKE).iter_rows()}
    for zxid, skipped in judged.folds.select("zxid", "skipped").iter_rows():
        found |= dict.fromkeys(range(zxid - skipped, zxid), found[zxid])
    return found


@pytest.mark.parametrize("first", range(0, 120, CHUNK))
def test_a_folded_history_is_judged_like_the_whole_one(first: int) -> None:
    skipped = 0
    for seed in range(first, first + CHUNK):
        ensemble = play(seed)
        kinds = hidings(ensemble, random.Random(seed))
        whole = trace(ensemble, kinds[seed % len(kinds)])
        thin = folded(whole)
        skipped += thin.folds["skipped"].sum()
        one, other = replay(whole), replay(thin)
        for name in ("epochs", "syncs", "disks", "elections"):
            assert getattr(one, name).equals(getattr(other, name)), (seed, name)
        plain, short = judge(one), judge(other)
        assert spread(short) == spread(plain), seed
        assert (short.verdict, short.message, short.reasons, short.counts) == (plain.verdict, plain.message, plain.reasons, plain.counts)
        assert short.ranges.equals(plain.ranges)
        assert short.clients.equals(plain.clients)
        assert short.servers == plain.servers
    assert skipped > CHUNK // 2


def log(zxids: str, marks: dict[int, int] | None = None, bad: tuple[int, ...] = ()) -> pl.DataFrame:
    """Rows of a log: ``"1-9 20-25"``; another payload hash where ``marks`` says so, a wrong checksum at ``bad``."""
    numbers = [n for part in zxids.split() for first, _, last in [part.partition("-")] for n in range(int(first), int(last or first) + 1)]
    return pl.DataFrame({
        "zxid": numbers, "offset": [16 + 100 * place for place in range(len(numbers))], "payload_len": 87, "session": 1, "type": 5,
        "payload_hash": pl.Series([(marks or {}).get(n, n) for n in numbers], dtype=pl.UInt64),
        "checksum_ok": [n not in bad for n in numbers],
    })  # fmt: skip


def kept(*logs: pl.DataFrame, named: tuple[int, ...] = (), opened: tuple[tuple[int, int], ...] = ()) -> list[str]:
    """The zxids that stay of each log; ``+`` and how many were left out stands before the one behind them."""
    found = fold([outline(one) for one in logs], np.array(named, dtype=np.int64), opened)
    shown = []
    for rows, stays in zip(logs, found.kept, strict=True):
        zxids = rows.filter(pl.col("offset").is_in(stays.offset.tolist()))["zxid"].to_list()
        shown.append(" ".join(f"+{skipped} {z}" if skipped else str(z) for z, skipped in zip(zxids, stays.skipped, strict=True)))
    return shown


CASES = [
    ("alone", [log("1-9")], {}, ["1 +7 9"]),
    ("two are nothing to fold", [log("1-2 9")], {}, ["1 2 9"]),
    ("a jump", [log("1-5 10-15")], {}, ["1 +3 5 10 +4 15"]),
    ("another log begins and ends inside", [log("1-20"), log("6-10")], {}, ["1 +3 5 6 +3 10 11 +8 20", "6 +3 10"]),
    ("a named zxid", [log("1-20")], {"named": (8,)}, ["1 +5 7 8 9 +10 20"]),
    ("a named zxid that no log holds", [log("1-5")], {"named": (70,)}, ["1 +3 5"]),
    ("two payloads", [log("1-20"), log("1-20", {8: 99})], {}, ["1 +5 7 8 9 +10 20"] * 2),
    ("a wrong checksum", [log("1-20", bad=(8,))], {}, ["1 +5 7 8 9 +10 20"]),
    ("logged twice", [log("1-9 4-12")], {}, ["1 +1 3 4 +4 9 4 +4 9 10 +1 12"]),
    ("opened", [log("1-20")], {"opened": ((5, 8),)}, ["1 +2 4 5 6 7 8 9 +10 20"]),
    ("no records", [log(""), log("1-4")], {}, ["", "1 +2 4"]),
]


@pytest.mark.parametrize(("logs", "wanted", "stays"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_stays(logs: list[pl.DataFrame], wanted: dict[str, tuple[int, ...]], stays: list[str]) -> None:
    assert kept(*logs, **wanted) == stays  # type: ignore[arg-type]
