"""What ZooKeeper's own tools print of transaction logs and snapshots, as tables: LogFormatter, TxnLogToolkit, SnapshotFormatter."""

from zabtrace.dumps.parts import TxnDump, TxnDumpRead, read_txn_dump
from zabtrace.dumps.snapshots import SnapshotDumpRead, read_snapshot_dump

__all__ = ["SnapshotDumpRead", "TxnDump", "TxnDumpRead", "read_snapshot_dump", "read_txn_dump"]
