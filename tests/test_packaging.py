"""What is installed is what stands in the repository; and make sets up its own environment, or says what is missing."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from functools import partial
from importlib import resources
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
GRAMMARS = {path.name for path in (ROOT / "grammars").iterdir() if path.suffix in (".lark", ".jute", ".tsv")}
SKIPPED = {"__pycache__", "build", "dist", "sample_logs", "tests", "docs", "zabtrace.egg-info"}
WHAT_IS_THERE = """
import zabtrace
from importlib import resources
print(zabtrace.__file__, *(path.name for path in resources.files("zabtrace.grammars").iterdir()))
"""
TOOLS = ("sh", "make", "rm", "touch", "mkdir")


def package_files() -> set[str]:
    """What the wheel has to hold, by the names it has there."""
    package = {str(path.relative_to(ROOT)) for path in (ROOT / "zabtrace").rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    return package | {f"zabtrace/grammars/{name}" for name in {"__init__.py", *GRAMMARS}}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the checkout, built from a copy: a build leaves files beside its sources."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = shutil.copytree(ROOT, folder / "copy", ignore=lambda _, names: [n for n in names if n.startswith(".") or n in SKIPPED])
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(copy))
    return next(folder.glob("*.whl"))



def pip(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", "--quiet", "--no-input", *arguments], check=True)


def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == package_files()


def test_every_module_has_its_layer_and_stands_in_every_contract() -> None:
    """A new module that no contract names could import whatever it likes."""
    modules = {f"zabtrace.{path.stem}" for path in (ROOT / "zabtrace").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    modules -= {"zabtrace.__init__"}
    layers, *forbidden = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    assert {name.strip() for layer in layers["layers"] for name in layer.split("|")} == modules
    for contract in forbidden:
        assert len(modules - set(contract["source_modules"])) == 1, contract["name"]


def test_the_wheel_carries_its_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("LICENSE")]
        assert archive.read(name) == (ROOT / "LICENSE").read_bytes()


def test_it_works_outside_the_checkout(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    pip("install", "--no-deps", "--no-index", "--target", str(site), str(wheel))
    environment = os.environ | {"PYTHONPATH": str(site)}
    elsewhere = partial(subprocess.run, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    file, *names = elsewhere([sys.executable, "-c", WHAT_IS_THERE]).stdout.split()
    assert Path(file).is_relative_to(site)
    assert set(names) >= GRAMMARS
    assert "Usage: zabtrace" in elsewhere([site / "bin" / "zabtrace", "--help"]).stdout


def test_the_grammars_are_found_as_resources() -> None:
    found = {path.name for path in resources.files("zabtrace.grammars").iterdir()}
    assert GRAMMARS
    assert found >= GRAMMARS


def test_what_is_imported_is_declared() -> None:
    trees = [ast.parse(path.read_text()) for path in (ROOT / "zabtrace").rglob("*.py")]
    imported = {name for tree in trees for node in ast.walk(tree) for name in imported_by(node)}
    foreign = {name.partition(".")[0] for name in imported} - set(sys.stdlib_module_names) - {"zabtrace"}
    assert foreign <= {re.split(r"[<>=~!]", line)[0] for line in PROJECT["dependencies"]}


def imported_by(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []


def test_the_changelog_names_the_version() -> None:
    assert PROJECT["version"] in (ROOT / "CHANGELOG.md").read_text()


# ---------------------------------------------------------------- make


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    """A folder with the Makefile, and in ``bin`` a python without ensurepip and without virtualenv."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    modules, programs = tmp_path / "modules", tmp_path / "bin"
    modules.mkdir()
    programs.mkdir()
    for module in ("ensurepip", "virtualenv"):
        (modules / f"{module}.py").write_text(f"raise ModuleNotFoundError('No module named {module}')\n")
    script(programs / "python3", f'PYTHONPATH="{modules}" exec "{sys.executable}" "$@"')
    for tool in TOOLS:
        (programs / tool).symlink_to(shutil.which(tool) or tool)
    return tmp_path


def script(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def make(bench: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", *arguments], cwd=bench, env={"PATH": str(bench / "bin")}, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("target", ["report", "test"])
def test_without_venv_make_says_what_to_run(bench: Path, target: str) -> None:
    done = make(bench, target)
    assert done.returncode != 0
    assert done.stderr.splitlines()[0] == "zabtrace: python3 lacks its venv module; run: apt-get install python3-venv"
    assert not (bench / ".venv").exists()


@pytest.mark.parametrize(
    ("tool", "called"),
    [
        ("virtualenv", "--quiet --python python3 .venv"),
        ("uv", "venv --quiet --seed --python {bench}/bin/python3 .venv"),
    ],
)
def test_without_venv_make_uses_what_it_finds(bench: Path, tool: str, called: str) -> None:
    script(bench / "bin" / tool, f'mkdir .venv; echo "$@" > "{bench}/called"')
    assert make(bench, ".venv/.made").returncode == 0
    assert (bench / "called").read_text().strip() == called.format(bench=bench)
    assert make(bench, "--question", ".venv/.made").returncode == 0, "a second run makes nothing again"


@pytest.mark.parametrize(
    ("python", "message"),
    [
        ("python3.99", "zabtrace: python3.99 was not found; name an interpreter: PYTHON=python3.12 make report"),
        ("old", "zabtrace: needs Python 3.11 or newer, old is 3.10; name another one: PYTHON=python3.12 make report"),
    ],
)
def test_an_interpreter_that_does_not_do_is_named(bench: Path, python: str, message: str) -> None:
    script(bench / "bin" / "old", 'case "$2" in *exit*) exit 0 ;; *) echo 3.10 ;; esac')
    done = make(bench, "report", f"PYTHON={python}")
    assert done.returncode != 0
    assert done.stderr.splitlines()[0] == message


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (1, 0), (3, 0), (2, 2), (4, 2)])
def test_a_verdict_is_no_failure_of_make(bench: Path, code: int, expected: int) -> None:
    programs = bench / ".venv" / "bin"
    programs.mkdir(parents=True)
    script(programs / "zabtrace", f"exit {code}")
    (bench / "pyproject.toml").touch()
    for stamp in (".made", ".ready"):
        (bench / ".venv" / stamp).touch()
    assert make(bench, "report").returncode == expected
