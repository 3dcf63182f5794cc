"""Kinds of events that the values of a message decide, where one text says several things.

Strategy: a table of the texts that ZooKeeper prints for all cases of something it then tells apart; whoever wants all cases names the
text's kinds together (``NOTIFICATIONS``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

LOOKING = "LOOKING"


@dataclass(frozen=True)
class Split:
    """Kinds by whether each of these columns holds ``value``."""

    columns: tuple[str, ...]
    value: str
    kinds: Mapping[tuple[bool, ...], str]

    def of(self, fields: Mapping[str, Any]) -> str | None:
        """The kind of one message, or None where a value is missing."""
        held = [fields.get(name) for name in self.columns]
        return None if None in held else self.kinds[tuple(value == self.value for value in held)]

    def parts(self, fields: pl.DataFrame) -> dict[str, pl.Series]:
        """Which rows are of which kind (masks), rows with a missing value left out."""
        tests = {name: pl.col(name) == self.value for name in self.columns}
        masks = {kind: pl.all_horizontal(tests[name] == held for name, held in zip(self.columns, wanted, strict=True))
                 for wanted, kind in self.kinds.items()}  # fmt: skip
        return {kind: fields.select(mask.fill_null(False)).to_series() for kind, mask in masks.items()}


NOTIFICATION = "fle_notification_received"
# FastLeaderElection (3.4 to 3.9), Messenger.WorkerReceiver.run and lookForLeader: a LOOKING server counts a LOOKING one's vote in its
# round, and that of one that serves towards a leader that exists; a server that serves answers a LOOKING one and drops the rest.
SPLITS = {
    NOTIFICATION: Split(
        ("my_state", "state"),
        LOOKING,
        {
            (True, True): NOTIFICATION,
            (True, False): "fle_notification_of_serving",
            (False, True): "fle_notification_answered",
            (False, False): "fle_notification_dropped",
        },
    )
}
NOTIFICATIONS = tuple(SPLITS[NOTIFICATION].kinds.values())
# what every request, session or connection prints: a log may hold any number of them, and no rule about votes, epochs,
# synchronizations or fates reads one
ROUTINE = frozenset({
    "ack_send_detail", "acl_quota_detail", "audit", "auth_event", "client_close_cause", "client_cnxn_detail", "client_connect",
    "client_disconnect", "client_disconnect_sessionless", "client_end_of_stream", "client_factory_detail", "client_library",
    "client_port_exit", "commit", "commit_processing", "datatree_detail", "digest_detail", "fle_notification_sent", "four_letter_word",
    "leader_server_detail",
    "learner_server_detail", "observer_master_detail", "observer_server_detail", "peer_cnx_detail", "peer_connect_in", "proposal",
    "proposal_ack", "proposal_acks", "proposal_late_ack", "proposal_outstanding", "quorum_packet_trace", "readonly_detail",
    "request_detail", "request_dump", "request_trace", "request_user_error", "session_close_submitted", "session_closed",
    "session_closing", "session_created", "session_detail", "session_expired", "session_invalid", "session_new", "session_renew",
    "session_replayed", "session_request", "session_revalidate", "session_revalidate_detail", "session_revalidated",
    "session_track_detail", "session_tracked", "session_upgrade", "snaplog_detail", "throttler_detail", "tls_detail", "txn_applied",
    "txnlog_detail", "watch_cleaner",
})  # fmt: skip


def kinds_of(kind: str) -> tuple[str, ...]:
    """The kinds that an alternative of this alias may be."""
    return tuple(SPLITS[kind].kinds.values()) if kind in SPLITS else (kind,)


def kind_of(kind: str, fields: Mapping[str, Any]) -> str:
    """The kind of one message, told by its alternative's alias and its values."""
    return (SPLITS[kind].of(fields) if kind in SPLITS else None) or kind
