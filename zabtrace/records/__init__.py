"""Transaction logs and snapshots as tables, decoded from the jute notation in ``grammars/records.jute``."""

from zabtrace.records.frames import sniff
from zabtrace.records.snapshot import SnapshotRead, read_snapshot, read_znodes
from zabtrace.records.txnlog import TxnLog, TxnLogRead, read_txn_log

__all__ = ["SnapshotRead", "TxnLog", "TxnLogRead", "read_snapshot", "read_txn_log", "read_znodes", "sniff"]
