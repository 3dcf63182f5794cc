"""``answers``: what servers answered to four-letter words."""

from __future__ import annotations

import click

from zabtrace.cli.asked import TABULAR, Asked, shared
from zabtrace.cli.output import put


@click.command()
@shared(*TABULAR, filters=True)
@click.option("--key", multiple=True, metavar="KEY", help="Only facts of this key, for example mode, zxid or session (repeatable).")
def answers(asked: Asked, key: tuple[str, ...]) -> int:
    """List the facts in saved answers to four-letter words (srvr, stat, mntr, conf, cons, envi, wchs, dump, ruok, isro).

    An answer does not say when it was given, and the time of a file is no evidence of it: it is not older than the newest connection
    it lists (``since``).

    \b
    Examples:
      zabtrace answers incident/
      zabtrace answers incident/ --key mode --key zxid
      zabtrace answers incident/ --key session --format csv
    """
    from zabtrace.render import facts

    trace = asked.trace(lines=False)
    put(asked, facts.facts(trace, asked.window(trace.servers), key))
    return 0
