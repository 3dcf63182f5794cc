"""Which bytes of a record may be others without its being taken for something else: proved on every sample of the grammar."""

from __future__ import annotations

import random
import re
from pathlib import Path

import polars as pl
import pytest

from zabtrace.grammar.layouts import Layout, layouts
from zabtrace.grammar.messages import messages
from zabtrace.grammar.notation import Hole, Shape
from zabtrace.grammar.substitution import DIGITS, HEXADECIMAL, SIMPLER, closed, closed_hole, image
from zabtrace.logs import alike, read_log
from zabtrace.logs.stencils import DIGIT, FIXED, FORM, FREE, stencil
from zabtrace.source import Source

MARKS = {FIXED: "=", DIGIT: "9", FREE: "f"}
SHAPES = [shape for shape in messages().grammar.shapes if shape.samples]
PACKED = 30
"""Records made of each sample, so that a form is met often enough to be grouped."""


def stock() -> Layout:
    return layouts()["stock"]


def marked(text: str) -> str | None:
    bits = stencil(text, stock())
    return None if bits is None else "".join(MARKS[bit] for bit in bits.tolist())


# <..> may be any decimal digits, {..} any hexadecimal ones, all else stays
LINES = (
    " [myid:2] - WARN  [QuorumPeer[myid=2]/0.0.0.0:2181:Learner@<438>] - Truncating log to get in sync with the leader 0x{100000060}",
    " [myid:1] - INFO  [/<10>.<0>.<3>.<4>:<32768>:QuorumCnxManager$Listener@<493>] - Received connection request /{10}.{0}.{0}.{7}:{32768}",
    " [myid:1] - INFO  [main:Learner@<1>] - No{b}o{d}y s{a}ys this {12} 0x{12} {1}2x{3}",
)


@pytest.mark.parametrize("line", LINES)
def test_names_stay_and_numbers_need_not(line: str) -> None:
    mark, text, marks = "=", "", ""
    for char in line:
        if char in "<{>}":
            mark = {"<": "9", "{": "f"}.get(char, "=")
        else:
            text, marks = text + char, marks + mark
    assert marked(text) == marks


@pytest.mark.parametrize(
    "text",
    [
        " [myid:1] - INFO  [main:FastLeaderElection@944] - New election. My id = 1, proposed zxid=0x5",  # tells who wrote the log
        " [myid:1] - INFO  [main:Environment@100] - Server environment:zookeeper.version=3.8.0-abc1, built on 2022",
        " [myid:1] - INFO  [main - no caller ends this head",
        " [myid:1] - INFO  [main:Learner@1] - \u00e9 is no character of one byte",
    ],
)
def test_what_must_be_read_has_no_stencil(text: str) -> None:
    assert stencil(text, stock()) is None


@pytest.mark.parametrize("thread", ["QuorumPeer[myid=2]/0.0.0.0:2181", "SyncThread:3", "ProcessThread(sid:1 cport:2181):"])
def test_threads_that_name_a_server_stay(thread: str) -> None:
    found = marked(f" [myid:12] - INFO  [{thread}:Learner@1] - Nobody says this")
    assert found is not None
    assert set(found[: found.index("9") if "9" in found else None]) == {"="}
    assert found.count("9") == 1  # of the source line


def test_a_form_is_in_the_image_of_what_takes_the_text() -> None:
    for shape in SHAPES:
        for sample in shape.samples:
            text = sample.rstrip()
            if text.isascii() and re.fullmatch(f"(?:{shape.pattern})", text):
                assert re.fullmatch(image(f"(?:{shape.pattern})"), text.encode().translate(FORM).decode()), text


def test_simpler_spellings_are_of_the_same_language() -> None:
    """Every text of up to four of the characters that matter, and long ones: 16 digits are the most."""
    holes = {part.terminal: part for shape in messages().grammar.shapes for part in shape.parts if isinstance(part, Hole)}
    texts = [""]
    for _ in range(4):
        texts += [text + char for text in texts for char in "0x1ag"]
    texts += ["0" * 16, "0" * 17, "f" * 16, "f" * 17, "0x" + "f" * 16, "0x" + "f" * 17, "0x" + "0" * 16, "-1"]
    for terminal, pattern in SIMPLER.items():
        for text in set(texts):
            assert bool(re.fullmatch(pattern, text)) is bool(re.fullmatch(holes[terminal].pattern, text)), text


@pytest.mark.parametrize(
    ("pattern", "digits", "hexadecimal"),
    [("[0-9]+", True, False), ("[^ ]+", True, True), ("[0-8]+", False, False), ("a[0-9]", True, False), ("1|2", False, False),
     ("(?:0x)?[0-9a-f]{1,16}", True, True), ("[0-9a-e]", True, False), ("x0", False, False)],
)  # fmt: skip
def test_closed(pattern: str, digits: bool, hexadecimal: bool) -> None:
    assert (closed(pattern, DIGITS), closed(pattern, HEXADECIMAL)) == (digits, hexadecimal)


def test_holes_of_numbers_are_closed() -> None:
    assert closed_hole(Hole("HEX", "whatever"), HEXADECIMAL)


def others(text: str, chance: random.Random) -> str:
    """The text with other digits wherever its stencil lets them be others; as it is where it has none."""
    bits = stencil(text, stock())
    if bits is None:
        return text
    choice = {FIXED: None, DIGIT: DIGITS, FREE: HEXADECIMAL}
    return "".join(char if (of := choice[bit]) is None else chance.choice(of) for char, bit in zip(text, bits.tolist(), strict=True))


def records(shape: Shape) -> list[str]:
    """Its samples as a record's rest each."""
    name, _, level = shape.rule.partition("__")
    head = f" [myid:1] - {(level or 'info').upper():5} [Thread-7:{name.replace('_', '')}@17] - "
    return [head + sample for sample in shape.samples if "\t" not in sample]


def kinds_of(texts: list[str]) -> list[str | None]:
    rows = [stock().compiled.match("2026-11-21 00:18:39,719" + text) for text in texts]
    assert all(rows)
    read = [{key: row[key] for key in ("level", "logger", "message")} for row in rows if row is not None]
    frame = pl.DataFrame(read, schema={"level": pl.String, "logger": pl.String, "message": pl.String})
    return messages().match(frame.with_row_index("line").cast({"line": pl.Int64}).fill_null("")).kinds.to_list()


def test_other_digits_make_no_other_event() -> None:
    """Every sample of every alternative, with other digits at random."""
    chance = random.Random(7)
    texts = [text for shape in SHAPES for text in records(shape)]
    known = kinds_of(texts)
    freed = 0
    for _ in range(3):
        changed = [others(text, chance) for text in texts]
        freed += sum(one != other for one, other in zip(texts, changed, strict=True))
        assert [(one, kind) for one, kind in zip(changed, kinds_of(changed), strict=True)] == list(zip(changed, known, strict=True))
    assert freed > len(texts)  # a third of them, at least


def test_counts_do_not_depend_on_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log of every sample with numbers of all sorts, freed or not: other sids, words in place of numbers."""
    chance = random.Random(11)
    texts = [text for shape in chance.sample(SHAPES, 300) for text in records(shape)]
    digits = re.compile("[0-9]")
    lines = [digits.sub(lambda _: chance.choice("0123456789a"), text) if at % 3 == 0 else others(text, chance)
             for text in texts for at in range(PACKED)]  # fmt: skip
    chance.shuffle(lines)
    path = tmp_path / "zookeeper.log"
    path.write_text("".join(f"2026-11-21 00:18:39,719{line}\n" for line in lines))
    found = []
    for few in (1.1, -1.0):
        monkeypatch.setattr(alike, "FEW", few)
        log = read_log(Source(path.name, path), keep=False)
        found.append((log.summary, log.sids, log.version, log.layout, log.damage.rows()))
    assert found[0] == found[1]
    assert found[0][0]["lines"] == len(lines)
