"""What not to start yet: writes that lie on some disks only, and that the next start would discard or leave behind.

Strategy: the predicted starts say which records each of them discards, the judgement on whose newest disks they lie. A start is sure to
keep a write only where its leader has the record; what is neither kept nor discarded for sure is not called safe. Writes of the same
disks and the same starts are told together. Nothing is said of writes that no start endangers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from zabtrace import wording, zxid
from zabtrace.fates.judgement import Judgement
from zabtrace.predict import Prediction, Start

FEW = 3
"""So many sets of servers are named, the smallest ones."""


@dataclass(frozen=True)
class _Group:
    """Writes of the same disks that the same starts discard."""

    holders: tuple[int, ...]
    wrong: tuple[Start, ...]
    """Starts that discard them, or in which none of these disks takes part."""
    right: tuple[Start, ...]
    """Starts whose leader has them."""


def advice(judgement: Judgement, prediction: Prediction | None, names: wording.Names) -> list[str]:
    """A sentence per group of writes that the next start endangers, the most acknowledged ones first."""
    starts = [start for start in (prediction.starts if prediction is not None else ()) if start.leader is not None]
    endangered = {number for start in starts for number in start.discarded}
    of_some = pl.col("zxid").is_in(endangered) | ((pl.col("at_next_start") == "depends") & pl.lit(bool(starts)))
    rows = judgement.writes.filter(of_some & (pl.col("on_disk_of").list.len() > 0)).select("zxid", "on_disk_of", "acknowledged")
    groups: dict[_Group, list[dict[str, Any]]] = defaultdict(list)
    for row in rows.iter_rows(named=True):
        groups[_group(row, starts)].append(row)
    told = [(_acknowledged(held), _said(group, held, names)) for group, held in groups.items() if group.wrong]
    return [sentence for _, sentence in sorted(told, key=lambda pair: -pair[0])]


def _group(row: dict[str, Any], starts: Sequence[Start]) -> _Group:
    holders = tuple(sorted(row["on_disk_of"]))
    wrong = tuple(start for start in starts if row["zxid"] in start.discarded or not set(holders) & set(start.servers))
    return _Group(holders, wrong, tuple(start for start in starts if start.leader in holders and start not in wrong))


def _acknowledged(held: Iterable[dict[str, Any]]) -> int:
    return sum(row["acknowledged"] == "yes" for row in held)


def _said(group: _Group, held: list[dict[str, Any]], names: wording.Names) -> str:
    servers = _servers(group.holders, names)
    numbers = sorted({row["zxid"] for row in held})
    acknowledged = _acknowledged(held)
    counted = f"{len(numbers)} write{'s' if len(numbers) > 1 else ''}" + (f", {acknowledged} of them acknowledged," if acknowledged else "")
    lie = "lie" if len(numbers) > 1 else "lies"
    span = zxid.text(numbers[0]) + (f" to {zxid.text(numbers[-1])}" if len(numbers) > 1 else "")
    if group.right:
        wrong = sorted(group.wrong, key=lambda start: len(start.servers))[:FEW]
        sets = " or ".join(_servers(start.servers, names) for start in wrong)
        return f"Do not start {sets} alone: {counted} {lie} only on {servers} ({span}), and would be discarded when it comes back."
    only = f"{counted} {lie} only there ({span})"
    return f"Do not start {servers} before its data files are copied: {only}, and no start is sure to keep them."


def _servers(numbers: Sequence[int], names: wording.Names) -> str:
    return f"server{'s' if len(numbers) > 1 else ''} {wording.listed([names.name(number) for number in numbers])}"
