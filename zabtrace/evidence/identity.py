"""Which server a file belongs to.

Strategy: files are grouped by NAME, else by the folder of their server. What a file says itself (a log's own words, an answer)
decides for it; myid decides for the data beside it; what says nothing belongs to its group. A group that says nothing is known
by a folder of the same name, by its host or number in zoo.cfg where nothing contradicts, or gets a negative number and its label.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from zabtrace.evidence import kinds
from zabtrace.evidence.entry import Entry

NAME, MYID, WORDS, CONFIG, NOTHING = "NAME=", "myid", "the log's own words", "zoo.cfg", "nothing"
STRENGTH = (NAME, MYID, WORDS, CONFIG, NOTHING)
NUMBER = re.compile(r"\d+")
ARCHIVE_END = re.compile(r"(\.tar)?(\.(gz|bz2|xz|zst)|\.tgz|\.tar|\.zip)?!$")


@dataclass
class Group:
    """Files that lie in the folder of one server, or were given one NAME."""

    label: str
    name: str | None = None
    entries: list[Entry] = field(default_factory=list)
    sid: int | None = None
    by: str = NOTHING

    @property
    def has_data(self) -> bool:
        """Are there data files in it?"""
        return any(entry.is_data for entry in self.entries)

    @property
    def counts(self) -> bool:
        """Is there anything in it that makes it a server: data or logs?"""
        return self.has_data or any(entry.kind in kinds.TELLING for entry in self.entries)


@dataclass(frozen=True)
class Server:
    """A server that evidence was read of."""

    server: int
    label: str
    by: str


def identify(entries: Iterable[Entry]) -> list[Server]:
    """Set ``server`` of every entry, and list the servers, known sids first."""
    groups = _groups(entries)
    for group in groups:
        group.sid, group.by = _own_sid(group)
    hosts = _hosts(groups)
    for group in groups:
        if group.sid is None and not _mixed(group):
            group.sid, group.by = _namesake(group, groups) or _host(group, hosts) or _self_in_config(group) or (None, NOTHING)
    _numbered(groups, set(hosts.values()) | _members(groups))
    found = {sid: by for group in groups for sid, by in _assign(group)}
    known = [Server(sid, str(sid), by) for sid, by in sorted(found.items(), key=lambda kv: kv[0])]
    return known + _unknown(groups)


def _groups(entries: Iterable[Entry]) -> list[Group]:
    found: dict[tuple[object, ...], Group] = {}
    for entry in entries:
        name = entry.file.argument.name
        key = (entry.moment, name) if name is not None else (entry.moment, entry.root)
        label = name if name is not None else ARCHIVE_END.sub("", entry.root.name) or entry.file.argument.label
        found.setdefault(key, Group(label, name)).entries.append(entry)
    return list(found.values())


def _own_sid(group: Group) -> tuple[int | None, str]:
    """The sid that the group itself names, by the strongest witness that is of one mind."""
    if group.name is not None and group.name.isdecimal():
        return int(group.name), NAME
    for by, chosen in ((MYID, True), (WORDS, False)):
        said = {entry.said for entry in group.entries if (entry.kind == kinds.MYID) is chosen and entry.said is not None}
        if len(said) == 1:
            return said.pop(), by
    return None, NOTHING


def _mixed(group: Group) -> bool:
    """Do files of several servers lie there?"""
    return len({entry.said for entry in group.entries if entry.said is not None}) > 1


def _namesake(group: Group, groups: list[Group]) -> tuple[int, str] | None:
    """The sid of the folders of the same name, where they agree."""
    same = {(other.sid, other.by) for other in groups if other.label == group.label and other.sid is not None and other is not group}
    sids = {sid for sid, _ in same}
    return min(same, key=lambda found: STRENGTH.index(found[1])) if len(sids) == 1 else None


def _members(groups: list[Group]) -> set[int]:
    return {sid for group in groups for entry in group.entries if entry.config is not None for sid in entry.config.members["sid"]}


def _hosts(groups: list[Group]) -> dict[str, int]:
    """Host names of the members, and their first labels, that name one member only."""
    sids: dict[str, set[int]] = defaultdict(set)
    for group in groups:
        for entry in group.entries:
            if entry.config is not None:
                for first, sid, addresses in entry.config.members.select("host", "sid", "addresses").iter_rows():
                    for host in {first, *(address.rsplit(":", 2)[0] for address in addresses or ())}:
                        sids[host.lower()].add(sid)
                        sids[host.lower() if NUMBER.match(host) else host.lower().split(".")[0]].add(sid)
    return {host: min(found) for host, found in sids.items() if len(found) == 1}


def _host(group: Group, hosts: dict[str, int]) -> tuple[int, str] | None:
    sid = hosts.get(group.label.lower())
    return None if sid is None else (sid, CONFIG)


def _self_in_config(group: Group) -> tuple[int, str] | None:
    """The member that a server's own zoo.cfg lets listen everywhere, or at its clientPortAddress: itself."""
    for entry in group.entries:
        if entry.config is not None and entry.kind == kinds.CONFIG:
            own = {"0.0.0.0", "::", entry.config.setting("clientPortAddress")} - {None}  # noqa: S104 (read, not bound)
            sids = [sid for host, sid in entry.config.members.select("host", "sid").iter_rows() if host in own]
            if len(sids) == 1:
                return sids[0], CONFIG
    return None


def _numbered(groups: list[Group], members: set[int]) -> None:
    """A number in a folder's name is its sid where that holds for every folder named alike (zk-0, zk-1, zk-2 are none of 1, 2, 3)."""
    families: dict[str, list[tuple[int, Group]]] = defaultdict(list)
    for group in groups:
        numbers = NUMBER.findall(group.label)
        if len(numbers) == 1 and group.counts:
            families[NUMBER.sub("#", group.label)].append((int(numbers[0]), group))
    for family in families.values():
        fits = all(number == group.sid if group.sid is not None else number in members and not _mixed(group) for number, group in family)
        for number, group in family if fits else ():
            if group.sid is None:
                group.sid, group.by = number, CONFIG


def _assign(group: Group) -> list[tuple[int, str]]:
    """Give each entry of a group its server; the sids found, with what gave them."""
    found = [(group.sid, group.by)] if group.sid is not None and (group.counts or group.by in (NAME, MYID)) else []
    myids = {entry.folder: entry.said for entry in group.entries if entry.kind == kinds.MYID and entry.said is not None}
    for entry in group.entries:
        entry.server = group.sid
        own = entry.said if entry.said is not None else _nearest(entry, myids)
        if own is None or own == group.sid:
            continue
        if group.by == NAME:
            entry.notes.append(f"it says sid {own} itself, NAME= decides")
            continue
        entry.server = own
        found.append((own, WORDS if entry.said is not None and entry.kind != kinds.MYID else MYID))
        if group.sid is not None:
            entry.notes.append(f"it says sid {own}, {group.by} beside it says {group.sid}")
    return sorted(found, key=lambda sid_by: -STRENGTH.index(sid_by[1]))


def _nearest(entry: Entry, myids: Mapping[Path, int]) -> int | None:
    """For a data file: the sid of the myid that lies nearest above it."""
    return next((myids[folder] for folder in (entry.folder, *entry.folder.parents) if folder in myids), None) if entry.is_data else None


def _unknown(groups: list[Group]) -> list[Server]:
    """Number what no sid is known of: folders of one name are one server, logs of several series in one folder are several."""
    keyed: dict[str, list[Entry]] = defaultdict(list)
    for group in groups:
        nameless = [entry for entry in group.entries if entry.server is None]
        series = {entry.stem for entry in nameless if entry.kind == kinds.SERVER_LOG}
        alone = (len(series) > 1 and group.name is None) or _mixed(group)
        for entry in nameless:
            if entry.kind == kinds.SERVER_LOG and alone:
                keyed[f"{group.label}/{entry.stem}"].append(entry)
            elif entry.is_data or entry.kind in kinds.TELLING:
                keyed[group.label].append(entry)
    for number, key in enumerate(sorted(keyed), 1):
        for entry in keyed[key]:
            entry.server = -number
    return [Server(-number, key, NOTHING) for number, key in enumerate(sorted(keyed), 1)]
