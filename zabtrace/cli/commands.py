"""The commands. Each one reads the evidence, asks one layer below, and writes one answer."""

from __future__ import annotations

import difflib
from pathlib import Path

import click

from zabtrace import __version__
from zabtrace.cli.asked import TABULAR, Asked, known_release, shared
from zabtrace.cli.output import put, refuse_inside_evidence, terminal_width, write
from zabtrace.cli.reporting import report
from zabtrace.cli.verifying import verify

DEFAULT = "summary"


class Commands(click.Group):
    """A group whose first word may be evidence: then the summary is meant."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self.commands:
            self._complain_of_typo(ctx, args[0])
            args = [DEFAULT, *args]
        return super().resolve_command(ctx, args)

    def _complain_of_typo(self, ctx: click.Context, word: str) -> None:
        near = difflib.get_close_matches(word, [name for name in self.commands if name != DEFAULT], n=1, cutoff=0.7)
        if near and not Path(word).exists():
            raise click.UsageError(f"There is no command and no evidence {word!r}. Did you mean {near[0]}?", ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name, command in self.commands.items() if not command.hidden]


@click.group(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100, "ignore_unknown_options": True}
)
@click.version_option(__version__, prog_name="zabtrace", message="%(prog)s %(version)s")
def zabtrace() -> None:
    """Read what was saved from a ZooKeeper ensemble, rebuild what happened, and say for every write whether it survived.

    EVIDENCE is files, folders, globs, archives (tar, tar.gz, zip), - for standard input, or NAME=PATH for a named server. It is
    never written to.

    \b
    Examples:
      zabtrace incident/                       what was read, and the verdict
      zabtrace report incident/ -o page.html   everything on one page
      zabtrace verify incident/ --before saved-before-restart/
      zabtrace elections incident/ --format json

    \b
    Exit codes: 0 done, nothing lost; 1 something was lost or diverged; 2 wrong usage or no readable
    evidence; 3 cannot tell; 4 zabtrace itself failed; 130 interrupted. Why stands on stderr.
    """


@zabtrace.command(hidden=True)
@shared()
def summary(asked: Asked) -> int:
    """What was read, the verdict, and what happened, in a few lines."""
    from zabtrace.render import screen
    from zabtrace.render import summary as summaries

    history, judgement = asked.judged()
    blocks = summaries.blocks(history, judgement)
    width = terminal_width()
    write(None, screen.plain(blocks) if width is None else screen.coloured(blocks, width))
    return 0


zabtrace.add_command(report)
zabtrace.add_command(verify)


def _check_target(asked: Asked) -> None:
    if asked.output is not None:
        refuse_inside_evidence(asked.output, asked)


def _of_history(asked: Asked, name: str) -> int:
    """Answer with the function of ``render.answers`` that has the command's name."""
    from zabtrace.render import answers

    _check_target(asked)
    history = asked.history(pack=True)
    put(asked, answers.HISTORY[name](history, asked.window(history.trace.servers)))
    return 0


@zabtrace.command()
@shared(*TABULAR, filters=True)
@click.option("--steps", is_flag=True, help="Tell what each server did with each notification, and which rule made it.")
def elections(asked: Asked, steps: bool) -> int:
    """List election rounds with their votes, and say why each winner won.

    \b
    Examples:
      zabtrace elections incident/
      zabtrace elections incident/ --steps --server 2
      zabtrace elections incident/ --format json --from 2026-11-21T00:09:54Z
    """
    from zabtrace.render import answers

    _check_target(asked)
    history = asked.history(pack=True)
    put(asked, answers.elections(history, asked.window(history.trace.servers), steps=steps))
    return 0


@zabtrace.command()
@shared(*TABULAR, filters=True)
def epochs(asked: Asked) -> int:
    """List leaders' epochs: who led, from when to when, and how much of the 32-bit counter was used.

    \b
    Example:
      zabtrace epochs incident/
    """
    return _of_history(asked, "epochs")


@zabtrace.command()
@shared(*TABULAR, filters=True)
def syncs(asked: Asked) -> int:
    """List how each learner was brought up to date: DIFF, TRUNC or SNAP, and what was discarded.

    \b
    Example:
      zabtrace syncs incident/ --server 3
    """
    return _of_history(asked, "syncs")


@zabtrace.command()
@shared("table", "json")
@click.option("--start", metavar="1,2,3", help="Only the start of these servers.")
@click.option("--zookeeper-version", "version", metavar="V", help="The release that would start, where no log tells it.")
def predict(asked: Asked, start: str | None, version: str | None) -> int:
    """Say who would win the next election, how the others would be brought up to date, and which writes would go.

    \b
    Examples:
      zabtrace predict incident/
      zabtrace predict incident/ --start 1,3
      zabtrace predict server-*/data --zookeeper-version 3.4.14
    """
    from zabtrace.documents.window import sids
    from zabtrace.predict import predict as predict_starts
    from zabtrace.render import answers

    release = known_release(version)
    _check_target(asked)
    history = asked.history()
    names = tuple(part.strip() for part in start.split(",")) if start else ()
    chosen = tuple(sorted(sids(names, history.trace.servers, "--start"))) or None
    with asked.step("predicting"):
        put(asked, answers.predict(history, predict_starts(history, chosen, release)))
    return 0


def command_names() -> list[str]:
    """The commands that ``--help`` lists."""
    return zabtrace.list_commands(click.Context(zabtrace))
