"""The commands that README.md shows, and their real output. Run as a program, it renews that output and the picture."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
BLOCK = re.compile(r"^```console\n\$ (?P<command>.+)\n(?P<output>(?s:.*?))^```$", re.MULTILINE)


def shown(text: str) -> dict[str, str]:
    """Command and output of each console block."""
    return {block["command"]: block["output"] for block in BLOCK.finditer(text)}


def output(command: str, folder: Path) -> str:
    """What ``command`` prints in ``folder`` beside a link to the sample incidents; its exit code has to be a verdict."""
    if not (folder / "sample_logs").exists():
        (folder / "sample_logs").symlink_to(ROOT / "sample_logs")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1, 3):
        raise RuntimeError(f"{command}: exit code {done.returncode}\n{done.stderr}")
    return done.stdout.lstrip("\n")


def refreshed(text: str) -> str:
    """The same text with the real output of each command."""
    with tempfile.TemporaryDirectory() as folder:
        return BLOCK.sub(lambda block: f"```console\n$ {block['command']}\n{output(block['command'], Path(folder))}```", text)


def photograph(target: Path) -> None:
    """The first screen of a real report, drawn by a headless Chromium."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        output(f"zabtrace report sample_logs/truncated-3.8.0 --only timeline,writes -o {page}", Path(folder))
        camera = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=8000"]
        view = ["--window-size=1200,960", f"--screenshot={target}", page.as_uri()]
        subprocess.run([*camera, *view], capture_output=True, check=True, timeout=120)


if __name__ == "__main__":
    README.write_text(refreshed(README.read_text()))
    photograph(ROOT / "docs" / "report.png")
