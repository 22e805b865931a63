"""Waits for a database that is away: a restart, a failover, a lock that somebody holds, a full disk.

The one place that decides how long and how often; what begins, asks or commits goes through here. Nothing is sent to the
source meanwhile.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from replicator.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event

T = TypeVar("T")

log = logging.getLogger("replicator.sync")

LONGEST_PAUSE_SECONDS = 5.0
FIRST_PAUSE_SECONDS = 0.2


def _nothing() -> None:
    """Nobody is told."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Does something with the database, again while it is away, for `seconds` at most, and not once a stop is asked for.

    `pulse` is told of each attempt: who waits is alive.
    """

    seconds: float = 60.0
    stop: Event | None = None
    pulse: Callable[[], None] = _nothing

    def __call__(self, do: Callable[[], T], tries: list[int] | None = None) -> T:
        """Return what `do` returns. `tries`, where given, holds an entry for each attempt that failed so far."""
        tries = [] if tries is None else tries
        give_up_at = time.monotonic() + self.seconds
        while True:
            self.pulse()
            try:
                return do()
            except DatabaseUnavailable as error:
                if time.monotonic() >= give_up_at or (self.stop is not None and self.stop.is_set()):
                    raise
                if not tries:
                    log.warning("%s; trying again for %g s", error.message, self.seconds)
                tries.append(1)
                self._pause(min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(len(tries) - 1, 10)))

    def _pause(self, seconds: float) -> None:
        if self.stop is None:
            time.sleep(seconds)
        else:
            self.stop.wait(seconds)
