"""Logs of real servers (class paths taken out): values read from them with grep, not with zabtrace."""

from __future__ import annotations

from pathlib import Path

import pytest

from zabtrace.grammar.kinds import NOTIFICATIONS
from zabtrace.grammar.layouts import layouts
from zabtrace.logs import looks_like_log, read_log
from zabtrace.source import Source

DATA = Path(__file__).parent / "data" / "logs"

# per version: physical lines, records, notifications, elections (line, zxid), ms of the two elections, truncation (line, zxid)
SERVERS = {
    "3.4.14": (198, 167, 9, [(22, 0), (156, 0x10000001F)], (261, 27), (180, 0x100000016)),
    "3.5.9": (181, 169, 9, [(35, 0), (133, 0x1000000B3)], (27, 15), (161, 0x1000000A7)),
    "3.9.3": (316, 316, 10, [(91, 0), (245, 0x100000096)], (350, 52), (279, 0x10000008E)),
}


@pytest.mark.parametrize("version", SERVERS)
def test_a_server_that_led_was_killed_and_truncated(version: str) -> None:
    path = DATA / f"truncated-{version}.log"
    lines, records, votes, elections, took, truncation = SERVERS[version]
    log = read_log(Source(path.name, path))
    assert (looks_like_log(path.read_bytes()[:4096]), log.layout, log.version, set(log.sids)) == ("stock", "stock", version, {3})
    assert (log.summary["lines"], log.lines.height, log.summary["damaged"], log.summary["unknown"]) == (lines, records, 0, 0)
    assert log.summary["understood"] == lines - log.summary["foreign"]
    assert sum(log.fields[kind].height for kind in NOTIFICATIONS if kind in log.fields) == votes
    assert log.fields["fle_new_election"].rows() == [(line, 3, zxid) for line, zxid in elections]
    assert log.fields["leader_elected"]["ms"].to_list() + log.fields["follower_elected"]["ms"].to_list() == list(took)
    assert log.fields["learner_trunc"].rows() == [truncation]
    assert log.fields["quorum_supported"]["zxid"].to_list() == [0x100000000]
    assert log.fields["sync_decision"]["sid"].sort().to_list() == [1, 2]
    assert not log.lines["time"].null_count()


@pytest.mark.parametrize("layout", layouts().values(), ids=lambda layout: layout.name)
def test_the_sample_of_every_layout_is_understood(tmp_path: Path, layout) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "zookeeper.out"
    path.write_text("".join(f"{sample}\n" for sample in layout.shape.samples))
    log = read_log(Source("zookeeper.out", path))
    assert (log.layout, log.summary["understood"]) == (layout.name, len(layout.shape.samples))
    assert log.lines["time"].null_count() == (0 if layout.stamped else log.lines.height)
