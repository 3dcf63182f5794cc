"""The traces that known bugs of elections leave in logs: one function each, as in ``traces``."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from zabtrace.checks.scene import Scene
from zabtrace.checks.traces import Trace
from zabtrace.incidents import driving
from zabtrace.incidents.scene import Scene as Told
from zabtrace.protocol.releases import NEWEST


def never_joined(release: str) -> Callable[[Scene], Iterator[Trace]]:
    """A server that looks on though a quorum and its leader say that they have decided: votes are equal for today's releases only.

    ``release``: one whose FastLeaderElection compares zxid and round of servers that follow (Vote.equals; ZOOKEEPER-1732, 1818).
    """

    def find(scene: Scene) -> Iterator[Trace]:
        if scene.history.terms is None:
            return
        told = Told(scene.history, scene.history.terms)
        for looking in told.stage.of("LOOKING") if told.configs else ():
            seen = told.terms.ballots.heard.get(looking.index, [])
            ended = looking.after is not None and looking.after.role != "LOOKING"
            if ended or not any(notice.state == "LEADING" for notice in seen):
                continue
            config, _ = next(driving.readings(told, looking, seen))
            formats = told.noticed.format_versions
            machine = driving.drive(looking, seen, config, NEWEST, formats).machine
            if machine.joined is not None and not driving.drive(looking, seen, config, release, formats).reached:
                says = (
                    f"{told.name(looking.server)} did not join leader {machine.joined.sid}, though a quorum of those that follow it and "
                    "that leader itself had told so: their votes differ in zxid or round"
                )
                last = next(notice for notice in reversed(seen) if notice.state in ("FOLLOWING", "LEADING"))
                line = {"source": told.noticed.sources[last.row], "line": told.noticed.lines[last.row], "offset": None, "says": says}
                yield Trace(looking.server, True, says, line)

    return find
