"""How large the page of a long history is, and when a real browser can use it.

    python tests/benchmarks/large_report.py                      10 million transactions on 5 servers, 1,000 sessions, 200 elections
    python tests/benchmarks/large_report.py --transactions 1000000

Memory: about 130 bytes per record. The browser's time is also given as a multiple of that of an empty plotly page in the same run, for
the script of plotly itself is the larger part of it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parent.parent))

from browser import browser, opened

from zabtrace import charts, schema
from zabtrace.evidence.trace import Trace
from zabtrace.fates.judgement import Judgement
from zabtrace.protocol.quorum import Config
from zabtrace.replay.history import History, Outage
from zabtrace.replay.votes import Given
from zabtrace.report import page
from zabtrace.report.content import Findings, Wish, gather

START = datetime(2026, 11, 1, tzinfo=UTC)
EMPTY = "<!DOCTYPE html><div id=a></div><script>{}</script><script>Plotly.newPlot('a', [{{y: [1, 2]}}]);</script>"


def records(transactions: int, servers: int, sessions: int, epochs: int) -> pl.DataFrame:
    """The same records on every server, some of them on the old leader alone at the end of each epoch."""
    number = np.arange(transactions, dtype=np.int64)
    each = transactions // epochs
    epoch = np.minimum(number // each, epochs - 1)
    zxid = ((epoch + 1) << 32) + (number - epoch * each) + 1
    ms = round(START.timestamp() * 1000) + number * 20 + epoch * 5000
    one = pl.DataFrame({"zxid": zxid, "time": ms, "session": 0x100000000000000 + number % sessions, "offset": number * 100})
    wanted = schema.types(schema.TXNS)
    constants = {"copy": 0, "op": "setData", "path": "/app/node", "source": "log.1", "checksum_ok": True}
    parts = [
        one.with_columns(pl.lit(server, pl.Int64).alias("server"), *(pl.lit(value).alias(name) for name, value in constants.items()))
        for server in range(1, servers + 1)
    ]
    every = pl.concat(parts).with_columns(pl.col("time").cast(schema.TIME), pl.col("copy").cast(pl.Int64))
    return every.with_columns(pl.lit(None, dtype=wanted[name]).alias(name) for name in wanted if name not in every.columns)


def history(transactions: int, servers: int, sessions: int, elections: int) -> tuple[History, Judgement]:
    """Epoch after epoch: an election, a leader, followers, a truncation."""
    txns = records(transactions, servers, sessions, elections)
    length = timedelta(milliseconds=transactions // elections * 20 + 5000)
    roles, votes, held, epochs, syncs, outages = [], [], [], [], [], []
    place = {"source": "server-1/zookeeper.log", "line": 7}
    for number in range(elections):
        begin, leader = START + number * length, number % servers + 1
        stood, end = begin + timedelta(seconds=4), begin + length
        for server in range(1, servers + 1):
            role = "LEADING" if server == leader else "FOLLOWING"
            roles += [
                {"server": server, "process": 1, "role": "LOOKING", "start": begin, "end": stood, **place},
                {"server": server, "process": 1, "role": role, "start": stood, "end": end, "leader": leader, "epoch": number + 1, **place},
            ]
            votes += [
                {
                    "election": number + 1,
                    "time": begin + timedelta(milliseconds=200 * seen),
                    "server": server,
                    "state": "LOOKING",
                    "round": 1,
                    "voted_for": leader,
                    "zxid": number << 32,
                    "peer_epoch": number,
                    "seen_by": seen,
                    **place,
                }
                for seen in range(1, servers + 1)
            ]
        everybody = list(range(1, servers + 1))
        held.append(
            {
                "election": number + 1,
                "round": 1,
                "start": begin,
                "end": stood,
                "leader": leader,
                "epoch": number + 1,
                "kind": "vote",
                "decided_by": "zxid",
                "quorum": everybody,
                "servers": everybody,
                "why": "larger zxid",
                **place,
            }
        )
        epochs.append(
            {
                "epoch": number + 1,
                "leader": leader,
                "status": "established",
                "established": stood,
                "ended": end,
                "first_zxid": ((number + 1) << 32) + 1,
                "last_zxid": ((number + 1) << 32) + 1000,
                "writes": 1000,
                **place,
            }
        )
        syncs.append(
            {
                "time": stood,
                "learner": number % servers + 1,
                "leader": leader,
                "epoch": number + 1,
                "mode": "TRUNC",
                "truncated_to": number << 32,
                "why": "cut",
                **place,
            }
        )
        outages.append(Outage(begin, stood, 4000, leader))
    gone = txns.filter((pl.col("server") == 1) & (pl.col("zxid") % 2000 == 0)).select("zxid", "time", "op", "path", "session")
    lost = gone.with_columns(fate=pl.lit("truncated"), committed=pl.lit("no"), why=pl.lit("discarded by the next epoch"))
    kept = txns.filter((pl.col("server") == 1) & (pl.col("zxid") % 2000 != 0)).select("zxid", "time", "op", "path", "session")
    writes = pl.concat([schema.conform(schema.WRITES, lost), schema.conform(schema.WRITES, kept, fate="survived", committed="yes")])
    names = schema.frame(schema.SERVERS, [{"server": one, "label": str(one)} for one in range(1, servers + 1)])
    made = History(
        trace=Trace(servers=names, txns=txns),
        configs=(Config(voters=frozenset(range(1, servers + 1))),),
        roles=schema.frame(schema.ROLES, roles),
        cast=Given(schema.frame(schema.VOTES, votes)),
        elections=schema.frame(schema.ELECTIONS, held),
        epochs=schema.frame(schema.EPOCHS, epochs),
        syncs=schema.frame(schema.SYNCS, syncs),
        unavailable=tuple(outages),
    )
    return made, Judgement(verdict="nothing_lost", writes=writes, message="No committed write was lost.")


def usable(made: Any, file: Path, ready: str) -> float:
    """Seconds until the page has drawn its chart."""
    begin = time.perf_counter()
    with opened(made, file) as seen:
        seen.page.wait_for_selector(ready, state="attached")
        took = time.perf_counter() - begin
        if seen.errors:
            raise RuntimeError(seen.errors[0])
    return took


def main() -> None:
    """Build, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--transactions", type=int, default=10_000_000)
    asked = parser.parse_args()
    found, judged = history(asked.transactions, 5, 1000, 200)
    begin = time.perf_counter()
    text = page.html(gather(Findings(found, judged), Wish()))
    sys.stdout.write(f"page of {asked.transactions:,} transactions: {len(text) / 1e6:.1f} MB in {time.perf_counter() - begin:.1f} s\n")
    with tempfile.TemporaryDirectory() as folder, browser() as made:
        file, empty = Path(folder) / "page.html", Path(folder) / "empty.html"
        file.write_text(text)
        empty.write_text(EMPTY.format(charts.script()))
        base = min(usable(made, empty, ".plot-container") for _ in range(3))
        took = min(usable(made, file, "#chart-timeline[data-ready]") for _ in range(3))
        sys.stdout.write(f"usable after {took:.2f} s, {took / base:.1f} times an empty plotly page ({base:.2f} s)\n")


if __name__ == "__main__":
    main()
