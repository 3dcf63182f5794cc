"""What ``elections --steps`` looks like: each election as each of its servers saw it, notification by notification."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from zabtrace import wording
from zabtrace.documents import Document
from zabtrace.render.screen import Block, Sentence
from zabtrace.render.screens import grid


def steps(document: Document) -> list[Block]:
    """Per election a headline, and per server what it did, from its first vote to the result."""
    return [block for election in document["elections"] for block in _election(election)]


def _election(election: Document) -> Iterator[Block]:
    yield Sentence(f"Election {election['id']}: {election['why']}", "bold")
    for account in election["accounts"]:
        for text in _told(account):
            yield Sentence(f"  {text}")
        yield grid(f"Server {account['server']}, step by step", "steps", [_row(step) for step in account["steps"]])


def _row(step: dict[str, Any]) -> dict[str, Any]:
    """A step with its places in one cell each."""
    forced = step["forced_by"]
    return {**step, "place": wording.place(step), "forced": "" if forced is None else f"line {forced['line']}"}


def _told(account: Document) -> Iterator[str]:
    vote, name = account["first_vote"], account["server"]
    if vote is not None:
        yield (f"Server {name} begins in round {vote['round']} with {vote['zxid']} of epoch {vote['peer_epoch']} ({vote['comes_from']}).")
    for tally in account["tallies"]:
        counted = ", ".join(f"{one['votes']} for {one['candidate']}" for one in tally["counted"]) or "nothing"
        yield f"Server {name} counts {counted} ({wording.place(tally)})."
    if account["quorum_at"] is not None:
        yield f"The quorum of server {name} stands at {account['quorum_at']} ({wording.place(account['quorum_line'])})."
    yield (
        f"Server {name}: {account['result']}" + _duration(account) + (f" No leader: {account['why_none']}." if account["why_none"] else "")
    )


def _duration(account: Document) -> str:
    if account["duration_ms"] is None:
        return "."
    waited = f", {account['wait_ms']} of them behind the quorum" if account["wait_ms"] is not None else ""
    logged = f"; logged are {account['logged_ms']} ms: {account['logged_is']}" if account["logged_is"] is not None else ""
    return f" after {account['duration_ms']} ms by its lines{waited}{logged}."
