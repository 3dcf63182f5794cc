"""Answers to four-letter words in, facts out: who answered, in which mode, up to which zxid, and who was connected."""

from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from zabtrace.cli import zabtrace
from zabtrace.evidence import gather
from zabtrace.fourletters import AnswerRead, read_answer
from zabtrace.grammar import notation
from zabtrace.replay import replay
from zabtrace.source import Source

SRVR = """Zookeeper version: 3.9.3-c26634f34490bb0ea7a09cc51e05ede3b4e320ee, built on 2024-10-17 23:21 UTC
Latency min/avg/max: 0/4.2558/19
Received: 52
Sent: 51
Connections: 2
Outstanding: 0
Zxid: 0x30000002b
Mode: leader
Node count: 20
Proposal sizes last/min/max: 48/48/286
"""
CONS = (
    " /10.0.0.9:54994[1](queued=0,recved=40,sent=40,sid=0x200002b6c500000,lop=PING,est=1795220827650,to=6000,lcxid=0x23,"
    "lzxid=0x100000029,lresp=2853152,llat=4,minlat=0,avglat=4,maxlat=19)\n"
    " /10.0.0.8:4[0](queued=0,recved=1,sent=0,sid=0x1,lop=NA,est=1795220827650,to=6000,"
    "lzxid=0xffffffffffffffff,lresp=1,llat=0,minlat=0,avglat=0,maxlat=0)\n"
    " /127.0.0.1:51870[0](queued=0,recved=1,sent=0)\n\n"
)
CONF = """clientPort=2181
secureClientPort=-1
dataDir=/var/lib/zookeeper/version-2
serverId=2
electionAlg=3
peerType=0
membership: 
server.1=10.0.0.1:2888:3888:participant
server.2=10.0.0.2:2888:3888:participant;0.0.0.0:2181
server.3=10.0.0.3:2888:3888:observer
version=100000012"""  # noqa: W291 (as a server prints it)
MNTR = (
    "zk_version\t3.4.14-4c25d480e66aadd371de8bd2fd8da255ac140bcf, built on 03/06/2019 16:18 GMT\n"
    "zk_server_state\tfollower\nzk_znode_count\t18\n"
)
DUMP = """SessionTracker dump:
Global Sessions(1):
0x200002b6c500000\t6000ms
ephemeral nodes dump:
Sessions with Ephemerals (2):
0x200002b6c500000:
\t/t/es-0000000008
\t/t/e
0x1:
\t/t/f
Connections dump:
Connections Sets (1)/(1):
1 expire at Sat Nov 21 00:27:21 UTC 2026:
\tip: /10.0.0.9:54994 sessionId: 0x200002b6c500000
"""


def read(tmp_path: Path, text: str) -> AnswerRead:
    (tmp_path / "answer.txt").write_text(text)
    return read_answer(Source("answer.txt", tmp_path / "answer.txt"))


def by_key(found: AnswerRead) -> dict[str, str]:
    return dict(found.facts.select("key", "value").rows())


@pytest.mark.parametrize("shape", notation.read("answers.lark").shapes, ids=lambda shape: f"{shape.line}-{shape.kind}")
def test_every_sample_is_taken_by_its_alternative(tmp_path: Path, shape: notation.Shape) -> None:
    for sample in shape.samples:
        found = read(tmp_path, sample)
        assert (found.lines, found.unknown) == (1, 0)
        keys = found.facts["key"].to_list()
        assert keys in ([shape.kind], [] if shape.kind in ("heading", "asked") else None) or shape.kind.startswith("pair")


def test_srvr(tmp_path: Path) -> None:
    found = read(tmp_path, SRVR)
    assert (found.version, found.sid, found.unknown) == ("3.9.3", None, 0)
    values = by_key(found)
    assert (values["mode"], values["nodes"], values["connections"], values["latency_ms"]) == ("leader", "20", "2", "0/4.2558/19")
    assert found.facts.filter(pl.col("key") == "zxid").select("zxid", "line").row(0) == (0x30000002B, 7)


def test_cons_tells_sessions_and_their_clients(tmp_path: Path) -> None:
    facts = read(tmp_path, CONS).facts
    assert facts.select("key", "session", "address", "zxid", "timeout").rows() == [
        ("session", 0x200002B6C500000, "/10.0.0.9:54994", 0x100000029, 6000),
        ("session", 1, "/10.0.0.8:4", -1, 6000),
        ("connection", None, "/127.0.0.1:51870", None, None),
    ]
    assert facts["since"].dt.to_string("%Y-%m-%dT%H:%M:%S%.3f").to_list() == ["2026-11-21T00:27:07.650"] * 2 + [None]


def test_dump_tells_who_owns_what(tmp_path: Path) -> None:
    facts = read(tmp_path, DUMP).facts
    assert facts.filter(pl.col("key") == "ephemeral").select("session", "value").rows() == [
        (0x200002B6C500000, "/t/es-0000000008"), (0x200002B6C500000, "/t/e"), (1, "/t/f"),
    ]  # fmt: skip


def test_mntr_and_what_is_no_answer(tmp_path: Path) -> None:
    found = read(tmp_path, MNTR + "Traceback: no such line\n")
    assert by_key(found)["zk_server_state"] == "follower"
    assert (found.version, found.lines, found.unknown) == ("3.4.14", 4, 1)


def test_conf_names_the_server_and_its_members(tmp_path: Path) -> None:
    (tmp_path / "somewhere").mkdir()
    (tmp_path / "somewhere" / "conf.txt").write_text(CONF)
    (tmp_path / "somewhere" / "srvr.txt").write_text(SRVR)
    trace = gather([str(tmp_path)])
    assert set(trace.facts["server"]) == {2}
    assert trace.members.select("sid", "role", "client_port", "config_zxid").rows() == [
        (1, "participant", None, 0x100000012), (2, "participant", 2181, 0x100000012), (3, "observer", None, 0x100000012),
    ]  # fmt: skip
    assert set(trace.sources["kind"]) == {"four-letter word"}


def test_the_zxid_of_an_answer_proves_its_epoch_and_no_leader(tmp_path: Path) -> None:
    """A server answers while it serves: epoch 3 stood. Its leader may be named a moment before that zxid is."""
    (tmp_path / "srvr.txt").write_text(SRVR)
    epochs = replay(gather([str(tmp_path)])).epochs
    assert epochs.select("epoch", "status", "leader").rows() == [(3, "established", None)]
    assert "four-letter word" in epochs["evidence"][0]


def test_answers_are_listed(tmp_path: Path) -> None:
    (tmp_path / "srvr.txt").write_text(SRVR)
    (tmp_path / "cons.txt").write_text(CONS)
    shown = CliRunner().invoke(zabtrace, ["answers", str(tmp_path), "--key", "mode", "--key", "session", "--format", "csv"])
    assert shown.exit_code == 0
    assert "leader" in shown.stdout
    assert "0x200002b6c500000,/10.0.0.9:54994" in shown.stdout
    assert "51870" not in shown.stdout


TRANSCRIPT = f"""Sat Nov 21 17:57:37 UTC 2026
[root@zk1 ~]# echo srvr | nc localhost 2181
{SRVR}
=== mntr ===
{MNTR}2026-11-21T19:58:01+02:00
$ echo ruok | nc localhost 2181
imok
Sun Nov 22 00:00:00 CST 2026
--- wchs
0 connections watching 0 paths
"""


def test_answers_saved_with_the_shell_around_them(tmp_path: Path) -> None:
    """What stands in one file, as terminals and loops write it; a zone whose name is not UTC's gives no time."""
    (tmp_path / "answers.txt").write_text(TRANSCRIPT.replace("\n", "\r\n"))
    trace = gather([str(tmp_path)])
    assert trace.sources["kind"].to_list() == ["four-letter word"]
    asked = dict(trace.facts.select("key", pl.col("asked").dt.to_string("%H:%M:%S")).rows())
    assert (asked["mode"], asked["zk_server_state"], asked["ok"]) == ("17:57:37", "17:57:37", "17:58:01")
    assert asked["watched_paths"] is None
    assert "asked" in CliRunner().invoke(zabtrace, ["answers", str(tmp_path)]).stdout.splitlines()[0]


def test_telnet_greets_before_the_answer(tmp_path: Path) -> None:
    greeting = "Trying 127.0.0.1...\nConnected to localhost.\nEscape character is '^]'.\nsrvr\n"
    (tmp_path / "a.txt").write_text(f"{greeting}{SRVR}Connection closed by foreign host.\n")
    found = read_answer(Source("a.txt", tmp_path / "a.txt"))
    assert (by_key(found)["mode"], found.unknown) == ("leader", 0)
    assert gather([str(tmp_path)]).sources["kind"].to_list() == ["four-letter word"]


def test_answers_of_several_servers_in_one_file_name_none(tmp_path: Path) -> None:
    assert read(tmp_path, CONF).sid == 2
    assert read(tmp_path, CONF + "\n" + CONF.replace("serverId=2", "serverId=3")).sid is None
