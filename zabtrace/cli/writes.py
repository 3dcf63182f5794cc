"""``txns``, ``history`` and ``sessions``: the records, what they did to a znode, and the sessions that sent them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from zabtrace.cli import znode
from zabtrace.cli.asked import TABULAR, Asked, shared
from zabtrace.cli.output import STREAMED, put, put_parts, write
from zabtrace.errors import UsageError

if TYPE_CHECKING:
    from zabtrace.render.views import View


@click.command()
@shared(*TABULAR, "text", filters=True)
@click.option("--path", "-p", metavar="PATH", help="Only records that write this znode, also as members of a multi or with a session.")
@click.option("--session", metavar="ID", help="Only records of this session (0x..).")
@click.option("--op", multiple=True, metavar="OP", help="Only this operation, such as setData or error (repeatable).")
def txns(asked: Asked, path: str | None, session: str | None, op: tuple[str, ...]) -> int:
    """List the records of the transaction logs, file by file, in the order in which they were written.

    \b
    Examples:
      zabtrace txns server-3/ --from 0x100000061
      zabtrace txns incident/ --format ndjson
      zabtrace txns incident/ --server 1 --path /app/config --format text
      zabtrace txns incident/ --session 0x300001b95500000 --op error --op closeSession
    """
    znode.check_target(asked)
    if asked.format in STREAMED:
        return _streamed(asked, path, session, op)
    from zabtrace.render import records

    chosen = records.Chosen(path, _session(session), _ops(op))
    trace = asked.trace()
    window = asked.window(trace.servers)
    if asked.format != "text":
        put(asked, records.txns(trace, window, chosen))
        return 0
    from zabtrace.render import txntext

    shown = records.narrowed(trace, window, chosen)
    if shown.height < trace.txns.height:
        asked.note(f"{trace.txns.height - shown.height} records are hidden by what was asked for.")
    write(asked.output, txntext.lines(trace, records.with_members(trace, shown, "data_offset")))
    return 0


def _streamed(asked: Asked, path: str | None, session: str | None, op: tuple[str, ...]) -> int:
    """Part by part, so that logs of any size need little memory."""
    os.environ.setdefault("POLARS_MAX_THREADS", "1")  # threads of our own decode ahead: polars' would wait for the same processors
    from zabtrace import evidence
    from zabtrace.render import records

    chosen = records.Chosen(path, _session(session), _ops(op))
    head, parts = evidence.records(asked.evidence, asked.before, asked.timezone, asked.log_pattern)
    window = asked.window(head.servers)
    damaged = 0

    def views() -> Iterator[View]:
        nonlocal damaged
        for part in parts:
            damaged += part.damage.height
            yield records.txns(part, window, chosen)

    put_parts(asked, views())
    if damaged:
        asked.note(f"{damaged} places in the logs are damaged or odd: zabtrace check tells where and what.")
    return 0


def _session(written: str | None) -> int | None:
    """A session id as written. Raises UsageError."""
    from zabtrace import zxid

    try:
        return None if written is None else zxid.parse(written if written.startswith("0x") else f"0x{written}")
    except UsageError as error:
        raise UsageError(f"--session {written!r} is no session id. Write it as ZooKeeper prints it: 0x300001b95500000.") from error


def _ops(written: tuple[str, ...]) -> tuple[str, ...]:
    """Operations by ZooKeeper's names, in any case. Raises UsageError."""
    from zabtrace.records.opcodes import OPS

    known = {one.name.lower(): one.name for one in OPS}
    for word in written:
        if word.lower() not in known and not word.startswith("unknown("):
            raise UsageError(f"--op: there is no operation {word!r}. There are: {', '.join(known.values())}.")
    return tuple(known.get(word.lower(), word) for word in written)


@click.command()
@shared(*TABULAR, filters=True)
@click.option("--below", is_flag=True, help="The changes of all znodes below it too.")
@click.option("--values", is_flag=True, help="Show the data before and after each change.")
@znode.PATH
def history(asked: Asked, below: bool, values: bool, path: str | None) -> int:
    """List every change of a znode: when, by which session and from where, old and new size or value, and what became of the write.

    \b
    Examples:
      zabtrace history /app/config incident/
      zabtrace history incident/ /app --below --values
      zabtrace history incident/ --path /app/config --format json
    """
    from zabtrace.documents.trees import judged_changes
    from zabtrace.render import trees
    from zabtrace.replay.tree_history import changes

    znode.check_target(asked)
    asked, of = znode.split(asked, path)
    if of is None:
        raise UsageError("Name the znode: zabtrace history PATH EVIDENCE, or --path PATH where a file of that name exists here.")
    replayed, judgement = asked.judged()
    with asked.step("following the znode"):
        found = judged_changes(changes(replayed.trace, of, below=below, values=values), judgement.writes)
    put(asked, trees.history(replayed.trace, of, found, asked.window(replayed.trace.servers), values=values))
    return 0


@click.command()
@shared(*TABULAR)
@click.option("--server", multiple=True, metavar="SERVER", help="Only sessions that this server created (repeatable).")
def sessions(asked: Asked) -> int:
    """List sessions: who created them, their time-out, how they ended, and their ephemeral znodes.

    \b
    Examples:
      zabtrace sessions incident/
      zabtrace sessions incident/ --server 3 --format json
    """
    from zabtrace.documents.window import sids
    from zabtrace.render import trees

    znode.check_target(asked)
    replayed, judgement = asked.judged()
    with asked.step("following the sessions"):
        put(asked, trees.sessions(replayed.trace, judgement.writes, sids(asked.server, replayed.trace.servers)))
    return 0
