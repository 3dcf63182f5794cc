"""The documents say what is there: every command, every fate, the real output, and nothing of anyone's own machine."""

import json
import re
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from readme import README, ROOT, output, shown

from zabtrace import cli
from zabtrace.replay.history import History

TEXT = README.read_text()
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
GROUP = next(found for found in vars(cli).values() if isinstance(found, click.Group))
COMMANDS = sorted(name for name, command in GROUP.commands.items() if not command.hidden)
# A command's name stands behind the program's, where the program is called: in a line of code or between backticks.
CALLS = re.compile(r"(?:^ {4,}|^\$ |`)(?:\S*/)?zabtrace ([a-z]+)", re.MULTILINE)
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("sample_logs/**/*.md")])


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_documented(command: str) -> None:
    assert command in CALLS.findall(TEXT)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_shown_exists(document: Path) -> None:
    assert set(CALLS.findall(document.read_text())) <= set(COMMANDS)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", document.read_text()) if "://" not in link]
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize(("command", "shown_output"), shown(TEXT).items(), ids=lambda value: None if "\n" in value else value)
def test_output_in_the_readme_is_real(command: str, shown_output: str, tmp_path: Path) -> None:
    assert output(command, tmp_path) == shown_output, "refresh it: python tests/readme.py"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str) -> None:
    text = GROUP.commands[command].get_help(click.Context(GROUP.commands[command], info_name=command))
    assert f"zabtrace {command} " in text


def test_architecture_draws_the_contract() -> None:
    drawn = re.search(r"^    cli >(?s:.+?)\n\n", ARCHITECTURE, re.MULTILINE)
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]["layers"]
    assert drawn is not None
    assert [layer.strip() for layer in drawn[0].split(">")] == [layer.replace("zabtrace.", "") for layer in contract]


@pytest.mark.parametrize(("table", "file"), re.findall(r"`([A-Z]+)` in `(\S+?\.py)`", ARCHITECTURE))
def test_architecture_names_tables_that_exist(table: str, file: str) -> None:
    assert re.search(rf"^{table}\b.* = ", (ROOT / file).read_text(), re.MULTILINE)


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`([a-z_.]+(?:/[a-z_.]+)+/?)`", ARCHITECTURE))))
def test_architecture_names_paths_that_exist(path: str) -> None:
    assert (ROOT / path).exists()


def test_first_screen_has_picture_and_commands() -> None:
    first = TEXT.split("\n## ")[0]
    for part in ("docs/report.png", "make report", "make test"):
        assert part in first
    assert (ROOT / "docs" / "report.png").stat().st_size < 300_000


def test_no_file_names_the_machine_it_was_written_on() -> None:
    named = [path for path in project_files() if any(word in path.read_bytes() for word in workplace())]
    assert named == []


def workplace() -> list[bytes]:
    # Put together here, or this file would be the one that is found.
    return [b"/".join(parts) for parts in ((b"", b"work", b""), (b"..", b"shared"), (b"", b"opt", b"pypi"), (b"shared", b"corpus"))]


def project_files() -> list[Path]:
    """Every file that is, or would be, in the repository."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    git = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def test_the_repository_stays_small() -> None:
    assert sum(path.stat().st_size for path in project_files()) < 20_000_000


# What each incident's README tells, as its author knows it: the leaders of the epochs, and the writes that did not plainly survive.
INCIDENTS = [
    ("truncated-3.8.0", [(1, 3), (2, 2)], "truncated", range(0x100000061, 0x10000006D)),
    ("recovered-3.8.0", [(1, 5), (2, 1)], "recovered", range(0x100000083, 0x10000008C)),
    ("shadowed-3.9.3", [(1, 2), (2, 3)], "shadowed", range(0x100000053, 0x10000005D)),
    ("observer-3.6.3", [(1, 3)], None, range(0)),
]


@pytest.mark.parametrize(("name", "leaders", "fate", "zxids"), INCIDENTS, ids=lambda value: value if isinstance(value, str) else "")
def test_samples_are_what_their_readme_tells(
    name: str,
    leaders: list[tuple[int, int]],
    fate: str | None,
    zxids: range,
    samples: Path,
    history_of: Callable[[str], History],
    tmp_path: Path,
) -> None:
    story = (samples / name / "README.md").read_text()
    assert all(f"`{zxid:#x}`" in story for zxid in (*zxids[:1], *zxids[-1:]))
    assert history_of(name).epochs.select("epoch", "leader").rows() == leaders
    answer = json.loads(output(f"zabtrace verify sample_logs/{name} --format json", tmp_path))
    assert answer["verdict"] == "nothing_lost"
    assert [(write["zxid"], write["fate"]) for write in answer["writes"]] == [(f"{zxid:#x}", fate) for zxid in zxids]
