"""Why a verdict is not better: the sentences name the files that show it, and options only where they help."""

from tests.fates_tables import Incident, disk


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
