"""The epoch files: currentEpoch, acceptedEpoch, what is left of a write that was cut short, and the marker updatingEpoch."""

from __future__ import annotations

from zabtrace.source import Source

REWRITE = "A server does not start with it. Do not edit it before the other servers' epochs are known."


def epoch_in(source: Source) -> int | None:
    """The decimal number in the first line (QuorumPeer.readLongFromFile); None, and a fault of a file in use, where there is none."""
    line = source.head(64).split(b"\n")[0].strip()
    if line.removeprefix(b"-").isdigit() and -(1 << 63) <= int(line) < 1 << 63:
        return int(line)
    if source.path.name in ("currentEpoch", "acceptedEpoch") and not source.faults:
        source.fault(0, f"no epoch in it: {line!r}", REWRITE)
    return None
