"""The sections of the page, in order. A section is a row here and a template ``parts/<name>.html.j2``."""

from __future__ import annotations

from collections.abc import Sequence

from zabtrace.errors import UsageError

SECTIONS = {
    "happened": "What happened",
    "timeline": "Timeline",
    "elections": "Elections",
    "epochs": "Leader epochs",
    "writes": "Writes that did not plainly survive",
    "syncs": "Synchronizations",
    "files": "Data files and the next start",
    "clients": "Sessions and clients",
    "incidents": "Incidents, causes and clocks",
    "bugs": "Known bugs",
    "method": "Method: what was read, and how",
}


def chosen(only: Sequence[str] = (), skip: Sequence[str] = ()) -> dict[str, str]:
    """The sections to show, with their headings. Raises UsageError for a name that is no section."""
    unknown = [name for name in (*only, *skip) if name not in SECTIONS]
    if unknown:
        raise UsageError(f"There is no section {unknown[0]!r}. There are: {', '.join(SECTIONS)}.")
    return {name: heading for name, heading in SECTIONS.items() if (not only or name in only) and name not in skip}
