"""``zabtrace verify``: which writes survived; the story of one write, path or session; the argument about one zxid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from zabtrace.cli.asked import TABULAR, Asked, shared
from zabtrace.cli.long import put_writes
from zabtrace.cli.output import put, refuse_inside_evidence, write
from zabtrace.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from zabtrace.fates.judgement import Judgement

EXIT = {"nothing_lost": 0, "lost": 1, "diverged": 1, "undecided": 3}


def close(asked: Asked, judgement: Judgement) -> int:
    """The exit code of a verdict, and why on stderr."""
    code = EXIT[judgement.verdict]
    if code or not asked.quiet:
        click.echo(f"zabtrace: {judgement.verdict.replace('_', ' ')}: {judgement.message}", err=True)
    return code


@click.command()
@shared(*TABULAR, "junit", filters=True)
@click.option("--since", metavar="POINT", help="Judge only what was written from this time, zxid or epoch on: it narrows the verdict.")
@click.option("--all", "every", is_flag=True, help="List every write, also those that survived.")
@click.option("--write", "told", metavar="PATH|ZXID|SESSION", help="Tell the whole story of a path, a write or a session.")
@click.option("--at", metavar="TIME", help="With --write: only the writes just before and after this time, by the leader's clock.")
@click.option("--explain", metavar="ZXID", help="Give the full argument about one zxid.")
@click.option("--top", type=click.IntRange(1), metavar="N", help="List the first N writes only.")
def verify(asked: Asked, since: str | None, every: bool, told: str | None, at: str | None, explain: str | None, top: int | None) -> int:
    """Say which writes survived, and which were lost, truncated, shadowed or are still pending, with the evidence for each.

    \b
    Examples:
      zabtrace verify incident/ --before before-restart/ --clients history.jsonl
      zabtrace verify incident/ --format json --all
      zabtrace verify incident/ --write /app/config --at 2026-11-21T00:09:54Z
      zabtrace verify incident/ --write 0x300001b95500000
      zabtrace verify incident/ --explain 0x100000061
      zabtrace verify incident/ --since e5 --format junit -o verify.xml
    """
    from zabtrace import zxid
    from zabtrace.fates import unfold
    from zabtrace.render import answers, junit

    if sum(one is not None for one in (told, explain)) > 1:
        raise UsageError("--write and --explain are two answers: give one of them.")
    if asked.format == "junit" and (told or explain):
        raise UsageError("--format junit is of the whole verdict: leave out --write and --explain.")
    if asked.output is not None:
        refuse_inside_evidence(asked.output, asked)
    number = zxid.parse(explain) if explain else None
    moment = _moment(at, told)
    # any line may name what a story is asked for
    routine = told is not None or number is not None
    history, judgement = asked.judged(since, [number] if number is not None else [], routine=routine, told=told)
    folded = unfold.folds(judgement, every=every)
    if asked.format == "junit":
        history, judgement = unfold.whole(history, judgement, folded)
        write(asked.output, junit.junit(history, judgement, every))
    elif told is not None:
        put(asked, answers.story(history, judgement, told, moment, top))
    elif number is not None:
        put(asked, answers.argument(history, judgement, number))
    elif folded:
        put_writes(asked, history, judgement, asked.window(history.trace.servers), every=every, top=top)
    else:
        put(asked, answers.verify(history, judgement, every=every, top=top, window=asked.window(history.trace.servers)))
    return close(asked, judgement)


def _moment(at: str | None, told: str | None) -> datetime | None:
    """The time that ``--at`` gives. Raises UsageError where it is none, or goes with nothing."""
    from zabtrace.documents.window import point

    if at is None:
        return None
    if told is None:
        raise UsageError("--at chooses among the writes that --write names: give --write PATH or SESSION too.")
    found = point(at)
    if found.time is None:
        raise UsageError(f"--at: {at!r} is no time. Write it as 2026-11-21T00:09:54Z.")
    return found.time
