"""What each op code's body is: the table between a record's type and its block in ``grammars/records.jute``.

Origin: ZooDefs.OpCode, SerializeUtils.deserializeTxn and DataTree.processTxn of releases 3.4 - 3.9.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Op:
    """One op code: ZooKeeper's name, the record of its body, and since which release it is written."""

    code: int
    name: str
    record: str
    since: str = "3.4.0"
    older: str | None = None
    """Record to read where the body ends before ``record`` does."""
    older_values: Mapping[str, int] = field(default_factory=dict)
    """What the server takes for the fields that the older record lacks."""
    body_optional: bool = False
    """The body may be missing, and is no part of what two servers agree on (closeSession)."""


CLOSE_SESSION, CREATE_SESSION, ERROR, MULTI = -11, -10, -1, 14

OPS: tuple[Op, ...] = (
    Op(1, "create", "CreateTxn", older="CreateTxnV0", older_values={"parentCVersion": -1}),
    Op(2, "delete", "DeleteTxn"),
    Op(5, "setData", "SetDataTxn"),
    Op(7, "setACL", "SetACLTxn"),
    Op(13, "check", "CheckVersionTxn"),
    Op(MULTI, "multi", "MultiTxn"),
    Op(15, "create2", "CreateTxn", since="3.5.0"),
    Op(16, "reconfig", "SetDataTxn", since="3.5.0"),
    Op(19, "createContainer", "CreateContainerTxn", since="3.5.1"),
    Op(20, "deleteContainer", "DeleteTxn", since="3.5.1"),
    Op(21, "createTTL", "CreateTTLTxn", since="3.5.3"),
    Op(ERROR, "error", "ErrorTxn"),
    Op(CREATE_SESSION, "createSession", "CreateSessionTxn"),
    Op(CLOSE_SESSION, "closeSession", "CloseSessionTxn", body_optional=True),
)
BY_CODE = {op.code: op for op in OPS}


def name(code: int) -> str:
    """ZooKeeper's name of an op code.

    >>> name(5), name(99)
    ('setData', 'unknown(99)')
    """
    return BY_CODE[code].name if code in BY_CODE else f"unknown({code})"
