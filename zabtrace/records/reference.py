"""The reference reader and writer: one record at a time, straight from the jute notation.

Strategy: interpret a type over a buffer and a position. Values are what jute's types mean: int, float, bool, bytes for ustring and
buffer alike (a ustring is not always UTF-8), list, and dict for a record; None for a null string, buffer or vector. The
column decoders of ``columns`` must agree with it, and it decodes what is distinct or rare.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from zabtrace.errors import ZabtraceError
from zabtrace.grammar import jute

FIXED = {"boolean": ">?", "byte": ">b", "int": ">i", "long": ">q", "float": ">f", "double": ">d"}
_SIZES = {name: struct.calcsize(code) for name, code in FIXED.items()}


class MalformedError(ZabtraceError):
    """The bytes are not of that type: they end too early, or a length is negative."""


def read(kind: jute.Type, data: bytes | memoryview, at: int = 0, end: int | None = None) -> tuple[Any, int]:
    """The value of that type at ``at`` and the position behind it. Raises MalformedError."""
    stop = len(data) if end is None else end
    if isinstance(kind, jute.Record):
        value = {}
        for field in kind.fields:
            value[field.name], at = read(field.type, data, at, stop)
        return value, at
    if isinstance(kind, jute.Vector):
        return _read_vector(kind, data, at, stop)
    if kind in FIXED:
        return _read_fixed(kind, data, at, stop)
    size, at = _read_fixed("int", data, at, stop)
    if size == -1:
        return None, at
    if not 0 <= size <= stop - at:
        raise MalformedError(f"{kind} at {at - 4} needs {size} bytes, present {stop - at}")
    return bytes(data[at : at + size]), at + size


def write(kind: jute.Type, value: Any) -> bytes:
    """The bytes of a value of that type; ``read`` gives it back."""
    if isinstance(kind, jute.Record):
        return b"".join(write(field.type, value[field.name]) for field in kind.fields)
    if isinstance(kind, jute.Vector):
        items = b"" if value is None else b"".join(write(kind.item, item) for item in value)
        return struct.pack(">i", -1 if value is None else len(value)) + items
    if kind in FIXED:
        return struct.pack(FIXED[kind], value)
    return struct.pack(">i", -1) if value is None else struct.pack(">i", len(value)) + bytes(value)


def smallest(kind: jute.Type) -> int:
    """The least number of bytes a value of that type takes."""
    if isinstance(kind, jute.Record):
        return sum(smallest(field.type) for field in kind.fields)
    return _SIZES.get(kind, 4) if isinstance(kind, str) else 4


def text(raw: bytes) -> str:
    """A jute string as a valid str, whatever the bytes.

    Java's BinaryOutputArchive encodes each UTF-16 unit on its own, so that characters outside the BMP are two surrogates of 3 bytes each.

    >>> text(b"/caf\\xc3\\xa9"), text(b"\\xed\\xa0\\xbd\\xed\\xb8\\x80"), text(b"\\xed\\xa0\\xbd"), text(b"\\xff")
    ('/café', '😀', '�', '�')
    """
    try:
        units = raw.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return raw.decode("utf-8", "replace")
    return units.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def acl_text(entries: list[Mapping[str, Any]] | None) -> str | None:
    """An ACL list as ``perms:scheme:id`` joined by commas; None for a null list.

    >>> acl_text([{"perms": 31, "id": {"scheme": b"world", "id": b"anyone"}}])
    '31:world:anyone'
    """
    if entries is None:
        return None
    return ",".join(f"{entry['perms']}:{text(entry['id']['scheme'] or b'')}:{text(entry['id']['id'] or b'')}" for entry in entries)


def _read_fixed(kind: str, data: bytes | memoryview, at: int, stop: int) -> tuple[Any, int]:
    size = _SIZES[kind]
    if stop - at < size:
        raise MalformedError(f"{kind} at {at} needs {size} bytes, present {max(stop - at, 0)}")
    return struct.unpack_from(FIXED[kind], data, at)[0], at + size


def _read_vector(kind: jute.Vector, data: bytes | memoryview, at: int, stop: int) -> tuple[list[Any] | None, int]:
    count, at = _read_fixed("int", data, at, stop)
    if count == -1:
        return None, at
    if not 0 <= count * max(smallest(kind.item), 1) <= stop - at:
        raise MalformedError(f"vector at {at - 4} of {count} items needs {count * smallest(kind.item)} bytes or more, present {stop - at}")
    items = []
    for _ in range(count):
        item, at = read(kind.item, data, at, stop)
        items.append(item)
    return items, at
