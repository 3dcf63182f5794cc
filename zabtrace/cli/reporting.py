"""The report: everything on one page, or the same content in another form."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zabtrace.cli.asked import Asked, shared
from zabtrace.cli.check import EXIT
from zabtrace.cli.output import refuse_inside_evidence, terminal_width, write
from zabtrace.cli.verifying import EXIT as VERDICTS
from zabtrace.cli.verifying import close

if TYPE_CHECKING:
    from zabtrace.documents.window import Window
    from zabtrace.report.content import Findings

PAGE = Path("zabtrace-report.html")
FORMATS = ("html", "md", "timesketch", "shiviz")
FOLDED = ("html", "md")
"""Forms that a long history is folded for; the others list every record."""
SEVERITY = (1, 3, 0)
"""Exit codes, the worst first."""


def names(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    """Names of sections, several to a word, separated by commas."""
    return tuple(part.strip() for word in given for part in word.split(",") if part.strip())


@click.command()
@shared(filters=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), help=f"Write to this file.  [default: {PAGE}]")
@click.option(
    "--format",
    type=click.Choice(FORMATS),
    default=FORMATS[0],
    show_default=True,
    help="What to write: the page, Markdown, Timesketch JSON lines, or a ShiViz log with vector clocks.",
)
@click.option("--title", default=None, help="Title of the page.")
@click.option("--note", default=None, help="A remark to print below the verdict.")
@click.option("--anonymize", is_flag=True, help="Substitutes for paths, data, addresses and names; zxids and times stay.")
@click.option("--only", multiple=True, metavar="SECTION", callback=names, help="Only these sections (repeatable, or with commas).")
@click.option("--skip", multiple=True, metavar="SECTION", callback=names, help="Without these sections (repeatable, or with commas).")
def report(asked: Asked, **wishes: Any) -> int:
    """Write everything on one self-contained HTML page, and a summary on the terminal.

    The other formats go to stdout without -o.

    Sections: happened, timeline, elections, epochs, writes, syncs, files, clients, incidents, bugs, method.

    \b
    Examples:
      zabtrace report incident/
      zabtrace report server-1/ server-2/ server-3/ --before before-restart/ -o outage.html --title "Outage of 21 November"
      zabtrace report incident/ --format md --skip method > post-mortem.md
      zabtrace report incident/ --format shiviz -o election.shiviz
      zabtrace report incident/ --anonymize --note "For the vendor"
      zabtrace report incident/ --skip method --from 2026-11-21T00:09:50Z --to 2026-11-21T00:10:00Z
    """
    from zabtrace.report import sections

    sections.chosen(wishes["only"], wishes["skip"])
    target = asked.output or (PAGE if asked.format == "html" else None)
    if target is not None:
        refuse_inside_evidence(target, asked)
    found = _findings(asked)
    given = [*asked.evidence, *(word for one in asked.before for word in ("--before", one))]
    shown, words = found, given
    if wishes["anonymize"]:
        from zabtrace.report.anonymous import Disguise

        disguise = Disguise()
        shown, words = disguise.of(found), [disguise.path(word) for word in given]
    with asked.step("drawing the page"):
        write(target, _written(asked, shown, {**wishes, "command": shlex.join(words), "locate": _locator(words)}))
    if target is not None:
        _summary(shown, target)
    return _verdict(asked, shown)


def _verdict(asked: Asked, found: Findings) -> int:
    """1 where writes or checks say so, else 3 where one of them cannot tell; the reason of the worse one on stderr."""
    judged, checked = VERDICTS[found.judgement.verdict], EXIT[found.check["verdict"]] if found.check else 0
    if SEVERITY.index(judged) <= SEVERITY.index(checked) or found.check is None:
        return close(asked, found.judgement)
    click.echo(f"zabtrace: {found.check['verdict']}: {found.check['message']}", err=True)
    return checked


def _findings(asked: Asked) -> Findings:
    """Everything the report is made of."""
    from zabtrace import wording
    from zabtrace.checks import check
    from zabtrace.documents import checks as checked
    from zabtrace.documents import incidents as told
    from zabtrace.documents.accounts import details
    from zabtrace.evidence.long import uneven
    from zabtrace.incidents import incidents
    from zabtrace.predict import predict
    from zabtrace.report.content import Findings

    history, judgement = asked.judged(fold=[] if asked.format in FOLDED else None, drawn=True)
    names = wording.Names.of(history.trace.servers)
    window = asked.window(history.trace.servers)
    with asked.step("predicting the next start"):
        # a start may discard any record that some server lacks: where these are too many, none is foretold
        prediction = None if uneven(history.trace) else predict(history)
    with asked.step("checking"):
        found = checked.check(check(history, judgement.writes, judgement.reasons), names)
    with asked.step("looking for causes"):
        noticed = incidents(history)
        lost = told.incidents(noticed, names, _of_times(window))
        elections = details(history)
    return Findings(history, judgement, prediction, found, lost, elections, noticed.clocks, noticed.pauses, noticed.losses)


def _of_times(window: Window) -> Window:
    """The window without bounds that losses cannot be compared with: they have times, and neither zxid nor epoch."""
    low, high = (None if bound is None or bound.time is None else bound for bound in (window.low, window.high))
    return replace(window, low=low, high=high)


def _locator(words: list[str]) -> Callable[[str], str | None]:
    """Where a source lies as a plain file, by the folder that was named and begins its name."""
    folders = {Path(word).resolve().name: Path(word) for word in words if word != "--before"}

    def located(source: str) -> str | None:
        name, _, rest = source.removeprefix("before:").partition("/")
        file = folders[name] / rest if name in folders else Path(source)
        plain = file.suffix not in (".gz", ".bz2", ".xz", ".zst") and str(file).isprintable()
        return shlex.quote(str(file)) if name in folders and plain and file.is_file() else None

    return located


def _written(asked: Asked, found: Findings, wishes: dict[str, Any]) -> Iterable[str]:
    from zabtrace.report import exports, markdown, page
    from zabtrace.report.content import Wish, gather

    window = asked.window(found.history.trace.servers)
    chosen = {key: wishes[key] for key in ("title", "note", "only", "skip", "command", "locate")}
    content = gather(found, Wish(**chosen, window=window))
    writers = {"md": markdown.markdown, "timesketch": exports.timesketch, "shiviz": exports.shiviz}
    return [page.html(content)] if asked.format == "html" else writers[asked.format](content)


def _summary(found: Findings, target: Path) -> None:
    from zabtrace import wording
    from zabtrace.incidents.alignment import alignment
    from zabtrace.render import screen, summary
    from zabtrace.report.advice import advice

    told = advice(found.judgement, found.prediction, wording.Names.of(found.history.trace.servers))
    blocks = [*summary.blocks(found.history, found.judgement, alignment(found.clocks))]
    blocks += [*(screen.Sentence(sentence, "bold yellow") for sentence in told), screen.Sentence(f"The page: {target}")]
    width = terminal_width()
    write(None, screen.plain(blocks) if width is None else screen.coloured(blocks, width))
