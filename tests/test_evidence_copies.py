"""Saved states of one server in, their order out: proved by their contents, or not at all."""

import os
from pathlib import Path

import pytest
from record_bytes import create, log, node, snapshot

from zabtrace.evidence import gather

Files = dict[str, bytes]


def zxid(epoch: int, counter: int) -> int:
    return epoch << 32 | counter


def records(epoch: int, first: int, last: int, **options: int) -> bytes:
    return log(*(create(zxid(epoch, counter), f"/n{counter}") for counter in range(first, last + 1)), **options)


def saved(folder: Path, files: Files, epochs: tuple[int, int] | None = (1, 1)) -> Path:
    """A data folder of server 1 with these files in version-2."""
    (folder / "version-2").mkdir(parents=True)
    (folder / "myid").write_text("1\n")
    for name, content in files.items():
        (folder / "version-2" / name).write_bytes(content)
    for name, epoch in zip(("acceptedEpoch", "currentEpoch"), epochs or (), strict=False):
        (folder / "version-2" / name).write_text(str(epoch))
    return folder


TREE = snapshot(node("", b""), node("/zookeeper", b""))
TEN = {"snapshot.0": TREE, "log.100000001": records(1, 1, 10)}
TWENTY = {"snapshot.0": TREE, "log.100000001": records(1, 1, 20)}
CUT = {"snapshot.0": TREE, "log.100000001": records(1, 1, 10, padding=0)}
NEXT = {**TEN, "log.200000001": records(2, 1, 5)}
REBASED = {**TEN, "snapshot.100000014": TREE}
PURGED = {"snapshot.100000009": TREE, "log.10000000a": records(1, 10, 30)}
OTHER = {"snapshot.0": TREE, "log.100000001": log(*(create(zxid(1, n), "/else") for n in range(1, 11)))}

# earlier state, its epochs, later state, its epochs
PROVED = {
    "extended": (TEN, (1, 1), TWENTY, (1, 1)),
    "the same epoch, its log cut by a truncation": (TWENTY, (1, 1), CUT, (1, 1)),
    "a tail of the old epoch gone in the new one": (TWENTY, (1, 1), NEXT, (2, 2)),
    "an epoch accepted, nothing else": (TEN, (1, 1), TEN, (2, 1)),
    "a later epoch in the records, no epoch files": (TWENTY, None, NEXT, None),
    "based on a later snapshot": (TEN, (1, 1), REBASED, (1, 1)),
    "old logs purged since": (TWENTY, (1, 1), PURGED, (1, 1)),
}
UNPROVED = {
    "epochs that contradict each other": (TEN, (2, 1), TEN, (1, 2)),
    "records that contradict each other": (TEN, (1, 1), OTHER, (1, 1)),
    "nothing there: the first state, or a wipe": ({"snapshot.0": TREE}, (1, 1), TEN, (1, 1)),
    "ends that both are unpadded": (CUT, (1, 1), {"snapshot.0": TREE, "log.100000001": records(1, 1, 20, padding=0)}, (1, 1)),
}


def copies(folders: list[Path], before: list[Path] | None = None) -> tuple[dict[str, int], tuple[int, ...]]:
    """Name of the folder -> its copy, and the servers without a proved order."""
    found = gather([str(folder) for folder in folders], before=[str(folder) for folder in before or []])
    files = found.snapshots.select("source", "copy").rows()
    return {source.removeprefix("before:").split("/")[0]: copy for source, copy in files}, found.unordered


@pytest.mark.parametrize("case", PROVED)
@pytest.mark.parametrize("given", [("x", "y"), ("y", "x")], ids=["earlier first", "later first"])
def test_contents_prove_the_order(tmp_path: Path, case: str, given: tuple[str, str]) -> None:
    earlier, its_epochs, later, later_epochs = PROVED[case]
    folders = [saved(tmp_path / given[0], earlier, its_epochs), saved(tmp_path / given[1], later, later_epochs)]
    for path in folders[1].rglob("*"):
        os.utime(path, (1, 1))  # file times say the opposite, and do not count
    assert copies(sorted(folders)) == ({given[0]: 1, given[1]: 0}, ())


@pytest.mark.parametrize("case", UNPROVED)
def test_without_proof_both_are_given_and_the_server_is_named(tmp_path: Path, case: str) -> None:
    one, one_epochs, two, two_epochs = UNPROVED[case]
    found, unordered = copies([saved(tmp_path / "a", one, one_epochs), saved(tmp_path / "b", two, two_epochs)])
    assert (sorted(found.values()), unordered) == ([0, 1], (1,))


def test_states_that_are_alike_need_no_order(tmp_path: Path) -> None:
    assert copies([saved(tmp_path / "a", TEN), saved(tmp_path / "b", TEN)]) == ({"a": 0, "b": 1}, ())


def test_before_needs_no_proof_and_counts_from_the_last(tmp_path: Path) -> None:
    oldest, older = saved(tmp_path / "oldest", OTHER), saved(tmp_path / "older", TWENTY)
    assert copies([saved(tmp_path / "now", TEN)], [oldest, older]) == ({"oldest": 2, "older": 1, "now": 0}, ())


def test_a_server_that_is_only_in_before_has_no_newest_copy(tmp_path: Path) -> None:
    other = saved(tmp_path / "other", TEN)
    (other / "myid").write_text("2")
    assert copies([saved(tmp_path / "now", TEN)], [other]) == ({"other": 1, "now": 0}, ())


def test_three_states_in_one_folder(tmp_path: Path) -> None:
    for name, files in (("c", TEN), ("a", TWENTY), ("b", PURGED)):
        saved(tmp_path / "all" / name / "data", files)
    found = gather([str(tmp_path / "all")])
    assert dict(found.txn_files.select(found.txn_files["source"].str.slice(4, 1), "copy").rows()) == {"c": 2, "a": 1, "b": 0}
    assert found.txns.filter(copy=0)["zxid"].max() == zxid(1, 30)
