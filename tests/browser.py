"""Debian's Chromium, driven by Playwright, for the tests that look at the page: its console, its requests, its errors are all kept."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed: the page cannot be opened")


@dataclass
class Seen:
    """An open page, and what it did: console errors, uncaught errors, requests for anything but itself."""

    page: Any
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@contextmanager
def browser() -> Iterator[Any]:
    """One Chromium for several pages."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        made = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
        yield made
        made.close()


@contextmanager
def opened(made: Any, file: Path, width: int = 1280, height: int = 900, **options: Any) -> Iterator[Seen]:
    """A page in a fresh context."""
    context = made.new_context(viewport={"width": width, "height": height}, **options)
    page = context.new_page()
    page.set_default_timeout(30_000)
    seen = Seen(page)
    page.on("console", lambda message: seen.errors.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    page.on("request", lambda request: seen.requests.append(request.url) if request.url != file.as_uri() else None)
    page.goto(file.as_uri())
    yield seen
    context.close()
