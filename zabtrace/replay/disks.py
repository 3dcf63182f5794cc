"""What each server's disk holds, and which of its records are in force.

Strategy: the records of one copy stand in file order, and every step from one record to the next is classified: ``next``
(z to z+1), ``epoch`` (to counter 1 of a later epoch), ``import`` (a snapshot of another server's history lies between),
``hole`` (records are missing and nothing explains it) or ``back``. A record is *live* unless an import of a later epoch
follows it: then only that epoch's history tells whether it is still in force (ZooKeeper's FileTxnSnapLog.restore starts from
the newest valid snapshot and replays what is above it; a SNAP leaves the log untouched).
"""

from __future__ import annotations

import polars as pl

from zabtrace import schema
from zabtrace.evidence.trace import Trace
from zabtrace.zxid import counter_of, epoch_of

COPY = ("server", "copy")
CHAIN_COLUMNS = (
    *COPY,
    "source",
    "offset",
    "zxid",
    "payload_hash",
    "position",
    "previous",
    "step",
    "import_zxid",
    "hidden_by",
    "covered_by",
)


def disks(trace: Trace) -> pl.DataFrame:
    """schema.DISKS: per server and copy its base snapshot, last zxid and epoch files."""
    bases = (
        trace.snapshots.filter(pl.col("valid"))
        .sort("zxid")
        .group_by(COPY)
        .agg(base_zxid=pl.col("zxid").last(), base_source=pl.col("source").last())
    )
    records = (
        in_file_order(trace)
        .group_by(COPY, maintain_order=True)
        .agg(
            last_record=pl.col("zxid").last(),
            highest=pl.col("zxid").max(),
            records=pl.len().cast(pl.Int64) + pl.col("skipped").sum(),
            first_record=pl.col("zxid").first(),
        )
    )
    epochs = trace.epoch_files.group_by(COPY).agg(
        current_epoch=pl.col("epoch").filter(pl.col("name") == "currentEpoch").first(),
        accepted_epoch=pl.col("epoch").filter(pl.col("name") == "acceptedEpoch").first(),
    )
    keys = pl.concat([t.select(COPY) for t in (trace.snapshots, trace.txn_files, trace.txns, trace.epoch_files)]).drop_nulls().unique()
    joined = keys
    for part in (bases, records, epochs):
        joined = joined.join(part, on=COPY, how="left")
    last = pl.max_horizontal("base_zxid", "highest")
    return schema.conform(schema.DISKS, joined.with_columns(last_zxid=last, records=pl.col("records").fill_null(0))).sort(COPY)


def in_file_order(trace: Trace) -> pl.DataFrame:
    """Records whose checksum holds, per copy in the order in which a server replays them, repeats of the same record dropped.

    A run of records logged twice after a sync that was broken off is harmless on replay (zab-semantics 7.5): the first stays.
    ``skipped``: so many records of consecutive zxids, directly before this one, were left out (schema.FOLDS).
    """
    names = trace.txn_files.select(*COPY, "source", "name_zxid")
    return (
        trace.txns.filter(pl.col("checksum_ok").fill_null(True))
        .join(names, on=[*COPY, "source"], how="left")
        .sort(*COPY, "name_zxid", "source", "offset")
        .unique(subset=[*COPY, "zxid", "payload_hash"], keep="first", maintain_order=True)
        .drop("name_zxid")
        .join(trace.folds.select("source", "offset", "skipped"), on=["source", "offset"], how="left", maintain_order="left")
        .with_columns(pl.col("skipped").fill_null(0))
    )


def chains(trace: Trace, led: pl.DataFrame, imported: pl.DataFrame) -> pl.DataFrame:
    """Every record with its step and with what hides it (CHAIN_COLUMNS).

    ``led`` (server, epoch): who led which epoch, for a leader writes a snapshot named epoch<<32 of its own. ``imported``
    (server, epoch): learners that a text log shows to have received a snapshot in that epoch. ``hidden_by`` is the first
    import of a later epoch behind the record (null: live); ``covered_by`` an import of its own epoch that includes it.
    """
    ordered = in_file_order(trace).select(*COPY, "source", "offset", "zxid", "payload_hash", "skipped")
    if ordered.is_empty():
        return ordered.with_columns(_empty_steps())
    snapshots = _foreign_snapshots(trace, led)
    steps = _steps(ordered, snapshots, imported)
    return _hidden(steps, _imports(steps, snapshots, _told_at_the_end(trace, steps, imported))).select(CHAIN_COLUMNS)


def _empty_steps() -> list[pl.Expr]:
    types = {
        "position": pl.Int64,
        "previous": pl.Int64,
        "step": pl.String,
        "import_zxid": pl.Int64,
        "hidden_by": pl.Int64,
        "covered_by": pl.Int64,
    }
    return [pl.lit(None, dtype=dtype).alias(name) for name, dtype in types.items()]


def _foreign_snapshots(trace: Trace, led: pl.DataFrame) -> pl.DataFrame:
    """Valid snapshots (server, copy, snapshot) that may hold another server's history: not the epoch<<32 of an epoch it led."""
    own = led.select("server", epoch="epoch", own=pl.lit(True))
    return (
        trace.snapshots.filter(pl.col("valid"))
        .select(*COPY, snapshot="zxid", epoch=epoch_of("zxid"))
        .join(own, on=["server", "epoch"], how="left")
        .filter(~(pl.col("own").fill_null(False) & (counter_of("snapshot") == 0)))
        .select(*COPY, "snapshot")
        .sort("snapshot")
    )


def _steps(ordered: pl.DataFrame, snapshots: pl.DataFrame, imported: pl.DataFrame) -> pl.DataFrame:
    """Classify the step to each record from the one before it, or from a higher zxid of the same epoch before that.

    A late write puts a record before those below it (ZOOKEEPER-4712), and a server stands at the highest that it replays
    (FileTxnSnapLog.fastForwardFromEdits).
    """
    told = imported.select("server", epoch="epoch", told=pl.lit(True)).unique()
    steps = ordered.with_columns(
        position=pl.int_range(pl.len()).over(COPY).cast(pl.Int64),
        reached=pl.col("zxid").cum_max().over(*COPY, epoch_of("zxid")),
        epoch=epoch_of("zxid"),
    )
    steps = steps.with_columns(
        previous=pl.when(pl.col("skipped") > 0).then(pl.col("zxid") - 1).otherwise(pl.col("reached").shift(1).over(COPY))
    ).join(told, on=["server", "epoch"], how="left")
    between = (
        steps.filter(pl.col("previous").is_not_null() & (pl.col("zxid") != pl.col("previous") + 1))
        .select(*COPY, "position", "previous", "zxid")
        .join(snapshots, on=COPY)
        .filter(pl.col("snapshot") > pl.col("previous"))
        .group_by(*COPY, "position")
        .agg(lowest=pl.col("snapshot").min(), below=pl.col("snapshot").filter(pl.col("snapshot") < pl.col("zxid")).max())
    )
    steps = steps.join(between, on=[*COPY, "position"], how="left")
    new_epoch = (counter_of("zxid") == 1) & (pl.col("epoch") > epoch_of("previous"))
    told_import = pl.col("told").fill_null(False) & (pl.col("epoch") > epoch_of("previous"))
    step = (
        pl.when(pl.col("previous").is_null())
        .then(pl.lit("first"))
        .when(pl.col("zxid") == pl.col("previous") + 1)
        .then(pl.lit("next"))
        .when(pl.col("zxid") <= pl.col("previous"))
        .then(pl.lit("back"))
        .when(new_epoch & pl.col("below").is_null() & ~told_import)
        .then(pl.lit("epoch"))
        .when(new_epoch | told_import | (pl.col("lowest") >= pl.col("zxid") - 1))
        .then(pl.lit("import"))
        .otherwise(pl.lit("hole"))
    )
    imported_zxid = pl.when(step == "import").then(pl.coalesce("below", "lowest", pl.col("zxid") - 1))
    return steps.with_columns(step=step, import_zxid=imported_zxid)


def _told_at_the_end(trace: Trace, steps: pl.DataFrame, imported: pl.DataFrame) -> pl.DataFrame:
    """Imports (server, copy, at, snapshot) that only the text tells, behind the last record of a copy that has reached that epoch."""
    reached = trace.epoch_files.filter(pl.col("name") == "currentEpoch").select(*COPY, current="epoch")
    ends = steps.group_by(COPY).agg(at=pl.col("position").max() + 1, highest=pl.col("zxid").max())
    return (
        imported.join(reached, on="server")
        .filter(pl.col("current") >= pl.col("epoch"))
        .join(ends, on=COPY)
        .filter(epoch_of("highest") < pl.col("epoch"))
        .select(*COPY, "at", snapshot=pl.col("epoch") * (1 << 32))
    )


def _imports(steps: pl.DataFrame, snapshots: pl.DataFrame, told: pl.DataFrame) -> pl.DataFrame:
    """Imports of each copy (server, copy, at, snapshot): between two records, or behind the last one."""
    inside = steps.filter(pl.col("step") == "import").select(*COPY, at="position", snapshot="import_zxid")
    ends = steps.group_by(COPY).agg(at=pl.col("position").max() + 1, highest=pl.col("zxid").max())
    behind = snapshots.join(ends, on=COPY).filter(pl.col("snapshot") > pl.col("highest")).select(*COPY, "at", "snapshot")
    return pl.concat([inside, behind, told]).unique().sort("at", "snapshot")


def _hidden(steps: pl.DataFrame, imports: pl.DataFrame) -> pl.DataFrame:
    """Add ``hidden_by`` and ``covered_by``: imports are few, so one expression per import runs over the column."""
    hidden, covered = pl.lit(None, dtype=pl.Int64), pl.lit(None, dtype=pl.Int64)
    for server, copy, at, snapshot in imports.reverse().iter_rows():
        behind = (pl.col("server") == server) & (pl.col("copy") == copy) & (pl.col("position") < at)
        hidden = pl.when(behind & (pl.col("epoch") < snapshot >> 32)).then(pl.lit(snapshot)).otherwise(hidden)
        covered = (
            pl.when(behind & (pl.col("epoch") == snapshot >> 32) & (pl.col("zxid") <= snapshot)).then(pl.lit(snapshot)).otherwise(covered)
        )
    return steps.with_columns(hidden_by=hidden, covered_by=covered)
