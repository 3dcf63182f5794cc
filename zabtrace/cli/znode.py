"""A znode's PATH among the EVIDENCE: an argument that begins with / and is no file here is one; ``--path`` always is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from zabtrace.cli.asked import Asked
from zabtrace.cli.output import refuse_inside_evidence
from zabtrace.errors import UsageError

PATH = click.option("--path", "-p", metavar="PATH", help="A znode path, where it could be taken for a file of this machine.")


def split(asked: Asked, given: str | None) -> tuple[Asked, str | None]:
    """The evidence without the znode path in it, and that path. Raises UsageError where several may be meant."""
    named = [word for word in asked.evidence if word == "/" or (word.startswith("/") and not Path(word).exists())]
    paths = [*([given] if given else []), *named]
    if len(paths) > 1:
        raise UsageError(f"Several znode paths are given: {', '.join(paths)}. (What begins with / and is no file is taken for one.)")
    evidence = tuple(word for word in asked.evidence if word not in named)
    if not evidence:
        raise UsageError(f"No evidence is named: {paths[0]} is taken for a znode path, there is no such file.")
    path = paths[0] if paths else None
    if path is not None and not path.startswith("/"):
        raise UsageError(f"{path!r} is no znode path: it begins with /.")
    return replace(asked, evidence=evidence), path if path in (None, "/") else str(path).rstrip("/")


def check_target(asked: Asked) -> None:
    """Raise UsageError where the output would lie in the evidence."""
    if asked.output is not None:
        refuse_inside_evidence(asked.output, asked)
