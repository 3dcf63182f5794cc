"""Simulated incidents for the tests: random scenarios by seed, and what zabtrace finds in what the servers left.

Run as a program it plays many: python tests/simulated.py FROM TO, or with the name of a mutation behind them.
"""

import random
import sys
import tempfile
from pathlib import Path

import polars as pl

from zabtrace.checks import Question
from zabtrace.checks import check as examine
from zabtrace.checks.findings import VIOLATED
from zabtrace.errors import UsageError
from zabtrace.evidence import gather
from zabtrace.fates import judge
from zabtrace.fates.judgement import Judgement
from zabtrace.grammar.scenario import parse
from zabtrace.incidents import incidents
from zabtrace.replay import replay
from zabtrace.simulate import evidence, mutations, scenario
from zabtrace.simulate.ensemble import Ensemble

VERSIONS = ("3.4.6", "3.4.14", "3.5.4", "3.5.9", "3.5.10", "3.6.1", "3.6.4", "3.7.2", "3.8.0", "3.8.6", "3.9.0", "3.9.2", "3.9.5")
THREE_TERMS = """servers 1 2 3
start 1 2 3
rest
write 6
rest
crash leader
rest
write 5
rest
start all
rest
write 4
rest
crash leader
rest
write 8
rest
"""
"""Three epochs, two leaders lost, one of them back."""


def random_scenario(seed: int) -> str:
    """A scenario that follows from its seed: versions, sizes, observers, clocks, delays, and a few things that go wrong."""
    rng = random.Random(seed)
    size = rng.choice((3, 3, 3, 5))
    voters = range(1, size + 1)
    lines = [f"version {VERSIONS[seed % len(VERSIONS)]}", f"servers {_listed(voters)}"]
    lines += [f"observers {size + 1}"] if rng.random() < 0.25 else []
    lines += [f"delay {rng.randint(0, 3)}-{rng.randint(5, 60)} ms"] if rng.random() < 0.3 else []
    lines += [f"clock {rng.choice(voters)} {rng.choice(('ahead', 'behind'))} {rng.randint(1, 9) * 300} ms"] if rng.random() < 0.3 else []
    lines += ["start all" if rng.random() < 0.6 else f"start {_listed(rng.sample(voters, size // 2 + 1))}", "rest"]
    for _ in range(rng.randint(2, 6)):
        lines += rng.choice(UPSETS)(rng, size)
    return "\n".join([*lines, *(["start all", "rest", "write 3", "rest"] if rng.random() < 0.7 else [])])


def _listed(sids: object) -> str:
    return " ".join(map(str, sids))  # type: ignore[call-overload]


def _write(rng: random.Random, size: int) -> list[str]:
    return [f"write {rng.randint(1, 8)}", *(["rest"] if rng.random() < 0.7 else [])]


def _crash(rng: random.Random, size: int) -> list[str]:
    return [f"crash {rng.randint(1, size)}{rng.choice(('', '', ' torn'))}", "rest"]


def _pause(rng: random.Random, size: int) -> list[str]:
    sid = rng.randint(1, size)
    return [f"pause {sid}", f"write {rng.randint(1, 4)}", rng.choice(("wait 1 s", "wait 30 s")), f"resume {sid}", "rest"]


def _cut(rng: random.Random, size: int) -> list[str]:
    sid = rng.randint(1, size)
    others = _listed(other for other in range(1, size + 1) if other != sid)
    return [f"cut {sid} from {others}", f"write 3 on {sid}", rng.choice(("rest", "wait 10 ms")), "write 2", "heal", "rest"]


def _starve(rng: random.Random, size: int) -> list[str]:
    """The leader goes on alone, and dies: whoever leads then, by number."""
    sid = rng.randint(1, size)
    others = _listed(other for other in range(1, size + 1) if other != sid)
    return [f"pause {others}", f"write 3 on {sid}", f"crash {sid}", f"resume {others}", "rest", "write 2", "rest", f"start {sid}", "rest"]


UPSETS = (
    _write, _write, _write, _crash, _crash, _pause, _cut, _cut, _starve,
    lambda rng, size: ["crash all", "start all", "rest"],
    lambda rng, size: [f"snapshot {rng.randint(1, size)}"],
    lambda rng, size: ["start all", "rest"],
)  # fmt: skip


def played(text: str, seed: int) -> tuple[Ensemble, scenario.Asked]:
    """A scenario, played."""
    asked = scenario.from_statements(parse(text))
    return scenario.play(asked, seed), asked


def alarms(folder: Path) -> tuple[Judgement, set[str]]:
    """What became of every write, and the names of everything that is said to be wrong."""
    history = replay(gather([str(folder)]))
    judgement = judge(history)
    report = examine(history, judgement.writes, judgement.reasons, Question())
    found = {judgement.verdict} & {"lost", "diverged"}
    found |= {checked.check for checked in report.checks if checked.finding.outcome == VIOLATED}
    found |= {match.id for match in report.bugs}
    discarded = judgement.writes.filter(pl.col("fate").is_in(["truncated", "shadowed", "pending"]) & (pl.col("acknowledged") == "yes"))
    found |= {f"an answered write is {fate}" for fate in discarded["fate"]}
    found |= {"damage" for server in report.servers for row in server.damage if row["harm"] == "data"}
    return judgement, found | set(incidents(history).findings["what"])


def main(first: int, last: int, name: str | None) -> None:
    """Play the seeds, and print what is found: nothing of a correct run, the names of its row of a mutation."""
    for seed in range(first, last):
        text = random_scenario(seed) if name is None else f"version {VERSIONS[seed % len(VERSIONS)]}\n{THREE_TERMS}"
        ensemble, asked = played(text, seed)
        chosen = mutations.named([name] if name else [])
        with tempfile.TemporaryDirectory() as folder:
            try:
                evidence.write(mutations.left(chosen, ensemble, asked.unknown, seed), Path(folder) / "left")
            except UsageError as error:
                print(seed, VERSIONS[seed % len(VERSIONS)], error)  # noqa: T201
                continue
            judgement, found = alarms(Path(folder) / "left")
        print(seed, VERSIONS[seed % len(VERSIONS)], judgement.verdict, sorted(found))  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else None)
