"""Performs what the engine wants done in virtual time: the one driver of all simulations.

It decides nothing. A `World` says how long things take, answers requests as they arrive, and keeps the replica; requests
wait for a free worker, pages first, and are given back unsent where their charge is no longer good, as sync/workers.py
does it with threads.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from replicator.errors import RateLimited
from replicator.sync.protocol.actions import (
    Ask,
    CameIn,
    Charge,
    Charged,
    Close,
    Commit,
    Fail,
    Finish,
    Known,
    Send,
    Wait,
)
from replicator.sync.protocol.questions import answer
from replicator.sync.protocol.requests import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from replicator.sync.engine.engine import Engine
    from replicator.sync.protocol.actions import Action
    from replicator.sync.protocol.questions import Replica
    from replicator.sync.protocol.requests import Request
    from replicator.sync.protocol.results import Committed

Flight = tuple["datetime", int, str, "Request", "datetime | Outcome"]
"""(when, ticket, there or back, the request, when it was sent or its outcome)"""
INSTANT = timedelta(milliseconds=1)


class World(Protocol):
    """What the driver works in. It moves `now` forward."""

    now: datetime

    @property
    def replica(self) -> Replica:
        """What answers the engine's questions."""

    def arrived(self, request: Request, sent_at: datetime) -> Outcome:
        """Answer a request that arrives at the source now."""

    def sent(self, request: Request) -> None:
        """Take note of a request that leaves now."""

    def way(self) -> timedelta:
        """Return how long a request takes to the source."""

    def way_back(self) -> timedelta:
        """Return how long an answer takes back."""

    def charge(self, charge: Charge) -> bool:
        """Charge the budget of a key."""

    def commit(self, commit: Commit) -> Committed:
        """Write a batch."""

    def writing(self) -> timedelta:
        """Return how long a commit takes, in which nothing is decided."""

    def goes_on(self, action: Action) -> bool:
        """Say whether the process lives to perform this action."""


@dataclass(slots=True)
class Driver:
    """Drives one engine in a world, with so many workers. What is under way at the end stays in `flights`."""

    world: World
    engine: Engine
    workers: int
    pages: deque[Request] = field(default_factory=deque)
    others: deque[Request] = field(default_factory=deque)
    flights: list[Flight] = field(default_factory=list)
    came_in: list[Outcome] = field(default_factory=list)
    refused: set[int] = field(default_factory=set)
    is_closed: bool = False
    busy: int = 0
    ticket: int = 0

    def run(self, until: datetime | None = None) -> Finish | Fail | None:
        """Perform the engine's actions until it ends the run; None where the process dies before, or its time is over."""
        while until is None or self.world.now < until:
            for action in self.engine.actions(self.world.now):
                if not self.world.goes_on(action):
                    return None
                if isinstance(action, Finish | Fail):
                    return action
                self._perform(action)
        return None

    def let_arrive(self) -> None:
        """Let what is on its way arrive at the source, though nobody waits for the answers any more."""
        for at, _, what, request, load in sorted(self.flights, key=lambda one: one[:2]):
            if what == "there" and not isinstance(load, Outcome):
                self.world.now = max(self.world.now, at)
                self.world.arrived(request, load)
        self.flights = []

    def _perform(self, action: Action) -> None:
        match action:
            case Ask(question):
                self.engine.receive(Known(answer(self.world.replica, question)))
            case Charge():
                self.engine.receive(Charged(self.world.charge(action)))
            case Commit():
                found = self.world.commit(action)
                self._pass(self.world.now + self.world.writing())
                self.engine.receive(found)
            case Send(requests):
                self._send(requests)
            case Close():
                self.is_closed = True
            case Wait(until):
                self._pass(max(until, self.world.now + INSTANT), is_for_answers=True)
                outcomes, self.came_in = tuple(self.came_in), []
                self.engine.receive(CameIn(outcomes))

    def _send(self, requests: Sequence[Request]) -> None:
        for request in requests:
            self.refused.discard(request.key)
            (self.others if request.walk is None else self.pages).append(request)

    def _pass(self, until: datetime, *, is_for_answers: bool = False) -> None:
        """Let time pass; where it is for answers, only until something has come in."""
        world = self.world
        self._work()
        while not (is_for_answers and self.came_in) and self.flights and self.flights[0][0] <= until:
            at, number, _, request, load = heapq.heappop(self.flights)
            world.now = max(world.now, at)
            if isinstance(load, Outcome):
                self.busy -= 1
                self.came_in.append(replace(load, received_at=world.now))
                if isinstance(load.error, RateLimited):
                    self.refused.add(request.key)
                self._work()
            else:
                outcome = world.arrived(request, load)
                heapq.heappush(self.flights, (world.now + world.way_back(), number, "back", request, outcome))
        if not (is_for_answers and self.came_in):
            world.now = max(world.now, until)

    def _work(self) -> None:
        """Let idle workers take what is queued."""
        now = self.world.now
        while self.busy < self.workers and (self.pages or self.others):
            request = (self.pages or self.others).popleft()
            if self.is_closed or now >= request.expires_at or request.key in self.refused:
                self.came_in.append(Outcome(request, now, now, is_sent=False))
                continue
            self.world.sent(request)
            self.busy += 1
            self.ticket += 1
            heapq.heappush(self.flights, (now + self.world.way(), self.ticket, "there", request, now))
