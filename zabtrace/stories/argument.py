"""The argument for a fate: what its rule says, and what would change the verdict.

Strategy: two tables. RULES has a sentence for each rule id of ``fates.sentences.RULES`` (zab-semantics 7.1 and 7.2, restated
with the ZooKeeper classes they rest on), CHANGES has, for a fate and what is known of its commit, what evidence would overturn it.
"""

from __future__ import annotations

from typing import Any

RULES = {
    "C1": "A write that lies in force on a quorum of disks of one moment, with equal currentEpoch, is decided: any later leader needs "
    "a quorum of epoch acknowledgements, which meets one of them (Leader.waitForEpochAck, FastLeaderElection.totalOrderPredicate).",
    "C2": "The initial history of an established epoch is committed as a whole: its leader serves only after a quorum acknowledged it "
    "(Leader.waitForNewLeaderAck).",
    "C3": "Commits of one epoch are in order: below a committed transaction of the same epoch everything is committed "
    "(Leader.tryToCommit).",
    "C4": "Observers log only what they were informed of, and a leader informs after the commit (Leader.inform, ObserverRequestProcessor).",
    "C5": "A client is answered, or sees an effect, only after its server applied the commit (FinalRequestProcessor).",
    "C6": "What an established leader, or a learner in service, says it has processed is committed (LearnerHandler, FileTxnSnapLog.save).",
    "C7": "A server in service saves what it has processed, and that advances on commits only (FileTxnSnapLog.save).",
    "N1": "A later epoch was established without it, and the voters whose own unbroken logs never had it are so many that the others "
    "are no quorum: it can never have been committed.",
    "N2": "Two different transactions have this zxid: at most one of them can be in the established history.",
}

_OPEN = ("An answer that a client got for it (--clients) would show that it was committed, and so lost.",)
CHANGES: dict[tuple[str, str | None], tuple[str, ...]] = {
    ("survived", None): (
        "A disk on which a later established epoch begins without it would make it lost or diverged.",
        "Another transaction under the same zxid, on any disk, would make it diverged.",
    ),
    ("recovered", None): (
        "Proof that it was on a quorum when its epoch ended would make it plainly survived: an answer that a client got, or copies of "
        "that moment.",
        "A disk on which a later established epoch begins without it would make it lost or diverged.",
    ),
    ("lost", None): (
        "Only a later established epoch that holds it after all would: a disk that shows its first record directly behind this one.",
        "Where a restored or wiped disk explains the loss, the write itself stays lost.",
    ),
    ("diverged", None): (
        "Which of the histories was established would be shown by the disk and log of the epoch's leader, if they were not read.",
    ),
    ("undecided", None): (
        "The disk and log of a server that took part in a later epoch would show whether its history holds the write.",
        *_OPEN,
    ),
    ("discarded", "no"): (
        "An answer that a client got for it (--clients) would show that it was committed, and so lost.",
        "An earlier copy (--before) in which one of the voters that count as never having had it holds its record would leave it open.",
    ),
    ("discarded", "unknown"): (
        *_OPEN,
        "Earlier copies (--before) of enough voters that never had it would show that it was never committed.",
    ),
    ("discarded", "yes"): ("A later established epoch that holds it after all would show that it survived.",),
}
"""What would overturn a fate; truncated, shadowed and pending are ``discarded`` here, where it matters whether it was committed."""
DISCARDED = ("truncated", "shadowed", "pending")


def argument(write: dict[str, Any]) -> dict[str, Any]:
    """For a row of WRITES: ``rule_says``, the sentence of its rule or None, and ``would_change``, what would settle it first."""
    fate = write["fate"]
    key = ("discarded", write["committed"]) if fate in DISCARDED else (fate, None)
    settled = [f"What would settle it: {write['settled_by']}."] if write["settled_by"] else []
    return {"rule_says": RULES.get(write["rule"]), "would_change": [*settled, *CHANGES[key]]}
