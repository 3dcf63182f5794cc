"""Sentences and numbers of the first screen, for the page and the terminal: what was read, and how much of what."""

from __future__ import annotations

from typing import Any

import polars as pl

from zabtrace import wording
from zabtrace.documents import COUNTED
from zabtrace.evidence.gathering import UTC_ASSUMED
from zabtrace.evidence.originals import turned
from zabtrace.fates.judgement import Judgement
from zabtrace.logs.read import NEWEST_FIRST
from zabtrace.replay.history import History

FEW = 2
"""So many outages are told one by one."""


def read(history: History) -> str:
    """What was read: servers, disks, text logs, client histories, files not recognised."""
    trace = history.trace
    names = wording.Names.of(trace.servers)
    voters = history.config_at().voters
    servers = set(trace.servers["server"])
    logs = set(trace.sources.filter(pl.col("lines").is_not_null())["server"].drop_nulls()) & servers
    disks = set(history.disks.filter(pl.col("copy") == 0)["server"])
    listed = wording.listed([names.name(server) for server in sorted(servers, key=lambda one: (one < 0, one))])
    parts = [f"{len(servers & voters)} of {len(voters)} voters" if voters else "no configuration names the ensemble"]
    parts += [f"server{'s' if len(servers) > 1 else ''} {listed}"] if servers else ["no server"]
    parts += [f"no data files of {wording.listed(_named(servers - disks, names))}"] if servers - disks else []
    parts += [f"no text log of {wording.listed(_named(servers - logs, names))}"] if servers - logs else []
    earlier = set(history.disks.filter(pl.col("copy") > 0)["server"])
    parts += [f"earlier copies of {wording.listed(_named(earlier, names))}"] if earlier else []
    parts.append(f"{trace.client_ops.height} operations that clients recorded" if trace.client_ops.height else "no client history")
    assumed = logs & set(trace.servers.filter(pl.col("timezone") == UTC_ASSUMED)["server"])
    parts += [f"log stamps of {wording.listed(_named(assumed, names))} name no zone, UTC is assumed (--timezone)"] if assumed else []
    parts += [f"{wording.listed(list(turned(trace.sources)))} {NEWEST_FIRST}"] if turned(trace.sources) else []
    return f"Read: {'; '.join(parts)}."


def _named(servers: set[int], names: wording.Names) -> list[Any]:
    return [names.name(server) for server in sorted(servers)]


def files(history: History) -> str:
    """How many files were read, and how much of the text was understood."""
    sources = history.trace.sources
    unrecognised = sources.filter(pl.col("kind") == "unrecognised").height
    totals = {key: sources[key].sum() or 0 for key in COUNTED}
    understood = f"{totals['understood']:,} of {totals['lines']:,} log lines understood" if totals["lines"] else "no text log"
    return f"{sources.height} files, {unrecognised} not recognised; {understood}."


def counted(judgement: Judgement) -> dict[str, int]:
    """Writes per fate, those that only text tells of among them."""
    told = judgement.from_text
    return {fate: number + told.get(fate, 0) for fate, number in judgement.counts.items()}


def from_text(judgement: Judgement) -> str | None:
    """A sentence where some of the writes that are counted were read of in text only."""
    told = ", ".join(f"{number:,} {fate}" for fate, number in judgement.from_text.items())
    return f"Known from text only, no record of them was read: {told}." if told else None


def numbers(history: History, judgement: Judgement) -> list[tuple[str, str]]:
    """The key numbers: (number, what it counts)."""
    counts = counted(judgement)
    gone = sum(counts[fate] for fate in ("truncated", "shadowed", "pending"))
    established = history.epochs.filter(pl.col("status") == "established").height
    longest = max((out.ms for out in history.unavailable), default=None)
    return [
        (f"{sum(counts.values()):,}", "writes judged"),
        (f"{counts['survived'] + counts['recovered']:,}", "survived or recovered"),
        (f"{gone:,}", "discarded, or will be"),
        (f"{counts['lost']:,}", "lost"),
        (f"{counts['undecided'] + counts['diverged']:,}", "undecided or diverged"),
        (f"{established}", "epochs established"),
        ("unknown" if longest is None else wording.duration(longest), "longest time without writes"),
        (f"{history.trace.damage.height}", "damaged places"),
    ]


def _never_led(history: History, names: wording.Names) -> str | None:
    """A sentence where servers looked for a leader, none of them ever served in an epoch, and those without a log are no quorum."""
    roles, config = history.roles, history.config_at()
    seen = roles.filter(pl.col("role") != "UNKNOWN")["server"].unique()
    looked = roles.filter(pl.col("role") == "LOOKING")["server"].unique().sort()
    if roles["served"].is_not_null().any() or looked.is_empty() or not config.blocks(seen):
        return None
    return (
        f"No leader was ever established in the logs that were read: no write was possible while "
        f"{wording.listed([names.name(server) for server in looked])} were looking for one."
    )


def outages(history: History) -> list[str]:
    """How long no write was possible: each time in a sentence, or all together where they are many."""
    names = wording.Names.of(history.trace.servers)
    found = sorted(history.unavailable, key=lambda out: -out.ms)
    if not found and (told := _never_led(history, names)):
        return [told]
    if len(found) <= FEW:
        return [wording.outage(out, names) for out in history.unavailable]
    total = wording.duration(sum(out.ms for out in found))
    return [f"Writes were impossible {len(found)} times, for {total} in all. The longest: {wording.outage(found[0], names)}"]
