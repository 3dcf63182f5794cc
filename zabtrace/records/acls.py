"""ACL lists as text: the few distinct ones are decoded by the reference reader, every row takes its own from them."""

from __future__ import annotations

import numpy as np
import polars as pl

from zabtrace.grammar import jute
from zabtrace.records import reference
from zabtrace.records.columns import Bytes, Slices, distinct_bytes

ACL_LIST = jute.Vector(jute.records()["ACL"])


def texts(buffer: Bytes, lists: Slices) -> pl.Series:
    """The lists that lie in these slices as ``perms:scheme:id`` joined by commas, null for length -1 and for null lists."""
    rows = np.flatnonzero(lists.length >= 0)
    distinct, place = distinct_bytes(buffer, Slices(lists.start[rows], lists.length[rows]))
    written = [reference.acl_text(reference.read(ACL_LIST, raw)[0]) for raw in distinct]
    which = np.full(lists.length.size, len(written), dtype=np.uint32)
    which[rows] = place
    return pl.Series([*written, None], dtype=pl.String).gather(which)
