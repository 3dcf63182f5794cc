"""What a server does with its files, held to what real servers did, to a byte-by-byte reader, and to damage at every byte."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from check_disks import E1, TREE, trace_of
from record_bytes import create, frame, log, node, payload, snapshot

from zabtrace.checks.folders import files_of
from zabtrace.protocol.logreading import LogFile
from zabtrace.protocol.releases import NEWEST, RELEASES, among, number, spans
from zabtrace.protocol.startup import Epochs, Files, SnapshotFile, start

OLD, NEW = "3.8.4", "3.9.3"
LOG = log(*(payload(E1 + n, -10, struct.pack(">i", 4000)) for n in range(1, 5)), padding=24)
SNAPSHOT = snapshot(node(""), node("/a", b"data", czxid=E1 + 1), digest=(E1 + 2, 5), last_zxid=E1 + 2)


def reference(data: bytes, version: str, last: bool = True) -> tuple[str, list[int]]:
    """FileTxnIterator as it stands in Java, one byte after the other: ('ends' or 'refuses', zxids read)."""
    found: list[int] = []
    if not data and last and number(version) >= (3, 9, 3):
        return "ends", found
    if len(data) < 16 or data[:4] != b"ZKLG":
        return "refuses", found
    at = 16
    while True:
        if at + 12 > len(data):
            return "ends", found
        stored, length = struct.unpack_from(">qi", data, at)
        if length < 0 or length > 2 * 0xFFFFF:
            return "refuses", found
        content = data[at + 12 : at + 12 + length]
        if len(content) < length or length == 0 or at + 12 + length >= len(data) or data[at + 12 + length] != ord("B"):
            return "ends", found
        if zlib.adler32(content) != stored:
            return "refuses", found
        found.append(struct.unpack_from(">q", content, 12)[0])
        at += length + 13


def damaged_logs() -> list[tuple[str, bytes]]:
    """The log with each byte changed, cut at each byte, and zero from each byte of its last half on."""
    flips = [(f"bit of byte {at}", LOG[:at] + bytes([LOG[at] ^ 0x41]) + LOG[at + 1 :]) for at in range(len(LOG))]
    cuts = [(f"cut at {at}", LOG[:at]) for at in range(len(LOG))]
    zeros = [(f"zeros from {at}", LOG[:at] + bytes(len(LOG) - at)) for at in range(len(LOG) // 2, len(LOG))]
    return flips + cuts + zeros


def test_damage_at_every_byte_of_a_log_is_predicted_as_the_reader_in_java_meets_it(tmp_path: Path) -> None:
    (tmp_path / "snapshot.0").write_bytes(TREE)
    file = tmp_path / f"log.{E1 + 1:x}"
    wrong = []
    for what, content in damaged_logs():
        file.write_bytes(content)
        files = files_of(trace_of(tmp_path), 1)
        for version in (OLD, NEW):
            action, zxids = reference(content, version)
            going = start(files, version)
            if (going.would_start, going.last_zxid) != (action == "ends", max(zxids, default=0) if action == "ends" else None):
                wrong.append((what, version, going))
    assert wrong == []


def test_damage_at_every_byte_of_a_snapshot_is_named_and_makes_a_server_take_the_older_one(tmp_path: Path) -> None:
    (tmp_path / "snapshot.0").write_bytes(TREE)
    (tmp_path / f"log.{E1 + 1:x}").write_bytes(LOG)
    file = tmp_path / f"snapshot.{E1 + 2:x}"
    file.write_bytes(SNAPSHOT)
    whole = start(files_of(trace_of(tmp_path), 1), NEW)
    assert (whole.snapshot and whole.snapshot.name, whole.last_zxid) == (file.name, E1 + 4)
    missed = []
    for at in range(len(SNAPSHOT)):
        for content in (SNAPSHOT[:at] + bytes([SNAPSHOT[at] ^ 0x41]) + SNAPSHOT[at + 1 :], SNAPSHOT[:at]):
            file.write_bytes(content)
            trace = trace_of(tmp_path)
            going = start(files_of(trace, 1), NEW)
            named = trace.damage["source"].to_list() == [file.name] and trace.damage["harm"].to_list() == ["data"]
            taken = going.would_start and going.snapshot is not None and going.snapshot.name == "snapshot.0" and going.last_zxid == E1 + 4
            if not (taken and named) and content not in SEALED_SHORT:
                missed.append(at)
    assert missed == []


# A snapshot that ends behind one of its seals is whole, as an older release writes it.
SEALED_SHORT = [SNAPSHOT[: len(SNAPSHOT) - cut] for cut in (21, 54)]

# What real servers of 3.9.3 did with each kind of damage: (files changed, does it serve, last zxid). The disk is this one: logs of 1 to 4
# and of 5 to 8, snapshots of 0 and 6.
FIRST, SECOND = f"log.{E1 + 1:x}", f"log.{E1 + 5:x}"
TAIL = [create(E1 + n, f"/t{n}") for n in range(5, 9)]
WHOLE = log(*TAIL, padding=64)
AT = [16 + sum(len(frame(p)) for p in TAIL[:n]) for n in range(5)]
NEWEST_TREE = snapshot(node(""), node("/zookeeper"), node("/a"), last_zxid=E1 + 6)


def changed(at: int, byte: int, content: bytes = WHOLE) -> bytes:
    return content[:at] + bytes([content[at] ^ byte]) + content[at + 1 :]


REAL = {
    "bad_eor": ({SECOND: changed(AT[2] - 1, 0x01)}, True, E1 + 6),
    "bad_magic": ({SECOND: changed(0, 0x01)}, False, None),
    "bit_flip": ({SECOND: changed(AT[1] + 30, 0x08)}, False, None),
    "empty_log": ({f"log.{E1 + 9:x}": b""}, True, E1 + 8),
    "empty_snapshot": ({f"snapshot.{E1 + 6:x}": b""}, True, E1 + 8),
    "flip_checksum": ({SECOND: changed(AT[1] + 7, 0x01)}, False, None),
    "flipped_snapshot": ({f"snapshot.{E1 + 6:x}": changed(60, 0x10, NEWEST_TREE)}, True, E1 + 8),
    "garbage_file": ({"log.zzz": b"garbage", "snapshot.tmp123": b""}, True, E1 + 8),
    "header_only": ({f"log.{E1 + 9:x}": WHOLE[:16]}, True, E1 + 8),
    "missing_log": ({FIRST: None}, True, E1 + 8),
    "short_snapshot": ({f"snapshot.{E1 + 6:x}": NEWEST_TREE[:90]}, True, E1 + 8),
    "torn_tail": ({SECOND: WHOLE[: AT[3] + 36]}, True, E1 + 7),
    "torn_tail_zeros": ({SECOND: WHOLE[: AT[3] + 36] + bytes(400)}, True, E1 + 7),
}


@pytest.mark.parametrize("kind", REAL)
def test_the_kinds_of_damage_end_as_on_a_real_server(kind: str, tmp_path: Path) -> None:
    changes, serves, last = REAL[kind]
    files = {"snapshot.0": TREE, f"snapshot.{E1 + 6:x}": NEWEST_TREE, FIRST: LOG, SECOND: WHOLE, **changes}
    for name, content in files.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
    going = start(files_of(trace_of(tmp_path), 1), "3.9.3")
    assert (going.would_start, going.last_zxid) == (serves, last)


def zxids(*numbers: int) -> LogFile:
    """A whole log with these zxids."""
    return LogFile("log", numbers[0], 9999, offsets=np.arange(16, 16 + len(numbers)), zxids=np.array(numbers, dtype=np.int64))


SOUND = SnapshotFile("snapshot.100000005", E1 + 5, candidate=True, loads=True)
BROKEN = SnapshotFile("snapshot.100000007", E1 + 7, candidate=True, loads=False)
EMPTY = SnapshotFile("snapshot.100000009", E1 + 9, candidate=False, loads=False)
RULES = [
    # (files, release, would_start, last zxid, part of the message): zab's own words, from the release tags.
    (Files((SOUND, BROKEN, EMPTY), (zxids(E1 + 1, E1 + 6),)), "3.8.4", True, E1 + 6, ""),
    (Files((BROKEN,), (zxids(E1 + 1),)), "3.8.4", False, None, "Not able to find valid snapshots"),
    (Files((EMPTY,), (zxids(E1 + 1),)), "3.5.3", False, None, "No snapshot found, but there are log entries"),
    (Files((), (zxids(E1 + 1, E1 + 2),)), "3.5.2", True, E1 + 2, "from an empty tree"),
    (Files((), ()), "3.8.4", True, 0, ""),
    (Files((SOUND,), epochs=Epochs(0, 1)), "3.8.4", False, E1 + 5, "The current epoch, 0, is older than the last zxid, 4294967301"),
    (Files((SOUND,), epochs=Epochs(0, 1, current_tmp=1)), "3.8.4", True, E1 + 5, "Setting current epoch to 1"),
    (Files((SOUND,), epochs=Epochs(0, 1, current_tmp=1)), "3.7.0", False, E1 + 5, "older than the last zxid"),
    (Files((SOUND,), epochs=Epochs(0, 1, updating=True)), "3.4.14", True, E1 + 5, "updatingEpoch"),
    (Files((SOUND,), epochs=Epochs(0, 1, updating=True)), "3.5.9", False, E1 + 5, "older than the last zxid"),
    (Files((SOUND,), epochs=Epochs(3, 2)), "3.6.3", False, E1 + 5, "The accepted epoch, 2 is less than the current epoch, 3"),
    (Files((SOUND,), epochs=Epochs(3, None)), "3.6.3", False, E1 + 5, "The accepted epoch, 1 is less than the current epoch, 3"),
    (Files((SOUND,), epochs=Epochs(unreadable=("currentEpoch",))), "3.6.3", False, E1 + 5, "Found no number in currentEpoch"),
    (Files((SOUND,), (zxids(E1 + 6, E1 + 8),)), "3.9.3", True, E1 + 8, ""),
    (Files((SOUND,), (zxids(E1 + 6, E1 + 8),)), "3.9.4", False, None, "0x100000008 is not the next proposal of 0x100000006"),
    (Files((SOUND,), (zxids(E1 + 6, E1 + 7, E1 + 6, E1 + 7, E1 + 8),)), "3.9.4", True, E1 + 8, ""),
    (Files((SOUND,), (zxids(E1 + 2, E1 + 6),)), "3.9.4", True, E1 + 6, ""),
    (Files((SnapshotFile("s", E1 + 5, True, True, compressed=True),), (zxids(E1 + 1),)), "3.5.9", None, None, "compressed"),
]  # fmt: skip


@pytest.mark.parametrize(("files", "release", "would_start", "last", "message"), RULES)
def test_start_rules(files: Files, release: str, would_start: bool | None, last: int | None, message: str) -> None:
    going = start(files, release)
    assert (going.would_start, going.last_zxid) == (would_start, last)
    assert message in going.message


@pytest.mark.parametrize(
    ("release", "would_start", "last"), [("3.5.5", False, None), ("3.5.6", True, 0), ("3.5.7", True, E1 + 2), ("3.9.5", True, E1 + 2)]
)
def test_trusting_an_empty_snapshot(release: str, would_start: bool, last: int | None) -> None:
    going = start(Files((), (zxids(E1 + 1, E1 + 2),)), release, trust_empty=True)
    assert (going.would_start, going.last_zxid) == (would_start, last)


def test_an_older_release_refuses_what_it_cannot_read(tmp_path: Path) -> None:
    (tmp_path / "snapshot.0").write_bytes(TREE)
    (tmp_path / f"log.{E1 + 1:x}").write_bytes(log(create(E1 + 1), create(E1 + 2, code=15)))
    files = files_of(trace_of(tmp_path), 1)
    assert "Unsupported Txn with type=15" in start(files, "3.4.14").message
    assert start(files, "3.5.0").last_zxid == E1 + 2


def test_a_payload_too_long_for_older_releases_stops_them(tmp_path: Path) -> None:
    (tmp_path / "snapshot.0").write_bytes(TREE)
    cut = frame(payload(E1 + 2, 5, bytes(1_500_000)))[:5000]
    (tmp_path / f"log.{E1 + 1:x}").write_bytes(log(create(E1 + 1), padding=0) + cut)
    files = files_of(trace_of(tmp_path), 1)
    assert "Unreasonable length = 1500032" in start(files, "3.5.6").message
    assert start(files, "3.5.7").last_zxid == E1 + 1


def test_a_whole_record_beyond_the_default_limit_leaves_the_start_open(tmp_path: Path) -> None:
    """Whoever wrote it ran with a larger jute.maxbuffer: whether the next start does is in no file."""
    (tmp_path / "snapshot.0").write_bytes(TREE)
    (tmp_path / f"log.{E1 + 1:x}").write_bytes(log(create(E1 + 1), create(E1 + 2, data=bytes(3 << 20)), create(E1 + 3)))
    going = start(files_of(trace_of(tmp_path), 1), "3.8.4")
    assert (going.would_start, going.last_zxid) == (None, None)
    assert "Unreasonable length = 3145" in going.message
    assert "jute.maxbuffer" in going.message
    (tmp_path / f"log.{E1 + 1:x}").write_bytes(log(create(E1 + 1), create(E1 + 2, data=bytes(1_500_000)), create(E1 + 3)))
    files = files_of(trace_of(tmp_path), 1)
    assert start(files, "3.8.4").last_zxid == E1 + 3
    assert start(files, "3.5.6").would_start is None


def test_ranges_of_releases() -> None:
    fixed = "3.5.10-3.5, 3.6.3-3.6, 3.7.1-"
    assert [r for r in RELEASES if among(r, fixed)][:4] == ["3.5.10", "3.6.3", "3.6.4", "3.7.1"]
    assert among(NEWEST, fixed)
    assert not among("3.7.0-e3704b390a6697bfdf4b0bef79e3da7a4f6bac4b", fixed)
    assert spans(set(RELEASES)) == "3.4.0 and newer"
