"""Why a verdict is not better: the sentences name the files that show it, and options only where they help."""

import polars as pl
import pytest

from tests.fates_tables import Incident, disk, zxid
from tests.soundness.ensemble import Line
from zabtrace.fates import sentences


def reasons(disks: dict) -> str:
    return " ".join(Incident(disks).judged().reasons)


WHOLE = disk("1:1-6 2:1-3", current=2)


def test_a_file_that_was_cut_is_named() -> None:
    """Server 3 was sent a TRUNC: its file ends right behind 1:6, and nothing was purged anywhere."""
    said = reasons({1: WHOLE, 2: WHOLE, 3: disk("1:1-6! / 2:1-3", current=2)})
    assert "server-3/data/version-2/log.100000001 is cut right behind 0x100000006" in said
    assert "server-1" not in said
    assert "--since" not in said


def test_since_is_named_where_logs_were_purged() -> None:
    purged = disk("2:1-3", "1:6", current=2)
    said = reasons({1: purged, 2: purged, 3: purged})
    assert "--since e2" in said
    assert "is cut" not in said


# ---------------------------------------------------------------- disks that were put back
BACKUP = "1:1-5"
SERVED_TWICE = Incident(
    {s: disk(f"{BACKUP} / 2:1*b 2:2*b", current=2) for s in (1, 2, 3)},
    before=[{s: disk(f"{BACKUP} / 2:1-4", current=2) for s in (1, 2, 3)}],
)
"""All disks were put back to the end of epoch 1 after epoch 2 had served: epoch 2 comes a second time."""


def test_a_row_of_one_payload_shows_the_records_of_that_payload() -> None:
    rows = SERVED_TWICE.judged().writes.filter(pl.col("zxid") == zxid("2:1"))
    shown = {
        (len(held), item["source"].startswith("before")) for held, of in rows.select("on_disk_of", "evidence").iter_rows() for item in of
    }
    assert shown == {(3, False), (0, True)}


def test_an_epoch_number_that_came_twice_is_told_with_what_is_gone() -> None:
    said = " ".join(SERVED_TWICE.judged().reasons)
    assert "Epoch 2 was given out twice: from 0x200000001 on" in said
    assert "servers 1, 2, 3" in said
    assert "known up to 0x200000004, is on no newest disk" in said
    assert "a restored backup" in said


def test_two_histories_on_living_disks_are_told_apart() -> None:
    said = reasons({1: disk("1:1-5 / 2:1-3", current=2), 2: disk("1:1-5 / 2:1*b", current=2), 3: disk("1:1-5", current=2)})
    assert "They lie on server 1 and server 2." in said
    assert "backup" not in said


def test_lost_writes_that_a_quorum_once_held_were_put_back() -> None:
    """Epoch 1 reached 1:9 on all disks; all of them were put back to 1:5, and epoch 2 began there."""
    put_back = Incident({s: disk("1:1-5 / 2:1-2", current=2) for s in (1, 2, 3)}, before=[{s: disk("1:1-9") for s in (1, 2, 3)}]).judged()
    assert put_back.verdict == "lost"
    assert "held lost writes up to 0x100000009 which their newest copies lack" in " ".join(put_back.reasons)


def test_no_sentence_denies_a_proof() -> None:
    """What was answered is committed, whatever became of it."""
    answered = Incident({**SERVED_TWICE.disks}, before=SERVED_TWICE.before, acked="2:4").judged()
    row = answered.writes.row(by_predicate=pl.col("zxid") == zxid("2:4"), named=True)
    assert (row["fate"], row["committed"]) == ("undecided", "yes")
    assert "nothing shows that it was committed" not in row["why"]
    assert "given out twice" in row["why"]


# ---------------------------------------------------------------- what would settle it
def test_the_logs_that_were_not_given_are_named_as_what_settles_it() -> None:
    """Of silent disks one may have been put back: the logs would tell it (N1)."""
    disks = {1: disk("1:1-5 / 2:1-3", current=2), 2: disk("1:1-5 / 2:1-3", current=2), 3: disk("1:1-9")}
    silent = Incident(disks).judged().writes.filter(pl.col("zxid") == zxid("1:8")).row(0, named=True)
    assert silent["committed"] == "unknown"
    assert silent["settled_by"].startswith("the text log of server 1, 2, 3 ")
    spoken = Incident(disks, lines={1: [Line("banner", "x", {}, 1)]}).judged().writes.filter(pl.col("zxid") == zxid("1:8"))
    assert spoken.item(0, "settled_by").startswith("the text log of server 2, 3 ")


def test_evidence_that_is_put_together_in_parts_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many writes at a time bound the memory; which part a write falls into changes nothing."""
    whole = SERVED_TWICE.judged().writes
    monkeypatch.setattr(sentences, "AT_ONCE", 2)
    assert SERVED_TWICE.judged().writes.equals(whole)
    assert whole.filter(pl.col("fate") != "survived").get_column("evidence").list.len().min() > 0
