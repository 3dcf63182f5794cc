"""Opening and bounding bytes: files, folders, archives, compression. Knows nothing of ZooKeeper.

Strategy: ``discover`` turns command line arguments into Sources, one per file or archive member, each opened only when it is read.
Whatever cannot be read is no exception: it becomes a Fault of its Source and the readable part is handed out, because the
evidence of an outage is rarely whole. Nothing is written anywhere: members of archives stay in memory or are streamed again.
"""

from __future__ import annotations

import bz2
import codecs
import io
import lzma
import mmap
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from typing import IO, Any, cast

BLOCK = 8 << 20
BUFFER_LIMIT = 2 << 30
"""Most bytes that a compressed file may unfold to in memory."""
STREAM_LIMIT = 64 << 30
"""Most bytes that a compressed file may unfold to block by block: beyond it is a bomb, not a log."""

FEED = 1 << 12
"""Compressed bytes unfolded at a time: few, since bz2 and xz unfold them to 20,000 times as many."""
UNREADABLE = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, ValueError)

COPY_AGAIN = "Copy the file again from the server and compare sizes."
UTF_16 = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
"""Byte order marks that Windows writes in front of a text: it is handed out as UTF-8."""
MAGICS = {b"\x1f\x8b": "gz", b"BZh": "bz2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zst"}


@dataclass(frozen=True)
class Fault:
    """What is wrong with a file as a container of bytes: where (uncompressed offset), why, and what to do."""

    offset: int
    reason: str
    next_step: str


def printable(name: str) -> str:
    """A file name as text that every output can hold: bytes that are no UTF-8 become U+FFFD."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


@dataclass(frozen=True)
class Source:
    """One file of the evidence: the name shown for it, and where its bytes are. Opened read-only.

    ``path`` is the file on disk; for a member of an archive it is the archive's path, ``!`` and the member's path (as a label).
    """

    name: str
    path: Path
    stored: Callable[[], IO[bytes]] | None = field(default=None, compare=False, repr=False)
    """Opens the stored bytes where they are no plain file: members of archives, standard input."""
    length: int | None = field(default=None, compare=False, repr=False)
    """How many bytes ``stored`` gives."""
    faults: list[Fault] = field(default_factory=list, compare=False, repr=False)
    """What went wrong so far when this source was read."""

    def fault(self, offset: int, reason: str, next_step: str = COPY_AGAIN) -> None:
        """Note once what is wrong."""
        if (found := Fault(offset, reason, next_step)) not in self.faults:
            self.faults.append(found)

    def open(self) -> IO[bytes]:
        """The bytes as stored. Raises OSError."""
        return self.stored() if self.stored else self.path.open("rb")

    @cached_property
    def size(self) -> int:
        """Bytes as stored; 0 where it cannot be told."""
        try:
            return self.path.stat().st_size if self.length is None else self.length
        except OSError as error:
            self._unreadable(error)
            return 0

    @cached_property
    def compression(self) -> str | None:
        """gz, bz2, xz, zst or None, by content."""
        try:
            with self.open() as file:
                start = file.read(6)
        except OSError as error:
            self._unreadable(error)
            return None
        return next((name for magic, name in MAGICS.items() if start.startswith(magic)), None)

    def head(self, size: int = 1 << 16) -> bytes:
        """The first bytes, uncompressed."""
        found = bytearray()
        for block in self.blocks(size):
            found += block
            if len(found) >= size:
                break
        return bytes(found[:size])

    def blocks(self, size: int = BLOCK) -> Iterator[bytes]:
        """The uncompressed bytes, block by block; what cannot be read ends them and is noted in ``faults``. UTF-16 comes as UTF-8."""
        done, held = 0, bytearray()
        try:
            with self.open() as file:
                for piece in _in_utf8(UNFOLD[self.compression](file) if self.compression else _plain(file, size)):
                    if not held and len(piece) >= size:
                        done += len(piece)
                        yield piece
                        continue
                    held += piece
                    if len(held) >= size:
                        done += len(held)
                        yield bytes(held)
                        held.clear()
                    if done > STREAM_LIMIT and self.compression:
                        raise ValueError(f"more than {STREAM_LIMIT} bytes unfold from it, not read further")
        except UNREADABLE as error:
            self._unreadable(error, done + len(held))
        if held:
            yield bytes(held)

    def buffer(self) -> memoryview:
        """All uncompressed bytes; a plain file is mapped, not read."""
        if self.compression is None and self.stored is None:
            return self._mapped()
        found = bytearray()
        for block in self.blocks():
            found += block
            if len(found) > BUFFER_LIMIT:
                self.fault(BUFFER_LIMIT, f"unfolds to more than {BUFFER_LIMIT} bytes: only those were read", "Give the file uncompressed.")
                del found[BUFFER_LIMIT:]
                break
        return memoryview(found).toreadonly()

    def _mapped(self) -> memoryview:
        try:
            with self.path.open("rb") as file:
                return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)) if self.size else memoryview(b"")
        except OSError as error:
            self._unreadable(error)
            return memoryview(b"")

    def _unreadable(self, error: Exception, offset: int = 0) -> None:
        if isinstance(error, PermissionError):
            self.fault(offset, "cannot be read: permission denied", "Make it readable (chmod u+r), or run as the user that owns it.")
        elif offset or self.__dict__.get("compression"):
            self.fault(offset, f"the {self.compression or 'stored'} data break off after {offset} uncompressed bytes: {_words(error)}")
        else:
            self.fault(offset, f"cannot be read: {_words(error)}")


def _words(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) and error.strerror else str(error)) or type(error).__name__


def _plain(file: IO[bytes], size: int) -> Iterator[bytes]:
    while block := file.read(size):
        yield block


def _in_utf8(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same, decoded where the first bytes are a byte order mark of UTF-16."""
    first = next(pieces, b"")
    coding = UTF_16.get(first[:2])
    if coding is None:
        yield from chain([first] if first else [], pieces)
        return
    decoder = codecs.getincrementaldecoder(coding)("replace")
    for piece in chain([first[2:]], pieces):
        yield decoder.decode(piece).encode("utf-8", "replace")
    yield decoder.decode(b"", final=True).encode()


def _unfolder(new: Callable[[], Any]) -> Callable[[IO[bytes]], Iterator[bytes]]:
    """A reader for a format of one or several streams one behind the other, each read by an object like bz2.BZ2Decompressor."""

    def unfold(file: IO[bytes]) -> Iterator[bytes]:
        stream, data = new(), b""
        while data := data or file.read(FEED):
            yield stream.decompress(data)
            data = b""
            if stream.eof:
                data = (stream.unused_data or file.read(FEED)).lstrip(b"\0")  # copies from tapes and block devices are padded
                if not data:
                    return
                stream = new()
        raise EOFError("its end is missing")

    return unfold


def _zstd(file: IO[bytes]) -> Iterator[bytes]:
    import pyarrow as pa

    with pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd") as stream:
        while block := stream.read(1 << 18):
            yield block


UNFOLD: dict[str, Callable[[IO[bytes]], Iterator[bytes]]] = {
    "gz": _unfolder(lambda: zlib.decompressobj(wbits=31)),
    "bz2": _unfolder(bz2.BZ2Decompressor),
    "xz": _unfolder(lzma.LZMADecompressor),
    "zst": _zstd,
}


# ---------------------------------------------------------------- archives
MEMBERS_IN_MEMORY = 512 << 20
"""Bytes of one archive's members that are kept in memory; the others are read from the archive again when needed."""


PROGRAMS = (".jar", ".war", ".ear", ".whl")
"""Zip files that nobody packs evidence in."""


def members(source: Source) -> list[Source] | None:
    """The files in an archive (tar, compressed or not, and zip), or None where it is none. An unreadable rest is a fault of ``source``."""
    start = source.head(512)
    if start[257:262] == b"ustar":
        return _tar_members(source)
    return _zip_members(source) if start.startswith(b"PK\x03\x04") and source.path.suffix not in PROGRAMS else None


def _member(source: Source, name: str, size: int, stored: Callable[[], IO[bytes]]) -> Source:
    inside = printable(name).removeprefix("./").lstrip("/")
    return Source(f"{source.name}!/{inside}", Path(f"{source.path}!") / inside, stored, size)


def _tar(source: Source) -> tarfile.TarFile:
    return tarfile.open(fileobj=cast("IO[bytes]", _Stream(source.blocks(1 << 20))), mode="r|")


def _tar_members(source: Source) -> list[Source]:
    """One pass over the stream: small archives stay in memory, of large ones each later member is streamed again."""
    found: list[Source] = []
    room = MEMBERS_IN_MEMORY
    try:
        with _tar(source) as tar:
            for info in tar:
                if not info.isreg() or (content := tar.extractfile(info)) is None:
                    continue
                if info.size > room:
                    found.append(_member(source, info.name, info.size, partial(_tar_member, source, info.offset)))
                    continue
                kept = content.read()
                room -= len(kept)
                found.append(_member(source, info.name, info.size, partial(io.BytesIO, kept)))
    except (tarfile.TarError, *UNREADABLE) as error:
        source.fault(0, f"the archive breaks off after {len(found)} members: {error}")
    return found


def _tar_member(source: Source, offset: int) -> IO[bytes]:
    """Stream the archive again up to the member whose header is at ``offset``. Raises OSError where it is not there."""
    tar = _tar(source)
    for info in tar:
        if info.offset == offset and (content := tar.extractfile(info)) is not None:
            return content
    raise OSError(f"{source.name} has no member at {offset} any more")


def _zip_members(source: Source) -> list[Source]:
    try:
        with zipfile.ZipFile(_seekable(source)) as archive:
            files = [info for info in archive.infolist() if not info.is_dir()]
        return [_member(source, info.filename, info.file_size, partial(_zip_member, source, info)) for info in files]
    except (zipfile.BadZipFile, *UNREADABLE) as error:
        source.fault(0, f"the archive cannot be read: {error}")
        return []


def _seekable(source: Source) -> Path | IO[bytes]:
    return source.path if source.stored is None else source.open()


def _zip_member(source: Source, info: zipfile.ZipInfo) -> IO[bytes]:
    """Open one member. Raises OSError, also where it is encrypted or of a method this Python does not know."""
    try:
        with zipfile.ZipFile(_seekable(source)) as archive:
            return archive.open(info)  # which keeps the file open until it is closed itself
    except (RuntimeError, NotImplementedError, zipfile.BadZipFile) as error:
        raise OSError(str(error)) from error


class _Stream:
    """Blocks as something that tarfile can read from."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self.blocks = blocks
        self.held = b""

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes; fewer only at the end."""
        pieces, missing = [self.held], size - len(self.held)
        while missing > 0 and (block := next(self.blocks, b"")):
            pieces.append(block)
            missing -= len(block)
        joined = b"".join(pieces)
        self.held = joined[size:]
        return joined[:size]
