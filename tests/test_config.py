"""Configuration text in, members and settings out."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zabtrace.config import logical_lines, members_of, read_config, unescape
from zabtrace.grammar.config import ConfigLineError, Group, Line, Member, Setting, Weight, parse_line
from zabtrace.source import Source

LINES: list[tuple[str, Line]] = [
    ("server.1=127.0.0.1:2888:3888", Member(1, "127.0.0.1", 2888, 3888, None)),
    ("server.4=zk4:2888:3888:observer", Member(4, "zk4", 2888, 3888, "observer")),
    ("server.4=zk4:2888:3888:OBSERVER;2181", Member(4, "zk4", 2888, 3888, "observer", client=(None, 2181))),
    (
        "server.1=127.0.0.1:2888:3888:participant;127.0.0.1:2181",
        Member(1, "127.0.0.1", 2888, 3888, "participant", client=("127.0.0.1", 2181)),
    ),
    ("server.2=[2001:db8::1]:2888:3888;[::]:2181", Member(2, "2001:db8::1", 2888, 3888, None, client=("::", 2181))),
    (
        "server.1=net1:2888:3888|net2:2889:3889;2181",
        Member(1, "net1", 2888, 3888, None, ("net1:2888:3888", "net2:2889:3889"), (None, 2181)),
    ),
    (
        "server.7=a:2888:3888:observer|[2001:db8::7]:2889:3889:observer",
        Member(7, "a", 2888, 3888, "observer", ("a:2888:3888", "2001:db8::7:2889:3889")),
    ),
    ("server.3 = zk3:2888", Member(3, "zk3", 2888, None, None)),
    ("group.2=3:4", Group(2, (3, 4))),
    ("weight.1: 0", Weight(1, 0)),
    ("dataDir=/var/lib/zookeeper data", Setting("dataDir", "/var/lib/zookeeper data")),
    ("version=100000012", Setting("version", "100000012")),
    ("versions=1", Setting("versions", "1")),
    ("4lw.commands.whitelist=*", Setting("4lw.commands.whitelist", "*")),
    ("alone", Setting("alone", "")),
]
REFUSED = [
    "server.1=zk1",
    "server.one=a:1:2",
    "server.2=zk2:288888:1",
    "group.1=1;2",
    "weight.1=heavy",
    "server.1=zk1:2888:3888:voter",
    "server.1=zk1:2888:3888;x",
]

STATIC = """\
# a comment
tickTime=2000
dataDir=/var/\\
  lib/zookeeper
peerType=observer
group.1=1:2
group.2=3
weight.1=2
server.1=zk1:2888:3888
server.2=zk2:oops:3888
server.3=zk3:2888:3888:observer
tickTime=1000
"""


@pytest.mark.parametrize(("text", "expected"), LINES)
def test_lines(text: str, expected: Line) -> None:
    assert parse_line(text) == expected


@pytest.mark.parametrize("text", REFUSED)
def test_a_line_that_a_server_refuses_says_at_which_column(text: str) -> None:
    with pytest.raises(ConfigLineError, match=r"column \d+: expected [A-Z$]"):
        parse_line(text)


def read(tmp_path: Path, name: str, text: str) -> Source:
    (tmp_path / name).write_text(text)
    return Source(f"server-1/{name}", tmp_path / name)


def test_a_static_configuration(tmp_path: Path) -> None:
    found = read_config(read(tmp_path, "zoo.cfg", STATIC))
    columns = ("sid", "role", "host", "quorum_port", "group", "weight", "line", "config_zxid", "source")
    assert found.members.select(columns).rows() == [
        (1, "participant", "zk1", 2888, 1, 2, 9, None, "server-1/zoo.cfg"),
        (3, "observer", "zk3", 2888, 2, 1, 11, None, "server-1/zoo.cfg"),
    ]
    assert found.settings.select("key", "value", "line").rows() == [
        ("tickTime", "2000", 2), ("dataDir", "/var/lib/zookeeper", 3), ("peerType", "observer", 5), ("tickTime", "1000", 12),
    ]  # fmt: skip
    assert found.setting("tickTime") == "1000"
    assert found.setting("clientPort") is None
    assert found.damage.select("source", "line").rows() == [("server-1/zoo.cfg", 10)]
    assert "zk2:oops" in found.damage["reason"][0]


DYNAMIC = "server.2=b:2888:3888:participant;2181\nserver.4=d:2888:3888:observer;2181"


@pytest.mark.parametrize(
    ("name", "text", "zxid"),
    [
        ("zoo.cfg.dynamic.100000012", DYNAMIC, 0x100000012),
        ("zoo.cfg.dynamic", DYNAMIC, None),
        ("zoo.cfg.dynamic", DYNAMIC + "\nversion=200000007", 0x200000007),
        ("zoo.cfg.dynamic.next", DYNAMIC, None),
    ],
)
def test_a_dynamic_configuration_is_in_force_from_its_zxid(tmp_path: Path, name: str, text: str, zxid: int | None) -> None:
    found = read_config(read(tmp_path, name, text)).members
    assert found.select("sid", "role", "config_zxid").rows() == [(2, "participant", zxid), (4, "observer", zxid)]


def test_the_text_of_a_reconfig() -> None:
    rows = members_of("server.1=a:1:2:participant\nnonsense\nserver.2=b:1:2:observer\nversion=10000000c")
    found = [(row["sid"], row["role"], row["config_zxid"]) for row in rows]
    assert found == [(1, "participant", 0x10000000C), (2, "observer", 0x10000000C)]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a=1\r\n\n  # no\n b=2", [(1, "a=1"), (4, "b=2")]),
        ("a=1\\\n   2\nb=3\\", [(1, "a=12"), (3, "b=3")]),
        ("a=c:\\\\\nb=2", [(1, "a=c:\\\\"), (2, "b=2")]),
    ],
)
def test_logical_lines_are_those_of_java_properties(text: str, lines: list[tuple[int, str]]) -> None:
    assert list(logical_lines(text)) == lines


def test_escapes_are_those_of_java_properties() -> None:
    assert unescape("C\\:\\\\zk \\u0041") == "C:\\zk A"


HOSTS = st.from_regex(r"[a-z][a-z0-9.-]{0,20}", fullmatch=True)
PORTS = st.integers(0, 65535)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.integers(0, 255), st.tuples(HOSTS, PORTS, PORTS, st.sampled_from(["participant", "observer"])), max_size=6))
def test_members_read_back_what_was_written(ensemble: dict[int, tuple[str, int, int, str]]) -> None:
    text = "\n".join(f"server.{sid}={host}:{quorum}:{election}:{role};2181" for sid, (host, quorum, election, role) in ensemble.items())
    read_back = {row["sid"]: (row["host"], row["quorum_port"], row["election_port"], row["role"]) for row in members_of(text)}
    assert read_back == ensemble


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    assert all(row["sid"] >= 0 for row in members_of(text))


def test_all_addresses_and_client_ports_of_a_member(tmp_path: Path) -> None:
    text = "server.1=net1:2888:3888|net2:2889:3889;10.0.0.1:2181\nserver.2=zk2:2888:3888;2182\nserver.3=zk3:2888:3888\n"
    found = read_config(read(tmp_path, "zoo.cfg.dynamic.100000002", text)).members
    assert found.select("sid", "addresses", "client_host", "client_port", "config_zxid").rows() == [
        (1, ["net1:2888:3888", "net2:2889:3889"], "10.0.0.1", 2181, 0x100000002),
        (2, None, None, 2182, 0x100000002),
        (3, None, None, None, 0x100000002),
    ]


def test_a_second_address_names_its_server_too(tmp_path: Path) -> None:
    """The folder of a member is known by any of its hosts."""
    from zabtrace.evidence import gather

    for host in ("one-a", "two-b"):
        (tmp_path / host).mkdir()
        (tmp_path / host / "currentEpoch").write_text("1")
    config = "clientPort=2181\nserver.1=one-a:2888:3888|one-b:2888:3888\nserver.2=two-a:2888:3888|two-b:2888:3888\n"
    (tmp_path / "zoo.cfg").write_text(config)
    assert sorted(gather([str(tmp_path)]).epoch_files["server"]) == [1, 2]


def test_members_with_escapes_as_properties_writes_them(tmp_path: Path) -> None:
    """Exhibitor and others write zoo.cfg through Properties.store, which escapes colons; Properties.load resolves them first."""
    (tmp_path / "zoo.cfg").write_text("server.1=zk1\\:2888\\:3888\\:observer\nserver.2=\\u007ak2\\:2888\\:3888;2181\ngroup.1=1\\:2\n")
    found = read_config(Source("zoo.cfg", tmp_path / "zoo.cfg"))
    columns = ("sid", "role", "host", "quorum_port", "election_port", "client_port", "group")
    assert found.members.select(columns).rows() == [
        (1, "observer", "zk1", 2888, 3888, None, 1),
        (2, "participant", "zk2", 2888, 3888, 2181, 1),
    ]
    assert found.damage.is_empty()
