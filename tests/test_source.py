"""Bytes in, bytes out: compression and archives as they lie, and faults where they break off."""

import bz2
import gzip
import io
import lzma
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zabtrace import source as module
from zabtrace.source import Source, members, printable

PACK: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": lambda content: pa.compress(content, codec="zstd", asbytes=True),
}
CONTENT = b"".join(b"line %d\n" % n for n in range(20_000))


def saved(folder: Path, content: bytes, name: str = "a.log") -> Source:
    (folder / name).write_bytes(content)
    return Source(name, folder / name)


@pytest.mark.parametrize("compression", [None, *PACK])
def test_head_blocks_and_buffer_give_the_uncompressed_bytes(tmp_path: Path, compression: str | None) -> None:
    source = saved(tmp_path, PACK[compression](CONTENT) if compression else CONTENT)
    assert source.compression == compression
    assert source.head(10) == CONTENT[:10]
    assert b"".join(source.blocks(1000)) == CONTENT
    assert bytes(source.buffer()) == CONTENT
    assert source.faults == []


@pytest.mark.parametrize("compression", PACK)
def test_two_streams_one_behind_the_other_are_both_read(tmp_path: Path, compression: str) -> None:
    source = saved(tmp_path, PACK[compression](b"one\n") + PACK[compression](b"two\n"))
    assert bytes(source.buffer()) == b"one\ntwo\n"
    assert source.faults == []


@pytest.mark.parametrize("compression", PACK)
def test_a_stream_that_is_cut_gives_its_beginning_and_one_fault(tmp_path: Path, compression: str) -> None:
    noise = bytes(n * n % 251 ^ n >> 7 & 255 for n in range(200_000))
    packed = PACK[compression](noise * 2)
    source = saved(tmp_path, packed[: len(packed) * 2 // 3])
    found = bytes(source.buffer())
    assert noise.startswith(found) or found.startswith(noise)
    assert found != noise * 2
    assert b"".join(source.blocks()) == found
    assert [compression in fault.reason for fault in source.faults] == [True]


@settings(max_examples=30, deadline=None)
@given(content=st.binary(max_size=5000), size=st.integers(1, 6000), compression=st.sampled_from(list(PACK)))
def test_blocks_join_to_the_content_whatever_their_size(content: bytes, size: int, compression: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        packed = saved(Path(folder), PACK[compression](content))
        assert b"".join(packed.blocks(size)) == content
        assert packed.head(size) == content[:size]


@settings(max_examples=60, deadline=None)
@given(magic=st.sampled_from(list(module.MAGICS)), rest=st.binary(max_size=300))
def test_garbage_behind_a_magic_never_raises(magic: bytes, rest: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source = saved(Path(folder), magic + rest)
        assert b"".join(source.blocks()) == bytes(source.buffer())


def test_padding_behind_a_gzip_stream_is_no_fault(tmp_path: Path) -> None:
    source = saved(tmp_path, gzip.compress(b"all\n") + bytes(9000))
    assert (bytes(source.buffer()), source.faults) == (b"all\n", [])


def test_a_bomb_is_cut_off_in_memory_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUFFER_LIMIT", 1 << 20)
    source = saved(tmp_path, gzip.compress(bytes(64 << 20)))
    assert len(source.buffer()) == 1 << 20
    assert "unfolds to more than 1048576 bytes" in source.faults[0].reason


def test_what_may_not_be_read_is_a_fault_with_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = saved(tmp_path, b"secret")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert (source.head(), bytes(source.buffer()), list(source.blocks())) == (b"", b"", [])
    assert [(fault.reason, "chmod" in fault.next_step) for fault in source.faults] == [("cannot be read: permission denied", True)]


def test_a_file_that_is_gone_is_a_fault(tmp_path: Path) -> None:
    source = Source("gone", tmp_path / "gone")
    assert (source.head(), source.size) == (b"", 0)
    assert "No such file" in source.faults[0].reason


# ---------------------------------------------------------------- archives
FILES = {"cap/a.log": b"first\n" * 900, "cap/b/log.1": bytes(5000), "cap/empty": b""}


def tar(files: dict[str, bytes], mode: str) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return held.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return held.getvalue()


ARCHIVES = {
    "a.tar": tar(FILES, "w"),
    "a.tgz": tar(FILES, "w:gz"),
    "a.tar.xz": tar(FILES, "w:xz"),
    "a.tar.zst": PACK["zst"](tar(FILES, "w")),
    "a.zip": zipped(FILES),
}


@pytest.mark.parametrize("name", ARCHIVES)
@pytest.mark.parametrize("room", [module.MEMBERS_IN_MEMORY, 1000], ids=["kept", "streamed"])
def test_members_of_an_archive_are_sources(tmp_path: Path, name: str, room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MEMBERS_IN_MEMORY", room)
    found = members(saved(tmp_path, ARCHIVES[name], name))
    assert found is not None
    assert {source.name: bytes(source.buffer()) for source in found} == {f"{name}!/{inside}": content for inside, content in FILES.items()}
    assert {source.name: source.size for source in found} == {f"{name}!/{inside}": len(content) for inside, content in FILES.items()}
    assert sorted(tmp_path.iterdir()) == [tmp_path / name], "nothing is written beside the archive"


def test_a_tar_that_is_cut_keeps_the_members_before_the_cut(tmp_path: Path) -> None:
    whole = tar({"one": b"1" * 3000, "two": b"2" * 3000}, "w")
    archive = saved(tmp_path, whole[: 512 + 3072 + 512 + 1000], "a.tar")
    found = members(archive)
    assert found is not None
    assert bytes(found[0].buffer()) == b"1" * 3000
    assert "breaks off" in archive.faults[0].reason


def test_a_zip_that_is_none_is_a_fault(tmp_path: Path) -> None:
    archive = saved(tmp_path, b"PK\x03\x04" + b"?" * 90, "a.zip")
    assert members(archive) == []
    assert "cannot be read" in archive.faults[0].reason


NONE = [("x.log", CONTENT), ("x.jar", ARCHIVES["a.zip"]), ("x.gz", gzip.compress(CONTENT)), ("e", b"")]


@pytest.mark.parametrize(("name", "content"), NONE)
def test_what_is_no_archive_of_evidence_has_no_members(tmp_path: Path, name: str, content: bytes) -> None:
    assert members(saved(tmp_path, content, name)) is None


def test_a_name_that_is_no_text_is_made_printable() -> None:
    assert printable(b"na\xffme".decode("utf-8", "surrogateescape")) == "na\ufffdme"
