"""Long histories on real bytes: outlines against the reader, and ``verify`` of folded evidence against that of the whole."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from zabtrace import cli
from zabtrace.charts import progress
from zabtrace.checks import check
from zabtrace.evidence import gather, long
from zabtrace.evidence.telling import telling
from zabtrace.fates import judge, unfold
from zabtrace.predict import predict
from zabtrace.records import read_txn_log
from zabtrace.records.outline import Library, outline
from zabtrace.replay import replay
from zabtrace.report import facts
from zabtrace.report.content import sessions
from zabtrace.source import Source
from zabtrace.wording import Names

SAMPLES = Path(__file__).parent.parent / "sample_logs"
INCIDENTS = sorted(path.name for path in SAMPLES.iterdir() if path.is_dir())
COLUMNS = (
    ("zxid", "zxid"),
    ("payload_hash", "payload_hash"),
    ("length", "payload_len"),
    ("session", "session"),
    ("type", "type"),
    ("sound", "checksum_ok"),
)


def logs(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("log.*") if path.is_file())


def same(library: Library, path: Path) -> int:
    """Hold an outline against the reader; how many of its records were found in another log."""
    read, found = read_txn_log(Source(path.name, path)), outline(Source(path.name, path), library)
    assert found.file.equals(read.file)
    assert found.damage.equals(read.damage)
    if read.txns.height or found.stretches:
        for mine, theirs in COLUMNS:
            assert np.concatenate([getattr(stretch.columns, mine) for stretch in found.stretches]).tolist() == read.txns[theirs].to_list()
        assert np.concatenate([stretch.offset for stretch in found.stretches]).tolist() == read.txns["offset"].to_list()
    return sum(
        stretch.columns.size
        for stretch in found.stretches
        if any(stretch.columns.zxid.base is known.columns.zxid.base for known in library.known)
    )


@pytest.fixture(autouse=True)
def _every_stretch_is_worth_looking_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zabtrace.records.outline.LEAST", 2)


@pytest.mark.parametrize("incident", INCIDENTS)
def test_an_outline_says_what_the_reader_says(incident: str) -> None:
    library = Library()
    for path in logs(SAMPLES / incident):
        same(library, path)


@pytest.mark.parametrize("cut", range(3, 400, 93))
def test_damage_is_found_behind_what_other_logs_hold(tmp_path: Path, cut: int) -> None:
    """A byte is turned, a stretch is missing, the end is torn: behind records that were read from another log before."""
    path = max(logs(SAMPLES / INCIDENTS[0]), key=lambda log: log.stat().st_size)
    content = path.read_bytes().rstrip(b"\0")
    library = Library()
    same(library, path)
    middle = len(content) * 2 // 3 + cut
    damaged = {
        "turned": content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :],
        "missing": content[:middle] + content[middle + 50 :],
        "torn": content[:middle],
        "zeros": content[:middle] + bytes(300) + content[middle + 300 :],
        "begun later": content[:16] + content[16 + cut :],
    }
    for name, changed in damaged.items():
        (tmp_path / name).mkdir()
        log = tmp_path / name / path.name
        log.write_bytes(changed)
        same(library, log)


def test_a_log_that_repeats_another_is_not_decoded_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = max(logs(SAMPLES / INCIDENTS[0]), key=lambda log: log.stat().st_size)
    copied = Path(shutil.copy(path, tmp_path / path.name))
    library = Library()
    held = outline(Source("a", path), library)
    again = outline(Source("b", copied), library)
    mine, theirs = (one.stretches[0].columns for one in (held, again))
    assert np.shares_memory(mine.zxid, theirs.zxid)


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> object:
    """The answer of a command, read."""
    code = cli.run([*arguments, "-q"])
    out = capsys.readouterr().out
    if "parquet" in arguments:
        return code, out
    rows = [json.loads(line) for line in out.splitlines()] if "ndjson" in arguments else json.loads(out) if "json" in arguments else out
    return code, rows


ASKED = [
    ("--format", "json"),
    ("--format", "json", "--all"),
    ("--format", "ndjson", "--all"),
    ("--format", "json", "--all", "--top", "7"),
    ("--format", "json", "--all", "--to", "0x100000020"),
    ("--format", "ndjson", "--all", "--from", "0x100000020", "--since", "e2"),
    ("--format", "junit", "--all"),
    ("--explain", "0x100000020", "--format", "json"),
    ("--all", "--top", "5"),
    ("--all",),
    (),
]


def disks_of(incident: str) -> list[str]:
    """The servers' folders: client histories name every session, so that nothing could be left out."""
    return sorted(str(path) for path in (SAMPLES / incident).glob("server-*"))


@pytest.mark.parametrize(("number", "asked"), list(enumerate(ASKED)), ids=[" ".join(asked) or "screen" for asked in ASKED])
def test_verify_says_the_same_of_folded_evidence(
    number: int, asked: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    evidence = disks_of(INCIDENTS[number % len(INCIDENTS)])
    whole = told(capsys, "verify", *evidence, *asked)
    monkeypatch.setattr(long, "FOLD_FROM", 0)
    monkeypatch.setattr(unfold, "ROOM", 60)  # several parts
    assert told(capsys, "verify", *evidence, *asked) == whole


@pytest.mark.parametrize("incident", INCIDENTS)
def test_what_stays_and_what_was_left_out_are_all_records(incident: str, monkeypatch: pytest.MonkeyPatch) -> None:
    evidence = disks_of(incident)
    whole = gather(evidence)
    monkeypatch.setattr(long, "FOLD_FROM", 0)
    thin = gather(evidence, fold=[])
    assert thin.folds["skipped"].sum() > whole.txns.height // 4
    assert thin.txns.height + thin.folds["skipped"].sum() == whole.txns.height
    for name in ("servers", "snapshots", "txn_files", "members", "damage"):
        assert getattr(thin, name).equals(getattr(whole, name)), name
    assert thin.txns.equals(whole.txns.join(thin.txns.select("source", "offset"), on=["source", "offset"], how="semi"))
    assert thin.long is not None
    opened = thin.long.unfolded(thin, [(0, 1 << 62)])
    assert opened.txns.equals(whole.txns)
    assert opened.ops.equals(whole.ops)


@pytest.mark.parametrize("incident", INCIDENTS)
def test_what_is_drawn_and_foretold_of_a_folded_history_is_that_of_the_whole(incident: str, monkeypatch: pytest.MonkeyPatch) -> None:
    evidence = disks_of(incident)
    monkeypatch.setattr(long, "FOLD_FROM", 0)
    monkeypatch.setattr(long, "NEAR", 10)
    monkeypatch.setattr(long, "POINTS", 20)
    monkeypatch.setattr("zabtrace.predict.COMMITTED_LOG", 10)
    thin = gather(evidence, fold=[])
    assert thin.long is not None
    held = thin.long.detailed(thin)
    assert held.long is None
    assert held.txns.equals(gather(evidence).txns)
    monkeypatch.setattr(long, "WHOLE", 0)
    drawn = thin.long.detailed(thin)
    assert drawn.folds.height
    found = []
    for trace in (gather(evidence), drawn):
        history, judgement = unfold.settled(replay(trace), judge(replay(trace)))
        told = check(history, judgement.writes, judgement.reasons)
        checks = [told.servers, told.bugs, *((one.check, one.finding) for one in told.checks if "digests" not in one.check)]
        written = sum(progress.timed(history).filter(pl.col("server") == 1)["n"])
        known = sessions(history, Names.of(trace.servers))
        numbers = facts.numbers(history, judgement)
        found.append((checks, predict(history), written, sorted(known, key=lambda row: row["session"]), numbers))
    for whole, other in zip(*found, strict=True):
        assert whole == other


def test_parquet_in_parts_holds_what_one_frame_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evidence, frames = disks_of(INCIDENTS[0]), []
    for room in (None, 60):
        if room is not None:
            monkeypatch.setattr(long, "FOLD_FROM", 0)
            monkeypatch.setattr(unfold, "ROOM", room)
        out = tmp_path / f"{room}.parquet"
        cli.run(["verify", *evidence, "--all", "--format", "parquet", "-o", str(out), "-q"])
        frames.append(pl.read_parquet(io.BytesIO(out.read_bytes())))
    assert frames[0].equals(frames[1])


STORY = "truncated-3.8.0"
STORIES = ("/app1", "/app1/k00001", "/app2/k00009", "/nowhere", "0x100000020", "0x200001b95d00000", "7")
MOMENTS = ("2026-11-21T00:09:50.500Z", "2026-11-21T00:09:51.955Z", "2026-11-21T00:09:53Z", "2026-11-21T00:09:58Z")


@pytest.mark.parametrize(
    "asked", [*(("--write", one) for one in STORIES), *(("--since", one) for one in MOMENTS)], ids=lambda asked: " ".join(asked)
)
def test_stories_and_moments_are_those_of_the_whole_history(
    asked: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["verify", *disks_of(STORY), *asked, "--format", "json"]
    whole = told(capsys, *arguments)
    monkeypatch.setattr(long, "FOLD_FROM", 0)
    assert gather(disks_of(STORY), fold=[]).folds.height
    assert told(capsys, *arguments) == whole


def test_a_story_opens_only_the_records_that_it_is_about(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long, "FOLD_FROM", 0)
    thin = gather(disks_of(STORY), fold=[])
    opened = telling(thin, "/app1/k00001")
    more = set(opened.txns["zxid"].to_list()) - set(thin.txns["zxid"].to_list())
    assert 0x100000017 in opened.txns["zxid"].to_list()  # its setData, in the middle of a stretch
    assert 0 < len(more) <= 10  # two records, their neighbours, and the ends of what stays folded between
    assert opened.folds.height
