"""Lines of text logs, batch by batch: what is listed of them needs no more memory for larger logs.

Strategy: logs are read twice, first only counted, which tells whose they are and their zone. Logs that can only be told apart record by
record (of several servers, or printed at the same time and perhaps twice) are read into memory as a whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import chain, pairwise

import polars as pl

from zabtrace import schema
from zabtrace.evidence import audits, gathering
from zabtrace.evidence.entry import Entry, one_sid
from zabtrace.evidence.trace import Trace
from zabtrace.held import Plain
from zabtrace.logs import LogRead, log_parts
from zabtrace.logs.read import NEWEST_FIRST


def lines(
    arguments: Sequence[str], before: Sequence[str] = (), timezone: Sequence[str] = (), log_pattern: str | None = None,
    wanted: Collection[str | None] | None = None,
) -> tuple[Trace, Iterator[Trace]]:  # fmt: skip
    """A Trace with SERVERS, and it with lines and fields of each batch in turn, per server oldest first. Raises as ``gather`` does.

    Lines of other kinds than the ``wanted`` (None among them: of no known kind) may be left out.
    """
    head, entries = gathering.stream(arguments, before, timezone, log_pattern)
    logs: dict[int, list[tuple[LogRead, Entry]]] = defaultdict(list)
    for entry in entries:
        if entry.log is not None and entry.server is not None and not entry.repeated:
            logs[entry.server].append((entry.log, entry))
    if not all(map(_apart, logs.values())):
        whole = audits.joined(gathering.gather(arguments, before, (), timezone, log_pattern))
        return whole, iter([whole])
    ordered = [found for _, of in sorted(logs.items()) for found in sorted(of, key=lambda found: found[1].order or 0)]
    own = (part for log, entry in ordered for part in _parts(head, log, entry, log_pattern, wanted))
    return head, chain(own, audits.parts(entries, head))


def _apart(logs: list[tuple[LogRead, Entry]]) -> bool:
    """Is each log of one server, and printed before or after the server's others? Days, and lines from the end, are counted over all."""
    if any(log.several or NEWEST_FIRST in log.remarks or (log.sids and one_sid(log.sids) is None) for log, _ in logs):
        return False
    spans = [log.span for log, _ in logs]
    known = sorted((low, high) for span in spans if span is not None for _, low, high in [span])
    return len(known) == len(logs) and all(first[1] <= second[0] for first, second in pairwise(known))


def _parts(head: Trace, log: LogRead, entry: Entry, pattern: str | None, wanted: Collection[str | None] | None) -> Iterator[Trace]:
    name, server = entry.source.name, entry.server
    for frame, fields, left_out in log_parts(entry.source, log, pattern, wanted):
        place = [pl.lit(server, dtype=pl.Int64).alias("server"), pl.lit(name).alias("source")]
        placed = {kind: df.select(*place, pl.all().exclude("server", "source")) for kind, df in fields.items()}
        lines_ = schema.conform(schema.LINES, frame, server=server, order=entry.order)
        yield replace(head, held=Plain(lines_, placed), left_out=left_out)
