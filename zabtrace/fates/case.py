"""The Case: what the labels, the sentences and the verdict are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from zabtrace.fates.committed import Proof, proofs
from zabtrace.fates.cuts import Cut, cuts, established
from zabtrace.fates.never import End, Readings, ends
from zabtrace.fates.outlook import Outlook, outlook
from zabtrace.replay.disks import chains
from zabtrace.replay.history import History
from zabtrace.replay.learned import learned


@dataclass(frozen=True)
class Case:
    """Everything that the labels, the sentences and the verdict are made from."""

    history: History
    chains: pl.DataFrame
    newest: pl.DataFrame
    """server, copy of every newest copy; both copies of a server whose order is not proved."""
    epochs: tuple[int, ...]
    cuts: Mapping[int, Cut]
    proofs: tuple[Proof, ...]
    ends: tuple[End, ...]
    read: Readings
    outlook: Outlook


def build_case(history: History, since: int | None = None) -> Case:
    """Work out cuts, proofs and epoch ends."""
    chain = chains(history.trace, *learned(history))
    read = Readings(history, chain)
    epochs = established(history)
    cut = cuts(history, chain, epochs)
    newest = history.disks.filter((pl.col("copy") == 0) | pl.col("server").is_in(list(history.trace.unordered))).select("server", "copy")
    return Case(
        history,
        chain,
        newest,
        tuple(epochs),
        cut,
        tuple(proofs(history, chain)),
        tuple(ends(read, epochs, since)),
        read,
        outlook(history, newest),
    )
