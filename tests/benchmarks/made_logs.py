"""Large text logs of several shapes, made of lines that servers print. The same shape and size give the same bytes.

python tests/benchmarks/made_logs.py debug 500 /tmp/zookeeper.log
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

SAMPLE = Path(__file__).parents[2] / "sample_logs" / "truncated-3.8.0" / "server-1" / "zookeeper.log"
START = datetime(2026, 1, 1)
MB = 1_000_000
PIECE = 4 * MB
STAMP = 23
"""Characters of a stamp."""
TRACE = (
    "java.net.SocketTimeoutException: Read timed out",
    *(
        f"\tat java.base/sun.nio.ch.NioSocketImpl.{method}(NioSocketImpl.java:{line})"
        for method, line in (("timedRead", 288), ("read", 314))
    ),
    "\tat java.base/java.net.Socket$SocketInputStream.read(Socket.java:1099)",
    "\tat java.base/java.io.DataInputStream.readInt(DataInputStream.java:393)",
    "\tat org.apache.jute.BinaryInputArchive.readInt(BinaryInputArchive.java:96)",
    "\tat org.apache.zookeeper.server.quorum.QuorumPacket.deserialize(QuorumPacket.java:86)",
    "\tat org.apache.zookeeper.server.quorum.Learner.readPacket(Learner.java:229)",
    "\tat org.apache.zookeeper.server.quorum.Follower.followLeader(Follower.java:136)",
    "\tat org.apache.zookeeper.server.quorum.QuorumPeer.run(QuorumPeer.java:1566)",
)
PROCESSING = "sessionid:0x{session:x} type:create cxid:0x{cxid:x} zxid:0x{zxid:x} txntype:1 reqpath:/app/queue/item-{cxid:010}"
# what one create prints at DEBUG on a leader of 3.6, and a connection and an election now and then
DEBUG = (
    "DEBUG [ProcessThread(sid:2 cport:-1)::Leader@1253] - Proposing:: " + PROCESSING,
    "DEBUG [CommitProcessor:2:CommitProcessor@226] - Processing request:: " + PROCESSING,
    "DEBUG [LearnerHandler-/10.0.{third}.{fourth}:{port}:CommitProcessor@611] - Committing request:: " + PROCESSING,
    "DEBUG [CommitProcessor:2:FinalRequestProcessor@98] - Processing request:: " + PROCESSING,
    "DEBUG [CommitProcessor:2:DataTree@1840] - Digests are matching for Zxid: {zxid:x}, Digest in log and actual tree: {digest}",
    "DEBUG [SessionTracker:SessionTrackerImpl@283] - Checking session 0x{session:x}",
    "DEBUG [NIOWorkerThread-1:NIOServerCnxn@623] - Closed socket connection for client /10.0.{third}.{fourth}:{port} "
    "(no session established for client)",
    "DEBUG [QuorumPeer[myid=2](plain=10.0.0.2:2181)(secure=disabled):FastLeaderElection@702] - Sending Notification: 2 (n.leader), "
    "0x{zxid:x} (n.zxid), 0x{cxid:x} (n.round), 3 (recipient), 2 (myid), 0x1 (n.peerEpoch) ",
)
THREADS = (
    "INFO  [/10.{second}.{third}.{fourth}:{port}:QuorumCnxManager$Listener@493] - Received connection request /10.0.0.7:{port}",
    "WARN  [LearnerHandler-/10.{second}.{third}.{fourth}:{port}:LearnerHandler@653] - ******* GOODBYE /10.0.0.7:{port} ********",
    "INFO  [LearnerHandler-/10.{second}.{third}.{fourth}:{port}:LearnerHandler@535] - Received NEWLEADER-ACK message from 3",
)


def plain() -> Iterator[str]:
    """The records of a sample, over and over, a day later each time."""
    lines = [line for line in SAMPLE.read_text().splitlines() if line[:2] == "20"]
    for day in count():
        date = f"{START + timedelta(days=day):%Y-%m-%d}"
        yield from (date + line[len(date) :] for line in lines)


def traces() -> Iterator[str]:
    """The same, a stack trace below every tenth."""
    for number, line in enumerate(plain()):
        yield line
        if number % 10 == 0:
            yield from TRACE


def _varied(texts: tuple[str, ...]) -> Iterator[str]:
    for number in count():
        stamp = (START + timedelta(milliseconds=3 * number)).isoformat(" ", "milliseconds").replace(".", ",")
        numbers = {
            "session": 0x2000_0000_0000 + number // 500, "cxid": number // 8, "zxid": 0x1_0000_0000 + number // 8,
            "digest": number * 7919 % 10**11, "second": number >> 16 & 255, "third": number >> 8 & 255, "fourth": number & 255,
            "port": 32768 + number * 7 % 28000,
        }  # fmt: skip
        yield f"{stamp} [myid:2] - {texts[number % len(texts)].format(**numbers)}"


def threads() -> Iterator[str]:
    """Every thread's name holds another client's address."""
    return _varied(THREADS)


def debug() -> Iterator[str]:
    """No line like another, and each with fields that are wanted."""
    return _varied(DEBUG)


SHAPES: dict[str, Callable[[], Iterator[str]]] = {"plain": plain, "traces": traces, "threads": threads, "debug": debug}


def write(shape: str, size: int, path: Path) -> None:
    """Write ``size`` bytes or a little more of a shape."""
    held: list[str] = []
    kept = 0
    with path.open("w") as file:
        for line in SHAPES[shape]():
            held.append(line)
            kept += len(line) + 1
            if kept >= PIECE:
                file.write("\n".join(held) + "\n")
                size -= kept
                held, kept = [], 0
            if kept >= size:
                break
        file.write("".join(f"{line}\n" for line in held))


if __name__ == "__main__":
    write(sys.argv[1], int(sys.argv[2]) * MB, Path(sys.argv[3]))
