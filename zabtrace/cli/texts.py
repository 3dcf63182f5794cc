"""``events``, ``explain`` and ``grammar``: the lines of text logs, and what they are taken for."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zabtrace.cli.asked import TABULAR, Asked, shared
from zabtrace.cli.output import STREAMED, put, put_parts, refuse_inside_evidence, write
from zabtrace.errors import UsageError

if TYPE_CHECKING:
    from zabtrace.documents.texts import Wanted
    from zabtrace.evidence.trace import Trace

SEVERAL = "several servers speak in it"


@click.command()
@shared(*TABULAR, filters=True)
@click.option("--summary", "counted", is_flag=True, help="Count the lines of each log: understood, unknown, foreign, damaged.")
@click.option("--unknown", is_flag=True, help="Only the messages that were not understood, counted by logger and shape.")
@click.option("--kind", multiple=True, metavar="KIND", help="Only events of this kind, such as learner_trunc (repeatable).")
@click.option("--peer", type=int, metavar="SID", help="Only lines that speak of this server, or vote for it.")
@click.option("--zxid", "number", metavar="ZXID", help="Only lines that name this zxid.")
@click.option("--epoch", metavar="EPOCH", help="Only lines that name this epoch, or a zxid of it (5 or e5).")
@click.option("--session", metavar="ID", help="Only lines that name this session (0x..).")
@click.option("--raw", is_flag=True, help="The original lines, with their stack traces.")
def events(
    asked: Asked, counted: bool, unknown: bool, kind: tuple[str, ...], peer: int | None, number: str | None, epoch: str | None,
    session: str | None, raw: bool,
) -> int:  # fmt: skip
    """List the lines of the server logs and what each was taken for.

    \b
    Examples:
      zabtrace events incident/ --summary
      zabtrace events incident/ --unknown
      zabtrace events incident/ --server 3 --from 2026-11-21T00:09:54Z
      zabtrace events incident/ --kind learner_trunc --kind sync_decision --raw
      zabtrace events incident/ --epoch e2 --peer 3
      zabtrace events incident/ --from 0x100000060 --to 0x10000006c
      zabtrace events zookeeper.log --log-pattern "%d{ISO8601} %-5p [%t] %c{2}: %m%n"
    """
    if counted + unknown + raw > 1:
        raise UsageError("--summary, --unknown and --raw are different answers: give one of them.")
    if asked.output is not None:
        refuse_inside_evidence(asked.output, asked)
    if counted:
        _count(asked)
    elif unknown:
        _list_unknown(asked)
    else:
        from zabtrace.documents.texts import Wanted

        _list(asked, Wanted(_kinds(kind), peer, _zxid(number), _epoch(epoch), _zxid(session)), raw)
    return 0


def _count(asked: Asked) -> None:
    from zabtrace.render import lines

    trace = asked.trace(lines=False)
    if trace.sources["note"].str.contains(SEVERAL, literal=True).any():  # only its lines tell whose they are
        trace = asked.trace()
    put(asked, lines.summary(trace, asked.window(trace.servers)))
    _remark(asked, trace)


def _remark(asked: Asked, trace: Trace) -> None:
    """Say of which logs the stamps are no whole times."""
    for source, note in trace.sources.select("source", "note").drop_nulls("note").iter_rows():
        for remark in note.split("; "):
            if remark.startswith("its stamps have no"):
                asked.note(f"{source}: {remark}")


def _list_unknown(asked: Asked) -> None:
    from zabtrace.held import Plain
    from zabtrace.render import lines

    head, parts = asked.lines((None,))
    window = asked.window(head.servers)
    unread = (replace(part, held=Plain(part.lines.filter(part.lines["kind"].is_null()), part.fields), left_out=0) for part in parts)
    put(asked, lines.unknown(lines.Chosen(unread, lambda part: window.narrow(part.lines)), head))


def _list(asked: Asked, wanted: Wanted, raw: bool) -> None:
    """Part by part, so that logs of any size need little memory."""
    from zabtrace.render import lines
    from zabtrace.render.fields import as_object, for_people

    head, parts = asked.lines(wanted.kinds or None)
    window, wanted = wanted.bounded(asked.window(head.servers))
    written = None if raw else for_people if asked.format == "table" else as_object
    chosen = lines.Chosen(parts, lambda part: wanted.narrow(part, window.narrow(part.lines)), written)
    if raw:
        from zabtrace.evidence.originals import originals, runs, standing, turned

        lines_of = turned(head.sources)
        found = (standing(frame.select("source", "line", "continued"), lines_of) for frame in chosen)
        write(asked.output, originals(asked.evidence, runs(found)))
        return
    _remark(asked, head)
    if asked.format in STREAMED:
        put_parts(asked, (lines.part(frame, head) for frame in chain([lines.none(head)], chosen)))
    else:
        put(asked, lines.listing(chosen, head))
    if chosen.hidden:
        asked.note(f"{chosen.hidden} rows are hidden by --server, --from, --to or what else was asked for.")


def _kinds(written: tuple[str, ...]) -> tuple[str, ...]:
    """Kinds that the grammar has. Raises UsageError that names those that are alike."""
    if not written:
        return written
    import difflib

    from zabtrace.grammar.meanings import meanings

    known = sorted(meanings())
    for word in written:
        if word not in known:
            near = difflib.get_close_matches(word, known, n=3) or [kind for kind in known if word in kind][:3]
            raise UsageError(
                f"--kind {word!r} is no kind of event. {'Near are: ' + ', '.join(near) if near else 'zabtrace grammar lists them'}."
            )
    return written


def _zxid(written: str | None) -> int | None:
    from zabtrace import zxid

    return None if written is None else zxid.parse(written)


def _epoch(written: str | None) -> int | None:
    if written is None:
        return None
    found = re.fullmatch(r"[eE]?(\d{1,10})", written)
    if found is None:
        raise UsageError(f"--epoch {written!r} is no epoch. Write it as 5 or e5.")
    return int(found[1])


@click.command()
@click.argument("line")
@click.argument("evidence", nargs=-1)
@click.option("--before", multiple=True, metavar="DIR", help="Data saved at an earlier time (repeatable, oldest first).")
@click.option("--log-pattern", metavar="PATTERN", help="log4j or logback conversion pattern of the line.")
@click.option("--format", type=click.Choice(("table", "json")), default="table", show_default=True, help="How to print the answer.")
def explain(line: str, evidence: tuple[str, ...], before: tuple[str, ...], log_pattern: str | None, format: str) -> int:  # noqa: A002
    """Say what a log line is taken for, what it means, whether it is a sign of loss, and what to look at next.

    LINE is a whole line or its message. Of a line that is not understood: the nearest shape, and the column where it stops matching.
    With EVIDENCE: where the line stands there, and what became of the writes it speaks of.

    \b
    Examples:
      zabtrace explain "Truncating log to get in sync with the leader 0x100000060"
      zabtrace explain "$(tail -n 1 zookeeper.log)" incident/
    """
    from zabtrace.logs.explaining import explain as explained
    from zabtrace.render import texts

    asked = Asked(evidence, before, format=format, log_pattern=log_pattern)
    told = explained(line.rstrip("\r\n"), log_pattern)
    put(asked, texts.explain(told, asked.judged() if evidence else None))
    return 0


@click.command()
@click.argument("words", nargs=-1)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the answer to this file.")
@click.option(
    "--format", type=click.Choice(("table", "json", "ndjson", "csv")), default="table", show_default=True, help="How to print it."
)
def grammar(words: tuple[str, ...], output: Path | None, format: str) -> int:  # noqa: A002
    """List the messages that are understood: kind, class, releases, meaning, fields, and a sample of each spelling.

    WORDS choose those that hold all of them: a kind, a class, a release, a piece of the text.

    \b
    Examples:
      zabtrace grammar learner_trunc
      zabtrace grammar fastleaderelection notification --format json
    """
    from zabtrace.render import texts

    put(Asked((), output=output, format=format), texts.grammar(words))
    return 0
