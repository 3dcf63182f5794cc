"""The writes that did not survive as commands of ZooKeeper's own shell, each on a condition.

Strategy: a command is written only where it says exactly what the record says and fits the present tree; everything else is a
remark with its reason. Syntax and limits are those of zkCli.sh 3.5 and newer (ZooKeeperMain.parseCommand splits a line at spaces
and at one pair of quotes without escapes; CreateCommand, SetCommand, DeleteCommand, SetAclCommand; AclParser).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from zabtrace import wording
from zabtrace.documents import Document

OPEN = "31:world:anyone"
PERMISSIONS = ((1, "r"), (2, "w"), (4, "c"), (8, "d"), (16, "a"))
SEQUENCE = re.compile(r"\d{10}$")
HEAD = """\
# Writes that did not survive, as commands of zkCli.sh (3.5 and newer), by zxid. Nothing was applied.
# Read every line, then feed the commands alone:  grep -v '^#' THIS_FILE | bin/zkCli.sh -server HOST:2181
# Each one is conditional: create fails where the path exists, -v where the version is another one.
# What cannot be written here exactly, or does not fit, stands behind # with the reason; the JSON lines hold all content.
"""


class HeldBackError(Exception):
    """A write that is not written as a command, and why."""


def script(document: Document) -> Iterator[str]:
    """The script, a write at a time."""
    yield HEAD
    yield f"# {wording.plain(document['compared_with'])}\n"
    yield from (f"# {wording.plain(remark)}\n" for remark in document["remarks"])
    fit = document["fit"]
    yield f"# {len(document['writes'])} rows, {fit} of them fit.\n"
    for row in document["writes"]:
        yield from _lines(row)


def _lines(row: Document) -> Iterator[str]:
    if row["zxid"] is None:
        span = f"{row['from']} to {row['to'] or '?'}"
        yield f"\n# {span} on server {row['server']}: {row['fate']}; known from text alone, the content is in no file that was read\n"
        return
    member = "" if row["index"] is None else f", part {row['index'] + 1} of a multi (zkCli applies parts one by one)"
    yield f"\n# {row['zxid']} {row['op']}: {row['fate']}, committed: {row['committed']}{member}\n"
    yield from (f"# conflict: {wording.plain(reason)}\n" for reason in row["conflicts"])
    try:
        line = _command(row)
    except HeldBackError as reason:
        yield f"# not written as a command: {reason}\n"
        return
    if not line.isascii():
        yield "# not ASCII: run zkCli.sh with CLIENT_JVMFLAGS=-Dfile.encoding=UTF-8\n"
    yield f"{'# ' if row['conflicts'] else ''}{line}\n"


def _command(row: Document) -> str:
    if row["content"] == "not read":
        raise HeldBackError("its content is in no file that was read")
    build = COMMANDS.get(row["op"])
    if build is None or row["path"] is None:
        raise HeldBackError(REASONS.get(row["op"], f"{row['op']} cannot be asked for again"))
    return build(row)


REASONS = {
    "createSession": "a session cannot be made again",
    "closeSession": "a session that is gone cannot be closed",
    "error": "a request that failed changed nothing",
    "check": "zkCli has no command for it; see that the version holds",
    "reconfig": "a configuration must not be applied from a script",
}


def _create(row: Document) -> str:
    if row["ephemeral"]:
        raise HeldBackError("it was ephemeral: its owner has to create it again")
    if row["op"] == "createTTL" and row["ttl"] is None:
        raise HeldBackError("its time to live was not read")
    flag = {"createContainer": "-c ", "createTTL": f"-t {row['ttl']} "}.get(row["op"], "")
    data, acl = _data(row), _acl(row["acl"])
    if acl is not None and data is None:
        raise HeldBackError("its data are null, and zkCli cannot give an ACL list without data")
    return f"create {flag}{_word(row['path'])}" + "".join(f" {part}" for part in (data, acl) if part is not None)


def _set(row: Document) -> str:
    data = _data(row)
    if data is None:
        raise HeldBackError("its data are null, and zkCli cannot set null")
    return f"set -v {_version(row)} {_word(row['path'])} {data}"


def _delete(row: Document) -> str:
    return f"delete -v {_version(row)} {_word(row['path'])}"


def _set_acl(row: Document) -> str:
    acl = _acl(row["acl"], shortened=False)
    if acl is None:
        raise HeldBackError("its ACL list was not read")
    return f"setAcl -v {_version(row)} {_word(row['path'])} {acl}"


def _version(row: Document) -> int:
    version = row["expected_version"]
    if version is None or version < 0:
        raise HeldBackError("the version before it is not known, so it cannot be conditional")
    return int(version)


def _data(row: Document) -> str | None:
    if row["encoding"] == "base64":
        raise HeldBackError("its data are not text; base64: " + row["data"])
    return None if row["data"] is None else _word(row["data"])


def _word(value: str) -> str:
    """A word in quotes as ZooKeeperMain takes it: one pair, no escapes, and nothing that would be taken for an option."""
    if any(not character.isprintable() for character in value):
        raise HeldBackError(f"zkCli cannot take line ends or control characters: {wording.plain(value)}")
    quote = next((mark for mark in "\"'" if mark not in value), None)
    if quote is None:
        raise HeldBackError(f"zkCli cannot take both kinds of quotes: {wording.plain(value)}")
    if value.startswith("-"):
        raise HeldBackError(f"zkCli would take it for an option: {wording.plain(value)}")
    return f"{quote}{value}{quote}"


def _acl(acl: str | None, shortened: bool = True) -> str | None:
    """``perms:scheme:id,...`` as zkCli writes it, ``scheme:id:letters,...``; open to all is what create does anyway."""
    if acl is None or (shortened and acl == OPEN):
        return None
    return _word(",".join(_entry(entry) for entry in acl.split(",")))


def _entry(entry: str) -> str:
    perms, _, who = entry.partition(":")
    if not perms.isdecimal() or ":" not in who:
        raise HeldBackError(f"its ACL list cannot be written for zkCli: {wording.plain(entry)}")
    return f"{who}:" + "".join(letter for bit, letter in PERMISSIONS if int(perms) & bit)


COMMANDS: dict[str, Callable[[Document], str]] = {
    **dict.fromkeys(("create", "create2", "createContainer", "createTTL"), _create),
    "setData": _set,
    "delete": _delete,
    "deleteContainer": _delete,
    "setACL": _set_acl,
}
