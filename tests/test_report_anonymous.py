"""What --anonymize takes away, and what it leaves."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import incident
import pytest

from zabtrace import cli
from zabtrace.report import page
from zabtrace.report.anonymous import Disguise
from zabtrace.report.content import Findings, Wish, gather


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Truncating log to get in sync with the leader 0x100000060", "Truncating log to get in sync with the leader 0x100000060"),
        ("Cannot open channel to 2 at election address zkprod-a.acme.test/10.1.2.3:3888", "Cannot open channel to 2 at election address "),
        ("at 2026-11-21T00:09:53.608Z epoch e5, 1/0x16, 603 ms", "at 2026-11-21T00:09:53.608Z epoch e5, 1/0x16, 603 ms"),
        ("user acmeadmin created /Customers/acme42", "user w3 created /p1/p2"),
        ("from fe80::1:2ab port 2181", "from a1 port 2181"),
    ],
)
def test_sentences_keep_what_zookeeper_says(text: str, shown: str) -> None:
    said = Disguise().text(text)
    assert said.startswith(shown) if shown.endswith(" ") else said == shown
    for secret in ("acme", "zkprod", "10.1.2.3", "Customers", "fe80"):
        assert secret not in said


def test_the_same_word_always_gets_the_same_substitute() -> None:
    disguise = Disguise()
    path = disguise.path("/acme42/orders7")
    assert disguise.text("created /acme42/orders7 by acme42") == f"created {path} by {path.split('/')[1]}"
    assert disguise.path("server-3/data/version-2/log.100000001").endswith("/version-2/log.100000001")


def test_no_name_is_left_on_the_page_and_every_zxid_is() -> None:
    judged = incident.judgement()
    spoken = replace(judged, message="acme77 lost /secret88/x", reasons=("no text log of host99.acme.test (192.168.7.8)",))
    found = Disguise().of(Findings(incident.history(), spoken, incident.prediction()))
    text = page.html(gather(found, Wish()))
    own = text[: text.index("<script")] + text[text.index('<script type="application/json"') :].split("</script>")[0]
    for secret in ("alert(1)", "acme77", "secret88", "host99", "192.168", "/pay", "onerror"):
        assert secret not in own
    for kept in ("0x100000007", "0x200000001", "2026-11-21T00:09:56.857Z", "truncated"):
        assert kept in own


@pytest.mark.parametrize("name", ["acme77", "kunde-nord"])
def test_the_terminal_is_anonymous_too(tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str) -> None:
    folder = tmp_path / name
    shutil.copytree(Path(__file__).parent.parent / "sample_logs" / "truncated-3.8.0", folder)
    damaged = next(folder.rglob("snapshot.*"))
    damaged.write_bytes(damaged.read_bytes()[:-3])
    page_of = tmp_path / "page.html"
    code = cli.run(["report", str(folder), "-o", str(page_of), "--anonymize", "--no-progress"])
    said = "".join(capfd.readouterr()).replace(str(page_of), "")
    assert code == 1  # the snapshot without its end
    assert "Damage: " in said
    assert name not in said
    assert "0x100000060" in said
