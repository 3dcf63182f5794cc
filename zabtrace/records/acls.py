"""ACL lists as text: the few distinct ones are decoded by the reference reader, every row takes its own from them."""

from __future__ import annotations

import numpy as np
import polars as pl

from zabtrace.grammar import jute
from zabtrace.records import reference
from zabtrace.records.columns import Bytes, Ints, Items, Slices, binary

ACL_LIST = jute.Vector(jute.records()["ACL"])


def texts(buffer: Bytes, lists: Items, chosen: Ints) -> pl.Series:
    """The lists of these rows as ``perms:scheme:id`` joined by commas, null for null lists; all rows must have decoded."""
    start, stop, count = lists.start[chosen], lists.stop[chosen], lists.count[chosen]
    raw = pl.DataFrame({"raw": binary(buffer, Slices(start, np.where(count >= 0, stop - start, -1)))})
    distinct = raw.unique().drop_nulls()
    written = [reference.acl_text(reference.read(ACL_LIST, value)[0]) for value in distinct["raw"]]
    known = distinct.with_columns(pl.Series("acl", written, dtype=pl.String))
    return raw.join(known, on="raw", how="left", maintain_order="left")["acl"]
