"""Logs that were cut, overwritten, mixed and spliced at random: understood + unknown + foreign + damaged = lines, and no error."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from zabtrace.grammar.layouts import layouts, wrappers
from zabtrace.grammar.notation import read
from zabtrace.logs import read_log
from zabtrace.source import Source

WHOLE = [path.read_bytes() for path in sorted((Path(__file__).parent / "data" / "logs").glob("truncated-*.log"))]
SAMPLES = [sample.encode() for shape in read("layouts.lark").shapes for sample in shape.samples]
JUNK = (
    b"\0", b"\xff\xfe",
    b"\r", b"\n", b"\x1b[31m", b"\xef\xbb\xbf", b"\xc2\x85", b"\xe2\x80\xa8", b"\xed\xa0\x80", b"\x1f", b"\x0b\x0c", b'{"log":"',
    b'"}', b"{", b"}", b"#012", b"99:99:99,999", b"[", b"] - ", b"@12] - ", b" P ", b"zoo1 | ",
    b"2026-11-21 00:18:39,719 [myid:1] - INFO  [main:Foo@1] - x",
)  # fmt: skip


def mutated(draw: random.Random) -> bytes:
    lines = draw.choice(WHOLE).split(b"\n") if draw.random() < 0.5 else draw.choices(SAMPLES, k=draw.randrange(1, 40))
    first = draw.randrange(len(lines))
    content = bytearray(b"\n".join(lines[first : first + draw.randrange(1, 60)]))
    for _ in range(draw.randrange(1, 12)):
        at = draw.randrange(len(content) + 1)
        end = min(len(content), at + draw.randrange(1, draw.choice((3, 40, 400))))
        piece = draw.choice((
            b"", draw.choice(JUNK) * draw.choice((1, 1, 3, 50)), draw.randbytes(end - at), bytes(content[at:end])[::-1],
            draw.choice(SAMPLES) + draw.choice((b"", b"\n")), bytes(content[draw.randrange(len(content) + 1) :][: draw.randrange(300)]),
        ))  # fmt: skip
        content[at : draw.choice((at, end))] = piece
    return bytes(content)


def test_the_samples_are_of_every_layout_and_wrapper() -> None:
    assert len(SAMPLES) >= len(layouts()) + len(wrappers())


@pytest.mark.parametrize("seed", range(40))
def test_every_line_is_accounted_for(tmp_path: Path, seed: int) -> None:
    content = mutated(random.Random(seed))
    path = tmp_path / "zookeeper.log"
    path.write_bytes(content)
    lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    for keep in (True, False):
        summary = read_log(Source("zookeeper.log", path), keep=keep).summary
        parts = [summary[part] for part in ("understood", "unknown", "foreign", "damaged")]
        assert min(parts) >= 0 and sum(parts) == summary["lines"] == len(lines) - (lines[-1] == b"")
