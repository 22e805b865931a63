"""The rate limit, and the books about it: who asked how often, and who did not wait. Pure: time is an argument."""

from __future__ import annotations

from collections import Counter, deque
from random import Random
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

    from replicator.simulator.switches import Switches

_SECOND = 1_000_000
_ENTRIES_KEPT = 20_000


class Refusal(NamedTuple):
    """What a refused request is told: the limit, and when (µs, as told) to come again."""

    limit: int
    reset_us: int
    told_us: int


class Limiter:
    """Fixed wall-clock windows, counted per identity (a key, or a client address and path) and worker."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, int], tuple[int, int]] = {}
        self._worker = Random(0)  # noqa: S311 - which worker takes a request

    def admit(self, identity: str, now_us: int, switches: Switches) -> Refusal | None:
        """Count a request; return None if it may pass."""
        limit = switches.limit
        if limit is None:
            return None
        length = int(switches.window_seconds * _SECOND)
        window = now_us // length
        worker = self._worker.randrange(switches.limiter_workers) if switches.limiter_workers > 1 else 0
        place = (identity, worker)
        began, count = self._counts.get(place, (window, 0))
        count = count + 1 if began == window else 1
        self._counts[place] = (window, count)
        if count <= limit:
            return None
        reset = (window + 1) * length
        return Refusal(limit, reset, now_us + length if switches.reset_at_now_plus_window else reset)


class Entry(NamedTuple):
    """One request, as the server saw it; `at` is the server's time."""

    at: datetime
    kind: str
    method: str
    path: str
    query: str
    status: int


class Log:
    """What tests assert about: never more than the limit in a window, nobody came before `reset_at`."""

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
        """Count a request of an identity, before anything is decided about it."""
        place = (identity, now_us // int(window_seconds * _SECOND))
        self.by_window[place] += 1
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
