"""How long ``verify`` takes and how much memory it needs for long histories on five servers.

    python tests/benchmarks/fates.py                               100,000 and 1,000,000 transactions on each server
    python tests/benchmarks/fates.py --transactions 10000000       needs 5 GB of disk below --folder, removed afterwards
    python tests/benchmarks/fates.py --apart                       the servers' records differ in their digests: no bytes are shared

Real bytes: each server rolls its log at places of its own, as servers do (SyncRequestProcessor draws them). Epoch after epoch a leader
crashes; the last one before the newest epoch comes back with a tail that nobody else has, one server's log ends in the middle of a
record, and one lags behind. A peer runs in turn: one zlib.adler32 over all logs.
"""

from __future__ import annotations

import argparse
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

SERVERS = (1, 2, 3, 4, 5)
EPOCHS = 5
ROLL = 1_000_000
"""About so many records to a file (snapCount is 100,000 by default; larger files are fewer)."""
TAIL, LAG, TORN = 60, 1_000, 40
START = 1_790_000_000_000
PAYLOAD = np.dtype([
    ("session", ">i8"), ("cxid", ">i4"), ("zxid", ">i8"), ("time", ">i8"), ("type", ">i4"), ("path_len", ">i4"), ("path", "S10"),
    ("data_len", ">i4"), ("data", "S8"), ("version", ">i4"), ("digest_version", ">i4"), ("digest", ">i8"),
])  # fmt: skip
RECORD = np.dtype([("checksum", ">i8"), ("length", ">i4"), ("payload", PAYLOAD), ("end", "u1")])
CONFIG = "tickTime=2000\ndataDir=/data\n" + "".join(f"server.{sid}=zk{sid}:2888:3888\n" for sid in SERVERS)


def records(zxid: npt.NDArray[np.int64], digest: int = 0) -> npt.NDArray[np.void]:
    """setData records with these zxids, digests that begin with ``digest``, and right checksums."""
    payload = np.zeros(zxid.size, PAYLOAD)
    number = zxid & 0xFFFFFFFF
    payload["session"], payload["cxid"], payload["zxid"] = 0x100000000000000 + number % 1000, number & 0xFFFF, zxid
    payload["time"], payload["type"], payload["version"] = START + number * 3, 5, number % 1000
    payload["path_len"], payload["data_len"], payload["digest_version"], payload["digest"] = 10, 8, 2, number * 7919 + digest
    payload["path"] = np.char.add(b"/app/", np.char.zfill((number % 10_000).astype("S5"), 5))
    payload["data"] = b"abcdefgh"
    content = payload.view(np.uint8).reshape(zxid.size, PAYLOAD.itemsize).astype(np.float64)
    weights = np.arange(PAYLOAD.itemsize, 0, -1, dtype=np.float64)
    low = (1 + content.sum(axis=1).astype(np.int64)) % 65521
    high = (PAYLOAD.itemsize + (content @ weights).astype(np.int64)) % 65521
    found = np.zeros(zxid.size, RECORD)
    found["checksum"], found["length"], found["payload"], found["end"] = high << 16 | low, PAYLOAD.itemsize, payload, ord("B")
    return found


@dataclass
class Disk:
    """The log files of one server, rolled at places of its own."""

    folder: Path
    roll: int
    held: int = 0

    def write(self, found: npt.NDArray[np.void]) -> None:
        """Append records, in new files where the old ones are full."""
        while found.size:
            if self.held == 0:
                self.file = (self.folder / f"log.{int(found['payload']['zxid'][0]):x}").open("wb")
                self.file.write(b"ZKLG" + struct.pack(">iq", 2, 0))
            part, found = found[: self.roll - self.held], found[self.roll - self.held :]
            self.file.write(part.tobytes())
            self.held = (self.held + part.size) % self.roll
            if self.held == 0:
                self.end()

    def end(self, padding: int = 1 << 16) -> None:
        """Close the file as a server leaves it."""
        if not self.file.closed:
            self.file.write(bytes(padding))
            self.file.close()
        self.held = 0


def zxids(transactions: int) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
    """Epoch, and its zxids in parts."""
    each = transactions // EPOCHS
    for epoch in range(1, EPOCHS + 1):
        for begin in range(1, each + 1, 200_000):
            yield epoch, (epoch << 32) + np.arange(begin, min(begin + 200_000, each + 1))


def write(folder: Path, transactions: int, *, apart: bool = False) -> None:
    """The data folders of all servers."""
    disks = {}
    for sid in SERVERS:
        data = folder / f"server-{sid}" / "data" / "version-2"
        data.mkdir(parents=True)
        (data.parent / "myid").write_text(f"{sid}\n")
        (folder / f"server-{sid}" / "zoo.cfg").write_text(CONFIG)
        for name in ("acceptedEpoch", "currentEpoch"):
            (data / name).write_text(str(EPOCHS - (sid == 1)))
        disks[sid] = Disk(data, ROLL // 2 + sid * ROLL // 10)
    last = transactions // EPOCHS
    for epoch, numbers in zxids(transactions):
        found = records(numbers)
        for sid, disk in disks.items():
            if epoch == EPOCHS and sid == 1:
                continue
            found = records(numbers, sid) if apart else found
            mine = found[numbers <= (epoch << 32) + last - LAG] if epoch == EPOCHS and sid == 3 else found
            if numbers[0] & 0xFFFFFFFF == 1 and epoch > 1:
                disk.end()
            disk.write(mine)
    disks[1].write(records(((EPOCHS - 1) << 32) + np.arange(last + 1, last + 1 + TAIL)))
    disks[2].write(records(np.array([(EPOCHS << 32) + last + 1])))
    disks[2].file.close()
    torn = max(disks[2].folder.glob("log.*"), key=lambda path: int(path.suffix[1:], 16))
    os.truncate(torn, torn.stat().st_size - TORN)
    for disk in disks.values():
        disk.end()


def measured(*command: str) -> tuple[float, float, float, bytes]:
    """Seconds of wall, seconds of cpu, peak of memory in MB, and the answer of a process."""
    start = time.perf_counter()
    with tempfile.TemporaryFile() as out, subprocess.Popen(command, stdout=out) as process:
        _, _, usage = os.wait4(process.pid, 0)
        process.returncode = 0
        out.seek(0)
        return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, out.read()


def adler(folder: Path) -> float:
    """Seconds of cpu that one zlib.adler32 over all logs takes, block by block."""
    start = time.process_time()
    for path in sorted(folder.rglob("log.*")):
        with path.open("rb") as file:
            value = 1
            while block := file.read(1 << 20):
                value = zlib.adler32(block, value)
    return time.process_time() - start


def say(line: str) -> None:
    """Print a line at once: what follows takes a while."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Write, judge, print, remove."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--transactions", type=int, nargs="+", default=[100_000, 1_000_000])
    options.add_argument("--folder", type=Path, help="where the logs are written (default: a temporary folder)")
    options.add_argument("--apart", action="store_true", help="no two servers hold the same bytes")
    options.add_argument("--all", action="store_true", help="list every write too, as Parquet")
    given = options.parse_args()
    zabtrace = (str(Path(sys.executable).with_name("zabtrace")),)
    for transactions in given.transactions:
        folder = Path(tempfile.mkdtemp(dir=given.folder))
        try:
            write(folder, transactions, apart=given.apart)
            size = sum(path.stat().st_size for path in folder.rglob("log.*")) / 1e6
            peer = adler(folder)
            wall, cpu, memory, answer = measured(*zabtrace, "verify", str(folder))
            say(f"{transactions} transactions on each of {len(SERVERS)} servers, {size:.0f} MB")
            say(next(iter(answer.decode().splitlines()), "no answer"))
            say(f"verify: {wall:.1f} s wall, {cpu:.1f} s cpu, {memory:.0f} MB; one zlib.adler32 over all logs: {peer:.1f} s cpu")
            if given.all:
                out = folder.with_suffix(".parquet")
                wall, cpu, memory, _ = measured(*zabtrace, "verify", str(folder), "--all", "--format", "parquet", "-o", str(out))
                size = out.stat().st_size / 1e6
                say(f"verify --all --format parquet: {wall:.1f} s wall, {cpu:.1f} s cpu, {memory:.0f} MB, {size:.0f} MB")
                out.unlink()
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
