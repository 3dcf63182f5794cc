"""The command ``incidents``."""

from __future__ import annotations

import click

from zabtrace.cli.asked import TABULAR, Asked, shared
from zabtrace.cli.output import put, refuse_inside_evidence


@click.command()
@shared(*TABULAR, filters=True)
def incidents(asked: Asked) -> int:
    """Say who lost whom and why, how far apart the servers' clocks stood, and what contradicts the protocol.

    A cause is named only where lines show it. Offsets come from cause and effect: what one server received it cannot have received
    before another sent it. The filters choose losses; clocks and findings are of everything read.

    \b
    Examples:
      zabtrace incidents incident/
      zabtrace incidents incident/ --server 3 --from 2026-11-21T00:09:54Z
      zabtrace incidents incident/ --format json
    """
    from zabtrace.incidents import incidents as found_in
    from zabtrace.render.incidents import view
    from zabtrace.wording import Names

    if asked.output is not None:
        refuse_inside_evidence(asked.output, asked)
    history = asked.history(pack=True)
    with asked.step("looking for what was lost"):
        found = found_in(history)
    put(asked, view(found, Names.of(history.trace.servers), asked.window(history.trace.servers)))
    return 0
