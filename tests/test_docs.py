"""The documents say what is there: every command, every fate, the real output, and nothing of anyone's own machine."""

import re
import subprocess
from pathlib import Path

import click
import pytest
from readme import README, ROOT, output, shown

from zabtrace import cli

TEXT = README.read_text()
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
