"""A capture whose paths, data, thread names and messages want to be markup, code, control characters or just enormous."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from browser import browser, needs_chromium, opened
from record_bytes import LOG_HEADER, create, frame

from zabtrace import cli

ALERT = "<img src=x onerror=alert(1)>"
PATHS = (
    f"/{ALERT}", "/</script><script>alert(2)</script>", "/\"'`${alert(3)}{{7*7}}", "/\x1b]0;title\x07\x1b[2J", "/\u202egnp.exe\u2066",
    "/=cmd|' /C calc'!A0", "/" + "A" * 1_000_000, "/%s%n{}\\", "/&lt;b&gt;&#x3c;", "/javascript:alert(4)",
)  # fmt: skip
LINES = (
    f"2026-11-21 00:10:01,001 [myid:] - WARN  [{ALERT}:Odd{ALERT}@1] - {ALERT} \x1b[31m\u202e</script><script>alert(5)</script>",
    f"2026-11-21 00:10:01,002 [myid:] - INFO  [NIOWorkerThread-1:o.a.z.s.ZooKeeperServer@1] - {'B' * 1_000_000}",
    f"2026-11-21 00:10:01,003 [myid:] - ERROR [main:o.a.z.s.q.QuorumPeerMain@99] - Unexpected exception, exiting abnormally {ALERT}",
)
LIMIT = 6_000_000
"""Bytes of a page, of which plotly is 4.8 million: megabytes of evidence must not become megabytes of it."""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory, samples: Path) -> Path:
    """truncated-3.8.0 with more records behind the old leader's log as it was before, and more lines of server 3."""
    folder = tmp_path_factory.mktemp("evidence") / "incident"
    shutil.copytree(samples / "truncated-3.8.0", folder)
    text = next(folder.glob("server-3/**/zookeeper.log"))
    text.write_text(text.read_text() + "\n".join(LINES) + "\n")
    for server in (1, 2, 3):
        disk = tmp_path_factory.mktemp(f"server-{server}") / f"server-{10 + server}"
        version = disk / "version-2"
        version.mkdir(parents=True)
        records = [create(0x500000001 + number, path) for number, path in enumerate(PATHS)]
        (version / "log.500000001").write_bytes(LOG_HEADER + b"".join(map(frame, records)) + bytes(64))
        (disk / "myid").write_text(f"{10 + server}\n")
        shutil.copytree(disk, folder / f"server-{10 + server}")
    return folder


@pytest.fixture(scope="module")
def samples() -> Path:
    return Path(__file__).parent.parent / "sample_logs"


def written(hostile: Path, folder: Path, kind: str) -> str:
    target = folder / f"out.{kind}"
    assert cli.run(["report", str(hostile), "--format", kind, "-o", str(target), "-q"]) in (0, 1, 3)
    return target.read_text()


@needs_chromium
def test_the_page_draws_it_and_nothing_runs(hostile: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = written(hostile, tmp_path, "html")
    assert len(text) < LIMIT
    said: list[Any] = []
    with browser() as made, opened(made, tmp_path / "out.html") as seen:
        seen.page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
        seen.page.wait_for_selector("#chart-timeline[data-ready]")
        for details in seen.page.locator("details").all():
            details.evaluate("one => { one.open = true; }")
        places = seen.page.locator("button.place")
        for number in range(0, places.count(), max(places.count() // 12, 1)):
            places.nth(number).evaluate("one => one.click()")
            seen.page.keyboard.press("Escape")
        seen.page.locator("#elections").scroll_into_view_if_needed()
        seen.page.wait_for_selector("#spacetime svg")
        for button in seen.page.locator("#spacetime button").all():
            button.evaluate("one => one.click()")
        assert seen.page.locator("img").count() == 0
        assert seen.page.title() == "What became of the writes · zabtrace"
        assert (said, seen.errors, seen.requests) == ([], [], [])


@pytest.mark.parametrize("kind", ["md", "timesketch", "shiviz"])
def test_other_faces_hold_no_markup_and_no_control_characters(hostile: Path, tmp_path: Path, kind: str) -> None:
    text = written(hostile, tmp_path, kind)
    for live in ("\x1b", "\x07", "\u202e", "\u2066", "\x00"):
        assert live not in text
    if kind == "md":
        assert "<img" not in text
        assert "<script" not in text


@pytest.mark.parametrize("command", [["verify", "--all"], ["events", "--unknown"], ["elections"], ["txns"], ["events"]])
def test_terminals_get_no_control_characters(hostile: Path, capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    assert cli.run([command[0], str(hostile), *command[1:], "-q"]) in (0, 1, 3)
    shown = capsys.readouterr()
    for live in ("\x1b", "\x07", "\u202e", "\u2066"):
        assert live not in shown.out + shown.err
