"""What a finding is: something in the evidence that does not fit the protocol, or time."""

from __future__ import annotations

from typing import Any, NamedTuple


class Finding(NamedTuple):
    """A row of FINDINGS."""

    what: str
    why: str
    evidence: tuple[dict[str, Any], ...] = ()
