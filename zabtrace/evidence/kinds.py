"""What a file is: a table of kinds, tried in order, each with the test that recognises it.

Strategy: content decides; a name alone is believed only where the content cannot speak (an empty transaction log, an epoch
file). A test looks at the head of a file and returns why it takes the file for its kind, or None.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import dropwhile

from zabtrace.clients import looks_like_history
from zabtrace.records import sniff
from zabtrace.records.frames import name_zxid
from zabtrace.source import Source

SERVER_LOG, AUDIT_LOG, TXN_LOG, SNAPSHOT = "server log", "audit log", "txn log", "snapshot"
EPOCH_FILE, MARKER, MYID = "epoch file", "marker", "myid"
CONFIG, DYNAMIC_CONFIG, IDLE_CONFIG = "configuration", "dynamic configuration", "configuration not in force"
FOUR_LETTERS, CLIENT_HISTORY = "four-letter word", "client history"
TXN_DUMP, SNAPSHOT_DUMP = "txn log dump", "snapshot dump"
ARCHIVE, UNRECOGNISED = "archive", "unrecognised"
DATA = (TXN_LOG, SNAPSHOT, EPOCH_FILE, MARKER)
"""The kinds that make up a saved state of a server's data."""
DUMPS = (TXN_DUMP, SNAPSHOT_DUMP)
"""What ZooKeeper's own tools printed of such files."""
TELLING = (SERVER_LOG, AUDIT_LOG, *DUMPS)
"""The kinds that tell of a server though they are no data."""

EPOCH_NAMES = ("currentEpoch", "acceptedEpoch", "currentEpoch.tmp", "acceptedEpoch.tmp")
MARKER_NAMES = ("updatingEpoch", "initialize")


@dataclass(frozen=True)
class Probe:
    """What a test may look at."""

    source: Source
    pattern: str | None = None
    """A conversion pattern that server logs may follow."""

    @cached_property
    def name(self) -> str:
        """The last part of its path."""
        return self.source.path.name

    @cached_property
    def head(self) -> bytes:
        """The first bytes, uncompressed."""
        return self.source.head()

    @cached_property
    def text(self) -> str | None:
        """The head as text; None where it is binary."""
        return None if b"\0" in self.head[:512] else self.head.decode("utf-8", "replace")

    @property
    def in_data_folder(self) -> bool:
        """Does it lie in a folder that servers keep data in (FileTxnSnapLog.version)?"""
        return self.source.path.parent.name == "version-2"

    def says(self, pattern: re.Pattern[str]) -> bool:
        """Does the head, as text, match?"""
        return self.text is not None and pattern.search(self.text) is not None


@dataclass(frozen=True)
class Kind:
    """A kind of file: its name in SOURCES, what it is good for, and the test."""

    name: str
    meaning: str
    test: Callable[[Probe], str | None]


MOSTLY_AUDIT = 0.9
"""Share of its lines that must be audit records: others may stand between them, but not as many as a server prints."""
AUDIT_LINE = re.compile(r"^.*AuditLogger: .*\boperation=\w+.*\bresult=\w+\s*$", re.MULTILINE)
TXN_DUMP_LINE = re.compile(
    r"^(ZooKeeper Transactional Log File with dbid "
    r"|(CRC (ERROR|FIXED) - )?[0-9][^=\n]{5,70} session 0x[0-9a-f]+ cxid 0x[0-9a-f]+ zxid 0x[0-9a-f]+ \w)",
    re.MULTILINE,
)
SNAPSHOT_DUMP_LINE = re.compile(r"^ZNode Details \(count=\d+\):\s*$|\A\s*\[1,0,\{\"progname\":\"SnapshotFormatter", re.MULTILINE)
CONFIG_KEY = re.compile(
    r"^[ \t]*(dataDir|dataLogDir|tickTime|initLimit|syncLimit|clientPort|dynamicConfigFile|server\.\d+)[ \t]*[=:]", re.MULTILINE
)
CONFIG_LINE = re.compile(r"\s*([#!].*|[A-Za-z0-9_.\-]+[ \t]*[=: ].*|)\s*")
MEMBER_LINE = re.compile(r"\s*([#!].*|(server|group|weight)\.\d+[ \t]*[=:].*|version[ \t]*=.*|)\s*")
IDLE_NAME = re.compile(r"(_sample\.cfg|\.bak|\.next|\.orig|\.old|~)$")
CLASSES = re.compile(r"\b(o\.a\.z\.|org\.apache\.zookeeper\.|quorum\.[A-Z])|\b(QuorumPeer|FastLeaderElection|LearnerHandler)\b")
# What the servers' answers begin with (classes of org.apache.zookeeper.server.command)
FOUR_LETTER_STARTS = {
    "mntr": re.compile(r"\Azk_version\t"),
    "srvr or stat": re.compile(r"\AZookeeper version: "),
    "envi": re.compile(r"\AEnvironment:\s*\n"),
    "conf": re.compile(r"\A(clientPort=|secureClientPort=).*^serverId=", re.DOTALL | re.MULTILINE),
    "dump": re.compile(r"\ASessionTracker dump:"),
    "cons": re.compile(r"\A /[^\n]+\[\d+\]\(queued="),
    "wchs": re.compile(r"\A\d+ connections watching \d+ paths"),
    "ruok": re.compile(r"\Aimok\s*\Z"),
    "crst": re.compile(r"\A(Connection|Server) stats reset\."),
    "isro": re.compile(r"\A(rw|ro)\s*\Z"),
    "dirs": re.compile(r"\Adatadir_size: "),
    "refused": re.compile(r"\A\w{4} is not executed because it is not in the whitelist"),
    "not serving": re.compile(r"\AThis ZooKeeper instance is not currently serving requests"),
}

# what people and their shells write above an answer: prompts with the command, rules, the date, telnet's greeting
FOUR_LETTER_FRAME = re.compile(
    r"\s*\Z|.*\becho \w{4}\b.*\|.*\Z|(?:mntr|srvr|stat|conf|cons|envi|wchs|dump|ruok|crst|isro|dirs)\s*\Z|[=#*>+-]{2,}.*\Z"
    r"|\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d [\w +-]+\Z|\d{4}-\d\d-\d\d[T ][\d:.,]+(?:Z|[+-][\d:]+)\s*\Z"
    r"|Trying .*\.\.\.\Z|Connected to .*\Z|Escape character is .*\Z"
)


def _by_magic(magic: str, prefix: str) -> Callable[[Probe], str | None]:
    """Its magic; in a data folder its name too, since a server passes over any other (Util.getZxidFromName)."""

    def test(probe: Probe) -> str | None:
        passed_over = probe.in_data_folder and name_zxid(probe.name, prefix) is None
        return "its magic" if sniff(probe.head) == magic and not passed_over else None

    return test


def _by_name(prefix: str) -> Callable[[Probe], str | None]:
    """Its name, where the magic is gone: a rotated text log may be called log.1, but not in a data folder."""

    def test(probe: Probe) -> str | None:
        no_text = probe.text is None or not probe.head.strip() or probe.in_data_folder
        return "its name: its magic is missing" if no_text and name_zxid(probe.name, prefix) is not None else None

    return test


def _server_log(probe: Probe) -> str | None:
    from zabtrace.logs import looks_like_log  # here: data alone need none of it

    zeros = probe.head and not probe.head.strip(b"\0") and not probe.in_data_folder
    head = _behind_zeros(probe.source) if zeros else probe.head
    layout = looks_like_log(head, probe.pattern) if head else None
    return f"records in layout {layout}" if layout else None


def _behind_zeros(source: Source) -> bytes:
    """The first bytes that are none: a log that was cut off while its server wrote on begins with as many as it had before."""
    for block in source.blocks():
        if text := block.lstrip(b"\0"):
            return text[: 1 << 16]
    return b""


def _four_letters(probe: Probe) -> str | None:
    text = "\n".join(dropwhile(FOUR_LETTER_FRAME.match, (probe.text or "").replace("\r\n", "\n").split("\n")))
    word = next((word for word, start in FOUR_LETTER_STARTS.items() if start.search(text)), None)
    return f"an answer to {word}" if word else None


def _audit_log(probe: Probe) -> str | None:
    """Nothing but audit records: a server's own log may hold some among its lines, where both go to one file."""
    lines = [line for line in (probe.text or "").split("\n")[:-1] if line.strip()] or [probe.text or ""]
    audited = sum(AUDIT_LINE.match(line) is not None for line in lines)
    return "audit records" if audited and audited >= MOSTLY_AUDIT * len(lines) else None


def _dump(pattern: re.Pattern[str]) -> Callable[[Probe], str | None]:
    """A line that only the tool prints; data may stand in it as they are, zeros too."""

    def test(probe: Probe) -> str | None:
        return "a line of the tool" if pattern.search(probe.head.decode("utf-8", "replace")) else None

    return test


def _config(probe: Probe) -> str | None:
    if IDLE_NAME.search(probe.name) or not probe.says(CONFIG_KEY):
        return None
    odd = [line for line in (probe.text or "").splitlines() if not CONFIG_LINE.fullmatch(line)]
    return "keys of zoo.cfg" if len(odd) <= 1 + len((probe.text or "").splitlines()) // 4 else None


def _dynamic_config(probe: Probe) -> str | None:
    lines = (probe.text or "").splitlines()
    whole = not IDLE_NAME.search(probe.name) and any(line.strip().startswith("server.") for line in lines)
    return "nothing but members" if whole and all(MEMBER_LINE.fullmatch(line) for line in lines) else None


def _idle_config(probe: Probe) -> str | None:
    return "its name: no server reads it" if IDLE_NAME.search(probe.name) and probe.says(CONFIG_KEY) else None


def _named(names: tuple[str, ...]) -> Callable[[Probe], str | None]:
    return lambda probe: "its name" if probe.name in names else None


KINDS = (
    Kind(TXN_LOG, "transaction log", _by_magic("txn_log", "log")),
    Kind(SNAPSHOT, "snapshot of the tree", _by_magic("snapshot", "snapshot")),
    Kind(EPOCH_FILE, "currentEpoch or acceptedEpoch", _named(EPOCH_NAMES)),
    Kind(MARKER, "updatingEpoch (3.4.6 to 3.4.14) or initialize (3.6 and newer)", _named(MARKER_NAMES)),
    Kind(MYID, "the server's sid", _named(("myid",))),
    Kind(AUDIT_LOG, "audit log", _audit_log),
    Kind(TXN_DUMP, "what LogFormatter or TxnLogToolkit printed of a transaction log", _dump(TXN_DUMP_LINE)),
    Kind(SNAPSHOT_DUMP, "what SnapshotFormatter printed of a snapshot", _dump(SNAPSHOT_DUMP_LINE)),
    Kind(FOUR_LETTERS, "answer to a four-letter word", _four_letters),
    Kind(CLIENT_HISTORY, "what a client recorded", lambda probe: "op, path and ok" if looks_like_history(probe.head) else None),
    Kind(SERVER_LOG, "text log of a server", _server_log),
    Kind(DYNAMIC_CONFIG, "members of the ensemble, with or without the zxid in its name", _dynamic_config),
    Kind(CONFIG, "zoo.cfg", _config),
    Kind(IDLE_CONFIG, "configuration that no server reads: sample, backup, or proposed", _idle_config),
    Kind(TXN_LOG, "transaction log", _by_name("log")),
    Kind(SNAPSHOT, "snapshot of the tree", _by_name("snapshot")),
)


def recognise(source: Source, pattern: str | None = None) -> tuple[str, str]:
    """The kind of a file, and why it was taken for that. A file that cannot be read is unrecognised; its faults say why."""
    probe = Probe(source, pattern)
    for kind in KINDS:
        if (why := kind.test(probe)) is not None:
            return kind.name, why
    return UNRECOGNISED, _why_not(probe)


def _why_not(probe: Probe) -> str:
    if probe.source.faults:
        return probe.source.faults[0].reason
    if not probe.head:
        return "empty file"
    if sniff(probe.head):
        return "a transaction log or snapshot, but a server passes over a file of that name"
    if probe.text is None:
        return "binary, without a magic of ZooKeeper"
    unread = "text, in no layout of a ZooKeeper log and no known form"
    return f"{unread}; it names classes of ZooKeeper: if it is a log, give its layout with --log-pattern" if probe.says(CLASSES) else unread
