"""Run the harness: ``python -m tests.soundness FROM TO [KIND]`` prints every wrong label and the share left undecided."""

from __future__ import annotations

import random
import sys
import time
from collections import Counter

from tests.soundness.check import narrowed, undecided, wrong
from tests.soundness.ensemble import Ensemble
from tests.soundness.evidence import hidings, trace
from tests.soundness.play import play
from zabtrace.fates import judge
from zabtrace.replay import replay
from zabtrace.zxid import make


def since(ensemble: Ensemble, seed: int) -> int:
    """The beginning of one of the later epochs."""
    return make(random.Random(seed).choice(ensemble.truth.epochs).epoch, 0)


def main(first: int, last: int, wanted: str | None = None) -> int:
    """Cases ``first`` to ``last``; one hiding each, unless a kind is named or it is 'all'."""
    shares: dict[str, Counter[str]] = {}
    verdicts: dict[str, Counter[str]] = {}
    bad, began = 0, time.time()
    for seed in range(first, last):
        ensemble = play(seed)
        kinds = hidings(ensemble, random.Random(seed))
        chosen = kinds if wanted == "all" else [k for k in kinds if k.kind == wanted] or [kinds[seed % len(kinds)]]
        for shown in chosen:
            history = replay(trace(ensemble, shown))
            judged = judge(history)
            shares.setdefault(shown.kind, Counter()).update(undecided(judged))
            verdicts.setdefault(shown.kind, Counter())[judged.verdict] += 1
            late = narrowed(ensemble, judge(history, since(ensemble, seed))) if ensemble.truth.epochs and seed % 4 == 0 else []
            for line in wrong(ensemble, shown, judged) + late:
                bad += 1
                sys.stdout.write(f"WRONG seed {seed} ({shown.kind}, {ensemble.servers[1].version}, {len(ensemble.servers)}): {line}\n")
    for kind, counts in sorted(shares.items()):
        total = sum(counts.values())
        share = 100 * counts["undecided"] / max(total, 1)
        sys.stdout.write(f"{kind}: {total} writes, {share:.1f} % undecided; {dict(verdicts[kind])} {dict(counts)}\n")
    sys.stdout.write(f"{bad} wrong labels in {last - first} cases, {time.time() - began:.0f} s\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]))
