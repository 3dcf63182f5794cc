"""What takes long to make of a grammar is kept between runs, where Python keeps the modules that it compiled.

Strategy: the texts it was made of are kept beside it and compared, and when the modules of this package were written, as Python compares
them, so that nothing outlives a change of either. Where the folder cannot be written, or Python was told to write no bytecode, it is
made anew in every run.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

CODE = Path(__file__).parent
FOLDER = CODE / "__pycache__"


def kept(name: str, texts: str, make: Callable[[], Any]) -> Any:
    """What ``make``, which needs nothing but ``texts``, gives: a JSON value, made now or in an earlier run."""
    path, of = FOLDER / f"{name}.json", [texts, _code()]
    with suppress(OSError, ValueError, TypeError, KeyError):  # none was kept, or something else stands there
        held = json.loads(path.read_text(encoding="utf-8"))
        if held["of"] == of:
            return held["made"]
    made = make()
    if not sys.dont_write_bytecode:
        with suppress(OSError):
            _keep(path, json.dumps({"of": of, "made": made}))
    return made


def _code() -> list[list[str | int]]:
    """Name, size and time of each module of this package."""
    return [[path.name, found.st_size, found.st_mtime_ns] for path in sorted(CODE.glob("*.py")) if (found := path.stat())]


def _keep(path: Path, text: str) -> None:
    """Write a whole file or none: another run may read it now."""
    path.parent.mkdir(exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
