"""The clock of a run: the time of day, going on evenly from its beginning, whatever the machine's clock is set to."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def steady_clock() -> Callable[[], datetime]:
    """Return a clock that begins with the time of day; it goes on through a sleep of the machine where that is known."""
    ticks = partial(time.clock_gettime, time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic
    began, first = datetime.now(UTC), ticks()
    return lambda: began + timedelta(seconds=ticks() - first)
