"""From command line arguments to the files they name: folders, globs, archives, standard input, NAME=PATH.

Strategy: every argument has a label, its last path part (or its NAME); where two labels are alike, as many parts as tell them
apart. A file's name is the label, ``/`` and the path inside. A file that several arguments reach is read once, for the argument
that says most about it: --clients, then --before, then NAME=PATH, then the rest.
"""

from __future__ import annotations

import io
import os
import re
import stat
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from zabtrace.errors import NoEvidenceError
from zabtrace.source import BUFFER_LIMIT, Source, members, printable

EVIDENCE, BEFORE, CLIENTS = "evidence", "before", "clients"
PRIORITY = (CLIENTS, BEFORE, EVIDENCE)
ARCHIVE = "archive"
"""How the note of an archive begins, whose members are listed after it."""
NAMED = re.compile(r"([^/=]+)=(.+)", re.DOTALL)


@dataclass(frozen=True)
class Argument:
    """One path that was asked for, absolute; a glob gives several."""

    text: str
    path: Path
    name: str | None = None
    """The NAME of NAME=PATH."""
    role: str = EVIDENCE
    turn: int = 0
    """Place among the --before folders, oldest first."""
    label: str = ""


@dataclass(frozen=True)
class File:
    """A file that an argument names: what it is called, and a note where it is listed only."""

    source: Source
    argument: Argument
    note: str | None = None

    @property
    def is_file(self) -> bool:
        """May it be opened: is it no link, pipe or folder that is listed only?"""
        return self.note is None or self.note.startswith(ARCHIVE)


def discover(evidence: Sequence[str], before: Sequence[str] = (), clients: Sequence[str] = ()) -> list[File]:
    """All files that the arguments name, in the order of the arguments, each once.

    Raises NoEvidenceError where a path does not exist or a glob matches nothing.
    """
    asked = [(CLIENTS, clients), (BEFORE, before), (EVIDENCE, evidence)]
    parsed = [argument for role, texts in asked for turn, text in enumerate(texts) for argument in _parse(text, role, turn)]
    arguments = list({(argument.path, argument.name, argument.role): argument for argument in parsed}.values())
    labelled = [argument for role, _ in asked for argument in _labelled([a for a in arguments if a.role == role])]
    claimed: dict[str, File] = {}
    for argument in sorted(labelled, key=lambda a: (PRIORITY.index(a.role), a.name is None)):
        for file in _files(argument):
            claimed.setdefault(str(file.source.path) if file.note else os.path.realpath(file.source.path), file)
    place = {id(argument): n for n, argument in enumerate(labelled)}
    return sorted(claimed.values(), key=lambda f: (-PRIORITY.index(f.argument.role), place[id(f.argument)]))


def _parse(text: str, role: str, turn: int) -> Iterator[Argument]:
    path, name = _absolute(text), None
    if not path.exists() and (match := NAMED.fullmatch(text)):
        path, name = _absolute(match[2]), printable(match[1])
    if text == "-" or (name and match and match[2] == "-"):
        yield Argument(text, Path("-"), name, role, turn)
    elif path.exists() or path.is_symlink():
        yield Argument(text, path, name, role, turn)
    else:
        yield from (Argument(text, found, name, role, turn) for found in _matches(text, path))


def _absolute(text: str) -> Path:
    return Path(os.path.abspath(Path(text).expanduser()))  # noqa: PTH100 (resolve() would follow a link that was named)


def _matches(text: str, pattern: Path) -> list[Path]:
    """Paths that a glob names. Raises NoEvidenceError where there is none."""
    wild = any(sign in str(pattern) for sign in "*?[")
    found = sorted(Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor)))) if wild else []
    if not found:
        said = "no file or folder matches it" if wild else "no such file or folder"
        parent = next(p for p in pattern.parents if p.is_dir())
        beside = ", ".join(sorted(printable(p.name) for p in parent.iterdir())[:8]) if os.access(parent, os.R_OK) else ""
        raise NoEvidenceError(f"{printable(text)}: {said}. {parent} has: {beside or 'nothing that can be read'}. Check the path.")
    return found


def _labelled(arguments: list[Argument]) -> list[Argument]:
    """Each with its label: as few last parts of its path as tell the labels apart."""
    parts = [1] * len(arguments)
    while True:
        labels = [_label(argument, count) for argument, count in zip(arguments, parts, strict=True)]
        shared = Counter(labels)
        room = [len(argument.path.parts) for argument in arguments]
        longer = [count + (shared[label] > 1 and count < most) for label, count, most in zip(labels, parts, room, strict=True)]
        if longer == parts:
            return [replace(argument, label=label) for argument, label in zip(arguments, labels, strict=True)]
        parts = longer


def _label(argument: Argument, parts: int) -> str:
    tail = [part for part in argument.path.parts if part != argument.path.anchor]
    if argument.name is None:
        return printable("/".join(tail[-parts:]) or "/")
    inner = tail[-parts:] if not argument.path.is_dir() else tail[1 - parts :] if parts > 1 else []
    return printable("/".join([argument.name, *inner]))


def _files(argument: Argument) -> Iterator[File]:
    """The files of an argument, members of archives instead of their archive."""
    prefix = "before:" if argument.role == BEFORE else ""
    for file in _listed(argument, prefix + argument.label):
        inside = None if file.note else members(file.source)
        if inside is None:
            yield file
            continue
        yield replace(file, note=f"{ARCHIVE} with {len(inside)} files")
        for member in sorted(inside, key=lambda s: s.name):
            deeper = members(member)
            yield File(member, argument, None if deeper is None else f"{ARCHIVE} with {len(deeper)} files")
            yield from (File(source, argument) for source in deeper or ())


def _listed(argument: Argument, label: str) -> Iterator[File]:
    path = argument.path
    if path == Path("-") or not (path.is_dir() or path.is_file()):
        yield File(_held(label, path), argument)
    elif path.is_file():
        yield File(Source(label, path), argument)
    else:
        yield from _walk(argument, label)


def _held(label: str, path: Path) -> Source:
    """Standard input or a pipe, kept in memory since it can be read once only."""
    with sys.stdin.buffer if path == Path("-") else path.open("rb") as file:
        content = file.read(BUFFER_LIMIT + 1)
    source = Source(label, path, partial(io.BytesIO, content[:BUFFER_LIMIT]), min(len(content), BUFFER_LIMIT))
    if len(content) > BUFFER_LIMIT:
        source.fault(BUFFER_LIMIT, f"more than {BUFFER_LIMIT} bytes: only those were read", "Save it to a file and give that.")
    return source


def _walk(argument: Argument, label: str) -> Iterator[File]:
    """The files below a folder, sorted; links are not followed: what they point to inside of it is found anyway."""
    root = argument.path
    unread: list[File] = []

    def note_unread(error: OSError) -> None:
        folder = Path(str(error.filename))
        source = Source(f"{label}/{printable(folder.relative_to(root).as_posix())}", folder)
        source.fault(0, f"folder cannot be listed: {error.strerror}", "Make it readable (chmod u+rx), or run as the user that owns it.")
        unread.append(File(source, argument, "folder that cannot be listed"))

    for folder, below, names in os.walk(root, onerror=note_unread):
        below.sort()
        linked = [name for name in below if Path(folder, name).is_symlink()]
        for name in sorted([*names, *linked]):
            path = Path(folder, name)
            yield File(Source(f"{label}/{printable(path.relative_to(root).as_posix())}", path), argument, _odd(path, root))
    yield from unread


def _odd(path: Path, root: Path) -> str | None:
    """Why a directory entry is listed only: it is no regular file."""
    if path.is_symlink():
        target = Path(os.path.realpath(path))
        if not target.exists():
            return "symbolic link to nothing"
        inside = target.is_relative_to(os.path.realpath(root))
        return "symbolic link, read where it points to" if inside else "symbolic link to the outside, not followed: give its target too"
    try:
        return None if stat.S_ISREG(path.lstat().st_mode) else "no regular file"
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def holds(arguments: Iterable[str], output: Path) -> bool:
    """Is ``output`` one of the files that the arguments name, or in one of their folders? Paths that are not there name nothing."""
    target = os.path.realpath(output)
    for text in arguments:
        try:
            roots = [Path(os.path.realpath(argument.path)) for argument in _parse(text, EVIDENCE, 0) if argument.path != Path("-")]
        except NoEvidenceError:
            continue
        if any(target == str(root) or (root.is_dir() and Path(target).is_relative_to(root)) for root in roots):
            return True
    return False
