"""Pairs of a client's operation and a record that it can have become: by session, request number, kind, path, data and version.

Strategy: joins find the pairs by kind and path, filters thin them. What an operation leaves out restricts nothing; what contradicts what
the servers wrote is not used (``_counted``).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Sequence

import polars as pl

from zabtrace.evidence.trace import Trace

CREATES = ("create", "create2", "createTTL", "createContainer")
FAMILIES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("^set_?acl", ("setACL",)),
    ("^(create|ensure_?path)", CREATES),
    ("^set", ("setData",)),
    ("^(put|update)", ("setData", *CREATES)),
    ("^(delete|remove)", ("delete",)),
    ("^(multi|transaction)", ("multi",)),
    ("^reconfig", ("reconfig",)),
    ("^close", ("closeSession",)),
)
"""What a client calls an operation (in lower case), and the records it can become; the first that fits."""
NUMBERS = (r"\d{10}$", r"-\d{10}$")
"""What the server appends to the name of a sequential znode: ten digits, with a sign once the number has overflown."""
WRITTEN: tuple[tuple[str, Callable[[str], bytes]], ...] = (
    (r"^hex:(.*)$", bytes.fromhex),
    (r"^base64:(.*)$", base64.b64decode),
    (r"^([A-Za-z0-9+/]+={0,2})$", lambda text: base64.b64decode(text, validate=True)),
)
"""How recorders write data that are no text: a pattern, and what reads its group. The data as they stand are always tried first."""
PAIR = {"at": pl.Int64, "zxid": pl.Int64}


def named(ops: pl.DataFrame) -> pl.DataFrame:
    """``ops`` with ``kinds``: the records that each can become."""
    lower = pl.col("op").str.to_lowercase()
    kinds = pl.lit([], dtype=pl.List(pl.String))
    for pattern, names in reversed(FAMILIES):
        kinds = pl.when(lower.str.contains(pattern)).then(pl.lit(list(names), dtype=pl.List(pl.String))).otherwise(kinds)
    return ops.with_columns(kinds=kinds)


def of_sessions(trace: Trace, asked: pl.DataFrame, records: pl.DataFrame) -> pl.DataFrame:
    """Pairs (at, zxid) within one session."""
    wanted = asked.filter(pl.col("session").is_not_null()).select("at", "session", "path", "cxid", kind="kinds").explode("kind")
    wanted = wanted.with_columns(key=pl.when(pl.col("kind") == "closeSession").then(None).otherwise(pl.col("path")))
    pairs = wanted.join(_keyed(trace, records), on=["session", "kind", "key"], nulls_equal=True, suffix="_logged")
    # a session that expires is closed by the leader, with the request number 0 (SessionTrackerImpl, PrepRequestProcessor)
    pairs = pairs.filter(~((pl.col("kind") == "closeSession") & (pl.col("cxid_logged") == 0)))
    return _thinned(trace, _counted(trace, pairs), asked, records)


def of_anyone(trace: Trace, asked: pl.DataFrame, records: pl.DataFrame) -> pl.DataFrame:
    """Pairs (at, zxid) of whatever session, by path."""
    wanted = asked.filter(pl.col("path").is_not_null()).select("at", key="path", kind="kinds").explode("kind")
    return _thinned(trace, wanted.join(_keyed(trace, records), on=["kind", "key"]).select("at", "zxid"), asked, records)


def _keyed(trace: Trace, records: pl.DataFrame) -> pl.DataFrame:
    """zxid, session, cxid, kind, key: a row per path that an operation may name (null: it names none); of a multi those of its members."""
    base = records.select("zxid", "session", "cxid", kind="op", key="path")
    created = base.filter(pl.col("kind").is_in(CREATES))
    numbered = [
        created.filter(pl.col("key").str.contains(digits)).with_columns(pl.col("key").str.replace(digits, "")) for digits in NUMBERS
    ]
    members = base.filter(pl.col("kind") == "multi").drop("key").join(trace.ops.select("zxid", key="path").unique(), on="zxid")
    return pl.concat([base, *numbered, members, base.with_columns(key=pl.lit(None, dtype=pl.String))]).unique()


def _counted(trace: Trace, pairs: pl.DataFrame) -> pl.DataFrame:
    """The pairs whose request numbers agree, where the session's known writes show that the client counts as the servers do.

    Where they show that it does not (it counts for itself, or anew with each connection), the numbers say nothing; where no write is known,
    one that agrees is preferred, and one that does not excludes nothing.
    """
    known = trace.client_ops.filter("write").select("session", "zxid", "cxid").drop_nulls()
    logged = trace.txns.select("session", "zxid", "cxid").unique()
    same = pl.col("cxid") == pl.col("cxid_logged")
    checked = known.join(logged, on=["session", "zxid"], suffix="_logged").group_by("session").agg(verified=same.all())
    told = pairs.join(checked, on="session", how="left").with_columns(
        same=same.fill_null(False), both=pl.col("cxid").is_not_null() & pl.col("cxid_logged").is_not_null()
    )
    nothing, verified = ~pl.col("verified").fill_null(True), pl.col("verified").fill_null(False)
    preferred = pl.col("same").any().over("at") | pl.col("same").any().over("session", "zxid")
    return told.filter(nothing | pl.col("same") | ~(pl.col("both") & (verified | preferred))).select("at", "zxid")


def _thinned(trace: Trace, pairs: pl.DataFrame, asked: pl.DataFrame, records: pl.DataFrame) -> pl.DataFrame:
    """The pairs whose data and version agree. A client may name the version that it expected or the one that it got."""
    what = records.select("zxid", "source", "data_offset", "data_len", "dump", logged="version", kind="op")
    rows = pairs.unique().join(asked.select("at", "data", "version", "members"), on="at")
    rows = rows.join(what.unique(subset=["zxid"], keep="first", maintain_order=True), on="zxid")
    versions = (pl.col("version") < 0) | pl.col("logged").is_between(pl.col("version"), pl.col("version") + 1)
    single, dumped = pl.col("kind").is_in(["setData", *CREATES]), pl.col("dump").fill_null(False)
    length = (pl.col("data_len").fill_null(0) == pl.col("data").str.len_bytes()) | dumped | _written_otherwise()
    rows = rows.filter((~pl.col("kind").is_in(["setData", "setACL"]) | versions.fill_null(True)) & (~single | length.fill_null(True)))
    other = [
        (row["at"], row["zxid"])
        for row in rows.filter(single & pl.col("data").is_not_null() & ~dumped).iter_rows(named=True)
        if (found := trace.data(row["source"], row["data_offset"], row["data_len"])) is not None and found not in readings(row["data"])
    ]
    other += _other_members(trace, rows.filter(pl.col("members").is_not_null() & (pl.col("kind") == "multi")))
    return rows.select("at", "zxid").join(pl.DataFrame(other, schema=PAIR, orient="row"), on=["at", "zxid"], how="anti")


def _written_otherwise() -> pl.Expr:
    """May ``data`` be bytes of the record's length in one of the forms of WRITTEN? Base64 has four letters for three bytes."""
    length, logged = pl.col("data").str.len_bytes().cast(pl.Int64), pl.col("data_len").fill_null(0)
    plain = pl.col("data").str.contains(WRITTEN[-1][0]) & (length == (logged + 2) // 3 * 4)
    return plain | pl.any_horizontal(pl.col("data").str.contains(form) for form, _ in WRITTEN[:-1])


def readings(data: str) -> list[bytes]:
    """The bytes that a client's ``data`` can stand for.

    >>> readings("hex:00ff"), readings("/w==")
    ([b'hex:00ff', b'\\x00\\xff'], [b'/w==', b'\\xff'])
    """
    found = [data.encode("utf-8", "surrogatepass")]
    for form, read in WRITTEN:
        if (match := re.match(form, data)) is not None:
            try:
                found.append(read(match[1]))
            except (ValueError, binascii.Error):
                continue  # text that only looks like that form
    return found


def _other_members(trace: Trace, rows: pl.DataFrame) -> list[tuple[int, int]]:
    """Pairs with a multi whose members have other paths than the client names."""
    logged = trace.ops.join(rows.select("zxid").unique(), on="zxid", how="semi").unique(subset=["zxid", "index"], keep="first")
    paths = dict(logged.sort("zxid", "index").group_by("zxid", maintain_order=True).agg("path").iter_rows())
    return [
        (row["at"], row["zxid"])
        for row in rows.iter_rows(named=True)
        if not _same_paths([member["path"] for member in row["members"]], paths.get(row["zxid"], []))
    ]


def _same_paths(asked: Sequence[str | None], logged: Sequence[str | None]) -> bool:
    return len(asked) == len(logged) and all(map(_same_path, asked, logged))


def _same_path(asked: str | None, logged: str | None) -> bool:
    """One path, or that of a sequential znode and the name it was asked for."""
    if asked is None or logged is None or asked == logged:
        return True
    return logged.startswith(asked) and logged[len(asked) :].lstrip("-").isdigit()
