"""Why a write has its fate: one sentence, what would settle it, and the evidence with file and place."""

from __future__ import annotations

from typing import Any

import polars as pl

from zabtrace import schema
from zabtrace.fates.case import Case
from zabtrace.zxid import text

MOST_EVIDENCE = 5
AT_ONCE = 50_000
"""So many writes have their evidence put together at a time."""
EVIDENCE = tuple(column for column in schema.WRITES if column.name == "evidence")
EARLIER = "an earlier copy of the disks (--before), or what clients recorded (--clients)"
RULES = {
    "C1": "on a quorum of disks",
    "C2": "in the initial history of an established epoch",
    "C3": "below a committed transaction of its epoch",
    "C4": "in an observer's log",
    "C5": "answered to a client",
    "C6": "processed by a server in service",
    "C7": "in a snapshot that a server in service saved",
    "N1": "never on a quorum",
    "N2": "two payloads under one zxid",
}
"""Rule ids of zab-semantics 7.1 and 7.2, in a few words."""
_FATE, _LATER = pl.col("fate"), pl.col("kept_by").is_not_null()
WHYS: tuple[tuple[pl.Expr, str, tuple[str, ...]], ...] = (
    ((_FATE == "diverged") & pl.col("contradicted"), "This zxid was given to two different transactions.", ()),
    (_FATE == "diverged", "The servers disagree about whether a later epoch's initial history holds it.", ()),
    (_FATE == "lost", "Committed ({}), yet {}.", ("rule", "cut")),
    (_FATE == "recovered", "On fewer than a quorum when epoch {} ended, but in the initial history of epoch {}.", ("epoch", "kept_by")),
    ((_FATE == "survived") & _LATER, "In the initial history of epoch {} and of every later one.", ("kept_by",)),
    (_FATE == "survived", "Of the newest epoch, and {}.", ("rule",)),
    (
        (_FATE == "pending") & pl.col("discarded_by").is_null(),
        "Live on server {} only; every quorum that can start would go on without it; {}.",
        ("held", "never"),
    ),
    (_FATE == "pending", "Live on server {} only, which has not rejoined; {}; {}.", ("held", "cut", "never")),
    (_FATE == "shadowed", "Its record still lies in the log of server {}, out of force: {}; {}.", ("held", "cut", "never")),
    (_FATE == "truncated", "In no newest copy: {}; {}.", ("cut", "never")),
    ((_FATE == "undecided") & pl.col("returned"), "Discarded once ({}), yet a still later epoch has it again.", ("cut",)),
    (
        (_FATE == "undecided") & pl.col("unlogged_by").is_not_null(),
        "Server {} may have applied it without logging it: no record of it was read there, and it led a later epoch.",
        ("unlogged_by",),
    ),
    (
        (_FATE == "undecided") & pl.col("renumbered"),
        "The number of epoch {} was given out twice{}: which of the two a disk or a later epoch kept, no zxid tells.",
        ("epoch", "though"),
    ),
    (
        (_FATE == "undecided") & pl.col("state").is_null() & (pl.col("proof_rule").is_not_null() | pl.col("acked")),
        "Committed ({}), but not shown to be kept: fewer disks hold it than a commit takes, or a later epoch may have begun.",
        ("rule",),
    ),
    (pl.col("state").is_null(), "No later epoch is known, and nothing shows that it was committed or that it was not.", ()),
)
"""Condition, sentence, and the parts that fill it; the first that applies is printed, else OPEN_WHY."""
OPEN_WHY = "What a later epoch kept of this range is not shown by any file that was read."


def complete(case: Case, rows: pl.DataFrame) -> pl.DataFrame:
    """schema.WRITES from labelled rows."""
    clients_given = case.history.trace.client_ops.get_column("session").unique()
    rows = rows.with_columns(
        rule=_rule(),
        why=_why(case),
        settled_by=_settled_by(case),
        on_disk_of=pl.col("on_disk_of").fill_null([]),
        absent_from=pl.col("absent_from").fill_null([]),
        acknowledged=pl.when(pl.col("acked"))
        .then(pl.lit("yes"))
        .when(pl.col("session").is_in(clients_given.to_list()) & ~pl.col("op").is_in(["createSession", "closeSession"]))
        .then(pl.lit("no"))
        .otherwise(pl.lit("unknown")),
    )
    rows = rows.join(_members(case), on="zxid", how="left").with_columns(ops=pl.col("ops").fill_null([]))
    plain = rows.filter(pl.col("fate") == "survived").with_columns(evidence=_own_record())
    others = rows.filter(pl.col("fate") != "survived")
    shown = schema.conform(schema.WRITES, plain)
    return pl.concat([shown, *(_with_evidence(case, part) for part in others.iter_slices(AT_ONCE))]).sort("zxid")


def _with_evidence(case: Case, rows: pl.DataFrame) -> pl.DataFrame:
    """schema.WRITES; the lists by way of a frame of the schema, since a series of each one takes 10 KB."""
    found = schema.frame(EVIDENCE, ({"evidence": of_one} for of_one in _evidence(case, rows)))
    return schema.conform(schema.WRITES, rows.hstack(found))


def _rule() -> pl.Expr:
    return (
        pl.when(pl.col("fate") == "diverged")
        .then(pl.lit("N2"))
        .when(pl.col("fate").is_in(["survived", "recovered"]) & pl.col("kept_by").is_not_null())
        .then(pl.lit("C2"))
        .when(pl.col("proof_rule").is_not_null())
        .then(pl.col("proof_rule"))
        .when(pl.col("acked"))
        .then(pl.lit("C5"))
        .when((pl.col("fate") == "lost") & pl.col("kept_by").is_not_null())
        .then(pl.lit("C2"))
        .when(pl.col("never") & pl.col("fate").is_in(["truncated", "shadowed", "pending"]))
        .then(pl.lit("N1"))
    )


def _committed_by() -> pl.Expr:
    """The rule that a committed write's sentence names."""
    later = pl.when(_LATER).then(pl.lit("C2"))
    return pl.coalesce("proof_rule", pl.when(pl.col("acked")).then(pl.lit("C5")), later)


def _why(case: Case) -> pl.Expr:
    """The first sentence of WHYS whose condition holds, filled in."""
    cut = pl.lit("", dtype=pl.String)
    for c in (c for c in case.cuts.values() if c.high is not None):
        kept = pl.lit(f"epoch {c.epoch} kept the history up to {text(c.high or 0)} only")
        cut = pl.when(pl.col("discarded_by") == c.epoch).then(kept).otherwise(cut)
    never = pl.when(pl.col("never")).then(pl.lit("it was never on a quorum")).otherwise(pl.lit("that it was committed is not excluded"))
    parts = {
        "cut": cut,
        "never": never,
        "rule": _committed_by().replace_strict(RULES, default=""),
        "though": pl.when(pl.col("acked")).then(pl.lit(", and a client was answered for it")).otherwise(pl.lit("")),
        "held": pl.col("on_disk_of").cast(pl.List(pl.String)).list.join(", ").fill_null(""),
        "unlogged_by": pl.col("unlogged_by").cast(pl.List(pl.String)).list.join(", "),
        "epoch": pl.col("epoch"),
        "kept_by": pl.col("kept_by"),
    }
    sentence = pl.lit(OPEN_WHY)
    for condition, template, names in reversed(WHYS):
        sentence = pl.when(condition).then(pl.format(template, *(parts[name] for name in names))).otherwise(sentence)
    return sentence


def _settled_by(case: Case) -> pl.Expr:
    """What would settle an open fate or an open commit."""
    voters = case.history.config_at().voters
    missing = ", ".join(str(s) for s in case.outlook.without_disk) if voters else ""
    silent = sorted(voters - set(case.history.trace.lines.get_column("server").unique().to_list()))
    logs = f"the text log of server {', '.join(map(str, silent))} (it tells votes and synchronizations), " if silent else ""
    wanted = f"the disk of server {missing}" if missing else f"{logs}{EARLIER}"
    wanted = wanted if voters else "a configuration that names the voters (zoo.cfg)"
    open_ = (pl.col("fate") == "undecided") | (
        pl.col("fate").is_in(["truncated", "shadowed", "pending"]) & (pl.col("committed") == "unknown")
    )
    return pl.when(open_).then(pl.lit(wanted))


def _members(case: Case) -> pl.DataFrame:
    ops = case.history.trace.ops.unique(subset=["zxid", "index"], keep="first", maintain_order=True).sort("zxid", "index")
    return ops.group_by("zxid", maintain_order=True).agg(ops=pl.struct("op", "path"))


def _own_record() -> pl.Expr:
    record = pl.struct(source=pl.col("source"), line=pl.lit(None, dtype=schema.INT), offset=pl.col("offset"), says=pl.lit("the record"))
    line = pl.struct(
        source=pl.coalesce("acked_source", "told_source"),
        line=pl.coalesce("acked_line", "told_line"),
        offset=pl.lit(None, dtype=schema.INT),
        says=pl.coalesce(pl.col("told_says"), pl.lit("answered")),
    )
    return pl.when(pl.col("offset").is_not_null()).then(pl.concat_list(record)).otherwise(pl.concat_list(line))


def _evidence(case: Case, rows: pl.DataFrame) -> list[list[dict[str, Any]]]:
    """Records first (newest copies before older ones), then what cut them off, then what proves them committed."""
    records = case.chains.join(rows.select("zxid"), on="zxid", how="semi").sort("copy", "server")
    found: dict[tuple[int, int | None], list[dict[str, Any]]] = {}
    for zxid, payload, source, offset, server in records.select("zxid", "payload_hash", "source", "offset", "server").iter_rows():
        found.setdefault((zxid, payload), []).append(
            {"source": source, "line": None, "offset": offset, "says": f"the record of {text(zxid)} in the log of server {server}"}
        )
    return [_of_one(case, row, found.get((row["zxid"], row["payload_hash"]), [])) for row in rows.iter_rows(named=True)]


def _of_one(case: Case, row: dict[str, Any], records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = records[: MOST_EVIDENCE - 2]
    for cut in (case.cuts.get(row[of]) for of in ("discarded_by", "kept_by")):
        found += [source.evidence for source in cut.sources[:2]] if cut else []
    if row["acked"]:
        found.append({"source": row["acked_source"], "line": row["acked_line"], "offset": None, "says": "the client was answered"})
    if row["proof"] is not None and not row["contradicted"]:  # a proof names a zxid: of which payload it speaks is not told
        found.append(case.proofs[row["proof"]].evidence)
    if row["told_line"] is not None:
        found.append({"source": row["told_source"], "line": row["told_line"], "offset": None, "says": row["told_says"]})
    return found
