"""The page in a real browser: what it shows, at two widths, and that neither it nor the evidence in it does anything else."""

import html
import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import incident
import pytest
from browser import CHROMIUM, needs_chromium

from zabtrace import schema
from zabtrace.documents import grids
from zabtrace.evidence.trace import Trace
from zabtrace.fates import judge
from zabtrace.fates.judgement import Judgement
from zabtrace.predict import predict
from zabtrace.replay.history import History
from zabtrace.report import facts, story
from zabtrace.report.page import BOUND, build

WIDTHS = (390, 1280)
MEASURE = """<body style="margin:0">{frames}<pre id="out"></pre><script>
function measured(frame) {{
  const page = frame.contentDocument, width = frame.clientWidth, found = [];
  for (const one of page.querySelectorAll("header *, main *")) {{
    const right = one.getBoundingClientRect().right;
    if (!one.closest(".wide, svg, .js-plotly-plot, .skip") && right > width + 1) found.push(one.tagName + "." + one.className);
  }}
  const bottom = page.querySelector("#chart-timeline").getBoundingClientRect().bottom;
  const gap = page.querySelector("#elections").getBoundingClientRect().top - bottom;
  return {{width, found, scroll: page.documentElement.scrollWidth, gap}};
}}
addEventListener("load", () => setTimeout(() => {{
  document.getElementById("out").textContent = JSON.stringify([...document.querySelectorAll("iframe")].map(measured));
}}, 1500));</script>"""


def browse(page: Path, profile: Path, *options: str) -> tuple[str, list[str]]:
    """The document as the browser built it, and the lines of its console."""
    command = [str(CHROMIUM), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", f"--user-data-dir={profile}"]
    command += ["--enable-logging=stderr", "--v=0", "--virtual-time-budget=5000", *options, "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def texts(dom: str, css: str) -> list[str]:
    """The texts of SVG text elements inside elements of this class."""
    return [html.unescape(found) for found in re.findall(rf'class="{css}"[^>]*>(?:<text[^>]*>)?([^<]*)<', dom)]


@pytest.fixture(scope="module")
def made() -> str:
    """The page of the incident written by hand, hostile names and all."""
    return build(incident.history(), incident.judgement(), incident.prediction(), "Outage <script>alert(2)</script>", "seen by [ops] & me")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("pages")


@needs_chromium
def test_the_made_page_shows_lanes_banner_and_fates_without_console_errors(made, folder):
    page = folder / "made.html"
    page.write_text(made)
    dom, console = browse(page, folder / "profile")
    assert console == []
    assert set(texts(dom, "ytick")) >= {"server 1", "server 2", "server 3", "server zk-<b>x"}
    assert set(texts(dom, "legendtext")) >= {"LEADING", "FOLLOWING", "LOOKING", "DOWN", "UNKNOWN", "elected", "sync TRUNC", "truncated (2)"}
    assert "No committed write was lost; 2 writes that never committed were discarded (3 of 3 servers)." in dom
    assert "Writes were impossible for 2.3 s" in dom
    assert "<img src=" not in dom
    assert "<script>alert" not in dom


@needs_chromium
def test_a_broken_script_is_noticed(made, folder):
    """The test above can fail: a script that is not the one the policy names is refused, aloud."""
    page = folder / "broken.html"
    page.write_text(made.replace("Plotly.newPlot", "Plotly.noPlot"))
    dom, console = browse(page, folder / "profile")
    assert any("Content Security Policy" in line for line in console)
    assert texts(dom, "ytick") == []


@needs_chromium
def test_nothing_sticks_out_or_overlaps(made, folder):
    page, measure = folder / "measured.html", folder / "measure.html"
    page.write_text(made)
    frames = "".join(f'<iframe src="{page.as_uri()}" style="border:0;width:{width}px;height:900px"></iframe>' for width in WIDTHS)
    measure.write_text(MEASURE.format(frames=frames))
    dom, _ = browse(measure, folder / "profile", "--allow-file-access-from-files", "--disable-web-security", "--window-size=1800,1000")
    measured = json.loads(html.unescape(dom.split('<pre id="out">')[1].split("</pre>")[0]))
    assert [one["width"] for one in measured] == list(WIDTHS)
    for one in measured:
        assert one["found"] == []
        assert one["scroll"] <= one["width"]
        assert one["gap"] >= 0


@needs_chromium
def test_the_page_of_a_real_incident(history_of, folder):
    history = history_of("truncated-3.8.0")
    page = folder / "real.html"
    page.write_text(build(history, judge(history), predict(history)))
    dom, console = browse(page, folder / "profile")
    assert console == []
    assert set(texts(dom, "ytick")) >= {"server 1", "server 2", "server 3"}
    assert texts(dom, "y2tick") == ["0x100000001", "0x200000001"]
    assert "12 writes that never committed were discarded" in dom
    assert "truncated (12)" in texts(dom, "legendtext")
    for zxid in ("0x100000061", "0x10000006c"):
        assert f'data-label="zxid">{zxid}<' in dom


def test_nothing_is_loaded_from_anywhere(made):
    own = re.sub(r"<script>.*?</script>", "", made, flags=re.DOTALL)
    assert "default-src 'none'; script-src 'sha256-" in html.unescape(own)
    assert not re.search(r"""(?:src|href)=["'](?!#|data:,)""", own)
    assert "@import" not in own
    assert "url(" not in own


def test_evidence_is_escaped_everywhere(made):
    own = re.sub(r"<script>.*?</script>", "", made, flags=re.DOTALL)
    for live in ("<script>alert", "<img src=x", "<b>tail", "<b>x", "<i>", "\x1b", "\u202e"):
        assert live not in own
    assert "/a&lt;script&gt;alert(1)&lt;/script&gt;[bold]\\x1b[31m\\u202eb" in own
    assert "Outage &lt;script&gt;alert(2)&lt;/script&gt;" in own
    assert "seen by [ops] &amp; me" in own


def test_the_page_tells_everything_once(made):
    for words in (
        "[myid:3] Truncating log &lt;b&gt;",
        "server-3/zookeeper.log:312",
        "torn &lt;b&gt;tail&lt;/b&gt;",
        "unrecognised",
        "[myid:#] # things at #",
        "Best disk to rebuild from: server 2",
        "0x100000007..0x100000008 (2)",
        "Votes of election 1 (1)",
        "sid 2 beats 1",
        "no text log of &lt;2&gt;",
        "history.jsonl:2",
    ):
        assert words in made


def test_large_tables_are_bounded_and_say_so():
    many = [{"zxid": 0x100000001 + n, "fate": "undecided", "why": "no", "path": f"/n{n}"} for n in range(BOUND + 5)]
    judged = Judgement(verdict="undecided", writes=schema.frame(schema.WRITES, many))
    page = build(incident.history(), judged)
    assert f"The first {BOUND} of {BOUND + 5} writes" in page
    assert f"/n{BOUND - 1}<" in page
    assert f"/n{BOUND}<" not in page


@pytest.mark.parametrize(("verdict", "word"), [("lost", "✗ Lost"), ("diverged", "✗ Diverged"), ("undecided", "? Undecided")])
def test_the_banner_has_the_verdict_in_words(verdict, word):
    page = build(History(trace=Trace()), Judgement(verdict=verdict, message="Nobody can tell."))
    assert f'<div class="banner {verdict}"' in page
    assert word in page
    assert "Nobody can tell." in page


def test_neighbours_of_one_fate_are_told_once():
    line = {"source": "a.log", "line": 3, "says": "x"}
    writes = [
        {
            "zxid": f"0x{n}",
            "fate": fate,
            "committed": "no",
            "why": "w",
            "settled_by": None,
            "rule": "N1",
            "evidence": [{"source": "log.1", "offset": n * 10, "says": "r"}, line, *answered],
        }
        for n, (fate, answered) in enumerate([("lost", []), ("lost", [{"source": "c.jsonl", "line": 7, "says": "a"}]), ("truncated", [])])
    ]
    first, second = grids.alike(writes)
    assert [[(item["source"], item.get("offset"), item.get("line")) for item in row["own"]] for row in first["rows"]] == [
        [("log.1", 0, None)], [("log.1", 10, None), ("c.jsonl", None, 7)]
    ]  # fmt: skip
    assert first["evidence"] == [line]
    assert [item["source"] for item in first["each"]] == ["log.1", "c.jsonl"]
    assert second["evidence"] == writes[2]["evidence"]
    assert second["rows"][0]["own"] == []


def test_what_happened_is_told_by_time_and_what_has_no_time_last():
    history = incident.history()
    rows = story.happened(replace(history, syncs=history.syncs.with_columns(time=None).cast(schema.types(schema.SYNCS))))
    times = [row["time"] for row in rows]
    assert times[-1] is None
    assert times[:-1] == sorted(times[:-1])
    assert "cut to 0x100000006; 2 records from 0x100000007 to 0x100000008 are discarded" in rows[-1]["what"]


def test_what_was_read_names_what_is_missing():
    said = facts.read(incident.history())
    assert said.startswith("Read: 3 of 3 voters; servers 1, 2, 3, zk-<b>x;")
    assert "no text log of zk-<b>x, 2, 3" in said
