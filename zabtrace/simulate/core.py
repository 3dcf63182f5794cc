"""What every part of the ensemble shares: servers, time, links, and the two accounts: steps for the reader, lines as servers print them."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from zabtrace.protocol.quorum import Config
from zabtrace.protocol.releases import NEWEST, among
from zabtrace.simulate.agenda import Agenda, Planned
from zabtrace.simulate.journal import Said, Step
from zabtrace.simulate.server import Server


@dataclass(frozen=True)
class Setup:
    """What does not change while it runs. Times in ms; limits in ticks, as in zoo.cfg."""

    voters: frozenset[int]
    observers: frozenset[int] = frozenset()
    groups: dict[int, int] = field(default_factory=dict)
    weights: dict[int, int] = field(default_factory=dict)
    release: str = NEWEST
    releases: dict[int, str] = field(default_factory=dict)
    """Servers of another release than the others."""
    tick: int = 2000
    init_limit: int = 10
    sync_limit: int = 5
    delay: tuple[int, int] = (1, 4)
    """Least and most ms that a message takes."""
    force_snapshot: bool = False
    algorithm: int = 3
    """electionAlg: 3 is FastLeaderElection; 0 to 2 are those of ``protocol.legacy``, up to 3.5."""

    @property
    def config(self) -> Config:
        """The configuration, which stays in force."""
        return Config(None, self.voters, self.observers, self.weights, self.groups)


class Core(ABC):
    """Servers and what is between them."""

    def __init__(self, setup: Setup, seed: int) -> None:
        self.setup, self.config = setup, setup.config
        self.rng = random.Random(seed)  # noqa: S311 (a simulation that its seed repeats)
        self.agenda = Agenda()
        members = sorted(setup.voters | setup.observers)
        self.servers = {sid: Server(sid, setup.releases.get(sid, setup.release), sid in setup.observers) for sid in members}
        self.steps: list[Step] = []
        self.lines: dict[int, list[Said]] = {sid: [] for sid in self.servers}
        self.severed: set[tuple[int, int]] = set()
        """Pairs of servers between which nothing passes, both ways."""
        self.slow: dict[tuple[int, int], int] = {}
        self._last: dict[tuple[int, int], int] = defaultdict(int)
        self._held: dict[tuple[int, int], list[Callable[[], None]]] = defaultdict(list)

    # ---------------------------------------------------------------- accounts
    @property
    def now(self) -> int:
        """ms since the simulation began."""
        return self.agenda.now

    def note(self, server: Server | None, kind: str, text: str, **facts: Any) -> None:
        """Put down a step."""
        self.steps.append(Step(self.now, server.sid if server else None, kind, text, facts))

    def say(self, server: Server, phrase: str, values: dict[str, object] | None = None, **thread: object) -> None:
        """Let a server print a line; a phrase that its release does not have is not printed."""
        self.lines[server.sid].append(Said(self.now + server.skew, phrase, values or {}, thread))

    def is_of(self, server: Server, releases: str) -> bool:
        """Does it run one of these releases?"""
        return among(server.release, releases)

    # ---------------------------------------------------------------- links
    def send(self, sender: Server, receiver: Server, deliver: Callable[[], None], *, kept: bool = False) -> None:
        """Hand a message over after the link's delay, in order per link; to the process that lives now.

        Where the link is severed it is lost, unless ``kept``: then the connection sends it again once it can.
        """
        link = (sender.sid, receiver.sid)
        if self._cut(*link) and sender is not receiver:
            if kept:
                self._held[link].append(lambda: self.send(sender, receiver, deliver, kept=True))
            return
        least, most = (0, 1) if sender is receiver else self.setup.delay
        wait = self.rng.randint(least, most) + self.slow.get((min(link), max(link)), 0)
        arrival = self._last[link] = max(self.now + wait, self._last[link])
        process = receiver.process
        self.agenda.plan(arrival - self.now, lambda: self._arrive(receiver, process, deliver))

    def _arrive(self, receiver: Server, process: int, deliver: Callable[[], None]) -> None:
        if receiver.process != process:
            return
        if receiver.paused:
            receiver.waiting.append(deliver)
        else:
            deliver()

    def later(self, server: Server, delay: int, action: Callable[[], None], *, idle: bool = False) -> Planned:
        """A timer of a server's process; while it is paused, the timer goes off when it resumes."""
        process = server.process
        return self.agenda.plan(delay, lambda: self._arrive(server, process, action), idle=idle)

    def _cut(self, one: int, other: int) -> bool:
        return (min(one, other), max(one, other)) in self.severed

    def sever(self, one: Iterable[int], other: Iterable[int]) -> list[tuple[int, int]]:
        """Let nothing pass between two sides."""
        pairs = [(min(a, b), max(a, b)) for a in one for b in other if a != b]
        self.severed |= set(pairs)
        return pairs

    def heal(self) -> None:
        """Let everything pass again; what connections still hold is sent."""
        self.severed.clear()
        held, self._held = self._held, defaultdict(list)
        for messages in held.values():
            for message in messages:
                message()

    def reaches(self, one: Server, other: Server) -> bool:
        """Is the other process alive and the way to it open?"""
        return other.up and not self._cut(one.sid, other.sid)

    # ---------------------------------------------------------------- what the parts give each other
    @abstractmethod
    def look(self, server: Server) -> None:
        """A server begins to look for a leader."""

    @abstractmethod
    def take_role(self, server: Server, took: int) -> None:
        """A server leads, follows or observes, after so many ms."""
