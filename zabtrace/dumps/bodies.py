"""What stands behind an op in a dump, as columns of TXNS and rows of TXN_OPS.

Strategy: records of one op are read together by the rule of dumps.lark that its kind of body has. What a dump cannot tell is null:
data that jute prints as #hex (a byte below 0x10 has one digit, so that not even their length is told), and data printed as text where
a comma may belong to the path, or a byte may have been replaced.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from zabtrace import schema
from zabtrace.dumps.shapes import matched
from zabtrace.records import opcodes

RULES = {
    "create": "create_body", "create2": "create_body", "createContainer": "create_container_body", "createTTL": "create_ttl_body",
    "setData": "set_data_body", "reconfig": "set_data_body", "setACL": "set_acl_body", "delete": "delete_body",
    "deleteContainer": "delete_body", "check": "check_body", "error": "error_body", "createSession": "create_session_body",
    "closeSession": "close_session_body", "multi": "multi_body",
}  # fmt: skip
"""ZooKeeper's name of an op, and the rule of what is printed behind it."""
NAMES = {op.name.lower(): op for op in opcodes.OPS}
"""Ops by the names the tools print (TraceFormatter.op2String, Request.op2String: createTtl and createTTL), in lower case."""
ESCAPES = {"%2C": ",", "%7D": "}", "%0A": "\n", "%0D": "\r", "%00": "\0", "%25": "%"}
"""jute's escapes in the order in which they are undone (Utils.toCSVString)."""
UNSURE = r"[,?�]"
"""What makes it unsure where data printed as text begin, or which bytes they were."""
TOLD = ("path", "data_len", "version", "parent_cversion", "ttl", "error", "timeout")
MEMBER_OPS = "create2|createContainer|createTTL|createTtl|create|deleteContainer|delete|setData|setACL|reconfig|check"
MARK = "\x1e"
_FIELDS = schema.types(schema.TXNS)


@dataclass(frozen=True)
class Bodies:
    """Columns of TXNS by row, rows of TXN_OPS (with ``row``), and whether each body was understood."""

    columns: pl.DataFrame
    members: pl.DataFrame
    understood: pl.Series


def op_names(printed: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Op codes and ZooKeeper's names of ops as printed; ``unknown -5`` is read as its number."""
    distinct = printed.unique()
    rows = [_op(word) for word in distinct]
    table = pl.DataFrame({"word": distinct, "type": [code for code, _ in rows], "op": [name for _, name in rows]})
    found = printed.rename("word").to_frame().join(table, on="word", how="left", maintain_order="left")
    return found["type"].cast(pl.Int64), found["op"]


def _op(word: str) -> tuple[int | None, str]:
    if word.lower() in NAMES:
        op = NAMES[word.lower()]
        return op.code, op.name
    number = word.rpartition(" ")[2]
    return (int(number), opcodes.name(int(number))) if number.lstrip("-").isdigit() else (None, f"unknown({word})")


def decode(ops: pl.Series, rests: pl.Series) -> Bodies:
    """Read what stands behind each op (``rests``: null where nothing does)."""
    table = pl.DataFrame({"op": ops, "rest": rests.str.strip_chars_end("\n")}).with_row_index("row")
    found: list[pl.DataFrame] = []
    members: list[pl.DataFrame] = []
    for name, rule in RULES.items():
        part = table.filter(pl.col("op") == name)
        if part.is_empty():
            continue
        for form, taken in matched(rule, part["rest"]):
            rows = part[taken["row"]]
            told = taken.with_columns(row=rows["row"])
            found.append(_columns(told, form))
            if name == "multi":
                members.append(_members(told, form))
    merged = pl.concat(found, how="diagonal") if found else pl.DataFrame({"row": []}, schema={"row": table.schema["row"]})
    joined = table.select("row").join(merged.with_columns(known=pl.lit(True)), on="row", how="left", maintain_order="left")
    bare = ops.is_in(["closeSession", "multi"]) & table["rest"].fill_null("").eq("")
    known = joined["known"].fill_null(False) | bare
    ops_table = pl.concat(members, how="diagonal") if members else pl.DataFrame(schema={"row": table.schema["row"], "index": pl.Int64})
    broken = ops_table.filter(pl.col("type") == opcodes.ERROR)["row"].unique() if members else pl.Series([], dtype=table.schema["row"])
    failed = (pl.col("op") == "error") | pl.col("row").is_in(broken.implode())
    if "ephemeral" not in joined.columns:
        joined = joined.with_columns(ephemeral=pl.lit(None, dtype=schema.FLAG))
    never = pl.lit(table["op"].is_in(["createContainer", "createTTL"]))
    joined = joined.with_columns(ephemeral=pl.when(never).then(pl.lit(value=False)).otherwise("ephemeral"))
    columns = joined.drop("known").with_columns(table.select(failed=failed)["failed"])
    return Bodies(columns, ops_table, known)


def _columns(told: pl.DataFrame, form: str) -> pl.DataFrame:
    """Columns of TXNS from what one form of a body tells; ``data_at`` is where data printed as text begin, in bytes of the body."""
    jute = form.startswith("csv")
    made = [pl.col("row"), *(pl.col(name).cast(_FIELDS[name]) for name in TOLD if name in told.columns and name != "path")]
    if "path" in told.columns:
        made.append((_unescaped(pl.col("path")) if jute else pl.col("path")).alias("path"))
    if "ephemeral" in told.columns:
        made.append(pl.col("ephemeral") == "T" if told.schema["ephemeral"] == pl.String else pl.col("ephemeral"))
    if "acl" in told.columns:
        made.append(_acl(pl.col("acl")).alias("acl"))
    if "paths" in told.columns:
        listed = pl.col("paths").str.strip_suffix("}").str.split(",")
        made.append(listed.list.eval(_unescaped(pl.element().str.strip_prefix("'")).filter(pl.element() != "")).alias("paths"))
    if "data" in told.columns:
        sure = ~pl.col("data").str.contains(UNSURE)
        made.append(pl.when(sure).then(pl.col("data").str.len_bytes().cast(pl.Int64)).alias("data_len"))
        made.append(pl.when(sure).then(pl.col("path").str.len_bytes().cast(pl.Int64) + 1).alias("data_at"))
    return told.select(made)


def _unescaped(column: pl.Expr) -> pl.Expr:
    for code, character in ESCAPES.items():
        column = column.str.replace_all(code, character, literal=True)
    return column


def _acl(column: pl.Expr) -> pl.Expr:
    """``31,s{'world,'anyone}`` items of either notation as perms:scheme:id joined by commas."""
    items = column.str.extract_all(r"-?[0-9]+,s\{'?[^,}]*,'?[^}]*\}")
    one = pl.element().str.replace(r"\A(-?[0-9]+),s\{'?([^,}]*),'?([^}]*)\}\z", "${1}:${2}:${3}")
    return items.list.eval(_unescaped(one)).list.join(",")


# ---------------------------------------------------------------- members of a multi
def _members(told: pl.DataFrame, form: str) -> pl.DataFrame:
    """Rows of TXN_OPS: op, type and, where it can be read, the path of each member."""
    read = _from_jute if form == "csv" else _from_text
    listed = read(told.select("row", "members"))
    types, names = op_names(listed["word"])
    index = pl.int_range(pl.len()).over("row").cast(pl.Int64).alias("index")
    return listed.with_columns(types.alias("type"), names.alias("op")).select("row", index, "type", "op", "path")


def _from_jute(told: pl.DataFrame) -> pl.DataFrame:
    """``s{1,#00052f6131...}``: the path is told where all of its bytes have two digits."""
    items = told.select("row", pl.col("members").str.extract_all(r"s\{-?[0-9]+,(#[0-9a-f]*)?\}")).explode("members").drop_nulls()
    code = pl.col("members").str.extract(r"\As\{(-?[0-9]+),").cast(pl.Int64)
    digits = pl.col("members").str.extract(r",#000([0-9a-f]+)\}\z")
    size = (
        pl.when(digits.str.slice(1, 2) == "2f")
        .then(digits.str.head(1))
        .when(digits.str.slice(2, 2) == "2f")
        .then(digits.str.head(2))
    )  # fmt: skip
    number = size.str.to_integer(base=16, strict=False)
    shown = digits.str.slice(size.str.len_chars(), 2 * number)
    whole = (shown.str.len_chars() == 2 * number) & ~shown.str.contains("ffffff") & (code != opcodes.ERROR)
    path = pl.when(whole).then(shown).str.decode("hex", strict=False).cast(pl.String, strict=False)
    return items.select("row", word=("unknown " + code.cast(pl.String)), path=path).with_columns(
        word=pl.col("word").replace({f"unknown {op.code}": op.name for op in opcodes.OPS})
    )


def _from_text(told: pl.DataFrame) -> pl.DataFrame:
    """``create:`` and the member's bytes as text: a length of four bytes, then the path, which holds no control character."""
    begun = rf"(?:\A|;)(?:({MEMBER_OPS}):(\x00\x00)|(error):)"
    marked = told.select("row", pl.col("members").str.replace_all(begun, f"{MARK}${{1}}${{3}}{MARK}${{2}}").str.split(MARK))
    parts = pl.col("members").list
    words, contents = parts.gather_every(2, 1), parts.gather_every(2, 2)
    items = marked.select("row", word=words, content=contents).filter(pl.col("word").list.len() > 0).explode("word", "content")
    path = pl.col("content").str.extract(r"\A\x00\x00(?:.|\n)(?:.|\n)(/[^\x00-\x1f�]*)")
    whole = pl.col("content").str.contains(r"\A\x00\x00(?:.|\n)(?:.|\n)/[^\x00-\x1f�]*(?:\x00|\z)")
    return items.select("row", "word", path=pl.when(whole & (pl.col("word") != "error")).then(path))
