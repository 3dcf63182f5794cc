"""Writing answers: to the terminal, a pipe or a file, and never into the evidence."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

from zabtrace.cli.asked import Asked
from zabtrace.errors import UsageError

if TYPE_CHECKING:
    from zabtrace.render.views import View


STREAMED = ("ndjson", "csv", "parquet")
"""Formats in which long listings are written part by part, before all of them is read."""


def refuse_inside_evidence(target: Path, asked: Asked) -> None:
    """Raise UsageError, with the corrected command, where ``target`` lies in the evidence or cannot be written."""
    from zabtrace.evidence import output_inside_evidence

    if output_inside_evidence(target, (*asked.evidence, *asked.before, *asked.clients)):
        elsewhere = Path(tempfile.gettempdir()) / target.name
        raise UsageError(f"{target} lies inside the evidence, which is never written to. Write elsewhere: {_with_output(elsewhere)}")
    if not target.parent.is_dir():
        raise UsageError(f"the folder {target.parent} of the output does not exist. Make it first, or choose another with -o.")
    if target.is_dir():
        raise UsageError(f"{target} is a folder. Name a file in it: {_with_output(target / 'answer')}")


def _with_output(target: Path) -> str:
    """The command that was given, with another ``-o``."""
    kept: list[str] = []
    arguments = iter(sys.argv[1:])
    for argument in arguments:
        if argument in ("-o", "--output"):
            next(arguments, None)
        elif not argument.startswith(("--output=", "-o")):
            kept.append(argument)
    return shlex.join(["zabtrace", *kept, "-o", str(target)])


def put(asked: Asked, view: View) -> None:
    """Write the answer in the format asked for, and say on stderr where rows are hidden."""
    from zabtrace.render import views

    hidden = view.document.get("hidden", 0)
    if hidden:
        asked.note(f"{hidden} rows are hidden by --server, --from, --to or --top; verdict and counts are of everything read.")
    _refuse_terminal(asked)
    if asked.format == "table":
        write(asked.output, views.text(view, terminal_width() if asked.output is None else None))
    else:
        write(asked.output, views.FORMATS[asked.format](view))


def put_parts(asked: Asked, views: Iterator[View]) -> None:
    """Write a listing that comes in parts, the first of which may be empty, in one of the formats of ``streams``."""
    from zabtrace.render import streams

    hidden = 0

    def counted() -> Iterator[View]:
        nonlocal hidden
        for view in views:
            hidden += view.document.get("hidden", 0)
            yield view

    _refuse_terminal(asked)
    if asked.format != "parquet":
        write(asked.output, streams.TEXTS[asked.format](counted()))
    elif asked.output is not None:
        with _whole(asked.output) as file:
            streams.parquet(counted(), file)
    else:
        with tempfile.TemporaryFile() as file:  # a closed pipe is no error, but would be one for the writer of Parquet
            streams.parquet(counted(), file)
            file.seek(0)
            write(None, iter(partial(file.read, 1 << 20), b""))
    if hidden:
        asked.note(f"{hidden} rows are hidden by --server, --from, --to or what else was asked for.")


def _refuse_terminal(asked: Asked) -> None:
    if asked.format == "parquet" and asked.output is None and sys.stdout.isatty():
        raise UsageError("Parquet is binary: name a file with -o.")


def terminal_width() -> int | None:
    """Columns of the terminal, or None where stdout is none or colours are not wanted."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return None
    return shutil.get_terminal_size().columns


def write(target: Path | None, chunks: Iterable[str] | Iterable[bytes]) -> None:
    """Write to a file (whole or not at all) or to stdout; a reader that closes the pipe early is no error."""
    if target is not None:
        _to_file(target, chunks)
        return
    try:
        sys.stdout.flush()
        for chunk in chunks:
            _put(chunk)
        sys.stdout.flush()
    except BrokenPipeError:
        # What follows, and Python's own flush at exit, must not meet the closed pipe again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _put(chunk: str | bytes) -> None:
    if isinstance(chunk, str):
        sys.stdout.write(chunk)
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(chunk)


def _to_file(target: Path, chunks: Iterable[str] | Iterable[bytes]) -> None:
    with _whole(target) as file:
        for chunk in chunks:
            file.write(chunk.encode(errors="backslashreplace") if isinstance(chunk, str) else chunk)


@contextlib.contextmanager
def _whole(target: Path) -> Iterator[IO[bytes]]:
    """A file beside the target that is renamed to it in the end, so that a full disk leaves what was there before."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(target)
    except PermissionError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror}. Choose another place with -o.") from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            part.unlink()
