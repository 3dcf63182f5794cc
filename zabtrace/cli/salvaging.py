"""``zabtrace salvage`` and ``zabtrace collect``: what can be applied again by hand, and what to copy before anything is restarted."""

from __future__ import annotations

from pathlib import Path

import click

from zabtrace.cli.asked import Asked, shared
from zabtrace.cli.output import put, refuse_inside_evidence, write
from zabtrace.errors import UsageError


@click.command()
@shared("ndjson", "zkcli", "table", "json", "csv", "parquet")
@click.option("--against", metavar="SERVER", help="Compare with the tree of this server; else with that of the newest disk.")
@click.option("--top", type=click.IntRange(1), metavar="N", help="With --format table: list the first N writes only.")
def salvage(asked: Asked, against: str | None, top: int | None) -> int:
    """Print the content of every write that did not survive, so that it can be applied again by hand. Nothing is applied.

    One JSON line per write and part of a multi, by zxid: data exactly as logged (base64 where they are no text), the version that
    was there before, and why it does not fit the present tree where it does not. --format zkcli makes a script of conditional
    zkCli.sh commands of them.

    \b
    Examples:
      zabtrace salvage incident/ -o lost-writes.jsonl
      zabtrace salvage incident/ --format zkcli -o lost-writes.txt
      zabtrace salvage incident/ --format table --against 2
    """
    from zabtrace.documents.window import sids
    from zabtrace.render import salvage as screens
    from zabtrace.render import zkcli
    from zabtrace.salvage import salvage as gather

    if asked.output is not None:
        refuse_inside_evidence(asked.output, asked)
    history, judgement = asked.judged()
    (server,) = sids((against,), history.trace.servers, "--against") if against is not None else (None,)
    with asked.step("trying what did not survive on the present tree"):
        view = screens.salvage(history, gather(history, judgement, server), top)
    if asked.format == "zkcli":
        write(asked.output, zkcli.script(view.document))
    else:
        put(asked, view)
    asked.note(f"{len(view.document['writes'])} writes did not survive, {view.document['fit']} fit what is there now. Nothing was applied.")
    return 0


@click.command()
@click.option("--hosts", metavar="A,B,C", help="Servers on hosts, reached with ssh: all of them, also the dead ones.")
@click.option("--docker", is_flag=True, help="Servers in containers (docker, docker compose).")
@click.option("--kubectl", is_flag=True, help="Servers in pods.")
@click.option("--names", metavar="A,B,C", help="With --docker or --kubectl: the containers or pods; else they are looked for.")
@click.option("--namespace", default="", metavar="NAME", help="With --kubectl: the namespace.")
@click.option("--selector", default="app=zookeeper", show_default=True, help="With --kubectl: the labels of the pods.")
@click.option("--config", default="", metavar="PATH", help="Where zoo.cfg is on the servers, where it is not found.")
@click.option("--logs", default="", metavar="PATH", help="Where the text logs are on the servers, where they are not found.")
@click.option("--out", default="evidence-before-restart", show_default=True, metavar="DIR", help="The folder that the script fills.")
@click.option("--format", "form", type=click.Choice(("script", "json")), default="script", show_default=True, help="How to print it.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the script to this file.")
def collect(
    hosts: str | None, docker: bool, kubectl: bool, names: str | None, namespace: str, selector: str, config: str, logs: str, out: str,
    form: str, output: Path | None,
) -> int:  # fmt: skip
    """Print what to copy from the servers before anything is restarted, as a shell script. Nothing is run or connected to.

    Copy first: a crashed server that rejoins truncates its log, and what it had can then never be known again.

    \b
    Examples:
      zabtrace collect --hosts zk1,zk2,zk3 -o collect.sh
      zabtrace collect --docker --names compose-zk1-1,compose-zk2-1,compose-zk3-1
      zabtrace collect --kubectl --namespace prod --selector app=zookeeper
    """
    import json

    from zabtrace import collect as recipes

    kinds = [kind for kind, wanted in ((recipes.HOSTS, hosts), (recipes.DOCKER, docker), (recipes.KUBECTL, kubectl)) if wanted]
    if len(kinds) > 1:
        raise UsageError("--hosts, --docker and --kubectl are three scripts: ask for one at a time.")
    if names and (not kinds or kinds[0] == recipes.HOSTS):
        raise UsageError("--names goes with --docker or --kubectl; hosts are named with --hosts.")
    kind = kinds[0] if kinds else recipes.HOSTS
    listed = [name.strip() for name in (hosts or names or "").split(",") if name.strip()]
    text = recipes.script(kind, listed, out, config, logs, namespace, selector)
    answer = text if form == "script" else json.dumps({"format": 1, "kind": kind, "names": listed, "out": out, "script": text}) + "\n"
    write(output, [answer])
    return 0
