"""What not to start yet: said where a start would discard or leave behind what lies on some disks only, and nowhere else."""

from __future__ import annotations

from zabtrace import schema, wording
from zabtrace.fates.judgement import Judgement
from zabtrace.predict import Prediction, Start
from zabtrace.report.advice import advice

Z = 0x100000061


def judgement(*rows: dict[str, object]) -> Judgement:
    return Judgement(writes=schema.frame(schema.WRITES, list(rows)))


def write(zxid: int, *disks: int, acknowledged: str = "unknown", next_start: str = "discarded") -> dict[str, object]:
    return {"zxid": zxid, "fate": "pending", "on_disk_of": list(disks), "acknowledged": acknowledged, "at_next_start": next_start}


def start(servers: tuple[int, ...], leader: int | None, *discarded: int) -> Start:
    return Start(servers, leader, "", truncated=discarded)


def said(found: Judgement, *starts: Start) -> list[str]:
    return advice(found, Prediction(starts), wording.Names())


def test_a_server_whose_writes_every_start_discards_is_copied_first() -> None:
    found = judgement(write(Z, 3, acknowledged="yes"), write(Z + 1, 3))
    starts = (start((1, 2), 2), start((1, 3), 1, Z, Z + 1), start((2, 3), 2, Z, Z + 1), start((1, 2, 3), 2, Z, Z + 1))
    assert said(found, *starts) == [
        "Do not start server 3 before its data files are copied: 2 writes, 1 of them acknowledged, lie only there "
        "(0x100000061 to 0x100000062), and no start is sure to keep them."
    ]


def test_others_do_not_start_without_the_server_that_alone_has_the_writes() -> None:
    found = judgement(write(Z, 3, acknowledged="yes", next_start="depends"))
    starts = (start((1, 2), 2), start((1, 3), 3), start((2, 3), 3), start((1, 2, 3), 3))
    assert said(found, *starts) == [
        "Do not start servers 1, 2 alone: 1 write, 1 of them acknowledged, lies only on server 3 (0x100000061), "
        "and would be discarded when it comes back."
    ]


def test_a_start_whose_leader_lacks_the_record_is_not_called_safe() -> None:
    """Server 1 leads {1, 3} and its files do not show whether it has the write: no sentence may send anybody there."""
    (sentence,) = said(judgement(write(Z, 3)), start((1, 2), 2), start((1, 3), 1), start((2, 3), 2, Z))
    assert sentence.startswith("Do not start server 3 before its data files are copied")


def test_nothing_is_said_where_every_start_keeps_everything() -> None:
    kept = judgement(write(Z, 1, 2, 3, next_start="kept"), write(Z + 1, 2, 3, next_start="kept"))
    assert said(kept, start((1, 2), 2), start((1, 3), 3), start((2, 3), 3)) == []
    assert said(judgement(write(Z, 3)), start((3,), None)) == []
    assert advice(judgement(write(Z, 3)), None, wording.Names()) == []


def test_what_was_acknowledged_is_told_first() -> None:
    found = judgement(write(Z, 3), write(Z + 1, 4, acknowledged="yes"))
    told = said(found, start((1, 2, 3), 1, Z), start((1, 2, 4), 1, Z + 1))
    assert ["server 4" in sentence for sentence in told] == [True, False]
