"""A real ensemble of Debian's ZooKeeper (package libzookeeper-java) in a folder: started, killed, asked and saved by the tests.

ZOOKEEPER_CLASSES, a Java class path (``jars/*``), names another release with its libraries.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

JAVA = shutil.which("java")
JARS = Path("/usr/share/java")
MISSING = JAVA is None or not (JARS / "zookeeper.jar").exists()
needs_zookeeper = pytest.mark.skipif(MISSING, reason="no java or no /usr/share/java/zookeeper.jar (Debian: libzookeeper-java) is installed")

CLASSES = os.environ.get("ZOOKEEPER_CLASSES") or ":".join(
    str(JARS / name) for name in ("zookeeper.jar", "slf4j-log4j12.jar", "log4j-1.2.jar")
)
LAYOUT = "%d{ISO8601} [myid:%X{myid}] - %-5p [%t:%C{1}@%L] - %m%n"
WORDS = "admin.enableServer=false\n4lw.commands.whitelist=srvr\n"
STARTED = 60.0
"""Seconds until a server or a quorum must stand: generous, as the machine may be busy; it is waited for, not slept."""


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on now; all are held until all are known."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def until(what: Callable[[], Any], seconds: float = STARTED) -> Any:
    """What ``what`` gives once it is true; raises TimeoutError after ``seconds``."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.05)
    raise TimeoutError(f"not true after {seconds} s")


@dataclass
class Member:
    """One server: its folder as an operator would save it (data/, zoo.cfg, zookeeper.log)."""

    sid: int
    folder: Path
    client: int
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the JVM; the log is appended to."""
        settings = {"log4j.configuration": (self.folder / "log4j.properties").as_uri(), "java.net.preferIPv4Stack": "true"}
        options = [f"-D{name}={value}" for name, value in settings.items()]
        main = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
        command = [str(JAVA), "-Xmx64m", "-XX:TieredStopAtLevel=1", *options, "-cp", CLASSES, main, str(self.folder / "zoo.cfg")]
        with (self.folder / "console.txt").open("ab") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=out)

    def kill(self) -> None:
        """As kill -9 does: nothing is flushed, nothing is said."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def mode(self) -> str | None:
        """What ``srvr`` answers: leader, follower, or None while it does not serve."""
        try:
            with socket.create_connection(("127.0.0.1", self.client), 5) as asked:
                asked.sendall(b"srvr")
                answer = b"".join(iter(lambda: asked.recv(4096), b"")).decode()
        except OSError:
            return None
        return next((line.split(": ")[1] for line in answer.splitlines() if line.startswith("Mode: ")), None)

    @contextmanager
    def connected(self) -> Iterator[Any]:
        """A client of this server alone."""
        from kazoo.client import KazooClient

        made = KazooClient(hosts=f"127.0.0.1:{self.client}", timeout=30)
        made.start(STARTED)
        yield made
        made.stop()
        made.close()


@dataclass
class Live:
    """The members by sid."""

    members: dict[int, Member] = field(default_factory=dict)

    def leader(self, *sids: int) -> Member:
        """The leader once all of ``sids`` serve in its epoch."""
        asked = [self.members[sid] for sid in sids]

        def serving() -> Member | None:
            modes = [one.mode() for one in asked]
            return asked[modes.index("leader")] if sorted(map(str, modes)) == ["follower"] * (len(asked) - 1) + ["leader"] else None

        found: Member = until(serving)
        return found

    def kill(self) -> None:
        """All of them."""
        for one in self.members.values():
            one.kill()


@contextmanager
def ensemble(folder: Path, servers: int) -> Iterator[Live]:
    """Members 1 to ``servers``, configured and not started, in ``folder``/server-N; killed at the end, whatever happened."""
    ports = free_ports(3 * servers)
    quorum = "".join(f"server.{n + 1}=127.0.0.1:{ports[3 * n]}:{ports[3 * n + 1]}\n" for n in range(servers))
    live = Live()
    for n in range(servers):
        sid, client, home = n + 1, ports[3 * n + 2], folder / f"server-{n + 1}"
        (home / "data").mkdir(parents=True)
        (home / "data" / "myid").write_text(f"{sid}\n")
        timing = "tickTime=1000\ninitLimit=10\nsyncLimit=5\n"
        (home / "zoo.cfg").write_text(f"{timing}dataDir={home / 'data'}\nclientPort={client}\n{WORDS}{quorum}")
        appender = f"log4j.appender.F=org.apache.log4j.FileAppender\nlog4j.appender.F.File={home / 'zookeeper.log'}\n"
        pattern = f"log4j.appender.F.layout=org.apache.log4j.PatternLayout\nlog4j.appender.F.layout.ConversionPattern={LAYOUT}\n"
        (home / "log4j.properties").write_text(f"log4j.rootLogger=INFO, F\n{appender}{pattern}")
        live.members[sid] = Member(sid, home, client)
    try:
        yield live
    finally:
        live.kill()
