"""The rate limit, and a log of requests: how many each client sent, and which came too early. Pure: time is an
argument.
"""

from __future__ import annotations

from collections import Counter, deque
from random import Random
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

    from replicator.simulator.switches import Switches

_SECOND = 1_000_000
_ENTRIES_KEPT = 20_000
_PLACES_KEPT = 200_000


class Refusal(NamedTuple):
    """What a refused request is told: the limit, and when (µs) to come again."""

    limit: int
    reset_us: int
    told_us: int


class Limiter:
    """Fixed wall-clock windows, counted per identity (a key, or a client address and path) and worker."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, int, int], tuple[int, int]] = {}
        self._worker = Random(0)  # noqa: S311 - which worker takes a request

    def admit(self, identity: str, now_us: int, switches: Switches) -> Refusal | None:
        """Count a request in every window; return None if it may pass."""
        if switches.limit is None:
            return None
        worker = self._worker.randrange(switches.limiter_workers) if switches.limiter_workers > 1 else 0
        refusal = self._count(identity, worker, now_us, switches.limit, switches.window_seconds)
        for limit, seconds in switches.further_limits:
            refusal = self._count(identity, worker, now_us, limit, seconds) or refusal
        if refusal is not None and switches.reset_at_now_plus_window:
            return refusal._replace(told_us=now_us + int(switches.window_seconds * _SECOND))
        return refusal

    def _count(self, identity: str, worker: int, now_us: int, limit: int, seconds: float) -> Refusal | None:
        length = int(seconds * _SECOND)
        window, place = now_us // length, (identity, worker, length)
        began, count = self._counts.get(place, (window, 0))
        count = count + 1 if began == window else 1
        self._counts[place] = (window, count)
        if len(self._counts) > _PLACES_KEPT:
            self._counts = {one: kept for one, kept in self._counts.items() if kept[0] == now_us // one[2]}
        reset = (window + 1) * length
        return None if count <= limit else Refusal(limit, reset, reset)


class Entry(NamedTuple):
    """One request, as the server saw it; `at` is the server's time."""

    at: datetime
    kind: str
    method: str
    path: str
    query: str
    status: int


class Log:
    """The log that tests check: never more requests than the limit in a window, and none before `reset_at`.

    `early` counts requests that arrived between a refusal and its `reset_at`. Those under way at the refusal count too,
    so a client with n connections may have n - 1 for each refusal. `entries` are the latest 20,000 requests.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.requests = 0
        self.refused = 0
        self.early = 0
        self.connections_reset = 0
        self.keys_sent_to_storage = 0
        self.max_in_window = 0
        self.by_kind: Counter[str] = Counter()
        self.by_status: Counter[int] = Counter()
        self.by_window: Counter[tuple[str, int]] = Counter()
        self.entries: deque[Entry] = deque(maxlen=_ENTRIES_KEPT)
        self._waits: dict[str, int] = {}

    def arrived(self, identity: str, now_us: int, window_seconds: float) -> None:
        """Count a request of an identity, before it is admitted or refused."""
        place = (identity, now_us // int(window_seconds * _SECOND))
        self.by_window[place] += 1
        if len(self.by_window) > _PLACES_KEPT:
            self.by_window = Counter({place: self.by_window[place]})
        self.max_in_window = max(self.max_in_window, self.by_window[place])
        if self._waits and now_us < self._waits.get(identity, 0):
            self.early += 1

    def was_refused(self, identity: str, refusal: Refusal) -> None:
        """Note that an identity was told to wait."""
        self.refused += 1
        self._waits[identity] = refusal.reset_us

    def answered(self, entry: Entry) -> None:
        """Note an answer."""
        self.requests += 1
        self.by_kind[entry.kind] += 1
        self.by_status[entry.status] += 1
        self.entries.append(entry)
