"""What ``salvage`` shows: the JSON lines are the answer, the screen lists them without their data."""

from __future__ import annotations

from zabtrace.documents import salvage as documents
from zabtrace.render import screens
from zabtrace.render.screen import Block, Grid, Sentence
from zabtrace.render.views import View
from zabtrace.replay.history import History
from zabtrace.salvage import Salvage

SHOWN = ("zxid", "fate", "committed", "op", "path", "data_len", "encoding", "content", "expected_version", "fits", "conflicts")


def salvage(history: History, found: Salvage, top: int | None = None) -> View:
    """The writes with their content."""
    document = documents.salvage(history, found)
    rows = document["writes"]
    few = top or screens.FEW
    listed = [{key: row.get(key) for key in SHOWN} | {"zxid": row["zxid"] or f"{row['from']}..{row['to'] or '?'}"} for row in rows]
    blocks: list[Block] = [
        Sentence(f"{len(rows)} writes did not survive; {document['fit']} of them fit what is there now."),
        Sentence(document["compared_with"]),
        *(Sentence(f"  {remark}") for remark in document["remarks"]),
        Grid("Writes that did not survive", [(name.replace("_", " "), name) for name in SHOWN], listed[:few]),
        *screens.more(len(rows), few, "writes"),
    ]
    return View(document, "writes", blocks, found.rows)
