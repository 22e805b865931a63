"""Limits how many bytes all downloads of a run receive in a second, together."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

BURST_SECONDS = 0.25
"""So much of a second's bytes may come at once after a pause."""
MOST_SLEEP_SECONDS = 0.5


class Bandwidth:
    """A limit in bytes per second; None is no limit. It is shared by threads."""

    def __init__(
        self,
        bytes_per_second: float | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._rate = bytes_per_second
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._free_at = clock()
        """When all bytes so far have had their time."""

    def took(self, count: int, is_stopped: Callable[[], bool] = lambda: False) -> None:
        """Note that `count` bytes were received, and wait until the limit allows more."""
        if self._rate is None:
            return
        with self._lock:
            self._free_at = max(self._free_at, self._clock() - BURST_SECONDS) + count / self._rate
            until = self._free_at
        while (left := until - self._clock()) > 0 and not is_stopped():
            self._sleep(min(left, MOST_SLEEP_SECONDS))


__all__ = ["Bandwidth"]
