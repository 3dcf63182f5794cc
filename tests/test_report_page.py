"""The page as people use it: themes, contrast, keys, tables, sections, window; in a real browser."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import incident
import pytest
from browser import browser, needs_chromium, opened

from zabtrace import schema
from zabtrace.documents.window import Window, point
from zabtrace.errors import UsageError
from zabtrace.fates.judgement import Judgement
from zabtrace.report import page, sections
from zabtrace.report.content import Findings, Wish, gather

CONTRAST = """() => {
  const part = (v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
  const light = (rgb) => {
    const [r, g, b] = rgb.match(/[\\d.]+/g).slice(0, 3).map((v) => part(parseFloat(v)));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (one) => {
    for (; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if (!/, 0\\)$|transparent/.test(colour)) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const speaks = (one) => [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
  const ratio = (one) => {
    const both = [light(getComputedStyle(one).color), light(behind(one))];
    return (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
  };
  return [...document.querySelectorAll("header *, main *, footer *")]
    .filter((one) => !one.closest("svg, .js-plotly-plot, [hidden], :disabled, [aria-disabled]") && speaks(one) && ratio(one) < 4.5)
    .map((one) => one.tagName + "." + one.className + " " + ratio(one).toFixed(2));
}"""  # WCAG 2.1, 1.4.3: relative luminance and contrast ratio


def made(judgement: Judgement | None = None, **wishes: Any) -> str:
    found = Findings(incident.history(), judgement or incident.judgement(), incident.prediction())
    return page.html(gather(found, Wish(**wishes)))


def many(number: int) -> Judgement:
    rows = [
        {"zxid": 0x100000001 + n, "fate": "lost", "why": f"why {n}", "path": f"={n}" if n % 2 else f"/n{n}", "evidence": []}
        for n in range(number)
    ]
    return Judgement(verdict="lost", writes=schema.frame(schema.WRITES, rows), message="All lost.")


@pytest.fixture(scope="module")
def chromium() -> Any:
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    written = {"made": made(), "many": made(many(120), skip=("timeline",))}
    for name, text in written.items():
        (folder / f"{name}.html").write_text(text)
    return {name: folder / f"{name}.html" for name in written}


@needs_chromium
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_has_contrast_in_both_themes(chromium: Any, pages: dict[str, Path], theme: str) -> None:
    with opened(chromium, pages["made"], color_scheme=theme) as seen:
        dark = seen.page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
        assert dark == (theme == "dark")
        assert seen.page.evaluate(CONTRAST) == []
        seen.page.keyboard.press("t")
        assert (seen.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)") == dark
        assert seen.page.evaluate(CONTRAST) == []
        assert seen.errors == []
        assert [url for url in seen.requests if not url.startswith(("data:", "blob:"))] == []


CLICK = """(name) => {
  const chart = document.getElementById("chart-timeline"), number = chart.data.findIndex((trace) => trace.name.startsWith(name));
  chart.emit("plotly_click", { points: [{ curveNumber: number, pointNumber: 0, customdata: chart.data[number].customdata[0] }] });
}"""


@needs_chromium
def test_a_click_shows_the_lines_and_a_command(chromium: Any, pages: dict[str, Path]) -> None:
    with opened(chromium, pages["made"]) as seen:
        panel = seen.page.locator("#panel")
        seen.page.wait_for_selector("#chart-timeline[data-ready]")
        seen.page.evaluate(CLICK, "truncated")
        assert panel.locator("h2").inner_text() == "0x100000007 truncated"
        assert "server-3/zookeeper.log:312" in panel.inner_text()
        assert "zabtrace verify EVIDENCE --explain 0x100000007" in panel.inner_text()
        seen.page.keyboard.press("Escape")
        assert panel.is_hidden()
        seen.page.locator("#method details summary").first.click()
        seen.page.locator("#method button.place").first.click()
        assert (
            panel.locator("mark").inner_text().strip() == "2  2026-11-21T00:09:50.857Z WARN [main] Odd: [myid:1] 17 things at 0x5 \\x1b[31m"
        )
        assert "LOOKING" in panel.locator("pre span").first.inner_text()
        assert seen.errors == []


@needs_chromium
def test_a_button_goes_to_an_incident_in_all_panels(chromium: Any, pages: dict[str, Path]) -> None:
    with opened(chromium, pages["made"]) as seen:
        seen.page.wait_for_selector("#chart-timeline[data-ready]")
        seen.page.locator("#jumps button").nth(1).click()
        seen.page.wait_for_timeout(300)
        ranges = seen.page.evaluate(
            "['xaxis','xaxis2','xaxis3'].map((a) => document.getElementById('chart-timeline')._fullLayout[a].range)"
        )
        assert ranges[0] == ranges[1] == ranges[2]
        assert ranges[0][0].startswith("2026-11-21 00:09:53.857")
        assert seen.errors == []


CHART = """() => {
  const chart = document.getElementById("chart-timeline"), drawn = chart.querySelector(".main-svg").getBoundingClientRect();
  return { under: document.getElementById("elections").getBoundingClientRect().top - drawn.bottom, width: drawn.width,
           height: drawn.height, ink: chart.layout.font.color };
}"""


@needs_chromium
def test_the_chart_keeps_its_height_and_paper_gets_light_colours(chromium: Any, pages: dict[str, Path]) -> None:
    with opened(chromium, pages["made"], color_scheme="dark") as seen:
        seen.page.wait_for_selector("#chart-timeline[data-ready]")
        first = seen.page.evaluate(CHART)
        seen.page.set_viewport_size({"width": 700, "height": 900})
        seen.page.wait_for_timeout(400)
        narrow = seen.page.evaluate(CHART)
        assert (narrow["height"], narrow["width"] < first["width"]) == (first["height"], True)
        assert min(first["under"], narrow["under"]) >= 0
        seen.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        printed = seen.page.evaluate(CHART)
        assert (printed["ink"], printed["width"]) == ("#1f2933", 1000)
        seen.page.evaluate("dispatchEvent(new Event('afterprint'))")
        seen.page.wait_for_timeout(200)
        assert seen.page.evaluate(CHART) == narrow
        assert seen.errors == []


@needs_chromium
def test_no_button_of_the_chart_sends_it_anywhere(chromium: Any, pages: dict[str, Path]) -> None:
    with opened(chromium, pages["made"]) as seen:
        seen.page.wait_for_selector("#chart-timeline[data-ready]")
        titles = seen.page.evaluate("[...document.querySelectorAll('.modebar-btn')].map((one) => one.dataset.title)")
        assert titles == ["Download plot as a PNG", "Zoom", "Pan", "Zoom in", "Zoom out", "Reset axes"]
        chart = "document.getElementById('chart-timeline')._context"
        context = seen.page.evaluate(f"[{chart}.plotlyServerURL, {chart}.showSendToCloud]")
        assert context == ["", False]


@needs_chromium
def test_keys_walk_through_the_page(chromium: Any, pages: dict[str, Path]) -> None:
    with opened(chromium, pages["many"]) as seen:
        seen.page.keyboard.press("n")
        assert seen.page.evaluate("document.activeElement.id") == "happened"
        seen.page.keyboard.press("Tab")
        assert seen.page.evaluate("document.activeElement.closest('section').id") == "happened"


def test_sections_are_chosen() -> None:
    shown = re.findall(r'<section id="(\w+)"', made(only=("writes", "epochs")))
    assert shown == ["epochs", "writes"]
    assert re.findall(r'<section id="(\w+)"', made(skip=("timeline",))) == [name for name in sections.SECTIONS if name != "timeline"]
    with pytest.raises(UsageError, match=r"There is no section 'charts'\. There are: happened, timeline"):
        made(only=("charts",))


def test_a_window_hides_rows_and_says_so_but_judges_everything() -> None:
    text = made(skip=("timeline",), window=Window(low=point("e2")))
    assert "0x100000007</td>" not in text
    assert "2 truncated" in text
    # the two writes, epoch 1, and its synchronization (to zxid 0) lie before epoch 2
    assert re.search(r"(\d+) rows are hidden", text)
    assert "rows are hidden" not in made(skip=("timeline",))


def test_titles_and_notes_are_text() -> None:
    text = made(skip=("timeline",), title="<i>x</i>", note="a\n<b>b</b>")
    assert "<h1>&lt;i&gt;x&lt;/i&gt;</h1>" in text
    assert "&lt;b&gt;b&lt;/b&gt;" in text
