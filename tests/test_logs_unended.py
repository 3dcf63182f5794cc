"""Logs whose copy ends within a line: what stands at the very end may be the beginning of a longer number."""

from __future__ import annotations

from pathlib import Path

import pytest
from election_lines import Log, saved

from zabtrace.evidence import gather
from zabtrace.incidents import incidents
from zabtrace.replay import replay
from zabtrace.replay.history import History

Z = 0x100000000
UNENDED = "it ends within a line"


def read(folder: Path, cut: int, server: int) -> History:
    """With ``cut`` characters less at the end of that server's log; 0: with its last line feed."""
    log = folder / f"server-{server}" / "zookeeper.log"
    log.write_text(log.read_text()[: -cut or None])
    return replay(gather([str(path) for path in sorted(folder.glob("server-*"))]))


def synchronized(folder: Path) -> Path:
    """3 was beyond 2 and is cut to where 2 ends; the log of 2 ends with the line that compares them."""
    two, three = Log(2), Log(3)
    two.starts(0)
    two.looks(1000, Z + 8)
    two.hears_all(1002, [1, 2], 2, 1, Z + 8)
    two.leads(1212, 2, [1], Z + 8, Z + 8)
    two.accepts(5000, 3, Z + 0x50, Z + 8)
    two.lines.pop()
    three.starts(4000)
    three.looks(4500, Z + 0x50)
    three.hears(4501, 3, 3, 1, 1, Z + 0x50)
    three.hears(4502, 1, 2, 1, 2, Z + 8, "FOLLOWING")
    three.hears(4503, 2, 2, 1, 2, Z + 8, "LEADING")
    three.say(4600, "o.a.z.s.q.QuorumPeer", "FOLLOWING")
    three.say(5001, "o.a.z.s.q.Learner", f"Truncating log to get in sync with the leader 0x{Z + 8:x}", level="WARN")
    return saved(folder, [Log(1), two, three])


@pytest.mark.parametrize("cut", [0, 1, 2, 5])
def test_a_number_that_may_have_lost_digits_is_not_used(tmp_path: Path, cut: int) -> None:
    """peerLastZxid=0x10000 at the end of the file was peerLastZxid=0x100000050: 3 did not stand at 0x10000, and no rule was broken."""
    found = read(synchronized(tmp_path), cut, 2)
    assert found.syncs.filter(learner=3)["learner_zxid"].to_list() == [Z + 0x50]  # by its own vote, where the line is torn
    assert incidents(found).findings.rows() == []
    notes = [note or "" for note in found.trace.sources.filter(server=2, kind="server log")["note"]]
    assert [UNENDED in note for note in notes] == [cut > 0]


@pytest.mark.parametrize("cut", [1, 3, 9])
def test_a_torn_quorum_line_names_no_epoch(tmp_path: Path, cut: int) -> None:
    two = Log(2)
    two.starts(0)
    two.looks(1000, Z + 8)
    two.hears_all(1002, [1, 2], 2, 1, Z + 8)
    two.leads(1212, 2, [1], Z + 8, Z + 8)
    found = read(saved(tmp_path, [Log(1), two, Log(3)]), cut, 2)
    assert [(row["leader"], row["epoch"]) for row in found.elections.to_dicts()] == [(2, None)]
