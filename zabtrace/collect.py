"""What to copy before anything is restarted, as a shell script for an operator to read and run: zabtrace itself runs nothing.

Strategy: one recipe per kind of place where servers run, a row of RECIPES: a probe that runs beside the server and writes one
archive to its output, and how to reach it. The archives go to a folder of their own, one per server, which zabtrace takes as it is.
A rejoining server truncates its log and a container that is made anew forgets its own: what is not copied before is gone.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from zabtrace.errors import UsageError

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@:%+/-]*")
"""Hosts (with user, port or IPv6 address), containers and namespaces: nothing that a shell or ssh would take for something else."""
HOSTS, DOCKER, KUBECTL = "hosts", "docker", "kubectl"
EXAMPLES = ("zk1", "zk2", "zk3")

HEAD = """\
#!/bin/sh
# What zabtrace needs, copied BEFORE anything is restarted. Read it, adjust it, run it: sh collect.sh
#
# Copy first, restart later. A crashed server that rejoins truncates its log, and a container that is made anew forgets its
# output: without copies from before, most questions about lost writes can never be answered again.
#
#   * every server, also the dead ones, observers too; nothing is stopped, changed or deleted by these commands
#   * version-2 of dataDir AND of dataLogDir: log.*, snapshot.*, currentEpoch, acceptedEpoch; and myid
#   * the text logs with all rotated ones, and the output of the previous container
#   * zoo.cfg with the dynamic files it names, and the clock against this machine's
#   * what the clients recorded, if they record anything (JSON lines, see docs/ci-recipe.md)
#
# If the servers still run, the copies may end in the middle of a record; that is an ordinary torn tail to zabtrace.
# After the restart copy once more into another folder, then:  zabtrace verify AFTER/ --before {out}/
set -u
out={out}
mkdir -p "$out"
failed=0
"""
TAIL = """
[ "$failed" = 0 ] || echo "Some copies are missing or not whole (see above). Do not restart those servers yet." >&2
ls -l "$out"
exit "$failed"
"""
PROBE = r"""
# Runs beside the server: finds its configuration and folders, and writes one archive to stdout.
probe=$(cat <<'PROBE'
cfg=@CONFIG@
process=$(grep -a -l QuorumPeerMain /proc/[0-9]*/cmdline 2>/dev/null | grep -v "/$$/" | head -n 1)
args=$([ -n "$process" ] && tr '\0' '\n' < "$process")
[ -n "$cfg" ] || cfg=$(printf '%s\n' "$args" | grep '\.cfg$' | tail -n 1)
for f in /conf/zoo.cfg /etc/zookeeper/conf/zoo.cfg /etc/zookeeper/zoo.cfg /opt/zookeeper/conf/zoo.cfg \
         /opt/bitnami/zookeeper/conf/zoo.cfg; do
  [ -n "$cfg" ] || { [ -f "$f" ] && cfg=$f; }
done
[ -f "$cfg" ] || { echo "no zoo.cfg was found; name it: zabtrace collect --config PATH" >&2; exit 1; }
value() { sed -n "s/^[[:space:]]*$1[[:space:]]*=[[:space:]]*//p" "$cfg" | tail -n 1; }
data=$(value dataDir); datalog=$(value dataLogDir); dynamic=$(value dynamicConfigFile)
logs=$(printf '%s\n' "$args" | sed -n 's/^-Dzookeeper\.log\.dir=//p' | tail -n 1)
list=$(
  for f in "$cfg" "$cfg".dynamic* "$dynamic" "$data/myid" "$data/version-2" "$datalog/version-2" \
           "$(dirname "$cfg")"/log4j.properties "$(dirname "$cfg")"/logback.xml @LOGS@; do
    [ -n "${f%/version-2}" ] && [ -e "$f" ] && printf '%s\n' "$f"
  done | sort -u
)
# Files that grow meanwhile make tar end with 1: that is no failure.
printf '%s\n' "$list" | tar -czf - -T -; code=$?
[ "$code" -le 1 ]
PROBE
)
"""
DEFAULT_LOGS = '"$logs" /var/log/zookeeper /opt/zookeeper/logs /logs "$ZOO_LOG_DIR"'


@dataclass(frozen=True)
class Recipe:
    """How to reach the servers of one kind: ``body`` for each of ``names``, or for what ``listed`` finds."""

    intro: str
    listed: str
    body: str


RECIPES = {
    HOSTS: Recipe(
        "# Servers on hosts, reached with ssh. As a user who may read the data folders (else: ssh root@host).",
        "for name in @NAMES@; do",
        """\
  file=$(printf '%s' "$name" | tr '/:@' '___')
  { echo "here before: $(date -u +%Y-%m-%dT%H:%M:%S.%NZ)"; printf 'there:       '; ssh "$name" 'date -u +%Y-%m-%dT%H:%M:%S.%NZ';
    echo "here after:  $(date -u +%Y-%m-%dT%H:%M:%S.%NZ)"; } > "$out/$file.clock.txt" || failed=1
  printf '%s\\n' "$probe" | ssh "$name" sh -s > "$out/$file.tar.gz" || { echo "$name: the copy is not whole" >&2; failed=1; }
  ssh "$name" 'journalctl --no-pager -o cat -u zookeeper 2>/dev/null' > "$out/$file.journal.log" || rm -f "$out/$file.journal.log"
  [ -s "$out/$file.journal.log" ] || rm -f "$out/$file.journal.log"
done""",
    ),
    DOCKER: Recipe(
        "# Containers (docker, or docker compose); stopped ones too. Do not remove or re-create one before this: its output goes with it.",
        "for name in @NAMES@; do",
        """\
  { echo "here: $(date -u +%Y-%m-%dT%H:%M:%S.%NZ) (containers share the clock of their host)";
    docker inspect --format '{{json .State}}' "$name";
  } > "$out/$name.clock.txt" || failed=1
  mkdir -p "$out/$name"
  for folder in /data /datalog /conf /logs; do
    docker cp "$name:$folder" - 2>/dev/null | tar -xf - -C "$out/$name" 2>/dev/null
  done
  [ -d "$out/$name/data" ] || { echo "$name: /data was not copied; where does its zoo.cfg put dataDir?" >&2; failed=1; }
  docker logs "$name" > "$out/$name/container.log" 2>&1 || failed=1
done""",
    ),
    KUBECTL: Recipe(
        "# Pods. A pod that does not run cannot be asked: mount its volume in a helper pod and copy version-2 from there.",
        "for name in @NAMES@; do",
        """\
  { echo "here before: $(date -u +%Y-%m-%dT%H:%M:%S.%NZ)"; printf 'there:       ';
    kubectl exec @SPACE@"$name" -- date -u +%Y-%m-%dT%H:%M:%SZ;
    echo "here after:  $(date -u +%Y-%m-%dT%H:%M:%S.%NZ)"; } > "$out/$name.clock.txt" || failed=1
  printf '%s\\n' "$probe" | kubectl exec -i @SPACE@"$name" -- sh -s > "$out/$name.tar.gz" ||
    { echo "$name: the copy is not whole" >&2; failed=1; }
  mkdir -p "$out/$name"
  kubectl logs @SPACE@"$name" > "$out/$name/container.log" || failed=1
  kubectl logs @SPACE@"$name" --previous > "$out/$name/container-previous.log" 2>/dev/null || rm -f "$out/$name/container-previous.log"
  kubectl get pod @SPACE@"$name" -o yaml > "$out/$name/pod.yaml" || failed=1
done""",
    ),
}
LISTED = {
    HOSTS: "",
    DOCKER: '$(docker ps -a --format "{{.Names}}" | grep -i -E "zoo|zk")',
    KUBECTL: "$(kubectl get pods @SPACE@-l @SELECTOR@ -o 'jsonpath={.items[*].metadata.name}')",
}
"""What to ask for where no names are given; hosts have to be named."""


def script(
    kind: str, names: Sequence[str] = (), out: str = "evidence-before-restart", config: str = "", logs: str = "", namespace: str = "",
    selector: str = "app=zookeeper",
) -> str:  # fmt: skip
    """The script for one kind of place (a key of RECIPES). Raises UsageError for a name that a shell could take for something else."""
    for word, what in [*((name, "name") for name in names), *([(namespace, "namespace")] if namespace else [])]:
        if not NAME.fullmatch(word):
            raise UsageError(f"{word!r} is no {what} of a server. Give names such as zk1 or root@10.0.0.1, separated by commas.")
    recipe = RECIPES[kind]
    space = f"-n {shlex.quote(namespace)} " if namespace else ""
    chosen = " ".join(shlex.quote(name) for name in names) or LISTED[kind] or " ".join(EXAMPLES)
    found = PROBE.replace("@CONFIG@", shlex.quote(config)).replace("@LOGS@", shlex.quote(logs) if logs else DEFAULT_LOGS)
    probe = "" if kind == DOCKER else found
    remark = "# zk1, zk2 and zk3 are examples: put the names of all your servers here.\n" if kind == HOSTS and not names else ""
    loop = f"{recipe.intro}\n{remark}{recipe.listed}\n{recipe.body}\n"
    for mark, value in (("@NAMES@", chosen), ("@SELECTOR@", shlex.quote(selector)), ("@SPACE@", space)):
        loop = loop.replace(mark, value)
    return HEAD.replace("{out}", shlex.quote(out)) + probe + "\n" + loop + TAIL
