"""A deployment of the API: a world with its switches, the log of its requests, and the state that its answers leave.

`reading` and `writing` work on a deployment; `Api` is a deployment that answers requests.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from replicator.simulator.caching import ByteCache
from replicator.simulator.exchange import meta
from replicator.simulator.limits import Log

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from replicator.simulator.switches import Switches
    from replicator.simulator.world import World


class Deployment:
    """A world behind an API, and the state left by its answers: calls that were read, idempotency keys, caches."""

    def __init__(self, world: World, *, seed: int = 0) -> None:
        self.world = world
        self.log = Log()
        self.random = Random(seed)  # noqa: S311 - a simulation
        self.requests = 0
        self.poisoned: set[int] = set()
        self.read: set[int] = set()
        self.idempotent: dict[tuple[str, str], int] = {}
        self.rows, self.details, self.transcripts = ByteCache(), ByteCache(2**24), ByteCache()
        self._scattered: tuple[int, int, list[int]] = (-1, 0, [])

    @property
    def switches(self) -> Switches:
        """How this deployment behaves; may be set at any time."""
        return self.world.switches

    @switches.setter
    def switches(self, switches: Switches) -> None:
        with self.world.lock:
            self.world.switch(switches)
            for cache in (self.rows, self.details, self.transcripts):
                cache.clear()

    def poison(self, call_id: str) -> None:
        """Make a call unserialisable, as the first read of its transcript can do."""
        with self.world.lock:
            index = self.world.index_of(call_id)
            if index is None:
                raise KeyError(call_id)
            self.poisoned.add(index)

    def meta(self, request_id: str, now: datetime) -> bytes:
        """Return the envelope's `meta`, without its closing brace."""
        return meta(request_id, now, self.switches)

    def scattered(self, found: Sequence[int]) -> list[int]:
        """Return calls in an order unrelated to time, which stays the same until the next change."""
        version, of, kept = self._scattered
        if version != self.world.version or of != id(found):
            kept = sorted(found, key=self.world.id_of)
            self._scattered = (self.world.version, id(found), kept)
        return kept
