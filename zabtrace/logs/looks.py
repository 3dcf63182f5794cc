"""Is a file a log of a ZooKeeper server? Told from its head."""

from __future__ import annotations

import re

from zabtrace.logs.layout import SAMPLE, find_layout, is_ours
from zabtrace.logs.loggers import is_zookeeper
from zabtrace.logs.others import EMBEDDED
from zabtrace.logs.text import blocks_of_lines
from zabtrace.logs.wrappers import Peeler, find_wrappers

_CALLER = re.compile(rf"(?:{EMBEDDED})")
_LOGGER = re.compile(r":([A-Za-z_$][A-Za-z0-9_$.]*)@[0-9?]+\] -\Z")


def looks_like_log(head: bytes, pattern: str | None = None) -> str | None:
    """The layout whose records the head of a file shows, if any of them is ZooKeeper's; null for everything else.

    ``pattern`` is a conversion pattern that its lines may follow. What is wrapped around the layout stands in front of it.
    """
    block = next(blocks_of_lines([head]), None)
    if block is None:
        return None
    lines = block.lines["text"].head(SAMPLE).to_list()
    peeler = Peeler(find_wrappers(lines, pattern))
    bare = peeler.bare(lines)
    layout = find_layout(bare)
    if any(is_ours(line, layout) for line in bare):
        names = [step.name for step in peeler.steps]
        return " > ".join([*names, *([layout.name] if layout is not None else [])])
    return "something unknown > stock" if any(map(_inside, bare)) else None


def _inside(line: str) -> bool:
    """Does a whole head of ZooKeeper's stand within the line?"""
    found = _CALLER.search(line)
    logger = _LOGGER.search(found[0]) if found else None
    return logger is not None and is_zookeeper(logger[1])
