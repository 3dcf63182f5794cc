"""A standalone server is a quorum of one: what lies on its only disk is in force, and nothing else is asked for."""

from __future__ import annotations

from pathlib import Path

from check_disks import E1, TREE, one_log, outcomes, records, report_of

from zabtrace.evidence import gather
from zabtrace.evidence.trace import Trace
from zabtrace.fates import Judgement, judge
from zabtrace.fates.case import build_case
from zabtrace.predict import predict
from zabtrace.replay import replay

CONFIG = "tickTime=2000\ndataDir=/data\nclientPort=2181\n"
START = (
    "2026-01-01 10:00:00,000 [myid:] - WARN  [main:QuorumPeerMain@139] - "
    "Either no config or no quorum defined in config, running in standalone mode\n"
)


def server(folder: Path, logs: dict[str, bytes], config: str | None = CONFIG, text: str = "", **more: str) -> Path:
    """The folder of a server without epoch files; ``more``: such files as text."""
    data = folder / "data" / "version-2"
    data.mkdir(parents=True)
    for name, content in {"snapshot.0": TREE, **logs}.items():
        (data / name).write_bytes(content)
    for name, content in more.items():
        (data / name).write_text(content)
    if config is not None:
        (folder / "zoo.cfg").write_text(config)
    if text:
        (folder / "zookeeper.log").write_text(text)
    return folder


def judged(*folders: Path) -> Judgement:
    """Replayed and judged."""
    return judge(replay(gathered(*folders)))


def gathered(*folders: Path) -> Trace:
    """The evidence in these folders."""
    return gather([str(folder) for folder in folders])


def test_what_a_standalone_server_has_on_its_disk_survived(tmp_path: Path) -> None:
    """Its log says how it runs, or its zoo.cfg names no server: either is enough."""
    for name, shown in {"text": {"config": None, "text": START}, "config": {}}.items():
        found = judged(server(tmp_path / name, one_log(range(1, 6)), **shown))  # type: ignore[arg-type]
        assert found.verdict == "nothing_lost"
        assert found.writes["fate"].to_list() == ["survived"] * 5


def test_without_a_word_of_how_it_ran_nothing_is_counted(tmp_path: Path) -> None:
    """Bare data files, a dynamic file that was not collected, and the disk of a former member name no voters."""
    ensemble = {"currentEpoch": "1", "acceptedEpoch": "1"}
    for found in (
        judged(server(tmp_path / "bare", one_log(range(1, 6)), None)),
        judged(server(tmp_path / "dynamic", one_log(range(1, 6)), CONFIG + "dynamicConfigFile=/zoo.cfg.dynamic\n")),
        judged(server(tmp_path / "member", one_log([E1 + n for n in range(1, 6)]))),
        judged(server(tmp_path / "fresh-member", one_log(range(1, 6)), **ensemble)),
    ):
        assert found.verdict == "undecided"
        assert set(found.writes["fate"]) == {"undecided"}


def test_two_standalone_servers_are_not_one_ensemble(tmp_path: Path) -> None:
    """Each is alone; together they name nobody as a voter."""
    one, two = server(tmp_path / "one", one_log(range(1, 6))), server(tmp_path / "two", one_log(range(1, 3)))
    assert judged(one, two).verdict == "undecided"


def test_its_disk_holds_every_committed_write(tmp_path: Path) -> None:
    """So a write without a record did not happen; where a counter is missing nothing is said."""
    whole = replay(gathered(server(tmp_path / "whole", one_log(range(1, 6)))))
    holed = replay(gathered(server(tmp_path / "holed", one_log([1, 2, 4, 5]))))
    assert build_case(whole).complete
    assert not build_case(holed).complete


def test_check_and_predict_ask_for_nothing_that_a_standalone_server_has_not(tmp_path: Path) -> None:
    """No leader, no epoch files: neither is missing evidence."""
    folder = server(tmp_path / "server", {"log.1": records(range(1, 6))}, text=START)
    found = outcomes(report_of(folder))
    assert {found["one leader per epoch"], found["epoch files match the data"], found["committed writes are kept"]} == {"holds"}
    (start,) = predict(replay(gathered(folder))).starts
    assert start.leader is not None and start.discarded == ()
