"""The columns read the sample logs as Lark does, line by line."""

from __future__ import annotations

from pathlib import Path

import lark_agreement
import pytest

SERVERS = [
    f"{sample}/server-{sid}"
    for sample, sid in (("observer-3.6.3", 2), ("recovered-3.8.0", 1), ("shadowed-3.9.3", 3), ("truncated-3.8.0", 1))
]


@pytest.mark.parametrize("server", SERVERS)
def test_columns_and_lark_read_the_same(samples: Path, server: str) -> None:
    assert not list(lark_agreement.disagreements(samples / server / "zookeeper.log"))


def test_what_lark_reads_in_another_way_is_found(samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a reading with a wrong head and a wrong field both are named."""
    path = tmp_path / "zookeeper.log"
    head = "2026-11-21 00:18:39,719 [myid:1] - INFO  [main:FastLeaderElection@944]"
    path.write_text(f"{head} - New election. My id = 1, proposed zxid=0x100000057\n{head} - Notification time out: 400 ms\n")
    assert not list(lark_agreement.disagreements(path))
    read = lark_agreement.read_log

    def misread(source):  # type: ignore[no-untyped-def]
        log = read(source)
        log.fields["fle_new_election"] = log.fields["fle_new_election"].with_columns(my_sid=2)
        object.__setattr__(log, "lines", log.lines.with_columns(thread=log.lines["thread"].replace("main", "mai")))
        return log

    monkeypatch.setattr(lark_agreement, "read_log", misread)
    assert len(list(lark_agreement.disagreements(path))) == 3
