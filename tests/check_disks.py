"""Data folders of small made-up servers, for the tests of ``check``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

import polars as pl
from record_bytes import create, log, node, snapshot

from zabtrace import checks, schema
from zabtrace.evidence import gather
from zabtrace.evidence.trace import Trace
from zabtrace.fates import judge
from zabtrace.records import SnapshotRead, TxnLogRead, read_snapshot, read_txn_log
from zabtrace.replay import replay
from zabtrace.source import Source

E1, E2 = 0x100000000, 0x200000000
CONFIG = "".join(f"server.{sid}=10.0.0.{sid}:2888:3888\n" for sid in (1, 2, 3))
HISTORY = [E1 + n for n in range(1, 6)] + [E2 + n for n in range(1, 4)]
TREE = snapshot(node("", cversion=0), node("/zookeeper"))


def disk(
    folder: Path,
    sid: int,
    logs: Mapping[str, bytes],
    snapshots: Mapping[str, bytes] | None = None,
    epochs: tuple[int | None, int | None] = (2, 2),
    config: str = CONFIG,
    **more: bytes,
) -> Path:
    """The folder of one server, with zoo.cfg, myid and the data files as given."""
    data = folder / f"server-{sid}" / "data" / "version-2"
    data.mkdir(parents=True)
    (data.parent / "myid").write_text(f"{sid}\n")
    (data.parent.parent / "zoo.cfg").write_text(f"dataDir=/data\n{config}")
    named = {"snapshot.0": TREE} if snapshots is None else snapshots
    for name, content in {**logs, **named, **more}.items():
        (data / name).write_bytes(content)
    for name, epoch in zip(("currentEpoch", "acceptedEpoch"), epochs, strict=True):
        if epoch is not None:
            (data / name).write_text(str(epoch))
    return data


def records(zxids: Iterable[int], path: str = "/a") -> bytes:
    """A log file of creates with these zxids."""
    return log(*(create(zxid, f"{path}{zxid:x}") for zxid in zxids))


def one_log(zxids: Sequence[int], **more: str) -> dict[str, bytes]:
    """A single log, named after its first record."""
    return {f"log.{zxids[0]:x}": records(zxids, **more)}


def report_of(*folders: Path, **asked: object) -> checks.Report:
    """What check says of these folders."""
    history = replay(gather([str(folder) for folder in folders]))
    judgement = judge(history)
    return checks.check(history, judgement.writes, judgement.reasons, checks.Question(**asked))  # type: ignore[arg-type]


def outcomes(report: checks.Report) -> dict[str, str]:
    """Each check's outcome."""
    return {one.check: one.finding.outcome for one in report.checks}


@cache
def _read(path: Path, content: bytes) -> TxnLogRead | SnapshotRead:
    """A file as it is read; ``content`` makes it be read anew when it was written anew."""
    source = Source(path.name, path)
    return read_txn_log(source) if path.name.startswith("log.") else read_snapshot(source)


def trace_of(folder: Path, server: int = 1) -> Trace:
    """The data files of one folder as a Trace, read without anything around them."""
    place = {"server": server, "copy": 0}
    paths = sorted(folder.iterdir())
    read = [_read(path, path.read_bytes()) for path in paths]
    logs = [one for one in read if isinstance(one, TxnLogRead)]
    snapshots = [one for one in read if isinstance(one, SnapshotRead)]

    def table(columns: Sequence[schema.Column], frames: list[pl.DataFrame]) -> pl.DataFrame:
        return schema.conform(columns, pl.concat(frames), **place) if frames else schema.frame(columns)

    return Trace(
        txns=table(schema.TXNS, [one.txns for one in logs]),
        txn_files=table(schema.TXN_FILES, [one.file for one in logs]),
        snapshots=table(schema.SNAPSHOTS, [one.snapshot for one in snapshots]),
        damage=table(schema.DAMAGE, [one.damage for one in read]),
        files={path.name: Source(path.name, path) for path in paths},
    )
