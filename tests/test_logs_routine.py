"""Lines of routine traffic are left out where only the fates of writes are asked for, and nothing that is judged depends on them."""

from __future__ import annotations

import ast
from pathlib import Path

import polars as pl
import pytest

import zabtrace
from zabtrace import documents
from zabtrace.evidence import gather
from zabtrace.fates import judge
from zabtrace.grammar.kinds import ROUTINE
from zabtrace.grammar.messages import messages
from zabtrace.logs import read_log
from zabtrace.replay import replay
from zabtrace.source import Source

RULES = ("replay", "fates", "checks", "protocol", "documents")
CLIENTS = "tree_clients.py"
"""From where sessions connected: 'history' and 'sessions' tell it, of all lines."""
HEAD = "2026-11-21 00:18:39,{ms:03} [myid:1] - DEBUG [CommitProcessor:1:{logger}@226] - "
COMMIT = (
    HEAD.replace("{logger}", "CommitProcessor")
    + "Committing request:: sessionid:0x1 type:create cxid:0x1 zxid:0x{ms:x} txntype:1 reqpath:n/a"
)
ELECTION = "2026-11-21 00:18:39,{ms:03} [myid:1] - INFO  [main:FastLeaderElection@944] - New election. My id = 1, proposed zxid=0x100000057"


def test_no_rule_asks_for_routine_lines() -> None:
    package = Path(zabtrace.__file__).parent
    named = {
        (path.name, node.value)
        for folder in RULES
        for path in (package / folder).rglob("*.py")
        if path.name != CLIENTS
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in ROUTINE
    }
    assert named == set()
    assert messages().kinds >= ROUTINE


@pytest.mark.parametrize("sample", ["truncated-3.8.0", "recovered-3.8.0", "observer-3.6.3"])
def test_the_verdict_does_not_depend_on_them(samples: Path, sample: str) -> None:
    evidence = [str(path) for path in sorted((samples / sample).glob("server-*"))]
    found = []
    for routine in (True, False):
        history = replay(gather(evidence, routine=routine))
        found.append((documents.verify(history, judge(history), every=True), history.trace.lines.height))
    assert found[0][0] == found[1][0]
    assert found[1][1] < found[0][1]


def test_what_is_kept(tmp_path: Path) -> None:
    """The elections, and of each run of routine lines the first and the last; all are counted."""
    lines = [(ELECTION if at in (0, 500) else COMMIT).format(ms=at) for at in range(1000)]
    path = tmp_path / "zookeeper.log"
    path.write_text("".join(f"{line}\n" for line in lines))
    whole, thin = (read_log(Source(path.name, path), routine=routine) for routine in (True, False))
    assert thin.lines["line"].to_list() == [1, 2, 500, 501, 502, 1000]
    assert thin.lines.rows() == whole.lines.filter(pl.col("line").is_in(thin.lines["line"].to_list())).rows()
    assert list(thin.fields) == ["fle_new_election"]
    assert thin.fields["fle_new_election"].rows() == whole.fields["fle_new_election"].rows()
    assert (thin.summary, thin.sids, thin.span) == (whole.summary, whole.sids, whole.span)
