"""Repeats a database operation while the database is unavailable: restart, failover, a lock held too long, a full disk.

It is the only place that decides how long and how often to try. Everything in a run that reads or writes the database
goes through it. No request is sent to the source meanwhile.
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
    """Do nothing: the default for `pulse`."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Runs a database operation, and repeats it while the database is unavailable.

    It gives up after `seconds`, or when `stop` is set. `pulse` is called before each attempt, to show that the process
    is alive.
    """

    seconds: float = 60.0
    stop: Event | None = None
    pulse: Callable[[], None] = _nothing

    def __call__(self, do: Callable[[], T], tries: list[int] | None = None) -> T:
        """Return what `do` returns. `tries`, if given, gets one entry for each failed attempt. Raises
        DatabaseUnavailable.
        """
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
