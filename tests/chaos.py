"""Random faults on a real ensemble, and what zabtrace says of its writes against what its clients see in the end.

    python tests/chaos.py FROM TO [FOLDER]

Every write has a path of its own, so that it is in force exactly if its znode is there once the servers have settled. Whatever evidence is
left of each case (everything, disks, some servers, texts, ...) is judged, and every label that this truth contradicts is printed; the
evidence of such a case stays in FOLDER. Faults: kills, also amid unanswered writes, pauses, restarts of some, wiped disks, disks put back.
"""

from __future__ import annotations

import json
import logging
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kazoo.client import KazooClient
from live import Live, ensemble, until

from zabtrace.evidence import gather
from zabtrace.fates import Judgement, judge
from zabtrace.replay import replay

GONE = ("lost", "truncated", "shadowed", "pending")
KEPT = ("survived", "recovered")
ANSWER = 4.0
"""Seconds in which a write is answered, or given up."""


@dataclass
class Case:
    """One ensemble, what was done to it, and what its clients were told."""

    live: Live
    rng: random.Random
    folder: Path
    answered: dict[str, bool] = field(default_factory=dict)
    """path -> was the write acknowledged."""
    session: dict[str, int] = field(default_factory=dict)
    """path -> session that asked for it."""
    done: list[str] = field(default_factory=list)
    stopped: set[int] = field(default_factory=set)
    saved: dict[int, Path] = field(default_factory=dict)
    """An earlier state of a server's disk."""

    def up(self) -> list[int]:
        """Servers whose process runs, paused or not."""
        return [sid for sid, one in self.live.members.items() if one.process is not None]

    def down(self) -> list[int]:
        """The others."""
        return [sid for sid, one in self.live.members.items() if one.process is None]

    def leads(self) -> list[int]:
        """Who serves as leader."""
        return [sid for sid in self.up() if sid not in self.stopped and self.live.members[sid].mode() == "leader"]

    def disk(self, sid: int) -> Path:
        """The folder of its logs and snapshots."""
        return self.live.members[sid].folder / "data" / "version-2"


# ---------------------------------------------------------------- what is done
def connected(case: Case, sid: int, seconds: float) -> Any:
    """A client of that server alone, which never tries again; None where it got no session in time."""
    client = KazooClient(hosts=f"127.0.0.1:{case.live.members[sid].client}", timeout=4, connection_retry=None, command_retry=None)
    try:
        client.start(seconds)
    except Exception:  # kazoo raises its own time-out, of another kind in each release
        client.stop()
        return None
    return client


def write(case: Case, meanwhile: Callable[[Case], str] | None = None) -> str:
    """Some writes at one server; ``meanwhile`` happens before all are answered."""
    serving = [sid for sid in case.up() if sid not in case.stopped]
    if not serving:
        return "nobody to write to"
    sid = case.rng.choice(case.leads() * 2 + serving)
    client = connected(case, sid, ANSWER)
    if client is None:
        return f"no session at {sid}"
    session = client.client_id[0]
    paths = [f"/w{len(case.answered) + n}" for n in range(case.rng.randint(1, 12))]
    results = [(path, client.create_async(path, path.encode(), include_data=case.rng.random() < 0.5)) for path in paths]
    said = f"{paths[0]}..{paths[-1]} at {sid}"
    if meanwhile is not None:
        time.sleep(case.rng.choice([0, 0, 0.003, 0.02]))
        said += ", meanwhile " + meanwhile(case)
    end = time.monotonic() + ANSWER
    for path, result in results:
        result.wait(max(0.0, end - time.monotonic()))
        case.answered[path] = bool(result.ready() and result.successful())
    case.session.update(dict.fromkeys(paths, session))
    client.stop()
    client.close()
    return said


def kill(case: Case) -> str:
    """Some of the servers, often the leader."""
    chosen = set(case.leads() if case.rng.random() < 0.6 else []) | {s for s in case.up() if case.rng.random() < 0.3}
    for sid in chosen:
        case.live.members[sid].kill()
    case.stopped -= chosen
    return f"killed {sorted(chosen)}"


def pause(case: Case) -> str:
    """Stop servers, often all but the leader."""
    leads = case.leads()
    chosen = [s for s in case.up() if s not in case.stopped and (case.rng.random() < 0.7 if s not in leads else case.rng.random() < 0.2)]
    for sid in chosen:
        case.live.members[sid].process.send_signal(signal.SIGSTOP)  # type: ignore[union-attr]
    case.stopped |= set(chosen)
    return f"paused {chosen}"


def resume(case: Case) -> str:
    """All paused ones."""
    for sid in case.stopped:
        case.live.members[sid].process.send_signal(signal.SIGCONT)  # type: ignore[union-attr]
    resumed, case.stopped = sorted(case.stopped), set()
    return f"resumed {resumed}"


def start(case: Case) -> str:
    """Some that are down, and wait a while for a leader."""
    chosen = [s for s in case.down() if case.rng.random() < 0.7] or case.down()
    for sid in chosen:
        case.live.members[sid].start()
    try:
        until(case.leads, 12)
    except TimeoutError:
        return f"started {chosen}, no leader"
    return f"started {chosen}, {case.leads()} leads"


def alone(case: Case) -> str:
    """Pause all but the leader, write there, kill everybody, and start only those that were paused."""
    leads = case.leads()
    if not leads or case.stopped:
        return "no leader"
    others = [sid for sid in case.up() if sid != leads[0]]
    for sid in others:
        case.live.members[sid].process.send_signal(signal.SIGSTOP)  # type: ignore[union-attr]
    client = connected(case, leads[0], 1.0)
    said = f"no session at {leads[0]}, "
    if client is not None:
        paths = [f"/w{len(case.answered) + n}" for n in range(case.rng.randint(1, 9))]
        for path in paths:
            client.create_async(path, path.encode())
        case.answered.update(dict.fromkeys(paths, False))
        case.session.update(dict.fromkeys(paths, client.client_id[0]))
        time.sleep(0.4)
        said = f"{paths[0]}..{paths[-1]} at {leads[0]} alone, "
    for sid in case.up():
        case.live.members[sid].kill()
    if client is not None:
        client.stop()
    for sid in others:
        case.live.members[sid].start()
    return f"{said}all killed, {others} started"


def forget(case: Case) -> str:
    """Writes that all but one follower have; then all are killed, and that one starts with others whose disks were wiped."""
    leads = case.leads()
    behind = next((sid for sid in case.up() if sid not in leads and sid not in case.stopped), None)
    if not leads or behind is None or case.stopped:
        return "no leader"
    case.live.members[behind].kill()
    said = write(case)
    rest = [sid for sid in case.up() if sid not in leads]
    for sid in case.up():
        case.live.members[sid].kill()
    for sid in rest:
        shutil.rmtree(case.disk(sid), ignore_errors=True)
    for sid in [behind, *rest]:
        case.live.members[sid].start()
    return f"{said} without {behind}, all killed, {rest} wiped, {[behind, *rest]} started"


def wipe(case: Case) -> str:
    """The disk of one that is down."""
    if not case.down():
        return "nobody is down"
    sid = case.rng.choice(case.down())
    shutil.rmtree(case.disk(sid), ignore_errors=True)
    return f"wiped {sid}"


def save(case: Case) -> str:
    """Keep a copy of the disk of one that is down."""
    if not case.down():
        return "nobody is down"
    sid = case.rng.choice(case.down())
    if not case.disk(sid).is_dir():
        return f"nothing on {sid}"
    shutil.rmtree(case.folder / f"saved-{sid}", ignore_errors=True)
    case.saved[sid] = Path(shutil.copytree(case.disk(sid), case.folder / f"saved-{sid}"))
    return f"saved {sid}"


def put_back(case: Case) -> str:
    """The kept copy of one that is down."""
    chosen = [sid for sid in case.down() if sid in case.saved]
    if not chosen:
        return "nothing to put back"
    sid = case.rng.choice(chosen)
    shutil.rmtree(case.disk(sid), ignore_errors=True)
    shutil.copytree(case.saved[sid], case.disk(sid))
    return f"put {sid} back"


ACTS: tuple[tuple[Callable[[Case], str], int], ...] = (
    (write, 5), (lambda c: write(c, kill), 5), (lambda c: write(c, pause), 3), (pause, 1), (resume, 3), (start, 6), (kill, 2), (alone, 6),
    (forget, 1), (wipe, 1), (save, 1), (put_back, 1),
)  # fmt: skip
"""What may be done, and how often."""


# ---------------------------------------------------------------- the truth
def settled(case: Case) -> set[str] | None:
    """Everybody up, and the paths that the ensemble then has; None where no quorum came to stand."""
    case.done.append(resume(case))
    for sid in case.down():
        case.live.members[sid].start()
    try:
        until(lambda: len(case.leads()) == 1, 40)
        until(lambda: sum(one.mode() is not None for one in case.live.members.values()) == len(case.live.members), 12)
    except TimeoutError:
        if len(case.leads()) != 1:
            return None
    with case.live.members[case.leads()[0]].connected() as client:
        client.create("/end", b"")
        return {f"/{name}" for name in client.get_children("/")}


def record(case: Case) -> Path:
    """The client history."""
    history = case.folder / "clients.jsonl"
    lines = [
        {"op": "create", "path": path, "data": path, "session_id": case.session[path], "ok": ok, "error": None if ok else "ConnectionLoss"}
        for path, ok in case.answered.items()
    ]
    history.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return history


# ---------------------------------------------------------------- the comparison
def hidings(case: Case) -> Iterator[tuple[str, list[Path]]]:
    """Kinds of evidence, and the files of each."""
    homes = {sid: one.folder for sid, one in case.live.members.items()}
    logs = {sid: [home / "zookeeper.log", home / "zoo.cfg", home / "data" / "myid"] for sid, home in homes.items()}
    disks = {sid: [home / "zoo.cfg", home / "data"] for sid, home in homes.items()}
    yield "everything", list(homes.values())
    yield "disks", [one for each in disks.values() for one in each]
    yield "texts", [one for each in logs.values() for one in each]
    for gone in homes:
        yield f"without {gone}", [home for sid, home in homes.items() if sid != gone]
        yield f"disks without {gone}", [one for sid, each in disks.items() if sid != gone for one in each]
        yield f"text of {gone} missing", [one for sid, home in homes.items() for one in (disks[sid] if sid == gone else [home])]
        yield f"disk of {gone} missing", [one for sid, home in homes.items() for one in (logs[sid] if sid == gone else [home])]
        yield f"alone {gone}", [homes[gone]]


def contradicted(case: Case, left: set[str], judged: Judgement, *, whole: bool) -> Iterator[str]:
    """Every label and verdict that the truth contradicts."""
    for row in judged.writes.filter(judged.writes["path"].is_in(list(case.answered))).iter_rows(named=True):
        path, said = row["path"], f"0x{row['zxid']:x} {row['path']} {row['fate']} committed={row['committed']} rule={row['rule']}"
        if path in left and row["fate"] in GONE:
            yield f"{said}: it is there | {row['why']}"
        if path not in left and row["fate"] in KEPT:
            yield f"{said}: it is gone | {row['why']}"
        if row["committed"] == "no" and (case.answered[path] or path in left):
            yield f"{said}: it was committed | {row['why']}"
    gone = sorted(path for path, ok in case.answered.items() if ok and path not in left)
    if judged.verdict == "nothing_lost" and gone:
        yield f"nothing_lost, though {gone} are"
    if whole and gone and judged.verdict != "lost":
        yield f"not wrong, but too little: {judged.verdict}, and {gone} were acknowledged and are gone"


def run(seed: int, folder: Path) -> tuple[list[str], Counter[str]]:
    """One case: what is wrong, and how many writes got which label."""
    rng, wrong, labels = random.Random(seed), [], Counter[str]()
    with ensemble(folder, rng.choice([3, 3, 3, 5])) as live:
        case = Case(live, rng, folder)
        case.done.append(start(case))
        for act in rng.choices([a for a, _ in ACTS], [n for _, n in ACTS], k=rng.randint(5, 14)):
            case.done.append(act(case))
        left = settled(case)
        live.kill()
        if left is None:
            return [f"no quorum came to stand: {case.done}"], labels
        clients = str(record(case))
        for kind, paths in hidings(case):
            for told in ([], [clients]):
                judged = judge(replay(gather([str(path) for path in paths if path.exists()], clients=told)))
                labels.update({f"{fate}": n for fate, n in judged.counts.items() if n})
                what = f"{kind}{', clients' if told else ''}"
                wrong += [f"{what}: {one}" for one in contradicted(case, left, judged, whole=kind == "everything" and bool(told))]
    if wrong:
        (folder / "done.json").write_text(json.dumps({"done": case.done, "left": sorted(left), "answered": case.answered}, indent=1))
    return wrong, labels


def main(first: int, last: int, kept: Path) -> int:
    """Cases ``first`` to ``last``."""
    logging.getLogger("kazoo").setLevel(logging.CRITICAL)  # connections break here all the time
    bad, every = 0, Counter[str]()
    for seed in range(first, last):
        folder = kept / f"case-{seed}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        wrong, labels = run(seed, folder)
        every += labels
        bad += bool(wrong)
        sys.stdout.write(f"seed {seed}: {dict(labels)}\n" + "".join(f"WRONG seed {seed}: {one}\n" for one in wrong))
        sys.stdout.flush()
        if not wrong:
            shutil.rmtree(folder)
    sys.stdout.write(f"{bad} cases of {last - first} with wrong labels; {dict(every)}\n")
    return 1 if bad else 0


if __name__ == "__main__":
    where = Path(sys.argv[3]) if len(sys.argv) > 3 else Path(tempfile.mkdtemp(prefix="zabtrace-chaos-"))
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), where))
