"""What releases do differently when they apply a record to the tree: one row per difference.

Origin: DataTree.processTxn, createNode, deleteNode and killSession in every release tag 3.4.0 - 3.9.5. They agree on an exact base;
where a base is fuzzy (a record applied again) they do not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from zabtrace.records import opcodes

Release = tuple[int, int, int]
NEWEST: Release = (3, 9, 4)


@dataclass(frozen=True)
class Rule:
    """A difference: its name, the first release of each branch that has it, and what it is."""

    name: str
    since: tuple[Release, ...]
    meaning: str


RULES = (
    Rule("delete_marks_parent", ((3, 5, 5),), "delete of a missing node still raises its parent's pzxid, and never lowers one"),
    Rule("create_only_raises", ((3, 6, 0),), "create sets the parent's cversion and pzxid only where its cversion is larger"),
    Rule("close_takes_list", ((3, 6, 0),), "closeSession deletes the paths of its record before the session's own ephemerals"),
    Rule("create_renews_acl", ((3, 9, 4),), "create of a node that is there gives it the ACL of the record"),
)
MEMBERS: dict[str, tuple[Release, ...]] = {
    "create": ((3, 4, 0),),
    "delete": ((3, 4, 0),),
    "setData": ((3, 4, 0),),
    "check": ((3, 4, 0),),
    "createContainer": ((3, 5, 1),),
    "deleteContainer": ((3, 5, 1),),
    "createTTL": ((3, 5, 3),),
    "create2": ((3, 7, 2), (3, 8, 2), (3, 9, 0)),  # ZOOKEEPER-4026
}
"""Ops that a multi may hold, and since when. Another one ends the multi there: what stands before it is applied."""


@dataclass(frozen=True)
class Rules:
    """The rules of one release."""

    release: Release = NEWEST
    delete_marks_parent: bool = True
    create_only_raises: bool = True
    close_takes_list: bool = True
    create_renews_acl: bool = True
    members: frozenset[int] = frozenset()


def rules_of(version: str | None) -> Rules:
    """The rules of a release as its log prints it (``3.8.0-5a02a05...``); of the newest one where it is not known.

    >>> rules_of("3.8.1-abc").create_only_raises, rules_of("3.5.9").create_only_raises
    (True, False)
    """
    release = release_of(version) or NEWEST
    members = frozenset(op.code for op in opcodes.OPS if has(release, MEMBERS.get(op.name, ())))
    return Rules(release, **{rule.name: has(release, rule.since) for rule in RULES}, members=members)


def release_of(version: str | None) -> Release | None:
    """The three numbers of a version, or None."""
    found = re.match(r"(\d+)\.(\d+)\.(\d+)", version or "")
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def has(release: Release, since: tuple[Release, ...]) -> bool:
    """Is a change in ``release`` that came to each branch with these releases?

    >>> create2 = MEMBERS["create2"]
    >>> [has(release, create2) for release in ((3, 7, 1), (3, 7, 2), (3, 8, 1), (3, 9, 0), (3, 10, 0))]
    [False, True, False, True, True]
    """
    branches = {first[:2]: first for first in since}
    if release[:2] in branches:
        return release >= branches[release[:2]]
    return bool(since) and release >= max(since)
