"""How logs are to be read: time zones of their stamps, as ``[NAME=]ZONE`` options give them, and a conversion pattern."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from zabtrace.errors import UsageError
from zabtrace.evidence.entry import Entry


@dataclass(frozen=True)
class Zones:
    """Zones by NAME, label or sid, and the one of all others (None: UTC is assumed)."""

    default: str | None = None
    named: dict[str, str] = field(default_factory=dict)
    pattern: str | None = None
    """A conversion pattern that some logs follow (``--log-pattern``)."""
    keep: bool = True
    """Are the lines wanted, or only what is counted?"""
    routine: bool = True
    """Are those of routine traffic wanted too (``kinds.ROUTINE`` of the grammar)?"""
    pack: bool = False
    """Are they to be packed (``held``)?"""

    def of(self, entry: Entry) -> str | None:
        """The zone of one log."""
        argument = entry.file.argument
        known = [argument.name, argument.label, None if entry.server is None else str(entry.server)]
        return next((self.named[name] for name in known if name is not None and name in self.named), self.default)


def parse(options: Sequence[str], pattern: str | None = None, keep: bool = True, routine: bool = True, pack: bool = False) -> Zones:
    """Read the options. Raises UsageError for a zone that is none, or a wrong pattern."""
    if pattern is not None:
        from zabtrace.logs import check_pattern

        check_pattern(pattern)
    default, named = None, {}
    for option in options:
        name, _, zone = option.rpartition("=")
        _check(zone, option)
        if name:
            named[name] = zone
        else:
            default = zone
    return Zones(default, named, pattern, keep, routine, pack)


def check_names(zones: Zones, entries: Sequence[Entry]) -> None:
    """Raise UsageError where a zone names a server that is not there."""
    known = [(entry.file.argument.name, entry.file.argument.label, entry.server) for entry in entries]
    there = {str(name) for names in known for name in names if name is not None}
    for name in zones.named.keys() - there:
        raise UsageError(f"--timezone {name}={zones.named[name]}: there is no server {name}. There are: {', '.join(sorted(there))}.")


def _check(zone: str, option: str) -> None:
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:
        raise UsageError(f"--timezone {option}: {zone!r} is no time zone. Write it as Europe/Berlin, America/New_York or UTC.") from error
