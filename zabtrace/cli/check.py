"""``zabtrace check``: are the data files sound, would each server start, do Zab's invariants hold, which known bug fits."""

from __future__ import annotations

import click

from zabtrace.cli.asked import TABULAR, Asked, known_release, shared
from zabtrace.cli.output import STREAMED, put, refuse_inside_evidence

EXIT = {"holds": 0, "violated": 1, "unknown": 3}


@click.command()
@shared(*TABULAR)
@click.option("--chop", metavar="ZXID", help="Say what chopping the logs behind this zxid would lose.")
@click.option("--trust-empty-snapshot", is_flag=True, help="Say what zookeeper.snapshot.trust.empty=true would lose.")
@click.option("--zookeeper-version", "version", metavar="V", help="The release that would start, where no log tells it.")
def check(asked: Asked, chop: str | None, trust_empty_snapshot: bool, version: str | None) -> int:
    """Say whether the data files are sound, whether each server would start, and whether Zab's invariants hold.

    Nothing is repaired: --chop and --trust-empty-snapshot name the official command, and what it would lose.

    \b
    Examples:
      zabtrace check incident/
      zabtrace check server-1/ --zookeeper-version 3.8.4 --format json
      zabtrace check server-3/ --chop 0x100000060
      zabtrace check incident/ --format csv -o findings.csv
    """
    from zabtrace import wording, zxid
    from zabtrace.checks import Question
    from zabtrace.checks import check as examine
    from zabtrace.render import checks

    if asked.output is not None:
        refuse_inside_evidence(asked.output, asked)
    question = Question(known_release(version), None if chop is None else zxid.parse(chop), trust_empty_snapshot)
    history, judgement = asked.judged()
    with asked.step("checking"):
        report = examine(history, judgement.writes, judgement.reasons, question)
    view = checks.rows if asked.format in STREAMED else checks.check
    put(asked, view(report, wording.Names.of(history.trace.servers)))
    code = EXIT[report.verdict]
    if code or not asked.quiet:
        click.echo(f"zabtrace: {report.verdict}: {wording.plain(report.message)}", err=True)
    return code
