"""What the servers would have left behind: a folder per server with its text log, configuration and data, and what clients recorded.

Strategy: everything is put together as bytes by name first, so that ``mutations`` can change it; ``write`` writes it to a folder.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from zabtrace.errors import UsageError
from zabtrace.simulate import files, rendering
from zabtrace.simulate.ensemble import BEGIN_MS, Ensemble
from zabtrace.simulate.old_electing import FAST
from zabtrace.simulate.server import Server
from zabtrace.zxid import text

BEGIN = datetime.fromtimestamp(BEGIN_MS / 1000, UTC)
Left = dict[str, bytes]
"""Path below the folder -> content."""


def left(ensemble: Ensemble, unknown: frozenset[int] = frozenset()) -> Left:
    """The files of every server, but for those of which nothing is known."""
    found: Left = {}
    for server in ensemble.servers.values():
        if server.sid not in unknown:
            found |= {f"server-{server.sid}/{name}": content for name, content in _server(ensemble, server).items()}
    if ensemble.acknowledged:
        found["clients/history.jsonl"] = "".join(f"{json.dumps(line)}\n" for line in _clients(ensemble)).encode()
    return found


def _server(ensemble: Ensemble, server: Server) -> Left:
    printed = [line for said in ensemble.lines[server.sid] for line in rendering.lines(said, server.sid, server.release, BEGIN)]
    disk, folder = server.disk, "data/version-2"
    found = {"zookeeper.log": "".join(f"{line}\n" for line in printed).encode(), "zoo.cfg": _config(ensemble).encode(),
             "data/myid": f"{server.sid}\n".encode()}  # fmt: skip
    found |= {f"{folder}/log.{file.name:x}": files.log(file) for file in disk.files}
    found |= {f"{folder}/snapshot.{snap.zxid:x}": files.snapshot(snap, server.release) for snap in disk.snaps}
    for name, epoch in (("currentEpoch", disk.current), ("acceptedEpoch", disk.accepted)):
        if epoch is not None:
            found[f"{folder}/{name}"] = str(epoch).encode()
    return found


def _config(ensemble: Ensemble) -> str:
    setup = ensemble.setup
    lines = [f"tickTime={setup.tick}", f"initLimit={setup.init_limit}", f"syncLimit={setup.sync_limit}", "dataDir=/var/lib/zookeeper",
             "clientPort=2181", "preAllocSize=64"]  # fmt: skip
    lines += [f"electionAlg={setup.algorithm}"] if setup.algorithm != FAST else []
    lines += [f"server.{sid}=127.0.0.{sid}:2888:3888{':observer' if sid in setup.observers else ''}" for sid in sorted(ensemble.servers)]
    for group in sorted(set(setup.groups.values())):
        lines.append(f"group.{group}={':'.join(str(sid) for sid, of in sorted(setup.groups.items()) if of == group)}")
    lines += [f"weight.{sid}={weight}" for sid, weight in sorted(setup.weights.items())]
    return "".join(f"{line}\n" for line in lines)


def _clients(ensemble: Ensemble) -> list[dict[str, object]]:
    """Every answer that a client got."""
    return [
        {"client": f"session-{txn.session:x}", "session_id": text(txn.session), "op": "create", "path": txn.path, "data": txn.data.decode(),
         "start": _iso(txn.time), "end": _iso(BEGIN_MS + time + 1), "ok": True, "error": None, "zxid": text(txn.zxid),
         "reply_zxid": text(txn.zxid)}
        for time, txn in ensemble.acknowledged if txn.op == "create"
    ]  # fmt: skip


def _iso(ms: int) -> str:
    return f"{datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=ms):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"


def write(found: Left, folder: Path) -> None:
    """Write the files below a new or empty folder. Raises UsageError where the folder has something in it."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} exists and is not an empty folder. Name a new folder: nothing is written over.")
    for name, content in found.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
