"""Tables of the page in a real browser: sorted, searched, paged, copied, saved and printed, with the sentences told below their rows."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import incident
import pytest
from browser import browser, needs_chromium, opened

from zabtrace import schema
from zabtrace.fates.judgement import Judgement
from zabtrace.report import page
from zabtrace.report.content import Findings, Wish, gather

PATHS = {3: "/<img src=x onerror=alert(1)>&lt;b&gt;", 4: "+1", 5: "-1", 6: "@x", 7: "\t=1"}
NUMBER = 120


def zxid(number: int) -> int:
    """Ascending; as texts the first sixteen would stand behind all others."""
    return 0xFFFFFFF0 + number


def lost() -> Judgement:
    """Writes in three groups of one sentence, and one of its own per row behind them."""
    rows = [
        {
            "zxid": zxid(n),
            "fate": "lost",
            "why": f"group{n // 4}" if n < 12 else f"why {n}",
            "path": PATHS.get(n, f"={n}" if n % 2 else f"/n{n}"),
            "evidence": [],
        }
        for n in range(NUMBER)
    ]
    return Judgement(verdict="lost", writes=schema.frame(schema.WRITES, rows), message="All lost.")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("tables") / "page.html"
    found = Findings(incident.history(), lost(), incident.prediction())
    target.write_text(page.html(gather(found, Wish(only=("writes",)))))
    return target


def shows(grid: Any, numbers: list[int]) -> None:
    """The table comes to show these writes and no others: it sorts and searches a moment after it was asked to."""
    from playwright.sync_api import expect

    expect(grid.locator("tbody tr:not(.proof) td.zxid")).to_have_text(written(numbers))


def written(numbers: list[int]) -> list[str]:
    return [f"0x{number:x}" for number in numbers]


@needs_chromium
def test_rows_are_sorted_as_numbers_and_paged(chromium: Any, file: Path) -> None:
    numbers = [zxid(n) for n in range(NUMBER)]
    with opened(chromium, file) as seen:
        grid = seen.page.locator("#writes .grid[data-ready]")
        shows(grid, numbers[:25])
        grid.get_by_role("link", name="Next").click()
        shows(grid, numbers[25:50])
        assert "26–50 of 120" in grid.inner_text()
        head = grid.locator("th", has_text="zxid")
        head.click()
        grid.locator("th[aria-sort=ascending]").wait_for()
        shows(grid, numbers[:25])
        head.get_by_role("button").press("Enter")
        grid.locator("th[aria-sort=descending]").wait_for()
        shows(grid, numbers[::-1][:25])
        assert (seen.errors, seen.requests) == ([], [])


@needs_chromium
def test_a_search_finds_words_of_cells_and_of_sentences_as_text(chromium: Any, file: Path) -> None:
    with opened(chromium, file) as seen:
        grid = seen.page.locator("#writes .grid[data-ready]")
        box = grid.get_by_role("searchbox")
        for words, found in (
            ("why 77", [77]), ("=77", [77]), ("group1", [4, 5, 6, 7]), ("onerror=alert(1)", [3]), ("&lt;b&gt;", [3]),
            ("place", []), ("tbody", []),
        ):  # fmt: skip
            box.fill(words)
            shows(grid, [zxid(n) for n in found])
        assert "No row holds these words." in grid.inner_text()
        assert (seen.page.locator("img").count(), seen.errors, seen.requests) == (0, [], [])


@needs_chromium
def test_sentences_stand_below_their_rows_in_any_order(chromium: Any, file: Path) -> None:
    with opened(chromium, file) as seen:
        grid = seen.page.locator("#writes .grid[data-ready]")
        classes = "rows => rows.map((row) => row.className === 'proof' ? row.innerText.trim() : '')"
        assert grid.locator("tbody tr").evaluate_all(classes)[:11] == [*[""] * 4, "group0", *[""] * 4, "group1", ""]
        grid.locator("th", has_text="path").click()  # -1 is a number, the others are texts in the order of their characters
        grid.locator("th[aria-sort=ascending]").wait_for()
        assert grid.locator("td[data-label=path]").all_inner_texts()[:4] == ["-1", "+1", "/<img src=x onerror=alert(1)>&lt;b&gt;", "/n0"]
        told = grid.locator("tbody tr").evaluate_all(
            "rows => rows.map((row) => row.className === 'proof' ? row.innerText.trim() : row.cells[0].innerText)"
        )
        wanted = {f"0x{zxid(n):x}": f"group{n // 4}" if n < 12 else f"why {n}" for n in range(NUMBER)}
        waiting: list[str] = []
        for text in told:
            if text in wanted:
                waiting.append(text)
            else:
                assert {wanted[one] for one in waiting} == {text}
                waiting = []
        assert waiting == []


@needs_chromium
def test_what_is_found_is_saved_and_copied_harmlessly(chromium: Any, file: Path) -> None:
    with opened(chromium, file, accept_downloads=True, permissions=["clipboard-read", "clipboard-write"]) as seen:
        grid = seen.page.locator("#writes .grid[data-ready]")
        grid.get_by_role("searchbox").fill("group1")
        shows(grid, [zxid(n) for n in (4, 5, 6, 7)])
        with seen.page.expect_download() as download:
            grid.get_by_role("button", name="CSV").click()
        saved = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text())))
        assert [(row["zxid"], row["path"], row["told"]) for row in saved] == [
            (f"0x{zxid(n):x}", path, "group1") for n, path in ((4, "'+1"), (5, "'-1"), (6, "'@x"), (7, "\\t=1"))
        ]
        grid.get_by_role("button", name="Copy").click()
        grid.get_by_role("button", name="Copied").wait_for()
        lines = seen.page.evaluate("navigator.clipboard.readText()").splitlines()
        assert [line.split("\t")[0] for line in lines[1:]] == written([zxid(n) for n in (4, 5, 6, 7)])
        assert "\t'+1\t" in lines[1]
        assert seen.errors == []


@needs_chromium
def test_tables_out_of_sight_wait_and_paper_gets_more_rows(chromium: Any, tmp_path: Path) -> None:
    found = Findings(incident.history(), lost(), incident.prediction())
    target = tmp_path / "page.html"
    target.write_text(page.html(gather(found, Wish(skip=("timeline",), note="x\n" * 200))))
    with opened(chromium, target) as seen:
        assert seen.page.locator("[data-ready]").count() == 0
        seen.page.keyboard.press("/")
        assert seen.page.evaluate("document.activeElement.closest('.grid').dataset.ready") == "1"
        seen.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert seen.page.locator("#writes tr:not(.proof) td.zxid").count() == 100
        seen.page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert seen.page.locator("#writes tr:not(.proof) td.zxid").count() == 25
        assert seen.errors == []


def test_the_vendored_script_is_the_one_its_table_names_and_the_page_carries_its_licence(file: Path) -> None:
    folder = resources.files("zabtrace.report").joinpath("vendored")
    ((name, version, digest),) = re.findall(
        r"^\| `(\S+\.js)` \|.*\| (\d+\.\d+\.\d+) \|.*\| `([0-9a-f]{64})` \|$", folder.joinpath("README.md").read_text(), re.MULTILINE
    )
    script = folder.joinpath(name).read_bytes()
    assert hashlib.sha256(script).hexdigest() == digest
    assert script.startswith(f"/*! DataTables {version}".encode())
    text = file.read_text()
    assert script.decode() in text
    assert "Permission is hereby granted, free of charge" in text
    assert "'unsafe-eval'" not in text
