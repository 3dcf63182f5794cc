"""What was asked: the options that commands share, and reading the evidence they name."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from zabtrace.documents.window import Point, Window
    from zabtrace.evidence.trace import Trace
    from zabtrace.fates.judgement import Judgement
    from zabtrace.replay.history import History

TABULAR = ("table", "json", "ndjson", "csv", "parquet")


@dataclass(frozen=True)
class Asked:
    """The shared options as given."""

    evidence: tuple[str, ...]
    before: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()
    timezone: tuple[str, ...] = ()
    log_pattern: str | None = None
    output: Path | None = None
    format: str = "table"
    server: tuple[str, ...] = ()
    low: str | None = None
    high: str | None = None
    quiet: bool = False
    no_progress: bool = False

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Say on stderr what is going on, while it is going on; only on a terminal."""
        if self.quiet or self.no_progress or not sys.stderr.isatty():
            yield
            return
        from rich.console import Console

        with Console(stderr=True).status(what):
            yield

    def note(self, text: str) -> None:
        """A line on stderr beside the answer; ``-q`` silences it."""
        if not self.quiet:
            sys.stderr.write(f"zabtrace: {text}\n")

    def trace(self, *, lines: bool = True, fold: Sequence[int] | None = None, routine: bool = True, pack: bool = False) -> Trace:
        """Read the evidence; without ``lines`` logs are only counted. Raises NoEvidenceError where nothing readable was named.

        With ``fold``, the zxids that are asked for, a long history is folded; without ``routine`` the lines of routine traffic (requests,
        sessions, client connections) are only counted; with ``pack`` lines are held packed.
        """
        from zabtrace.evidence import gather

        with self.step("reading the evidence"):
            return gather(self.evidence, self.before, self.clients, self.timezone, self.log_pattern, lines, fold, routine, pack)

    def lines(self, wanted: Collection[str | None] | None = None) -> tuple[Trace, Iterator[Trace]]:
        """The servers, and the lines of their logs (of the ``wanted`` kinds at least), part by part.

        Raises NoEvidenceError where nothing readable was named.
        """
        from zabtrace import evidence

        with self.step("reading the evidence"):
            return evidence.lines(self.evidence, self.before, self.timezone, self.log_pattern, wanted)

    def history(
        self,
        fold: Sequence[int] | None = None,
        *,
        drawn: bool = False,
        routine: bool = True,
        told: str | None = None,
        at: Point | None = None,
        pack: bool = False,
    ) -> History:
        """Read the evidence and replay it; of a folded history that is ``drawn`` enough stays for that.

        So do the records of what is ``told`` (a path, zxid or session), and those around a time ``at``.
        """
        from zabtrace.evidence.telling import around, telling
        from zabtrace.replay import replay

        trace = self.trace(fold=fold, routine=routine, pack=pack)
        trace = trace if told is None else telling(trace, told)
        trace = trace if at is None or at.time is None else around(trace, at.time)
        if drawn and trace.long is not None:
            trace = trace.long.detailed(trace)
        with self.step("replaying"):
            return replay(trace)

    def judged(
        self,
        since: str | None = None,
        fold: Sequence[int] | None = None,
        *,
        drawn: bool = False,
        routine: bool = True,
        told: str | None = None,
    ) -> tuple[History, Judgement]:
        """Read, replay and judge; ``since`` (time, zxid or epoch) is where judging begins.

        With ``fold``, the zxids that are asked for, a long history is folded; what did not survive is told one by one all the same.
        """
        from zabtrace.documents.window import first_zxid_from, point
        from zabtrace.fates import judge
        from zabtrace.fates.unfold import settled

        at = point(since) if since else None
        if at is not None and at.time is None and fold is not None:
            fold = (*fold, at.low)
        history = self.history(fold, drawn=drawn, routine=routine, told=told, at=at)
        with self.step("judging every write"):
            return settled(history, judge(history, since=first_zxid_from(at, history.trace.txns) if at else None))

    def window(self, servers: Any) -> Window:
        """The rows to show; ``servers`` is the trace's frame SERVERS, which ``--server`` may name by label."""
        from zabtrace.documents.window import Window, point, sids

        bounds: list[Point | None] = [point(bound) if bound else None for bound in (self.low, self.high)]
        return Window(sids(self.server, servers), *bounds)


def known_release(version: str | None) -> str | None:
    """A release as given with --zookeeper-version. Raises UsageError where it is none of ZooKeeper 3."""
    import re

    from zabtrace.errors import UsageError

    if version is not None and not re.fullmatch(r"3\.\d{1,3}\.\d{1,3}([-.].*)?", version):
        raise UsageError(f"--zookeeper-version: {version!r} is no release of ZooKeeper 3. Write it as 3.8.4.")
    return version


EVIDENCE = [
    click.argument("evidence", nargs=-1, required=True),
    click.option("--before", multiple=True, metavar="DIR", help="Data saved at an earlier time (repeatable, oldest first)."),
    click.option("--clients", multiple=True, metavar="FILE", help="What clients recorded, as JSON lines (repeatable)."),
    click.option("--timezone", multiple=True, metavar="[NAME=]ZONE", help="Zone of log stamps that name none, for example Europe/Berlin."),
    click.option("--log-pattern", metavar="PATTERN", help="log4j or logback conversion pattern of logs in a layout of your own."),
    click.option("-q", "--quiet", is_flag=True, help="No progress and no notes on stderr."),
    click.option("--no-progress", is_flag=True, help="No progress on stderr."),
]
FILTERS = [
    click.option("--server", multiple=True, metavar="SERVER", help="Show only rows of this server (repeatable)."),
    click.option("--from", "low", metavar="POINT", help="Show rows from this time, zxid or epoch (e5) on."),
    click.option("--to", "high", metavar="POINT", help="Show rows up to this time, zxid or epoch."),
]
_SHARED = frozenset(field.name for field in fields(Asked))


def shared(*formats: str, filters: bool = False) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Give a command the shared options as one ``Asked``; ``formats`` are those it can print, with ``-o`` to keep them."""
    options = EVIDENCE + (FILTERS if filters else [])
    if formats:
        options = [
            *options,
            click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the answer to this file."),
            _format(formats),
        ]

    def decorate(command: Callable[..., int]) -> Callable[..., int]:
        @functools.wraps(command)
        def wrapper(**given: Any) -> int:
            asked = Asked(**{name: given.pop(name) for name in list(given) if name in _SHARED})
            return command(asked, **given)

        for option in reversed(options):
            wrapper = option(wrapper)
        return wrapper

    return decorate


def _format(formats: tuple[str, ...]) -> Any:
    return click.option("--format", type=click.Choice(formats), default=formats[0], show_default=True, help="How to print the answer.")
