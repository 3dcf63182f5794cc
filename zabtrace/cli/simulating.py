"""The command ``simulate``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zabtrace.cli.asked import Asked as Shared
from zabtrace.cli.output import put, write
from zabtrace.errors import UsageError

if TYPE_CHECKING:
    from zabtrace.simulate.scenario import Asked

NUMBERS = re.compile(r"([0-9]{1,9}):([0-9]{1,9}):(0x[0-9a-f]{1,16}|[0-9]{1,10})")
LONGEST = 1 << 20
"""Bytes of a scenario that are read."""


@click.command()
@click.argument("what", nargs=-1, required=True, metavar="SID:EPOCH:ZXID... | SCENARIO")
@click.option("--voters", type=click.IntRange(1, 100), metavar="N", help="With numbers: servers 1 to N vote; those not given are down.")
@click.option("--down", metavar="3,5", help="With numbers: these vote too, but are down.")
@click.option("--zookeeper-version", "version", metavar="V", help="With numbers: the release that the servers run.  [default: the newest]")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the delays: the same seed gives the same run.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="DIR",
              help="Write logs, data files and configuration of every server to this new folder.")  # fmt: skip
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Draw it, message by message, on one page.")
@click.option("--format", "form", type=click.Choice(("table", "json")), default="table", show_default=True, help="How to print the answer.")
def simulate(
    what: tuple[str, ...], voters: int | None, down: str | None, version: str | None, seed: int, output: Path | None, html: Path | None,
    form: str,
) -> int:  # fmt: skip
    """Run an election, or a whole scenario, and print it round by round: every notification, vote and rule.

    SID:EPOCH:ZXID is a server that starts with that currentEpoch and last zxid: its counter in the epoch, or the whole zxid with 0x.

    SCENARIO is a file with a statement per line, # begins a remark. First what there is, then what happens:

    \b
      servers 1 2 3            observers 4           version 3.8.4 [on 2]
      group 1: 1 2 3           weight 3 = 0          tickTime 2000, initLimit, syncLimit
      delay 1-4 ms             slow 1 2 by 300 ms    clock 2 ahead 500 ms
      disk 3 epoch 2 zxid 1/8 2/3                    force snapshots, electionAlg 0
      start all                rest                  wait 2 s
      write 5 [on 3]           crash leader [torn]   snapshot 2
      pause 1 2                resume all            wipe 3
      cut 3 from 1 2           heal                  mutate a lost write

    With -o, mutate changes what is written so that a check finds it; a wrong name lists the mutations there are.

    \b
    Examples:
      zabtrace simulate 1:1:8 2:1:8 4:1:7 --voters 5
      zabtrace simulate 1:1:8 2:1:8 4:1:7 --down 3,5 --html election.html
      zabtrace simulate crash.scenario --seed 7 -o incident/
    """
    from zabtrace.documents import simulation as documents
    from zabtrace.render import simulation as screens
    from zabtrace.simulate import evidence, mutations, scenario

    asked = _asked(what, voters, down, version)
    chosen = mutations.named(asked.mutations)
    ensemble = scenario.play(asked, seed)
    document = documents.simulation(ensemble, seed, chosen, numbers=len(what) > 1 or NUMBERS.fullmatch(what[0]) is not None)
    if output is not None:
        evidence.write(mutations.left(chosen, ensemble, asked.unknown, seed), output)
    elif chosen:
        raise UsageError("the scenario mutates what is written: name a folder with -o.")
    if html is not None:
        from zabtrace.report import simulation as pages

        write(html, [pages.page(document, ensemble)])
    put(Shared((), format=form), screens.view(document))
    return 0


def _asked(what: tuple[str, ...], voters: int | None, down: str | None, version: str | None) -> Asked:
    """What to play: numbers, or the statements of a file. Raises UsageError."""
    from zabtrace.grammar.scenario import parse
    from zabtrace.simulate.scenario import from_numbers, from_statements

    if down is not None and not re.fullmatch("[0-9]{1,9}(,[0-9]{1,9})*", down):
        raise UsageError(f"--down {down!r} is no list of servers, for example --down 3,5.")
    matches = [NUMBERS.fullmatch(word) for word in what]
    if len(what) == 1 and matches[0] is None:
        if voters or down or version:
            raise UsageError("--voters, --down and --zookeeper-version go with numbers; a scenario says so itself: servers, version.")
        return from_statements(parse(_text(Path(what[0]))))
    wrong = [word for word, match in zip(what, matches, strict=True) if match is None]
    if wrong:
        raise UsageError(f"{wrong[0]!r} is not SID:EPOCH:ZXID, for example 2:1:8 or 2:1:0x100000008; one scenario file stands alone.")
    starts = [(int(m[1]), int(m[2]), int(m[3], 16 if m[3].startswith("0x") else 10)) for m in matches if m]
    return from_numbers(starts, voters, [int(sid) for sid in down.split(",")] if down else [], version)


def _text(path: Path) -> str:
    """A scenario's text. Raises UsageError."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}), and is not SID:EPOCH:ZXID such as 2:1:8 either.") from error
    if len(content) > LONGEST:
        raise UsageError(f"{path} has {len(content)} bytes: a scenario has at most {LONGEST}.")
    return content.decode("utf-8", "replace")
