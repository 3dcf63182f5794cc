"""layouts.lark: every sample reads as its layout, and as Lark reads it."""

# ruff: noqa: E501 - lines are quoted as ZooKeeper prints them
from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zabtrace.grammar import reference
from zabtrace.grammar.layouts import Layout, layouts
from zabtrace.grammar.notation import Shape
from zabtrace.logs import looks_like_log

NAME = "layouts.lark"
ALL = list(layouts().values())
THREADS = st.sampled_from([
    "main", "QuorumPeer[myid=1]/0:0:0:0:0:0:0:0:2181", "QuorumPeer[myid=1](plain=[0:0:0:0:0:0:0:0]:2181)(secure=disabled)", "/127.0.0.1:3888",
    "NIOServerCxn.Factory:0.0.0.0/0.0.0.0:2181", "ProcessThread(sid:2 cport:-1):", "LearnerHandler-/10.0.0.2:45678", "SendWorker:188978561024",
    "QuorumConnectionThread-[myid=1]-3", "qtp1846896625-33-acceptor-0@6c2d4cc6-ServerConnector@32b260fa{HTTP/1.1}",
])  # fmt: skip
LOGGERS = st.sampled_from(
    ["Leader", "FastLeaderElection$Messenger$WorkerReceiver", "o.a.z.s.q.QuorumPeer", "org.apache.zookeeper.server.quorum.Leader"]
)
MESSAGES = st.text(st.characters(min_codepoint=32, max_codepoint=0x24F, exclude_categories=["Cc"]), max_size=40)


@pytest.mark.parametrize("layout", ALL, ids=lambda layout: layout.name)
def test_sample(layout: Layout) -> None:
    for sample in layout.shape.samples:
        assert layout.compiled.match(sample), sample
        assert looks_like_log(f"{sample}\n".encode()) == layout.name


def written(shape: Shape, fields: dict[str, str]) -> str:
    """The head of a line in that layout."""
    fill = {"PAD": "  ", "AT": "492", "NDC": "[]", **fields}
    return "".join(part if isinstance(part, str) else fill[part.column or part.terminal] for part in shape.parts)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(ALL), THREADS, LOGGERS, MESSAGES, st.sampled_from([" ", "T"]), st.sampled_from([",", "."]))
def test_pattern_and_lark_agree(layout: Layout, thread: str, logger: str, message: str, separator: str, comma: str) -> None:
    if layout.name == "audit":
        logger = "o.a.z.a.Slf4jAuditLogger"
    inside = "message" in layout.shape.columns
    fields = {"time": f"2026-11-21{separator}00:18:39{comma}719", "level": "INFO", "myid": "[myid:1]", "thread": thread, "logger": logger}
    fields["message"] = message or "x"
    head = written(layout.shape, fields)
    found = layout.compiled.match(head if inside else f"{head} {message}")
    assert found is not None
    expected = {name: fields[name] for name in layout.shape.columns} | {"message": fields["message"] if inside else message}
    assert found.groupdict() == expected
    readings = [one.columns for one in reference.derivations(NAME, "layout", head) if one.kind == layout.name]
    assert tuple((name, fields[name]) for name in layout.shape.columns) in readings


def test_an_empty_message_may_lack_its_blank() -> None:
    head = "2026-11-21 00:18:39,719 [myid:] - INFO  [main:o.a.z.ZookeeperBanner@42] -"
    for line in (head, f"{head} "):
        found = layouts()["stock"].compiled.match(line)
        assert found is not None and not found["message"]
