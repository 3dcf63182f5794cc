"""The scripts that ``collect`` prints: sound shell, run here against servers that are folders, and what they copy is evidence."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from zabtrace import cli, collect
from zabtrace.errors import UsageError
from zabtrace.evidence import gather

FAKE_SSH = """#!/bin/sh
host=$1; shift
cd "$SERVERS/$host" && exec sh -c "$*"
"""
FAKE_KUBECTL = """#!/bin/sh
command=$1; shift
case "$command" in
  exec) while [ "$1" != -- ]; do case "$1" in -*) ;; *) pod=$1;; esac; shift; done; shift; cd "$SERVERS/$pod" && exec "$@";;
  logs) for word in "$@"; do case "$word" in --previous) exit 1;; -*) ;; *) pod=$word;; esac; done; cat "$SERVERS/$pod/zookeeper.log";;
  get) case "$*" in *jsonpath*) ls "$SERVERS" | tr '\\n' ' ';; *) echo "kind: Pod";; esac;;
esac
"""
FAKE_DOCKER = """#!/bin/sh
command=$1; shift
case "$command" in
  ps) ls "$SERVERS";;
  inspect) echo "exited, started -, ended -, exit code 137";;
  cp) name=${1%%:*}; folder=${1#*:}; tar -cf - -C "$SERVERS/$name" ".$folder" 2>/dev/null;;
  logs) cat "$SERVERS/$1/zookeeper.log";;
esac
"""


@pytest.fixture
def servers(tmp_path: Path, samples: Path) -> Path:
    """Three servers as folders; zoo.cfg names their data folders."""
    root = tmp_path / "servers"
    for n in (1, 2, 3):
        shutil.copytree(samples / "truncated-3.8.0" / f"server-{n}", root / f"zk{n}")
        config = root / f"zk{n}" / "zoo.cfg"
        lines = [line for line in config.read_text().splitlines() if not line.startswith("data")]
        config.write_text("\n".join([*lines, " dataDir = data", ""]))
    return root


def run(text: str, servers: Path, tools: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a script where these tools are all that reaches the servers."""
    place = servers.parent / "bin"
    place.mkdir()
    for name, body in tools.items():
        (place / name).write_text(body)
        (place / name).chmod(0o755)
    environment = {**os.environ, "PATH": f"{place}:{os.environ['PATH']}", "SERVERS": str(servers)}
    return subprocess.run(["sh"], input=text, cwd=servers.parent, env=environment, capture_output=True, text=True, check=False, timeout=60)


def labels(out: Path) -> dict[int, int]:
    """Records per server in what was copied."""
    trace = gather([str(out)])
    return dict(trace.txns.group_by("server").len().iter_rows())


def counts(servers: Path) -> dict[int, int]:
    return dict(gather([str(servers)]).txns.group_by("server").len().iter_rows())


def test_hosts(servers: Path):
    before = sorted(path for path in servers.rglob("*"))
    done = run(collect.script("hosts", ["zk1", "zk2", "zk3"], "out", config="zoo.cfg", logs="zookeeper.log"), servers, {"ssh": FAKE_SSH})
    assert done.returncode == 0, done.stderr
    out = servers.parent / "out"
    assert labels(out) == counts(servers)
    trace = gather([str(out)])
    assert {row[0] for row in trace.lines.select("server").unique().iter_rows()} == {1, 2, 3}
    assert trace.members.height
    assert "here before: 20" in (out / "zk1.clock.txt").read_text()
    assert sorted(path for path in servers.rglob("*")) == before


def test_a_host_that_cannot_be_reached_is_told(servers: Path):
    done = run(collect.script("hosts", ["zk1", "zk9"], "out", config="zoo.cfg"), servers, {"ssh": FAKE_SSH})
    assert done.returncode == 1
    assert "zk9: the copy is not whole" in done.stderr
    assert "Do not restart those servers yet" in done.stderr


def test_pods(servers: Path):
    text = collect.script("kubectl", [], "out", config="zoo.cfg", logs="zookeeper.log", namespace="prod")
    done = run(text, servers, {"kubectl": FAKE_KUBECTL})
    assert done.returncode == 0, done.stderr
    assert labels(servers.parent / "out") == counts(servers)
    assert (servers.parent / "out" / "zk2" / "container.log").stat().st_size > 0
    assert not (servers.parent / "out" / "zk2" / "container-previous.log").exists()


def test_containers(servers: Path):
    done = run(collect.script("docker", [], "out"), servers, {"docker": FAKE_DOCKER})
    assert done.returncode == 0, done.stderr
    assert labels(servers.parent / "out") == counts(servers)


@pytest.mark.parametrize("kind", sorted(collect.RECIPES))
def test_every_script_says_what_to_copy_and_is_sound(kind):
    text = collect.script(kind, ["a", "b"])
    assert subprocess.run(["sh", "-n"], input=text, text=True, capture_output=True, check=False).stderr == ""
    for words in ("BEFORE anything is restarted", "dataDir AND of dataLogDir", "zoo.cfg", "myid", "rotated", "previous", "clock"):
        assert words in text
    assert "@" not in text.replace("$@", "").replace("root@host", "").replace("/:@", "")
    commands = [line for line in text.splitlines() if not line.lstrip().startswith(("#", '[ "$failed'))]
    for harm in ("rm -r", "stop", "restart", "kill", "> /", "delete"):
        assert harm not in "\n".join(commands).replace("evidence-before-restart", "").replace("2>/dev/null", "")


@pytest.mark.parametrize("name", ["-oProxyCommand=x", "a;b", "$(x)", "a b", "", "`x`", "a'b"])
def test_names_that_a_shell_would_take_for_more_are_refused(name):
    with pytest.raises(UsageError, match="is no name"):
        collect.script("hosts", [name])


def test_quoting_of_paths():
    text = collect.script("hosts", ["a"], out="my $(touch x) folder", config="/etc/a b/'zoo.cfg")
    assert subprocess.run(["sh", "-n"], input=text, text=True, capture_output=True, check=False).stderr == ""
    assert "out='my $(touch x) folder'" in text


def test_the_command_runs_nothing_and_imports_nothing_heavy():
    asked = "import sys; from zabtrace import cli; cli.run(['collect', '--hosts', 'a,b'])"
    program = f"{asked}; print('polars' in sys.modules, file=sys.stderr)"
    environment = {**os.environ, "PATH": ""}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.startswith("#!/bin/sh")
    assert "for name in a b; do" in done.stdout
    assert done.stderr.strip() == "False"


def test_json_and_file(tmp_path, capsys):
    assert cli.run(["collect", "--kubectl", "--names", "zk-0,zk-1", "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["format"], document["kind"], document["names"]) == (1, "kubectl", ["zk-0", "zk-1"])
    assert cli.run(["collect", "-o", str(tmp_path / "collect.sh")]) == 0
    assert "zk1, zk2 and zk3 are examples" in (tmp_path / "collect.sh").read_text()


@pytest.mark.parametrize("arguments", [["--hosts", "a", "--docker"], ["--names", "a"], ["--hosts", "a", "--names", "b"]])
def test_wrong_usage(capsys, arguments):
    assert cli.run(["collect", *arguments]) == 2
    assert capsys.readouterr().err.count("\n") == 1
