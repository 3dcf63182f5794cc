"""ACL lists as text: the few distinct ones are decoded by the reference reader, every row takes its own from them."""

from __future__ import annotations

import polars as pl

from zabtrace.grammar import jute
from zabtrace.records import reference
from zabtrace.records.columns import Bytes, Slices, each_distinct

ACL_LIST = jute.Vector(jute.records()["ACL"])


def texts(buffer: Bytes, lists: Slices) -> pl.Series:
    """The lists that lie in these slices as ``perms:scheme:id`` joined by commas, null for length -1 and for null lists."""
    return each_distinct(buffer, lists, lambda raw: reference.acl_text(reference.read(ACL_LIST, raw)[0]))
