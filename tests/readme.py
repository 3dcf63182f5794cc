"""The commands that README.md shows, and their real output. Run as a program, it writes that output into README.md."""

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


if __name__ == "__main__":
    README.write_text(refreshed(README.read_text()))
