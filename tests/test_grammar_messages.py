"""messages.lark: every sample reads as its alternative, the compiled patterns agree with Lark, and fields are exact."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zabtrace import schema
from zabtrace.grammar import notation, reference
from zabtrace.grammar.decode import DECODERS
from zabtrace.grammar.kinds import kind_of, kinds_of
from zabtrace.grammar.messages import ANYWHERE, messages
from zabtrace.grammar.notation import GrammarError, Hole, Shape

GRAMMAR = messages().grammar
RULES = sorted(GRAMMAR.rules)
NAME = "messages.lark"
PRINTABLE = st.characters(min_codepoint=32, max_codepoint=0x24F, exclude_categories=["Cc", "Cs"], include_characters="\t，")
TYPE_OF = {"INT": pl.Int64, "LONG": pl.Int64, "HEX": pl.Int64, "FLAG": pl.Boolean}


def class_and_level(rule: str) -> tuple[str, str]:
    name, _, level = rule.partition("__")
    return name.replace("_", ""), (level or "info").upper()


def read(rule: str, texts: list[str]) -> list[tuple[str | None, dict[str, object]]]:
    """Kind and fields of each text, as the columns give them."""
    lines = pl.DataFrame({"line": range(len(texts)), "message": texts}, schema={"line": pl.Int64, "message": pl.String})
    logger, level = class_and_level(rule)
    named = lines.with_columns(logger=pl.lit(logger), level=pl.lit(level))
    found = messages().match_traces(lines) if rule == "trace_head" else messages().match(named)
    rows = {kind: {row.pop("line"): row for row in frame.iter_rows(named=True)} for kind, frame in found.fields.items()}
    fields = [rows.get(kind, {}).get(line, {}) for line, kind in enumerate(found.kinds)]
    present = [{name: value for name, value in row.items() if value is not None} for row in fields]
    return list(zip(found.kinds, present, strict=True))


def readings(rule: str, text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """All that Lark reads in a text: as the rule, the other rules of its class and level, and as a text of any class."""
    name, level = class_and_level(rule)
    same = [one for one in RULES if class_and_level(one) == (name, level)]
    for start in dict.fromkeys([rule] if rule in ("trace_head", ANYWHERE) else [rule, *same, ANYWHERE]):
        for one in reference.derivations(NAME, start, text):
            yield kind_of(one.kind, dict(one.columns)), dict(one.columns)


def decoded(fields: dict[str, str], shapes: list[Shape]) -> list[dict[str, object]]:
    """The values of text fields under every shape that has these columns, decoded in plain Python."""
    plain = {
        "INT": int,
        "LONG": int,
        "HEX": lambda text: (value := int(text.removeprefix("0x"), 16)) - (1 << 64 if value >> 63 else 0),
        "FLAG": lambda text: text == "true",
    }
    return [
        {name: plain.get(shape.columns[name], str)(text) for name, text in fields.items()}
        for shape in shapes
        if set(shape.columns) == set(fields)
        and all(re.fullmatch(GRAMMAR.terminals[shape.columns[name]], text) for name, text in fields.items())
    ]


def agrees(rule: str, text: str, got: tuple[str | None, dict[str, object]]) -> bool:
    """Does Lark read it so too, or, where nothing was read, nothing either?"""
    if got[0] is None:
        return not any(readings(rule, text))
    shapes = [shape for shape in GRAMMAR.shapes if got[0] in kinds_of(shape.kind)]
    return any(got[1] in decoded(fields, shapes) for kind, fields in readings(rule, text) if kind == got[0])


@pytest.mark.parametrize("rule", RULES)
def test_every_sample_reads_as_its_alternative(rule: str) -> None:
    samples = [(shape, sample.rstrip()) for shape in GRAMMAR.rules[rule] for sample in shape.samples]
    assert len(samples) >= len(GRAMMAR.rules[rule]), "an alternative stands without a sample line"
    for (shape, sample), got in zip(samples, read(rule, [sample for _, sample in samples]), strict=True):
        assert got[0] == shape.kind, sample
        assert set(got[1]) == set(shape.columns), sample
        if sample:
            assert agrees(rule, sample, got), sample


TERMINALS = {name: st.from_regex(pattern, fullmatch=True, alphabet=PRINTABLE) for name, pattern in GRAMMAR.terminals.items()}


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(GRAMMAR.shapes), st.data())
def test_patterns_and_lark_agree_on_drawn_lines(shape: Shape, data: st.DataObject) -> None:
    text = "".join(part if isinstance(part, str) else data.draw(TERMINALS[part.terminal]) for part in shape.parts).rstrip(" \t")
    if re.fullmatch(shape.pattern, text) and text:
        got = read(shape.rule, [text])[0]
        assert got[0] is not None
        assert agrees(shape.rule, text, got) or _beyond_64_bits(text)


def _beyond_64_bits(text: str) -> bool:
    """Lark reads decimal numbers of any length; a column holds a Java long, and null beyond."""
    return any(int(number) >= 1 << 63 for number in re.findall("[0-9]{19,}", text))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([shape for shape in GRAMMAR.shapes if shape.samples and len(shape.samples[0]) > 8]), st.data())
def test_patterns_and_lark_agree_on_damaged_samples(shape: Shape, data: st.DataObject) -> None:
    sample = shape.samples[0]
    at = data.draw(st.integers(0, len(sample) - 1))
    text = (sample[:at] + data.draw(st.sampled_from(["", "x", "0", " ", ",", "]"])) + sample[at + 1 :]).rstrip(" \t")
    if text:
        assert agrees(shape.rule, text, read(shape.rule, [text])[0])


def test_every_column_is_declared_with_the_type_of_its_decoder() -> None:
    declared = schema.types(schema.FIELDS)
    for shape in GRAMMAR.shapes:
        for column, terminal in shape.columns.items():
            assert declared[column] == TYPE_OF.get(terminal, pl.String), f"line {shape.line}: {column}"


def test_every_decoder_has_its_terminal() -> None:
    assert DECODERS.keys() == TYPE_OF.keys() <= GRAMMAR.terminals.keys()


WORDS = (
    "1", "-1", "0x1f", "1f", "true", "0.5", "LOOKING", "looking", "discovery", "diff", "create", "/a:1", "[ 1,2 ]", "key", "x",
    "Forcing shutdown",
)  # fmt: skip


def test_terminals_end_by_themselves() -> None:
    """No terminal can swallow the character that follows it."""
    for shape in GRAMMAR.shapes:
        for hole, after in pairwise(shape.parts):
            if isinstance(hole, Hole) and isinstance(after, str):
                words = [word for word in WORDS if re.fullmatch(hole.pattern, word)]
                assert not [word for word in words if re.fullmatch(hole.pattern, word + after[0])], f"line {shape.line}: {hole.terminal}"


def test_free_text_stands_last() -> None:
    for shape in GRAMMAR.shapes:
        assert not [part for part in shape.parts[:-1] if isinstance(part, Hole) and part.terminal == "TEXT"], f"line {shape.line}"


def test_no_two_holes_touch() -> None:
    for shape in GRAMMAR.shapes:
        holes = [isinstance(part, Hole) for part in shape.parts]
        assert (True, True) not in pairwise(holes), f"line {shape.line}"


def test_patterns_use_what_both_engines_know() -> None:
    for terminal, pattern in GRAMMAR.terminals.items():
        bare = re.sub(r"\[[^\]]*\]", "", pattern)
        assert not re.search(r"\\[wdsbWDSB]|\(\?|&&|\+\+|\$", bare), terminal


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('leader: "x" ms -> y', "line 1: ms is neither a terminal nor a field rule"),
        ('INT: /[0-9]+/\nleader: "x" INT', "line 2: expected literals, fields and an alias"),
        ("INT: /[0-9]+/\nwhatever", "line 2: 'whatever' is no terminal"),
    ],
)
def test_a_wrong_grammar_names_the_line(text: str, what: str) -> None:
    with pytest.raises(GrammarError, match=re.escape(what)):
        notation.parse(text)


def test_releases_stand_above_their_spelling() -> None:
    of = {shape.samples[0]: shape.versions for shape in GRAMMAR.shapes if shape.samples}
    assert of["Getting a snapshot from leader"] == "3.4.0 to 3.4.10, 3.5.0 to 3.5.3"
    assert of["Notification time out: 400"] != of["Notification time out: 400 ms"]
    release = "3\\.[3-9](?:\\.[0-9]+)?"
    told = [shape.versions for shape in GRAMMAR.shapes if shape.versions is not None]
    assert len(told) > 1100
    for versions in told:
        for part in versions.split(", "):
            assert re.fullmatch(f"{release}(?: to {release})?", part), versions
