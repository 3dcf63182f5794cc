"""The jute notation, the reference reader and the column decoders built from it: all three agree."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lark.exceptions import UnexpectedInput
from record_bytes import values

from zabtrace.grammar import jute
from zabtrace.grammar import kept as keeping
from zabtrace.records import columns, frames, opcodes, reference
from zabtrace.records.columns import Column, Cursor, Items, Slices

RECORDS = jute.records()


def test_a_record_is_its_fields_in_order() -> None:
    written = "module m { class Id { ustring scheme; /* of */ ustring id; } class L { vector<m.Id> all; long n; } } // end"
    one = jute.Record("Id", (jute.Field("scheme", "ustring"), jute.Field("id", "ustring")))
    assert jute.parse(written) == {"Id": one, "L": jute.Record("L", (jute.Field("all", jute.Vector(one)), jute.Field("n", "long")))}


@pytest.mark.parametrize("written", ["class A {}", "module m { class A { int; } }", "module m { class A { vector<int a; } }"])
def test_broken_notation_is_refused(written: str) -> None:
    with pytest.raises(UnexpectedInput):
        jute.parse(written)


def test_a_type_must_stand_above() -> None:
    with pytest.raises(jute.NotationError, match="no record 'B'"):
        jute.parse("module m { class A { m.B b; } class B { int i; } }")


def test_a_field_may_begin_like_a_primitive() -> None:
    assert jute.parse("module m { class A { int integer; buffer bufferSize; } }")["A"].fields[0] == jute.Field("integer", "int")


def test_every_op_code_and_section_has_its_record() -> None:
    sections = [section for kinds in frames.SECTIONS_BY_REST.values() for section in kinds]
    named = {op.record for op in opcodes.OPS} | {op.older for op in opcodes.OPS if op.older} | {section.record for section in sections}
    assert named <= RECORDS.keys()
    assert [reference.smallest(RECORDS[section.record]) for section in sections] == [section.bytes for section in sections]
    assert reference.smallest(RECORDS["TxnHeader"]) == frames.TXN_HEADER
    assert reference.smallest(RECORDS["TxnDigest"]) == frames.TXN_DIGEST


@pytest.mark.parametrize("name", RECORDS)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_what_is_written_is_read(name: str, data: st.DataObject) -> None:
    value = data.draw(values(RECORDS[name]))
    written = reference.write(RECORDS[name], value)
    assert reference.read(RECORDS[name], b"?" + written + b"more", 1) == (value, 1 + len(written))


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize("few", [0, columns.FEW], ids=["together", "one by one"])
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_columns_agree_with_the_reference(name: str, few: int, data: st.DataObject) -> None:
    """On whole records, on records cut anywhere, and on records with one byte changed; some stand there several times."""
    written = [reference.write(RECORDS[name], value) for value in data.draw(st.lists(values(RECORDS[name]), min_size=1, max_size=6))]
    parts = [_spoilt(data, one) for one in data.draw(st.lists(st.sampled_from(written), max_size=12))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "FEW", few)
        cursor, decoded = _decoded(name, parts)
    types = _types(RECORDS[name])
    for row, part in enumerate(parts):
        try:
            expected, end = reference.read(RECORDS[name], part)
        except reference.MalformedError:
            assert not cursor.ok[row]
            continue
        assert cursor.ok[row]
        assert cursor.at[row] - cursor.end[row] == end - len(part)
        assert {field: _value(kind, decoded[field], row, parts) for field, kind in types.items()} == _flat(expected)


def _spoilt(data: st.DataObject, written: bytes) -> bytes:
    what = data.draw(st.sampled_from(["whole", "cut", "changed"]))
    if what == "whole" or not written:
        return written
    at = data.draw(st.integers(0, len(written) - 1))
    return written[:at] if what == "cut" else written[:at] + bytes([data.draw(st.integers(0, 255))]) + written[at + 1 :]


def _decoded(name: str, parts: list[bytes]) -> tuple[Cursor, dict[str, Column]]:
    lengths = np.array([len(part) for part in parts], dtype=np.int64)
    ends = np.cumsum(lengths)
    cursor = Cursor.over(np.frombuffer(b"".join(parts), dtype=np.uint8), ends - lengths, ends)
    return cursor, cursor.decode(RECORDS[name])


def _value(kind: jute.Type, column: Column, row: int, parts: list[bytes]) -> Any:
    everything = b"".join(parts)
    if isinstance(column, Slices):
        start, length = int(column.start[row]), int(column.length[row])
        return None if length < 0 else everything[start : start + length]
    if isinstance(column, Items):
        assert isinstance(kind, jute.Vector)
        mine = column.row == row
        assert column.index[mine].tolist() == list(range(max(int(column.count[row]), 0)))
        items = [reference.read(kind.item, everything, at)[0] for at in column.at[mine].tolist()]
        whole, stop = reference.read(kind, everything, int(column.start[row]))
        assert (stop, whole or []) == (column.stop[row], items)
        return whole
    return column[row].item()


def _flat(value: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, part in value.items():
        found |= {f"{name}.{inner}": deep for inner, deep in _flat(part).items()} if isinstance(part, dict) else {name: part}
    return found


def _types(record: jute.Record, prefix: str = "") -> dict[str, jute.Type]:
    found: dict[str, jute.Type] = {}
    for field in record.fields:
        found |= _types(field.type, f"{prefix}{field.name}.") if isinstance(field.type, jute.Record) else {prefix + field.name: field.type}
    return found


# ---------------------------------------------------------------- what is kept between runs
@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for what is kept, which may be written."""
    monkeypatch.setattr(keeping, "FOLDER", tmp_path / "cache")
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    return tmp_path / "cache"


def test_what_lark_said_of_our_own_file_is_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = jute.records.__wrapped__()
    monkeypatch.setattr(jute, "_parser", lambda: pytest.fail("Lark was asked again"))
    assert first == jute.records.__wrapped__() == RECORDS
    monkeypatch.undo()
    assert jute.parse(jute.notation("records.jute")) == RECORDS


@pytest.mark.parametrize("text", ["", "[]", "null", '{"of": "b", "made": 1}', '{"made": 1}', "\ud800"])
def test_only_what_was_made_of_the_same_texts_is_taken(folder: Path, text: str) -> None:
    folder.mkdir()
    (folder / "x.json").write_bytes(text.encode(errors="surrogatepass"))
    assert keeping.kept("x", "a", lambda: [2]) == [2]
    assert keeping.kept("x", "a", lambda: [3]) == [2]
    assert keeping.kept("x", "a changed", lambda: [3]) == [3]
    assert [path.name for path in folder.iterdir()] == ["x.json"]


def test_what_other_code_made_is_not_taken(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tmp_path / "code" / "reading.py"
    module.parent.mkdir()
    module.write_text("one")
    monkeypatch.setattr(keeping, "CODE", module.parent)
    assert keeping.kept("x", "a", lambda: [2]) == keeping.kept("x", "a", lambda: [3]) == [2]
    module.write_text("another")
    assert keeping.kept("x", "a", lambda: [3]) == [3]


def test_nothing_is_kept_where_nothing_may_be_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.write_text("a file, no folder")
    assert keeping.kept("x", "a", lambda: 1) == 1
    folder.unlink()
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert keeping.kept("x", "a", lambda: 2) == 2
    assert not folder.exists()


def test_texts_outlive_the_buffer() -> None:
    written = bytearray(b"a path of more than twelve bytes, short")
    buffer = np.frombuffer(written, dtype=np.uint8)
    found = columns.texts(buffer, Slices(np.array([0, 34, 0]), np.array([32, 5, -1])))
    written[:] = bytes(len(written))
    assert found.to_list() == ["a path of more than twelve bytes", "short", None]
